//! Where the next piece ends.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::{
    fence::{Fence, Inside},
    span::{self, Paragraph},
    units,
};

/// What a piece inherits from the one before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Carry {
    /// The fence that the cut was made in.
    fence: Option<Fence>,
    /// The cut was made inside a line: what follows is the rest of it and opens or closes nothing.
    mid_line: bool,
}

impl Carry {
    /// What the next piece begins with, so that it shows as the text would have.
    pub(super) fn opening(&self) -> String {
        let Some(fence) = &self.fence else { return String::new() };
        let quote = if self.mid_line { fence.quote() } else { String::new() };
        [fence.opening_line().as_str(), "\n", &quote].concat()
    }
}

/// A place to cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes of the text that belong to this piece; never 0.
    pub(super) at: usize,
    /// What this piece ends with.
    pub(super) closing: String,
    /// What the next piece inherits.
    pub(super) carry: Carry,
}

/// The first cut of `text`, or `None` while all of it fits. Depends on the text up to the first character that
/// does not fit, and on nothing behind it.
pub(super) fn next(text: &str, carry: &Carry, limit: usize, room: usize) -> Option<Cut> {
    let end = first_overflow(text, carry, limit, room)?;
    let known = text.get(..end).unwrap_or(text);
    let last = known.chars().next_back().map_or(0, char::len_utf8);
    let fitting = known.len() - last;
    if fitting == 0 {
        // One character beside the fences: cannot happen with the smallest limit, but must not loop.
        return Some(Cut { at: known.len(), closing: String::new(), carry: carry.clone() });
    }
    let lines = Lines::read(known, carry, room);
    let at = best(known, fitting, &lines, room);
    let (line, kind) = lines.at(at);
    let partial = known.get(line.range.start..at).unwrap_or_default();
    if partial.is_empty() && line.range.start == at {
        let closing = line.before.as_ref().map(Fence::closing_line).unwrap_or_default();
        let fence = match kind {
            Kind::Code | Kind::Closer => line.before.clone(),
            // The quote around the fence is over here.
            Kind::Text | Kind::Opener => None,
        };
        return Some(Cut { at, closing, carry: Carry { fence, mid_line: false } });
    }
    let (fence, closing) = state_in(line, partial, room);
    Some(Cut { at, closing, carry: Carry { fence, mid_line: true } })
}

/// What closes the fence that `text` ends in, if any.
pub(super) fn closing_at_end(text: &str, carry: &Carry, room: usize) -> String {
    let lines = Lines::read(text, carry, room);
    let (line, _) = lines.at(text.len());
    state_in(line, text.get(line.range.start..).unwrap_or_default(), room).1
}

/// The byte behind the first character that does not fit.
fn first_overflow(text: &str, carry: &Carry, limit: usize, room: usize) -> Option<usize> {
    let opening = units(&carry.opening());
    // A fence's closing takes less than `room`, so most text need not be looked at.
    if opening + units(text) + room <= limit {
        return None;
    }
    let mut used = opening;
    let mut line = Line::first(carry);
    for (at, c) in text.char_indices() {
        used += c.len_utf16();
        let end = at + c.len_utf8();
        if c == '\n' {
            line = line.followed_by(text, at, room);
        }
        if used > limit {
            return Some(end);
        }
        if used + room > limit {
            let partial = text.get(line.range.start..end).unwrap_or_default();
            if used + units(&state_in(&line, partial, room).1) > limit {
                return Some(end);
            }
        }
    }
    None
}

/// The fence that is open behind `partial`, the beginning of `line`, and what would close it there.
fn state_in(line: &Line, partial: &str, room: usize) -> (Option<Fence>, String) {
    match &line.before {
        Some(fence) if partial.is_empty() && !line.continued => (Some(fence.clone()), fence.closing_line()),
        Some(_) | None => state_behind(line, partial, room),
    }
}

/// The same behind a whole line: an empty one is then a line as well, and ends a quote.
fn state_behind(line: &Line, content: &str, room: usize) -> (Option<Fence>, String) {
    if line.continued {
        let closing = line.before.as_ref().map(|fence| ["\n", &fence.closing_line()].concat());
        return (line.before.clone(), closing.unwrap_or_default());
    }
    if let Some(fence) = &line.before {
        match fence.reads(content) {
            Inside::Closer => return (None, String::new()),
            Inside::Content => {
                let closing = fence.missing_of_closer(content);
                let closing = closing.unwrap_or_else(|| ["\n", &fence.closing_line()].concat());
                return (Some(fence.clone()), closing);
            }
            Inside::Left => {}
        }
    }
    match Fence::opened_by(content, room) {
        Some(fence) => {
            let closing = ["\n", &fence.closing_line()].concat();
            (Some(fence), closing)
        }
        None => (None, String::new()),
    }
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Text outside fences.
    Text,
    /// It opens a fence.
    Opener,
    /// Code.
    Code,
    /// It closes a fence.
    Closer,
}

