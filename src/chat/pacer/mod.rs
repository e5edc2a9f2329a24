//! When text becomes visible: one task per edit budget, driven by a timer (D1 to D5).
//!
//! A responder may say as often as it likes what its reply should show; what is sent, and when, is decided here.
//! The newest snapshot wins, so nothing queues up. Edits of a key keep their distance from send to send: a burst of
//! five and a wait would freeze text for 4.3 s. Creates are counted apart by Discord and do not wait for edits.

mod key;
mod lane;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{Pace, Payload, RateKey, ReplySink, SinkError};
use crate::shutdown::Shutdown;
use key::KeyTask;
use stream::Stream;

/// All pacers of the process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pacers {
    shutdown: Shutdown,
    keys: Keys,
}

/// The running tasks. A task leaves the map only under its lock, with nothing left in its channel.
type Keys = Arc<Mutex<HashMap<RateKey, mpsc::UnboundedSender<Command>>>>;

fn locked(keys: &Keys) -> MutexGuard<'_, HashMap<RateKey, mpsc::UnboundedSender<Command>>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which reply of a key.
type StreamId = u64;

/// What a reply tells its key's task.
enum Command {
    Open {
        id: StreamId,
        sink: Arc<dyn ReplySink>,
        ended: watch::Sender<Option<SinkError>>,
    },
    Update {
        id: StreamId,
        payloads: Vec<Payload>,
    },
    Finish {
        id: StreamId,
        payloads: Vec<Payload>,
        done: oneshot::Sender<Result<(), SinkError>>,
    },
    Close {
        id: StreamId,
    },
    /// The reply comes from another key's task, which passes on what is still said to it there.
    Adopt {
        id: StreamId,
        stream: Box<Stream>,
    },
}

impl Command {
    fn id(&self) -> StreamId {
        match self {
            Self::Open { id, .. }
            | Self::Update { id, .. }
            | Self::Finish { id, .. }
            | Self::Close { id }
            | Self::Adopt { id, .. } => *id,
        }
    }
}

impl Pacers {
    /// Pacers whose tasks live within `shutdown`. A task outlives its beginning until its replies are finished.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, keys: Keys::default() }
    }

    /// Opens a reply that is shown through `sink`. Nothing is sent yet.
    pub fn open(&self, sink: Arc<dyn ReplySink>) -> Reply {
        let (ended, watcher) = watch::channel(None);
        let (id, key, pace) = (next_id(), sink.key(), sink.pace());
        let commands = self.begin(key, pace, Command::Open { id, sink, ended });
        Reply { id, commands, ended: watcher }
    }

    /// Tells a key's task, which begins where there is none, of a reply.
    fn begin(&self, key: RateKey, pace: Pace, command: Command) -> mpsc::UnboundedSender<Command> {
        let mut keys = locked(&self.keys);
        let commands = keys.entry(key.clone()).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            drop(self.shutdown.spawn(KeyTask::new(key, pace, receiver, self.clone()).run()));
            sender
        });
        // The task is in the map, so it is running: it leaves the map before it ends.
        drop(commands.send(command));
        commands.clone()
    }

    /// How many keys have a task now.
    pub fn active(&self) -> usize {
        locked(&self.keys).len()
    }
}

fn next_id() -> StreamId {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One reply that is being shown. Dropping it unfinished leaves what is visible as it is.
#[derive(Debug)]
pub struct Reply {
    id: StreamId,
    commands: mpsc::UnboundedSender<Command>,
    ended: watch::Receiver<Option<SinkError>>,
}

impl Reply {
    /// Says what the reply should show now, message by message. The newest wins.
    pub fn update(&self, payloads: Vec<Payload>) {
        // A closed channel means that the task is gone with the process's end; nothing can be shown then.
        drop(self.commands.send(Command::Update { id: self.id, payloads }));
    }

    /// Says what it shows at last, and waits until that is visible. Goes before snapshots and is never dropped.
    ///
    /// # Errors
    /// What the sink said when it could not be shown: the message is gone, writing is not allowed, Discord
    /// refused the payload, or did not answer in several attempts.
    pub async fn finish(self, payloads: Vec<Payload>) -> Result<(), SinkError> {
        let (done, result) = oneshot::channel();
        drop(self.commands.send(Command::Finish { id: self.id, payloads, done }));
        let gone = || SinkError::Transient { problem: "the pacer ended".to_owned() };
        result.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Resolves when the reply cannot be shown any more, with the reason. Never otherwise.
    pub async fn ended(&self) -> SinkError {
        let mut ended = self.ended.clone();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // After `finish` the stream is already on its last payloads, and this says nothing new.
        drop(self.commands.send(Command::Close { id: self.id }));
    }
}
