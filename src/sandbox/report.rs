//! How fresh the text was that people saw: staleness of each answer, edits, 429s (D1 to D5).
//!
//! Staleness at an instant is the age of the oldest text that the model has sent and nobody can read yet. Compared are
//! letters and digits only, since what is shown may be marked up otherwise, and words that the bot adds are passed over.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    Sandbox,
    discord::{Id, Message, RecordedRequest},
    vendor::{Piece, Stream},
};

/// The report of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Each answer that a model gave, by the question.
    pub answers: Vec<AnswerReport>,
    /// Answers of Discord's with 429.
    pub rate_limited: usize,
    /// The most requests to Discord in any second (D5).
    pub busiest_second: usize,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerReport {
    /// The message that asked.
    pub question: Id,
    /// Messages of the answer.
    pub messages: usize,
    /// Edits of these.
    pub edits: usize,
    /// From the question to the request that was answered, in milliseconds.
    pub first_request_ms: u64,
    /// From the question to the first text, in milliseconds.
    pub first_text_ms: u64,
    /// How fresh the text was.
    #[serde(flatten)]
    pub freshness: Freshness,
}

/// How fresh the text of an answer was, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// From the model's first text to the first that can be read.
    pub first_visible_ms: u64,
    /// Staleness, averaged over the time in which text was sent or missing.
    pub mean_ms: u64,
    /// At its worst.
    pub worst_ms: u64,
    /// From the model's last text until all can be read; `None`: some never could.
    pub tail_ms: Option<u64>,
}

/// What was visible of an answer from an instant on, all its messages together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Since the emulator began.
    pub after: Duration,
    /// The text.
    pub text: String,
}

/// How fresh an answer was; `None` where nothing of what the model said could ever be read.
///
/// `said` and `seen` are in order of time, on one clock.
pub fn freshness(said: &[Piece], seen: &[Seen]) -> Option<Freshness> {
    let spoken = Spoken::of(said);
    let begin = said.iter().find(|piece| piece.text.contains(char::is_alphanumeric))?.after;
    let end = said.last()?.after;
    let mut shown: Vec<(Duration, usize)> = Vec::new();
    for view in seen {
        let before = shown.last().map_or(0, |(_, count)| *count);
        shown.push((view.after, spoken.shown_in(&view.text).max(before)));
    }
    let first = shown.iter().find(|(_, count)| *count > 0)?.0;
    let whole = shown.iter().find(|(_, count)| *count == spoken.letters.len()).map(|(at, _)| *at);
    let last = shown.last()?.0.max(end);

    let mut instants: Vec<Duration> =
        said.iter().map(|piece| piece.after).chain(shown.iter().map(|(at, _)| *at)).collect();
    instants.sort_unstable();
    let until = whole.map_or(last, |whole| whole.max(end));
    let (mut worst, mut sum) = (Duration::ZERO, 0.0);
    for pair in instants.windows(2) {
        let &[from, to] = pair else { continue };
        let visible = shown.iter().rev().find(|(at, _)| *at <= from).map_or(0, |(_, count)| *count);
        let Some(sent_at) = spoken.sent_at(visible).filter(|at| *at <= from) else { continue };
        let (young, old) = (from.saturating_sub(sent_at), to.saturating_sub(sent_at));
        worst = worst.max(old);
        sum += (young + old).as_secs_f64() / 2.0 * to.saturating_sub(from).as_secs_f64();
    }
    let over = until.saturating_sub(begin).as_secs_f64();
    let mean = if over > 0.0 { Duration::from_secs_f64(sum / over) } else { Duration::ZERO };
    Some(Freshness {
        first_visible_ms: millis(first.saturating_sub(begin)),
        mean_ms: millis(mean),
        worst_ms: millis(worst),
        tail_ms: whole.map(|whole| millis(whole.saturating_sub(end))),
    })
}

/// The letters and digits that a model sent.
struct Spoken {
    letters: Vec<char>,
    /// How many there were after each piece, and when it left.
    pieces: Vec<(usize, Duration)>,
}

impl Spoken {
    fn of(said: &[Piece]) -> Self {
        let mut letters = Vec::new();
        let mut pieces = Vec::new();
        for piece in said {
            letters.extend(piece.text.chars().filter(|c| c.is_alphanumeric()));
            pieces.push((letters.len(), piece.after));
        }
        Self { letters, pieces }
    }

    /// When the letter of this number was sent.
    fn sent_at(&self, number: usize) -> Option<Duration> {
        self.pieces.iter().find(|(count, _)| number < *count).map(|(_, at)| *at)
    }

