//! What the wires write is taken by providers that judge it, and what those answer is read: for every built-in row.

use bytes::Bytes;
use cortana::{
    clock,
    llm::{
        ChatRequest, Finish, Image, ImageFormat, Message, Role, Tool, ToolCall, ToolResult,
        wire::{Ask, Decoder, End, Piece, encode},
    },
    provider::{Catalog, ChatAuth, Provider},
    sandbox::vendor::{Reply, Vendors},
};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::support::vendors::Served;

fn said(role: Role, text: &str) -> Message {
    Message::new(role, text)
}

fn request(system: &str, messages: Vec<Message>) -> ChatRequest {
    ChatRequest {
        id: "0badcafe".to_owned(),
        model: None,
        system: system.to_owned(),
        messages,
        tools: Vec::new(),
        conversation: "channel-1".to_owned(),
        received_at: clock::instant(),
    }
}

/// Conversations as Discord makes them.
fn conversations() -> Vec<ChatRequest> {
    vec![
        request("Be kind.", vec![said(Role::User, "hello")]),
        request("", vec![said(Role::User, "hello")]),
        // The bot spoke first, and people speak in a row.
        request(
            "Be kind.",
            vec![
                said(Role::Assistant, "Good morning!"),
                said(Role::User, "one"),
                said(Role::User, "two"),
                said(Role::Assistant, "three"),
                said(Role::User, "four"),
            ],
        ),
    ]
}

/// iFlow's signature, computed here and not by the bot.
fn signature(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(message.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Sends a conversation as the bot would, and reads the answer.
async fn ask(account: &Account, row: &Provider, conversation: &ChatRequest) -> (Vec<Piece>, End) {
    let id = row.id.as_str();
    let Account { bearer, project } = account;
    let call = encode(
        row.wire,
        Ask {
            request: conversation,
            model: &row.default_model,
            project: project.as_deref(),
            quirks: &row.quirks,
        },
    );
    let base = row.api_bases.first().expect("a base");
    let url: Url = format!("{base}{}", call.suffix).parse().expect("a url");
    let mut sent = reqwest::Client::new().post(url).json(&call.body);
    for (name, value) in &row.headers {
        sent = sent.header(name, value);
    }
    sent = match row.chat_auth {
        ChatAuth::Bearer | ChatAuth::IflowSignature => sent.bearer_auth(bearer),
        ChatAuth::GoogApiKey => sent.header("x-goog-api-key", bearer),
        ChatAuth::XApiKey => sent.header("x-api-key", bearer),
    };
    if id == "iflow" {
        sent = sent
            .header("user-agent", "iFlow-Cli")
            .header("session-id", "session-1")
            .header("x-iflow-timestamp", "1790000000000")
            .header("x-iflow-signature", signature(bearer, "iFlow-Cli:session-1:1790000000000"));
    }
    let response = sent.send().await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.bytes().await.expect("a body");
    assert_eq!(status, 200, "{id}: {} refused with {body:?}", call.body);

    let mut decoder = Decoder::new(row.wire, &row.quirks);
    let mut pieces = Vec::new();
    decoder.push(&body, &mut pieces).expect("an answer");
    let end = decoder.finish(&mut pieces).expect("its end");
    (pieces, end)
}

/// Somebody's account at an emulated provider.
struct Account {
    bearer: String,
    project: Option<String>,
}

fn account(served: &Served, id: &str) -> Account {
    if Vendors::client(id).is_some() {
        let login = served.vendors.mint(id, "a@example.com");
        Account { bearer: login.api_key.unwrap_or(login.access), project: login.project }
    } else {
        Account { bearer: served.vendors.mint_key(id), project: None }
    }
}

/// Not emulated: their own tests stand in `oauth_clients` and `oauth_google_cloud`.
const ELSEWHERE: [&str; 2] = ["azure", "vertex"];

#[tokio::test]
async fn every_providers_judge_takes_what_its_wire_writes() {
    let served = Served::start().await;
    for row in Catalog::builtin().iter() {
        let id = row.id.as_str();
        if ELSEWHERE.contains(&id) {
            continue;
        }
        let row = served.provider(id);
        let account = account(&served, id);
        let mut conversations = conversations();
        if row.sees_images(&row.default_model) {
            let png = Bytes::from_static(b"\x89PNG\r\n\x1a\nFAKE");
            let image = Image { format: ImageFormat::Png, bytes: png, unseen: String::new() };
            let message = Message { images: vec![image], ..said(Role::User, "look") };
            conversations.push(request("Be kind.", vec![message]));
        }
        for conversation in conversations {
            served.vendors.script(id, vec![Reply::pieces(&["Grüß ", "Gott, ", "…"]).thinking(&["hm"])]);
            let (pieces, end) = ask(&account, &row, &conversation).await;
            let text: String = pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Text(text) => Some(text.as_str()),
                    Piece::Reasoning | Piece::Call(_) => None,
                })
                .collect();
            assert_eq!((text.as_str(), &end.finish), ("Grüß Gott, …", &Finish::Stop), "{id}");
            assert!(pieces.contains(&Piece::Reasoning), "{id}");
            assert!(
                end.usage.is_some_and(|usage| usage.input > 0 && usage.output == 3),
                "{id}: {:?}",
                end.usage
            );
        }
    }
}

/// A tool whose schema has everything that some vendor refuses, unless its wire leaves it out.
fn clock() -> Tool {
    Tool {
        name: "clock_now".to_owned(),
        description: "Tells the time.".to_owned(),
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "zone": { "type": ["string", "null"], "default": "UTC", "examples": ["UTC"] },
                "style": { "const": "long" },
                "at": { "$ref": "#/$defs/Instant" },
                "parts": { "type": "array" },
            },
            "required": ["zone"],
            "$defs": { "Instant": { "oneOf": [{ "type": "string" }, { "type": "integer" }] } },
        }),
    }
}

#[tokio::test]
async fn every_providers_judge_takes_tools_and_its_calls_are_read() {
    let served = Served::start().await;
    for row in Catalog::builtin().iter() {
        let id = row.id.as_str();
        if ELSEWHERE.contains(&id) {
            continue;
        }
        let row = served.provider(id);
        let account = account(&served, id);
        let question = r#"use tool now with {"zone": "Ünder/Größe"} and use tool clock_now with {}"#;
        let asked =
            ChatRequest { tools: vec![clock()], ..request("Be kind.", vec![said(Role::User, question)]) };
        let (pieces, end) = ask(&account, &row, &asked).await;
        let calls: Vec<ToolCall> = pieces
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Call(call) => Some(call),
                Piece::Text(_) | Piece::Reasoning => None,
            })
            .collect();
        let shown: Vec<_> = calls
            .iter()
            .map(|call| (call.name.as_str(), call.arguments.clone().map(Value::Object)))
            .collect();
        let expected =
            [("clock_now", Some(json!({ "zone": "Ünder/Größe" }))), ("clock_now", Some(json!({})))];
        assert_eq!((shown.as_slice(), &end.finish), (&expected[..], &Finish::Stop), "{id}");

        let mut followed = asked;
        followed.messages.push(Message { calls, ..said(Role::Assistant, "Let me see.") });
        let result = |text: &str, failed| ToolResult { text: text.to_owned(), failed };
        let results = vec![result("It is noon.", false), result("No such zone.", true)];
        followed.messages.push(Message { results, ..said(Role::User, "") });
        let (pieces, _) = ask(&account, &row, &followed).await;
        let text: String = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Call(_) | Piece::Reasoning => None,
            })
            .collect();
        assert_eq!(text, "The tool answered:\nIt is noon.\nNo such zone.", "{id}");
    }
}