/// One line of what is known.
#[derive(Debug, Clone)]
struct Line {
    /// Bytes, without the line end.
    range: Range<usize>,
    /// The fence open at its beginning.
    before: Option<Fence>,
    /// The rest of a line that began in the piece before.
    continued: bool,
}

impl Line {
    fn first(carry: &Carry) -> Self {
        Self { range: 0..0, before: carry.fence.clone(), continued: carry.mid_line }
    }

    /// The line that begins behind the line end at `end`.
    fn followed_by(&self, text: &str, end: usize, room: usize) -> Self {
        let line = text.get(self.range.start..end).unwrap_or_default();
        let (fence, _) = state_behind(self, line, room);
        Self { range: end + 1..end + 1, before: fence, continued: false }
    }

    fn kind(&self, text: &str, room: usize) -> Kind {
        let line = text.get(self.range.clone()).unwrap_or_default();
        match (&self.before, self.continued) {
            (Some(_), true) => return Kind::Code,
            (None, true) => return Kind::Text,
            (Some(fence), false) => match fence.reads(line) {
                Inside::Content => return Kind::Code,
                Inside::Closer => return Kind::Closer,
                Inside::Left => {}
            },
            (None, false) => {}
        }
        if Fence::opened_by(line, room).is_some() { Kind::Opener } else { Kind::Text }
    }
}

/// The known lines.
struct Lines {
    all: Vec<(Line, Kind)>,
}

impl Lines {
    fn read(text: &str, carry: &Carry, room: usize) -> Self {
        let mut all = Vec::new();
        let mut line = Line::first(carry);
        for (end, _) in text.match_indices('\n') {
            line.range.end = end;
            let next = line.followed_by(text, end, room);
            let kind = line.kind(text, room);
            all.push((line, kind));
            line = next;
        }
        line.range.end = text.len();
        let kind = line.kind(text, room);
        all.push((line, kind));
        Self { all }
    }

    /// The line that a position stands in; behind a line end it is the next one.
    fn at(&self, position: usize) -> &(Line, Kind) {
        let index = self.all.partition_point(|(line, _)| line.range.start <= position);
        &self.all[index.saturating_sub(1)]
    }

    /// Paragraphs of text outside fences.
    fn paragraphs(&self, text: &str) -> Vec<Paragraph> {
        let mut found: Vec<Paragraph> = Vec::new();
        let mut open = false;
        for (line, kind) in &self.all {
            let content = text.get(line.range.clone()).unwrap_or_default();
            if *kind != Kind::Text || content.trim().is_empty() {
                open = false;
                continue;
            }
            match found.last_mut() {
                Some(paragraph) if open && !span::begins_block(content) => {
                    paragraph.range.end = line.range.end;
                }
                Some(_) | None => found.push(Paragraph { range: line.range.clone(), grows: false }),
            }
            open = true;
        }
        // The last line may go on, and so may its paragraph. Behind a bare line end a line of text may follow.
        if let Some(paragraph) = found.last_mut()
            && (open || text.ends_with('\n'))
        {
            let gap = text.get(paragraph.range.end..).unwrap_or_default();
            paragraph.grows = gap.chars().filter(|c| *c == '\n').count() <= 1 && gap.trim().is_empty();
        }
        found
    }
}

/// How good a place is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Between paragraphs or blocks, the piece at least half full.
    Paragraph,
    /// Between lines of text, half full.
    TextLine,
    /// Between lines of code, half full.
    CodeLine,
    /// Between words, half full.
    Word,
    /// Between lines of text, anywhere.
    EarlyTextLine,
    /// Between lines of code, anywhere.
    EarlyCodeLine,
    /// Between words, anywhere.
    EarlyWord,
    /// Between scripts, or between signs that are no letters.
    Sign,
    /// Next to a fence, leaving an empty block behind.
    FenceLine,
    /// Inside a word.
    Letter,
}

/// The best place to cut within the first `fitting` bytes of `known`.
fn best(known: &str, fitting: usize, lines: &Lines, room: usize) -> usize {
    let spans: Vec<Range<usize>> = lines
        .paragraphs(known)
        .iter()
        .flat_map(|paragraph| span::protected(known, paragraph))
        // What begins the piece and does not end within it is longer than a message.
        .filter(|span| span.start > 0 || span.end <= fitting)
        .collect();
    let graphemes: Vec<usize> = known.grapheme_indices(true).map(|(at, _)| at).collect();
    let last = |allowed: &dyn Fn(usize) -> bool| {
        graphemes.iter().copied().rfind(|at| *at > 0 && *at <= fitting && allowed(*at))
    };
    ranked(known, fitting, lines, room, &graphemes, &spans)
        // A link or code that is longer than a message is cut, but never so that a fence seems to begin.
        .or_else(|| ranked(known, fitting, lines, room, &graphemes, &[]))
        .or_else(|| last(&|at| !known.get(at..).is_some_and(|rest| rest.starts_with(['`', '~', ' ', '\t']))))
        .or_else(|| last(&|_| true))
        // A grapheme that is longer than a message.
        .unwrap_or(fitting)
}

