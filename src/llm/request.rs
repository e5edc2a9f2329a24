//! One chat request, in no provider's notation.

use tokio::time::Instant;

use super::{Image, Tool, ToolCall, ToolResult};
use crate::provider::ModelRef;

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A person.
    User,
    /// The model.
    Assistant,
}

/// A message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What.
    pub text: String,
    /// The pictures that came with it.
    pub images: Vec<Image>,
    /// What the model wants called, after its text; people call nothing.
    pub calls: Vec<ToolCall>,
    /// What came of the calls of the message before, one each in their order; stands before the text, in messages of the
    /// user alone.
    pub results: Vec<ToolResult>,
}

impl Message {
    /// A message of text alone.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), images: Vec::new(), calls: Vec::new(), results: Vec::new() }
    }

    /// Whether there is nothing in it.
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
            && self.images.is_empty()
            && self.calls.is_empty()
            && self.results.is_empty()
    }
}

/// A chat to run.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The correlation id that ties the reply, the log and an error together (eight hex digits).
    pub id: String,
    /// The model that was chosen; `None`: `DEFAULT_MODEL`, else the first usable provider's default.
    pub model: Option<ModelRef>,
    /// The system prompt.
    pub system: String,
    /// The conversation, oldest first; the last message is the question. Roles need not alternate: wires merge.
    pub messages: Vec<Message>,
    /// What the model may call; empty: nothing. A model of which nobody says that it can is offered none.
    pub tools: Vec<Tool>,
    /// A stable id of the conversation, hashed where a wire wants a session id.
    pub conversation: String,
    /// When the question arrived: the deadline of P25 counts from here.
    pub received_at: Instant,
}
