//! Why no credential could be lent.

use chrono::{DateTime, Utc};

use super::RestCause;

/// Nothing to lend; the caller goes on to the next provider or says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The provider has no credential at all.
    #[error("no credential is configured")]
    NothingConfigured,
    /// Every credential was tried by this request already.
    #[error("every credential was tried")]
    AllTried,
    /// Every usable credential rests.
    #[error("every credential is resting")]
    Resting {
        /// When the first is back.
        until: DateTime<Utc>,
        /// Why that one rests.
        cause: RestCause,
    },
    /// None can be used until a person acts: needs login, refused, disabled, unusable.
    #[error("no credential can be used until an operator acts ({reason})")]
    NeedsOperator {
        /// The state of the one nearest to being usable, in words.
        reason: String,
    },
    /// The refresh of a stale token did not end in time, or failed.
    #[error("the token could not be refreshed ({reason})")]
    Stale {
        /// Why.
        reason: String,
    },
}
