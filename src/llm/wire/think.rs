//! `<think>` at the start of an answer: some models put their reasoning into the text, and it is hidden. Bedrock calls
//! its tag `<reasoning>`.
//!
//! Only before the first visible text: later the tag is something that the answer talks about.

/// What a piece of text turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thought {
    /// Reasoning, to be hidden.
    Hidden,
    /// Visible text, never empty.
    Visible(String),
}

/// Opening and closing tags.
const TAGS: &[(&str, &str)] = &[("<think>", "</think>"), ("<reasoning>", "</reasoning>")];

/// Splits reasoning from text over any cuts.
#[derive(Debug, Default)]
pub(super) struct ThinkFilter {
    state: State,
    held: String,
    /// A block was closed: the blank lines after it belong to it.
    closed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing visible yet; `held` may still become an opening tag.
    #[default]
    Start,
    /// Inside a block; `held` may be the beginning of its closing tag, which is this.
    Inside(&'static str),
    /// The answer runs: everything is visible.
    Open,
}

impl ThinkFilter {
    /// Takes a piece of content and appends what it is.
    pub(super) fn push(&mut self, text: &str, found: &mut Vec<Thought>) {
        match self.state {
            State::Open if text.is_empty() => return,
            State::Open => return found.push(Thought::Visible(text.to_owned())),
            State::Start | State::Inside(_) => self.held.push_str(text),
        }
        loop {
            match self.state {
                State::Start => {
                    let trimmed = self.held.trim_start();
                    let opened =
                        |(open, close): &(&str, &'static str)| Some((trimmed.strip_prefix(open)?, *close));
                    if let Some((rest, close)) = TAGS.iter().find_map(opened) {
                        self.held = rest.to_owned();
                        self.state = State::Inside(close);
                        found.push(Thought::Hidden);
                    } else if TAGS.iter().any(|(open, _)| open.starts_with(trimmed)) {
                        return;
                    } else {
                        self.release(found);
                        return;
                    }
                }
                State::Inside(close) => {
                    if let Some((_, rest)) = self.held.split_once(close) {
                        self.held = rest.to_owned();
                        self.state = State::Start;
                        self.closed = true;
                    } else {
                        if self.held.len() >= close.len() {
                            found.push(Thought::Hidden);
                        }
                        self.held = tail(&self.held, close);
                        return;
                    }
                }
                State::Open => return,
            }
        }
    }

    /// The answer has ended: what looked like the beginning of a tag was text.
    pub(super) fn finish(&mut self, found: &mut Vec<Thought>) {
        match self.state {
            State::Start if !self.held.trim().is_empty() => self.release(found),
            State::Start | State::Inside(_) | State::Open => self.held.clear(),
        }
    }

    fn release(&mut self, found: &mut Vec<Thought>) {
        let held = std::mem::take(&mut self.held);
        let text = if self.closed { held.trim_start() } else { held.as_str() };
        self.state = State::Open;
        found.push(Thought::Visible(text.to_owned()));
    }
}

/// The end of the text that may be the beginning of a closing tag.
fn tail(text: &str, close: &str) -> String {
    let starts = text.char_indices().rev().map(|(at, _)| at).take(close.len() - 1);
    let possible = starts.filter_map(|at| text.get(at..)).filter(|end| close.starts_with(end));
    possible.last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(pieces: &[&str]) -> (String, bool) {
        let mut filter = ThinkFilter::default();
        let mut found = Vec::new();
        for piece in pieces {
            filter.push(piece, &mut found);
        }
        filter.finish(&mut found);
        let hidden = found.contains(&Thought::Hidden);
        let text = found
            .into_iter()
            .filter_map(|thought| match thought {
                Thought::Visible(text) => {
                    assert!(!text.is_empty(), "visible text is never empty");
                    Some(text)
                }
                Thought::Hidden => None,
            })
            .collect();
        (text, hidden)
    }

    #[test]
    fn a_block_at_the_start_is_hidden_wherever_it_is_cut() {
        for whole in
            ["\n<think>Let me </thin see</think>\n\n  Grüße", "<reasoning>Let </think> me</reasoning>Grüße"]
        {
            cut_everywhere(whole);
        }
    }

    fn cut_everywhere(whole: &str) {
        for at in 0..=whole.len() {
            if !whole.is_char_boundary(at) {
                continue;
            }
            let (head, tail) = whole.split_at(at);
            assert_eq!(visible(&[head, tail]), ("Grüße".to_owned(), true), "cut at {at}");
        }
        let singles: Vec<String> = whole.chars().map(String::from).collect();
        let singles: Vec<&str> = singles.iter().map(String::as_str).collect();
        assert_eq!(visible(&singles), ("Grüße".to_owned(), true));
    }

    #[test]
    fn the_tag_is_text_once_the_answer_runs() {
        assert_eq!(visible(&["Use <think>", " and </think>."]), ("Use <think> and </think>.".into(), false));
    }

    #[test]
    fn what_only_began_like_a_tag_is_text() {
        assert_eq!(visible(&["  <thi"]), ("  <thi".into(), false));
        assert_eq!(visible(&["    code"]), ("    code".into(), false));
        assert_eq!(visible(&[" ", "\n"]), (String::new(), false));
    }

    #[test]
    fn reasoning_that_never_ends_shows_nothing() {
        assert_eq!(visible(&["<think>on and on", " and on"]), (String::new(), true));
    }
}
