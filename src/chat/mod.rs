//! A conversation's exchange: turns in a budget, events to text, text to a sink at the right moments.
//!
//! Knows no Discord but its limits as numbers, and no credential.

mod answer;
mod pacer;
mod responder;
pub mod sentence;
mod sink;
mod splitter;

pub use answer::{Answer, MOST_MESSAGES};
pub use pacer::{Pacers, Reply};
pub use responder::{Ended, Ending, Exchange};
pub use sentence::Reader;
pub use sink::{Learned, Payload, RateKey, ReplySink, SinkError};
pub use splitter::{Bound, Piece, Splitter, units};
