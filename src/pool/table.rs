//! The lease table of one provider: which slot is lent next. Knows numbers and bits only, nothing of ours.
//!
//! A slot is a credential's place in its provider's order. Its **seat** (tier, weight) says how often it is lent, its
//! **outlook** whether it can be lent now and when that changes by itself. What an outlook follows from is the business
//! of whoever calls [`Table::update`]; a slot whose instant has come is handed out by [`Table::due`] and told anew.
//!
//! What it costs, with N slots, C pairs of tier and weight in use (usually 1) and M slots on which the model rests: a
//! pick reads at most N/64 + C words of bits, and one while the next slot of the turn is ready; it looks at no slot.
//! Where nothing can be lent, the earliest end of a rest is the first of an ordered set. An update costs O(log N) for
//! the instants, O(1) for the bits, and O(M/64) for each model that rests on the slot. Memory is O(N + rests).

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

use super::{
    uses::Uses,
    veil::{Hidden, Model, Veil, WORD},
};

/// One full turn of all weights, in virtual time; a class comes up every `TURN / (its weight × its open slots)`.
const TURN: u128 = 1 << 48;

impl Default for Seat {
    fn default() -> Self {
        Self { tier: 1, weight: 1 }
    }
}

/// In which order the slots of a tier are lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Order {
    /// Each in turn, as often as its weight says.
    #[default]
    InTurn,
    /// The one with the fewest uses by its weight.
    LeastUsed,
    /// The first that can be lent.
    First,
}

/// How often a slot is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    /// Lower tiers go first; the next only when none of this one can be lent.
    pub(super) tier: u8,
    /// Its share of the requests within the tier, 1 or more.
    pub(super) weight: u8,
}

/// Whether a slot can be lent, whatever the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Now.
    Ready,
    /// After a flight.
    Stale,
    /// Its flight fails for now.
    Failing,
    /// Its token is spent; whatever rests on it, nobody can change that but a person.
    Spent,
    /// It rests as a whole.
    Resting(Until),
    /// A person, its file or the service says no.
    Barred,
}

/// The end of a rest. The first to be back is the least of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Until {
    /// Time alone brings nothing back: named only where nothing else rests.
    pub(super) in_vain: bool,
    /// The millisecond.
    pub(super) at: i64,
}

/// What the table is told of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outlook {
    /// Whether it can be lent.
    pub(super) class: Class,
    /// The next millisecond at which that, or a model's rest, changes by itself.
    pub(super) changes_at: Option<i64>,
    /// How often it was lent.
    pub(super) used: u64,
    /// Models that rest on it.
    pub(super) models: Vec<(String, Until)>,
}

impl Outlook {
    /// Of a slot of which nothing was told yet.
    fn unknown() -> Self {
        Self { class: Class::Barred, changes_at: None, used: 0, models: Vec::new() }
    }

    /// The models that matter: what rests or is barred as a whole needs no further reason.
    fn resting_models(&self) -> &[(String, Until)] {
        match self.class {
            Class::Ready | Class::Stale | Class::Failing | Class::Spent => &self.models,
            Class::Resting(_) | Class::Barred => &[],
        }
    }
}

/// What a request can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// This slot.
    Lend(usize),
    /// This slot, after a flight.
    Wait(usize),
    /// Nothing.
    Nothing(Why),
}

/// Why nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The request tried one that could still be lent, or all that are left.
    Tried,
    /// This slot, or the model on it, is the first whose rest ends.
    Resting(usize),
    /// This slot's flight fails for now.
    Failing(usize),
    /// Only a person can put this slot right.
    Barred(usize),
    /// There is no slot.
    Empty,
}

/// Slots of one tier and weight: positions that begin at a word's first bit.
#[derive(Debug, Clone)]
struct Row {
    seat: Seat,
    positions: Range<usize>,
    /// How many can be lent.
    open: usize,
    /// The position after the one that was lent last.
    turn: usize,
    /// The position after the one that was waited for last.
    wait_turn: usize,
    /// The virtual instant at which it was lent from last.
    lent_at: u128,
}

