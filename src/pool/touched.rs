//! Which slots were touched since somebody looked, each once, at the cost of one test for a slot that is there already.

/// Slots that each look is shown besides: a change that nobody noted is found after a few minutes all the same.
const STRIP: usize = 8;

/// Slots between two looks.
#[derive(Debug, Default)]
pub(super) struct Touched {
    slots: Vec<usize>,
    /// By slot.
    is_in: Vec<bool>,
    /// Where the next strip begins.
    turn: usize,
}

impl Touched {
    /// Every slot of so many.
    pub(super) fn all(&mut self, count: usize) {
        self.slots = (0..count).collect();
        self.is_in = vec![true; count];
    }

    /// One more.
    pub(super) fn add(&mut self, slot: usize) {
        if let Some(is_in) = self.is_in.get_mut(slot)
            && !std::mem::replace(is_in, true)
        {
            self.slots.push(slot);
        }
    }

    /// Hands them over, and the strip whose turn it is, and begins anew.
    pub(super) fn take(&mut self) -> Vec<usize> {
        for _ in 0..STRIP.min(self.is_in.len()) {
            self.turn = (self.turn + 1) % self.is_in.len();
            self.add(self.turn);
        }
        let slots = std::mem::take(&mut self.slots);
        for slot in &slots {
            if let Some(is_in) = self.is_in.get_mut(*slot) {
                *is_in = false;
            }
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_slot_is_handed_over_once_however_often_it_was_touched() {
        let mut touched = Touched::default();
        assert!(touched.take().is_empty(), "there is none");
        touched.all(100);
        assert_eq!(touched.take(), (0..100).collect::<Vec<_>>());
        for slot in [70, 60, 70, 100] {
            touched.add(slot);
        }
        let taken = touched.take();
        assert_eq!(taken[..2], [70, 60], "and one that there is not, never");
        assert_eq!(taken.len(), 2 + STRIP);
        assert_eq!(touched.take().len(), STRIP, "each time it was touched, once");
    }

    #[test]
    fn every_slot_has_its_turn() {
        for count in [1, STRIP, 50] {
            let mut touched = Touched::default();
            touched.all(count);
            touched.take();
            let seen: BTreeSet<usize> = (0..count.div_ceil(STRIP)).flat_map(|_| touched.take()).collect();
            assert_eq!(seen.len(), count);
        }
    }
}
