//! All credentials, alive: found by id, picked by provider, changed by a reload.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{
    LeaseError, PoolEvent, RestCause, State, Want,
    cooldown::Mark,
    entry::{ClientKey, Entry, Origin},
    standing::Readiness,
    strategy::{Pick, Ring},
};
use crate::{
    config::Strategy,
    credential::{Credential, CredentialId, Inventory, Login, Rejected},
    provider::{Catalog, Provider, ProviderId},
};

/// What a request can have now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// This one.
    Lend(usize),
    /// This one, after a flight.
    Wait(usize),
    /// Nothing.
    Nothing(LeaseError),
}

/// All credentials, behind the pool's mutex.
#[derive(Debug, Default)]
pub(super) struct Set {
    entries: Vec<Entry>,
    by_id: HashMap<CredentialId, usize>,
    rings: HashMap<ProviderId, Ring>,
    rejected: Vec<Rejected>,
    refused_clients: HashMap<ClientKey, String>,
    mark: Mark,
    /// Background flights under way.
    pub(super) background: usize,
}

impl Set {
    /// Every credential, in the order of providers, then of loading.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The same, to change.
    pub(super) fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    /// Sources that cannot be used.
    pub(super) fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// One credential.
    pub(super) fn get(&self, id: &CredentialId) -> Option<&Entry> {
        self.by_id.get(id).and_then(|slot| self.entries.get(*slot))
    }

    /// The same, to change.
    pub(super) fn get_mut(&mut self, id: &CredentialId) -> Option<&mut Entry> {
        self.by_id.get(id).and_then(|slot| self.entries.get_mut(*slot))
    }

    /// The next mark.
    pub(super) fn next_mark(&mut self) -> Mark {
        self.mark += 1;
        self.mark
    }

    /// What a request can have now: a ready credential by the strategy, else one that is worth waiting for.
    pub(super) fn choose(&mut self, want: &Want, strategy: Strategy, now: DateTime<Utc>) -> Choice {
        let Some(ring) = self.rings.get_mut(&want.provider) else {
            return Choice::Nothing(self.nothing(&want.provider));
        };
        let mut seen = Seen::default();
        let entries = &self.entries;
        let picked = ring.pick(strategy, |slot| {
            let Some(entry) = entries.get(slot) else { return Pick::No };
            let readiness = entry.readiness(&want.model, now);
            if want.exclude.contains(&entry.credential.id) {
                seen.excluded(&readiness);
                return Pick::No;
            }
            match readiness {
                Readiness::Ready | Readiness::Early => Pick::Yes { used: entry.requests },
                Readiness::Stale => Pick::Later,
                Readiness::Resting(until, cause) => {
                    seen.rest(until, cause);
                    Pick::No
                }
                Readiness::Failing => {
                    seen.failing = seen.failing.or(Some(slot));
                    Pick::No
                }
                Readiness::Blocked => {
                    seen.blocked = seen.blocked.or(Some(slot));
                    Pick::No
                }
            }
        });
        match picked {
            (Some(slot), _) => Choice::Lend(slot),
            (None, Some(slot)) => Choice::Wait(slot),
            (None, None) => Choice::Nothing(self.why_nothing(&seen, now)),
        }
    }

    /// Whether a credential of this provider, none of those excluded, is ready for the model, or would be after a flight.
    pub(super) fn has_ready_besides(
        &self,
        provider: &ProviderId,
        model: &str,
        exclude: &[CredentialId],
        now: DateTime<Utc>,
    ) -> bool {
        let members = self.rings.get(provider).into_iter().flat_map(Ring::members);
        let others = members.filter_map(|slot| self.entries.get(*slot));
        others.filter(|entry| !exclude.contains(&entry.credential.id)).any(|entry| {
            match entry.readiness(model, now) {
                Readiness::Ready | Readiness::Early | Readiness::Stale => true,
                Readiness::Resting(..) | Readiness::Failing | Readiness::Blocked => false,
            }
        })
    }

    fn why_nothing(&self, seen: &Seen, now: DateTime<Utc>) -> LeaseError {
        let reason = |slot: usize| {
            self.entries
                .get(slot)
                .and_then(|entry| entry.reason(now))
                .unwrap_or_else(|| "see the status".to_owned())
        };
        match seen {
            Seen { tried: true, .. } => LeaseError::AllTried,
            Seen { rest: Some((until, cause)), .. } => LeaseError::Resting { until: *until, cause: *cause },
            Seen { failing: Some(slot), .. } => LeaseError::Stale { reason: reason(*slot) },
            Seen { excluded: true, .. } => LeaseError::AllTried,
            Seen { blocked: Some(slot), .. } => LeaseError::NeedsOperator { reason: reason(*slot) },
            Seen { blocked: None, .. } => LeaseError::NothingConfigured,
        }
    }

    /// Why a provider without a credential has none: an unusable source of it may be the reason.
    fn nothing(&self, provider: &ProviderId) -> LeaseError {
        self.rejected.iter().find(|rejected| rejected.provider.as_ref() == Some(provider)).map_or(
            LeaseError::NothingConfigured,
            |rejected| LeaseError::NeedsOperator {
                reason: format!("{}: {}", rejected.label, rejected.reason),
            },
        )
    }

