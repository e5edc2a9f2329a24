//! The protocols spoken to models, as pure functions: a request to JSON, bytes to pieces of an answer.
//!
//! No I/O, no timers, no credential. A provider may answer a stream request with plain JSON, and an HTTP 200 may
//! hold an error: both are seen here, by content and not by header.

mod anthropic_messages;
mod calls;
mod code_assist;
mod gemini;
mod openai_chat;
mod schema;
pub mod sse;
mod think;

use std::borrow::Cow;

use serde_json::Value;

use self::{
    calls::Calls,
    sse::{SseDecoder, SseEvent},
    think::{ThinkFilter, Thought},
};
use super::{ChatRequest, Finish, Image, ImageFormat, Message, Role, ToolCall, Usage};
use crate::provider::{Quirks, Wire};

/// A request to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What follows the API base: `/chat/completions`, `:streamGenerateContent?alt=sse`.
    pub suffix: Cow<'static, str>,
    /// The JSON body.
    pub body: Value,
}

/// What is asked of a wire.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The conversation.
    pub request: &'a ChatRequest,
    /// The provider's own name of the model.
    pub model: &'a str,
    /// The Google Cloud project, where one is known.
    pub project: Option<&'a str>,
    /// The provider's departures from the wire.
    pub quirks: &'a Quirks,
}

/// Writes a streaming request.
pub fn encode(wire: Wire, ask: Ask<'_>) -> Call {
    match wire {
        Wire::OpenaiChat => openai_chat::encode(ask),
        Wire::CodeAssist => code_assist::encode(ask),
        Wire::Gemini => gemini::encode(ask),
        Wire::AnthropicMessages => anthropic_messages::encode(ask),
    }
}

/// Whether the wire carries pictures of this format.
pub fn takes(wire: Wire, format: ImageFormat) -> bool {
    match (wire, format) {
        // ai.google.dev/gemini-api/docs/image-understanding: PNG, JPEG, WEBP, HEIC, HEIF.
        (Wire::CodeAssist | Wire::Gemini, ImageFormat::Gif) => false,
        (Wire::CodeAssist | Wire::Gemini, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Webp)
        | (Wire::OpenaiChat | Wire::AnthropicMessages, _) => true,
    }
}

/// A message as a list of parts, pictures first: vendors say that models see best what comes before the question.
fn parts(message: &Message, image: fn(&Image) -> Value, text: fn(&str) -> Value) -> Vec<Value> {
    let words = (!message.text.trim().is_empty()).then(|| text(&message.text));
    message.images.iter().map(image).chain(words).collect()
}

/// What stands before a conversation that begins with the model, where the first message must be the user's.
const LEFT_OUT: &str = "(Earlier messages are left out.)";

/// [`merged`], beginning with the user.
fn users_first(messages: &[Message]) -> Vec<Message> {
    let mut turns = merged(messages);
    if turns.first().is_none_or(|first| first.role == Role::Assistant) {
        turns.insert(0, Message::new(Role::User, LEFT_OUT));
    }
    turns
}

/// A model's name as a part of a path (RFC 3986, section 2.3).
fn in_path(model: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let written = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    model.bytes().map(written).collect()
}

/// The conversation with alternating roles: empty messages left out, neighbours of one role merged.
fn merged(messages: &[Message]) -> Vec<Message> {
    let mut turns: Vec<Message> = Vec::new();
    for message in messages.iter().filter(|message| !message.is_blank()) {
        match turns.last_mut() {
            Some(last) if last.role == message.role => {
                if !last.text.is_empty() && !message.text.is_empty() {
                    last.text.push_str("\n\n");
                }
                last.text.push_str(&message.text);
                last.images.extend(message.images.iter().cloned());
                last.calls.extend(message.calls.iter().cloned());
                last.results.extend(message.results.iter().cloned());
            }
            Some(_) | None => turns.push(message.clone()),
        }
    }
    turns
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Reasoning; its text is dropped.
    Reasoning,
    /// Visible text, never empty.
    Text(String),
    /// A call of a tool. Handed on at the end alone, when the answer is known to be whole.
    Call(ToolCall),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub finish: Finish,
    /// The last usage that was sent.
    pub usage: Option<Usage>,
}

/// Why a body with a good status is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum WireFault {
    /// It holds an error: the JSON, for the classifier.
    Upstream(Value),
    /// It is not what the wire speaks.
    Malformed,
    /// A line, an event or the body is longer than any answer.
    TooLong,
    /// It broke off: no finish reason, no `[DONE]`.
    Unfinished,
    /// It says nothing at all.
    Empty,
    /// The model's text is the refusal of our client's version.
    VersionRefused,
}