/// The slots of one provider.
#[derive(Debug, Default)]
pub(super) struct Table {
    order: Order,
    rows: Vec<Row>,
    /// By slot.
    outlooks: Vec<Outlook>,
    /// By slot.
    positions: Vec<usize>,
    /// By position; a position that no slot has holds `usize::MAX`.
    slots: Vec<usize>,
    ready: Vec<u64>,
    stale: Vec<u64>,
    failing: Vec<u64>,
    barred: Vec<u64>,
    resting: BTreeSet<(Until, usize)>,
    due: BTreeSet<(i64, usize)>,
    models: HashMap<String, Model>,
    uses: Uses,
    /// The virtual instant of each tier, by tier.
    clocks: HashMap<u8, u128>,
    /// Words of bits that picks have read.
    pub(super) words_read: usize,
}

impl Table {
    /// A table of these seats, by slot. Nothing can be lent until each slot was told.
    pub(super) fn new(order: Order, seats: &[Seat]) -> Self {
        let mut sorted: Vec<usize> = (0..seats.len()).collect();
        let row_of = |slot: usize| match order {
            Order::InTurn => seats[slot],
            Order::LeastUsed | Order::First => Seat { weight: 1, ..seats[slot] },
        };
        sorted.sort_by(|one, other| {
            let (one, other) = (row_of(*one), row_of(*other));
            one.tier.cmp(&other.tier).then(other.weight.cmp(&one.weight))
        });
        let mut rows: Vec<Row> = Vec::new();
        let (mut slots, mut positions) = (Vec::new(), vec![0; seats.len()]);
        for slot in sorted {
            let seat = row_of(slot);
            if rows.last().is_none_or(|row| row.seat != seat) {
                slots.resize(slots.len().next_multiple_of(WORD), usize::MAX);
                let at = slots.len();
                rows.push(Row { seat, positions: at..at, open: 0, turn: at, wait_turn: at, lent_at: 0 });
            }
            positions[slot] = slots.len();
            slots.push(slot);
            if let Some(row) = rows.last_mut() {
                row.positions.end = slots.len();
            }
        }
        let words = slots.len().div_ceil(WORD);
        let mut table = Self {
            order,
            rows,
            outlooks: vec![Outlook::unknown(); seats.len()],
            positions,
            slots,
            ready: vec![0; words],
            stale: vec![0; words],
            failing: vec![0; words],
            barred: vec![0; words],
            ..Self::default()
        };
        if order == Order::LeastUsed {
            table.uses = Uses::new(words, seats, &table.positions);
        }
        for slot in 0..seats.len() {
            table.enter(slot, Class::Barred);
        }
        table
    }

    /// Takes over whose turn it is from the table that this one replaces.
    pub(super) fn take_turns_of(&mut self, old: &Self) {
        for row in &mut self.rows {
            let Some(before) = old.rows.iter().find(|before| before.seat == row.seat) else { continue };
            let Range { start, end } = row.positions;
            let moved = |turn: usize| (start + turn.saturating_sub(before.positions.start)).min(end);
            (row.turn, row.wait_turn) = (moved(before.turn), moved(before.wait_turn));
            row.lent_at = before.lent_at;
        }
        self.clocks.clone_from(&old.clocks);
    }

    /// A slot whose outlook changed by itself by this millisecond, to be told anew.
    pub(super) fn due(&mut self, now: i64) -> Option<usize> {
        let (_, slot) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.pop_first();
        Some(slot)
    }

    /// Takes in what is true of a slot now.
    pub(super) fn update(&mut self, slot: usize, outlook: Outlook) {
        if self.outlooks[slot] == outlook {
            return;
        }
        let position = self.positions[slot];
        let old = std::mem::replace(&mut self.outlooks[slot], outlook);
        if let Some(at) = old.changes_at {
            self.due.remove(&(at, slot));
        }
        let new = &self.outlooks[slot];
        if let Some(at) = new.changes_at {
            self.due.insert((at, slot));
        }
        if old.class != new.class || old.used != new.used {
            let class = new.class;
            self.leave(slot, old.class);
            self.enter(slot, class);
        }
        let new = &self.outlooks[slot];
        if old.resting_models() != new.resting_models() {
            for (model, until) in old.resting_models() {
                if let Some(resting) = self.models.get_mut(model) {
                    resting.wake(slot, position, *until);
                    if resting.until.is_empty() {
                        self.models.remove(model);
                    }
                }
            }
            for (model, until) in new.resting_models() {
                self.models.entry(model.clone()).or_default().rest(slot, position, *until);
            }
        }
    }

    /// Counts a use.
    pub(super) fn lent(&mut self, slot: usize) {
        let outlook = &mut self.outlooks[slot];
        outlook.used = outlook.used.saturating_add(1);
        self.uses.put(self.positions[slot], Some(outlook.used).filter(|_| outlook.class == Class::Ready));
    }

