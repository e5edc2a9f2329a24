//! The task of one edit budget.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{
    future::{BoxFuture, FutureExt},
    stream::{FuturesUnordered, StreamExt},
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    super::{Learned, Pace, RateKey, SinkError},
    Command, Pacers, StreamId,
    lane::Lane,
    locked,
    stream::{Candidate, Persistence, SendKind, Stream, Urgency},
};
use crate::clock;

/// A send that takes longer counts as failed.
const SEND_LIMIT: Duration = Duration::from_secs(15);
/// An idle task keeps what it knows of the budget for this long.
const LINGER: Duration = Duration::from_secs(10);

/// An answer to a send.
struct Answer {
    id: StreamId,
    index: usize,
    kind: SendKind,
    sent_at: Instant,
    result: Result<Learned, SinkError>,
}

/// The state of a key's task.
pub(super) struct KeyTask {
    key: RateKey,
    commands: mpsc::UnboundedReceiver<Command>,
    pacers: Pacers,
    streams: BTreeMap<StreamId, Stream>,
    /// The tasks of replies that went on with another budget.
    moved: BTreeMap<StreamId, mpsc::UnboundedSender<Command>>,
    lanes: Lanes,
    /// An edit of this key is on its way: the next waits for its answer.
    editing: Option<(StreamId, usize)>,
    in_flight: FuturesUnordered<BoxFuture<'static, Answer>>,
}

/// A key's budgets.
struct Lanes {
    pace: Pace,
    edits: Lane,
    creates: Lane,
}

impl Lanes {
    /// The one that a send takes from. What was promised to a command is there: its first text is an edit of it.
    fn of(&mut self, kind: SendKind, index: usize) -> &mut Lane {
        match (kind, self.pace) {
            (SendKind::Create, Pace::Brisk | Pace::Sparing) if index == 0 => &mut self.edits,
            (SendKind::Create, _) => &mut self.creates,
            (SendKind::Edit, _) => &mut self.edits,
        }
    }
}

/// What the task does next.
enum Next {
    Command(Option<Command>),
    Answer(Answer),
    Look,
    Leave,
}

impl KeyTask {
    pub(super) fn new(
        key: RateKey,
        pace: Pace,
        commands: mpsc::UnboundedReceiver<Command>,
        pacers: Pacers,
    ) -> Self {
        let now = clock::instant();
        Self {
            key,
            commands,
            pacers,
            streams: BTreeMap::new(),
            moved: BTreeMap::new(),
            lanes: Lanes { pace, edits: Lane::edits(pace, now), creates: Lane::creates(now) },
            editing: None,
            in_flight: FuturesUnordered::new(),
        }
    }

    /// Runs until no reply is left and none came for a while.
    pub(super) async fn run(mut self) {
        let ending = self.pacers.shutdown.token().clone();
        loop {
            self.hand_over();
            let wake_at = self.send_what_may_go();
            let idle = self.streams.is_empty() && self.in_flight.is_empty() && self.moved.is_empty();
            let leave_at =
                clock::instant().max(self.lanes.edits.next_at()).max(self.lanes.creates.next_at()) + LINGER;
            let next = tokio::select! {
                biased;
                command = self.commands.recv() => Next::Command(command),
                Some(answer) = self.in_flight.next() => Next::Answer(answer),
                () = sleep_until(wake_at) => Next::Look,
                () = tokio::time::sleep_until(leave_at), if idle => Next::Leave,
                () = ending.cancelled(), if idle => Next::Leave,
            };
            match next {
                Next::Command(Some(command)) => self.obey(command),
                Next::Answer(answer) => self.learn(answer),
                Next::Look => {}
                Next::Command(None) => return,
                Next::Leave => {
                    // Under the map's lock nobody can send to this task without being seen here.
                    let keys = Arc::clone(&self.pacers.keys);
                    let mut keys = locked(&keys);
                    if let Ok(command) = self.commands.try_recv() {
                        drop(keys);
                        self.obey(command);
                    } else {
                        keys.remove(&self.key);
                        return;
                    }
                }
            }
        }
    }

    /// Lets replies whose edits count elsewhere from now on go there.
    fn hand_over(&mut self) {
        let leaves = |stream: &Stream| stream.is_still() && stream.sink.key() != self.key;
        let leaving: Vec<StreamId> =
            self.streams.iter().filter(|(_, stream)| leaves(stream)).map(|(id, _)| *id).collect();
        for id in leaving {
            let Some(stream) = self.streams.remove(&id) else { continue };
            let (key, pace) = (stream.sink.key(), stream.sink.pace());
            let there = self.pacers.begin(key, pace, Command::Adopt { id, stream: Box::new(stream) });
            self.moved.insert(id, there);
        }
    }

