//! The pool's state store over the database: lines become rows and back.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;

use crate::{
    config::StorageSettings,
    credential::CredentialId,
    pool::{Batch, Changes, Item, Line, StateStore, StateStoreError, Value},
    storage::{self, OnDamage, Row, Shared, Storage, StorageError},
};

/// How often ended rows are thrown away, in milliseconds.
const PRUNE_EVERY: i64 = 3_600_000;
/// What is remembered of a credential that nobody has had for this long is thrown away, in milliseconds.
const FORGOTTEN_AFTER: i64 = 90 * 86_400_000;

/// The state store over a database.
#[derive(Debug)]
pub struct StoredState {
    shared: Arc<Shared>,
    /// When ended rows were thrown away last, in milliseconds.
    pruned_at: AtomicI64,
}

impl StoredState {
    /// One over the database that the settings name; nothing is opened yet.
    pub fn new(settings: StorageSettings, on_damage: OnDamage) -> Self {
        Self::over(Arc::new(Shared::new(settings, on_damage)))
    }

    /// One over a database that others use too.
    pub fn over(shared: Arc<Shared>) -> Self {
        Self { shared, pruned_at: AtomicI64::new(0) }
    }

    async fn told(&self, error: StorageError) -> StateStoreError {
        self.shared.failed(&error).await;
        StateStoreError(error.to_string())
    }

    async fn prune(&self, storage: &Storage, now: i64) -> Result<(), StorageError> {
        if now - self.pruned_at.load(Ordering::Relaxed) < PRUNE_EVERY {
            return Ok(());
        }
        storage.prune_ledger(now, now - FORGOTTEN_AFTER).await?;
        self.pruned_at.store(now, Ordering::Relaxed);
        Ok(())
    }
}

#[async_trait]
impl StateStore for StoredState {
    async fn read(&self, after: i64) -> Result<Changes, StateStoreError> {
        let read = async {
            let page = self.shared.open().await?.ledger_after(after).await?;
            Ok(Changes {
                lines: page.rows.iter().filter_map(line).collect(),
                revision: page.revision,
                store: page.database,
            })
        };
        match read.await {
            Ok(changes) => Ok(changes),
            Err(error) => Err(self.told(error).await),
        }
    }

    async fn write(&self, batch: &Batch) -> Result<(), StateStoreError> {
        let write = async {
            let storage = self.shared.open().await?;
            let rows = storage::Batch {
                writer: batch.writer.clone(),
                serial: batch.serial,
                at: batch.at,
                rows: batch.lines.iter().filter_map(row).collect(),
            };
            storage.write_ledger(&rows, taken).await?;
            self.prune(&storage, batch.at).await
        };
        match write.await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.told(error).await),
        }
    }
}

/// A row as a line; `None` for what only a later version understands.
fn line(row: &Row) -> Option<Line> {
    let item = Item::parse(&row.kind, &row.name)?;
    let value = serde_json::from_str(&row.body).ok()?;
    Some(Line { credential: CredentialId::new(&row.subject), item, value })
}

/// A line as a row.
fn row(line: &Line) -> Option<Row> {
    let (kind, name) = line.item.name();
    Some(Row {
        subject: line.credential.to_string(),
        kind: kind.to_owned(),
        name,
        // Maps with text keys and plain values: nothing in them can fail.
        body: serde_json::to_string(&line.value).ok()?,
        ends_at: line.value.ends_at(),
    })
}

/// How a change joins what stands there. What this version does not understand stays as it is.
fn taken(there: &Row, change: &Row) -> Option<Row> {
    let value: Value = serde_json::from_str(&there.body).ok()?;
    let value = value.take(&serde_json::from_str(&change.body).ok()?);
    Some(Row { body: serde_json::to_string(&value).ok()?, ends_at: value.ends_at(), ..change.clone() })
}
