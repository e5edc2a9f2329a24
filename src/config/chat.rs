//! How chats are run: models, time limits, the system prompt.

use std::time::Duration;

use crate::provider::{ModelRef, ProviderId};

/// The chat settings.
#[derive(Debug, Clone)]
pub struct ChatSettings {
    /// `PROVIDER_ORDER`, resolved: every provider, the named ones first.
    pub provider_order: Vec<ProviderId>,
    /// `DEFAULT_MODEL`; `None`: the first usable provider's default.
    pub default_model: Option<ModelRef>,
    /// `REQUEST_DEADLINE_SECS`: from the message to the first event of the answer (P25).
    pub deadline: Duration,
    /// `STREAM_IDLE_SECS`: the longest silence in a stream.
    pub stream_idle: Duration,
    /// `STREAM_MAX_SECS`: the longest stream.
    pub stream_max: Duration,
    /// The text of `SYSTEM_PROMPT_FILE`, or the built-in one.
    pub system_prompt: String,
    /// `CONVERSATION_TTL_SECS`: after this silence a conversation starts afresh.
    pub conversation_ttl: Duration,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            provider_order: Vec::new(),
            default_model: None,
            deadline: Duration::from_mins(1),
            stream_idle: Duration::from_secs(45),
            stream_max: Duration::from_mins(14),
            system_prompt:
                "You are Cortana, a helpful assistant in a Discord chat. Answer in Discord's Markdown, \
                            briefly unless asked for more."
                    .to_owned(),
            conversation_ttl: Duration::from_mins(30),
        }
    }
}
