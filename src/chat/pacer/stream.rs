//! One reply as the pacer sees it: what it should show, what it shows, and what is on its way.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::super::{Payload, ReplySink, SinkError};

/// How often a final payload is tried while Discord does not answer.
const FINAL_ATTEMPTS: u32 = 5;
/// The pause after the first failed attempt; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// One message of a reply.
#[derive(Debug, Default)]
struct Message {
    wanted: Payload,
    /// What Discord is known to show, once it shows anything.
    shown: Option<Payload>,
    /// What is on its way.
    sending: Option<Payload>,
    /// Since when something is wanted that is neither shown nor on its way.
    stale_since: Option<Instant>,
    /// What Discord refused for good: not worth another request.
    refused: Option<Payload>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Message {
    fn is_settled(&self) -> bool {
        self.sending.is_none() && self.stale_since.is_none()
    }

    fn want(&mut self, payload: Payload, now: Instant) {
        self.wanted = payload;
        let newest = self.sending.as_ref().or(self.shown.as_ref());
        if newest == Some(&self.wanted) || self.refused.as_ref() == Some(&self.wanted) {
            self.stale_since = None;
        } else {
            self.stale_since = self.stale_since.or(Some(now));
        }
    }
}

/// A send that could go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) index: usize,
    pub(super) kind: SendKind,
    pub(super) urgency: Urgency,
    /// Waiting since then.
    pub(super) since: Instant,
    /// Not to be sent before.
    pub(super) not_before: Option<Instant>,
}

/// Which budget a send takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendKind {
    /// A message's first send.
    Create,
    /// Every later one.
    Edit,
}

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// The reply is finished: end states, failure notes, stop marks.
    Final,
    /// The first text, where so far a line stands in for it.
    First,
    /// More will come.
    Snapshot,
}

impl Urgency {
    /// That of a reply's message.
    fn of(self, message: &Message) -> Self {
        match self {
            Self::Final => Self::Final,
            Self::First | Self::Snapshot => {
                let waits = message.shown.as_ref().is_some_and(|shown| shown.stands_in);
                if waits && !message.wanted.stands_in { Self::First } else { Self::Snapshot }
            }
        }
    }
}

/// One reply.
pub(super) struct Stream {
    pub(super) sink: Arc<dyn ReplySink>,
    ended: watch::Sender<Option<SinkError>>,
    messages: Vec<Message>,
    done: Option<oneshot::Sender<Result<(), SinkError>>>,
    urgency: Urgency,
    closed: bool,
}

impl Stream {
    pub(super) fn new(sink: Arc<dyn ReplySink>, ended: watch::Sender<Option<SinkError>>) -> Self {
        Self { sink, ended, messages: Vec::new(), done: None, urgency: Urgency::Snapshot, closed: false }
    }

    /// Takes a newer snapshot.
    pub(super) fn update(&mut self, payloads: Vec<Payload>, now: Instant) {
        if self.urgency == Urgency::Final {
            return;
        }
        self.want(payloads, now);
    }

    /// Takes the last payloads.
    pub(super) fn finish(
        &mut self,
        payloads: Vec<Payload>,
        done: oneshot::Sender<Result<(), SinkError>>,
        now: Instant,
    ) {
        for message in &mut self.messages {
            message.failures = 0;
            message.refused = None;
        }
        self.want(payloads, now);
        self.urgency = Urgency::Final;
        self.done = Some(done);
    }

    /// Nobody waits for it any more.
    pub(super) fn close(&mut self) {
        if self.urgency == Urgency::Final {
            return;
        }
        self.closed = true;
        for message in &mut self.messages {
            message.stale_since = None;
        }
    }

    fn want(&mut self, payloads: Vec<Payload>, now: Instant) {
        for (index, payload) in payloads.into_iter().enumerate() {
            if index == self.messages.len() {
                self.messages.push(Message::default());
            }
            self.messages[index].want(payload, now);
        }
    }

    /// The sends that could go, as far as this reply is concerned: a message follows its predecessor's newest text.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (index, message) in self.messages.iter().enumerate() {
            let kind = if message.shown.is_some() { SendKind::Edit } else { SendKind::Create };
            let predecessor_shown = index
                .checked_sub(1)
                .and_then(|before| self.messages.get(before))
                .is_none_or(|before| before.stale_since.is_none() && before.shown.is_some());
            let may_go = message.sending.is_none() && (kind == SendKind::Edit || predecessor_shown);
            if let (true, Some(since)) = (may_go, message.stale_since) {
                let urgency = self.urgency.of(message);
                found.push(Candidate { index, kind, urgency, since, not_before: message.not_before });
            }
        }
        found
    }

    /// The newest payload of a message is sent now.
    pub(super) fn send(&mut self, index: usize) -> Payload {
        let message = &mut self.messages[index];
        message.stale_since = None;
        message.sending = Some(message.wanted.clone());
        message.wanted.clone()
    }

    /// A send was accepted.
    pub(super) fn accepted(&mut self, index: usize) {
        let message = &mut self.messages[index];
        message.shown = message.sending.take();
        message.failures = 0;
        message.not_before = None;
    }

    /// A 429: the newest text goes again when the budget allows.
    pub(super) fn again(&mut self, index: usize, sent_at: Instant) {
        let message = &mut self.messages[index];
        message.sending = None;
        message.stale_since = (!self.closed).then_some(sent_at);
    }

    /// Discord did not answer properly: again after a pause. A final payload is given up in the end.
    pub(super) fn failed(&mut self, index: usize, sent_at: Instant, now: Instant) -> Persistence {
        self.again(index, sent_at);
        let urgency = self.urgency;
        let message = &mut self.messages[index];
        message.failures += 1;
        if urgency == Urgency::Final && message.failures >= FINAL_ATTEMPTS {
            return Persistence::GivesUp;
        }
        let doubled = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(message.failures - 1));
        message.not_before = Some(now + doubled.min(LONGEST_PAUSE));
        Persistence::TriesAgain
    }

    /// A payload was refused for good; a newer one may pass.
    pub(super) fn refused(&mut self, index: usize) {
        let message = &mut self.messages[index];
        message.refused = message.sending.take();
        if message.refused.as_ref() == Some(&message.wanted) {
            message.stale_since = None;
        }
    }

    /// Whether nothing is left to do: then the entry can be forgotten.
    pub(super) fn is_over(&self) -> bool {
        let quiet = self.messages.iter().all(Message::is_settled);
        quiet && (self.closed || self.urgency == Urgency::Final)
    }

    /// Whether nothing of it is on its way.
    pub(super) fn is_still(&self) -> bool {
        self.messages.iter().all(|message| message.sending.is_none())
    }

    pub(super) fn is_final(&self) -> bool {
        self.urgency == Urgency::Final
    }

    /// Tells whoever waits how it ended.
    pub(super) fn report(&mut self, result: Result<(), SinkError>) {
        if let Err(reason) = &result {
            self.ended.send_replace(Some(reason.clone()));
        }
        if let Some(done) = self.done.take() {
            // The responder may have been dropped meanwhile; the text is shown all the same.
            drop(done.send(result));
        }
    }
}

/// Whether a failed send is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    TriesAgain,
    GivesUp,
}
