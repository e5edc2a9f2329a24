//! Providers that refuse our client's version: each account would hear the same, so that nobody is asked for a while.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{clock, provider::Provider};

/// How long nobody is asked.
const HELD: Duration = Duration::from_mins(10);

/// The code of such a refusal, where the provider says it as an error and not in an answer's text.
pub(super) const CODE: &str = "CLIENT_VERSION";

/// Whom nobody asks, and until when.
#[derive(Debug, Default)]
pub(super) struct Floors {
    held: Mutex<HashMap<String, Instant>>,
}

impl Floors {
    /// The provider refuses our version; what to do is said once.
    pub(super) fn hold(&self, row: &Provider) {
        let until = clock::instant() + HELD;
        let before =
            self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id.to_string(), until);
        if before.is_none_or(|until| until <= clock::instant()) {
            tracing::warn!(
                provider = %row.id,
                retry_secs = HELD.as_secs(),
                "{} refuses the version of this client, whatever the account: update the bot, or set {}_USER_AGENT to one \
                 that it accepts, if its terms let you",
                row.name,
                row.id.variable_prefix()
            );
        }
    }

    /// Whether nobody is to be asked now.
    pub(super) fn holds(&self, row: &Provider) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(row.id.as_str()).is_some_and(|until| clock::instant() < *until)
    }

    /// The settings changed: the version may be another.
    pub(super) fn lift(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
