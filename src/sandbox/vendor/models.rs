//! The list of models, in the shape of each protocol.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{chat, contents, messages, request::Seen, rows::Protocol, state::Provider, stream::Answer};

/// The models that every emulated provider has.
const MODELS: &[&str] = &["emulated-large", "emulated-small"];

/// Answers `GET {base}/models` for whoever may chat.
pub(super) fn list(provider: &Provider, seen: &Seen, now: DateTime<Utc>) -> Answer {
    let known = match provider.row.chat.protocol() {
        Protocol::Completions => chat::authorised(provider, seen, now),
        Protocol::Contents => contents::authorised(provider, seen),
        Protocol::Messages => messages::authorised(provider, seen),
        Protocol::CodeAssist => Err(contents::bad_request("there is no such list")),
    };
    if let Err(refusal) = known {
        return refusal;
    }
    let each = |model: fn(&str) -> Value| MODELS.iter().map(|name| model(name)).collect::<Vec<_>>();
    Answer::json(
        200,
        &match provider.row.chat.protocol() {
            Protocol::Completions => {
                let models = each(|id| json!({"id": id, "object": "model", "owned_by": "emulator"}));
                json!({"object": "list", "data": models})
            }
            Protocol::Messages => {
                let models = each(|id| json!({"type": "model", "id": id, "display_name": id}));
                json!({"data": models, "has_more": false})
            }
            Protocol::Contents | Protocol::CodeAssist => {
                let models = each(
                    |id| json!({"name": format!("models/{id}"), "supportedGenerationMethods": ["generateContent"]}),
                );
                json!({"models": models})
            }
        },
    )
}
