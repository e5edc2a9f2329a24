//! What chats measure: each upstream request once, by how it ended, and each step to somebody else.

use super::{
    LlmParts,
    attempt::Progress,
    classify::{Fault, Scope},
    wire::End,
};
use crate::{
    credential::CredentialId,
    pool::Lease,
    provider::{Provider, ProviderId},
    telemetry::metrics,
};

/// How a request ended that nobody waited for any more.
const CANCELLED: &str = "cancelled";

/// One upstream request under way. Dropped without an end, it counts as cancelled.
pub(super) struct Tally<'a> {
    parts: &'a LlmParts,
    provider: &'a ProviderId,
    outcome: &'static str,
}

impl<'a> Tally<'a> {
    /// A request is about to be sent.
    pub(super) fn begin(parts: &'a LlmParts, row: &'a Provider) -> Self {
        Self { parts, provider: &row.id, outcome: CANCELLED }
    }

    /// It failed, and the same is sent to another base.
    pub(super) fn end_as(mut self, fault: &Fault) {
        self.outcome = cause(&fault.scope);
    }

    /// It ended.
    pub(super) fn end(mut self, result: &Result<End, Fault>, progress: &Progress) {
        self.outcome = match result {
            Ok(_) => "success",
            Err(fault) => cause(&fault.scope),
        };
        if let (Ok(_), Some(took)) = (result, progress.patience.first_event_after()) {
            self.parts.metrics.observe(&metrics::FIRST_EVENT, [self.provider.as_str()], took);
        }
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.parts.metrics.count(&metrics::REQUESTS, [self.provider.as_str(), self.outcome]);
    }
}

/// What failed last in a chat, until somebody else is asked.
pub(super) struct Missed {
    credential: CredentialId,
    provider: ProviderId,
    cause: &'static str,
}

impl Missed {
    /// A credential could not answer.
    pub(super) fn of(lease: &Lease, fault: &Fault) -> Self {
        Self {
            credential: lease.credential.clone(),
            provider: lease.provider.clone(),
            cause: cause(&fault.scope),
        }
    }

    /// Somebody is asked next: a failover, unless it is the same credential again.
    pub(super) fn followed_by(self, next: &Lease, parts: &LlmParts) {
        if next.credential != self.credential {
            parts.metrics.count(&metrics::FAILOVERS, [self.provider.as_str(), self.cause]);
        }
    }
}

/// Whom a failure concerns, in a word.
fn cause(scope: &Scope) -> &'static str {
    match scope {
        Scope::Request(_) => "request",
        Scope::Unclear => "unclear",
        Scope::Model(_) => "model_quota",
        Scope::ModelMissing => "model_unavailable",
        Scope::Capacity => "capacity",
        Scope::Credential(_) => "credential_quota",
        Scope::Unauthorized => "unauthorized",
        Scope::Refused(_) => "refused",
        Scope::Client => "client",
        Scope::Provider => "provider",
        Scope::Slow => "slow",
        Scope::Broken(_) => "broken",
        Scope::Empty => "empty",
    }
}
