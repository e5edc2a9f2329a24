//! One open database for all who use it in a process, opened when it is first asked for; one that cannot be opened is
//! tried again at the next call, and one whose file was replaced is opened anew.

use tokio::sync::Mutex;

use super::{OnDamage, Storage, StorageError};
use crate::config::StorageSettings;

/// The database of this process.
#[derive(Debug)]
pub struct Shared {
    settings: StorageSettings,
    on_damage: OnDamage,
    open: Mutex<Option<Storage>>,
}

impl Shared {
    /// The database that the settings name; nothing is opened yet.
    pub fn new(settings: StorageSettings, on_damage: OnDamage) -> Self {
        Self { settings, on_damage, open: Mutex::default() }
    }

    /// The open database.
    pub async fn open(&self) -> Result<Storage, StorageError> {
        let mut open = self.open.lock().await;
        if let Some(storage) = &*open {
            if !storage.is_orphaned().await {
                return Ok(storage.clone());
            }
            tracing::warn!(
                "The database's file was removed or replaced under the running bot; it is opened anew"
            );
            storage.close().await;
            *open = None;
        }
        let storage = Storage::open(&self.settings, self.on_damage).await?;
        *open = Some(storage.clone());
        Ok(storage)
    }

    /// What a failure means for the next call: a damaged database is opened anew, which may put it aside.
    pub async fn failed(&self, error: &StorageError) {
        match error {
            StorageError::Damaged { .. } => {
                if let Some(storage) = self.open.lock().await.take() {
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
    }
}
