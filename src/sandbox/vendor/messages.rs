//! Anthropic's messages (docs.anthropic.com/en/api/messages, …/messages-streaming, …/errors).

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    fault::Act,
    pictures::{self, Rules},
    reply::{Reply, words},
    request::Seen,
    state::Provider,
    stream::{Answer, Script},
    tools,
};

/// Answers `POST {base}/messages`.
pub(super) fn messages(provider: &mut Provider, seen: &Seen, disturbance: Option<&Act>) -> Answer {
    if let Err(refusal) = authorised(provider, seen) {
        return refusal;
    }
    let messages = match judged(seen) {
        Ok(messages) => messages,
        Err(problem) => return error(400, "invalid_request_error", &problem),
    };
    let model = seen.json.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    let pictures = match pictures::judged(Rules::Anthropic, &model, &messages) {
        Ok(pictures) => pictures,
        Err(problem) => return error(400, "invalid_request_error", &problem),
    };
    let tooling = match tools::judged(Rules::Anthropic, &model, &seen.json, &messages) {
        Ok(tooling) => tooling,
        Err(problem) => return error(400, "invalid_request_error", &problem),
    };
    let is_users = |message: &&Value| message.get("role") == Some(&json!("user"));
    let question = messages.iter().rev().find(is_users).map(text_of).unwrap_or_default();
    let turn = messages.iter().filter(is_users).count();
    let reply = provider.next_reply(&model, &question, turn, (&pictures, &tooling));
    let message = Message {
        id: format!("msg_FAKE{}", Uuid::new_v4().simple()),
        model,
        input_tokens: messages.iter().map(|message| words(&text_of(message))).sum(),
        output_tokens: reply.completion_tokens(),
    };
    let streams = seen.json.get("stream") == Some(&Value::Bool(true));
    if streams && disturbance != Some(&Act::Unstreamed) {
        message.stream(&reply, provider.pace_of(&reply), disturbance)
    } else {
        Answer::json(200, &message.whole(&reply))
    }
}

/// Whether a live key came with the request.
pub(super) fn authorised(provider: &Provider, seen: &Seen) -> Result<(), Answer> {
    match seen.header("x-api-key") {
        None => Err(error(401, "authentication_error", "x-api-key header is required")),
        Some(key) if provider.keys.contains_key(key) => Ok(()),
        Some(_) => Err(error(401, "authentication_error", "invalid x-api-key")),
    }
}

/// An error in Anthropic's words.
fn error(status: u16, kind: &str, message: &str) -> Answer {
    Answer::json(
        status,
        &json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_FAKE"}),
    )
}

/// The messages, if the service would take the request.
fn judged(seen: &Seen) -> Result<Vec<Value>, String> {
    if seen.header("anthropic-version") != Some("2023-06-01") {
        return Err("anthropic-version: header is required".to_owned());
    }
    if seen.content_type() != "application/json" {
        return Err("the content type must be application/json".to_owned());
    }
    if seen.json.get("model").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("model: Field required".to_owned());
    }
    if seen.json.get("max_tokens").and_then(Value::as_u64).is_none_or(|most| most == 0) {
        return Err("max_tokens: Field required".to_owned());
    }
    if seen.json.get("system").is_some_and(|system| !is_text(system)) {
        return Err("system: text content blocks must be non-empty".to_owned());
    }
    let messages = seen.json.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
    if messages.first().and_then(|first| first.get("role")) != Some(&json!("user")) {
        return Err("messages: first message must use the \"user\" role".to_owned());
    }
    for (place, message) in messages.iter().enumerate() {
        if !matches!(message.get("role").and_then(Value::as_str), Some("user" | "assistant")) {
            return Err(format!("messages.{place}.role: Input should be 'user' or 'assistant'"));
        }
        if !message.get("content").is_some_and(is_text) {
            return Err("messages: text content blocks must be non-empty".to_owned());
        }
    }
    Ok(messages)
}