    /// Takes in what a look at the sources found. Cooldowns and counters of the same credential survive, and a credential
    /// whose file cannot be read just now (`unsettled`: it may be half written) stays as it is.
    pub(super) fn apply(
        &mut self,
        inventory: Inventory,
        unsettled: &[String],
        providers: &Catalog,
        early: Duration,
        now: DateTime<Utc>,
    ) -> Vec<PoolEvent> {
        let Inventory { credentials, rejected, notes, .. } = inventory;
        let mut events = Vec::new();
        let mut old = std::mem::take(&mut self.entries);
        let broken: HashSet<&str> = rejected
            .iter()
            .filter(|rejected| !rejected.gone)
            .map(|rejected| rejected.label.as_str())
            .chain(unsettled.iter().map(String::as_str))
            .collect();
        for mut found in credentials {
            let Some(provider) = providers.get(&found.provider) else { continue };
            let known = old.iter().position(|entry| is_same(&entry.credential, &found));
            let loaded = PoolEvent::Loaded { credential: found.id.clone(), provider: found.provider.clone() };
            let mut entry = if let Some(slot) = known {
                let mut entry = old.remove(slot);
                found.id = entry.credential.id.clone();
                if reload(&mut entry, found, provider, now) {
                    events.push(loaded);
                }
                entry
            } else {
                events.push(loaded);
                let mut entry = Entry::new(found, provider, early, rand::random_range(0.0..1.0), now);
                if let Some(notes) = notes.get(&entry.credential.id) {
                    entry.recall(notes, now);
                }
                entry
            };
            entry.client_refused =
                entry.client.as_ref().and_then(|client| self.refused_clients.get(client)).cloned();
            self.entries.push(entry);
        }
        for entry in old {
            if broken.contains(entry.credential.place.label().as_str()) {
                self.entries.push(entry);
            } else {
                let Credential { id, provider, .. } = entry.credential;
                events.push(PoolEvent::Removed { credential: id, provider });
            }
        }
        self.rejected = rejected;
        let rank = |id: &ProviderId| providers.iter().position(|row| row.id == *id);
        self.entries.sort_by_key(|entry| rank(&entry.credential.provider));
        self.index();
        events
    }

    fn index(&mut self) {
        let mut members: HashMap<ProviderId, Vec<usize>> = HashMap::new();
        self.by_id.clear();
        for (slot, entry) in self.entries.iter().enumerate() {
            self.by_id.insert(entry.credential.id.clone(), slot);
            members.entry(entry.credential.provider.clone()).or_default().push(slot);
        }
        let mut rings = std::mem::take(&mut self.rings);
        self.rings = members
            .into_iter()
            .map(|(provider, members)| {
                let ring = rings.remove(&provider).unwrap_or_default().with(members);
                (provider, ring)
            })
            .collect();
    }

    /// A client was refused: it concerns every credential with it.
    pub(super) fn refuse_client(&mut self, client: &ClientKey, code: &str) {
        self.refused_clients.insert(client.clone(), code.to_owned());
        for entry in self.entries.iter_mut().filter(|entry| entry.client.as_ref() == Some(client)) {
            entry.client_refused = Some(code.to_owned());
        }
    }

    /// A client worked.
    pub(super) fn accept_client(&mut self, client: &ClientKey) {
        if self.refused_clients.remove(client).is_some() {
            for entry in self.entries.iter_mut().filter(|entry| entry.client.as_ref() == Some(client)) {
                entry.client_refused = None;
            }
        }
    }

    /// News of every credential whose state is not the one last made known; time alone changes states too.
    pub(super) fn sweep(&mut self, now: DateTime<Utc>) -> Vec<PoolEvent> {
        self.entries.iter_mut().filter_map(|entry| news(entry, now)).collect()
    }

    /// The same, of one.
    pub(super) fn sweep_one(&mut self, id: &CredentialId, now: DateTime<Utc>) -> Option<PoolEvent> {
        self.get_mut(id).and_then(|entry| news(entry, now))
    }
}

/// What a scan saw of those that it did not pick.
#[derive(Debug, Default)]
struct Seen {
    /// One that this request tried is still ready: it failed in another way.
    tried: bool,
    excluded: bool,
    rest: Option<(DateTime<Utc>, RestCause)>,
    failing: Option<usize>,
    blocked: Option<usize>,
}

impl Seen {
    fn excluded(&mut self, readiness: &Readiness) {
        self.excluded = true;
        match readiness {
            Readiness::Ready | Readiness::Early => self.tried = true,
            Readiness::Resting(until, cause) => self.rest(*until, *cause),
            Readiness::Stale | Readiness::Failing | Readiness::Blocked => {}
        }
    }

    /// The first to be back of those that time brings back; a key that was refused, or a model that is not offered,
    /// counts only where nothing else rests.
    fn rest(&mut self, until: DateTime<Utc>, cause: RestCause) {
        let rest = (until, cause);
        self.rest =
            self.rest.into_iter().chain([rest]).min_by_key(|(until, cause)| (!cause.passes(), *until));
    }
}

fn news(entry: &mut Entry, now: DateTime<Utc>) -> Option<PoolEvent> {
    let to = entry.state(now);
    let from = std::mem::replace(&mut entry.shown, to);
    let until = match to {
        State::Cooling => entry.resting_until(now),
        State::Ready
        | State::Early
        | State::Refreshing
        | State::Expired
        | State::NeedsLogin
        | State::Refused
        | State::Disabled
        | State::Unusable => None,
    };
    let Credential { id, provider, .. } = &entry.credential;
    (from != to).then(|| PoolEvent::StateChanged {
        credential: id.clone(),
        provider: provider.clone(),
        from,
        to,
        until,
    })
}

/// Whether a credential that was found is one that is alive: by id, or by its place while it holds the same token (an id
/// made of a refresh token changes when that rotates). Never across providers: one's token must not go to another.
fn is_same(ours: &Credential, found: &Credential) -> bool {
    ours.provider == found.provider
        && (ours.id == found.id || (ours.place == found.place && has_same_token(&ours.login, &found.login)))
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
fn reload(entry: &mut Entry, found: Credential, provider: &Provider, now: DateTime<Utc>) -> bool {
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
