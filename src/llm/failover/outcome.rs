//! What a fault says about the credential it came with.

use crate::{
    llm::classify::{Fault, Scope},
    oauth::RefreshError,
    pool::{Lease, Outcome},
};

/// What a fault says about the credential.
pub(super) fn of(fault: &Fault) -> Outcome {
    let reason = fault.code.clone();
    match &fault.scope {
        Scope::Request(_) | Scope::Unclear | Scope::Capacity | Scope::Client | Scope::Slow | Scope::Empty => {
            Outcome::Neutral
        }
        Scope::Model(hint) => Outcome::ModelCooling { hint: *hint, reason },
        Scope::ModelMissing => Outcome::ModelUnavailable { reason },
        Scope::Credential(hint) => Outcome::CredentialCooling { hint: *hint, reason },
        Scope::Unauthorized => Outcome::Unauthorized,
        Scope::Refused(link) => Outcome::Refused { reason, link: link.clone() },
        Scope::Provider | Scope::Broken(_) => Outcome::ProviderFault { reason },
    }
}

/// What a 401 means once the refresh has failed too. The pool weighs why it failed: a token endpoint that is down
/// does not condemn the account.
pub(super) fn after_failed_refresh(error: RefreshError) -> Outcome {
    match error {
        RefreshError::Refused { reason, link } => Outcome::Refused { reason, link },
        RefreshError::Transient { .. }
        | RefreshError::Unknown { .. }
        | RefreshError::InvalidGrant { .. }
        | RefreshError::ClientRefused { .. }
        | RefreshError::NoClient { .. }
        | RefreshError::NoRefreshToken
        | RefreshError::ForeignEndpoint { .. } => Outcome::Unauthorized,
    }
}

/// A provider that echoes the key as its error code gets no echo from us (P33).
pub(super) fn without_bearer(fault: Fault, lease: &Lease) -> Fault {
    if fault.code.split(": ").any(|word| lease.bearer.expose().contains(word)) {
        return Fault { code: "REDACTED".to_owned(), ..fault };
    }
    fault
}
