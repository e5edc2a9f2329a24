//! Chat endpoints in the shape of OpenAI's chat completions, with each provider's own demands and refusals.

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::{
    fault::Act,
    pictures::{self, Rules},
    record::hex,
    reply::{Reply, words},
    request::Seen,
    rows::Chat,
    state::Provider,
    stream::{Answer, Script},
    tools,
};

/// Answers `POST {base}/chat/completions`.
pub(super) fn completions(
    provider: &mut Provider,
    seen: &Seen,
    disturbance: Option<&Act>,
    now: DateTime<Utc>,
) -> Answer {
    if let Err(refusal) = authorised(provider, seen, now) {
        return refusal;
    }
    let messages = match judged(provider.row.chat, seen) {
        Ok(messages) => messages,
        Err(problem) => return bad_request(provider.row.chat, problem),
    };
    let model = seen.json.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    let pictures = match pictures::judged(Rules::Openai, &model, &messages) {
        Ok(pictures) => pictures,
        Err(problem) => return bad_request(provider.row.chat, &problem),
    };
    let tooling = match tools::judged(Rules::Openai, &model, &seen.json, &messages) {
        Ok(tooling) => tooling,
        Err(problem) => return bad_request(provider.row.chat, &problem),
    };
    let question = messages
        .iter()
        .rev()
        .find(|message| message.get("role") == Some(&json!("user")))
        .map(text_of)
        .unwrap_or_default();
    let turn = messages.iter().filter(|message| message.get("role") == Some(&json!("user"))).count();
    let prompt_tokens: u64 = messages.iter().map(|message| words(&text_of(message))).sum();
    let reply = provider.next_reply(&model, &question, turn, (&pictures, &tooling));
    let completion = Completion {
        chat: provider.row.chat,
        id: format!("chatcmpl-{}", Uuid::new_v4().simple()),
        created: now.timestamp(),
        model,
        usage: json!({
            "prompt_tokens": prompt_tokens,
            "completion_tokens": reply.completion_tokens(),
            "total_tokens": prompt_tokens + reply.completion_tokens(),
        }),
    };
    let streams = seen.json.get("stream") == Some(&Value::Bool(true));
    if streams && disturbance != Some(&Act::Unstreamed) {
        let pace = provider.pace_of(&reply);
        let wants_usage = seen.json.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
        completion.stream(&reply, pace, wants_usage, disturbance)
    } else {
        completion.whole(&reply)
    }
}

/// Whether a live bearer, and where the provider wants one a signature, came with the request.
pub(super) fn authorised(provider: &Provider, seen: &Seen, now: DateTime<Utc>) -> Result<(), Answer> {
    let bearer = seen.bearer().unwrap_or_default();
    if provider.row.chat == Chat::Keyless && seen.header("authorization").is_none() {
        return Ok(());
    }
    if provider.bearer_of_chats(bearer, now).is_none() {
        return Err(unauthorised(provider.row.chat));
    }
    if provider.row.chat == Chat::Iflow && !is_signed(seen, bearer) {
        return Err(Answer::json(406, &json!({"status": "406", "msg": "Not Acceptable", "body": null})));
    }
    Ok(())
}

