//! What the log says about what was loaded: one line a credential, warnings once.

use std::collections::HashSet;

use super::{Inner, PoolEvent, entry::Entry};
use crate::{
    credential::{CredentialId, Inventory, Login, Rejected},
    provider::{Provider, ProviderId},
};

impl Inner {
    /// After the first look at the sources.
    pub(super) fn announce_start(&self, found: &Told) {
        let set = self.set();
        let mut providers: HashSet<&ProviderId> = HashSet::new();
        for entry in set.entries() {
            loaded(entry);
            providers.insert(&entry.credential.provider);
        }
        let unusable_count = set.rejected().len();
        if set.entries().is_empty() && unusable_count > 0 {
            tracing::warn!(
                credentials.unusable = unusable_count,
                "No usable credential: what is configured cannot be used, for the reasons below"
            );
        } else if set.entries().is_empty() {
            tracing::warn!(
                folder = %self.parts.settings.credentials_dir.display(),
                "No OAuth credentials configured: put a credential file into the folder, or set \
                 <PROVIDER>_OAUTH_CREDENTIALS or <PROVIDER>_API_KEY (for example GEMINI_CLI_OAUTH_CREDENTIALS)"
            );
        }
        for provider in self.parts.providers.iter().filter(|row| providers.contains(&row.id)) {
            told_of(provider);
        }
        found.log();
        for rejected in set.rejected() {
            unusable(rejected);
        }
    }

    /// After a reload.
    pub(super) fn announce_reload(
        &self,
        events: &[PoolEvent],
        known: &HashSet<CredentialId>,
        newly_bad: &[Rejected],
    ) {
        let set = self.set();
        let served: HashSet<&ProviderId> = set
            .entries()
            .iter()
            .filter(|entry| known.contains(&entry.credential.id))
            .map(|entry| &entry.credential.provider)
            .collect();
        let mut new: HashSet<&ProviderId> = HashSet::new();
        for event in events {
            match event {
                PoolEvent::Loaded { credential, provider } if known.contains(credential) => {
                    tracing::info!(credential.id = %credential, %provider, "Reloaded a credential");
                }
                PoolEvent::Loaded { credential, provider } => {
                    if !served.contains(provider)
                        && new.insert(provider)
                        && let Some(row) = self.parts.providers.get(provider)
                    {
                        told_of(row);
                    }
                    if let Some(entry) = set.get(credential) {
                        loaded(entry);
                    }
                }
                PoolEvent::Removed { credential, provider } => {
                    tracing::info!(credential.id = %credential, %provider, "A credential's source is gone; leases on it finish");
                }
                PoolEvent::Refreshed { .. }
                | PoolEvent::StateChanged { .. }
                | PoolEvent::Unsaved { .. }
                | PoolEvent::Alert(_) => {}
            }
        }
        for rejected in newly_bad {
            unusable(rejected);
        }
    }
}

/// What a look at the sources told besides credentials.
#[derive(Debug, Default)]
pub(super) struct Told {
    lines: Vec<String>,
}

impl Told {
    /// Takes the warnings out of an inventory.
    pub(super) fn of(inventory: &Inventory) -> Self {
        let same = inventory.same_login.iter().map(|same| {
            format!("{} is the same login as credential {}; it is used once", same.label, same.credential)
        });
        Self { lines: inventory.warnings.iter().cloned().chain(same).collect() }
    }

    fn log(&self) {
        for line in &self.lines {
            tracing::warn!("{line}");
        }
    }
}

/// What an operator should know of a provider whose first credential was loaded.
fn told_of(provider: &Provider) {
    if let Some(lifecycle) = &provider.lifecycle {
        tracing::warn!(provider = %provider.id, since = %lifecycle.since, source = lifecycle.source, "{}: {}", provider.name, lifecycle.note);
    }
    if let Some(terms) = &provider.terms {
        tracing::warn!(provider = %provider.id, terms = terms.url, accepted = provider.terms_accepted, "{}: {}", provider.name, terms.warning);
    }
}

fn loaded(entry: &Entry) {
    let credential = &entry.credential;
    let (id, provider, dialect) = (&credential.id, &credential.provider, credential.dialect.name());
    let account = &entry.account;
    match &credential.login {
        Login::OAuth(_) => {
            let expiry = entry
                .window
                .expires_at()
                .map_or_else(|| "unknown".to_owned(), |at| at.format("%F %T UTC").to_string());
            let reason = entry.disabled();
            let disabled = reason.as_deref();
            tracing::info!(credential.id = %id, %provider, account, dialect, expiry, disabled, "Loaded OAuth credential");
        }
        Login::ApiKey(_) => {
            tracing::info!(credential.id = %id, %provider, account, dialect, "Loaded API key");
        }
    }
}

fn unusable(rejected: &Rejected) {
    let provider = rejected.provider.as_ref().map_or("unknown", ProviderId::as_str);
    tracing::warn!(file = rejected.label, provider, reason = rejected.reason, "A credential cannot be used");
}
