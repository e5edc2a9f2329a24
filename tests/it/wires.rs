//! The wires, over bodies as providers send them, cut wherever a network may cut them.

use std::sync::LazyLock;

use bytes::Bytes;
use cortana::{
    clock,
    llm::{
        ChatRequest, Finish, Image, ImageFormat, Message, Role, Usage,
        wire::{Ask, Decoder, End, Piece, WireFault, encode},
    },
    provider::{Catalog, Provider, Wire},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn row(id: &str) -> Provider {
    static ROWS: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);
    ROWS.get(&id.parse().expect("id")).expect("row").clone()
}

/// What a person gets of a body.
#[derive(Debug, PartialEq)]
struct Read {
    text: String,
    reasoned: bool,
    end: Result<End, WireFault>,
}

fn read<'a>(provider: &Provider, chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut decoder = Decoder::new(provider.wire, &provider.quirks);
    let mut pieces = Vec::new();
    let mut failed = None;
    for chunk in chunks {
        if let Err(fault) = decoder.push(chunk, &mut pieces) {
            failed = Some(fault);
            break;
        }
    }
    let end = match failed {
        Some(fault) => Err(fault),
        None => decoder.finish(&mut pieces),
    };
    let reasoned = pieces.contains(&Piece::Reasoning);
    let texts = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        Piece::Reasoning | Piece::Call(_) => None,
    });
    Read { text: texts.inspect(|text| assert_ne!(text, "")).collect(), reasoned, end }
}

const TOKENS: Usage = Usage { input: 12, output: 9, reasoning: 3, cached: 4 };
/// Anthropic tells no tokens of reasoning apart.
const CLAUDES: Usage = Usage { reasoning: 0, ..TOKENS };
/// Without what only some tell.
const PLAIN: Usage = Usage { cached: 0, ..CLAUDES };
const GREETING: &str = "Grüße, 🦀!";

fn ended(text: &str, reasoned: bool, finish: Finish, usage: Option<Usage>) -> Read {
    Read { text: text.to_owned(), reasoned, end: Ok(End { finish, usage }) }
}

fn failed(text: &str, reasoned: bool, fault: WireFault) -> Read {
    Read { text: text.to_owned(), reasoned, end: Err(fault) }
}

