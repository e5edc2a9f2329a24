//! Gemini's and Anthropic's endpoints, Google's read-outs, and what careless networks do, judged with a plain client.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{
    Act, Fault, Reply,
    tests::{Desk, events, hello, streamed, text_of, told},
};

fn gemini(desk: &Desk, method: &str, body: &Value) -> RequestBuilder {
    desk.post(&format!("gemini/v1beta/models/gemini-2.5-flash:{method}")).json(body)
}

fn contents() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
}

#[tokio::test]
async fn geminis_api_takes_a_key_and_contents() {
    let desk = Desk::open().await;
    let key = desk.vendors.mint_key("gemini");
    let reason = "/error/details/0/reason";
    let ask = |body: &Value| gemini(&desk, "generateContent", body).header("x-goog-api-key", &key);
    assert_eq!(told(gemini(&desk, "generateContent", &contents())).await.0, 403, "nobody");
    let (status, body) =
        told(gemini(&desk, "generateContent", &contents()).header("x-goog-api-key", "sk-FAKE")).await;
    assert_eq!((status, body.pointer(reason)), (400, Some(&json!("API_KEY_INVALID"))));
    assert_eq!(told(ask(&json!({"contents": []}))).await.0, 400);
    assert_eq!(told(ask(&json!({"request": contents()}))).await.0, 400, "no envelope here");
    desk.vendors.script("gemini", vec![Reply::text("one two"), Reply::pieces(&["a", "b"]).thinking(&["hm"])]);
    let (status, body) = told(ask(&contents())).await;
    assert_eq!(status, 200);
    assert_eq!(body.pointer("/candidates/0/content/parts/0/text"), Some(&json!("one two")));
    assert_eq!(body.pointer("/usageMetadata/candidatesTokenCount"), Some(&json!(2)));
    let stream = gemini(&desk, "streamGenerateContent?alt=sse", &contents()).header("x-goog-api-key", &key);
    let (_, body, _) = streamed(stream).await;
    let events = events(&body);
    assert_eq!(text_of(&events, "/candidates/0/content/parts/0/text"), "hmab");
    assert_eq!(text_of(&events, "/candidates/0/finishReason"), "STOP");
    let shown = serde_json::to_string(&desk.vendors.requests()).expect("serialisable");
    assert!(!shown.contains(&key), "{shown}");
    assert_eq!(desk.vendors.counts_of("gemini").accounts.get("key-1").map(|own| own.chats), Some(4));
}

fn message() -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]})
}

