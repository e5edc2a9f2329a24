//! Code fences, line by line, as `CommonMark` 0.31 section 4.5 has them, read as Discord shows them.
//!
//! Two deviations, both because Discord knows neither indented code nor list containers: an opening fence may be
//! indented by any amount or stand behind a list marker, and only the end of a quote ends a fence early.

/// An open code fence: what is needed to close it and to open it again in the next message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::chat) struct Fence {
    /// How many `>` stand before it.
    depth: usize,
    /// Columns between the quote and the marker; a list marker counts as blanks.
    indent: usize,
    /// `` ` `` or `~`.
    marker: char,
    /// How many markers opened it: at least as many close it.
    run: usize,
    /// The info string's first word.
    language: String,
}

/// What a line inside an open fence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chat) enum Inside {
    /// Code.
    Content,
    /// The closing fence.
    Closer,
    /// The quote around the fence is over, and so is the fence: the line stands outside.
    Left,
}

impl Fence {
    /// Reads an opening fence. One that takes more than `room` units to close and open again is treated as text.
    pub(in crate::chat) fn opened_by(line: &str, room: usize) -> Option<Self> {
        let (depth, rest) = strip_quotes(line, usize::MAX);
        let (indent, rest) = strip_indent(rest);
        let (listed, rest) = strip_list_markers(rest);
        let marker = rest.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let run = rest.chars().take_while(|c| *c == marker).count();
        let info = rest.trim_start_matches(marker).trim();
        if run < 3 || (marker == '`' && info.contains('`')) {
            return None;
        }
        let language = info.split_whitespace().next().unwrap_or_default().to_owned();
        let mut fence = Self { depth, indent: indent + listed, marker, run, language };
        if fence.overhead() > room {
            fence.language.clear();
        }
        (fence.overhead() <= room).then_some(fence)
    }

    /// What a complete line means while this fence is open.
    pub(in crate::chat) fn reads(&self, line: &str) -> Inside {
        let (depth, rest) = strip_quotes(line, self.depth);
        if depth < self.depth {
            return Inside::Left;
        }
        let (indent, rest) = strip_indent(rest);
        let run = rest.chars().take_while(|c| *c == self.marker).count();
        let after = rest.trim_start_matches(self.marker);
        if run >= self.run && indent <= self.indent + 3 && after.trim().is_empty() {
            Inside::Closer
        } else {
            Inside::Content
        }
    }

    /// The markers that an unfinished line lacks to be this fence's closing line.
    pub(super) fn missing_of_closer(&self, partial: &str) -> Option<String> {
        let (depth, rest) = strip_quotes(partial, self.depth);
        let (indent, rest) = strip_indent(rest);
        let run = rest.chars().count();
        let only_markers = run > 0 && rest.chars().all(|c| c == self.marker);
        (depth == self.depth && indent <= self.indent + 3 && only_markers && run < self.run)
            .then(|| self.marker.to_string().repeat(self.run - run))
    }

    /// The line that closes it.
    pub(super) fn closing_line(&self) -> String {
        let mut line = self.quote();
        line.extend(std::iter::repeat_n(' ', self.indent));
        line.extend(std::iter::repeat_n(self.marker, self.run));
        line
    }

    /// The line that opens it again, language and all.
    pub(super) fn opening_line(&self) -> String {
        self.closing_line() + &self.language
    }

    /// The quote marks that each of its lines carries.
    pub(super) fn quote(&self) -> String {
        "> ".repeat(self.depth)
    }

    /// Units that opening it again and closing it take at most, with their line ends.
    fn overhead(&self) -> usize {
        let opening = self.opening_line().encode_utf16().count() + 1 + self.quote().len();
        opening + self.closing_line().len() + 1
    }
}

/// Takes up to `limit` quote marks off a line: how many there were, and what follows.
fn strip_quotes(line: &str, limit: usize) -> (usize, &str) {
    let mut rest = line;
    let mut depth = 0;
    while depth < limit {
        let Some(after) = rest.trim_start_matches(' ').strip_prefix('>') else { break };
        rest = after.strip_prefix(' ').unwrap_or(after);
        depth += 1;
    }
    (depth, rest)
}

/// Takes blanks off a line: how many columns, and what follows.
fn strip_indent(line: &str) -> (usize, &str) {
    let rest = line.trim_start_matches([' ', '\t']);
    let blanks = line.strip_suffix(rest).unwrap_or_default();
    (blanks.chars().map(|c| if c == '\t' { 4 } else { 1 }).sum(), rest)
}

/// Takes list markers (`- `, `3. `) off a line: how many columns, and what follows.
fn strip_list_markers(line: &str) -> (usize, &str) {
    let mut rest = line;
    let mut columns = 0;
    while let Some(width) = list_marker(rest) {
        rest = rest.get(width..).unwrap_or_default();
        columns += width;
    }
    (columns, rest)
}

/// The width of a list marker with the blanks behind it, in bytes, which are columns here.
pub(super) fn list_marker(line: &str) -> Option<usize> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let marker = match line.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
        _ => return None,
    };
    let blanks = line.bytes().skip(marker).take_while(|byte| *byte == b' ').count();
    (blanks > 0).then_some(marker + blanks)
}