/// What the wires have read so far.
#[derive(Debug, Default)]
struct Answer {
    /// Read and not yet handed on.
    found: Vec<Raw>,
    /// The calls so far.
    calls: Calls,
    finish: Option<Finish>,
    usage: Option<Usage>,
    /// The provider said that nothing follows.
    done: bool,
    /// Something of the wire was recognised.
    seen: bool,
}

/// A piece before tags and refusals are looked for.
#[derive(Debug)]
enum Raw {
    Reasoning,
    Content(String),
}

/// How the body is framed, decided by its first byte.
#[derive(Debug)]
enum Framing {
    Undecided,
    Sse(SseDecoder),
    Json(Vec<u8>),
}

/// Bytes that an unframed JSON answer may have.
const JSON_LIMIT: usize = 8 << 20;

/// Reads an answer from bytes.
#[derive(Debug)]
pub struct Decoder {
    wire: Wire,
    framing: Framing,
    answer: Answer,
    think: ThinkFilter,
    refusal: Option<RefusalWatch>,
}

impl Decoder {
    /// A decoder for one body.
    pub fn new(wire: Wire, quirks: &Quirks) -> Self {
        Self {
            wire,
            framing: Framing::Undecided,
            answer: Answer::default(),
            think: ThinkFilter::default(),
            refusal: quirks.version_refusal.clone().map(RefusalWatch::new),
        }
    }

    /// Takes bytes and appends the pieces that they complete.
    pub fn push(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), WireFault> {
        let mut bytes = bytes;
        if matches!(self.framing, Framing::Undecided) {
            let blank = |byte: &u8| byte.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(byte);
            let Some(start) = bytes.iter().position(|byte| !blank(byte)) else { return Ok(()) };
            bytes = bytes.get(start..).unwrap_or_default();
            self.framing = match bytes.first() {
                Some(b'{' | b'[') => Framing::Json(Vec::new()),
                Some(b'<') => return Err(WireFault::Malformed),
                Some(_) | None => Framing::Sse(SseDecoder::new()),
            };
        }
        match &mut self.framing {
            Framing::Undecided => Ok(()),
            Framing::Json(body) if body.len() + bytes.len() > JSON_LIMIT => Err(WireFault::TooLong),
            Framing::Json(body) => {
                body.extend_from_slice(bytes);
                Ok(())
            }
            Framing::Sse(decoder) => {
                let mut events = Vec::new();
                let result = decoder.push(bytes, &mut events);
                self.read(&events, pieces)?;
                result.map_err(|_| WireFault::TooLong)
            }
        }
    }

    /// The body has ended.
    pub fn finish(mut self, pieces: &mut Vec<Piece>) -> Result<End, WireFault> {
        let mut events = Vec::new();
        match std::mem::replace(&mut self.framing, Framing::Undecided) {
            Framing::Undecided => return Err(WireFault::Empty),
            Framing::Json(body) => {
                for value in parse(&String::from_utf8_lossy(&body))? {
                    self.value(value, pieces)?;
                }
                if !self.answer.seen {
                    return Err(WireFault::Malformed);
                }
                // The closing brace proves that it is whole, whatever the finish reason says.
                self.answer.done = true;
            }
            Framing::Sse(decoder) => {
                decoder.finish(&mut events).map_err(|_| WireFault::TooLong)?;
                match self.read(&events, pieces) {
                    // The connection ended inside an event.
                    Err(WireFault::Malformed) if self.answer.finish.is_none() => {
                        return Err(WireFault::Unfinished);
                    }
                    Err(WireFault::Malformed) | Ok(()) => {}
                    Err(fault) => return Err(fault),
                }
            }
        }
        self.end(pieces)
    }

    /// Whether the provider said that nothing follows: the connection need not end.
    pub fn is_done(&self) -> bool {
        self.answer.done
    }

    /// Whether a finish reason was read: only usage may follow.
    pub fn is_finishing(&self) -> bool {
        self.answer.finish.is_some()
    }

    fn end(mut self, pieces: &mut Vec<Piece>) -> Result<End, WireFault> {
        let Answer { calls, finish, usage, done, seen, .. } = std::mem::take(&mut self.answer);
        let finish = match finish {
            Some(finish) => finish,
            None if done => Finish::Stop,
            None if seen => return Err(WireFault::Unfinished),
            None => return Err(WireFault::Empty),
        };
        // What was held back is shown only now that the answer is known to be whole: a broken one starts again.
        let mut thoughts = Vec::new();
        self.think.finish(&mut thoughts);
        self.show(thoughts, pieces)?;
        if let Some(watch) = &mut self.refusal {
            watch.finish(pieces)?;
        }
        pieces.extend(calls.finish().map(Piece::Call));
        Ok(End { finish, usage })
    }

