//! Anthropic's messages (docs.anthropic.com/en/api/messages, …/messages-streaming).

use serde_json::{Value, json};

use super::{
    Answer, Ask, Call, Finish, Image, Message, Raw, Usage, WireFault,
    calls::{CallPiece, Numbering},
    count, parts, role_name, users_first,
};
use crate::llm::{Tool, ToolCall, ToolResult};

/// Tokens that an answer may have where the row names no other number. What the model thinks counts as well.
const MAX_TOKENS: u32 = 16_000;

pub(super) fn encode(ask: Ask<'_>) -> Call {
    let mut numbering = Numbering::default();
    let messages: Vec<Value> = users_first(&ask.request.messages)
        .into_iter()
        .map(|turn| {
            let content = content(&turn, &mut numbering);
            json!({ "role": role_name(turn.role, "assistant"), "content": content })
        })
        .collect();
    let mut body = json!({
        "model": ask.model,
        "max_tokens": ask.quirks.max_tokens.unwrap_or(MAX_TOKENS),
        "messages": messages,
        "stream": true,
    });
    let system = ask.request.system.trim();
    if let Value::Object(body) = &mut body {
        if !system.is_empty() {
            body.insert("system".to_owned(), system.into());
        }
        if !ask.request.tools.is_empty() {
            body.insert("tools".to_owned(), ask.request.tools.iter().map(tool).collect());
        }
    }
    Call { suffix: "/messages".into(), body }
}

fn tool(tool: &Tool) -> Value {
    let Tool { name, description, schema } = tool;
    json!({ "name": name, "description": description, "input_schema": schema })
}

/// Text alone stays a plain string, which gateways in between take as well. Results stand first and calls last.
fn content(message: &Message, numbering: &mut Numbering) -> Value {
    if message.images.is_empty() && message.calls.is_empty() && message.results.is_empty() {
        return message.text.as_str().into();
    }
    let result = |(id, _, result): (String, String, &ToolResult)| json!({ "type": "tool_result", "tool_use_id": id, "content": result.text, "is_error": result.failed });
    let mut blocks: Vec<Value> = numbering.results(message).into_iter().map(result).collect();
    let image = |image: &Image| {
        let source =
            json!({ "type": "base64", "media_type": image.format.media_type(), "data": image.base64() });
        json!({ "type": "image", "source": source })
    };
    blocks.extend(parts(message, image, |text| json!({ "type": "text", "text": text })));
    let call = |(id, call): (String, &ToolCall)| {
        let input = call.arguments.clone().unwrap_or_default();
        json!({ "type": "tool_use", "id": id, "name": call.name, "input": input })
    };
    blocks.extend(numbering.calls(message).into_iter().map(call));
    blocks.into()
}

/// An event of a stream, or a whole message. What is of no known type is skipped, as the documentation asks.
pub(super) fn read(value: Value, answer: &mut Answer) -> Result<(), WireFault> {
    let field = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match field("/type") {
        "error" => return Err(WireFault::Upstream(value)),
        "message" => {
            let blocks = value.get("content").and_then(Value::as_array);
            blocks.into_iter().flatten().zip(0..).for_each(|(block, index)| read_block(block, index, answer));
            read_usage(&value, "/usage", answer);
            read_stop(field("/stop_reason"), answer);
        }
        "message_start" => read_usage(&value, "/message/usage", answer),
        kind @ ("content_block_start" | "content_block_delta") => {
            let key = if kind == "content_block_start" { "content_block" } else { "delta" };
            read_block(value.get(key).unwrap_or(&Value::Null), count(&value, "/index"), answer);
        }
        "message_delta" => {
            read_usage(&value, "/usage", answer);
            read_stop(field("/delta/stop_reason"), answer);
        }
        "message_stop" => answer.done = true,
        // Some that speak this wire name no type in their errors.
        _ if value.get("error").is_some_and(Value::is_object) => return Err(WireFault::Upstream(value)),
        _ => return Ok(()),
    }
    answer.seen = true;
    Ok(())
}

/// A block of the answer, or a piece of one.
fn read_block(block: &Value, index: u64, answer: &mut Answer) {
    let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("type").as_str() {
        "text" | "text_delta" => answer.found.push(Raw::Content(text("text"))),
        "thinking" | "redacted_thinking" | "thinking_delta" | "signature_delta" => {
            answer.found.push(Raw::Reasoning);
        }
        "tool_use" => {
            // Empty at the start of a stream, where pieces follow.
            let input =
                block.get("input").filter(|input| input.as_object().is_none_or(|input| !input.is_empty()));
            let input = input.map(Value::to_string).unwrap_or_default();
            let (id, name) = (text("id"), text("name"));
            answer.call(&CallPiece {
                index: Some(index),
                id: &id,
                name: &name,
                arguments: &input,
                ..CallPiece::default()
            });
        }
        "input_json_delta" => {
            let arguments = text("partial_json");
            answer.call(&CallPiece { index: Some(index), arguments: &arguments, ..CallPiece::default() });
        }
        _ => {}
    }
}

/// The input is told at the start, the output at the end; what is told again is cumulative.
fn read_usage(value: &Value, pointer: &str, answer: &mut Answer) {
    let Some(told) = value.pointer(pointer).filter(|usage| usage.is_object()) else { return };
    let cached = count(told, "/cache_read_input_tokens");
    // What was read from the cache, or written to it, is not in `input_tokens`.
    let input = count(told, "/input_tokens") + cached + count(told, "/cache_creation_input_tokens");
    let usage = answer.usage.get_or_insert_with(Usage::default);
    if input > 0 {
        usage.input = input;
        usage.cached = cached;
    }
    usage.output = usage.output.max(count(told, "/output_tokens"));
}

fn read_stop(reason: &str, answer: &mut Answer) {
    answer.finish = match reason {
        "" => return,
        // That it wants tools called shows by the calls.
        "end_turn" | "stop_sequence" | "tool_use" => Some(Finish::Stop),
        "max_tokens" | "model_context_window_exceeded" => Some(Finish::Length),
        "refusal" => Some(Finish::Filtered(reason.to_owned())),
        _ => {
            let code = super::super::classify::reason_code(reason).unwrap_or_else(|| "OTHER".to_owned());
            Some(Finish::Other(code))
        }
    };
}
