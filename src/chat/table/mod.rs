//! Markdown tables become aligned monospace text, since Discord shows their pipes (D7).
//!
//! Sits between the model's text and the splitter. What is handed on never changes afterwards; what might still
//! become part of a table waits, and is shown meanwhile in the form that it most likely will have: a line that begins
//! with a pipe is shown as a table's head at once, so nothing jumps when the line below proves it.
//!
//! Tables are those of GFM 0.29, but a line without a pipe ends one, and those in quotes stay as they are.

mod grid;
#[cfg(test)]
mod tests;

use self::grid::Align;
use super::splitter::{
    fence::{Fence, Inside},
    units,
};

/// A fence that only Discord's limit bounds; the splitter deals with absurd ones.
const ANY_ROOM: usize = usize::MAX;
/// Until a table takes this many UTF-16 units its columns follow its cells. Then they are fixed: rows that fill
/// messages are not set anew with each cell.
const SETTLED: usize = 1000;
/// A line of this many bytes without a pipe is a paragraph.
const PARAGRAPH: usize = 400;

/// Text on its way from the model to the splitter.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    /// The line that is not complete, without its line end.
    line: String,
    /// So many of its bytes are handed on.
    sent: usize,
    state: State,
}

#[derive(Debug, Clone, Default)]
enum State {
    /// Outside of anything.
    #[default]
    Text,
    /// In code.
    Code(Fence),
    /// A line that may be a table's head.
    Head(String),
    /// Behind a head and its delimiter row.
    Table(Table),
}

impl Tables {
    /// Takes text; hands on what is settled.
    pub(super) fn push(&mut self, more: &str) -> String {
        let mut settled = String::new();
        for part in more.split_inclusive('\n') {
            if let Some(end) = part.strip_suffix('\n') {
                self.line.push_str(end);
                self.complete(&mut settled);
            } else {
                self.line.push_str(part);
            }
        }
        let is_plain = match self.state {
            State::Text => self.line.len() > PARAGRAPH && (self.sent > 0 || !self.line.contains('|')),
            State::Code(_) => true,
            State::Head(_) | State::Table(_) => false,
        };
        if is_plain {
            settled.push_str(self.unsent());
            self.sent = self.line.len();
        }
        settled
    }

    /// What is not settled, as it is shown while more may come.
    pub(super) fn growing(&self) -> String {
        let line = self.unsent();
        match &self.state {
            // A lone pipe may yet begin a spoiler.
            State::Text if self.sent == 0 && line.trim() == "|" => String::new(),
            State::Text if self.sent == 0 && begins_with_pipe(line) => Table::headed(line).text(),
            State::Text | State::Code(_) => line.to_owned(),
            State::Head(head) if begins_with_pipe(head) && may_delimit(line) => {
                let table = Table::headed(head);
                if line.contains('-') { table.ruled() } else { table.text() }
            }
            State::Head(head) => format!("{head}\n{line}"),
            State::Table(table) if matches!(line.trim(), "" | "|") => table.text(),
            State::Table(table) if is_row(line) || !table.has_outer_pipes => table.clone().with(line).text(),
            State::Table(table) => format!("{}{line}", table.clone().closed()),
        }
    }

    /// What is not settled, as it is shown when nothing more comes. A block that a table left open is closed by the
    /// splitter.
    pub(super) fn rest(&self) -> String {
        let mut whole = self.clone();
        let mut settled = String::new();
        let line_end = if self.line.is_empty() { "\n" } else { "" };
        if !self.line.is_empty() {
            whole.complete(&mut settled);
        }
        match whole.state {
            State::Head(head) => settled + &head + line_end,
            State::Table(table) => settled + &table.text(),
            State::Text | State::Code(_) => {
                settled.pop();
                settled
            }
        }
    }

    fn unsent(&self) -> &str {
        self.line.get(self.sent..).unwrap_or_default()
    }

