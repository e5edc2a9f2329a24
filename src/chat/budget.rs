//! How much of a conversation goes to the model: the newest turns that fit.

use unicode_segmentation::UnicodeSegmentation;

use super::{
    file::{Content, File, PICTURE_TOKENS, Unread},
    turn::Turn,
};

/// What a turn costs beside its text: role, label, separators.
const TURN_OVERHEAD: usize = 8;
/// Tokens that are kept free for an answer; of a small limit, a quarter.
const ANSWER: usize = 8192;
/// Stands where a question was cut.
const CUT: &str = "\n[the rest was too long and is left out]";

/// The bounds of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Turns at most, the question among them; at least 1.
    pub turns: usize,
    /// Tokens at most, as [`estimate`] counts them, without the system prompt.
    pub tokens: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { turns: 30, tokens: 24_000 }
    }
}

/// A rough count of tokens, on the high side for most texts: four ASCII characters a token, any other one each.
pub fn estimate(text: &str) -> usize {
    let (ascii, other) = text.chars().fold((0usize, 0usize), |(ascii, other), c| {
        if c.is_ascii() { (ascii + 1, other) } else { (ascii, other + 1) }
    });
    ascii.div_ceil(4) + other
}

/// What a turn costs.
pub(super) fn cost(turn: &Turn) -> usize {
    let files: usize = turn.files.iter().map(cost_of_file).sum();
    estimate(&turn.text) + files + TURN_OVERHEAD
}

fn cost_of_file(file: &File) -> usize {
    TURN_OVERHEAD
        + match &file.content {
            Content::Text(text) => estimate(text),
            Content::Picture(_) => PICTURE_TOKENS,
            Content::Offered(_) | Content::Unread(_) => 0,
        }
}

impl Budget {
    /// As much as a model reads at most, in tokens, with room for its answer; `None`: its limit is not known.
    pub fn within(context: Option<u32>, turns: usize) -> Self {
        let known = context.and_then(|context| usize::try_from(context).ok());
        let tokens = known.map_or(Self::default().tokens, |context| context - (context / 4).min(ANSWER));
        Self { turns, tokens }
    }

    /// The newest turns that fit, oldest first. The last one, the question, always stays; when it does not fit
    /// alone, its files are cut first and then its end. So is the newest of the others that does not fit, whose files
    /// leave half of what is left to what is older still.
    pub(super) fn fit(&self, turns: &[Turn]) -> Vec<Turn> {
        let Some((question, earlier)) = turns.split_last() else { return Vec::new() };
        let question = shorten(question, self.tokens, self.tokens);
        let mut left = self.tokens.saturating_sub(cost(&question));
        let mut kept = vec![question];
        for turn in earlier.iter().rev().take(self.turns.saturating_sub(1)) {
            let turn = if cost(turn) <= left { turn.clone() } else { shorten(turn, left, left / 2) };
            let Some(after) = left.checked_sub(cost(&turn)) else { break };
            if turn.text.is_empty() && turn.files.is_empty() {
                break;
            }
            left = after;
            kept.push(turn);
        }
        kept.reverse();
        kept
    }
}

/// A turn within so many tokens, with its files within so many of them.
fn shorten(turn: &Turn, tokens: usize, of_files: usize) -> Turn {
    let mut turn = turn.clone();
    let room = tokens.saturating_sub(TURN_OVERHEAD);
    turn.text = first_tokens(&turn.text, room);
    let mut left = room.saturating_sub(estimate(&turn.text)).min(of_files);
    turn.files.retain_mut(|file| {
        let Some(room) = left.checked_sub(TURN_OVERHEAD) else { return false };
        match &mut file.content {
            Content::Text(text) => *text = first_tokens(text, room),
            Content::Picture(_) if room < PICTURE_TOKENS => {
                file.content = Content::Unread(Unread::NoRoom);
            }
            Content::Picture(_) | Content::Offered(_) | Content::Unread(_) => {}
        }
        left = left.saturating_sub(cost_of_file(file));
        !matches!(&file.content, Content::Text(text) if text.is_empty())
    });
    turn
}

/// The beginning of a text that costs at most `tokens`, with a note where something is missing.
fn first_tokens(text: &str, tokens: usize) -> String {
    if estimate(text) <= tokens {
        return text.to_owned();
    }
    let room = tokens.saturating_sub(estimate(CUT) + 1) * 4;
    if room == 0 {
        return String::new();
    }
    let mut quarters = 0;
    let mut kept: String = text
        .graphemes(true)
        .take_while(|grapheme| {
            quarters += grapheme.chars().map(|c| if c.is_ascii() { 1 } else { 4 }).sum::<usize>();
            quarters <= room
        })
        .collect();
    kept.push_str(CUT);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_of_an_earlier_turn_is_cut_and_loses_nothing_around_it() {
        let mut asked = Turn::person(1, "Ada", "what is this?");
        asked.files.push(File::text("a.txt", "word ".repeat(10_000)));
        let older = [Turn::person(1, "Ada", "hello"), Turn::bot("Hello.")];
        let turns = [&older[..], &[asked, Turn::bot("A text."), Turn::person(1, "Ada", "and why?")]].concat();
        let budget = Budget { turns: 30, tokens: 1000 };
        let kept = budget.fit(&turns);
        let said: Vec<&str> = kept.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(said, ["hello", "Hello.", "what is this?", "A text.", "and why?"]);
        let Content::Text(file) = &kept[2].files[0].content else { panic!("a text") };
        assert!(file.starts_with("word ") && file.ends_with(CUT), "its beginning stays");
        let half = budget.tokens / 2;
        assert!((half - 100..=half).contains(&estimate(file)), "about half: {}", estimate(file));
        assert!(kept.iter().map(cost).sum::<usize>() <= budget.tokens);
    }

    #[test]
    fn a_long_earlier_turn_is_cut_and_one_of_which_nothing_fits_ends_the_conversation() {
        let turns = [
            Turn::person(1, "Ada", "hello"),
            Turn::bot("word ".repeat(10_000)),
            Turn::person(1, "Ada", "and why?"),
        ];
        let kept = Budget { turns: 30, tokens: 100 }.fit(&turns);
        assert!(kept.len() == 2 && kept[0].text.ends_with(CUT), "{kept:?}");
        assert_eq!(Budget { turns: 30, tokens: 20 }.fit(&turns), turns[2..]);
    }
}
