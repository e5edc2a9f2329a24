//! Which credential an operator means: a provider, an id or its beginning, or a file.

use super::failure::Failure;
use crate::{
    config::Settings,
    pool::{CredentialView, Selector, Snapshot},
    provider::ProviderId,
};

/// The shortest beginning of an id that is taken for one.
const SHORTEST_ID: usize = 3;

/// What is meant by `text`, or a usage mistake that says what there is.
pub(super) fn select(settings: &Settings, snapshot: &Snapshot, text: &str) -> Result<Selector, Failure> {
    let exact = snapshot.credentials.iter().find(|view| view.id.as_str() == text);
    if let Some(view) = exact {
        return Ok(Selector::Credential(view.id.clone()));
    }
    if let Ok(provider) = text.parse::<ProviderId>()
        && settings.providers.get(&provider).is_some()
    {
        let has_any = snapshot.credentials.iter().any(|view| view.provider.as_ref() == Some(&provider));
        return if has_any {
            Ok(Selector::Provider(provider))
        } else {
            Err(Failure::Failed(anyhow::anyhow!(
                "no credential of {provider} is configured; put its file into {} or see docs/providers.md",
                settings.pool.credentials_dir.display()
            )))
        };
    }
    let meant: Vec<&CredentialView> = snapshot
        .credentials
        .iter()
        .filter(|view| {
            view.place == text || (text.chars().count() >= SHORTEST_ID && view.id.as_str().starts_with(text))
        })
        .collect();
    match meant.as_slice() {
        [view] => Ok(Selector::Credential(view.id.clone())),
        [] => Err(Failure::Usage(unknown(settings, snapshot, text))),
        several => Err(Failure::Usage(format!("`{text}` may be {}; give the whole id", list(several)))),
    }
}

fn unknown(settings: &Settings, snapshot: &Snapshot, text: &str) -> String {
    let providers: Vec<_> = settings.providers.iter().map(|row| row.id.as_str()).collect();
    let providers = providers.join(", ");
    let credentials: Vec<&CredentialView> = snapshot.credentials.iter().collect();
    if credentials.is_empty() {
        return format!("`{text}` is no provider ({providers}), and no credential is configured");
    }
    format!("`{text}` is no provider ({providers}) and no credential ({})", list(&credentials))
}

fn list(views: &[&CredentialView]) -> String {
    views.iter().map(|view| format!("{} {}", view.id, view.place)).collect::<Vec<_>>().join(", ")
}
