//! What an operator asks of the pool by hand, and what comes back.

use chrono::{DateTime, Utc};

use crate::{
    credential::{CredentialId, StoreError},
    oauth::RefreshError,
    provider::ProviderId,
    secret::Secret,
};

/// Which credentials an operator means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Every enabled credential of a provider.
    Provider(ProviderId),
    /// One.
    Credential(CredentialId),
}

/// Whether a refused token may be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refused {
    /// Never (P4).
    #[default]
    Keep,
    /// Once: the operator confirmed.
    TryOnce,
}

/// How one credential's refresh by hand ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshReport {
    /// Which.
    pub credential: CredentialId,
    /// Its provider.
    pub provider: ProviderId,
    /// Its account, masked.
    pub account: String,
    /// How it ended.
    pub result: RefreshResult,
}

/// How a refresh by hand ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshResult {
    /// A new token.
    Refreshed {
        /// Until when it lives.
        expires_at: Option<DateTime<Utc>>,
    },
    /// A newer token stood in the file already: adopted, no request.
    Adopted {
        /// Until when it lives.
        expires_at: Option<DateTime<Utc>>,
    },
    /// An API key: nothing to refresh.
    NothingToRefresh,
    /// Disabled, by an operator or because terms are not accepted: nothing was sent.
    Disabled {
        /// Why, and what to do.
        reason: String,
    },
    /// Refreshed by hand less than a minute ago.
    TooSoon {
        /// When it may be asked again.
        until: DateTime<Utc>,
    },
    /// This refresh token was refused before and is not sent again without a confirmation (P4).
    RefusedBefore,
    /// The exchange failed.
    Failed(RefreshError),
    /// The place could not be locked, read or written; no token was spent unless the message says so.
    Store(StoreError),
}

/// An access token for a script, with the instant it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Whose it is.
    pub credential: CredentialId,
    /// The token, or the API key where the credential is one.
    pub token: Secret,
    /// When it expires; `None` for API keys.
    pub expires_at: Option<DateTime<Utc>>,
}

/// No credential has this id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no credential {0}")]
pub struct NoSuchCredential(pub CredentialId);
