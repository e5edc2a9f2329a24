//! OpenAI's chat completions, and everything shaped after them
//! (platform.openai.com/docs/api-reference/chat; OpenRouter, DashScope, Qwen, iFlow, local servers).

use serde_json::{Map, Value, json};

use super::{
    Answer, Ask, Call, Finish, Image, Message, Raw, Usage, WireFault,
    calls::{CallPiece, Numbering},
    count, in_path, merged, parts, role_name,
};
use crate::llm::{Role, Tool, ToolCall};

/// What Qwen gets as its first message when there is no system prompt: it refuses chats without one.
const PLAIN_SYSTEM: &str = "You are a helpful assistant.";

pub(super) fn encode(ask: Ask<'_>) -> Call {
    let mut messages = Vec::new();
    let system = ask.request.system.trim();
    if ask.quirks.system_as_parts {
        let text = if system.is_empty() { PLAIN_SYSTEM } else { system };
        let part = json!({ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } });
        messages.push(json!({ "role": "system", "content": [part] }));
    } else if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system }));
    }
    let mut numbering = Numbering::default();
    for turn in merged(&ask.request.messages) {
        messages.extend(written(&turn, &mut numbering));
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), ask.model.into());
    body.insert("messages".to_owned(), messages.into());
    body.insert("stream".to_owned(), true.into());
    if ask.quirks.stream_usage {
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    // An empty list is refused by some.
    if !ask.request.tools.is_empty() {
        body.insert("tools".to_owned(), ask.request.tools.iter().map(tool).collect());
    }
    let suffix = match &ask.quirks.azure_api_version {
        Some(version) => {
            format!("/deployments/{}/chat/completions?api-version={version}", in_path(ask.model)).into()
        }
        None => "/chat/completions".into(),
    };
    Call { suffix, body: Value::Object(body) }
}

fn tool(tool: &Tool) -> Value {
    let Tool { name, description, schema } = tool;
    json!({ "type": "function", "function": { "name": name, "description": description, "parameters": schema } })
}

/// A turn as messages: each result of a call is one of its own, and stands before what a person says.
fn written(turn: &Message, numbering: &mut Numbering) -> Vec<Value> {
    let results = numbering.results(turn).into_iter();
    let mut messages: Vec<Value> = results
        .map(|(id, _, result)| json!({ "role": "tool", "tool_call_id": id, "content": result.text }))
        .collect();
    let says_nothing = turn.text.trim().is_empty() && turn.images.is_empty();
    if says_nothing && turn.calls.is_empty() {
        return messages;
    }
    let content = if says_nothing { Value::Null } else { content(turn) };
    let mut message = json!({ "role": role_name(turn.role, "assistant"), "content": content });
    if turn.role == Role::Assistant && !turn.calls.is_empty() {
        message["tool_calls"] = numbering.calls(turn).into_iter().map(called).collect();
    }
    messages.push(message);
    messages
}

/// Servers read the arguments again, so that what was no JSON is sent back as none.
fn called((id, call): (String, &ToolCall)) -> Value {
    let arguments = Value::Object(call.arguments.clone().unwrap_or_default()).to_string();
    json!({ "id": id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}

/// Text alone stays a plain string, which every server takes.
fn content(message: &Message) -> Value {
    if message.images.is_empty() {
        return message.text.as_str().into();
    }
    let image = |image: &Image| {
        let url = format!("data:{};base64,{}", image.format.media_type(), image.base64());
        json!({ "type": "image_url", "image_url": { "url": url } })
    };
    parts(message, image, |text| json!({ "type": "text", "text": text })).into()
}

pub(super) fn read(value: Value, answer: &mut Answer) -> Result<(), WireFault> {
    if is_error(&value) {
        return Err(WireFault::Upstream(value));
    }
    if let Some(usage) = value.get("usage").filter(|usage| usage.is_object()) {
        answer.seen = true;
        answer.usage = Some(Usage {
            input: count(usage, "/prompt_tokens"),
            output: count(usage, "/completion_tokens"),
            reasoning: count(usage, "/completion_tokens_details/reasoning_tokens"),
            cached: count(usage, "/prompt_tokens_details/cached_tokens"),
        });
    }
    let Some(choices) = value.get("choices").and_then(Value::as_array) else { return Ok(()) };
    answer.seen = true;
    let first = |choice: &&Value| count(choice, "/index") == 0;
    for choice in choices.iter().filter(first) {
        if choice.get("error").is_some_and(Value::is_object) {
            return Err(WireFault::Upstream(choice.clone()));
        }
        // `delta` in a stream, `message` in a whole answer.
        for message in ["delta", "message"].iter().filter_map(|key| choice.get(key)) {
            read_message(message, answer);
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str).filter(|it| !it.is_empty())
        {
            answer.finish = Some(finish(reason));
        }
    }
    Ok(())
}

/// An error in the place of an answer: OpenAI's `error`, iFlow's `status` and `msg`, DashScope's `code` and `message`.
fn is_error(value: &Value) -> bool {
    let text = |key: &str| value.get(key).is_some_and(Value::is_string);
    let has_error = value.get("error").is_some_and(|error| error.is_object() || error.is_string());
    has_error || (value.get("choices").is_none() && (text("msg") || (text("code") && text("message"))))
}

fn read_message(message: &Value, answer: &mut Answer) {
    let reasons = ["reasoning_content", "reasoning"]
        .iter()
        .any(|key| message.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()));
    if reasons {
        answer.found.push(Raw::Reasoning);
    }
    match message.get("content") {
        Some(Value::String(text)) => answer.found.push(Raw::Content(text.clone())),
        Some(Value::Array(parts)) => {
            for part in parts {
                // Mistral's reasoning is a part among the others.
                if part.get("type").and_then(Value::as_str) == Some("thinking") {
                    answer.found.push(Raw::Reasoning);
                } else if let Some(text) = part.get("text").and_then(Value::as_str) {
                    answer.found.push(Raw::Content(text.to_owned()));
                }
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {}
    }
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let text = |pointer: &str| call.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        // An object where everybody else sends its text.
        let object = call.pointer("/function/arguments").filter(|it| it.is_object()).map(Value::to_string);
        answer.call(&CallPiece {
            index: call.get("index").and_then(Value::as_u64),
            id: text("/id"),
            name: text("/function/name"),
            arguments: object.as_deref().unwrap_or(text("/function/arguments")),
            signature: None,
        });
    }
    // What the model says instead of an answer, in a field of its own.
    if let Some(refusal) = message.get("refusal").and_then(Value::as_str) {
        answer.found.push(Raw::Content(refusal.to_owned()));
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        // That it wants tools called shows by the calls.
        "stop" | "tool_calls" | "function_call" => Finish::Stop,
        // Mistral says which of the two lengths it was.
        "length" | "model_length" => Finish::Length,
        "content_filter" => Finish::Filtered(reason.to_owned()),
        _ => Finish::Other(super::super::classify::reason_code(reason).unwrap_or_else(|| "OTHER".to_owned())),
    }
}
