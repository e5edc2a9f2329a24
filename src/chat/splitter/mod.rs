//! Growing text cut into messages (D6): nothing broken that Discord would then show broken.
//!
//! A piece is cut as soon as its text no longer fits, and the place depends only on what had arrived by then. So
//! a piece that is full never changes while text streams in, and splitting the whole at once gives the same pieces.

mod cut;
pub(super) mod fence;
mod span;
#[cfg(test)]
mod tests;

use cut::Carry;

/// How many messages an answer may take, and what the last one keeps free for a line that says so (D8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Pieces at most; what is behind them is the overflow.
    pub pieces: usize,
    /// UTF-16 units that the last of them leaves free.
    pub reserve: usize,
}

/// One message's worth of text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Piece {
    /// A fence opened again, when the piece before was cut inside one.
    pub opening: String,
    /// The part of the input. All bodies together, and the overflow, are the input.
    pub body: String,
    /// A fence closed, when the piece ends inside one.
    pub closing: String,
}

impl Piece {
    /// What the message shows.
    pub fn text(&self) -> String {
        [self.opening.as_str(), &self.body, &self.closing].concat()
    }
}

/// Cuts text that grows. Pieces that are full stay as they are.
#[derive(Debug, Clone)]
pub struct Splitter {
    limit: usize,
    bound: Option<Bound>,
    text: String,
    full: Vec<Piece>,
    /// Where the piece that still grows begins, in bytes.
    start: usize,
    carry: Carry,
}

/// The smallest message that fences can be kept in.
const SMALLEST_LIMIT: usize = 32;

impl Splitter {
    /// Cuts into pieces of at most `limit` UTF-16 units (at least 32), as many as it takes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(SMALLEST_LIMIT),
            bound: None,
            text: String::new(),
            full: Vec::new(),
            start: 0,
            carry: Carry::default(),
        }
    }

    /// Cuts into a bounded number of pieces.
    pub fn bounded(limit: usize, bound: Bound) -> Self {
        Self { bound: Some(bound), ..Self::new(limit) }
    }

    /// Everything that was pushed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends text.
    pub fn push(&mut self, more: &str) {
        self.text.push_str(more);
        while let Some(limit) = self.limit_of(self.full.len()) {
            let rest = tail(&self.text, self.start);
            let Some(cut) = cut::next(rest, &self.carry, limit, self.room()) else { break };
            self.full.push(Piece {
                opening: self.carry.opening(),
                body: rest.get(..cut.at).unwrap_or(rest).to_owned(),
                closing: cut.closing,
            });
            self.start += cut.at;
            self.carry = cut.carry;
        }
    }

    /// The pieces so far. A fence that is open in the last one is closed, so that it shows as code meanwhile.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = self.full.clone();
        let rest = tail(&self.text, self.start);
        if !rest.is_empty() && self.limit_of(pieces.len()).is_some() {
            pieces.push(Piece {
                opening: self.carry.opening(),
                body: rest.to_owned(),
                closing: cut::closing_at_end(rest, &self.carry, self.room()),
            });
        }
        pieces
    }

    /// This text with more behind it that may still change. Costs what the piece that grows holds.
    pub(super) fn ahead(&self, more: &str) -> Self {
        let mut ahead = Self {
            text: tail(&self.text, self.start).to_owned(),
            full: self.full.clone(),
            start: 0,
            carry: self.carry.clone(),
            ..*self
        };
        ahead.push(more);
        ahead
    }

    /// Whether something lies behind the last piece that the bound allows.
    pub fn overflows(&self) -> bool {
        self.start < self.text.len() && self.limit_of(self.full.len()).is_none()
    }

    /// What lies behind the last piece that the bound allows.
    pub fn overflow(&self) -> Option<Piece> {
        self.overflows().then(|| Piece {
            opening: self.carry.opening(),
            body: tail(&self.text, self.start).to_owned(),
            closing: String::new(),
        })
    }

    /// Units that a fence may take to be closed and opened again; more than that, and it is treated as text.
    fn room(&self) -> usize {
        let reserve = self.bound.map_or(0, |bound| bound.reserve);
        self.limit.saturating_sub(reserve).max(SMALLEST_LIMIT) / 3
    }

    fn limit_of(&self, index: usize) -> Option<usize> {
        match self.bound {
            Some(bound) if index >= bound.pieces => None,
            Some(bound) if index + 1 == bound.pieces => {
                Some(self.limit.saturating_sub(bound.reserve).max(SMALLEST_LIMIT))
            }
            Some(_) | None => Some(self.limit),
        }
    }
}

/// UTF-16 units of a text, which is how Discord counts.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn tail(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}
