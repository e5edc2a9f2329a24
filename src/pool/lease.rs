//! Leases: a credential lent to one request, completed with its outcome.

use std::{fmt, sync::Arc, time::Duration};

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
    pub model: String,
    /// Credentials this request has tried already.
    pub exclude: Vec<CredentialId>,
    /// How long a hard-stale token's refresh may be waited for.
    pub until: Instant,
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

/// A credential lent to one request. Completing it says how it went; dropping it counts as [`Outcome::Neutral`].
#[derive(Debug)]
pub struct Lease {
    /// Which credential.
    pub credential: CredentialId,
    /// Its provider.
    pub provider: ProviderId,
    /// The model it was leased for.
    pub model: String,
    /// Masked account, for logs.
    pub account: String,
    /// What authorises the chat: the access token, or the API key (iFlow's comes with the grant).
    pub bearer: Secret,
    /// The fingerprint of `bearer`, by which a forced refresh is shared (P31).
    pub fingerprint: Fingerprint,
    /// What is known about the account: project, chat base.
    pub facts: Facts,
    /// The way back to its pool.
    ticket: Option<Ticket>,
}

/// The way back to the pool: hands the lease in once, as neutral when nobody says how the request went.
pub(super) struct Ticket {
    pool: Arc<Inner>,
    credential: CredentialId,
    model: String,
    bearer: Fingerprint,
    taken: Mark,
    open: bool,
}

impl Ticket {
    fn hand_in(&mut self, outcome: Outcome) {
        if std::mem::take(&mut self.open) {
            self.pool.take_back(&self.credential, &self.model, self.bearer, self.taken, outcome);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.hand_in(Outcome::Neutral);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ticket").field("taken", &self.taken).finish_non_exhaustive()
    }
}

/// What a lease says about what it lends; by itself for [`Lease::unattached`].
#[derive(Debug, Clone)]
pub struct Lent {
    /// Which credential.
    pub credential: CredentialId,
    /// Its provider.
    pub provider: ProviderId,
    /// The model.
    pub model: String,
    /// Masked account.
    pub account: String,
    /// What authorises the chat.
    pub bearer: Secret,
    /// What is known about the account.
    pub facts: Facts,
}

impl Lease {
    /// A lease of no pool: completing it tells nobody. For callers' own tests.
    pub fn unattached(lent: Lent) -> Self {
        let Lent { credential, provider, model, account, bearer, facts } = lent;
        let fingerprint = Fingerprint::of(&bearer);
        Self { credential, provider, model, account, bearer, fingerprint, facts, ticket: None }
    }

    /// A lease of a pool.
    pub(super) fn of(lent: Lent, fingerprint: Fingerprint, taken: Mark, pool: Arc<Inner>) -> Self {
        let Lent { credential, provider, model, account, bearer, facts } = lent;
        let ticket = Ticket {
            pool,
            credential: credential.clone(),
            model: model.clone(),
            bearer: fingerprint,
            taken,
            open: true,
        };
        Self { credential, provider, model, account, bearer, fingerprint, facts, ticket: Some(ticket) }
    }

    /// Says that the service has begun to answer: what rested before this lease rests no longer, for anybody (P29).
    pub fn answering(&self) {
        if let Some(Ticket { pool, credential, model, taken, .. }) = &self.ticket {
            pool.answering(credential, model, *taken);
        }
    }

    /// Returns the credential and says how the request went.
    pub fn complete(mut self, outcome: Outcome) {
        if let Some(ticket) = &mut self.ticket {
            ticket.hand_in(outcome);
        }
    }
}
