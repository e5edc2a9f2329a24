//! Calls of tools on every wire: how they are written, and how they are read wherever a network cuts them.

use std::sync::LazyLock;

use cortana::{
    clock,
    llm::{
        ChatRequest, Finish, Message, Role, Tool, ToolCall, ToolResult,
        wire::{Ask, Decoder, End, Piece, WireFault, encode},
    },
    provider::{Catalog, Provider, Wire},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn row(id: &str) -> Provider {
    static ROWS: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);
    ROWS.get(&id.parse().expect("id")).expect("row").clone()
}

fn arguments(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).expect("an object")
}

fn call(name: &str, arguments: Option<Map<String, Value>>) -> ToolCall {
    ToolCall { name: name.to_owned(), arguments, signature: None }
}

/// What is read of a body: its text, its calls, its end.
type Read = (String, Vec<ToolCall>, Result<End, WireFault>);

fn read<'a>(provider: &Provider, chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut decoder = Decoder::new(provider.wire, &provider.quirks);
    let mut pieces = Vec::new();
    let pushed = chunks.into_iter().try_for_each(|chunk| decoder.push(chunk, &mut pieces));
    let end = pushed.and_then(|()| decoder.finish(&mut pieces));
    let (mut text, mut calls) = (String::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            Piece::Call(call) => calls.push(call),
            Piece::Reasoning => {}
        }
    }
    (text, calls, end)
}

/// Provider, body, the text before the calls, the seal on the first, and whether the second is malformed.
fn bodies() -> Vec<(&'static str, &'static [u8], &'static str, Vec<ToolCall>)> {
    macro_rules! body {
        ($provider:literal, $name:literal, $text:literal, $calls:expr) => {
            ($provider, include_bytes!(concat!("fixtures/wires/", $name)).as_slice(), $text, $calls)
        };
    }
    let zone = || Some(arguments(json!({ "zone": "Ünder/Größe", "n": 1 })));
    let malformed = || vec![call("clock_now", zone()), call("notes_add", None)];
    let good = |signature: Option<&str>| {
        let signature = signature.map(str::to_owned);
        vec![ToolCall { signature, ..call("clock_now", zone()) }, call("notes_add", Some(Map::new()))]
    };
    vec![
        body!("openai", "openai_tools.sse", "Let me see.", malformed()),
        body!("openai", "openai_tools_whole.json", "", malformed()),
        body!("groq", "openai_tools_uncounted.sse", "Let me see.", malformed()),
        body!("gemini", "gemini_tools.sse", "Let me see.", good(Some("RkFLRQ=="))),
        body!("gemini_cli", "code_assist_tools.sse", "Let me see.", good(Some("RkFLRQ=="))),
        body!("antigravity", "code_assist_tools.sse", "Let me see.", good(Some("RkFLRQ=="))),
        body!("anthropic", "anthropic_tools.sse", "Let me see.", malformed()),
        body!("anthropic", "anthropic_tools_whole.json", "Let me see.", good(None)),
    ]
}

#[test]
fn calls_are_read_alike_wherever_a_body_is_cut() {
    for (provider, body, text, calls) in bodies() {
        let provider = row(provider);
        let whole = read(&provider, [body]);
        assert_eq!((whole.0.as_str(), &whole.1), (text, &calls), "{}", provider.id);
        let End { finish, usage } = whole.2.clone().expect("an end");
        assert_eq!((finish, usage.map(|usage| usage.input)), (Finish::Stop, Some(12)), "{}", provider.id);
        for at in 0..=body.len() {
            let (head, tail) = body.split_at(at);
            assert_eq!(read(&provider, [head, tail]), whole, "{} cut at {at}", provider.id);
        }
        assert_eq!(read(&provider, body.chunks(1)), whole, "{} byte by byte", provider.id);
    }
}

#[test]
fn p27_no_call_is_handed_on_of_a_body_that_ends_early() {
    for (provider, body, _, calls) in bodies() {
        let provider = row(provider);
        for at in 0..body.len() {
            let (head, _) = body.split_at(at);
            let (_, read, end) = read(&provider, [head]);
            let expected = if end.is_ok() { calls.as_slice() } else { &[] };
            assert_eq!(read, expected, "{} ends at {at}", provider.id);
        }
    }
}

