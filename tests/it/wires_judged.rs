//! What the wires write is taken by providers that judge it, and what those answer is read: for every built-in row.

use bytes::Bytes;
use cortana::{
    clock,
    llm::{
        ChatRequest, Finish, Image, ImageFormat, Message, Role,
        wire::{Ask, Decoder, Piece, encode},
    },
    provider::{Catalog, ChatAuth},
    sandbox::vendor::{Reply, Vendors},
};
use hmac::{Hmac, Mac};
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

#[tokio::test]
async fn every_providers_judge_takes_what_its_wire_writes() {
    let served = Served::start().await;
    let client = reqwest::Client::new();
    for row in Catalog::builtin().iter() {
        let id = row.id.as_str();
        // Not emulated: their own tests stand in oauth_clients and oauth_google_cloud.
        if ["azure", "vertex"].contains(&id) {
            continue;
        }
        let row = served.provider(id);
        let (bearer, project) = if Vendors::client(id).is_some() {
            let login = served.vendors.mint(id, "a@example.com");
            (login.api_key.unwrap_or(login.access), login.project)
        } else {
            (served.vendors.mint_key(id), None)
        };
        let mut conversations = conversations();
        if row.sees_images(&row.default_model) {
            let png = Bytes::from_static(b"\x89PNG\r\n\x1a\nFAKE");
            let image = Image { format: ImageFormat::Png, bytes: png, unseen: String::new() };
            let message = Message { images: vec![image], ..said(Role::User, "look") };
            conversations.push(request("Be kind.", vec![message]));
        }
        for conversation in conversations {
            let call = encode(
                row.wire,
                Ask {
                    request: &conversation,
                    model: &row.default_model,
                    project: project.as_deref(),
                    quirks: &row.quirks,
                },
            );
            served.vendors.script(id, vec![Reply::pieces(&["Grüß ", "Gott, ", "…"]).thinking(&["hm"])]);
            let base = row.api_bases.first().expect("a base");
            let url: Url = format!("{base}{}", call.suffix).parse().expect("a url");
            let mut sent = client.post(url).json(&call.body);
            for (name, value) in &row.headers {
                sent = sent.header(name, value);
            }
            sent = match row.chat_auth {
                ChatAuth::Bearer | ChatAuth::IflowSignature => sent.bearer_auth(&bearer),
                ChatAuth::GoogApiKey => sent.header("x-goog-api-key", &bearer),
                ChatAuth::XApiKey => sent.header("x-api-key", &bearer),
            };
            if id == "iflow" {
                sent = sent
                    .header("user-agent", "iFlow-Cli")
                    .header("session-id", "session-1")
                    .header("x-iflow-timestamp", "1790000000000")
                    .header("x-iflow-signature", signature(&bearer, "iFlow-Cli:session-1:1790000000000"));
            }
            let response = sent.send().await.expect("an answer");
            let status = response.status().as_u16();
            let body = response.bytes().await.expect("a body");
            assert_eq!(status, 200, "{id}: {} refused with {body:?}", call.body);

            let mut decoder = Decoder::new(row.wire, &row.quirks);
            let mut pieces = Vec::new();
            decoder.push(&body, &mut pieces).expect("an answer");
            let end = decoder.finish(&mut pieces).expect("its end");
            let text: String = pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Text(text) => Some(text.as_str()),
                    Piece::Reasoning => None,
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
