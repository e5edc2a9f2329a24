//! How many gateway sessions may be started, and how fast (Gateway, "Rate Limiting" and "Session Start Limit").

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

/// Identifies in a day.
const TOTAL: u64 = 1000;
const DAY: Duration = Duration::from_hours(24);
/// The time in which `max_concurrency` shards may identify.
const PACE: Duration = Duration::from_secs(5);

/// What becomes of an identify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// It may go on.
    Granted,
    /// Another shard of the same remainder identified less than five seconds ago: opcode 9.
    TooSoon,
    /// The day's identifies are used up: all sessions end and the token is reset.
    UsedUp,
}

/// The budget of identifies.
#[derive(Debug)]
pub(crate) struct Starts {
    /// How many shards may identify at once.
    pub(crate) max_concurrency: u64,
    /// How many shards `/gateway/bot` recommends.
    pub(crate) shards: u64,
    remaining: u64,
    day_began: Option<Duration>,
    /// When which remainder of shard and `max_concurrency` identified last.
    last: BTreeMap<u64, Duration>,
}

impl Default for Starts {
    fn default() -> Self {
        Self { max_concurrency: 1, shards: 1, remaining: TOTAL, day_began: None, last: BTreeMap::new() }
    }
}

impl Starts {
    /// Leaves so many identifies for today.
    pub(crate) fn leave(&mut self, remaining: u64) {
        self.remaining = remaining;
    }

    /// Counts an identify that was well-formed.
    pub(crate) fn take(&mut self, shard: u64, now: Duration) -> Start {
        if self.day_began.is_none_or(|began| now.saturating_sub(began) >= DAY) {
            // The first one begins the day; what a test left counts for it.
            self.remaining = if self.day_began.is_some() { TOTAL } else { self.remaining };
            self.day_began = Some(now);
        }
        if self.remaining == 0 {
            return Start::UsedUp;
        }
        let key = shard % self.max_concurrency.max(1);
        if self.last.get(&key).is_some_and(|last| now.saturating_sub(*last) < PACE) {
            return Start::TooSoon;
        }
        self.remaining -= 1;
        self.last.insert(key, now);
        Start::Granted
    }

    /// What `/gateway/bot` says besides the address.
    pub(crate) fn describe(&self, now: Duration) -> Value {
        let left = |began: Duration| DAY.saturating_sub(now.saturating_sub(began));
        let reset = self.day_began.map(left).unwrap_or_default();
        let fresh = self.day_began.is_some() && reset.is_zero();
        json!({
            "total": TOTAL,
            "remaining": if fresh { TOTAL } else { self.remaining },
            "reset_after": u64::try_from(reset.as_millis()).unwrap_or(u64::MAX),
            "max_concurrency": self.max_concurrency,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_identify_in_five_seconds_for_each_remainder() {
        let mut starts = Starts { max_concurrency: 2, ..Starts::default() };
        let all = [(0, 0), (1, 0), (2, 0), (0, 4), (2, 5), (3, 5), (1, 9)];
        let granted = all.map(|(shard, second)| starts.take(shard, at(second)) == Start::Granted);
        assert_eq!(granted, [true, true, false, false, true, true, false]);
        assert_eq!(starts.describe(at(9))["remaining"], 996, "what was refused does not count");
    }

    #[test]
    fn a_day_has_so_many_and_the_next_day_as_many_again() {
        let mut starts = Starts::default();
        starts.leave(2);
        let identify = |starts: &mut Starts, second| starts.take(0, at(second));
        assert_eq!(identify(&mut starts, 100), Start::Granted);
        assert_eq!(identify(&mut starts, 200), Start::Granted);
        assert_eq!(identify(&mut starts, 300), Start::UsedUp);
        assert_eq!(starts.describe(at(300))["reset_after"], (24 * 3600 - 200) * 1000);
        assert_eq!(starts.describe(at(100 + 24 * 3600))["remaining"], 1000);
        assert_eq!(identify(&mut starts, 100 + 24 * 3600), Start::Granted);
    }
}
