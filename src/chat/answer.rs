//! An answer as messages: pieces of text, small lines below them, and the rest as a file (D8).

use super::{
    Payload,
    splitter::{Bound, Piece, Splitter, units},
    table::Tables,
};
use crate::language::{Language, say};

/// Messages that an answer fills before the rest becomes a file.
pub const MOST_MESSAGES: usize = 4;
/// The file's name.
const FILE_NAME: &str = "answer-continued.md";
/// Units kept free in the last message for the line about the file.
const RESERVE: usize = 80;

/// The line about the file, in the answer's language.
fn file_later(language: &Language) -> String {
    format!("\n-# {}", say!(language, "file-later"))
}

fn file_attached(language: &Language) -> String {
    format!("\n-# {}", say!(language, "file-attached"))
}

fn file_refused(language: &Language) -> String {
    format!("\n-# {}", say!(language, "file-refused"))
}

/// The text of one answer while it grows.
#[derive(Debug, Clone)]
pub struct Answer {
    limit: usize,
    language: Language,
    /// The model's own.
    text: String,
    tables: Tables,
    splitter: Splitter,
}

impl Answer {
    /// An empty answer for messages of `limit` UTF-16 units, with its small lines in a language.
    pub fn new(limit: usize, language: Language) -> Self {
        let bound = Bound { pieces: MOST_MESSAGES, reserve: RESERVE };
        Self {
            limit,
            language,
            text: String::new(),
            tables: Tables::default(),
            splitter: Splitter::bounded(limit, bound),
        }
    }

    /// Appends text of the model's.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.splitter.push(&self.tables.push(text));
    }

    /// The model's text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing to see yet.
    pub fn is_blank(&self) -> bool {
        self.text().trim().is_empty()
    }

    /// What the messages show while more is coming. Empty until there is something to see.
    pub fn growing(&self) -> Vec<Payload> {
        let ahead = self.splitter.ahead(&self.tables.growing());
        let mut payloads = shown(&ahead.pieces());
        if let Some(last) = payloads.last_mut() {
            if ahead.overflows() {
                last.text.push_str(&file_later(&self.language));
            }
            last.streaming = true;
        }
        payloads
    }

    /// The same with a line below that is there for a while: no message is made for it, since none could be taken back.
    pub fn growing_above(&self, line: &str) -> Vec<Payload> {
        let mut payloads = self.growing();
        let Some(last) = payloads.last_mut() else {
            return vec![Payload { text: line.to_owned(), streaming: true, ..Payload::default() }];
        };
        let room = self.limit.saturating_sub(units(line) + 1);
        if units(&last.text) > room {
            // What stands there is whole again once the line is gone.
            let mut shorter = Splitter::new(room);
            shorter.push(&last.text);
            last.text = shorter.pieces().first().map(Piece::text).unwrap_or_default();
        }
        if !last.text.ends_with('\n') {
            last.text.push('\n');
        }
        last.text.push_str(line);
        payloads
    }

    /// What the messages show at last, with small lines or a sentence below the text.
    pub fn finished(&self, below: &[String]) -> Vec<Payload> {
        let whole = self.splitter.ahead(&self.tables.rest());
        let (attached, refused) = (file_attached(&self.language), file_refused(&self.language));
        let mut payloads = shown(&whole.pieces());
        if let (Some(last), Some(rest)) = (payloads.last_mut(), whole.overflow()) {
            last.text.push_str(&attached);
            last.attachment = Some((FILE_NAME.to_owned(), rest.text().into_bytes()));
        }
        // Room for the longer line that stands there where the file is refused.
        let room = self.limit - units(&refused).saturating_sub(units(&attached));
        for line in below {
            let has_file = payloads.last().is_some_and(|last| last.attachment.is_some());
            append(&mut payloads, line, if has_file { room } else { self.limit });
        }
        payloads
    }
}

/// A message whose file was refused, as it is shown without: the line about the file says so. It fits whatever
/// limit the answer was made for.
pub fn without_file(payload: &Payload, language: &Language) -> Payload {
    let text = match payload.text.rsplit_once(&file_attached(language)) {
        Some((text, below)) => format!("{text}{}{below}", file_refused(language)),
        None => payload.text.clone(),
    };
    Payload { text, attachment: None, ..payload.clone() }
}

/// Discord trims messages and refuses blank ones, so a blank piece is not shown.
fn shown(pieces: &[Piece]) -> Vec<Payload> {
    let texts = pieces.iter().filter(|piece| !piece.body.trim().is_empty()).map(Piece::text);
    texts.map(|text| Payload { text, ..Payload::default() }).collect()
}

