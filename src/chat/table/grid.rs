//! A table's rows as aligned monospace text.
//!
//! Width is that of a terminal: two columns for CJK and emoji, none for marks that combine.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that a table takes; cells of a wider one go on in further lines.
const WIDEST: usize = 96;
/// No column is narrowed below this.
const NARROWEST: usize = 8;
/// Between two columns.
const GAP: &str = " | ";

/// Where a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// The cells of a row that is written with pipes; a pipe behind a backslash belongs to its cell (GFM 0.29, "Tables").
pub(super) fn cells(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut found = vec![String::new()];
    let mut escaped = false;
    for c in line.chars() {
        if c == '|' && !escaped {
            found.push(String::new());
            continue;
        }
        let cell = found.last_mut().expect("begins with one and only grows");
        if c == '|' {
            cell.pop();
        }
        escaped = c == '\\' && !escaped;
        cell.push(c);
    }
    // What stands behind the last pipe is a cell only if there is something.
    if found.len() > 1 && found.last().is_some_and(|last| last.trim().is_empty()) {
        found.pop();
    }
    found.iter().map(|cell| plain(cell.trim())).collect()
}

/// A cell without the marks that monospace text would show: bold and code. Nothing in it can end the block.
fn plain(cell: &str) -> String {
    let mut text = cell.replace("<br>", " ").replace("<br/>", " ").replace("<br />", " ");
    for mark in ["**", "`"] {
        if text.matches(mark).count() % 2 == 0 {
            text = text.replace(mark, "");
        }
    }
    text.replace('`', "'")
}

/// How a delimiter row (`|:--|--:|`) aligns its columns; `None`: it is none.
pub(super) fn delimiters(line: &str) -> Option<Vec<Align>> {
    let line = line.trim();
    if !line.contains('|') || !line.chars().all(|c| matches!(c, '|' | ':' | '-' | ' ' | '\t')) {
        return None;
    }
    cells(line).iter().map(|cell| alignment(cell)).collect()
}

fn alignment(cell: &str) -> Option<Align> {
    let dashes = cell.strip_prefix(':').unwrap_or(cell);
    let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
    if dashes.is_empty() || !dashes.chars().all(|c| c == '-') {
        return None;
    }
    Some(match (cell.starts_with(':'), cell.ends_with(':')) {
        (true, true) => Align::Centre,
        (false, true) => Align::Right,
        (_, false) => Align::Left,
    })
}

/// Widths in which every cell of the rows fits, or in which a table of bearable width wraps them.
pub(super) fn widths<'a>(columns: usize, rows: impl Iterator<Item = &'a Vec<String>>) -> Vec<usize> {
    let mut widths = vec![1; columns];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let gaps = GAP.len() * columns.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > WIDEST {
        let Some(widest) = widths.iter_mut().max_by_key(|width| **width) else { break };
        if *widest <= NARROWEST {
            break;
        }
        *widest -= 1;
    }
    widths
}

/// One row as lines of text.
pub(super) fn row(cells: &[String], widths: &[usize], aligns: &[Align]) -> String {
    let mut wrapped: Vec<Vec<String>> = Vec::with_capacity(widths.len());
    for (index, width) in widths.iter().enumerate() {
        // Cells behind the last column are kept: they go on in it.
        let cell = if index + 1 == widths.len() {
            cells.get(index..).unwrap_or_default().join(GAP)
        } else {
            cells.get(index).cloned().unwrap_or_default()
        };
        wrapped.push(wrap(&cell, *width));
    }
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(1);
    let mut text = String::new();
    for line in 0..height {
        let parts: Vec<String> = wrapped
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(index, (lines, width))| {
                let part = lines.get(line).map_or("", String::as_str);
                pad(part, *width, aligns.get(index).copied().unwrap_or(Align::Left))
            })
            .collect();
        text.push_str(parts.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

/// The line between head and body.
pub(super) fn rule(widths: &[usize]) -> String {
    let parts: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    format!("{}\n", parts.join("-+-"))
}

fn pad(text: &str, width: usize, align: Align) -> String {
    let free = width.saturating_sub(text.width());
    let before = match align {
        Align::Left => 0,
        Align::Centre => free / 2,
        Align::Right => free,
    };
    [" ".repeat(before).as_str(), text, &" ".repeat(free - before)].concat()
}

/// A cell in lines of at most `width` columns, between words where that is possible.
fn wrap(cell: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in cell.split_word_bounds() {
        if line.width() + word.trim_end().width() > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        if line.is_empty() && word.trim().is_empty() {
            continue;
        }
        for grapheme in word.graphemes(true) {
            if line.width() + grapheme.width() > width && !line.is_empty() && !grapheme.trim().is_empty() {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            line.push_str(grapheme);
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}
