//! What a login ends in: tokens with what the provider said beside them, or why there are none.

use std::time::Duration;

use super::{Grant, RefreshError};

/// The tokens of a new login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLogin {
    /// The tokens.
    pub grant: Grant,
    /// The scopes that were granted; `None` when the reply names none, which means those that were asked for
    /// (RFC 6749, section 5.1).
    pub scopes: Option<Vec<String>>,
    /// The account's e-mail address, where the reply's id token names one.
    pub account: Option<String>,
}

/// Why a login failed, by what the person does next. Texts are ours; a provider's prose never passes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The provider's row has no endpoint for this way of logging in.
    #[error("{name} has no login {way}")]
    NotOffered {
        /// The provider's name.
        name: String,
        /// `in a browser`, `by a code on another device`.
        way: &'static str,
    },
    /// The row's port is taken, so that the browser could not come back.
    #[error(
        "port {port} of this machine is taken ({problem}), and the provider sends the browser nowhere else"
    )]
    Port {
        /// The port.
        port: u16,
        /// The operating system's word for it.
        problem: String,
    },
    /// The address belongs to another login, or to none: its `state` is not ours.
    #[error("this address belongs to another login: its state is not the one that was sent")]
    OtherLogin,
    /// What was pasted is no answer of the provider's.
    #[error("this is neither the address that the browser came to nor a code ({problem})")]
    Unreadable {
        /// What is missing.
        problem: &'static str,
    },
    /// The person said no (`access_denied`).
    #[error("the login was declined in the browser")]
    Declined,
    /// Nobody answered in time, or the provider ended the wait.
    #[error("nobody confirmed the login within {} minutes", .within.as_secs().div_ceil(60))]
    Expired {
        /// How long it was waited.
        within: Duration,
    },
    /// The provider refused the login with an error code of its own.
    #[error("the provider refused the login ({code})")]
    Refused {
        /// The code as sent, when it is a word: `invalid_scope`.
        code: String,
    },
    /// The token endpoint refused or failed.
    #[error(transparent)]
    Exchange(RefreshError),
}

impl From<RefreshError> for LoginError {
    fn from(error: RefreshError) -> Self {
        match error {
            // Said of a refresh token elsewhere; here it is a code, or the challenge behind it.
            RefreshError::InvalidGrant { code } => Self::Refused { code },
            error @ (RefreshError::ClientRefused { .. }
            | RefreshError::NoClient { .. }
            | RefreshError::NoRefreshToken
            | RefreshError::Transient { .. }
            | RefreshError::Unknown { .. }
            | RefreshError::ForeignEndpoint { .. }
            | RefreshError::Refused { .. }) => Self::Exchange(error),
        }
    }
}