    /// Whether this slot can be lent for the model.
    pub(super) fn can_lend(&self, slot: usize, model: &str) -> bool {
        self.positions.get(slot).is_some_and(|position| self.is_open(*position, self.hidden(model)))
    }

    /// Whether a slot besides those that were tried can be lent for the model, or could be after a flight.
    pub(super) fn has_any(&self, model: &str, tried: &[usize]) -> bool {
        let tried = self.positions_of(tried);
        let veil = Veil { hidden: self.hidden(model), tried: &tried };
        [&self.ready, &self.stale].into_iter().any(|bits| veil.first(bits, self.all(), &mut 0).is_some())
    }

    /// How many models it remembers as resting somewhere.
    #[cfg(test)]
    pub(super) fn resting_models(&self) -> usize {
        self.models.len()
    }

    /// Picks for a model, besides the slots that the request tried. The turn goes on; the use is counted by
    /// [`Table::lent`].
    pub(super) fn pick(&mut self, model: &str, tried: &[usize]) -> Found {
        let tried = self.positions_of(tried);
        let mut at = 0;
        while let Some(tier) = self.rows.get(at).map(|row| row.seat.tier) {
            let end = at + self.rows.iter().skip(at).take_while(|row| row.seat.tier == tier).count();
            if let Some(position) = self.pick_in(at..end, model, &tried) {
                return Found::Lend(self.slots[position]);
            }
            at = end;
        }
        let veil = Veil { hidden: self.hidden(model), tried: &tried };
        let mut read = 0;
        let waits = self
            .rows
            .iter()
            .enumerate()
            .find_map(|(at, row)| Some((at, row.next(&self.stale, &veil, row.wait_turn, &mut read)?)));
        let Some((at, position)) = waits else { return Found::Nothing(self.why_nothing(model, &veil)) };
        // Those who wait take turns, so that several stale slots get their flights, not one for all.
        self.rows[at].wait_turn = position + 1;
        self.words_read += read;
        Found::Wait(self.slots[position])
    }

    /// Picks among the rows of one tier.
    fn pick_in(&mut self, rows: Range<usize>, model: &str, tried: &[usize]) -> Option<usize> {
        let veil = Veil { hidden: self.hidden(model), tried };
        let mut read = 0;
        let picked = match self.order {
            Order::First => self.rows[rows].iter().find_map(|row| {
                let first = row.positions.start;
                row.next(&self.ready, &veil, first, &mut read)
            }),
            Order::LeastUsed => {
                let mut open = self.rows[rows].iter().filter(|row| row.open > 0);
                open.find_map(|row| {
                    read += row.words().len();
                    self.uses.least(&veil, row.words())
                })
            }
            Order::InTurn => {
                let picked = self.next_in_turn(rows, &veil, &mut read);
                picked.map(|(at, position, clock)| {
                    let row = &mut self.rows[at];
                    (row.turn, row.lent_at) = (position + 1, clock);
                    self.clocks.insert(row.seat.tier, clock);
                    position
                })
            }
        };
        self.words_read += read;
        picked
    }

    /// The row and the position whose turn it is, and the virtual instant at which it is.
    fn next_in_turn(
        &self,
        rows: Range<usize>,
        veil: &Veil<'_>,
        read: &mut usize,
    ) -> Option<(usize, usize, u128)> {
        let first = self.rows.get(rows.start)?;
        if rows.len() == 1 {
            let position =
                if first.open == 0 { None } else { first.next(&self.ready, veil, first.turn, read) };
            return Some((rows.start, position?, first.lent_at));
        }
        let clock = self.clocks.get(&first.seat.tier).copied().unwrap_or(0);
        let mut passed = None;
        loop {
            // The rows that were not passed yet, by the instant at which they come up.
            let coming =
                rows.clone().filter_map(|at| Some((self.comes_up(&self.rows[at], veil, clock)?, at)));
            let next = coming.filter(|next| passed.is_none_or(|passed| *next > passed)).min()?;
            let (instant, at) = next;
            let row = &self.rows[at];
            if let Some(position) = row.next(&self.ready, veil, row.turn, read) {
                return Some((at, position, instant));
            }
            passed = Some(next);
        }
    }

