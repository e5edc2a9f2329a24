//! One turn of a conversation, and how the model sees who said it (D18).
//!
//! Labels and data are set off by brackets that no message can contain: wherever they occur in what somebody typed,
//! named themselves or attached, they become ordinary ones. So a forged label is just text.

use std::collections::BTreeMap;

use bytes::Bytes;
use unicode_segmentation::UnicodeSegmentation;

use super::{
    file::{Content, File},
    sentence,
};
use crate::{language::Language, llm::Image};

/// Set off labels and data; never part of what people send.
const OPENING: char = '⟦';
const CLOSING: char = '⟧';
/// Names are cut to this many graphemes.
const LONGEST_NAME: usize = 32;

/// Who spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// The bot itself.
    Bot,
    /// A person, or another bot.
    Person {
        /// Tells two people of one name apart.
        id: u64,
        /// The name as shown.
        name: String,
    },
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who spoke.
    pub speaker: Speaker,
    /// What was said.
    pub text: String,
    /// What came along.
    pub files: Vec<File>,
}

impl Turn {
    /// A turn of a person's.
    pub fn person(id: u64, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { speaker: Speaker::Person { id, name: name.into() }, text: text.into(), files: Vec::new() }
    }

    /// A turn of the bot's.
    pub fn bot(text: impl Into<String>) -> Self {
        Self { speaker: Speaker::Bot, text: text.into(), files: Vec::new() }
    }

    /// The same with its pictures named only: their bytes are let go.
    #[must_use]
    pub fn without_bytes(mut self) -> Self {
        for file in &mut self.files {
            if let Content::Picture(picture) = &mut file.content {
                picture.bytes = Bytes::new();
            }
        }
        self
    }
}

/// Whether turns carry their speaker's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labelling {
    /// Several people may speak.
    Named,
    /// Only one person can.
    Bare,
}

/// The labels of a conversation: one a person, no two alike.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    by_id: BTreeMap<u64, String>,
}

impl Labels {
    /// The labels of everybody who speaks in these turns.
    pub(super) fn of(turns: &[Turn]) -> Self {
        let mut labels = Self::default();
        for turn in turns {
            if let Speaker::Person { id, name } = &turn.speaker {
                labels.add(*id, name);
            }
        }
        labels
    }

    fn add(&mut self, id: u64, name: &str) {
        if self.by_id.contains_key(&id) {
            return;
        }
        let name = plain_name(name);
        let taken = |label: &str| self.by_id.values().any(|other| other.eq_ignore_ascii_case(label));
        let mut label = name.clone();
        let mut number = 2;
        while taken(&label) {
            label = format!("{name} ({number})");
            number += 1;
        }
        self.by_id.insert(id, label);
    }

    /// The turn as the model reads it.
    pub(super) fn render(&self, turn: &Turn, labelling: Labelling) -> (String, Vec<Image>) {
        let mut text = String::new();
        if let (Labelling::Named, Speaker::Person { id, .. }) = (labelling, &turn.speaker) {
            let label = self.by_id.get(id).map_or("somebody", String::as_str);
            text = format!("{OPENING}from {label}{CLOSING} ");
        }
        text.push_str(&harmless(&turn.text));
        let mut images = Vec::new();
        for file in &turn.files {
            let name = plain_name(&file.name);
            let line = match &file.content {
                Content::Text(content) => data(&format!("file {name}"), content),
                Content::Picture(picture) => {
                    let unseen = note(&format!("picture {name} is not shown: this model cannot see it"));
                    images.push(picture.image(unseen));
                    note(&format!("picture {name}"))
                }
                Content::Offered(_) => note(&format!("file {name} is not shown")),
                Content::Unread(why) => {
                    let why = sentence::why_unread(&Language::english(), *why);
                    note(&format!("file {name} is not shown: {why}"))
                }
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line);
        }
        (text, images)
    }
}

/// A remark of ours in the place of something.
pub(super) fn note(remark: &str) -> String {
    format!("{OPENING}{remark}{CLOSING}")
}

/// A delimited piece of data with a title of ours.
pub(super) fn data(title: &str, content: &str) -> String {
    format!("{OPENING}{title}{CLOSING}\n{}\n{OPENING}end of data{CLOSING}", harmless(content))
}

/// A text in which no label can stand.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            OPENING | '〚' => '[',
            CLOSING | '〛' => ']',
            other => other,
        })
        .collect()
}

/// A name on one line, without label brackets and signs that cannot be seen.
pub(super) fn plain_name(name: &str) -> String {
    let name = harmless(name);
    let visible = name.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c });
    let words: Vec<String> = visible.collect::<String>().split_whitespace().map(str::to_owned).collect();
    let short: String = words.join(" ").graphemes(true).take(LONGEST_NAME).collect();
    if short.is_empty() { "somebody".to_owned() } else { short }
}

/// Signs of no width, and those that turn the reading direction: two names that look alike would differ in them.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
