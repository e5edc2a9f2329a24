//! What stands in for the Model Context Protocol in a build without the feature `tools`: nothing runs, and says why.

use std::future::{Ready, ready};

use serde_json::{Map, Value};

use super::CallError;
use crate::config::ToolServer;

/// A tool that a program has.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) schema: Map<String, Value>,
    pub(super) says_it_writes: bool,
}

/// A connection, of which there is none.
#[derive(Debug)]
pub(super) struct Session;

impl Session {
    #[expect(clippy::unused_async, reason = "as it is in a build with tools")]
    pub(super) async fn call(&self, _: &str, _: Map<String, Value>) -> Result<String, CallError> {
        Err(CallError::Away)
    }
}

/// Why no program runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    /// This is why.
    #[error("this build has no tools: build it with `--features tools`")]
    NotBuilt,
}

/// Runs nothing.
pub(super) fn live(_: &ToolServer, up: impl FnOnce(Session, Vec<Found>)) -> Ready<Problem> {
    drop(up);
    ready(Problem::NotBuilt)
}
