//! Why an exchange failed, by what can be done about it.

use std::time::Duration;

use crate::{http::HttpError, secret::Secret};

/// A refused or failed exchange. Texts are ours; a provider's prose never passes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The refresh token is refused: needs a login (RFC 6749, section 5.2, `invalid_grant`).
    #[error("the refresh token was refused ({code})")]
    InvalidGrant {
        /// The error code as sent, shortened to a word: `invalid_grant`.
        code: String,
    },
    /// The client is refused: a fault of the configuration. `invalid_client` concerns every credential with this client,
    /// `unauthorized_client` a refresh token that another client was given.
    #[error("the client id or secret was refused ({code})")]
    ClientRefused {
        /// The error code as sent.
        code: String,
    },
    /// No client is configured for this provider.
    #[error("no OAuth client is configured: set {variables}")]
    NoClient {
        /// The variables to set.
        variables: String,
    },
    /// There is no refresh token.
    #[error("there is no refresh token")]
    NoRefreshToken,
    /// Try again later: 429, 5xx, a timeout, no connection.
    #[error("the token endpoint is not answering properly ({problem})")]
    Transient {
        /// `HTTP 503`, `timed out`.
        problem: String,
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// Something that fits none of these: kept as transient with a longer backoff, shown as it is.
    #[error("the token endpoint answered in a way that is not understood ({problem})")]
    Unknown {
        /// `HTTP 403 access_denied`, `not JSON`.
        problem: String,
    },
    /// The reply or the file names a host that is not in the provider's row; nothing was sent there.
    #[error("foreign endpoint {host}: not a host of this provider, nothing was sent")]
    ForeignEndpoint {
        /// The host.
        host: String,
    },
    /// The token is good but the service refuses the account: licence, region, terms, verification.
    #[error("the service refuses this account ({reason})")]
    Refused {
        /// The reason code: `UNSUPPORTED_CLIENT`, `VALIDATION_REQUIRED`.
        reason: String,
        /// A link for the operator alone (verification, appeal).
        link: Option<Secret>,
    },
}

impl From<HttpError> for RefreshError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::OutOfReach { host } => Self::ForeignEndpoint { host },
            HttpError::Proxy | HttpError::Connect | HttpError::Timeout | HttpError::Broken => {
                Self::Transient { problem: error.to_string(), retry_after: None }
            }
        }
    }
}

impl From<reqwest::Error> for RefreshError {
    /// Through [`HttpError`], which drops the address: iFlow's carries the access token.
    fn from(error: reqwest::Error) -> Self {
        HttpError::from(error).into()
    }
}