/// A text, or an array of blocks of which none is an empty text.
fn is_text(content: &Value) -> bool {
    let full = |text: &str| !text.trim().is_empty();
    match content {
        Value::String(text) => full(text),
        Value::Array(blocks) => {
            !blocks.is_empty()
                && blocks.iter().all(|block| block.get("text").and_then(Value::as_str).is_none_or(full))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts: Vec<&str> =
                blocks.iter().filter_map(|block| block.get("text").and_then(Value::as_str)).collect();
            texts.join("\n")
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => String::new(),
    }
}

/// What all events of one answer share.
struct Message {
    id: String,
    model: String,
    input_tokens: u64,
    output_tokens: u64,
}

impl Message {
    fn whole(&self, reply: &Reply) -> Value {
        let mut content = Vec::new();
        if !reply.reasoning.is_empty() {
            content
                .push(json!({"type": "thinking", "thinking": reply.reasoning.concat(), "signature": "FAKE"}));
        }
        content.push(json!({"type": "text", "text": reply.full_text()}));
        content.extend(reply.calls.iter().zip(1..).map(|(call, number)| {
            let input: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
            json!({"type": "tool_use", "id": format!("toolu_FAKE{number}"), "name": call.name, "input": input})
        }));
        json!({"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": stop_reason(reply.ending("tool_use")), "stop_sequence": null,
            "usage": {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}})
    }

    fn stream(&self, reply: &Reply, pace: std::time::Duration, disturbance: Option<&Act>) -> Answer {
        let start = json!({"type": "message_start", "message": {"id": self.id, "type": "message",
            "role": "assistant", "model": self.model, "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": self.input_tokens, "output_tokens": 1}}});
        let mut opening = vec![event(&start)];
        let mut index = 0;
        let begin = |index: u32, block: Value| {
            event(&json!({"type": "content_block_start", "index": index, "content_block": block}))
        };
        let delta = |index: u32, delta: Value| {
            event(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
        };
        let end = |index: u32| event(&json!({"type": "content_block_stop", "index": index}));
        if !reply.reasoning.is_empty() {
            opening.push(begin(index, json!({"type": "thinking", "thinking": "", "signature": ""})));
            let thoughts = reply.reasoning.iter();
            opening.extend(
                thoughts.map(|text| delta(index, json!({"type": "thinking_delta", "thinking": text}))),
            );
            opening.push(delta(index, json!({"type": "signature_delta", "signature": "FAKE"})));
            opening.push(end(index));
            index += 1;
        }
        opening.push(begin(index, json!({"type": "text", "text": ""})));
        opening.push(event(&json!({"type": "ping"})));
        let pieces = reply
            .pieces
            .iter()
            .map(|text| delta(index, json!({"type": "text_delta", "text": text})))
            .collect();
        let mut closing = vec![end(index)];
        for (call, number) in reply.calls.iter().zip(1..) {
            index += 1;
            let id = format!("toolu_FAKE{number}");
            closing.push(begin(index, json!({"type": "tool_use", "id": id, "name": call.name, "input": {}})));
            let (head, tail) =
                call.arguments.split_at(call.arguments.floor_char_boundary(call.arguments.len() / 2));
            let more = |part: &str| delta(index, json!({"type": "input_json_delta", "partial_json": part}));
            closing.extend([more(head), more(tail), end(index)]);
        }
        closing.push(event(&json!({"type": "message_delta",
            "delta": {"stop_reason": stop_reason(reply.ending("tool_use")), "stop_sequence": null},
            "usage": {"output_tokens": self.output_tokens}})));
        closing.push(event(&json!({"type": "message_stop"})));
        Script { opening, pieces, closing, pace }.play(disturbance, event)
    }
}

fn stop_reason(finish: &str) -> &str {
    match finish {
        "stop" => "end_turn",
        "length" => "max_tokens",
        other => other,
    }
}

/// An event is named after the type of what it carries.
fn event(body: &Value) -> String {
    let name = body.get("type").and_then(Value::as_str).unwrap_or("error");
    format!("event: {name}\ndata: {body}\n\n")
}