/// Puts a line below the last message's text, on a line of its own so that it cannot spoil a closing fence; in a
/// message of its own where it does not fit.
fn append(payloads: &mut Vec<Payload>, line: &str, limit: usize) {
    if let Some(last) = payloads.last_mut() {
        let gap = if last.text.ends_with('\n') { "" } else { "\n" };
        if units(&last.text) + gap.len() + units(line) <= limit {
            last.text.push_str(gap);
            last.text.push_str(line);
            return;
        }
    }
    payloads.push(Payload { text: line.to_owned(), ..Payload::default() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Languages;

    fn answer(text: &str) -> Answer {
        answer_in(&Language::english(), text)
    }

    fn answer_in(language: &Language, text: &str) -> Answer {
        let mut answer = Answer::new(2000, language.clone());
        answer.push(text);
        answer
    }

    fn every_language() -> Vec<Language> {
        let all = Languages::built_in();
        all.names().filter_map(|name| all.named(name)).collect()
    }

    #[test]
    fn d8_in_every_language_the_line_about_the_file_fits_below() {
        for language in every_language() {
            for line in [file_later(&language), file_attached(&language), file_refused(&language)] {
                assert!(units(&line) <= RESERVE, "{language:?}: {line}");
            }
        }
    }

    #[test]
    fn a_line_below_never_stands_on_a_closing_fence() {
        let payloads = answer("```rust\nlet a = 1;\n```").finished(&["-# cut short".to_owned()]);
        assert_eq!(payloads[0].text, "```rust\nlet a = 1;\n```\n-# cut short");
        let open = answer("```rust\nlet a").finished(&["-# cut short".to_owned()]);
        assert_eq!(open[0].text, "```rust\nlet a\n```\n-# cut short");
    }

    #[test]
    fn a_line_for_a_while_makes_no_message_and_leaves_fences_closed() {
        let line = format!("-# 🔧 `{}`", "x".repeat(100));
        for text in ["", "short", &"x".repeat(1999), &format!("```rust\n{}", "let a = 1;\n".repeat(180))] {
            let (growing, above) = (answer(text).growing(), answer(text).growing_above(&line));
            assert_eq!(above.len(), growing.len().max(1));
            let last = above.last().unwrap();
            assert!(
                last.streaming && last.text.ends_with(&line) && units(&last.text) <= 2000,
                "{}",
                last.text
            );
            assert_eq!(last.text.matches("```").count() % 2, 0, "{}", last.text);
        }
    }

    #[test]
    fn a_line_that_does_not_fit_becomes_a_message() {
        let payloads = answer(&"x".repeat(1995)).finished(&["-# cut short".to_owned()]);
        assert_eq!(payloads.iter().map(|p| units(&p.text)).collect::<Vec<_>>(), [1995, 12]);
    }

    #[test]
    fn d8_four_messages_and_the_rest_as_a_file() {
        let text = "All work and no play. ".repeat(600);
        let payloads = answer(&text).finished(&[]);
        assert_eq!(payloads.len(), MOST_MESSAGES);
        assert!(payloads.iter().all(|payload| units(&payload.text) <= 2000));
        assert!(payloads.iter().take(3).all(|payload| payload.attachment.is_none()));
        let (name, rest) = payloads[3].attachment.clone().expect("the file");
        assert_eq!(name, FILE_NAME);
        let mut whole: String = payloads.iter().map(|payload| payload.text.as_str()).collect();
        whole.truncate(whole.len() - file_attached(&Language::english()).len());
        assert_eq!(whole + &String::from_utf8(rest).expect("text"), text);
    }

    #[test]
    fn d8_where_files_are_refused_the_message_says_so_and_fits() {
        let lengths = |language| (1..200).map(move |length| (language, length));
        for (language, length) in every_language().iter().flat_map(lengths) {
            let answer = answer_in(language, &"All work and no play. ".repeat(600));
            let below = format!("-# {}", "y".repeat(length));
            let payloads = answer.finished(std::slice::from_ref(&below));
            let shown = without_file(&payloads[3], language);
            assert!(units(&shown.text) <= 2000, "{length}");
            assert!(shown.attachment.is_none());
            let (attached, refused) = (file_attached(language), file_refused(language));
            assert!(shown.text.contains(&refused) && !shown.text.contains(&attached));
            let all: String = payloads
                .iter()
                .skip(3)
                .map(|payload| without_file(payload, language).text)
                .collect::<Vec<_>>()
                .join("\n");
            assert!(all.ends_with(&below), "{all}");
        }
    }

    #[test]
    fn d8_while_it_grows_the_last_message_says_that_a_file_comes() {
        let payloads = answer(&"All work and no play. ".repeat(600)).growing();
        assert_eq!(payloads.len(), MOST_MESSAGES);
        assert!(
            payloads[3].text.ends_with(&file_later(&Language::english())) && payloads[3].attachment.is_none()
        );
        assert_eq!(payloads.iter().map(|p| p.streaming).collect::<Vec<_>>(), [false, false, false, true]);
    }

    #[test]
    fn d7_a_table_is_shown_aligned_while_it_streams_and_the_models_text_is_kept() {
        let text = "So:\n| a | b |\n|---|---|\n| 1 | 22";
        let grown = answer(text);
        assert_eq!(grown.growing()[0].text, "So:\n```\na | b\n--+---\n1 | 22\n```");
        let finished = grown.finished(&["-# cut short".to_owned()]);
        assert_eq!(finished[0].text, "So:\n```\na | b\n--+---\n1 | 22\n```\n-# cut short");
        assert_eq!(grown.text(), text);
    }

    #[test]
    fn d7_a_table_longer_than_a_message_goes_on_in_the_next_as_code() {
        let rows: Vec<String> = (0..200).map(|n| format!("| row {n} | {} |\n", n * n)).collect();
        let payloads = answer(&format!("| name | square |\n|---|--:|\n{}", rows.concat())).finished(&[]);
        assert!(payloads.len() > 1);
        for payload in &payloads {
            assert!(payload.text.starts_with("```\n") && payload.text.trim_end().ends_with("```"));
            assert!(units(&payload.text) <= 2000);
        }
    }

    #[test]
    fn blank_text_is_not_shown() {
        assert_eq!(answer("\n \n").growing(), []);
        assert_eq!(answer("\n \n").finished(&["Nothing came.".to_owned()])[0].text, "Nothing came.");
    }
}
