//! The emulator's time: starts at zero, follows tokio's timer, and can be moved forwards by a test.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio::time::Instant;

use crate::clock::{self, Clock};

/// One time for everything that is judged by time: windows of rate limits, the lives of interactions, ids.
#[derive(Debug)]
pub(crate) struct Timeline {
    epoch: DateTime<Utc>,
    started_at: Instant,
    skew: Duration,
}

impl Timeline {
    pub(crate) fn starting_now(clock: &dyn Clock) -> Self {
        Self { epoch: clock.now(), started_at: clock::instant(), skew: Duration::ZERO }
    }

    /// Time since the emulator started.
    pub(crate) fn now(&self) -> Duration {
        self.started_at.elapsed() + self.skew
    }

    /// Moves time forwards without waiting.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.skew += by;
    }

    /// The wall clock at an offset.
    pub(crate) fn wall_at(&self, at: Duration) -> DateTime<Utc> {
        self.epoch + TimeDelta::from_std(at).unwrap_or(TimeDelta::MAX)
    }

    /// The wall clock now, in milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        u64::try_from(self.wall_at(self.now()).timestamp_millis()).unwrap_or(0)
    }

    /// An offset as Discord writes instants: `2026-11-21T01:35:00.123000+00:00`.
    pub(crate) fn iso(&self, at: Duration) -> String {
        self.wall_at(at).to_rfc3339_opts(SecondsFormat::Micros, false)
    }
}
