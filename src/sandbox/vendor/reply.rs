//! What an emulated model says: a scripted reply, or a pleasant answer that names what was asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    pictures::{Picture, said},
    tools::{self, Called, Tooling},
};

/// One answer of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Thinking that goes before the text.
    #[serde(default)]
    pub reasoning: Vec<String>,
    /// The text, in the pieces in which it is streamed.
    pub pieces: Vec<String>,
    /// The tools that it calls after the text.
    #[serde(default)]
    pub calls: Vec<Called>,
    /// The pause before each piece, in milliseconds; `None` is the provider's own pace.
    #[serde(default)]
    pub pace_millis: Option<u64>,
    /// Why it ends: `stop` or `length`; Code Assist says `STOP` and `MAX_TOKENS`.
    #[serde(default = "stop")]
    pub finish: String,
}

fn stop() -> String {
    "stop".to_owned()
}

impl Reply {
    /// This text, two words a piece.
    pub fn text(text: &str) -> Self {
        Self::of(pieces_of(text))
    }

    /// These pieces.
    pub fn pieces(pieces: &[&str]) -> Self {
        Self::of(pieces.iter().map(|piece| (*piece).to_owned()).collect())
    }

    fn of(pieces: Vec<String>) -> Self {
        Self { reasoning: Vec::new(), pieces, calls: Vec::new(), pace_millis: None, finish: stop() }
    }

    /// With thinking before the text.
    #[must_use]
    pub fn thinking(self, reasoning: &[&str]) -> Self {
        Self { reasoning: reasoning.iter().map(|piece| (*piece).to_owned()).collect(), ..self }
    }

    /// Calling a tool after the text; the arguments go out as they are.
    #[must_use]
    pub fn calling(mut self, name: &str, arguments: &str) -> Self {
        self.calls.push(Called { name: name.to_owned(), arguments: arguments.to_owned() });
        self
    }

    /// Why it ends, in the words of a vendor for one that calls tools.
    pub(super) fn ending<'a>(&'a self, calls: &'a str) -> &'a str {
        if self.calls.is_empty() || self.finish != "stop" { &self.finish } else { calls }
    }

    /// At this pace.
    #[must_use]
    pub fn paced(self, pace: Duration) -> Self {
        Self { pace_millis: Some(u64::try_from(pace.as_millis()).unwrap_or(u64::MAX)), ..self }
    }

    /// With another reason to end.
    #[must_use]
    pub fn finishing(self, finish: &str) -> Self {
        Self { finish: finish.to_owned(), ..self }
    }

    /// The whole text.
    pub fn full_text(&self) -> String {
        self.pieces.concat()
    }

    /// Tokens of the answer as the emulator counts them: one a word, and one a call.
    pub(super) fn completion_tokens(&self) -> u64 {
        words(&self.full_text()) + u64::try_from(self.calls.len()).unwrap_or_default()
    }
}

/// Words of a text, which stand for tokens here.
pub(super) fn words(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}

/// A question without the speaker's label in front of it, which a model would not repeat: `⟦from Ada⟧ hello`.
fn without_label(question: &str) -> &str {
    question.strip_prefix('⟦').and_then(|rest| rest.split_once('⟧')).map_or(question, |(_, said)| said.trim())
}

/// The answer when nothing is scripted. The same question gets the same answer.
///
/// A question with the word `code` gets a fenced block, one with `long` a text of several Discord messages: somebody
/// who tries the sandbox wants to see how these arrive. `use tool NAME with {…}` calls that tool, where it is offered.
pub(super) fn unscripted(
    name: &str,
    model: &str,
    question: &str,
    turn: usize,
    (pictures, tooling): (&[Picture], &Tooling),
) -> Reply {
    if !tooling.results.is_empty() {
        return Reply::text(&tools::told(&tooling.results));
    }
    let question = without_label(question.trim());
    let calls = tools::asked_for(question, &tooling.offered);
    if !calls.is_empty() {
        return Reply { calls, ..Reply::text("Let me see. ") };
    }
    let mut quoted: String = question.chars().take(160).collect();
    if question.chars().count() > 160 {
        quoted.push('…');
    }
    let asked = if quoted.is_empty() {
        "You said nothing at all, which is a fine way to begin.".to_owned()
    } else {
        format!("You said: “{quoted}”.")
    };
    let lower = question.to_lowercase();
    let rest = if lower.contains("code") {
        "Here is a little of it:\n\n```rust\nfn main() {\n    println!(\"Hello from the sandbox\");\n}\n```\n\nIt prints one line and is done."
            .to_owned()
    } else if lower.contains("long") {
        (1..=40)
            .map(|paragraph| {
                format!(
                    "{paragraph}. This paragraph is here to fill more than one message, so that you can watch a long answer being split at a place that reads well, while the earlier parts stay where they are."
                )
            })
            .collect::<Vec<_>>()
            .join("\n\n")
    } else {
        format!(
            "This is turn {turn} of our conversation, and I answer in small pieces, as the real service would."
        )
    };
    Reply::text(&format!("Hello! I am the emulated {name} ({model}). {asked}{} {rest}", said(pictures)))
}

/// Two words a piece, white space kept.
fn pieces_of(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    words.chunks(2).map(<[&str]>::concat).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lose_nothing() {
        let text = "one  two\n\nthree four\tfive ";
        assert_eq!(Reply::text(text).full_text(), text);
        assert!(Reply::text(text).pieces.len() > 2);
    }

    #[test]
    fn the_same_question_gets_the_same_answer() {
        let answer = || unscripted("Qwen Code", "coder-model", "hello", 1, (&[], &Tooling::default()));
        assert_eq!(answer(), answer());
        assert!(answer().full_text().contains("“hello”"));
        assert!(
            unscripted("x", "y", "a long one", 1, (&[], &Tooling::default())).full_text().chars().count()
                > 4_000
        );
    }
}
