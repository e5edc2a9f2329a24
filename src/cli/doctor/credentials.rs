//! Each credential: its file, its state, its client, its provider's terms and lifecycle.

use std::{collections::BTreeSet, time::Duration};

use super::{Finding, files};
use crate::{
    cli::status::{hours_and_minutes, nothing_configured},
    config::Settings,
    credential::{Credential, Inventory, Login, Place, Saved, Store, StoreError},
    pool::{CredentialView, Snapshot, State},
    provider::Provider,
};

/// How long a lock is waited for: a refresh by the running bot is no fault.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// All findings about credentials, in the order of the status table.
pub(super) fn check(
    settings: &Settings,
    store: &Store,
    inventory: &Inventory,
    snapshot: &Snapshot,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        inventory.warnings.iter().map(|warning| Finding::warn("credentials", warning, "")).collect();
    if inventory.credentials.is_empty() && inventory.rejected.is_empty() {
        findings.push(Finding::warn(
            "credentials",
            nothing_configured(settings),
            "the bot starts, but cannot answer",
        ));
    }
    for rejected in &inventory.rejected {
        findings.push(Finding::fail("credentials", &rejected.reason, "").of(&rejected.label));
    }
    for same in &inventory.same_login {
        let found = format!("is the same login as {}", same.credential);
        findings.push(Finding::warn("credentials", found, "remove one of the two").of(&same.label));
    }
    let mut providers = BTreeSet::new();
    for credential in &inventory.credentials {
        let subject = format!("{} {}", credential.provider, credential.place.label());
        let view = snapshot.credentials.iter().find(|view| view.id == credential.id);
        let mut of_credential = Vec::new();
        of_credential.extend(view.map(|view| state(settings, credential, view, snapshot)));
        of_credential.extend(file(store, settings, credential));
        if let Some(row) = settings.providers.get(&credential.provider) {
            of_credential.extend(client(credential, row));
            if providers.insert(credential.provider.clone()) {
                findings.extend(provider(row));
            }
        }
        findings.extend(of_credential.into_iter().map(|finding| finding.of(&subject)));
    }
    findings
}

/// State and expiry, and what is missing for the next refresh.
fn state(
    settings: &Settings,
    credential: &Credential,
    view: &CredentialView,
    snapshot: &Snapshot,
) -> Finding {
    const CHECK: &str = "state";
    let again = settings.providers.get(&credential.provider).map_or_else(String::new, Provider::log_in_again);
    let label = view.state.label();
    let reason = view.reason.clone().unwrap_or_default();
    let without_refresh = match &credential.login {
        Login::OAuth(login) => login.tokens.refresh.is_none(),
        Login::ApiKey(_) => false,
    };
    let left = view.expires_at.map(|at| at - snapshot.taken_at);
    match view.state {
        State::Ready | State::Early | State::Refreshing if without_refresh => Finding::warn(
            CHECK,
            format!(
                "{label}, but the file has no refresh token{}",
                left.map_or_else(String::new, |left| format!(": it ends in {}", hours_and_minutes(left)))
            ),
            format!("{again}, before then"),
        ),
        State::Ready | State::Early | State::Refreshing => Finding::pass(
            CHECK,
            left.map_or_else(
                || label.to_owned(),
                |left| format!("{label}, {} left", hours_and_minutes(left)),
            ),
        ),
        State::Expired => Finding::warn(
            CHECK,
            format!("{label}: {reason}"),
            format!("it is refreshed when it is needed; try now: cortana refresh {}", view.id),
        ),
        State::Cooling => Finding::warn(CHECK, format!("{label}: {reason}"), "it comes back by itself"),
        State::Disabled => Finding::warn(CHECK, format!("{label}: {reason}"), ""),
        State::NeedsLogin | State::Refused | State::Unusable => {
            Finding::fail(CHECK, format!("{label}: {reason}"), format!("{again}, or remove it"))
        }
    }
}

/// The file's permissions, and whether a refreshed token would find a place (P13).
fn file(store: &Store, settings: &Settings, credential: &Credential) -> Vec<Finding> {
    const CHECK: &str = "writable";
    let Place::File { target, .. } = &credential.place else { return Vec::new() };
    let mut findings = vec![files::permissions(target)];
    let rotates = settings
        .providers
        .get(&credential.provider)
        .and_then(Provider::oauth)
        .is_some_and(|spec| spec.rotates);
    if files::is_foreign_to_root(target) {
        if let Ok(metadata) = std::fs::metadata(target) {
            findings.push(files::not_as_root(CHECK, &metadata));
        }
        return findings;
    }
    let proven = store.lock(credential, LOCK_WAIT).and_then(|mut guard| guard.prove_writable(rotates));
    findings.push(match proven {
        Ok(Saved::InPlace | Saved::Unchanged | Saved::Superseded) => {
            Finding::pass(CHECK, "a refreshed token can be saved in its file")
        }
        Ok(Saved::InState) => Finding::warn(
            CHECK,
            "its place cannot be written: refreshed tokens go to STATE_DIR",
            "make the file and its folder writable for the bot, if other programs read it",
        ),
        Err(StoreError::NotWritable { problem, remedy, .. }) => Finding::fail(
            CHECK,
            format!("a refreshed token cannot be saved ({problem}); no refresh is tried"),
            remedy,
        ),
        Err(error @ StoreError::Locked { .. }) => {
            Finding::warn(CHECK, error.to_string(), "a refresh may be under way; check again in a moment")
        }
        Err(
            error @ (StoreError::Gone { .. } | StoreError::Unreadable { .. } | StoreError::NotSaved { .. }),
        ) => Finding::fail(CHECK, error.to_string(), ""),
    });
    findings
}

/// Whether there is a client to refresh with.
fn client(credential: &Credential, row: &Provider) -> Option<Finding> {
    const CHECK: &str = "client";
    let Login::OAuth(login) = &credential.login else { return None };
    let spec = row.oauth()?;
    if login.client.is_some() {
        return Some(Finding::pass(CHECK, "the file has its own"));
    }
    if spec.client().is_some() {
        return Some(Finding::pass(CHECK, "configured"));
    }
    let prefix = row.id.variable_prefix();
    let (missing, remedy) = if spec.client_id.is_none() {
        (
            "id",
            format!("set {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET to the client that minted this login"),
        )
    } else {
        (
            "secret",
            format!(
                "set {prefix}_CLIENT_SECRET to the secret of the client that minted this login; none is shipped"
            ),
        )
    };
    Some(Finding::fail(
        CHECK,
        format!("no client {missing} is configured: the login cannot be refreshed"),
        remedy,
    ))
}

/// A provider's lifecycle note and terms, once.
fn provider(row: &Provider) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(lifecycle) = &row.lifecycle {
        findings.push(Finding::warn(
            "lifecycle",
            format!("since {}: {}", lifecycle.since, lifecycle.note),
            format!("see {}", lifecycle.source),
        ));
    }
    if let Some(terms) = &row.terms {
        findings.push(if row.terms_accepted {
            Finding::warn(
                "terms",
                format!("accepted by you; {}", terms.warning),
                format!("read {}", terms.url),
            )
        } else {
            Finding::fail(
                "terms",
                format!("not accepted, so its logins are not used; {}", terms.warning),
                format!("read {}, then set ACCEPT_PROVIDER_TERMS={}", terms.url, row.id),
            )
        });
    }
    findings.into_iter().map(|finding| finding.of(row.name.clone())).collect()
}
