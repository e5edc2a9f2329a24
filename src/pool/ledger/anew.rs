//! A store that is replaced or restored under a running process: what is known here is written to it again.

use super::{Item, Known, Ledger};
use crate::pool::{line::Rests, state_store::Changes};

impl Ledger {
    /// Whether these are the changes of another store than the one that was read so far.
    pub(in crate::pool) fn is_another(&self, changes: &Changes) -> bool {
        changes.revision < self.revision || self.store.as_ref().is_some_and(|store| *store != changes.store)
    }

    /// Everything is to be read, and whatever was decided or rests to be written. Sums are not: each process would add
    /// what all have counted.
    pub(in crate::pool) fn begin_anew(&mut self) {
        self.revision = 0;
        self.store = None;
        self.known.values_mut().for_each(Known::tell_again);
    }
}

impl Known {
    fn tell_again(&mut self) {
        let Self { rest, models, refused, refusal, switch, changed, .. } = self;
        changed.extend((*rest != Rests::default()).then_some(Item::Rest));
        changed.extend(models.keys().cloned().map(Item::ModelRest));
        changed.extend(refused.keys().copied().map(Item::RefusedToken));
        changed.extend((refusal.at != 0).then_some(Item::Refusal));
        changed.extend((switch.at != 0).then_some(Item::Switch));
    }
}
