//! What the pool asks of whoever remembers for it. `app` implements it over `storage`; the pool knows no database.

use std::fmt;

use async_trait::async_trait;

use super::line::Value;
use crate::credential::{CredentialId, Fingerprint};

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// The rest of the whole credential.
    Rest,
    /// The rest of a model on it.
    ModelRest(String),
    /// A refresh token that was refused.
    RefusedToken(Fingerprint),
    /// What the service refuses.
    Refusal,
    /// Whether an operator took it out of service.
    Switch,
    /// What is counted.
    Counts,
}

impl Item {
    /// As a store keeps it: a word, and which of that kind (empty where there is one only).
    pub fn name(&self) -> (&'static str, String) {
        match self {
            Self::Rest => ("rest", String::new()),
            Self::ModelRest(model) => ("model_rest", model.clone()),
            Self::RefusedToken(token) => ("refused_token", token.to_string()),
            Self::Refusal => ("refusal", String::new()),
            Self::Switch => ("switch", String::new()),
            Self::Counts => ("counts", String::new()),
        }
    }

    /// The other way; `None` for what this version does not know.
    pub fn parse(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "rest" => Some(Self::Rest),
            "model_rest" => Some(Self::ModelRest(name.to_owned())),
            "refused_token" => Fingerprint::parse(name).map(Self::RefusedToken),
            "refusal" => Some(Self::Refusal),
            "switch" => Some(Self::Switch),
            "counts" => Some(Self::Counts),
            _ => None,
        }
    }
}

/// One line of what is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Of which credential.
    pub credential: CredentialId,
    /// What it is about.
    pub item: Item,
    /// What is known.
    pub value: Value,
}

/// Changes of one process. A store applies it all or not at all, and once, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Who writes: a name that no other process has.
    pub writer: String,
    /// Grows with each batch.
    pub serial: i64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Changes, each to be taken into what stands there by [`Value::take`].
    pub lines: Vec<Line>,
}

/// What changed after a revision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The lines as they stand now.
    pub lines: Vec<Line>,
    /// Ask for what is later than this. Less than was asked for: the store was restored from a copy.
    pub revision: i64,
    /// Which store this is: another one has another name.
    pub store: String,
}

/// Why nothing was read or written: one sentence with the next step, never an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StateStoreError(pub String);

/// Remembers for the pool beyond the life of a process. May be slow, or fail: nothing waits for it but its own task.
#[async_trait]
pub trait StateStore: Send + Sync + fmt::Debug {
    /// What changed after a revision; 0 asks for everything.
    async fn read(&self, after: i64) -> Result<Changes, StateStoreError>;

    /// Takes a batch in.
    async fn write(&self, batch: &Batch) -> Result<(), StateStoreError>;
}

/// Remembers nothing: every start is the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

#[async_trait]
impl StateStore for Forgetful {
    async fn read(&self, after: i64) -> Result<Changes, StateStoreError> {
        Ok(Changes { lines: Vec::new(), revision: after, store: String::new() })
    }

    async fn write(&self, _batch: &Batch) -> Result<(), StateStoreError> {
        Ok(())
    }
}