fn clock() -> Tool {
    Tool {
        name: "clock_now".to_owned(),
        description: "Tells the time.".to_owned(),
        schema: json!({ "type": "object", "properties": { "zone": { "type": "string", "default": "UTC" } } }),
    }
}

/// A question, two calls at once of which one fails, and one more call.
fn conversation() -> ChatRequest {
    let said = |role, text: &str| Message::new(role, text);
    let result = |text: &str, failed| ToolResult { text: text.to_owned(), failed };
    let zone = |zone: &str| Some(arguments(json!({ "zone": zone })));
    let signed = ToolCall { signature: Some("RkFLRQ==".to_owned()), ..call("clock_now", zone("UTC")) };
    ChatRequest {
        id: "0badcafe".to_owned(),
        model: None,
        system: String::new(),
        messages: vec![
            said(Role::User, "What time is it?"),
            Message { calls: vec![signed, call("clock_now", None)], ..said(Role::Assistant, "Let me see.") },
            Message { results: vec![result("noon", false), result("broken", true)], ..said(Role::User, "") },
            Message { calls: vec![call("clock_now", zone("CET"))], ..said(Role::Assistant, "") },
            Message { results: vec![result("one", false)], ..said(Role::User, "") },
        ],
        tools: vec![clock()],
        conversation: "channel 1".to_owned(),
        received_at: clock::instant(),
    }
}

fn body(provider: &str, model: &str, request: &ChatRequest) -> Value {
    let row = row(provider);
    encode(row.wire, Ask { request, model, project: Some("fake-project-1"), quirks: &row.quirks }).body
}

