//! One operator: what they know, and how often they may be written to.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::told::Told;

/// Messages to one operator in an hour; what is more waits, and is said together.
const PER_HOUR: usize = 10;
const HOUR: Duration = Duration::from_hours(1);

/// How long somebody is left alone who cannot be written to.
pub(super) const ALONE: Duration = Duration::from_hours(24);

/// One operator.
#[derive(Debug)]
pub(super) struct Person {
    /// Their id.
    pub(super) id: u64,
    /// What they know.
    pub(super) told: Told,
    /// Their direct messages, once they are open.
    pub(super) channel: Option<u64>,
    /// When they were written to in the last hour.
    wrote: VecDeque<Instant>,
    alone_until: Option<Instant>,
}

impl Person {
    /// Somebody who knows this.
    pub(super) fn new(id: u64, told: Told) -> Self {
        Self { id, told, channel: None, wrote: VecDeque::new(), alone_until: None }
    }

    /// Whether they may be written to now.
    pub(super) fn may_write(&mut self, now: Instant) -> bool {
        while self.wrote.front().is_some_and(|at| *at + HOUR <= now) {
            self.wrote.pop_front();
        }
        self.alone_until.is_none_or(|until| until <= now) && self.wrote.len() < PER_HOUR
    }

    /// They were written to.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.wrote.push_back(now);
    }

    /// They cannot be written to: nothing is tried for a while, then from the beginning.
    pub(super) fn leave_alone(&mut self, now: Instant) {
        self.alone_until = Some(now + ALONE);
        self.channel = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn p34_messages_are_bounded_in_any_hour() {
        let mut person = Person::new(7, Told::default());
        let begin = clock::instant();
        let minutes = (0..180).filter(|minute| {
            let now = begin + Duration::from_mins(*minute);
            let may = person.may_write(now);
            if may {
                person.wrote(now);
            }
            may
        });
        let minutes: Vec<u64> = minutes.collect();
        assert_eq!(minutes, (0..10).chain(60..70).chain(120..130).collect::<Vec<_>>());
    }

    #[test]
    fn p34_closed_direct_messages_are_left_alone_for_a_day() {
        let mut person = Person::new(7, Told::default());
        let begin = clock::instant();
        person.channel = Some(8);
        person.leave_alone(begin);
        assert!(!person.may_write(begin + ALONE - Duration::from_secs(1)));
        assert!(person.may_write(begin + ALONE));
        assert_eq!(person.channel, None);
    }
}
