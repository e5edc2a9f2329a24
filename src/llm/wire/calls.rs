//! Calls of tools: put together from the pieces in which they come, and named again in the order in which they stand.

use serde_json::{Map, Value};

use super::{Answer, Message, Raw};
use crate::llm::{ToolCall, ToolResult};

/// Calls that one answer may have; what follows is left out.
const MOST: usize = 16;
/// Bytes that the arguments of one call may have.
const LONGEST: usize = 256 << 10;
/// Characters of a name that every provider takes back.
const LONGEST_NAME: usize = 64;

/// The calls of an answer while it comes in.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Open>);

/// A call of which more may come.
#[derive(Debug, Default)]
struct Open {
    index: Option<u64>,
    id: String,
    name: String,
    /// JSON text, or a part of it.
    arguments: String,
    signature: Option<String>,
}

/// A piece of a call, or a whole one.
#[derive(Debug, Default)]
pub(super) struct CallPiece<'a> {
    /// Which call of the answer it belongs to, where the provider counts them.
    pub(super) index: Option<u64>,
    /// The provider's name for the call; comes with its first piece.
    pub(super) id: &'a str,
    /// The tool; comes with the first piece.
    pub(super) name: &'a str,
    /// More of the arguments' text.
    pub(super) arguments: &'a str,
    /// Gemini's seal.
    pub(super) signature: Option<&'a str>,
}

impl Answer {
    /// Takes a piece of a call, which shows that the model is at work.
    pub(super) fn call(&mut self, piece: &CallPiece<'_>) {
        self.found.push(Raw::Reasoning);
        self.calls.push(piece);
    }
}

impl Calls {
    /// A piece goes on with the call of its index; without one, with the last. Another id begins another call, whatever the
    /// index: some servers count all of them as the first.
    fn push(&mut self, piece: &CallPiece<'_>) {
        let same = |open: &Open| {
            let is_named = piece.index.is_some() || (piece.id.is_empty() && piece.name.is_empty());
            is_named
                && (piece.index.is_none() || open.index == piece.index)
                && (piece.id.is_empty() || open.id.is_empty() || open.id == piece.id)
        };
        let place = self.0.iter().rposition(same).unwrap_or(self.0.len());
        if place == MOST {
            return;
        }
        if place == self.0.len() {
            self.0.push(Open { index: piece.index, ..Open::default() });
        }
        let Some(open) = self.0.get_mut(place) else { return };
        if open.id.is_empty() {
            piece.id.clone_into(&mut open.id);
        }
        if open.name.is_empty() {
            piece.name.clone_into(&mut open.name);
        }
        // One byte more than may be there says that it was too much.
        let room = (LONGEST + 1).saturating_sub(open.arguments.len());
        let fits = piece.arguments.floor_char_boundary(room);
        open.arguments.extend(piece.arguments.get(..fits));
        if let Some(signature) = piece.signature {
            open.signature = Some(signature.to_owned());
        }
    }

    /// The answer has ended.
    pub(super) fn finish(self) -> impl Iterator<Item = ToolCall> {
        self.0.into_iter().map(|Open { name, arguments, signature, .. }| ToolCall {
            name: writable(&name),
            arguments: read(&arguments),
            signature,
        })
    }
}

/// A name that no provider refuses when it gets it back.
fn writable(name: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = name.chars().filter(plain).take(LONGEST_NAME).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// Arguments that are left out are none.
fn read(text: &str) -> Option<Map<String, Value>> {
    if text.trim().is_empty() {
        return Some(Map::new());
    }
    if text.len() > LONGEST {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Names the calls of a conversation, and finds the one that a result belongs to. The names are ours, the same on every wire
/// and with every provider: nine letters and digits, since Mistral takes nothing else.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    last: usize,
    /// The calls of the last message that had any: id, and tool.
    open: Vec<(String, String)>,
}

impl Numbering {
    /// The calls of a message, with their ids.
    pub(super) fn calls<'a>(&mut self, message: &'a Message) -> Vec<(String, &'a ToolCall)> {
        let mut named = Vec::new();
        for call in &message.calls {
            self.last += 1;
            named.push((format!("call{:05}", self.last), call));
        }
        if !named.is_empty() {
            self.open = named.iter().map(|(id, call)| (id.clone(), call.name.clone())).collect();
        }
        named
    }

    /// The results of a message, with id and tool of their calls.
    pub(super) fn results<'a>(&mut self, message: &'a Message) -> Vec<(String, String, &'a ToolResult)> {
        let calls = std::mem::take(&mut self.open).into_iter();
        calls.zip(&message.results).map(|((id, name), result)| (id, name, result)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece<'a>(index: Option<u64>, id: &'a str, name: &'a str, arguments: &'a str) -> CallPiece<'a> {
        CallPiece { index, id, name, arguments, signature: None }
    }

    fn put_together(pieces: &[CallPiece<'_>]) -> Vec<(String, Option<String>)> {
        let mut calls = Calls::default();
        for piece in pieces {
            calls.push(piece);
        }
        let shown = |call: ToolCall| (call.name, call.arguments.map(|it| Value::Object(it).to_string()));
        calls.finish().map(shown).collect()
    }

    fn call(name: &str, arguments: &str) -> (String, Option<String>) {
        (name.to_owned(), Some(arguments.to_owned()))
    }

    #[test]
    fn pieces_find_their_call_however_it_is_counted() {
        let both = [call("a", r#"{"x":1}"#), call("b", "{}")];
        let mixed = [
            piece(Some(0), "1", "a", ""),
            piece(Some(1), "2", "b", "{"),
            piece(Some(0), "", "", r#"{"x":"#),
            piece(Some(1), "", "", "}"),
            piece(Some(0), "", "", "1}"),
        ];
        assert_eq!(put_together(&mixed), both);
        let all_first = [piece(Some(0), "1", "a", r#"{"x":1}"#), piece(Some(0), "2", "b", "{}")];
        assert_eq!(put_together(&all_first), both);
        let uncounted =
            [piece(None, "1", "a", r#"{"x""#), piece(None, "", "", ":1}"), piece(None, "", "b", "")];
        assert_eq!(put_together(&uncounted), both);
        let named_again = [piece(Some(0), "1", "a", r#"{"x""#), piece(Some(0), "1", "a", ":1}")];
        assert_eq!(put_together(&named_again), [call("a", r#"{"x":1}"#)]);
    }

    #[test]
    fn what_is_no_object_is_said_to_be_none_and_no_name_can_be_refused() {
        let found = put_together(&[
            piece(Some(0), "", "../étc pass", "{\"x\": oops"),
            piece(Some(1), "", "", "[1]"),
            piece(Some(2), "", "late", " "),
        ]);
        assert_eq!(found, [("tcpass".to_owned(), None), ("unknown".to_owned(), None), call("late", "{}")]);
    }

    #[test]
    fn calls_are_bounded_in_number_and_size() {
        let long = format!(r#"{{"x":"{}"#, "é".repeat(LONGEST));
        let many: Vec<_> = (0..100).map(|index| piece(Some(index), "", "a", &long)).collect();
        let mut calls = Calls::default();
        for piece in &many {
            calls.push(piece);
        }
        assert!(calls.0.iter().all(|open| open.arguments.len() <= LONGEST + 1));
        assert_eq!(calls.finish().map(|call| call.arguments).collect::<Vec<_>>(), vec![None; MOST]);
    }
}