#[tokio::test]
async fn calls_and_results_are_written_as_each_wire_documents_them() {
    let request = conversation();
    let schema = &clock().schema;
    // platform.openai.com/docs/guides/function-calling
    let openai = body("openai", "m", &request);
    let made = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "clock_now", "arguments": arguments } });
    assert_eq!(
        openai["messages"],
        json!([
            { "role": "user", "content": "What time is it?" },
            { "role": "assistant", "content": "Let me see.", "tool_calls": [made("call00001", r#"{"zone":"UTC"}"#), made("call00002", "{}")] },
            { "role": "tool", "tool_call_id": "call00001", "content": "noon" },
            { "role": "tool", "tool_call_id": "call00002", "content": "broken" },
            { "role": "assistant", "content": null, "tool_calls": [made("call00003", r#"{"zone":"CET"}"#)] },
            { "role": "tool", "tool_call_id": "call00003", "content": "one" },
        ])
    );
    let function = json!({ "name": "clock_now", "description": "Tells the time.", "parameters": schema });
    assert_eq!(openai["tools"], json!([{ "type": "function", "function": function }]));

    // docs.anthropic.com/en/docs/agents-and-tools/tool-use
    let anthropic = body("anthropic", "m", &request);
    let used =
        |id: &str, input: Value| json!({ "type": "tool_use", "id": id, "name": "clock_now", "input": input });
    let came = |id: &str, text: &str, failed: bool| json!({ "type": "tool_result", "tool_use_id": id, "content": text, "is_error": failed });
    assert_eq!(
        anthropic["messages"],
        json!([
            { "role": "user", "content": "What time is it?" },
            { "role": "assistant", "content": [
                { "type": "text", "text": "Let me see." }, used("call00001", json!({ "zone": "UTC" })), used("call00002", json!({})),
            ] },
            { "role": "user", "content": [came("call00001", "noon", false), came("call00002", "broken", true)] },
            { "role": "assistant", "content": [used("call00003", json!({ "zone": "CET" }))] },
            { "role": "user", "content": [came("call00003", "one", false)] },
        ])
    );
    let tool = json!({ "name": "clock_now", "description": "Tells the time.", "input_schema": schema });
    assert_eq!(anthropic["tools"], json!([tool]));

    // ai.google.dev/gemini-api/docs/function-calling
    let contents = json!([
        { "role": "user", "parts": [{ "text": "What time is it?" }] },
        { "role": "model", "parts": [
            { "text": "Let me see." },
            { "functionCall": { "name": "clock_now", "args": { "zone": "UTC" } }, "thoughtSignature": "RkFLRQ==" },
            { "functionCall": { "name": "clock_now", "args": {} } },
        ] },
        { "role": "user", "parts": [
            { "functionResponse": { "name": "clock_now", "response": { "output": "noon" } } },
            { "functionResponse": { "name": "clock_now", "response": { "error": "broken" } } },
        ] },
        { "role": "model", "parts": [{ "functionCall": { "name": "clock_now", "args": { "zone": "CET" } } }] },
        { "role": "user", "parts": [{ "functionResponse": { "name": "clock_now", "response": { "output": "one" } } }] },
    ]);
    let parameters = json!({ "type": "object", "properties": { "zone": { "type": "string" } } });
    let declared = json!([{ "functionDeclarations": [{ "name": "clock_now", "description": "Tells the time.", "parameters": parameters }] }]);
    let gemini = body("gemini", "m", &request);
    assert_eq!((&gemini["contents"], &gemini["tools"]), (&contents, &declared));
    let code_assist = body("gemini_cli", "m", &request);
    assert_eq!(
        (&code_assist["request"]["contents"], &code_assist["request"]["tools"]),
        (&contents, &declared)
    );
}

#[tokio::test]
async fn what_is_particular_to_one_model_is_written_for_it_alone() {
    let request = conversation();
    let parts = |provider, model| {
        let body = body(provider, model, &request);
        let contents = if body["request"].is_null() {
            body["contents"].clone()
        } else {
            body["request"]["contents"].clone()
        };
        (
            contents[1]["parts"][1].clone(),
            contents[3]["parts"][0].clone(),
            contents[4]["parts"][0].clone(),
            body,
        )
    };
    // A call that another model made has no seal, and Gemini 3 wants one.
    let (sealed, other, ..) = parts("gemini", "gemini-3-flash-preview");
    assert_eq!(sealed["thoughtSignature"], "RkFLRQ==");
    assert_eq!(other["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts("gemini", "gemini-2.5-pro").1.get("thoughtSignature"), None);
    // Antigravity tells Claude's calls apart by their ids, and Claude knows nothing of seals.
    let (first, call, result, body) = parts("antigravity", "claude-sonnet-4-6");
    assert_eq!(first.get("thoughtSignature"), None);
    assert_eq!(
        (&call["functionCall"]["id"], &result["functionResponse"]["id"]),
        (&json!("call00003"), &json!("call00003"))
    );
    assert_eq!(body["request"]["toolConfig"]["functionCallingConfig"]["mode"], "VALIDATED");
    assert_eq!(parts("antigravity", "gemini-3-flash").3["request"].get("toolConfig"), None);
}

/// A turn as a model gets it, whichever wire: role, text, calls with their arguments, results of calls by their place.
type Turn = (String, String, Vec<(String, Value)>, Vec<String>);

fn turns(wire: Wire, body: &Value) -> Vec<Turn> {
    let messages = match wire {
        Wire::OpenaiChat | Wire::AnthropicMessages => &body["messages"],
        Wire::CodeAssist => &body["request"]["contents"],
        Wire::Gemini => &body["contents"],
    };
    let mut turns: Vec<Turn> = Vec::new();
    for message in messages.as_array().expect("messages") {
        let role =
            message["role"].as_str().expect("a role").replace("assistant", "model").replace("tool", "user");
        let mut turn: Turn = (role, String::new(), Vec::new(), Vec::new());
        if message["role"] == "tool" {
            turn.3.push(message["content"].as_str().expect("text").to_owned());
        } else if let Some(text) = message["content"].as_str() {
            turn.1.push_str(text);
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let arguments = call["function"]["arguments"].as_str().expect("text");
            let name = call["function"]["name"].as_str().expect("a name").to_owned();
            turn.2.push((name, serde_json::from_str(arguments).expect("JSON")));
        }
        let parts = message["content"].as_array().or_else(|| message["parts"].as_array());
        for part in parts.into_iter().flatten() {
            let text = |pointer: &str| part.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            turn.1.extend(text("/text"));
            if let Some(name) = text("/functionCall/name") {
                turn.2.push((name, part["functionCall"]["args"].clone()));
            } else if part["type"] == "tool_use" {
                turn.2.push((text("/name").expect("a name"), part["input"].clone()));
            }
            let response = |key: &str| text(&format!("/functionResponse/response/{key}"));
            let anthropics = text("/content").filter(|_| part["type"] == "tool_result");
            turn.3.extend(response("output").or_else(|| response("error")).or(anthropics));
        }
        match turns.last_mut() {
            // OpenAI's results are messages of their own.
            Some(last) if last.0 == turn.0 => {
                last.1.push_str(&turn.1);
                last.3.extend(turn.3);
            }
            Some(_) | None => turns.push(turn),
        }
    }
    turns
}

/// The chunks of an answer with these calls, as OpenAI streams them.
fn streamed(calls: &[(String, String)], piece: usize) -> String {
    let chunk = |delta: Value, finish: Value| {
        format!(
            "data: {}\n\n",
            json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
        )
    };
    let mut body = String::new();
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let start = json!({ "index": index, "id": format!("call_{index}"), "function": { "name": name, "arguments": "" } });
        body.push_str(&chunk(json!({ "tool_calls": [start] }), Value::Null));
        let signs: Vec<char> = arguments.chars().collect();
        for some in signs.chunks(piece) {
            let more =
                json!({ "index": index, "function": { "arguments": some.iter().collect::<String>() } });
            body.push_str(&chunk(json!({ "tool_calls": [more] }), Value::Null));
        }
    }
    body + &chunk(json!({}), json!("tool_calls")) + "data: [DONE]\n\n"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_conversation_with_tools_is_the_same_on_every_wire(
        steps in prop::collection::vec((prop::collection::vec(("[a-z]{1,5}", "[a-z🦀 ]{0,8}", any::<bool>()), 1..4), "[a-z]{0,6}"), 0..5)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut request = runtime.block_on(async { conversation() });
        request.messages.truncate(1);
        for (calls, text) in steps {
            let results = calls.iter().map(|(_, text, failed)| ToolResult { text: text.clone(), failed: *failed }).collect();
            let calls = calls.iter().map(|(name, zone, _)| call(name, Some(arguments(json!({ "zone": zone }))))).collect();
            request.messages.push(Message { calls, ..Message::new(Role::Assistant, text) });
            request.messages.push(Message { results, ..Message::new(Role::User, "") });
        }
        let openai = turns(Wire::OpenaiChat, &body("openai", "m", &request));
        prop_assert_eq!(&openai, &turns(Wire::CodeAssist, &body("gemini_cli", "m", &request)));
        prop_assert_eq!(&openai, &turns(Wire::CodeAssist, &body("antigravity", "m", &request)));
        prop_assert_eq!(&openai, &turns(Wire::Gemini, &body("gemini", "m", &request)));
        prop_assert_eq!(&openai, &turns(Wire::AnthropicMessages, &body("anthropic", "m", &request)));
    }

    #[test]
    fn calls_come_whole_out_of_any_pieces(
        calls in prop::collection::vec(("[a-z_]{1,9}", prop::collection::btree_map("[a-zé]{1,3}", "[\"\\\\ {}🦀a-z]{0,9}", 0..4)), 0..5),
        piece in 1_usize..9,
        size in 1_usize..90,
    ) {
        let calls: Vec<(String, Value)> = calls.into_iter().map(|(name, arguments)| (name, json!(arguments))).collect();
        let written: Vec<_> = calls.iter().map(|(name, arguments)| (name.clone(), arguments.to_string())).collect();
        let body = streamed(&written, piece);
        let (_, read, end) = read(&row("openai"), body.as_bytes().chunks(size));
        prop_assert!(end.is_ok());
        let expected: Vec<ToolCall> = calls.into_iter().map(|(name, value)| call(&name, Some(arguments(value)))).collect();
        prop_assert_eq!(read, expected);
    }
}
