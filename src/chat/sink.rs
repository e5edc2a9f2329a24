//! Where streamed text goes: the trait that this room owns and `discord` implements.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

/// What shares one edit budget, opaque here: a channel for ordinary messages, an interaction for slash replies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RateKey(pub String);

/// What is known of an edit budget before the first answer to an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// 5 edits in 5 s: a channel's, all of its messages together.
    Even,
    /// 5 in 2 s and 30 in 60 s: an interaction's whose reply goes on with another budget before the minute's is spent.
    Brisk,
    /// The same where there is no other: brisk at first, then evenly over what is left of the minute.
    Sparing,
}

/// What a person may want after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Next {
    /// Nothing: more is coming, or it stands in another message.
    #[default]
    Nothing,
    /// Another answer in its place.
    Regenerate,
    /// The rest of it, or another one.
    Continue,
    /// An answer, since there is none.
    Retry,
}

/// What a message shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// The text: at most the sink's limit in UTF-16 units.
    pub text: String,
    /// Still being written: a "stop" button rides on it.
    pub streaming: bool,
    /// Nothing of the answer yet: a line stands in for it, and what takes its place is waited for.
    pub stands_in: bool,
    /// What is offered below it, once it is complete.
    pub next: Next,
    /// A call of a tool waits for the asker: its number, for the buttons that allow and deny it.
    pub asks: Option<u32>,
    /// A file to attach (D8): name and content. On creates and final edits only.
    pub attachment: Option<(String, Vec<u8>)>,
}

/// What an answer taught about the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Learned {
    /// How long to wait before the next edit with this key, when the answer said so.
    pub wait: Option<Duration>,
    /// Edits left in the window.
    pub remaining: Option<u32>,
    /// The window's size in edits.
    pub limit: Option<u32>,
    /// Time until the window resets.
    pub reset_after: Option<Duration>,
}

/// Why a send failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// 429: the same payload may be sent after this long, once.
    #[error("rate limited for {retry_after:?}")]
    RateLimited {
        /// `Retry-After`.
        retry_after: Duration,
    },
    /// The message or channel is gone: stop.
    #[error("the message or its channel is gone")]
    Gone,
    /// 403: stop, and leave the channel alone for a while (D19).
    #[error("not allowed to write there")]
    Forbidden,
    /// 5xx or no connection: may be tried again.
    #[error("Discord is not answering properly ({problem})")]
    Transient {
        /// `HTTP 502`.
        problem: String,
    },
    /// Anything else: a mistake of ours; logged with the code.
    #[error("Discord refused the message ({problem})")]
    Refused {
        /// `HTTP 400 50035`.
        problem: String,
    },
}

/// A place for one reply, made of one or more messages.
#[async_trait]
pub trait ReplySink: Send + Sync {
    /// The edit budget that its edits share with others. It may change while the reply grows.
    fn key(&self) -> RateKey;

    /// What is known of that budget.
    fn pace(&self) -> Pace {
        Pace::Even
    }

    /// UTF-16 units that one message holds.
    fn limit(&self) -> usize;

    /// Until when it can be written, with time for the last edits; `None`: for as long as anybody likes.
    fn until(&self) -> Option<Instant> {
        None
    }

    /// Resolves when it closes, if it does.
    async fn closed(&self) {
        match self.until() {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// Shows a payload as the reply's `index`-th message: creates it the first time, edits it after.
    /// Never notifies anybody (D15).
    async fn send(&self, index: usize, payload: &Payload) -> Result<Learned, SinkError>;

    /// Shows that the bot is typing; lasts 10 s.
    async fn typing(&self);
}