    fn obey(&mut self, command: Command) {
        let now = clock::instant();
        if let Some(there) = self.moved.get(&command.id()) {
            let over = if let Command::Close { id } = command { Some(id) } else { None };
            // A task that ended meanwhile had nothing left to show.
            drop(there.send(command));
            over.and_then(|id| self.moved.remove(&id));
            return;
        }
        match command {
            Command::Open { id, sink, ended } => {
                self.streams.insert(id, Stream::new(sink, ended));
            }
            Command::Update { id, payloads } => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.update(payloads, now);
                }
            }
            Command::Finish { id, payloads, done } => match self.streams.get_mut(&id) {
                Some(stream) => stream.finish(payloads, done, now),
                // It ended before: the message is gone or must not be written.
                None => drop(done.send(Err(SinkError::Gone))),
            },
            Command::Adopt { id, stream } => {
                self.streams.insert(id, *stream);
            }
            Command::Close { id } => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.close();
                }
            }
        }
        self.forget_what_is_over();
    }

    /// Sends everything that may go now; says when to look again.
    fn send_what_may_go(&mut self) -> Option<Instant> {
        loop {
            let now = clock::instant();
            let mut wake_at: Option<Instant> = None;
            let mut best: Option<(StreamId, Candidate)> = None;
            for (id, candidate) in self.candidates() {
                if candidate.kind == SendKind::Edit && self.editing.is_some() {
                    continue;
                }
                let lane = self.lanes.of(candidate.kind, candidate.index).next_at();
                let at = candidate.not_before.map_or(lane, |not_before| not_before.max(lane));
                if at > now {
                    wake_at = Some(wake_at.map_or(at, |earlier| earlier.min(at)));
                } else if best.as_ref().is_none_or(|(_, other)| goes_before(&candidate, other)) {
                    best = Some((id, candidate));
                }
            }
            match best {
                Some((id, candidate)) => self.send(id, candidate, now),
                None => return wake_at,
            }
        }
    }

    fn candidates(&self) -> Vec<(StreamId, Candidate)> {
        self.streams
            .iter()
            .flat_map(|(id, stream)| stream.candidates().into_iter().map(|candidate| (*id, candidate)))
            .collect()
    }

    fn send(&mut self, id: StreamId, candidate: Candidate, now: Instant) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Candidate { index, kind, .. } = candidate;
        let payload = stream.send(index);
        let sink = Arc::clone(&stream.sink);
        self.lanes.of(kind, index).sent(now);
        if kind == SendKind::Edit {
            self.editing = Some((id, index));
        }
        let send = async move {
            let result = match tokio::time::timeout(SEND_LIMIT, sink.send(index, &payload)).await {
                Ok(result) => result,
                Err(_) => Err(SinkError::Transient { problem: "no answer".to_owned() }),
            };
            Answer { id, index, kind, sent_at: now, result }
        };
        self.in_flight.push(send.boxed());
    }

    fn learn(&mut self, answer: Answer) {
        let now = clock::instant();
        let Answer { id, index, kind, sent_at, result } = answer;
        if kind == SendKind::Edit {
            self.editing = None;
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let over = match result {
            Ok(learned) => {
                self.lanes.of(kind, index).learn(learned, sent_at, now);
                stream.accepted(index);
                None
            }
            Err(SinkError::RateLimited { retry_after }) => {
                tracing::debug!(
                    rate.key = %self.key.0,
                    retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX),
                    "Discord asked to wait before the next update"
                );
                self.lanes.of(kind, index).refused(retry_after, now);
                stream.again(index, sent_at);
                None
            }
            Err(error @ SinkError::Transient { .. }) => match stream.failed(index, sent_at, now) {
                Persistence::TriesAgain => None,
                Persistence::GivesUp => Some(error),
            },
            Err(error @ (SinkError::Gone | SinkError::Forbidden)) => Some(error),
            Err(error @ SinkError::Refused { .. }) => {
                stream.refused(index);
                if stream.is_final() {
                    Some(error)
                } else {
                    tracing::warn!(rate.key = %self.key.0, "{error}; the next update may pass");
                    None
                }
            }
        };
        if let Some(error) = over {
            stream.report(Err(error));
            self.streams.remove(&id);
        }
        self.forget_what_is_over();
    }

    fn forget_what_is_over(&mut self) {
        self.streams.retain(|_, stream| {
            let over = stream.is_over();
            if over && stream.is_final() {
                stream.report(Ok(()));
            }
            !over
        });
    }
}

/// Creates cost no edit and go at once; then final payloads; then first texts; then whoever waits longest.
fn goes_before(one: &Candidate, other: &Candidate) -> bool {
    let order = |candidate: &Candidate| {
        let kind = match candidate.kind {
            SendKind::Create => 0u8,
            SendKind::Edit => 1,
        };
        let urgency = match candidate.urgency {
            Urgency::Final => 0u8,
            Urgency::First => 1,
            Urgency::Snapshot => 2,
        };
        (kind, urgency, candidate.since, candidate.index)
    };
    order(one) < order(other)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