    /// The virtual instant at which a row comes up next: never earlier than now, so that one that could not be lent from
    /// has saved up nothing.
    fn comes_up(&self, row: &Row, veil: &Veil<'_>, clock: u128) -> Option<u128> {
        let words = row.words();
        let among = veil.hidden_from(words.start).iter().take_while(|hidden| hidden.word < words.end);
        let hidden: u32 = among.map(|hidden| (self.ready[hidden.word] & hidden.bits).count_ones()).sum();
        let open = row.open.saturating_sub(hidden as usize);
        let share = u128::try_from(open).unwrap_or(0) * u128::from(row.seat.weight);
        Some((row.lent_at + TURN.checked_div(share)?).max(clock))
    }

    fn why_nothing(&self, model: &str, veil: &Veil<'_>) -> Why {
        let by_model = self.models.get(model);
        if veil.tried.iter().any(|position| self.is_open(*position, veil.hidden)) {
            return Why::Tried;
        }
        let rests = [self.resting.first(), by_model.and_then(|model| model.until.first())];
        if let Some((_, slot)) = rests.into_iter().flatten().min().copied() {
            return Why::Resting(slot);
        }
        let first = |bits: &[u64]| veil.first(bits, self.all(), &mut 0).map(|position| self.slots[position]);
        if let Some(slot) = first(&self.failing) {
            return Why::Failing(slot);
        }
        if !veil.tried.is_empty() {
            return Why::Tried;
        }
        first(&self.barred).map_or(Why::Empty, Why::Barred)
    }

    fn is_open(&self, position: usize, hidden: &[Hidden]) -> bool {
        let (word, bit) = (position / WORD, 1 << (position % WORD));
        let rests = hidden.binary_search_by_key(&word, |hidden| hidden.word);
        self.ready[word] & bit != 0 && rests.is_ok_and(|at| hidden[at].bits & bit == 0) | rests.is_err()
    }

    fn hidden(&self, model: &str) -> &[Hidden] {
        if self.models.is_empty() {
            return &[];
        }
        self.models.get(model).map_or(&[], |model| &model.hidden)
    }

    fn positions_of(&self, slots: &[usize]) -> Vec<usize> {
        slots.iter().filter_map(|slot| self.positions.get(*slot).copied()).collect()
    }

    fn all(&self) -> Range<usize> {
        0..self.slots.len()
    }

    fn row_at(&mut self, position: usize) -> Option<&mut Row> {
        let after = self.rows.partition_point(|row| row.positions.start <= position);
        self.rows.get_mut(after.checked_sub(1)?)
    }

    fn bits_of(&mut self, class: Class) -> Option<&mut Vec<u64>> {
        match class {
            Class::Ready => Some(&mut self.ready),
            Class::Stale => Some(&mut self.stale),
            Class::Failing => Some(&mut self.failing),
            Class::Spent | Class::Barred => Some(&mut self.barred),
            Class::Resting(_) => None,
        }
    }

    fn leave(&mut self, slot: usize, class: Class) {
        let position = self.positions[slot];
        if let Some(bits) = self.bits_of(class) {
            bits[position / WORD] &= !(1 << (position % WORD));
        }
        match class {
            Class::Ready => {
                if let Some(row) = self.row_at(position) {
                    row.open = row.open.saturating_sub(1);
                }
                self.uses.put(position, None);
            }
            Class::Resting(until) => {
                self.resting.remove(&(until, slot));
            }
            Class::Stale | Class::Failing | Class::Spent | Class::Barred => {}
        }
    }

    fn enter(&mut self, slot: usize, class: Class) {
        let position = self.positions[slot];
        if let Some(bits) = self.bits_of(class) {
            bits[position / WORD] |= 1 << (position % WORD);
        }
        match class {
            Class::Ready => {
                if let Some(row) = self.row_at(position) {
                    row.open += 1;
                }
                self.uses.put(position, Some(self.outlooks[slot].used));
            }
            Class::Resting(until) => {
                self.resting.insert((until, slot));
            }
            Class::Stale | Class::Failing | Class::Spent | Class::Barred => {}
        }
    }
}

impl Row {
    fn words(&self) -> Range<usize> {
        self.positions.start / WORD..self.positions.end.div_ceil(WORD)
    }

    /// Its first position, from this one on and around, whose bit is set and that is not passed over.
    fn next(&self, bits: &[u64], veil: &Veil<'_>, turn: usize, read: &mut usize) -> Option<usize> {
        let Range { start, end } = self.positions;
        veil.first(bits, turn..end, read).or_else(|| veil.first(bits, start..turn, read))
    }
}
