//! Why the bot could not run.

use std::net::SocketAddr;

use crate::{discord::DiscordError, http::HttpError};

/// A failure to start, or an end that was not asked for.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The admin endpoint's address cannot be bound.
    #[error(
        "ADMIN_ADDR={address} cannot be used ({problem}); choose another address or stop what listens there"
    )]
    AdminAddress {
        /// The address.
        address: SocketAddr,
        /// The operating system's word for it.
        problem: String,
    },
    /// An HTTP client could not be built.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Discord's side failed.
    #[error(transparent)]
    Discord(#[from] DiscordError),
    /// A second signal came while draining.
    #[error("{signal} again: stopped without waiting for what was in flight")]
    Interrupted {
        /// The signal.
        signal: &'static str,
    },
}
