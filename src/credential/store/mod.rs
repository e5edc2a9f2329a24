//! Credentials at rest: loaded from every source, locked, read again, written atomically.
//!
//! Everything here blocks and belongs on a blocking thread.

mod guard;
mod identity;
mod import;
mod keep;
mod links;
mod load;
mod notes;
mod remove;
mod source;
mod state;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{Credential, CredentialId, Fingerprint, StoreError};
use crate::{
    clock::Clock,
    fs::Disk,
    provider::{Catalog, ProviderId},
    secret::Secret,
};

pub use guard::Guard;
pub use import::{ImportError, ImportMode, Imported, ImportedAs};
pub use keep::{FreshLogin, KeepError, Kept, KeptAs};
use load::Loader;
#[cfg(any(test, fuzzing))]
pub(super) use notes::fuzz as fuzz_notes;
pub use remove::NotRemovable;

/// Where credentials are looked for.
#[derive(Debug, Clone)]
pub enum SourceSpec {
    /// Every file of a folder (not its subfolders).
    Folder(PathBuf),
    /// A file that a variable names.
    File {
        /// The variable.
        variable: String,
        /// Whose it is.
        provider: ProviderId,
        /// The file.
        path: PathBuf,
    },
    /// Inline JSON.
    Inline {
        /// The variable.
        variable: String,
        /// Whose it is.
        provider: ProviderId,
        /// The text.
        json: Secret,
    },
    /// An API key.
    Key {
        /// The variable.
        variable: String,
        /// Whose it is.
        provider: ProviderId,
        /// The key.
        key: Secret,
    },
}

/// How a store is set up.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `STATE_DIR`; tokens without a place of their own go to `tokens/` in it.
    pub state_dir: PathBuf,
    /// `ALLOW_STATE_WRITEBACK`.
    pub allow_state_writeback: bool,
    /// The providers, for detection and "where secrets may go".
    pub providers: Arc<Catalog>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// What a look at all sources found.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// One login each, in a stable order: named by variables first, then by file name.
    pub credentials: Vec<Credential>,
    /// What could not be used, each with its remedy. Never overwritten.
    pub rejected: Vec<Rejected>,
    /// What the lock files say of them, where they say anything (P4). Read without the lock.
    pub notes: HashMap<CredentialId, LockNotes>,
    /// Logins found twice.
    pub same_login: Vec<SameLogin>,
    /// Folders to watch: the credentials folder, which may not exist yet, and the parents of every link target and named
    /// file.
    pub watch: Vec<PathBuf>,
    /// What an operator should know: a file tightened to 0600, a clash of name and content. No secrets.
    pub warnings: Vec<String>,
}

/// A source that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Short name of the file or variable.
    pub label: String,
    /// Whose it is, where that much is known.
    pub provider: Option<ProviderId>,
    /// Why, and what to do, in one sentence.
    pub reason: String,
    /// Nothing stands at its place, as opposed to something that cannot be read: what was loaded from there is gone too.
    pub gone: bool,
}

/// A login that was already loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameLogin {
    /// Short name of the second source.
    pub label: String,
    /// The credential it is the same as.
    pub credential: CredentialId,
}

/// What the lock file says, without any secret (P3, P4, P9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockNotes {
    /// The refresh token that was refused, by fingerprint. Never sent again (P4).
    pub refused: Option<Fingerprint>,
    /// The last failure.
    pub failure: Option<LockedFailure>,
    /// How many failures in a row.
    pub failures: u32,
    /// When the last refresh succeeded.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// A refresh token that was sent with a client that is not its own.
    pub other_client: Option<OtherClient>,
}

/// A refresh token and the client it does not belong to. Holds until either changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherClient {
    /// The refresh token.
    pub token: Fingerprint,
    /// The client, id and secret together.
    pub client: Fingerprint,
    /// The code of the refusal: `unauthorized_client`.
    pub code: String,
}

/// The last failure in a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedFailure {
    /// When.
    pub at: DateTime<Utc>,
    /// Its class, a word: `transient`, `invalid_grant`, `client`, `unknown`.
    pub class: String,
    /// Until when nobody asks again.
    pub until: DateTime<Utc>,
}

/// Where a save went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// Into the credential's own place.
    InPlace,
    /// Into `STATE_DIR/tokens`.
    InState,
    /// Nothing had changed, nothing was written (P19).
    Unchanged,
    /// Somebody wrote another login since the place was read: that one stands, nothing was written.
    Superseded,
}

/// Credentials at rest. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    options: StoreOptions,
    disk: Disk,
    /// Inline JSON as the last load saw it, by variable: the environment is no place that can be read again.
    inline: Arc<Mutex<HashMap<String, Secret>>>,
}

impl Store {
    /// A store; touches no file yet.
    pub fn new(options: StoreOptions) -> Self {
        Self::with_disk(options, Disk::default())
    }

    /// A store whose disk fails as a test wants it to.
    pub fn with_disk(options: StoreOptions, disk: Disk) -> Self {
        Self { options, disk, inline: Arc::default() }
    }

    /// Looks at every source and reads what is there, adopting orphans of an interrupted write (P12) and tokens from
    /// `STATE_DIR/tokens`. Never fails as a whole: what cannot be used is named in the inventory.
    pub fn load(&self, sources: &[SourceSpec]) -> Inventory {
        Loader::new(self).run(sources)
    }

    /// Locks a credential's canonical target, `wait` at most (P2).
    pub fn lock(&self, credential: &Credential, wait: Duration) -> Result<Guard, StoreError> {
        Guard::acquire(self, credential, wait)
    }
}