    /// How many of the first letters stand in a text, in order; a word that does not go on with them is not the model's.
    fn shown_in(&self, text: &str) -> usize {
        let mut found = 0;
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let goes_on = self.letters.get(found..).unwrap_or_default();
            if word.chars().count() <= goes_on.len()
                && word.chars().eq(goes_on.iter().copied().take(word.chars().count()))
            {
                found += word.chars().count();
            }
        }
        found
    }
}

/// The most requests that came within any second.
fn busiest_second(requests: &[RecordedRequest]) -> usize {
    let mut at: Vec<Duration> = requests.iter().map(|request| request.at).collect();
    at.sort_unstable();
    let within = |from: &Duration| {
        at.partition_point(|other| *other < *from + Duration::from_secs(1))
            - at.partition_point(|other| other < from)
    };
    at.iter().map(within).max().unwrap_or(0)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Sandbox {
    /// How fresh the answers of this run were, or those to messages after one alone. Moving Discord's time forwards on the way
    /// makes the figures meaningless.
    pub fn report(&self, after: Option<Id>) -> Report {
        let since =
            after.and_then(|id| self.message(id)).map_or(Duration::ZERO, |message| message.created_at);
        let mut requests = self.recorded_requests();
        requests.retain(|request| request.at >= since);
        let mut streams = self.streams();
        streams.retain(|chat| chat.asked >= since);
        let mut used = vec![false; streams.len()];
        let mut answers = Vec::new();
        for question in self.questions(after.unwrap_or(Id(0))) {
            let messages = self.answers(question.id);
            let seen = seen(&messages);
            let Some(last) = seen.last() else { continue };
            // The stream whose text the answer shows most of.
            let best = streams
                .iter()
                .enumerate()
                .filter(|(number, chat)| {
                    !used.get(*number).copied().unwrap_or(true) && chat.asked >= question.created_at
                })
                .map(|(number, chat)| (Spoken::of(&chat.pieces).shown_in(&last.text), number))
                .filter(|(shown, _)| *shown > 0)
                .max_by_key(|(shown, number)| (*shown, std::cmp::Reverse(*number)));
            let Some((_, number)) = best else { continue };
            let Some(Stream { asked, pieces }) = streams.get(number) else { continue };
            let Some(freshness) = freshness(pieces, &seen) else { continue };
            if let Some(used) = used.get_mut(number) {
                *used = true;
            }
            let first = pieces.first().map_or(Duration::ZERO, |first| first.after);
            let waited = first.saturating_sub(question.created_at);
            answers.push(AnswerReport {
                question: question.id,
                messages: messages.len(),
                edits: messages.iter().map(|message| message.timeline.len().saturating_sub(1)).sum(),
                first_request_ms: millis(asked.saturating_sub(question.created_at)),
                first_text_ms: millis(waited) + freshness.first_visible_ms,
                freshness,
            });
        }
        Report {
            answers,
            rate_limited: requests.iter().filter(|request| request.status == 429).count(),
            busiest_second: busiest_second(&requests),
        }
    }

    /// What people asked after this message.
    fn questions(&self, after: Id) -> Vec<Message> {
        let bot = self.discord().landmarks().bot;
        self.discord().read(|state| {
            let asked =
                state.messages.values().filter(|message| message.author_id != bot && message.id > after);
            asked.cloned().collect()
        })
    }

    /// What models said in each chat, on the clock of the emulated Discord.
    fn streams(&self) -> Vec<Stream> {
        let (here, there) = (self.discord().now(), self.vendors().elapsed());
        let of_discord = |instant: &mut Duration| *instant = (*instant + here).saturating_sub(there);
        let mut streams = self.vendors().said();
        for chat in &mut streams {
            of_discord(&mut chat.asked);
            chat.pieces.iter_mut().for_each(|piece| of_discord(&mut piece.after));
        }
        streams
    }
}

/// What could be read of an answer from each instant on.
fn seen(messages: &[Message]) -> Vec<Seen> {
    let mut instants: Vec<Duration> =
        messages.iter().flat_map(|message| message.timeline.iter().map(|revision| revision.at)).collect();
    instants.sort_unstable();
    instants.dedup();
    let text_at = |at: Duration| {
        let texts = messages.iter().filter_map(|message| {
            let revision = message.timeline.iter().rev().find(|revision| revision.at <= at)?;
            Some(revision.text.as_str())
        });
        texts.collect::<Vec<_>>().join("\n")
    };
    instants.into_iter().map(|after| Seen { after, text: text_at(after) }).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Staleness of what could be read, in milliseconds:")?;
        writeln!(
            f,
            "  {:>5} {:>7} {:>10} {:>8} {:>6} {:>6} {:>6} {:>8} {:>5}",
            "", "request", "first text", "visible", "mean", "worst", "tail", "messages", "edits"
        )?;
        for (number, answer) in self.answers.iter().enumerate() {
            let AnswerReport { messages, edits, first_request_ms, first_text_ms, freshness, .. } = answer;
            let Freshness { first_visible_ms, mean_ms, worst_ms, tail_ms } = freshness;
            let tail = tail_ms.map_or_else(|| "never".to_owned(), |tail| tail.to_string());
            writeln!(
                f,
                "  {:>5} {first_request_ms:>7} {first_text_ms:>10} {first_visible_ms:>8} {mean_ms:>6} {worst_ms:>6} {tail:>6} {messages:>8} {edits:>5}",
                number + 1,
            )?;
        }
        write!(
            f,
            "429s: {}. Most requests to Discord within a second: {}.",
            self.rate_limited, self.busiest_second
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn said(pieces: &[(u64, &str)]) -> Vec<Piece> {
        pieces.iter().map(|(millis, text)| Piece { after: at(*millis), text: (*text).to_owned() }).collect()
    }

    fn seen(views: &[(u64, &str)]) -> Vec<Seen> {
        views.iter().map(|(millis, text)| Seen { after: at(*millis), text: (*text).to_owned() }).collect()
    }

    #[test]
    fn d1_staleness_is_the_age_of_the_oldest_text_that_nobody_can_read_yet() {
        let said = said(&[(1000, "one "), (1500, "two "), (2000, "three")]);
        let seen = seen(&[(1100, "one"), (2600, "one two three")]);
        // 100 ms of "one", at most 100 old, and 1100 ms of "two", at most 1100 old, over the 1.6 s until all could be read:
        // (100 × 100 + 1100 × 1100) / 2 / 1600.
        assert_eq!(
            freshness(&said, &seen),
            Some(Freshness { first_visible_ms: 100, mean_ms: 381, worst_ms: 1100, tail_ms: Some(600) })
        );
    }

    #[test]
    fn what_is_visible_at_once_is_never_stale() {
        let said = said(&[(1000, "one "), (2000, "two")]);
        let seen = seen(&[(1000, "one"), (2000, "one two")]);
        let fresh = Freshness { first_visible_ms: 0, mean_ms: 0, worst_ms: 0, tail_ms: Some(0) };
        assert_eq!(freshness(&said, &seen), Some(fresh));
    }

    #[test]
    fn words_of_the_bots_own_and_markup_are_passed_over() {
        let said = said(&[(0, "He**l"), (100, "lo**, wor"), (200, "ld.")]);
        let seen = seen(&[
            (50, "⏳ Waiting: your turn comes"),
            (150, "He**llo**"),
            (300, "He**llo**, world.\n-# Answered by `a/b`"),
        ]);
        let fresh = freshness(&said, &seen).expect("text");
        assert_eq!((fresh.first_visible_ms, fresh.tail_ms), (150, Some(100)));
        assert_eq!(fresh.worst_ms, 200, "the rest of “world” has waited since the second piece");
    }

    #[test]
    fn text_that_never_comes_is_said_to_be_missing() {
        let said = said(&[(0, "one "), (100, "two")]);
        let missing = freshness(&said, &seen(&[(50, "one"), (900, "one\n⚠️ It broke off")])).expect("text");
        assert_eq!((missing.tail_ms, missing.worst_ms), (None, 800));
        assert_eq!(freshness(&said, &seen(&[(50, "⚠️ Nothing")])), None);
        assert_eq!(freshness(&[], &seen(&[(50, "one")])), None);
    }

    #[test]
    fn d5_the_busiest_second_slides() {
        let request = |millis| RecordedRequest {
            at: at(millis),
            took: at(1),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            query: [].into(),
            headers: [].into(),
            body: serde_json::Value::Null,
            files: Vec::new(),
            status: 200,
            answer: serde_json::Value::Null,
        };
        let all: Vec<RecordedRequest> = [0, 900, 950, 1850, 1899, 1900, 4000].map(request).into();
        assert_eq!(busiest_second(&all), 4, "from 900 to 1899");
        assert_eq!(busiest_second(&[]), 0);
    }
}
