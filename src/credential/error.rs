//! What can go wrong with credentials at rest. No variant carries a value from a file.

use std::{path::PathBuf, time::Duration};

/// A failure of the store, with what a caller can do about it in its variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file is gone.
    #[error("{path} is gone")]
    Gone {
        /// The file's own name.
        path: String,
    },
    /// The content is no credential we know.
    #[error("{path} cannot be read as a credential: {problem}")]
    Unreadable {
        /// The file's own name.
        path: String,
        /// Category and line, never content.
        problem: String,
    },
    /// Another process holds the lock.
    #[error("{holder} has held the lock of {path} for {waited:?}")]
    Locked {
        /// The file's own name.
        path: String,
        /// Who holds it, as the lock file says ("process 4711"), or "another process".
        holder: String,
        /// How long we waited.
        waited: Duration,
    },
    /// Neither the credential's own place nor the state folder can be written (P13).
    #[error("{path} cannot be written ({problem}); {remedy}")]
    NotWritable {
        /// The file's own name.
        path: String,
        /// The operating system's word for it.
        problem: String,
        /// What the operator can do.
        remedy: String,
    },
    /// The write failed after the grant; the token is in memory and, where possible, in the recovery journal (P14).
    #[error("{path} could not be saved: {problem}")]
    NotSaved {
        /// The file's own name.
        path: String,
        /// The operating system's word for it.
        problem: String,
        /// The journal that holds the token, when that write succeeded.
        journal: Option<PathBuf>,
    },
}
