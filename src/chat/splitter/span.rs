//! Stretches of inline text that must stay in one message: code, links, mentions, addresses, escapes.
//!
//! The scan sees only what has arrived. What is open at the end of a paragraph that may still grow counts as
//! protected, because its other half may come; that is what keeps earlier cuts stable while text streams in.

use std::ops::Range;

use super::fence;

/// A paragraph: where it stands, and whether it may still grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paragraph {
    /// Bytes in the text.
    pub(super) range: Range<usize>,
    /// Whether it reaches the end of what has arrived.
    pub(super) grows: bool,
}

/// Whether a line outside a fence begins a block of its own, so that no inline markup reaches across.
pub(super) fn begins_block(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t', '>']);
    line.starts_with('#') || line.starts_with("-# ") || fence::list_marker(line).is_some()
}

/// The protected stretches of a paragraph, in bytes of `text`. One that is still open ends at `usize::MAX`.
pub(super) fn protected(text: &str, paragraph: &Paragraph) -> Vec<Range<usize>> {
    let Some(inner) = text.get(paragraph.range.clone()) else { return Vec::new() };
    let offset = paragraph.range.start;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = tail(inner, at).chars().next() {
        let reach = match next {
            '\\' => escape(inner, at),
            '`' => code(inner, at, paragraph.grows),
            '<' => angle(inner, at, paragraph.grows),
            '[' => link(inner, at, paragraph.grows),
            '!' if tail(inner, at).starts_with("![") => link(inner, at + 1, paragraph.grows),
            'h' => address(inner, at, paragraph.grows),
            _ => Reach::Nothing(next.len_utf8()),
        };
        match reach {
            Reach::Nothing(width) => at += width,
            Reach::Closed(end) => {
                found.push(offset + at..offset + end);
                at = end;
            }
            Reach::Open(width) => {
                found.push(offset + at..usize::MAX);
                at += width;
            }
        }
    }
    found
}

/// What begins at a position.
enum Reach {
    /// Nothing that needs protection: go on after so many bytes.
    Nothing(usize),
    /// A stretch that ends before this byte.
    Closed(usize),
    /// A stretch whose end may still come: go on after so many bytes.
    Open(usize),
}

fn tail(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// A backslash and the mark that it takes the meaning from.
fn escape(text: &str, at: usize) -> Reach {
    match tail(text, at + 1).chars().next() {
        Some(c) if c.is_ascii_punctuation() => Reach::Closed(at + 2),
        Some(_) | None => Reach::Nothing(1),
    }
}

/// Inline code: a run of backticks up to the next run of the same length (`CommonMark` 6.1).
fn code(text: &str, at: usize, grows: bool) -> Reach {
    let run = run_of_backticks(text, at);
    let mut search = at + run;
    while let Some(found) = tail(text, search).find('`') {
        let start = search + found;
        let other = run_of_backticks(text, start);
        let may_grow = grows && start + other == text.len();
        if other == run && !may_grow {
            return Reach::Closed(start + other);
        }
        search = start + other;
    }
    if grows { Reach::Open(run) } else { Reach::Nothing(run) }
}

fn run_of_backticks(text: &str, at: usize) -> usize {
    tail(text, at).bytes().take_while(|byte| *byte == b'`').count()
}

/// A mention, a custom emoji, a timestamp, a command (`</name sub:1>`), or an address in angle brackets.
fn angle(text: &str, at: usize, grows: bool) -> Reach {
    let rest = tail(text, at + 1);
    let blanks_allowed = rest.starts_with('/');
    for (index, c) in rest.char_indices() {
        match c {
            '>' if index > 0 => return Reach::Closed(at + 1 + index + 1),
            ' ' if blanks_allowed => {}
            c if matches!(c, '<' | '>') || c.is_whitespace() => return Reach::Nothing(1),
            _ => {}
        }
    }
    if grows { Reach::Open(1) } else { Reach::Nothing(1) }
}

/// `[text](address)` or `[text][label]`.
fn link(text: &str, at: usize, grows: bool) -> Reach {
    let open = if grows { Reach::Open(1) } else { Reach::Nothing(1) };
    let Some(close) = matching(text, at, '[', ']') else { return open };
    let target = match tail(text, close).chars().next() {
        Some('(') => matching(text, close, '(', ')'),
        Some('[') => matching(text, close, '[', ']'),
        // The address may still come.
        None => return open,
        Some(_) => return Reach::Nothing(1),
    };
    match target {
        Some(end) => Reach::Closed(end),
        None => open,
    }
}

/// The byte behind the bracket that matches the one at `at`, escapes left aside.
fn matching(text: &str, at: usize, opening: char, closing: char) -> Option<usize> {
    let mut depth = 0usize;
    let mut escaped = false;
    for (index, c) in tail(text, at).char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == opening {
            depth += 1;
        } else if c == closing {
            depth -= 1;
            if depth == 0 {
                return Some(at + index + c.len_utf8());
            }
        }
    }
    None
}

/// A bare web address.
fn address(text: &str, at: usize, grows: bool) -> Reach {
    let rest = tail(text, at);
    if !rest.starts_with("http://") && !rest.starts_with("https://") {
        return Reach::Nothing(1);
    }
    match rest.find(char::is_whitespace) {
        Some(end) => Reach::Closed(at + end),
        None if grows => Reach::Open(1),
        None => Reach::Closed(text.len()),
    }
}