#[tokio::test]
async fn anthropics_api_takes_a_key_a_version_and_messages() {
    let desk = Desk::open().await;
    let key = desk.vendors.mint_key("anthropic");
    let with_key = |body: &Value| desk.post("anthropic/v1/messages").header("x-api-key", &key).json(body);
    let ask = |body: &Value| with_key(body).header("anthropic-version", "2023-06-01");
    let kind = |answer: (u16, Value)| {
        (answer.0, answer.1.pointer("/error/type").and_then(Value::as_str).unwrap_or_default().to_owned())
    };
    let refused = |status: u16, error: &str| (status, error.to_owned());
    let other = desk.post("anthropic/v1/messages").header("x-api-key", "sk-FAKE").json(&message());
    assert_eq!(kind(told(other).await), refused(401, "authentication_error"));
    assert_eq!(kind(told(with_key(&message())).await), refused(400, "invalid_request_error"), "no version");
    for (field, value) in [
        ("max_tokens", json!(null)),
        ("messages", json!([{"role": "assistant", "content": "x"}])),
        ("messages", json!([{"role": "user", "content": " "}])),
        ("messages", json!([{"role": "user", "content": "x"}, {"role": "system", "content": "x"}])),
    ] {
        let mut body = message();
        body.as_object_mut().expect("an object").insert(field.to_owned(), value);
        assert_eq!(kind(told(ask(&body)).await), refused(400, "invalid_request_error"), "{body}");
    }
    desk.vendors
        .script("anthropic", vec![Reply::text("one two"), Reply::pieces(&["a", "b"]).thinking(&["hm"])]);
    let (status, body) = told(ask(&message())).await;
    assert_eq!((status, body.pointer("/content/0/text")), (200, Some(&json!("one two"))));
    let mut streaming = message();
    streaming.as_object_mut().expect("an object").insert("stream".to_owned(), json!(true));
    let (_, body, _) = streamed(ask(&streaming)).await;
    let names: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let types: Vec<String> =
        events(&body).iter().map(|event| text_of(std::slice::from_ref(event), "/type")).collect();
    assert_eq!(names, types, "an event is named after its type");
    let [block, delta, end] = ["content_block_start", "content_block_delta", "content_block_stop"];
    let expected = [
        "message_start",
        block,
        delta,
        delta,
        end,
        block,
        "ping",
        delta,
        delta,
        end,
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
    assert_eq!(text_of(&events(&body), "/delta/text"), "ab");
    assert_eq!(text_of(&events(&body), "/delta/stop_reason"), "end_turn");
}

#[tokio::test]
async fn google_tells_what_is_left_and_leaves_out_what_is_not() {
    let desk = Desk::open().await;
    let login = desk.vendors.mint("antigravity", "a@example.com");
    let ask = async |method: &str, project: &str| {
        let path = format!("antigravity/v1internal:{method}");
        told(desk.post(&path).bearer_auth(&login.access).json(&json!({"project": project}))).await
    };
    let project = login.project.clone().expect("a project");
    assert_eq!(ask("retrieveUserQuota", "other").await.0, 403);
    desk.vendors.set_remaining("antigravity", "a@example.com", 0.25);
    let (_, quota) = ask("retrieveUserQuota", &project).await;
    assert_eq!(quota.pointer("/buckets/0/remainingFraction"), Some(&json!(0.25)));
    desk.vendors.set_remaining("antigravity", "a@example.com", 0.0);
    let (_, models) = ask("fetchAvailableModels", &project).await;
    let info = models.pointer("/models/gemini-3-flash/quotaInfo").expect("a model");
    assert_eq!((info.get("remainingFraction"), info.get("resetTime").is_some()), (None, true));
    let count =
        json!({"request": {"model": "models/m", "contents": [{"role": "user", "parts": [{"text": "a b"}]}]}});
    let counted = desk.post("antigravity/v1internal:countTokens").bearer_auth(&login.access).json(&count);
    assert_eq!(told(counted).await.1, json!({"totalTokens": 2}));
}

#[tokio::test]
async fn careless_networks_mislabel_cut_and_crumble_answers() {
    let desk = Desk::open().await;
    let key = desk.vendors.mint_key("openai");
    let play = async |act: Act| {
        desk.vendors.script("openai", vec![Reply::pieces(&["Grüße ", "🦀"])]);
        desk.vendors.fault("openai", Fault::chat(act));
        let response = desk.chat("openai", &key, &hello()).send().await.expect("an answer");
        let label = response.headers()["content-type"].to_str().expect("text").to_owned();
        (label, response.text().await.expect("a body"))
    };
    let (label, whole) = play(Act::Mislabel { content_type: "text/html".to_owned() }).await;
    assert_eq!(
        (label.as_str(), text_of(&events(&whole), "/choices/0/delta/content")),
        ("text/html", "Grüße 🦀".into())
    );
    let (_, cut) = play(Act::Truncate { bytes: 100 }).await;
    assert_eq!(cut.len(), 100);
    let (_, crumbled) = play(Act::Crumble { bytes: 3 }).await;
    assert_eq!(text_of(&events(&crumbled), "/choices/0/delta/content"), "Grüße 🦀");
    let (label, plain) = play(Act::Unstreamed).await;
    assert_eq!(label, "application/json");
    let plain: Value = serde_json::from_str(&plain).expect("JSON");
    assert_eq!(plain.pointer("/choices/0/message/content"), Some(&json!("Grüße 🦀")));

    let login = desk.vendors.mint("qwen_code", "a@example.com");
    desk.vendors.fault("qwen_code", Fault::token(Act::Truncate { bytes: 20 }));
    let refresh = desk.post("qwen_code/api/v1/oauth2/token").form(&[
        ("grant_type", "refresh_token"),
        ("client_id", login.client_id.as_str()),
        ("refresh_token", login.refresh.as_str()),
    ]);
    let response = refresh.send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), response.text().await.expect("a body").len()), (200, 20));
}
