//! Tools in no provider's notation: what a model may call, what it wants called, and what came of it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{ChatRequest, Message};
use crate::provider::Provider;

/// Something that a model may have done for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// What the model calls it by: letters, digits, `_` and `-`, a letter first, 64 at most, which every provider takes.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Its arguments: a JSON Schema of an object.
    pub schema: Value,
}

/// A call that a model wants made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool's name as the model wrote it, at most 64 characters that every provider takes back.
    pub name: String,
    /// The arguments; `None`: the model wrote something that is no JSON object, or far too much.
    pub arguments: Option<Map<String, Value>>,
    /// Gemini's seal on the thoughts behind the call, which it wants back with it.
    pub signature: Option<String>,
}

/// What came of a call. It stands at the place that the call has among those of the message before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// What the model reads.
    pub text: String,
    /// The call was not made, or did not end well.
    pub failed: bool,
}

impl ChatRequest {
    /// The request as this model can read it: to one that calls no tools, and where none are offered any more, earlier
    /// calls and their results are told as text. A request without any is not copied.
    pub(super) fn callable_by<'a>(request: Cow<'a, Self>, row: &Provider, model: &str) -> Cow<'a, Self> {
        let has_calls = |message: &Message| !message.calls.is_empty() || !message.results.is_empty();
        let is_plain = request.tools.is_empty() && !request.messages.iter().any(has_calls);
        if is_plain || (row.calls_tools(model) && !request.tools.is_empty()) {
            return request;
        }
        let mut request = request.into_owned();
        request.tools.clear();
        request.messages.iter_mut().for_each(Message::tell_calls);
        Cow::Owned(request)
    }
}

impl Message {
    /// Tells calls and results as text.
    fn tell_calls(&mut self) {
        let mut lines = Vec::new();
        for call in std::mem::take(&mut self.calls) {
            let arguments = Value::Object(call.arguments.unwrap_or_default());
            lines.push(format!("(I called the tool {} with {arguments}.)", call.name));
        }
        for result in std::mem::take(&mut self.results) {
            let how = if result.failed { "A tool failed" } else { "A tool answered" };
            lines.push(format!("({how}:)\n{}", result.text));
        }
        if !self.text.trim().is_empty() {
            lines.insert(0, std::mem::take(&mut self.text));
        }
        self.text = lines.join("\n");
    }
}
