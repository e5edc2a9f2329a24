//! What an emulated model has said, and when: heard from the bytes of its answer as they leave, whatever the wire.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::StreamExt as _;
use serde::Serialize;
use serde_json::Value;

/// A piece of visible text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// When it left, since the emulator began.
    pub after: Duration,
    /// The text; reasoning is none.
    pub text: String,
}

/// What was said in answer to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// When the request arrived, since the emulator began.
    pub asked: Duration,
    /// The text, in order of time.
    pub pieces: Vec<Piece>,
}

/// Passes a body on and tells `heard` of each piece of text in it.
pub(super) fn listen(body: Body, mut heard: impl FnMut(String) + Send + 'static) -> Body {
    let mut ear = Ear::default();
    Body::from_stream(body.into_data_stream().inspect(move |chunk| {
        let text = chunk.as_ref().map_or_else(|_| String::new(), |bytes| ear.hear(bytes));
        if !text.is_empty() {
            heard(text);
        }
    }))
}

/// The line that is not complete yet.
#[derive(Debug, Default)]
struct Ear {
    line: Vec<u8>,
}

impl Ear {
    fn hear(&mut self, bytes: &Bytes) -> String {
        let mut text = String::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = String::from_utf8_lossy(&self.line);
                if let Some(event) = line.trim_end().strip_prefix("data:") {
                    text.push_str(&said_in(event.trim_start()));
                }
                self.line.clear();
            } else {
                self.line.push(*byte);
            }
        }
        text
    }
}

/// The visible text of one event, on any of the emulated wires.
fn said_in(event: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(event) else { return String::new() };
    let one = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    // OpenAI's chat completions; Anthropic's messages, whose thinking has another key.
    if let Some(text) = one("/choices/0/delta/content").or_else(|| one("/delta/text")) {
        return text.to_owned();
    }
    // Gemini's, and the same in Code Assist's envelope.
    let parts = event
        .pointer("/candidates/0/content/parts")
        .or_else(|| event.pointer("/response/candidates/0/content/parts"));
    let parts = parts.and_then(Value::as_array).into_iter().flatten();
    let visible = parts.filter(|part| part.get("thought") != Some(&Value::Bool(true)));
    visible.filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wire_is_understood_however_its_bytes_come() {
        let stream = concat!(
            ": a comment\n\n",
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n",
            "data:{\"choices\":[{\"delta\":{\"content\":\"a \"}}]}\r\n\r\n",
            "data: {\"response\":{\"candidates\":[{\"content\":{\"parts\":[{\"thought\":true,\"text\":\"hm\"},{\"text\":\"bé \"}]}}]}}\n\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"c \"}]}}]}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"d\"}}\n\n",
            "data: {\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n",
            "data: [DONE]\n\n",
        );
        for size in [1, 7, stream.len()] {
            let mut ear = Ear::default();
            let chunks = stream.as_bytes().chunks(size);
            let text: String = chunks.map(|chunk| ear.hear(&Bytes::copy_from_slice(chunk))).collect();
            assert_eq!(text, "a bé c d", "in chunks of {size}");
        }
    }
}