    /// The line is complete.
    fn complete(&mut self, settled: &mut String) {
        let line = std::mem::take(&mut self.line);
        let sent = std::mem::take(&mut self.sent);
        let unsent = line.get(sent..).unwrap_or_default();
        self.state = match std::mem::take(&mut self.state) {
            State::Text => outside(&line, unsent, settled),
            State::Code(fence) => match fence.reads(&line) {
                Inside::Content => {
                    hand_on(unsent, settled);
                    State::Code(fence)
                }
                Inside::Closer => {
                    hand_on(unsent, settled);
                    State::Text
                }
                Inside::Left => outside(&line, unsent, settled),
            },
            State::Head(head) => {
                if let Some(table) = Table::begun(&head, &line) {
                    State::Table(table)
                } else {
                    hand_on(&head, settled);
                    outside(&line, unsent, settled)
                }
            }
            State::Table(table) if is_row(&line) => {
                let mut table = table.with(&line);
                settled.push_str(&table.settle());
                State::Table(table)
            }
            State::Table(table) => {
                settled.push_str(&table.closed());
                outside(&line, unsent, settled)
            }
        };
    }
}

/// A complete line outside of anything, `unsent` the part of it that is not handed on.
fn outside(line: &str, unsent: &str, settled: &mut String) -> State {
    if unsent.len() == line.len() && is_row(line) {
        return State::Head(line.to_owned());
    }
    hand_on(unsent, settled);
    Fence::opened_by(line, ANY_ROOM).map_or(State::Text, State::Code)
}

fn hand_on(line: &str, settled: &mut String) {
    settled.push_str(line);
    settled.push('\n');
}

/// Whether a line may be a row: it has a pipe, begins no code and stands in no quote. A spoiler is none.
fn is_row(line: &str) -> bool {
    let start = line.trim_start();
    line.contains('|')
        && !start.starts_with("||")
        && !start.starts_with('>')
        && Fence::opened_by(line, ANY_ROOM).is_none()
}

fn begins_with_pipe(line: &str) -> bool {
    let start = line.trim_start();
    start.starts_with('|') && is_row(line)
}

/// Whether the beginning of a line may be that of a delimiter row.
fn may_delimit(line: &str) -> bool {
    line.chars().all(|c| matches!(c, '|' | ':' | '-' | ' ' | '\t'))
}

/// A table, as far as it came.
#[derive(Debug, Clone)]
struct Table {
    head: Vec<String>,
    aligns: Vec<Align>,
    /// The rows that are not handed on.
    rows: Vec<Vec<String>>,
    /// The columns, once they are fixed and the head is handed on.
    fixed: Option<Vec<usize>>,
    /// Rows begin with a pipe.
    has_outer_pipes: bool,
}

impl Table {
    /// A table of a head alone.
    fn headed(head: &str) -> Self {
        let has_outer_pipes = head.trim_start().starts_with('|');
        Self { head: grid::cells(head), aligns: Vec::new(), rows: Vec::new(), fixed: None, has_outer_pipes }
    }

    /// The table that two lines begin, if they do.
    fn begun(head: &str, delimiters: &str) -> Option<Self> {
        let aligns = grid::delimiters(delimiters)?;
        let table = Self::headed(head);
        (aligns.len() == table.head.len()).then_some(Self { aligns, ..table })
    }

    fn with(mut self, line: &str) -> Self {
        self.rows.push(grid::cells(line));
        self
    }

    /// The columns: those of the head and, where a row has more, of the longest row.
    fn widths(&self) -> Vec<usize> {
        if let Some(widths) = &self.fixed {
            return widths.clone();
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0).max(self.head.len());
        grid::widths(columns, std::iter::once(&self.head).chain(&self.rows))
    }

    /// What is not handed on. The block stays open: the splitter closes it meanwhile.
    fn text(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        if self.fixed.is_none() {
            text.push_str("```\n");
            text.push_str(&grid::row(&self.head, &widths, &self.aligns));
            if !self.aligns.is_empty() {
                text.push_str(&grid::rule(&widths));
            }
        }
        text.extend(self.rows.iter().map(|row| grid::row(row, &widths, &self.aligns)));
        text
    }

    /// A head with the line below it.
    fn ruled(&self) -> String {
        self.text() + &grid::rule(&self.widths())
    }

    /// Hands on what a long table has.
    fn settle(&mut self) -> String {
        let text = self.text();
        if self.fixed.is_none() && units(&text) < SETTLED {
            return String::new();
        }
        self.fixed = Some(self.widths());
        self.rows.clear();
        text
    }

    /// The end of the table.
    fn closed(self) -> String {
        self.text() + "```\n"
    }
}
