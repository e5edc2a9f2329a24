//! A conversation's exchange: turns in a budget, events to text, text to a sink at the right moments.
//!
//! Knows no Discord but its limits as numbers, and no credential.

mod sink;

pub use sink::{Learned, Payload, RateKey, ReplySink, SinkError};
