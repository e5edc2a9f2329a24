//! A look at the sources finds credentials that are alive already: which one each of them is, and what it brings.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::entry::{Entry, Origin};
use crate::{
    credential::{Credential, CredentialId, Login, Place},
    provider::Provider,
};

/// Those that were alive before, each to be found once, whatever their number.
pub(super) struct Known {
    entries: Vec<Option<Entry>>,
    by_id: HashMap<CredentialId, usize>,
    by_place: HashMap<Place, usize>,
}

impl Known {
    /// These.
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let credentials = || entries.iter().map(|entry| &entry.credential).enumerate();
        Self {
            by_id: credentials().map(|(slot, it)| (it.id.clone(), slot)).collect(),
            by_place: credentials().map(|(slot, it)| (it.place.clone(), slot)).collect(),
            entries: entries.into_iter().map(Some).collect(),
        }
    }

    /// The one that was found again: by id, or by its place while it holds the same token (an id made of a refresh token
    /// changes when that rotates). Never across providers: one's token must not go to another.
    pub(super) fn take(&mut self, found: &Credential) -> Option<Entry> {
        let slots = [self.by_id.get(&found.id), self.by_place.get(&found.place)];
        let mut entries =
            slots.into_iter().flatten().filter_map(|slot| Some((slot, self.entries.get(*slot)?.as_ref()?)));
        let slot = entries.find(|(_, entry)| {
            let ours = &entry.credential;
            ours.provider == found.provider
                && (ours.id == found.id || has_same_token(&ours.login, &found.login))
        });
        let slot = *slot?.0;
        self.entries.get_mut(slot)?.take()
    }

    /// Those that were not found.
    pub(super) fn rest(self) -> impl Iterator<Item = Entry> {
        self.entries.into_iter().flatten()
    }
}

/// Whether two logins hold the same token, whatever else is known of them.
fn has_same_token(ours: &Login, found: &Login) -> bool {
    match (ours, found) {
        (Login::ApiKey(ours), Login::ApiKey(found)) => ours == found,
        (Login::OAuth(ours), Login::OAuth(found)) => match (&ours.tokens.refresh, &found.tokens.refresh) {
            (Some(ours), Some(found)) => ours == found,
            (None, None) => ours.tokens.access.is_some() && ours.tokens.access == found.tokens.access,
            (Some(_), None) | (None, Some(_)) => false,
        },
        (Login::ApiKey(_), Login::OAuth(_)) | (Login::OAuth(_), Login::ApiKey(_)) => false,
    }
}

/// Takes a found credential in for the same one; whether it brought anything new.
pub(super) fn reload(entry: &mut Entry, found: Credential, provider: &Provider, now: DateTime<Utc>) -> bool {
    let Credential { id: _, provider: _, dialect, place, login, disabled } = found;
    let switched = entry.credential.disabled != disabled;
    entry.credential.dialect = dialect;
    entry.credential.place = place;
    entry.credential.disabled = disabled;
    let renewed = match login {
        Login::OAuth(login) => {
            let amended = entry.amend(&login, provider, now);
            let newer = entry.is_newer(&login.tokens);
            if newer {
                entry.adopt(*login, Origin::File, now);
            }
            amended || newer
        }
        Login::ApiKey(_) => false,
    };
    renewed || switched
}
