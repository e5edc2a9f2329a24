//! Google's Code Assist: Gemini's `generateContent` in an envelope, Gemini CLI's or Antigravity's
//! (google-gemini/gemini-cli `packages/core/src/code_assist/converter.ts`; docs/wires.md).

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Answer, Ask, Call, WireFault,
    gemini::{self, Ids},
};
use crate::provider::Envelope;

pub(super) fn encode(ask: Ask<'_>) -> Call {
    let ids = match ask.quirks.envelope {
        Envelope::GeminiCli => Ids::LeftOut,
        Envelope::Antigravity => Ids::Written,
    };
    let mut inner = gemini::conversation(ask.request, ask.model, ids);
    let mut body = Map::new();
    body.insert("model".to_owned(), ask.model.into());
    if let Some(project) = ask.project {
        body.insert("project".to_owned(), project.into());
    }
    match ask.quirks.envelope {
        Envelope::GeminiCli => {
            inner.extend(gemini::thoughts(ask.model));
            inner.insert("session_id".to_owned(), session(&ask.request.conversation).into());
            body.insert("user_prompt_id".to_owned(), ask.request.id.as_str().into());
        }
        Envelope::Antigravity => {
            if !ask.request.tools.is_empty() && ask.model.starts_with("claude-") {
                let config = json!({ "functionCallingConfig": { "mode": "VALIDATED" } });
                inner.insert("toolConfig".to_owned(), config);
            }
            inner.insert("sessionId".to_owned(), format!("-{}", session(&ask.request.conversation)).into());
            body.insert("userAgent".to_owned(), "antigravity".into());
            body.insert("requestType".to_owned(), "agent".into());
            body.insert("requestId".to_owned(), format!("agent-{}", Uuid::new_v4()).into());
        }
    }
    body.insert("request".to_owned(), Value::Object(inner));
    Call { suffix: ":streamGenerateContent?alt=sse".into(), body: Value::Object(body) }
}

/// A positive 63-bit number that stays the same for a conversation and says nothing about it.
fn session(conversation: &str) -> String {
    let digest = Sha256::digest(conversation.as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, &byte| (number << 8) | u64::from(byte));
    ((number >> 1).max(1)).to_string()
}

/// Everything stands under `response`, but for errors.
pub(super) fn read(mut value: Value, answer: &mut Answer) -> Result<(), WireFault> {
    match value.get_mut("response").map(Value::take) {
        Some(response) if value.get("error").is_none() => gemini::read(response, answer),
        Some(_) | None => gemini::read(value, answer),
    }
}
