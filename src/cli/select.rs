//! Which credential an operator means: a provider, an id or its beginning, or a file.

use super::failure::Failure;
use crate::{
    config::{Settings, nearest},
    pool::{CredentialView, Selector, Snapshot},
    provider::ProviderId,
};

/// The shortest beginning of an id that is taken for one.
const SHORTEST_ID: usize = 3;
/// Credentials that a mistake names at most.
const SHOWN: usize = 5;

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
    let all = snapshot.credentials.len();
    if all == 0 {
        return format!("`{text}` is no provider ({providers}), and no credential is configured");
    }
    let near = nearest_of(&snapshot.credentials, text);
    let near = if all <= SHOWN { snapshot.credentials.iter().collect() } else { near };
    if near.is_empty() {
        return format!(
            "`{text}` is no provider ({providers}) and none of {all} credentials; `cortana status` lists them"
        );
    }
    format!("`{text}` is no provider ({providers}) and no credential; there is {}", list(&near))
}

/// The credentials that were most likely meant, the likeliest first.
fn nearest_of<'a>(views: &'a [CredentialView], text: &str) -> Vec<&'a CredentialView> {
    // An id is usually given by its beginning.
    let beginning = |view: &CredentialView| view.id.as_str().chars().take(text.chars().count()).collect();
    let mut names: Vec<(String, &CredentialView)> = views
        .iter()
        .flat_map(|view| [beginning(view), view.place.clone(), view.account.clone()].map(|name| (name, view)))
        .collect();
    let mut found = Vec::new();
    while found.len() < SHOWN
        && let Some(name) = nearest(text, names.iter().map(|(name, _)| name.as_str())).map(str::to_owned)
        && let Some(view) = names.iter().find(|(candidate, _)| *candidate == name).map(|(_, view)| *view)
    {
        found.push(view);
        names.retain(|(_, other)| other.id != view.id);
    }
    let is_part = |view: &&CredentialView| view.place.contains(text) || view.account.contains(text);
    let others = views.iter().filter(is_part).filter(|view| !found.iter().any(|it| it.id == view.id));
    let others: Vec<_> = others.take(SHOWN - found.len()).collect();
    found.extend(others);
    found
}

/// Some of them by name, the others by their number.
pub(super) fn list(views: &[&CredentialView]) -> String {
    let mut named: Vec<String> =
        views.iter().take(SHOWN).map(|view| format!("{} {}", view.id, view.place)).collect();
    if views.len() > SHOWN {
        named.push(format!("{} more (`cortana status` lists them)", views.len() - SHOWN));
    }
    named.join(", ")
}
