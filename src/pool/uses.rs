//! How often each slot was lent, by its weight, and the fewest of each word of slots.

use std::ops::Range;

use super::{
    table::Seat,
    veil::{Veil, WORD},
};

/// What a use counts at weight 1, so that a share of it at weight 100 is still fine enough.
const USE: u64 = 1 << 20;

/// The uses of every position; empty, and without effect, until made for some.
#[derive(Debug, Default)]
pub(super) struct Uses {
    weights: Vec<u8>,
    /// By position; what cannot be lent holds `u64::MAX`.
    shares: Vec<u64>,
    /// By word.
    fewest: Vec<u64>,
    /// By word: how often it changed, from 1.
    changes: Vec<u64>,
}

impl Uses {
    /// For these seats, by position.
    pub(super) fn new(words: usize, seats: &[Seat], positions: &[usize]) -> Self {
        let mut weights = vec![1; words * WORD];
        for (seat, position) in seats.iter().zip(positions) {
            weights[*position] = seat.weight.max(1);
        }
        let shares = vec![u64::MAX; words * WORD];
        Self { weights, shares, fewest: vec![u64::MAX; words], changes: vec![1; words] }
    }

    /// Notes how often a slot was lent; `None` while it cannot be lent.
    pub(super) fn put(&mut self, position: usize, used: Option<u64>) {
        let Some(share) = self.shares.get_mut(position) else { return };
        let weight = u64::from(self.weights[position]);
        *share = used.map_or(u64::MAX, |used| (used.saturating_mul(USE) / weight).min(u64::MAX - 1));
        let word = position / WORD;
        self.changes[word] += 1;
        self.fewest[word] = self.fewest_but(word, 0);
    }

    /// The fewest of a word besides these bits of it.
    fn fewest_but(&self, word: usize, hidden: u64) -> u64 {
        let shares = self.shares[word * WORD..(word + 1) * WORD].iter().enumerate();
        shares.filter(|(bit, _)| hidden & (1 << bit) == 0).map(|(_, share)| *share).min().unwrap_or(u64::MAX)
    }

    /// The position with the fewest uses among these words. A word on which the model rests is gone through again only after it
    /// changed, so that a pick costs one word's slots however many of them rest.
    pub(super) fn least(&self, veil: &Veil<'_>, words: Range<usize>) -> Option<usize> {
        let mut hidden = veil.hidden_from(words.start).iter().peekable();
        let mut best: Option<(u64, usize, u64)> = None;
        for word in words {
            let here = hidden.next_if(|hidden| hidden.word == word);
            let resting = here.map_or(0, |hidden| hidden.bits);
            let passed = !veil.untried(!resting, word);
            let fewest = match here {
                _ if passed != resting => self.fewest_but(word, passed),
                None => self.fewest[word],
                Some(hidden) => match hidden.fewest.get() {
                    (change, fewest) if change == self.changes[word] => fewest,
                    _ => {
                        let fewest = self.fewest_but(word, resting);
                        hidden.fewest.set((self.changes[word], fewest));
                        fewest
                    }
                },
            };
            if fewest < best.map_or(u64::MAX, |(fewest, ..)| fewest) {
                best = Some((fewest, word, passed));
            }
        }
        let (fewest, word, passed) = best?;
        let mut slots = (word * WORD..(word + 1) * WORD).filter(|at| passed & (1 << (at % WORD)) == 0);
        slots.find(|position| self.shares[*position] == fewest)
    }
}