/// The best place that lies in no protected stretch and changes no line's meaning.
fn ranked(
    known: &str,
    fitting: usize,
    lines: &Lines,
    room: usize,
    graphemes: &[usize],
    spans: &[Range<usize>],
) -> Option<usize> {
    let inside_span = |at: usize| spans.iter().any(|span| span.start < at && at < span.end);
    let mut found: Option<(Rank, usize)> = None;
    let mut offer = |rank: Rank, at: usize| {
        if found.is_none_or(|(best, best_at)| rank < best || (rank == best && at > best_at)) {
            found = Some((rank, at));
        }
    };
    for (index, (line, kind)) in lines.all.iter().enumerate() {
        let start = line.range.start;
        if index > 0 && start <= fitting && !inside_span(start) {
            offer(line_rank(known, lines, index, start * 2 >= fitting), start);
        }
        let behind_line = line.range.end;
        if behind_line > 0
            && behind_line <= fitting
            && known.get(behind_line..).is_some_and(|rest| rest.starts_with('\n'))
            && graphemes.binary_search(&behind_line).is_ok()
            && matches!(kind, Kind::Text | Kind::Closer)
            && !inside_span(behind_line)
        {
            offer(if behind_line * 2 >= fitting { Rank::TextLine } else { Rank::EarlyTextLine }, behind_line);
        }
        if *kind == Kind::Text || *kind == Kind::Code {
            let first = graphemes.partition_point(|at| *at <= start);
            for at in graphemes.iter().skip(first).copied() {
                if at >= line.range.end || at > fitting {
                    break;
                }
                if inside_span(at) || !stays_what_it_is(known, line, *kind, at, room) {
                    continue;
                }
                if let Some(rank) = letter_rank(known, *kind, at, at * 2 >= fitting) {
                    offer(rank, at);
                }
            }
        }
    }
    found.map(|(_, at)| at)
}

/// How good the beginning of a line is.
fn line_rank(known: &str, lines: &Lines, index: usize, half_full: bool) -> Rank {
    let (line, kind) = &lines.all[index];
    let (before, kind_before) = &lines.all[index - 1];
    if line.before.is_some() && *kind != Kind::Text && *kind != Kind::Opener {
        return match (kind_before, kind) {
            (Kind::Opener, _) | (_, Kind::Closer) => Rank::FenceLine,
            _ if half_full => Rank::CodeLine,
            _ => Rank::EarlyCodeLine,
        };
    }
    let blank_before = known.get(before.range.clone()).is_some_and(|line| line.trim().is_empty());
    match (half_full, blank_before) {
        (true, true) => Rank::Paragraph,
        (true, false) => Rank::TextLine,
        (false, _) => Rank::EarlyTextLine,
    }
}

/// Whether both halves of a line mean what the whole means, once each stands in a message of its own.
fn stays_what_it_is(known: &str, line: &Line, kind: Kind, at: usize, room: usize) -> bool {
    let partial = known.get(line.range.start..at).unwrap_or_default();
    let (fence, closing) = state_in(line, partial, room);
    let same = match kind {
        // An unfinished closing line would be completed by the closing.
        Kind::Code => fence == line.before && closing.starts_with('\n'),
        Kind::Text => fence.is_none(),
        Kind::Opener | Kind::Closer => false,
    };
    let rest = known.get(at..).unwrap_or_default();
    let next = rest.chars().next().unwrap_or('\n');
    let harmless = match kind {
        Kind::Code => !matches!(next, '`' | '~' | '>') && !next.is_whitespace(),
        Kind::Text if matches!(next, '`' | '*') => begins_inline(rest, next),
        Kind::Text => {
            let marks = matches!(next, '~' | '#' | '>' | '-' | '+' | '|' | '=');
            !marks && !next.is_whitespace() && !next.is_ascii_digit()
        }
        Kind::Opener | Kind::Closer => false,
    };
    same && harmless
}

/// Whether a run of marks is known to begin inline code or emphasis, and no fence, list or rule.
fn begins_inline(rest: &str, mark: char) -> bool {
    let run = rest.chars().take_while(|c| *c == mark).count();
    let after = rest.chars().nth(run);
    run < 3 && after.is_some_and(|after| !after.is_whitespace())
}

/// How good a place inside a line is; `None` behind nothing but blanks.
fn letter_rank(known: &str, kind: Kind, at: usize, half_full: bool) -> Option<Rank> {
    let before = known.get(..at)?.chars().next_back()?;
    let next = known.get(at..)?.chars().next()?;
    if before == ' ' || before == '\t' {
        return Some(if half_full { Rank::Word } else { Rank::EarlyWord });
    }
    let together = before.is_ascii_graphic() && next.is_ascii_graphic();
    match kind {
        Kind::Text | Kind::Code if !together => Some(Rank::Sign),
        Kind::Text | Kind::Code | Kind::Opener | Kind::Closer => Some(Rank::Letter),
    }
}