    fn read(&mut self, events: &[SseEvent], pieces: &mut Vec<Piece>) -> Result<(), WireFault> {
        for event in events {
            if self.answer.done {
                break;
            }
            let mut data = event.data.trim();
            // Some proxies leave the blank line between events out: then `[DONE]` rides on the last one.
            let ends = data.strip_suffix("[DONE]");
            data = ends.unwrap_or(data).trim();
            if !data.is_empty() {
                for value in parse(data)? {
                    if event.name == "error" {
                        return Err(WireFault::Upstream(value));
                    }
                    self.value(value, pieces)?;
                }
            }
            self.answer.done |= ends.is_some();
        }
        Ok(())
    }

    fn value(&mut self, value: Value, pieces: &mut Vec<Piece>) -> Result<(), WireFault> {
        let result = match (value, self.wire) {
            (Value::Array(values), _) => {
                return values.into_iter().try_for_each(|value| self.value(value, pieces));
            }
            (value, Wire::OpenaiChat) => openai_chat::read(value, &mut self.answer),
            (value, Wire::CodeAssist) => code_assist::read(value, &mut self.answer),
            (value, Wire::Gemini) => gemini::read(value, &mut self.answer),
            (value, Wire::AnthropicMessages) => anthropic_messages::read(value, &mut self.answer),
        };
        for raw in std::mem::take(&mut self.answer.found) {
            let mut thoughts = Vec::new();
            match (raw, self.wire) {
                (Raw::Reasoning, _) => thoughts.push(Thought::Hidden),
                (Raw::Content(text), Wire::OpenaiChat) => self.think.push(&text, &mut thoughts),
                (Raw::Content(text), Wire::CodeAssist | Wire::Gemini | Wire::AnthropicMessages) => {
                    thoughts.extend(Some(text).filter(|text| !text.is_empty()).map(Thought::Visible));
                }
            }
            self.show(thoughts, pieces)?;
        }
        result
    }

    fn show(&mut self, thoughts: Vec<Thought>, pieces: &mut Vec<Piece>) -> Result<(), WireFault> {
        for thought in thoughts {
            match (thought, &mut self.refusal) {
                (Thought::Hidden, _) => pieces.push(Piece::Reasoning),
                (Thought::Visible(text), None) => pieces.push(Piece::Text(text)),
                (Thought::Visible(text), Some(watch)) => watch.push(text, pieces)?,
            }
        }
        Ok(())
    }
}

/// Holds the first words of an answer back until they cannot be the refusal of our version any more.
#[derive(Debug)]
struct RefusalWatch {
    marker: String,
    held: Option<String>,
}

/// Characters that may stand before the marker in a refusal.
const REFUSAL_LEAD: usize = 24;

impl RefusalWatch {
    fn new(marker: String) -> Self {
        Self { marker, held: Some(String::new()) }
    }

    fn push(&mut self, text: String, pieces: &mut Vec<Piece>) -> Result<(), WireFault> {
        let Some(held) = &mut self.held else {
            pieces.push(Piece::Text(text));
            return Ok(());
        };
        held.push_str(&text);
        if held.chars().count() < self.marker.chars().count() + REFUSAL_LEAD {
            // It counts as a first event all the same.
            pieces.push(Piece::Reasoning);
            return Ok(());
        }
        self.finish(pieces)
    }

    fn finish(&mut self, pieces: &mut Vec<Piece>) -> Result<(), WireFault> {
        let Some(held) = self.held.take().filter(|held| !held.is_empty()) else { return Ok(()) };
        let beginning: String = held.chars().take(self.marker.chars().count() + REFUSAL_LEAD).collect();
        if beginning.contains(&self.marker) {
            return Err(WireFault::VersionRefused);
        }
        pieces.push(Piece::Text(held));
        Ok(())
    }
}

/// The JSON values of a text: one, or several one after the other.
fn parse(text: &str) -> Result<Vec<Value>, WireFault> {
    let read =
        |text: &str| serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>();
    read(text).or_else(|_| read(&without_stray_commas(text))).map_err(|_| WireFault::Malformed)
}

/// Google's error arrays are seen with commas too many (`[{…},,{…},]`): outside of strings they say nothing.
fn without_stray_commas(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let (mut quoted, mut escaped, mut comma) = (false, false, false);
    for c in text.chars() {
        if !quoted {
            match c {
                ',' => {
                    comma = true;
                    continue;
                }
                c if c.is_whitespace() => continue,
                ']' | '}' => comma = false,
                _ => {}
            }
            if std::mem::take(&mut comma) && !clean.ends_with(['[', '{']) {
                clean.push(',');
            }
        }
        clean.push(c);
        (quoted, escaped) = match (c, quoted, escaped) {
            ('"', _, false) => (!quoted, false),
            ('\\', true, false) => (true, true),
            _ => (quoted, false),
        };
    }
    clean
}

/// The roles of a wire's messages.
fn role_name(role: Role, assistant: &'static str) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => assistant,
    }
}

/// A count in a usage object; missing, null or odd is none.
fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}
