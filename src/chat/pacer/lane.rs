//! A budget of sends: when the next may go, as learned from answers.

use std::time::Duration;

use tokio::time::Instant;

use super::super::Learned;

/// From one edit to the next in a channel: 5 in 5 s, and a little.
const EDIT_SPACING: Duration = Duration::from_millis(1020);
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
    pub(super) fn edits(now: Instant) -> Self {
        Self { spacing: EDIT_SPACING, closest: CLOSEST, learns: Learns::Spacing, next_at: now }
    }

    /// The creates of a key.
    pub(super) fn creates(now: Instant) -> Self {
        Self { spacing: Duration::ZERO, closest: CLOSEST, learns: Learns::PausesOnly, next_at: now }
    }

    /// When the next send may go.
    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// A send goes now.
    pub(super) fn sent(&mut self, now: Instant) {
        self.next_at = self.next_at.max(now + self.spacing);
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
