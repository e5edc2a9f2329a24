//! OAuth exchanges (RFC 6749) and a vendor's steps after them. Knows no file and no pool.

mod authorize;
mod client;
mod device;
mod error;
mod login;
mod loopback;
mod pkce;
mod refresh;
mod reply;
mod revoke;
mod service_account;
mod vendor;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use authorize::{Authorization, missing_scopes, pasted_redirect};
pub use client::client_of;
pub use device::DeviceLogin;
pub use error::RefreshError;
pub use login::{LoginError, NewLogin};
pub use loopback::Loopback;
pub use refresh::{HttpRefresh, Limits};
pub use revoke::Revoked;
use serde::Serialize;

use crate::{
    credential::{Facts, OAuthLogin},
    provider::Provider,
    secret::Secret,
};

/// A token endpoint's answer, checked: `access` is not blank, hosts are allowed, an error inside a 200 is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The new access token.
    pub access: Secret,
    /// The new refresh token, when the reply carried one; otherwise the old one lives on.
    pub refresh: Option<Secret>,
    /// `expires_in`; `None` when missing, zero, negative or absurd (P10).
    pub lifetime: Option<Duration>,
    /// What the reply itself said about the account (Qwen's `resource_url`); fields that are `None` change nothing.
    pub facts: Facts,
    /// A host that the reply named and that is not the provider's (Qwen's `resource_url`). The address was dropped and
    /// nothing was sent there. It is no error of the exchange, since the refresh token may have been spent on this
    /// reply: save the grant first, then hold the credential as [`RefreshError::ForeignEndpoint`].
    pub foreign_host: Option<String>,
}

/// What is left of one of an account's quotas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allowance {
    /// Of what, in the provider's words: a model, or a group of models and a span of time.
    pub what: String,
    /// What is left of it, in thousandths; 0: nothing.
    pub remaining_permille: u16,
    /// When it is whole again.
    pub resets_at: Option<DateTime<Utc>>,
}

/// Exchanges a refresh token. A seam: the pool's tests count its calls.
#[async_trait]
pub trait Refresh: Send + Sync {
    /// The refresh grant (RFC 6749, section 6). One token request, no retry: the caller decides.
    async fn refresh(&self, provider: &Provider, login: &OAuthLogin) -> Result<Grant, RefreshError>;

    /// The vendor's steps after a grant, with the new access token: project discovery, iFlow's key.
    /// Runs after the grant was saved; its failure leaves the token good. Returns facts to save.
    async fn after_grant(
        &self,
        provider: &Provider,
        access: &Secret,
        known: &Facts,
    ) -> Result<Facts, RefreshError>;

    /// Whose a token is, asked of the provider: an e-mail address or a name. `None` where the provider does not say. What
    /// fails here says nothing about the token.
    async fn account(&self, provider: &Provider, access: &Secret) -> Result<Option<String>, RefreshError> {
        let (_, _) = (provider, access);
        Ok(None)
    }

    /// What is left of an account's quotas, without using any. `None` where the provider does not say.
    async fn quota(
        &self,
        provider: &Provider,
        access: &Secret,
        project: Option<&str>,
    ) -> Result<Option<Vec<Allowance>>, RefreshError> {
        let (_, _, _) = (provider, access, project);
        Ok(None)
    }

    /// How long one token request may take; lock waits are derived from it (P2).
    fn timeout(&self) -> Duration {
        Duration::from_secs(15)
    }
}
