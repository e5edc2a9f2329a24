//! What of a provider's row decides about its credentials, and which client a login needs.

use std::time::Duration;

use crate::{
    credential::{Credential, Fingerprint, Login},
    provider::{AfterGrant, ChatAuth, OAuthSpec, Provider, ProviderId},
};

/// The client that a login belongs to: what it is refused for concerns every credential with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ClientKey {
    provider: ProviderId,
    id: String,
    secret: Option<Fingerprint>,
}

impl ClientKey {
    /// What it is known by in a lock file.
    pub(super) fn print(&self) -> Fingerprint {
        let secret = self.secret.map(|secret| secret.to_string()).unwrap_or_default();
        Fingerprint::of_bytes([self.provider.as_str(), &self.id, &secret].join("\0").as_bytes())
    }
}

/// What of a provider's row decides here.
#[derive(Debug, Clone)]
pub(super) struct Traits {
    /// What chats need to know besides the token.
    pub(super) after_grant: AfterGrant,
    pub(super) chat_auth: ChatAuth,
    pub(super) early: Duration,
    /// Whether the operator named a project.
    pub(super) has_project: bool,
    /// The prefix of its variables, for remedies.
    pub(super) prefix: String,
    /// How a person logs in again.
    pub(super) log_in_again: String,
    /// What became of the provider, where that may be why it refuses.
    pub(super) lifecycle: Option<String>,
}

impl Traits {
    /// The traits of a provider, with the configured early window.
    pub(super) fn of(provider: &Provider, early: Duration) -> Self {
        Self {
            after_grant: provider.oauth().map_or(AfterGrant::Nothing, |spec| spec.after_grant),
            chat_auth: provider.chat_auth,
            early: provider.early.unwrap_or(early),
            has_project: provider.project.is_some(),
            prefix: provider.id.variable_prefix(),
            log_in_again: provider.log_in_again(),
            lifecycle: provider.lifecycle.as_ref().map(|it| format!("since {}: {}", it.since, it.note)),
        }
    }
}

/// The client of a login: the one in its file, else the configured one.
pub(super) fn client_key(credential: &Credential, provider: &Provider) -> Option<ClientKey> {
    let Login::OAuth(login) = &credential.login else { return None };
    let client = login.client.clone().or_else(|| provider.oauth().and_then(OAuthSpec::client))?;
    let secret = client.secret.as_ref().map(Fingerprint::of);
    Some(ClientKey { provider: provider.id.clone(), id: client.id, secret })
}
