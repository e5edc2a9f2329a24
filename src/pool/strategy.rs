//! How the next credential is picked: in turn, by use, or the first until it rests.

use crate::config::Strategy;

/// What a candidate is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// It can be lent.
    Yes {
        /// How often it was.
        used: u64,
    },
    /// It could be, after a wait.
    Later,
    /// It cannot.
    No,
}

/// One provider's credentials, in their order, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Ring {
    members: Vec<usize>,
    turn: usize,
}

impl Ring {
    /// The same ring with other members.
    pub(super) fn with(self, members: Vec<usize>) -> Self {
        Self { members, turn: self.turn }
    }

    /// The members, by slot.
    pub(super) fn members(&self) -> &[usize] {
        &self.members
    }

    /// Picks: the one to lend, else the first that is worth a wait. Stops at the first that will do where the strategy
    /// allows it, so that a pick costs the same whatever the size of the pool (P37).
    pub(super) fn pick(
        &mut self,
        strategy: Strategy,
        mut candidate: impl FnMut(usize) -> Pick,
    ) -> (Option<usize>, Option<usize>) {
        let count = self.members.len();
        let start = match strategy {
            Strategy::RoundRobin | Strategy::LeastUsed => self.turn,
            Strategy::FillFirst => 0,
        };
        let mut least: Option<(u64, usize)> = None;
        let mut later = None;
        for offset in 0..count {
            let position = (start + offset) % count;
            let Some(slot) = self.members.get(position).copied() else { continue };
            match (candidate(slot), strategy) {
                (Pick::Yes { .. }, Strategy::RoundRobin | Strategy::FillFirst) => {
                    self.turn = (position + 1) % count;
                    return (Some(slot), None);
                }
                (Pick::Yes { used }, Strategy::LeastUsed) => {
                    if least.is_none_or(|(fewest, _)| used < fewest) {
                        least = Some((used, position));
                    }
                }
                (Pick::Later, _) => later = later.or(Some((slot, position))),
                (Pick::No, _) => {}
            }
        }
        if let Some((_, position)) = least {
            self.turn = (position + 1) % count;
            return (self.members.get(position).copied(), None);
        }
        if let Some((_, position)) = later {
            // Those who wait take turns as well, so that several stale credentials are refreshed, not one for all.
            self.turn = (position + 1) % count;
        }
        (None, later.map(|(slot, _)| slot))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};

    use super::*;

    fn ring(count: usize) -> Ring {
        Ring::default().with((0..count).collect())
    }

    proptest! {
        #[test]
        fn p39_round_robin_over_equal_credentials_differs_by_at_most_one(count in 1_usize..20, picks in 0_usize..200) {
            let mut ring = ring(count);
            let mut used = vec![0_u64; count];
            for _ in 0..picks {
                let (slot, _) = ring.pick(Strategy::RoundRobin, |_| Pick::Yes { used: 0 });
                used[slot.unwrap()] += 1;
            }
            let spread = used.iter().max().unwrap() - used.iter().min().unwrap();
            prop_assert!(spread <= 1, "{used:?}");
        }

        #[test]
        fn p39_least_used_evens_out_a_head_start(mut used in proptest::collection::vec(0_u64..20, 1..10)) {
            let mut ring = ring(used.len());
            for _ in 0..400 {
                let counts = used.clone();
                let (slot, _) = ring.pick(Strategy::LeastUsed, |slot| Pick::Yes { used: counts[slot] });
                used[slot.unwrap()] += 1;
            }
            prop_assert!(used.iter().max().unwrap() - used.iter().min().unwrap() <= 1, "{used:?}");
        }
    }

    #[test]
    fn fill_first_stays_with_the_first_until_it_rests() {
        let mut ring = ring(3);
        let any = |_| Pick::Yes { used: 9 };
        assert_eq!(ring.pick(Strategy::FillFirst, any), (Some(0), None));
        assert_eq!(ring.pick(Strategy::FillFirst, any), (Some(0), None));
        let first_rests = |slot| if slot == 0 { Pick::No } else { Pick::Yes { used: 0 } };
        assert_eq!(ring.pick(Strategy::FillFirst, first_rests), (Some(1), None));
    }

    #[test]
    fn p37_a_ready_ring_is_asked_once_a_pick() {
        let mut ring = ring(1000);
        let mut asked = 0;
        for _ in 0..1000 {
            ring.pick(Strategy::RoundRobin, |_| {
                asked += 1;
                Pick::Yes { used: 0 }
            });
        }
        assert_eq!(asked, 1000);
    }

    #[test]
    fn another_that_is_ready_comes_before_a_wait() {
        let mut ring = ring(3);
        let last_ready = |slot| if slot == 2 { Pick::Yes { used: 0 } } else { Pick::Later };
        assert_eq!(ring.pick(Strategy::RoundRobin, last_ready), (Some(2), None));
        assert_eq!(ring.pick(Strategy::RoundRobin, |_| Pick::Later), (None, Some(0)));
        assert_eq!(
            ring.pick(Strategy::RoundRobin, |_| Pick::Later),
            (None, Some(1)),
            "the next one waits for the next"
        );
    }
}
