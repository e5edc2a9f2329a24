//! Anthropic's messages (docs.anthropic.com/en/api/messages, …/messages-streaming).

use serde_json::{Value, json};

use super::{
    Answer, Ask, Call, Finish, Image, Message, Raw, Usage, WireFault, count, parts, role_name, users_first,
};

/// Tokens that an answer may have where the row names no other number. What the model thinks counts as well.
const MAX_TOKENS: u32 = 16_000;

pub(super) fn encode(ask: Ask<'_>) -> Call {
    let messages: Vec<Value> = users_first(&ask.request.messages)
        .into_iter()
        .map(|turn| json!({ "role": role_name(turn.role, "assistant"), "content": content(&turn) }))
        .collect();
    let mut body = json!({
        "model": ask.model,
        "max_tokens": ask.quirks.max_tokens.unwrap_or(MAX_TOKENS),
        "messages": messages,
        "stream": true,
    });
    let system = ask.request.system.trim();
    if let Value::Object(body) = &mut body
        && !system.is_empty()
    {
        body.insert("system".to_owned(), system.into());
    }
    Call { suffix: "/messages".into(), body }
}

/// Text alone stays a plain string, which gateways in between take as well.
fn content(message: &Message) -> Value {
    if message.images.is_empty() {
        return message.text.as_str().into();
    }
    let image = |image: &Image| {
        let source =
            json!({ "type": "base64", "media_type": image.format.media_type(), "data": image.base64() });
        json!({ "type": "image", "source": source })
    };
    parts(message, image, |text| json!({ "type": "text", "text": text })).into()
}

/// An event of a stream, or a whole message. What is of no known type is skipped, as the documentation asks.
pub(super) fn read(value: Value, answer: &mut Answer) -> Result<(), WireFault> {
    let field = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match field("/type") {
        "error" => return Err(WireFault::Upstream(value)),
        "message" => {
            let blocks = value.get("content").and_then(Value::as_array);
            blocks.into_iter().flatten().for_each(|block| read_block(block, answer));
            read_usage(&value, "/usage", answer);
            read_stop(field("/stop_reason"), answer);
        }
        "message_start" => read_usage(&value, "/message/usage", answer),
        "content_block_start" => read_block(value.get("content_block").unwrap_or(&Value::Null), answer),
        "content_block_delta" => read_block(value.get("delta").unwrap_or(&Value::Null), answer),
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
fn read_block(block: &Value, answer: &mut Answer) {
    let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("type").as_str() {
        "text" | "text_delta" => answer.found.push(Raw::Content(text("text"))),
        "thinking" | "redacted_thinking" | "thinking_delta" | "signature_delta" => {
            answer.found.push(Raw::Reasoning);
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
        "end_turn" | "stop_sequence" => Some(Finish::Stop),
        "max_tokens" | "model_context_window_exceeded" => Some(Finish::Length),
        "refusal" => Some(Finish::Filtered(reason.to_owned())),
        _ => {
            let code = super::super::classify::reason_code(reason).unwrap_or_else(|| "OTHER".to_owned());
            Some(Finish::Other(code))
        }
    };
}
