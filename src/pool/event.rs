//! News of the pool, as values.

use chrono::{DateTime, Utc};

use super::{Alert, State};
use crate::{credential::CredentialId, provider::ProviderId};

/// Why a refresh ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshCause {
    /// The early window.
    Early,
    /// A caller found the token hard-stale.
    Demand,
    /// A 401 on a fresh-looking token.
    Unauthorized,
    /// An operator.
    Operator,
}

impl RefreshCause {
    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Demand => "demand",
            Self::Unauthorized => "unauthorized",
            Self::Operator => "operator",
        }
    }
}

/// Something happened. Carries no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolEvent {
    /// A credential was loaded or loaded again with new content.
    Loaded {
        /// Which.
        credential: CredentialId,
        /// Whose.
        provider: ProviderId,
    },
    /// A credential's source went away; leases on it finish.
    Removed {
        /// Which.
        credential: CredentialId,
        /// Whose.
        provider: ProviderId,
    },
    /// A refresh ended.
    Refreshed {
        /// Which.
        credential: CredentialId,
        /// Whose.
        provider: ProviderId,
        /// Why it ran.
        cause: RefreshCause,
        /// `None`: it succeeded; otherwise why not, in words.
        failure: Option<String>,
    },
    /// A credential changed state.
    StateChanged {
        /// Which.
        credential: CredentialId,
        /// Whose.
        provider: ProviderId,
        /// What it was.
        from: State,
        /// What it is.
        to: State,
        /// Until when, for cooling.
        until: Option<DateTime<Utc>>,
    },
    /// A save failed, or succeeds again.
    Unsaved {
        /// Which.
        credential: CredentialId,
        /// Whose.
        provider: ProviderId,
        /// `None`: saved again.
        problem: Option<String>,
    },
    /// Something that an operator should hear of began, or is over (P34).
    Alert(Alert),
}
