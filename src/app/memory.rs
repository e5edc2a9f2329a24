//! The pool's state store over the database: lines become rows and back, and a database that cannot be opened is tried
//! again at the next call.

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::{
    config::StorageSettings,
    credential::CredentialId,
    pool::{Batch, Changes, Item, Line, StateStore, StateStoreError, Value},
    storage::{self, OnDamage, Row, Storage, StorageError},
};

/// How often ended rows are thrown away, in milliseconds.
const PRUNE_EVERY: i64 = 3_600_000;
/// What is remembered of a credential that nobody has had for this long is thrown away, in milliseconds.
const FORGOTTEN_AFTER: i64 = 90 * 86_400_000;

/// The state store over a database, opened when it is first asked.
#[derive(Debug)]
pub struct StoredState {
    settings: StorageSettings,
    on_damage: OnDamage,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    storage: Option<Storage>,
    pruned_at: i64,
}

impl StoredState {
    /// One over the database that the settings name; nothing is opened yet.
    pub fn new(settings: StorageSettings, on_damage: OnDamage) -> Self {
        Self { settings, on_damage, open: Mutex::default() }
    }

    async fn storage(&self) -> Result<Storage, StorageError> {
        let mut open = self.open.lock().await;
        if let Some(storage) = &open.storage {
            if !storage.is_orphaned().await {
                return Ok(storage.clone());
            }
            tracing::warn!(
                "The database's file was removed or replaced under the running bot; it is opened anew"
            );
            storage.close().await;
            open.storage = None;
        }
        let storage = Storage::open(&self.settings, self.on_damage).await?;
        open.storage = Some(storage.clone());
        Ok(storage)
    }

    /// What a failure means for the next call: a damaged database is opened anew, which may put it aside.
    async fn told(&self, error: StorageError) -> StateStoreError {
        match &error {
            StorageError::Damaged { .. } => {
                if let Some(storage) = self.open.lock().await.storage.take() {
                    storage.close().await;
                }
            }
            StorageError::Unreachable { .. }
            | StorageError::NotWritable { .. }
            | StorageError::Newer { .. }
            | StorageError::DamagedServer { .. }
            | StorageError::Foreign
            | StorageError::Busy { .. }
            | StorageError::Failed { .. } => {}
        }
        StateStoreError(error.to_string())
    }

    async fn prune(&self, storage: &Storage, now: i64) -> Result<(), StorageError> {
        let mut open = self.open.lock().await;
        if now - open.pruned_at < PRUNE_EVERY {
            return Ok(());
        }
        storage.prune_ledger(now, now - FORGOTTEN_AFTER).await?;
        open.pruned_at = now;
        Ok(())
    }
}

#[async_trait]
impl StateStore for StoredState {
    async fn read(&self, after: i64) -> Result<Changes, StateStoreError> {
        let read = async {
            let page = self.storage().await?.ledger_after(after).await?;
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
            let storage = self.storage().await?;
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
