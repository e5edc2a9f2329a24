//! What a pick passes over: the slots on which a model rests, kept by words of bits, and those that a request tried.

use std::{cell::Cell, collections::BTreeSet, ops::Range};

use super::table::Until;

/// Bits in a word.
pub(super) const WORD: usize = 64;

/// A model that rests on some slots.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Where it rests, by words, in their order.
    pub(super) hidden: Vec<Hidden>,
    /// The same by the end of the rest.
    pub(super) until: BTreeSet<(Until, usize)>,
}

/// The slots of one word on which a model rests.
#[derive(Debug)]
pub(super) struct Hidden {
    pub(super) word: usize,
    pub(super) bits: u64,
    /// The fewest uses among the others, and the change of the word for which that was found.
    pub(super) fewest: Cell<(u64, u64)>,
}

/// What a pick passes over.
#[derive(Debug)]
pub(super) struct Veil<'a> {
    /// The words on which the model rests.
    pub(super) hidden: &'a [Hidden],
    /// Positions.
    pub(super) tried: &'a [usize],
}

impl Model {
    /// It rests on a slot.
    pub(super) fn rest(&mut self, slot: usize, position: usize, until: Until) {
        self.until.insert((until, slot));
        let (word, bit) = (position / WORD, 1 << (position % WORD));
        match self.hidden.binary_search_by_key(&word, |hidden| hidden.word) {
            Ok(at) => self.hidden[at] = Hidden::new(word, self.hidden[at].bits | bit),
            Err(at) => self.hidden.insert(at, Hidden::new(word, bit)),
        }
    }

    /// It rests there no longer.
    pub(super) fn wake(&mut self, slot: usize, position: usize, until: Until) {
        self.until.remove(&(until, slot));
        let (word, bit) = (position / WORD, 1 << (position % WORD));
        if let Ok(at) = self.hidden.binary_search_by_key(&word, |hidden| hidden.word) {
            match self.hidden[at].bits & !bit {
                0 => drop(self.hidden.remove(at)),
                bits => self.hidden[at] = Hidden::new(word, bits),
            }
        }
    }
}

impl Hidden {
    fn new(word: usize, bits: u64) -> Self {
        Self { word, bits, fewest: Cell::default() }
    }
}

impl<'a> Veil<'a> {
    /// Those words, from this one on.
    pub(super) fn hidden_from(&self, word: usize) -> &'a [Hidden] {
        &self.hidden[self.hidden.partition_point(|hidden| hidden.word < word)..]
    }

    /// These bits of a word without the positions that were tried.
    pub(super) fn untried(&self, mut open: u64, word: usize) -> u64 {
        if open != 0 {
            for tried in self.tried.iter().filter(|tried| **tried / WORD == word) {
                open &= !(1 << (tried % WORD));
            }
        }
        open
    }

    /// The first of these positions whose bit is set and that is not passed over; `read` is told how many words it took.
    pub(super) fn first(&self, bits: &[u64], among: Range<usize>, read: &mut usize) -> Option<usize> {
        let words = among.start / WORD..among.end.div_ceil(WORD).min(bits.len());
        let mut hidden = self.hidden_from(words.start).iter().peekable();
        for word in words {
            *read += 1;
            let mut open = bits[word];
            if let Some(hidden) = hidden.next_if(|hidden| hidden.word == word) {
                open &= !hidden.bits;
            }
            if word == among.start / WORD {
                open &= u64::MAX << (among.start % WORD);
            }
            if word == among.end / WORD {
                open &= (1 << (among.end % WORD)) - 1;
            }
            open = self.untried(open, word);
            if open != 0 {
                return Some(word * WORD + open.trailing_zeros() as usize);
            }
        }
        None
    }
}
