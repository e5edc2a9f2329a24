//! Counting over a length of time that slides: in slots, so that a busy person costs as little memory as a quiet one.

use std::collections::BTreeMap;

const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Measure {
    /// Questions that were taken, for an hour.
    Questions,
    /// Tokens that they cost, for a day.
    Tokens,
}

impl Measure {
    pub(super) const ALL: [Self; 2] = [Self::Questions, Self::Tokens];

    /// For how long something counts, in milliseconds.
    const fn length(self) -> i64 {
        match self {
            Self::Questions => HOUR,
            Self::Tokens => DAY,
        }
    }

    /// How long a slot is, in milliseconds: so much longer than its length something may count.
    const fn slot(self) -> i64 {
        match self {
            Self::Questions => MINUTE,
            Self::Tokens => 10 * MINUTE,
        }
    }

    /// The slot of an instant: when it begins.
    pub(super) fn slot_at(self, now: i64) -> i64 {
        now - now.rem_euclid(self.slot())
    }

    /// From when on a slot counts no more.
    pub(super) fn ends_at(self, slot: i64) -> i64 {
        slot + self.slot() + self.length()
    }

    /// Its name in the database.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Questions => "questions",
            Self::Tokens => "tokens",
        }
    }
}

/// How much was counted in each slot.
pub(super) type Slots = BTreeMap<i64, u64>;

/// Drops the slots that count no more.
pub(super) fn forget(slots: &mut Slots, measure: Measure, now: i64) {
    while slots.first_key_value().is_some_and(|(slot, _)| measure.ends_at(*slot) <= now) {
        slots.pop_first();
    }
}

/// What counts at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Counted(Slots);

impl Counted {
    /// The sum of several.
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a Slots>, measure: Measure, now: i64) -> Self {
        let mut sum = Slots::new();
        for (slot, amount) in parts.into_iter().flatten() {
            let total: &mut u64 = sum.entry(*slot).or_default();
            *total = total.saturating_add(*amount);
        }
        forget(&mut sum, measure, now);
        Self(sum)
    }

    /// All of it.
    pub(super) fn sum(&self) -> u64 {
        self.0.values().fold(0, |sum, amount| sum.saturating_add(*amount))
    }

    /// When the oldest part of it counts no more.
    pub(super) fn next_at(&self, measure: Measure) -> Option<i64> {
        self.0.first_key_value().map(|(slot, _)| measure.ends_at(*slot))
    }

    /// From when on it is less than a limit, as it stands; `None`: it is.
    pub(super) fn below(&self, limit: u64, measure: Measure) -> Option<i64> {
        let mut left = self.sum();
        if left < limit {
            return None;
        }
        for (slot, amount) in &self.0 {
            left = left.saturating_sub(*amount);
            if left < limit {
                return Some(measure.ends_at(*slot));
            }
        }
        self.0.last_key_value().map(|(slot, _)| measure.ends_at(*slot))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Against the whole list of what happened: nothing counts shorter than it should, nor longer than a slot more,
        /// and whoever waits until they are told is below the limit, and not a moment before.
        #[test]
        fn d24_what_is_counted_slides(
            events in prop::collection::vec((0..3 * HOUR, 0u64..5), 0..40), now in 0..5 * HOUR, limit in 1u64..30
        ) {
            let measure = Measure::Questions;
            let (mut one, mut other) = (Slots::new(), Slots::new());
            for (index, (at, amount)) in events.iter().enumerate().filter(|(_, (at, _))| *at <= now) {
                let part = if index % 2 == 0 { &mut one } else { &mut other };
                *part.entry(measure.slot_at(*at)).or_default() += amount;
            }
            let count = |at: i64, length: i64| -> u64 {
                events.iter().filter(|(when, _)| *when <= now && when + length > at).map(|(_, amount)| amount).sum()
            };
            let counted = Counted::of([&one, &other], measure, now);
            let (least, most) = (count(now, HOUR), count(now, HOUR + MINUTE));
            prop_assert!((least..=most).contains(&counted.sum()), "{} of {least}..={most}", counted.sum());
            prop_assert!(counted.0.len() <= 62, "bounded");
            match counted.below(limit, measure) {
                None => prop_assert!(counted.sum() < limit),
                Some(until) => {
                    prop_assert!(counted.sum() >= limit && until > now && until <= now + HOUR + MINUTE);
                    let at = |instant| Counted::of([&one, &other], measure, instant).sum();
                    prop_assert!(at(until) < limit && at(until - 1) >= limit);
                }
            }
        }
    }
}
