//! A conversation's exchange: turns in a budget, events to text, text to a sink at the right moments.
//!
//! Knows no Discord but its limits as numbers, and no credential.

mod answer;
mod budget;
mod calling;
mod compaction;
mod conversation;
mod file;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod inflight;
mod pacer;
mod pdf;
mod persona;
mod reading;
mod responder;
pub mod sentence;
pub mod settings;
mod sink;
mod splitter;
mod table;
mod turn;

pub use answer::{Answer, MOST_MESSAGES, without_file};
pub use budget::{Budget, estimate};
pub use calling::{Ask, CallOutcome, Calling, Happening, Happenings, Permissions, ToolStep, Verdict};
pub use compaction::{ask_for_summary, shorten_summary, turns_to_summarise};
pub use conversation::{Composed, Place, Scene, compose, request_tokens};
pub use file::{Content, File, Offer, Picture, Unread};
pub use inflight::{Inflight, MOST_AT_ONCE, Permit, Ticket};
pub use pacer::{Pacers, Reply};
pub use pdf::pdf_text;
pub use persona::{AppliedPersona, NoPersona, PersonaRef, Shelf, resolve_persona};
pub use reading::FileReader;
pub use responder::{Asides, Ended, Ending, Exchange, PATIENCE};
pub use sentence::Reader;
pub use sink::{Learned, Next, Pace, Payload, RateKey, ReplySink, SinkError};
pub use splitter::{Bound, Piece, Splitter, units};
pub use turn::{Speaker, Turn};
