//! The list of models, in each vendor's own shape: with limits and abilities where the vendor tells them, and with a model
//! that is not for chats, said to be so in the vendor's way.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    chat, contents, messages,
    request::Seen,
    rows::{Chat, Protocol, Row},
    state::Provider,
    stream::Answer,
};

/// A model that chats.
struct Model {
    id: &'static str,
    /// The tokens that it reads.
    context: u32,
    images: bool,
    tools: bool,
}

/// The chat models that every emulated provider has.
const MODELS: &[Model] = &[
    Model { id: "emulated-large", context: 1_048_576, images: true, tools: true },
    Model { id: "emulated-small", context: 131_072, images: false, tools: false },
];

/// Answers `GET {base}/models` for whoever may chat.
pub(super) fn list(provider: &Provider, seen: &Seen, now: DateTime<Utc>) -> Answer {
    let row = provider.row;
    let known = match row.chat.protocol() {
        Protocol::Completions => chat::authorised(provider, seen, now),
        Protocol::Contents => contents::authorised(provider, seen),
        Protocol::Messages => messages::authorised(provider, seen),
        Protocol::CodeAssist => Err(contents::bad_request("there is no such list")),
    };
    if let Err(refusal) = known {
        return refusal;
    }
    let mut models: Vec<Value> = MODELS.iter().map(|model| entry(row, model)).collect();
    models.extend(other(row));
    Answer::json(
        200,
        &match row.chat.protocol() {
            Protocol::Completions => json!({"object": "list", "data": models}),
            Protocol::Messages => {
                json!({"data": models, "has_more": false, "first_id": "emulated-large", "last_id": "emulated-small"})
            }
            Protocol::Contents | Protocol::CodeAssist => json!({ "models": models }),
        },
    )
}

/// A chat model, as the vendor lists it.
fn entry(row: &Row, model: &Model) -> Value {
    let Model { id, context, images, tools } = model;
    let inputs = if *images { json!(["text", "image"]) } else { json!(["text"]) };
    let modalities = json!({"input_modalities": inputs, "output_modalities": ["text"]});
    match row.chat {
        Chat::OpenRouter => json!({
            "id": id, "name": id, "created": 1_790_000_000, "context_length": context, "architecture": modalities,
            "supported_parameters": if *tools { json!(["max_tokens", "tools"]) } else { json!(["max_tokens"]) },
        }),
        Chat::Mistral => json!({
            "id": id, "object": "model", "type": "base", "max_context_length": context, "aliases": [],
            "capabilities": {"completion_chat": true, "function_calling": tools, "vision": images},
        }),
        Chat::Gemini => json!({
            "name": format!("models/{id}"), "displayName": id, "inputTokenLimit": context, "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }),
        Chat::Anthropic => json!({
            "type": "model", "id": id, "display_name": id, "created_at": "2026-09-21T00:00:00Z",
            "max_input_tokens": context, "capabilities": {"image_input": {"supported": images}},
        }),
        Chat::OpenAi if row.id == "groq" => json!({
            "id": id, "object": "model", "active": true, "context_window": context, "owned_by": "emulator",
        }),
        Chat::OpenAi if row.id == "huggingface" => json!({
            "id": id, "object": "model", "architecture": modalities,
            "providers": [{"provider": "emulator", "context_length": context, "supports_tools": tools}],
        }),
        Chat::OpenAi
        | Chat::DashScope
        | Chat::Qwen
        | Chat::Iflow
        | Chat::GeminiCli
        | Chat::Antigravity
        | Chat::Xai
        | Chat::Bedrock
        | Chat::Keyless => {
            json!({"id": id, "object": "model", "created": 1_790_000_000, "owned_by": "emulator"})
        }
    }
}

/// A model that is not for chats, as the vendor lists it; Anthropic has none.
fn other(row: &Row) -> Option<Value> {
    Some(match row.chat {
        Chat::Anthropic => return None,
        Chat::OpenRouter => json!({
            "id": "emulated-painter", "context_length": 8192,
            "architecture": {"input_modalities": ["text"], "output_modalities": ["image"]},
        }),
        Chat::Mistral => json!({
            "id": "emulated-vectors", "object": "model", "type": "base", "capabilities": {"completion_chat": false},
        }),
        Chat::Gemini => {
            json!({"name": "models/emulated-vectors", "supportedGenerationMethods": ["embedContent"]})
        }
        Chat::OpenAi if row.id == "groq" => {
            json!({"id": "emulated-retired", "object": "model", "active": false})
        }
        Chat::OpenAi
        | Chat::DashScope
        | Chat::Qwen
        | Chat::Iflow
        | Chat::GeminiCli
        | Chat::Antigravity
        | Chat::Xai
        | Chat::Bedrock
        | Chat::Keyless => json!({"id": "emulated-embedding-1", "object": "model", "owned_by": "emulator"}),
    })
}
