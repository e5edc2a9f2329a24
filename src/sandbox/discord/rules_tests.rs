//! Each limit at its last allowed value and one above.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn complaint(body: Value) -> Option<Value> {
    match message(&body, "") {
        Ok(_) => None,
        Err(error) => Some(error.answer().1.get("errors").cloned().unwrap_or_default()),
    }
}

#[track_caller]
fn refused(body: Value, pointer: &str, code: &str) {
    let errors = complaint(body).expect("the body is outside a limit");
    let first = errors.pointer(&format!("{pointer}/_errors/0/code"));
    assert_eq!(first, Some(&json!(code)), "{errors:#}");
}

#[track_caller]
fn accepted(body: Value) {
    assert_eq!(complaint(body), None);
}

fn x(length: usize) -> String {
    "x".repeat(length)
}

#[test]
fn content_is_counted_in_utf16_units() {
    accepted(json!({"content": "😀".repeat(1000)}));
    refused(json!({"content": format!("{}x", "😀".repeat(1000))}), "/content", "BASE_TYPE_MAX_LENGTH");
    accepted(json!({"content": "é".repeat(2000)}));
}

#[test]
fn each_text_of_an_embed_has_its_limit() {
    accepted(json!({"embeds": [{"title": x(256), "description": x(4096)}]}));
    refused(json!({"embeds": [{"title": x(257)}]}), "/embeds/0/title", "BASE_TYPE_MAX_LENGTH");
    refused(
        json!({"embeds": [{}, {"description": x(4097)}]}),
        "/embeds/1/description",
        "BASE_TYPE_MAX_LENGTH",
    );
    refused(
        json!({"embeds": [{"footer": {"text": x(2049)}}]}),
        "/embeds/0/footer/text",
        "BASE_TYPE_MAX_LENGTH",
    );
    let field =
        |name: usize, value: usize| json!({"embeds": [{"fields": [{"name": x(name), "value": x(value)}]}]});
    accepted(field(256, 1024));
    refused(field(257, 1), "/embeds/0/fields/0/name", "BASE_TYPE_MAX_LENGTH");
    refused(field(1, 1025), "/embeds/0/fields/0/value", "BASE_TYPE_MAX_LENGTH");
    refused(field(1, 0), "/embeds/0/fields/0/value", "BASE_TYPE_REQUIRED");
}

#[test]
fn all_embeds_of_a_message_share_six_thousand_units() {
    let pair = |second: usize| json!({"embeds": [{"description": x(4000)}, {"description": x(second)}]});
    accepted(pair(2000));
    refused(pair(2001), "/embeds", "MAX_EMBED_SIZE_EXCEEDED");
    accepted(json!({"embeds": vec![json!({"title": "t"}); 10]}));
    refused(json!({"embeds": vec![json!({"title": "t"}); 11]}), "/embeds", "BASE_TYPE_MAX_LENGTH");
}

fn with_button(button: Value) -> Value {
    json!({"components": [{"type": 1, "components": [button]}]})
}

#[test]
fn buttons_have_labels_ids_and_no_more_than_five_in_a_row() {
    let one = |id: &str| json!({"type": 2, "style": 1, "label": "Stop", "custom_id": id});
    accepted(with_button(one(&x(100))));
    refused(with_button(one(&x(101))), "/components/0/components/0/custom_id", "BASE_TYPE_BAD_LENGTH");
    refused(
        with_button(json!({"type": 2, "style": 1, "label": x(81), "custom_id": "a"})),
        "/components/0/components/0/label",
        "BASE_TYPE_MAX_LENGTH",
    );
    refused(
        with_button(json!({"type": 2, "style": 1, "label": "no id"})),
        "/components/0/components/0",
        "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
    );
    let many: Vec<Value> = (0..6).map(|n| one(&n.to_string())).collect();
    refused(
        json!({"components": [{"type": 1, "components": many}]}),
        "/components/0/components",
        "BASE_TYPE_BAD_LENGTH",
    );
    refused(
        json!({"components": [{"type": 1, "components": [one("same"), one("same")]}]}),
        "/components/0/components/1/custom_id",
        "COMPONENT_CUSTOM_ID_DUPLICATED",
    );
    let row = json!({"type": 1, "components": [{"type": 2, "style": 5, "label": "l", "url": "https://example.org"}]});
    accepted(json!({"components": vec![row.clone(); 5]}));
    refused(json!({"components": vec![row; 6]}), "/components", "BASE_TYPE_MAX_LENGTH");
}

#[test]
fn nothing_to_see_is_refused() {
    let empty = message(&json!({"content": "  \n "}), "").expect("within the limits");
    assert_eq!(empty.refuse_empty(0), Err(Known::EmptyMessage.into()));
    assert_eq!(empty.refuse_empty(1), Ok(()));
}

#[test]
fn complaints_inside_a_callback_stand_under_data() {
    let error = message(&json!({"content": x(2001)}), "data.").expect_err("too long");
    assert!(error.answer().1.pointer("/errors/data/content/_errors/0").is_some());
}

proptest! {
    #[test]
    fn any_content_is_accepted_exactly_up_to_the_limit(text in "\\PC{0,2100}") {
        let accepted = message(&json!({"content": text.clone()}), "").is_ok();
        prop_assert_eq!(accepted, text.encode_utf16().count() <= 2000);
    }
}
