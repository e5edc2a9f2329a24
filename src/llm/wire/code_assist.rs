//! Google's Code Assist: Gemini's `generateContent` in an envelope, Gemini CLI's or Antigravity's
//! (google-gemini/gemini-cli `packages/core/src/code_assist/converter.ts`; docs/wires.md).

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Answer, Ask, Call, Finish, Raw, Usage, WireFault, count, merged, role_name};
use crate::{llm::Role, provider::Envelope};

/// What stands before a conversation that begins with the model: the first content must be the user's.
const LEFT_OUT: &str = "(Earlier messages are left out.)";

pub(super) fn encode(ask: Ask<'_>) -> Call {
    let mut turns = merged(&ask.request.messages);
    if turns.first().is_none_or(|first| first.role == Role::Assistant) {
        turns.insert(0, super::Message { role: Role::User, text: LEFT_OUT.to_owned() });
    }
    let contents: Vec<Value> = turns
        .iter()
        .map(|turn| json!({ "role": role_name(turn.role, "model"), "parts": [{ "text": turn.text }] }))
        .collect();
    let mut inner = Map::new();
    inner.insert("contents".to_owned(), Value::Array(contents));
    let system = ask.request.system.trim();
    if !system.is_empty() {
        let instruction = json!({ "role": "user", "parts": [{ "text": system }] });
        inner.insert("systemInstruction".to_owned(), instruction);
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), ask.model.into());
    if let Some(project) = ask.project {
        body.insert("project".to_owned(), project.into());
    }
    match ask.quirks.envelope {
        Envelope::GeminiCli => {
            // Summaries of its thoughts show that a thinking model is alive (P25); they stay hidden.
            if ask.model.starts_with("gemini-") {
                let config = json!({ "thinkingConfig": { "includeThoughts": true } });
                inner.insert("generationConfig".to_owned(), config);
            }
            inner.insert("session_id".to_owned(), session(&ask.request.conversation).into());
            body.insert("user_prompt_id".to_owned(), ask.request.id.as_str().into());
        }
        Envelope::Antigravity => {
            inner.insert("sessionId".to_owned(), format!("-{}", session(&ask.request.conversation)).into());
            body.insert("userAgent".to_owned(), "antigravity".into());
            body.insert("requestType".to_owned(), "agent".into());
            body.insert("requestId".to_owned(), format!("agent-{}", Uuid::new_v4()).into());
        }
    }
    body.insert("request".to_owned(), Value::Object(inner));
    Call { suffix: ":streamGenerateContent?alt=sse", body: Value::Object(body) }
}

/// A positive 63-bit number that stays the same for a conversation and says nothing about it.
fn session(conversation: &str) -> String {
    let digest = Sha256::digest(conversation.as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, &byte| (number << 8) | u64::from(byte));
    ((number >> 1).max(1)).to_string()
}

pub(super) fn read(value: Value, answer: &mut Answer) -> Result<(), WireFault> {
    if value.get("error").is_some() {
        return Err(WireFault::Upstream(value));
    }
    // Everything stands under `response`; Gemini's own API has no such layer.
    let response = value.get("response").unwrap_or(&value);
    if let Some(usage) = response.get("usageMetadata").filter(|usage| usage.is_object()) {
        answer.seen = true;
        let reasoning = count(usage, "/thoughtsTokenCount");
        // Cumulative and repeated: the last one counts.
        answer.usage = Some(Usage {
            input: count(usage, "/promptTokenCount"),
            output: count(usage, "/candidatesTokenCount") + reasoning,
            reasoning,
            cached: count(usage, "/cachedContentTokenCount"),
        });
    }
    if let Some(reason) = response.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
        answer.seen = true;
        answer.finish = Some(Finish::Filtered(code(reason)));
    }
    let candidates = response.get("candidates").and_then(Value::as_array);
    for candidate in candidates.into_iter().flatten().filter(|candidate| count(candidate, "/index") == 0) {
        answer.seen = true;
        let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            let text = part.get("text").and_then(Value::as_str).unwrap_or_default();
            if part.get("thought").and_then(Value::as_bool) == Some(true) {
                answer.found.push(Raw::Reasoning);
            } else if !text.is_empty() {
                answer.found.push(Raw::Content(text.to_owned()));
            }
        }
        if let Some(reason) = candidate.get("finishReason").and_then(Value::as_str) {
            answer.finish = finish(reason).or(answer.finish.take());
        }
    }
    Ok(())
}

fn finish(reason: &str) -> Option<Finish> {
    match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => None,
        "STOP" => Some(Finish::Stop),
        "MAX_TOKENS" => Some(Finish::Length),
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" => {
            Some(Finish::Filtered(reason.to_owned()))
        }
        _ => Some(Finish::Other(code(reason))),
    }
}

fn code(reason: &str) -> String {
    super::super::classify::reason_code(reason).unwrap_or_else(|| "OTHER".to_owned())
}