/// Provider, body, and what it says.
fn bodies() -> Vec<(&'static str, &'static str, &'static [u8], Read)> {
    macro_rules! body {
        ($provider:literal, $name:literal, $read:expr) => {
            ($provider, $name, include_bytes!(concat!("fixtures/wires/", $name)).as_slice(), $read)
        };
    }
    let upstream = |body: Value| WireFault::Upstream(body);
    let disconnected = json!({ "error": { "code": 502, "message": "Provider disconnected" } });
    let blocked = json!({ "status": "434", "body": null,
        "msg": "Access to the current AK has been blocked due to unauthorized requests" });
    let exhausted = json!({ "error": { "code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED" } });
    let unavailable =
        json!({ "error": { "code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE" } });
    let overloaded =
        json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let prompt_only = Usage { input: 12, ..Usage::default() };
    let filtered = |code: &str| Finish::Filtered(code.to_owned());
    vec![
        body!("openai", "openai_chat.sse", ended(GREETING, false, Finish::Stop, Some(TOKENS))),
        body!("qwen_code", "qwen_reasoning.sse", ended(GREETING, true, Finish::Stop, Some(TOKENS))),
        body!("dashscope", "think_tags.sse", ended(GREETING, true, Finish::Length, Some(TOKENS))),
        body!("openai", "openai_broken.sse", failed("Grüße", false, WireFault::Unfinished)),
        body!("openrouter", "openai_error.sse", failed("", true, upstream(disconnected))),
        body!("openai", "openai_crowded.sse", ended(GREETING, false, Finish::Stop, None)),
        body!("openai", "openai_whole.json", ended(GREETING, false, Finish::Stop, Some(TOKENS))),
        body!("iflow", "iflow_blocked.json", failed("", false, upstream(blocked))),
        body!("openai", "openai_nothing.sse", ended("", false, Finish::Stop, None)),
        body!("openai", "html.html", failed("", false, WireFault::Malformed)),
        body!("gemini_cli", "code_assist.sse", ended(GREETING, true, Finish::Stop, Some(TOKENS))),
        body!("gemini_cli", "code_assist_lines.sse", ended(GREETING, true, Finish::Stop, Some(TOKENS))),
        body!("gemini_cli", "code_assist_unfinished.sse", failed("Grüße", true, WireFault::Unfinished)),
        body!("gemini_cli", "code_assist_whole.json", ended(GREETING, true, Finish::Stop, Some(TOKENS))),
        body!(
            "gemini_cli",
            "code_assist_blocked.sse",
            ended("", false, filtered("PROHIBITED_CONTENT"), Some(prompt_only))
        ),
        body!("gemini_cli", "code_assist_cut.sse", ended(GREETING, false, filtered("SAFETY"), Some(TOKENS))),
        body!("gemini_cli", "code_assist_error.sse", failed("", true, upstream(exhausted))),
        body!("antigravity", "antigravity_version.sse", failed("", true, WireFault::VersionRefused)),
        body!("antigravity", "code_assist.sse", ended(GREETING, true, Finish::Stop, Some(TOKENS))),
        body!("gemini", "gemini.sse", ended(GREETING, true, Finish::Stop, Some(TOKENS))),
        body!("gemini", "gemini_whole.json", ended(GREETING, true, Finish::Stop, Some(TOKENS))),
        body!("gemini", "gemini_array.json", ended(GREETING, true, Finish::Stop, Some(TOKENS))),
        body!("gemini", "gemini_blocked.sse", ended("", false, filtered("SAFETY"), Some(prompt_only))),
        body!("gemini", "gemini_cut.sse", ended(GREETING, false, filtered("RECITATION"), Some(TOKENS))),
        body!("gemini", "gemini_unfinished.sse", failed("Grüße", true, WireFault::Unfinished)),
        body!("gemini", "gemini_error.sse", failed("", true, upstream(unavailable))),
        body!("gemini", "html.html", failed("", false, WireFault::Malformed)),
        body!("anthropic", "anthropic.sse", ended(GREETING, true, Finish::Stop, Some(CLAUDES))),
        body!("anthropic", "anthropic_length.sse", ended(GREETING, false, Finish::Length, Some(CLAUDES))),
        body!("anthropic", "anthropic_whole.json", ended(GREETING, true, Finish::Stop, Some(CLAUDES))),
        body!("anthropic", "anthropic_unknown.sse", ended(GREETING, false, Finish::Stop, Some(CLAUDES))),
        body!(
            "anthropic",
            "anthropic_refusal.sse",
            ended("", false, filtered("refusal"), Some(Usage { output: 1, ..CLAUDES }))
        ),
        body!("anthropic", "anthropic_unfinished.sse", failed("Grüße", false, WireFault::Unfinished)),
        body!("anthropic", "anthropic_error.sse", failed("", true, upstream(overloaded))),
        body!("anthropic", "html.html", failed("", false, WireFault::Malformed)),
        body!("mistral", "mistral.sse", ended(GREETING, true, Finish::Length, Some(PLAIN))),
        body!("bedrock", "bedrock.sse", ended(GREETING, true, Finish::Stop, Some(PLAIN))),
    ]
}

#[test]
fn every_body_is_understood_whole() {
    for (provider, name, body, expected) in bodies() {
        assert_eq!(read(&row(provider), [body]), expected, "{provider}: {name}");
    }
}

#[test]
fn a_cut_at_every_byte_changes_nothing() {
    for (provider, name, body, expected) in bodies() {
        let provider = row(provider);
        for at in 0..=body.len() {
            let (head, tail) = body.split_at(at);
            assert_eq!(read(&provider, [head, tail]), expected, "{name} cut at {at}");
        }
        assert_eq!(read(&provider, body.chunks(1)), expected, "{name} byte by byte");
    }
}

