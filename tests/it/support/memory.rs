//! A state store in memory that several pools share, and that hangs or fails when told to. It keeps text, as a real one.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cortana::{
    credential::CredentialId,
    pool::{Batch, Changes, Item, Line, StateStore, StateStoreError, Value},
};

use super::pool::World;

/// Within this a change is known to everybody who shares a memory.
pub(crate) const SHARED: Duration = Duration::from_secs(2);

/// A world whose processes share a memory.
pub(crate) fn shared_world() -> (World, Arc<SharedState>) {
    let mut world = World::new();
    let state = Arc::new(SharedState::default());
    world.state = state.clone();
    (world, state)
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Manner {
    /// At once.
    #[default]
    Well,
    /// Never.
    Hangs,
    /// With an error.
    Fails,
    /// Reads; a write ends with an error: a full disk, a server that is read-only.
    FailsToWrite,
    /// A read takes this long.
    ReadsIn(Duration),
    /// A batch takes this long for each of its lines.
    Slow(Duration),
    /// Takes a batch in, then says that it did not.
    LosesReceipts,
    /// Panics.
    Panics,
}

#[derive(Debug, Default)]
pub(crate) struct SharedState {
    manner: Mutex<Manner>,
    lines: Mutex<BTreeMap<(CredentialId, Item), (String, i64)>>,
    revision: Mutex<i64>,
    serials: Mutex<HashMap<String, i64>>,
    pub(crate) writes: AtomicU32,
    pub(crate) calls: AtomicU32,
    replaced: AtomicU32,
}

impl SharedState {
    pub(crate) fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// An operator puts an empty one in its place, which is as far as `revision`.
    pub(crate) fn replace(&self, revision: i64) {
        self.lines.lock().unwrap().clear();
        self.serials.lock().unwrap().clear();
        *self.revision.lock().unwrap() = revision;
        self.replaced.fetch_add(1, Ordering::SeqCst);
    }

    /// An operator puts a copy back that was made when it was empty.
    pub(crate) fn restore(&self) {
        self.replace(0);
        self.replaced.fetch_sub(1, Ordering::SeqCst);
    }

    /// Of how many credentials it knows something.
    pub(crate) fn credentials(&self) -> usize {
        let lines = self.lines.lock().unwrap();
        lines.keys().map(|(credential, _)| credential).collect::<BTreeSet<_>>().len()
    }

    async fn manner(&self) -> Result<Manner, StateStoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let manner = *self.manner.lock().unwrap();
        match manner {
            Manner::Hangs => std::future::pending().await,
            Manner::Fails => Err(StateStoreError("the disk is on fire".to_owned())),
            Manner::Panics => panic!("FAKE defect"),
            Manner::Well
            | Manner::LosesReceipts
            | Manner::FailsToWrite
            | Manner::Slow(_)
            | Manner::ReadsIn(_) => Ok(manner),
        }
    }
}

#[async_trait]
impl StateStore for SharedState {
    async fn read(&self, after: i64) -> Result<Changes, StateStoreError> {
        if let Manner::ReadsIn(time) = self.manner().await? {
            tokio::time::sleep(time).await;
        }
        let lines = self.lines.lock().unwrap();
        let newer = lines.iter().filter(|(_, (_, revision))| *revision > after);
        let lines = newer
            .map(|((credential, item), (value, _))| Line {
                credential: credential.clone(),
                item: item.clone(),
                value: serde_json::from_str(value).unwrap(),
            })
            .collect();
        let store = self.replaced.load(Ordering::SeqCst).to_string();
        Ok(Changes { lines, revision: *self.revision.lock().unwrap(), store })
    }

    async fn write(&self, batch: &Batch) -> Result<(), StateStoreError> {
        let manner = self.manner().await?;
        if manner == Manner::FailsToWrite {
            return Err(StateStoreError("the disk is full".to_owned()));
        }
        if let Manner::Slow(line) = manner {
            tokio::time::sleep(line * u32::try_from(batch.lines.len()).unwrap()).await;
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        let last = self.serials.lock().unwrap().insert(batch.writer.clone(), batch.serial);
        if last.is_none_or(|last| last < batch.serial) {
            let mut revision = self.revision.lock().unwrap();
            *revision += 1;
            let mut lines = self.lines.lock().unwrap();
            for Line { credential, item, value } in batch.lines.clone() {
                let there = lines.get(&(credential.clone(), item.clone()));
                let there = there.map(|(there, _)| serde_json::from_str::<Value>(there).unwrap());
                let value = there.map_or(value.clone(), |there| there.take(&value));
                lines.insert((credential, item), (serde_json::to_string(&value).unwrap(), *revision));
            }
        }
        match manner {
            Manner::LosesReceipts => Err(StateStoreError("the receipt was lost".to_owned())),
            Manner::Well
            | Manner::Hangs
            | Manner::Fails
            | Manner::FailsToWrite
            | Manner::Panics
            | Manner::Slow(_)
            | Manner::ReadsIn(_) => Ok(()),
        }
    }
}