/// iFlow: lower-case hex of HMAC-SHA256 over `User-Agent:session-id:timestamp` with the key.
fn is_signed(seen: &Seen, key: &str) -> bool {
    let parts = (
        seen.header("user-agent"),
        seen.header("session-id"),
        seen.header("x-iflow-timestamp"),
        seen.header("x-iflow-signature"),
    );
    let (Some(agent), Some(session), Some(timestamp), Some(signature)) = parts else { return false };
    if !session.starts_with("session-") || timestamp.len() != 13 || timestamp.parse::<u64>().is_err() {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
    mac.update(format!("{agent}:{session}:{timestamp}").as_bytes());
    hex(&mac.finalize().into_bytes()) == signature
}

/// The messages, if the provider would take the request.
fn judged(chat: Chat, seen: &Seen) -> Result<Vec<Value>, &'static str> {
    if seen.content_type() != "application/json" || !seen.json.is_object() {
        return Err("the body must be a JSON object");
    }
    if seen.json.get("model").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("you must provide a model parameter");
    }
    let messages = seen
        .json
        .get("messages")
        .and_then(Value::as_array)
        .filter(|messages| !messages.is_empty())
        .ok_or("messages must be a non-empty array")?;
    for message in messages {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if !matches!(role, "system" | "developer" | "user" | "assistant" | "tool") {
            return Err("a message has an unknown role");
        }
        let has_content = message.get("content").is_some_and(|it| it.is_string() || it.is_array());
        let calls =
            message.get("tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty());
        if !has_content && !calls {
            return Err("a message has no content");
        }
    }
    if chat == Chat::Qwen {
        let systems: Vec<usize> = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.get("role") == Some(&json!("system")))
            .map(|(place, _)| place)
            .collect();
        let first = messages.first();
        let cached = first.and_then(|first| first.pointer("/content/0/cache_control/type"));
        if systems != [0] || cached != Some(&json!("ephemeral")) {
            return Err("one system message must come first, its first part with cache_control");
        }
    }
    let known = ["model", "messages", "stream", "temperature", "max_tokens", "top_p", "stop", "tools"];
    let keys = seen.json.as_object().into_iter().flat_map(serde_json::Map::keys);
    if chat == Chat::Mistral && keys.into_iter().any(|key| !known.contains(&key.as_str())) {
        return Err("Extra inputs are not permitted");
    }
    if chat == Chat::Iflow && seen.json.get("tools").is_some_and(|tools| tools == &json!([])) {
        return Err("tools must not be empty");
    }
    Ok(messages.clone())
}

/// The text of a message, whatever form its content has.
fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> =
                parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect();
            texts.join("\n")
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => String::new(),
    }
}

fn unauthorised(chat: Chat) -> Answer {
    let body = match chat {
        Chat::OpenRouter => json!({"error": {"message": "No auth credentials found", "code": 401}}),
        Chat::Qwen | Chat::DashScope => json!({
            "error": {"code": "invalid_api_key", "message": "invalid access token or token expired",
                "type": "invalid_request_error", "param": null},
            "request_id": "fake-request",
        }),
        Chat::Iflow => json!({"status": "401", "msg": "Invalid API key provided", "body": null}),
        Chat::Mistral => json!({"detail": "Unauthorized"}),
        Chat::Xai => json!({"code": "Client specified an invalid argument",
            "error": "Incorrect API key provided: sk***KE. You can obtain an API key from https://console.x.ai."}),
        Chat::OpenAi
        | Chat::GeminiCli
        | Chat::Antigravity
        | Chat::Gemini
        | Chat::Anthropic
        | Chat::Bedrock
        | Chat::Keyless => {
            json!({"error": {
            "message": "Incorrect API key provided.", "type": "invalid_request_error", "param": null,
            "code": "invalid_api_key"}})
        }
    };
    Answer::json(if chat == Chat::Xai { 400 } else { 401 }, &body)
}

fn bad_request(chat: Chat, problem: &str) -> Answer {
    let body = match chat {
        Chat::OpenRouter => json!({"error": {"message": problem, "code": 400}}),
        Chat::Iflow => json!({"status": "400", "msg": problem, "body": null}),
        Chat::Qwen | Chat::DashScope => json!({"error": {"code": "invalid_parameter_error",
            "message": problem, "type": "invalid_request_error", "param": null}, "request_id": "fake-request"}),
        Chat::Mistral => json!({"object": "error", "message": {"detail": [{"type": "extra_forbidden",
            "msg": problem}]}, "type": "invalid_request_error", "param": null, "code": null}),
        Chat::Xai => json!({"code": "Client specified an invalid argument", "error": problem}),
        Chat::OpenAi
        | Chat::GeminiCli
        | Chat::Antigravity
        | Chat::Gemini
        | Chat::Anthropic
        | Chat::Bedrock
        | Chat::Keyless => {
            json!({"error": {
            "message": problem, "type": "invalid_request_error", "param": null, "code": null}})
        }
    };
    Answer::json(if chat == Chat::Mistral { 422 } else { 400 }, &body)
}