#[test]
fn a_body_that_ends_early_is_never_taken_for_a_whole_one() {
    for (provider, name, body, expected) in bodies() {
        let Ok(End { usage: Some(_), .. }) = expected.end else { continue };
        let provider = row(provider);
        for at in 0..body.len() {
            let (head, _) = body.split_at(at);
            let cut = read(&provider, [head]);
            assert!(expected.text.starts_with(&cut.text), "{name} cut at {at}: {cut:?}");
            if cut.end.is_ok() {
                assert_eq!(cut.text, expected.text, "{name} cut at {at} ends well without its text");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer_or_a_fault_and_no_panic(
        start in prop_oneof![Just("data: "), Just("{"), Just("["), Just("")],
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        size in 1_usize..50,
    ) {
        let body = [start.as_bytes(), &bytes].concat();
        for provider in ["openai", "gemini_cli", "antigravity", "gemini", "anthropic"] {
            let provider = row(provider);
            prop_assert_eq!(read(&provider, body.chunks(size)), read(&provider, [body.as_slice()]));
        }
    }
}

fn conversation() -> ChatRequest {
    let says = |role, text: &str| Message::new(role, text);
    ChatRequest {
        id: "0badcafe".to_owned(),
        model: None,
        system: "Be brief.".to_owned(),
        messages: vec![
            says(Role::User, "Hello"),
            says(Role::User, "there"),
            says(Role::Assistant, "Hi!"),
            says(Role::Assistant, "  "),
            says(Role::User, "What is 🦀?"),
        ],
        tools: Vec::new(),
        conversation: "channel 1".to_owned(),
        received_at: clock::instant(),
    }
}

fn body(provider: &str, request: &ChatRequest) -> Value {
    let row = row(provider);
    let ask = Ask { request, model: "m", project: Some("fake-project-1"), quirks: &row.quirks };
    encode(row.wire, ask).body
}

#[tokio::test]
async fn openai_chat_is_written_as_documented() {
    assert_eq!(
        body("openai", &conversation()),
        json!({
            "model": "m",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": "Hello\n\nthere" },
                { "role": "assistant", "content": "Hi!" },
                { "role": "user", "content": "What is 🦀?" },
            ],
            "stream": true,
            "stream_options": { "include_usage": true },
        })
    );
}

#[tokio::test]
async fn qwen_gets_its_one_system_message_first_and_in_parts() {
    let mut request = conversation();
    let expected = |text: &str| {
        json!({ "role": "system", "content": [
        { "type": "text", "text": text, "cache_control": { "type": "ephemeral" } }] })
    };
    assert_eq!(body("qwen_code", &request)["messages"][0], expected("Be brief."));
    request.system.clear();
    let messages = body("qwen_code", &request)["messages"].clone();
    assert_eq!(messages[0], expected("You are a helpful assistant."));
    let systems = messages.as_array().expect("messages").iter().filter(|message| message["role"] == "system");
    assert_eq!(systems.count(), 1);
}

#[tokio::test]
async fn gemini_clis_envelope_is_written_as_its_own_program_writes_it() {
    let request = conversation();
    let mut written = body("gemini_cli", &request);
    let session = written["request"]["session_id"].take();
    assert!(session.as_str().and_then(|text| text.parse::<u64>().ok()).is_some_and(|id| id > 0), "{session}");
    assert_eq!(
        written,
        json!({
            "model": "m",
            "project": "fake-project-1",
            "user_prompt_id": "0badcafe",
            "request": {
                "contents": [
                    { "role": "user", "parts": [{ "text": "Hello\n\nthere" }] },
                    { "role": "model", "parts": [{ "text": "Hi!" }] },
                    { "role": "user", "parts": [{ "text": "What is 🦀?" }] },
                ],
                "systemInstruction": { "role": "user", "parts": [{ "text": "Be brief." }] },
                "session_id": null,
            },
        })
    );
}

#[tokio::test]
async fn antigravitys_envelope_names_a_stable_session_and_none_of_what_it_refuses() {
    let mut request = conversation();
    let first = body("antigravity", &request);
    let second = body("antigravity", &request);
    assert_eq!(first["request"]["sessionId"], second["request"]["sessionId"], "stable for a conversation");
    assert_ne!(first["requestId"], second["requestId"], "new for each request");
    request.conversation = "channel 2".to_owned();
    assert_ne!(first["request"]["sessionId"], body("antigravity", &request)["request"]["sessionId"]);
    let session = first["request"]["sessionId"].as_str().expect("a text");
    assert!(
        session.strip_prefix('-').and_then(|id| id.parse::<i64>().ok()).is_some_and(|id| id > 0),
        "{session}"
    );
    let keys: Vec<_> = first.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["model", "project", "userAgent", "requestType", "requestId", "request"]);
    let text = first.to_string();
    for refused in ["safetySettings", "maxOutputTokens", "system_instruction", "messages", "channel 1"] {
        assert!(!text.contains(refused), "{refused} in {text}");
    }
}

#[tokio::test]
async fn gemini_and_anthropic_are_written_as_documented() {
    let request = conversation();
    assert_eq!(
        body("gemini", &request),
        json!({
            "contents": [
                { "role": "user", "parts": [{ "text": "Hello\n\nthere" }] },
                { "role": "model", "parts": [{ "text": "Hi!" }] },
                { "role": "user", "parts": [{ "text": "What is 🦀?" }] },
            ],
            "systemInstruction": { "role": "user", "parts": [{ "text": "Be brief." }] },
        })
    );
    assert_eq!(
        body("anthropic", &request),
        json!({
            "model": "m",
            "max_tokens": 16_000,
            "messages": [
                { "role": "user", "content": "Hello\n\nthere" },
                { "role": "assistant", "content": "Hi!" },
                { "role": "user", "content": "What is 🦀?" },
            ],
            "stream": true,
            "system": "Be brief.",
        })
    );
}

#[tokio::test]
async fn geminis_model_stands_in_the_path_whatever_it_is_called() {
    let request = conversation();
    let row = row("gemini");
    let call = |model| encode(row.wire, Ask { request: &request, model, project: None, quirks: &row.quirks });
    let flash = call("gemini-2.5-flash");
    assert_eq!(flash.suffix, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    assert_eq!(flash.body["generationConfig"]["thinkingConfig"]["includeThoughts"], true);
    let odd = call("../x?key=1#é");
    assert_eq!(odd.suffix, "/models/..%2Fx%3Fkey%3D1%23%C3%A9:streamGenerateContent?alt=sse");
    assert_eq!(odd.body.get("generationConfig"), None);
}

#[tokio::test]
async fn the_first_message_is_the_users_where_the_wire_wants_that() {
    let mut request = conversation();
    request.messages.drain(..2);
    for provider in ["gemini_cli", "antigravity", "gemini", "anthropic"] {
        let row = row(provider);
        let turns = said(row.wire, &body(provider, &request));
        let roles: Vec<&str> = turns.iter().map(|turn| turn.role.as_str()).collect();
        assert_eq!(roles, ["user", "model", "user"], "{provider}");
        assert_eq!(turns[1].text, "Hi!", "{provider}");
    }
}

/// A picture by its first bytes.
fn picture(bytes: &[u8]) -> Image {
    let format = ImageFormat::of(bytes).expect("a picture");
    Image { format, bytes: Bytes::copy_from_slice(bytes), unseen: String::new() }
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nFAKE";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0FAKE";

#[tokio::test]
async fn pictures_are_written_as_each_wire_documents_them() {
    let mut request = conversation();
    request.system.clear();
    request.messages.drain(..4);
    request.messages[0].images = vec![picture(PNG), picture(JPEG)];
    let (png, jpeg) = ("iVBORw0KGgpGQUtF", "/9j/4EZBS0U=");
    // platform.openai.com/docs/guides/images-vision
    assert_eq!(
        body("openai", &request)["messages"],
        json!([{ "role": "user", "content": [
            { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{png}") } },
            { "type": "image_url", "image_url": { "url": format!("data:image/jpeg;base64,{jpeg}") } },
            { "type": "text", "text": "What is 🦀?" },
        ] }])
    );
    // ai.google.dev/gemini-api/docs/image-understanding
    let contents = json!([{ "role": "user", "parts": [
        { "inlineData": { "mimeType": "image/png", "data": png } },
        { "inlineData": { "mimeType": "image/jpeg", "data": jpeg } },
        { "text": "What is 🦀?" },
    ] }]);
    assert_eq!(body("gemini", &request)["contents"], contents);
    assert_eq!(body("gemini_cli", &request)["request"]["contents"], contents);
    assert_eq!(body("antigravity", &request)["request"]["contents"], contents);
    // docs.anthropic.com/en/docs/build-with-claude/vision
    assert_eq!(
        body("anthropic", &request)["messages"],
        json!([{ "role": "user", "content": [
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": png } },
            { "type": "image", "source": { "type": "base64", "media_type": "image/jpeg", "data": jpeg } },
            { "type": "text", "text": "What is 🦀?" },
        ] }])
    );
}

#[tokio::test]
async fn a_picture_without_a_word_is_a_message() {
    let mut request = conversation();
    request.messages = vec![Message { images: vec![picture(PNG)], ..Message::new(Role::User, " ") }];
    for provider in ["openai", "gemini_cli", "antigravity", "gemini", "anthropic"] {
        let turns = said(row(provider).wire, &body(provider, &request));
        assert_eq!(turns.len(), 1, "{provider}");
        assert_eq!((&*turns[0].text, turns[0].pictures.len()), ("", 1), "{provider}");
    }
}

/// A message as a model gets it, whichever wire.
#[derive(Debug, PartialEq)]
struct Turn {
    role: String,
    text: String,
    /// Media type and base64.
    pictures: Vec<(String, String)>,
}

fn said(wire: Wire, body: &Value) -> Vec<Turn> {
    let (messages, content) = match wire {
        Wire::OpenaiChat | Wire::AnthropicMessages => (&body["messages"], "content"),
        Wire::CodeAssist => (&body["request"]["contents"], "parts"),
        Wire::Gemini => (&body["contents"], "parts"),
    };
    let messages = messages.as_array().expect("messages").iter();
    let turns = messages.filter(|message| message["role"] != "system").map(|message| {
        let role = message["role"].as_str().expect("a role").replace("assistant", "model");
        let mut turn = Turn { role, text: String::new(), pictures: Vec::new() };
        if let Some(text) = message[content].as_str() {
            text.clone_into(&mut turn.text);
            return turn;
        }
        for part in message[content].as_array().expect("parts") {
            match (part.get("text"), shown(part)) {
                (Some(text), None) => turn.text.push_str(text.as_str().expect("a text")),
                (None, Some(picture)) => turn.pictures.push(picture),
                _ => panic!("a part of no kind: {part}"),
            }
        }
        turn
    });
    turns.collect()
}

/// The picture in a part of any wire.
fn shown(part: &Value) -> Option<(String, String)> {
    let text = |pointer| part.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if let Some(url) = text("/image_url/url") {
        let (kind, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
        return Some((kind.to_owned(), data.to_owned()));
    }
    let pair = |kind, data| text(kind).zip(text(data));
    pair("/inlineData/mimeType", "/inlineData/data").or_else(|| pair("/source/media_type", "/source/data"))
}

proptest! {
    #[test]
    fn one_conversation_is_the_same_on_every_wire(
        turns in proptest::collection::vec((any::<bool>(), "[ a-z🦀\n]{0,12}", 0..3_usize), 0..12)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut request = runtime.block_on(async { conversation() });
        let role = |is_user| if is_user { Role::User } else { Role::Assistant };
        let first = Message::new(Role::User, "first");
        let rest = turns.into_iter().map(|(is_user, text, pictures)| {
            let kinds = [picture(PNG), picture(JPEG)];
            // Only people send any.
            let images = kinds.into_iter().take(if is_user { pictures } else { 0 }).collect();
            Message { images, ..Message::new(role(is_user), text) }
        });
        request.messages = std::iter::once(first).chain(rest).collect();
        let openai = said(Wire::OpenaiChat, &body("openai", &request));
        prop_assert_eq!(&openai, &said(Wire::CodeAssist, &body("gemini_cli", &request)));
        prop_assert_eq!(&openai, &said(Wire::CodeAssist, &body("antigravity", &request)));
        prop_assert_eq!(&openai, &said(Wire::Gemini, &body("gemini", &request)));
        prop_assert_eq!(&openai, &said(Wire::AnthropicMessages, &body("anthropic", &request)));
        prop_assert!(openai.windows(2).all(|pair| pair[0].role != pair[1].role), "roles alternate");
    }
}
