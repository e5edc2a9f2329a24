//! What a model's answer consists of, in no provider's notation.

use chrono::{DateTime, Utc};

use super::{ToolCall, Unseen};
use crate::provider::ModelRef;

/// One step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatEvent {
    /// Something the person may be told before or beside the answer.
    Notice(Notice),
    /// The model is reasoning; its text is hidden. Counts as the first event (P25).
    Reasoning,
    /// A piece of visible text. Never empty.
    Text(String),
    /// The model wants a tool called. Comes after all text, once the answer is known to be whole.
    Call(ToolCall),
    /// The end.
    Finished {
        /// Why it ended.
        finish: Finish,
        /// Tokens, where the provider said so.
        usage: Option<Usage>,
        /// Who answered.
        model: ModelRef,
    },
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Another model answers than the one that was wanted; shown as a small line.
    Fallback {
        /// What was wanted.
        wanted: ModelRef,
        /// What answers.
        used: ModelRef,
    },
    /// The model that answers was not shown pictures of the conversation; shown as a small line.
    Unseen {
        /// Who answers.
        model: ModelRef,
        /// Which pictures.
        what: Unseen,
    },
    /// Every account rests, and the wait fits the deadline (P29).
    Resting {
        /// When the first is back.
        until: DateTime<Utc>,
    },
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It was complete.
    Stop,
    /// The length ran out.
    Length,
    /// The provider's filter cut it; the code as sent (`SAFETY`, `content_filter`).
    Filtered(String),
    /// Something else; the code as sent.
    Other(String),
}

/// Tokens of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the request.
    pub input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Reasoning's part of `output`.
    pub reasoning: u64,
    /// Cached part of `input`.
    pub cached: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            output: self.output + other.output,
            reasoning: self.reasoning + other.reasoning,
            cached: self.cached + other.cached,
        }
    }
}
