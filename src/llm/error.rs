//! Why a chat failed, by what the person can do about it.

use chrono::{DateTime, Utc};

use crate::provider::ProviderId;

/// A failure class: each has one visible sentence (D20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureClass {
    /// No credential is configured anywhere.
    NothingConfigured,
    /// Every credential needs a person: login, licence, terms.
    NeedsOperator,
    /// Every credential rests.
    Resting {
        /// When the first is back.
        until: DateTime<Utc>,
    },
    /// The model has no capacity for anybody.
    Capacity,
    /// The request is too long for the model.
    TooLong,
    /// The provider's filter refused the question or the answer.
    Blocked,
    /// The provider refused the request as malformed (400).
    BadRequest,
    /// The chosen model is not offered.
    UnknownModel,
    /// The provider fails: 5xx, no connection.
    ProviderDown,
    /// Nothing came before the deadline.
    DeadlineExceeded,
    /// The stream fell silent, broke, or ran too long after text had been shown.
    Interrupted,
    /// The answer could not be understood.
    Malformed,
    /// The answer was empty.
    Empty,
    /// The provider demands a newer client version (Antigravity).
    ClientVersion,
}

impl FailureClass {
    /// The class in one word, for logs and counters.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingConfigured => "nothing_configured",
            Self::NeedsOperator => "needs_operator",
            Self::Resting { .. } => "resting",
            Self::Capacity => "capacity",
            Self::TooLong => "too_long",
            Self::Blocked => "blocked",
            Self::BadRequest => "bad_request",
            Self::UnknownModel => "unknown_model",
            Self::ProviderDown => "provider_down",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Interrupted => "interrupted",
            Self::Malformed => "malformed",
            Self::Empty => "empty",
            Self::ClientVersion => "client_version",
        }
    }
}

/// A failed chat. Carries no provider prose and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("chat {id} failed: {} ({code})", class.code())]
pub struct ChatFailure {
    /// The request's correlation id.
    pub id: String,
    /// What failed, for the person.
    pub class: FailureClass,
    /// Who failed last, where one did.
    pub provider: Option<ProviderId>,
    /// A reason code for the log and the small print: `HTTP 503`, `SAFETY`. Never upstream prose.
    pub code: String,
}
