//! What is written, and what refusals mean.

use std::time::Duration;

use super::*;
use crate::discord::history::Sight;

fn to() -> Destination {
    Destination {
        channel: 7,
        asked: Asked { channel: 7, message: 1_234_567_890_123_456_789, person: 5, sight: Sight::Whole },
        occasion: 1_234_567_890_123_456_789,
        replies: Replies::ToTheQuestion,
        exchange: "0badcafe".to_owned(),
        heading: None,
        language: Language::english(),
    }
}

fn payload(text: &str, streaming: bool) -> Payload {
    Payload { text: text.to_owned(), streaming, ..Payload::default() }
}

#[test]
fn d15_d19_d25_a_create_pings_nobody_and_happens_once() {
    let body =
        without_pings(create(&to(), 0, to().reference(), Clothes::Plain, &payload("hi @everyone", true)));
    let expected = json!({
        "content": "hi @everyone",
        "components": [{ "type": 1, "components": [
            { "type": 2, "style": 2, "label": "Stop", "custom_id": "stop:0badcafe" },
        ] }],
        "nonce": "1234567890123456789-0",
        "enforce_nonce": true,
        "message_reference": { "message_id": "1234567890123456789", "fail_if_not_exists": false },
        "allowed_mentions": { "parse": [], "replied_user": false },
    });
    assert_eq!(body, expected);
    assert!(body["nonce"].as_str().unwrap().len() <= 25, "Discord's limit for a nonce");
}

#[test]
fn a_later_message_replies_to_the_one_before() {
    let body = create(&to(), 1, Some(55), Clothes::Plain, &payload("more", true));
    assert_eq!(body["message_reference"]["message_id"], "55");
    assert_eq!(body["nonce"], "1234567890123456789-1");
}

#[test]
fn d14_in_a_thread_of_its_own_the_answer_is_no_reply() {
    let to = Destination { replies: Replies::None, ..to() };
    assert_eq!(
        create(&to, 0, to.reference(), Clothes::Plain, &payload("hi", false)).get("message_reference"),
        None
    );
}

#[test]
fn the_button_goes_with_the_last_edit() {
    let body = edit(&to(), Clothes::Plain, &payload("done", false));
    assert_eq!(body, json!({ "content": "done", "components": [] }));
}

#[test]
fn d9_an_embed_holds_the_text_and_its_colour_says_whether_more_comes() {
    let body = |streaming| edit(&to(), Clothes::Embed, &payload("hi", streaming));
    assert_eq!(body(true)["embeds"], json!([{ "description": "hi", "color": GROWING }]));
    assert_eq!(body(false)["embeds"], json!([{ "description": "hi", "color": COMPLETE }]));
    assert_eq!(body(false).get("content"), None);
    let long = edit(&to(), Clothes::Cut, &payload(&"x".repeat(EMBED_LIMIT), false));
    let content = long["content"].as_str().unwrap();
    let units = content.encode_utf16().count();
    assert!(units <= MESSAGE_LIMIT && content.ends_with(&no_embeds(&to().language)), "{units}");
}

#[test]
fn refusals_say_what_to_do_next() {
    let status = |status, code| refusal(&RestError::Status { status, code });
    assert_eq!(status(404, 10008), SinkError::Gone);
    assert_eq!(status(403, 50013), SinkError::Forbidden);
    assert_eq!(status(400, 50083), SinkError::Gone);
    assert_eq!(status(401, 50027), SinkError::Gone);
    assert_eq!(status(400, 50035), SinkError::Refused { problem: "HTTP 400 50035".to_owned() });
    assert_eq!(status(502, 0), SinkError::Transient { problem: "HTTP 502 0".to_owned() });
    let retry_after = Duration::from_millis(700);
    assert_eq!(refusal(&RestError::RateLimited { retry_after }), SinkError::RateLimited { retry_after });
}
