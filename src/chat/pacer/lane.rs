//! A budget of sends: when the next may go, as learned from answers.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{Learned, Pace};

/// From one edit to the next in a channel: 5 in 5 s, and a little.
const EDIT_SPACING: Duration = Duration::from_millis(1020);
/// The same of an interaction: 5 in 2 s, and a little.
const BRISK_SPACING: Duration = Duration::from_millis(420);
/// The other window of an interaction, a little longer than Discord's, which begins when the first edit arrives there.
const MINUTE: Duration = Duration::from_secs(61);
/// Edits in it.
const IN_A_MINUTE: u32 = 30;
/// How many of them may follow one another closely where there is no other budget.
const AT_FIRST: u32 = 10;
/// No window makes edits come closer than this.
const CLOSEST: Duration = Duration::from_millis(200);
/// No window makes edits rarer than this; a longer pause is a 429's or an empty window's to ask for.
const FARTHEST: Duration = Duration::from_secs(5);
/// Added to what an answer asks for, so that a clock's rounding does not cost a 429.
const MARGIN: Duration = Duration::from_millis(20);

/// One budget of one key.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    spacing: Duration,
    /// The smallest spacing that windows may teach; a 429 raises it.
    closest: Duration,
    learns: Learns,
    next_at: Instant,
    /// The minute whose edits have to last, where they are all that there is.
    minute: Option<Minute>,
}

/// A window of a minute.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    /// It begins with its first edit.
    began: Option<Instant>,
    used: u32,
}

/// Whether a lane's spacing follows the windows that answers describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Learns {
    /// Edits: evenly spread over the window.
    Spacing,
    /// Creates: as they come, while the window has room.
    PausesOnly,
}

impl Lane {
    /// The edits of a key.
    pub(super) fn edits(pace: Pace, now: Instant) -> Self {
        let (spacing, learns, minute) = match pace {
            Pace::Even => (EDIT_SPACING, Learns::Spacing, None),
            Pace::Brisk => (BRISK_SPACING, Learns::Spacing, None),
            Pace::Sparing => (BRISK_SPACING, Learns::PausesOnly, Some(Minute::default())),
        };
        Self { spacing, closest: CLOSEST, learns, next_at: now, minute }
    }

    /// The creates of a key.
    pub(super) fn creates(now: Instant) -> Self {
        let learns = Learns::PausesOnly;
        Self { spacing: Duration::ZERO, closest: CLOSEST, learns, next_at: now, minute: None }
    }

    /// When the next send may go.
    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// A send goes now.
    pub(super) fn sent(&mut self, now: Instant) {
        self.next_at = self.next_at.max(now + self.spacing.max(self.share_of_the_minute(now)));
    }

    /// How long an edit has to last where a minute's are all that there is.
    fn share_of_the_minute(&mut self, now: Instant) -> Duration {
        let Some(minute) = &mut self.minute else { return Duration::ZERO };
        let began = minute.began.filter(|began| now < *began + MINUTE);
        if began.is_none() {
            minute.used = 0;
        }
        let ends = *minute.began.insert(began.unwrap_or(now)) + MINUTE;
        minute.used += 1;
        if minute.used < AT_FIRST {
            return Duration::ZERO;
        }
        (ends - now) / IN_A_MINUTE.saturating_sub(minute.used).max(1)
    }

    /// An answer came to a send that went at `sent_at`.
    pub(super) fn learn(&mut self, learned: Learned, sent_at: Instant, now: Instant) {
        if let (Learns::Spacing, Some(limit), Some(remaining), Some(window)) =
            (self.learns, learned.limit, learned.remaining, learned.reset_after)
            && limit > 0
            && remaining + 1 == limit
        {
            // The first send of a window: what was left of it when Discord counted is its whole length.
            self.spacing = (window / limit + MARGIN).clamp(self.closest, FARTHEST);
            self.next_at = sent_at + self.spacing;
        }
        if let Some(wait) = learned.wait {
            self.pause(now + wait);
        }
        if let (Some(0), Some(reset_after)) = (learned.remaining, learned.reset_after) {
            self.pause(now + reset_after + MARGIN);
        }
    }

    /// Nothing before this instant.
    pub(super) fn pause(&mut self, until: Instant) {
        self.next_at = self.next_at.max(until);
    }

    /// A 429: nothing for this long.
    pub(super) fn refused(&mut self, retry_after: Duration, now: Instant) {
        self.pause(now + retry_after + MARGIN);
        if self.learns == Learns::Spacing {
            // The windows taught too close a spacing: stay above it, up to the channel's known one.
            self.closest = (self.spacing * 3 / 2).min(EDIT_SPACING.max(self.spacing)).min(FARTHEST);
            self.spacing = self.spacing.max(self.closest);
        }
    }
}