/// What all chunks of one answer share.
struct Completion {
    chat: Chat,
    id: String,
    created: i64,
    model: String,
    usage: Value,
}

impl Completion {
    fn whole(&self, reply: &Reply) -> Answer {
        let mut message = json!({"role": "assistant", "content": reply.full_text()});
        if !reply.reasoning.is_empty() {
            set(&mut message, "reasoning_content", Value::String(reply.reasoning.concat()));
        }
        if !reply.calls.is_empty() {
            let calls =
                reply.calls.iter().zip(1..).map(|(call, number)| called(number, &call.name, &call.arguments));
            set(&mut message, "tool_calls", calls.collect());
        }
        Answer::json(
            200,
            &json!({
                "id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
                "choices": [{"index": 0, "message": message, "finish_reason": reply.ending("tool_calls")}],
                "usage": self.usage,
            }),
        )
    }

    fn stream(
        &self,
        reply: &Reply,
        pace: std::time::Duration,
        wants_usage: bool,
        disturbance: Option<&Act>,
    ) -> Answer {
        let delta = |delta: Value| self.chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
        let mut opening = Vec::new();
        if self.chat == Chat::OpenRouter {
            opening.push(": OPENROUTER PROCESSING\n\n".to_owned());
        }
        opening.push(self.event(&delta(json!({"role": "assistant", "content": ""}))));
        opening.extend(reply.reasoning.iter().map(|text| {
            self.event(&delta(match self.chat {
                Chat::Mistral => {
                    json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]})
                }
                Chat::Bedrock => json!({"content": format!("<reasoning>{text}</reasoning>")}),
                Chat::OpenAi
                | Chat::OpenRouter
                | Chat::DashScope
                | Chat::Qwen
                | Chat::Iflow
                | Chat::GeminiCli
                | Chat::Antigravity
                | Chat::Gemini
                | Chat::Anthropic
                | Chat::Xai
                | Chat::Keyless => json!({"reasoning_content": text}),
            }))
        }));
        let pieces = reply.pieces.iter().map(|text| self.event(&delta(json!({"content": text})))).collect();
        let reason = reply.ending("tool_calls");
        let mut finish = self.chunk(json!([{"index": 0, "delta": {}, "finish_reason": reason}]));
        if self.chat == Chat::Mistral {
            set(&mut finish, "usage", self.usage.clone());
        }
        let mut closing: Vec<String> =
            calls_in_pieces(reply).map(|calls| self.event(&delta(calls))).collect();
        closing.push(self.event(&finish));
        if wants_usage {
            let mut usage = self.chunk(json!([]));
            set(&mut usage, "usage", self.usage.clone());
            closing.push(self.event(&usage));
        }
        closing.push("data: [DONE]\n\n".to_owned());
        Script { opening, pieces, closing, pace }.play(disturbance, |body| self.event(body))
    }

    fn chunk(&self, choices: Value) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices,
        })
    }

    fn event(&self, body: &Value) -> String {
        // iFlow leaves out the space that everybody else sends.
        let space = if self.chat == Chat::Iflow { "" } else { " " };
        format!("data:{space}{body}\n\n")
    }
}

fn called(number: usize, name: &str, arguments: &str) -> Value {
    let function = json!({"name": name, "arguments": arguments});
    json!({"id": format!("call_FAKE{number}"), "type": "function", "function": function})
}

/// The calls of a reply as deltas: each begins with its name, and its arguments follow in two pieces.
fn calls_in_pieces(reply: &Reply) -> impl Iterator<Item = Value> + '_ {
    reply.calls.iter().zip(0..).flat_map(|(call, index)| {
        let middle = call.arguments.floor_char_boundary(call.arguments.len() / 2);
        let (head, tail) = call.arguments.split_at(middle);
        let mut begun = called(index + 1, &call.name, "");
        set(&mut begun, "index", json!(index));
        let more = |arguments: &str| json!({"index": index, "function": {"arguments": arguments}});
        [begun, more(head), more(tail)].map(|call| json!({"tool_calls": [call]}))
    })
}

fn set(value: &mut Value, field: &str, to: Value) {
    if let Value::Object(object) = value {
        object.insert(field.to_owned(), to);
    }
}
