//! Leases: a credential lent to one request, completed with its outcome.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Inner, cooldown::Mark};
use crate::{
    credential::{CredentialId, Facts, Fingerprint},
    provider::ProviderId,
    secret::Secret,
};

/// What a request wants.
#[derive(Debug, Clone)]
pub struct Want {
    /// From whom.
    pub provider: ProviderId,
    /// For which model: cooldowns are kept by credential and model.
    pub model: Arc<str>,
    /// Credentials this request has tried already.
    pub exclude: Vec<CredentialId>,
    /// The one credential that will do, where it is not any.
    pub only: Option<CredentialId>,
    /// The conversation it belongs to, as a hash: it stays with its credential where sticky sessions are on (P38).
    pub session: Option<u64>,
    /// How long a hard-stale token's refresh may be waited for.
    pub until: Instant,
}

impl Want {
    /// Any credential of this provider.
    pub fn new(provider: ProviderId, model: &str, until: Instant) -> Self {
        Self { provider, model: model.into(), exclude: Vec::new(), only: None, session: None, until }
    }
}

/// A hint of when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryHint {
    /// After this long.
    After(Duration),
    /// At this instant.
    At(DateTime<Utc>),
    /// None was given.
    None,
}

/// How a leased request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered.
    Success,
    /// The person stopped it, or it ended for a reason that says nothing about the credential.
    Neutral,
    /// The model rests on this credential (quota by model).
    ModelCooling {
        /// When to come back.
        hint: RetryHint,
        /// The reason code: `QUOTA_EXHAUSTED`, `HTTP 429`.
        reason: String,
    },
    /// The whole credential rests.
    CredentialCooling {
        /// When to come back.
        hint: RetryHint,
        /// The reason code.
        reason: String,
    },
    /// The model is not offered to this account (404): rests for long.
    ModelUnavailable {
        /// The reason code.
        reason: String,
    },
    /// 401, also after the one forced refresh: refused until a new token or a person (P21).
    Unauthorized,
    /// The token is fine, the service says no: licence, region, terms, verification. Never probed.
    Refused {
        /// The reason code.
        reason: String,
        /// A link for the operators alone.
        link: Option<Secret>,
    },
    /// 5xx, timeout, a broken stream: counted, the credential rests briefly after several.
    ProviderFault {
        /// The reason code.
        reason: String,
    },
}

/// What is lent: everything that a request needs of its credential, shared by all leases on it.
#[derive(Debug, Clone)]
pub struct Lent {
    /// Which credential.
    pub credential: CredentialId,
    /// Its provider.
    pub provider: ProviderId,
    /// Masked account, for logs.
    pub account: String,
    /// What authorises the chat: the access token, or the API key (iFlow's comes with the grant).
    pub bearer: Secret,
    /// The fingerprint of `bearer`, by which a forced refresh is shared (P31).
    pub fingerprint: Fingerprint,
    /// What is known about the account: project, chat base.
    pub facts: Facts,
}

/// A credential lent to one request. Completing it says how it went; dropping it counts as [`Outcome::Neutral`].
///
/// Making one copies no text: it counts one up in what is lent, in the model's name and in the pool (P37).
pub struct Lease {
    /// The model it was leased for.
    pub model: Arc<str>,
    lent: Arc<Lent>,
    taken: Mark,
    /// The pool that wants it back; `None` for a lease of no pool, and once it was handed in.
    pool: Option<Arc<Inner>>,
}

impl Lease {
    /// A lease of no pool: completing it tells nobody. For callers' own tests.
    pub fn unattached(lent: Lent, model: &str) -> Self {
        Self { model: model.into(), lent: Arc::new(lent), taken: 0, pool: None }
    }

    /// A lease of a pool.
    pub(super) fn of(lent: Arc<Lent>, model: Arc<str>, taken: Mark, pool: Arc<Inner>) -> Self {
        Self { model, lent, taken, pool: Some(pool) }
    }

    /// Says that the service has begun to answer: what rested before this lease rests no longer, for anybody (P29).
    pub fn answering(&self) {
        if let Some(pool) = &self.pool {
            pool.answering(&self.lent, &self.model, self.taken);
        }
    }

    /// Returns the credential and says how the request went.
    pub fn complete(mut self, outcome: Outcome) {
        self.hand_in(outcome);
    }

    fn hand_in(&mut self, outcome: Outcome) {
        if let Some(pool) = self.pool.take() {
            pool.take_back(&self.lent, &self.model, self.taken, outcome);
        }
    }
}

impl Deref for Lease {
    type Target = Lent;

    fn deref(&self) -> &Lent {
        &self.lent
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.hand_in(Outcome::Neutral);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, lent, taken, pool: _ } = self;
        formatter
            .debug_struct("Lease")
            .field("model", model)
            .field("lent", lent)
            .field("taken", taken)
            .finish_non_exhaustive()
    }
}
