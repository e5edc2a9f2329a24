//! All credentials, alive: found by id, picked by provider, changed by a reload.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    LeaseError, Outcome, PoolEvent, RestCause, State, Want,
    cooldown::Mark,
    entry::Entry,
    held::Held,
    outlook::millisecond,
    reload::{Known, reload},
    seating,
    sessions::Sessions,
    standing::Readiness,
    table::{Found, Order, Seat, Table, Why},
    touched::Touched,
    traits::ClientKey,
};
use crate::{
    config::{PoolSettings, SeatRule, Strategy},
    credential::{Credential, CredentialId, Inventory, Rejected},
    provider::{Catalog, ProviderId},
};

/// The reason where a credential names none.
const SEE_STATUS: &str = "see the status";

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

/// The credentials of one provider: they lie side by side.
#[derive(Debug)]
struct Ring {
    /// The slot of the first.
    first: usize,
    count: usize,
    table: Table,
}

/// All credentials, behind the pool's mutex.
#[derive(Debug, Default)]
pub(super) struct Set {
    entries: Vec<Entry>,
    by_id: HashMap<CredentialId, usize>,
    rings: HashMap<ProviderId, Ring>,
    /// Whose change the tables were not told yet, by slot.
    changed: HashSet<usize>,
    /// Any of them may have changed.
    has_changed: bool,
    /// Whose change the ledger was not shown yet.
    unseen: Touched,
    /// The millisecond at which the tables were asked last.
    looked_at: i64,
    order: Order,
    /// The operator's rules, and those among them that fit no credential, in words.
    seats: Vec<SeatRule>,
    unused_seats: Vec<String>,
    sessions: Option<Sessions>,
    rejected: Vec<Rejected>,
    refused_clients: HashMap<ClientKey, String>,
    mark: Mark,
    /// What is held against credentials, also against those that are not here.
    held: HashMap<CredentialId, Held>,
    /// Background flights under way.
    pub(super) background: usize,
    /// When the schedule looks next, if nothing wakes it.
    pub(super) scheduled_at: Option<DateTime<Utc>>,
}

impl Set {
    /// No credential yet.
    pub(super) fn new(settings: &PoolSettings) -> Self {
        let sessions = settings.sticky.map(Sessions::lasting);
        Self { order: order(settings.strategy), sessions, seats: settings.seats.clone(), ..Self::default() }
    }

    /// Takes turns by these settings from the next look at the sources on. Sessions go on unless they last otherwise now.
    pub(super) fn configure(&mut self, settings: &PoolSettings) {
        self.order = order(settings.strategy);
        self.seats.clone_from(&settings.seats);
        if self.sessions.as_ref().map(Sessions::last) != settings.sticky {
            self.sessions = settings.sticky.map(Sessions::lasting);
        }
    }

    /// Every credential, in the order of providers, then of loading.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whose entry was in other hands since this was asked last, by slot, and a few in turn.
    pub(super) fn take_unseen(&mut self) -> Vec<usize> {
        self.unseen.take()
    }

    /// Every entry is among them next time.
    pub(super) fn show_all(&mut self) {
        self.unseen.all(self.entries.len());
    }

    /// One for the ledger, which may change it: the tables are to be told of that, the ledger is not.
    pub(super) fn look_at(&mut self, slot: usize) -> Option<&mut Entry> {
        self.changed.insert(slot);
        self.entries.get_mut(slot)
    }

    /// Sources that cannot be used.
    pub(super) fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// What the operator's rules say that fit no credential.
    pub(super) fn unused_seats(&self) -> &[String] {
        &self.unused_seats
    }

    /// One credential.
    pub(super) fn get(&self, id: &CredentialId) -> Option<&Entry> {
        self.by_id.get(id).and_then(|slot| self.entries.get(*slot))
    }

    /// The same, to change.
    pub(super) fn get_mut(&mut self, id: &CredentialId) -> Option<&mut Entry> {
        let slot = *self.by_id.get(id)?;
        self.changed.insert(slot);
        self.unseen.add(slot);
        self.entries.get_mut(slot)
    }

    /// The next mark.
    pub(super) fn next_mark(&mut self) -> Mark {
        self.mark += 1;
        self.mark
    }

    /// What a request can have now: its session's credential, else a ready one by the strategy, else one that is worth
    /// waiting for.
    pub(super) fn choose(&mut self, want: &Want, now: DateTime<Utc>) -> Choice {
        self.settle(&want.provider, now);
        let Some(ring) = self.rings.get_mut(&want.provider) else {
            return Choice::Nothing(self.nothing(&want.provider));
        };
        let first = ring.first;
        let tried = tried(&self.by_id, ring, &want.exclude);
        if let Some(only) = &want.only {
            return self.only(want, only, now);
        }
        let session = want.session.map(|session| (want.provider.clone(), session));
        if let (Some(sessions), Some(key)) = (&self.sessions, &session)
            && let Some(slot) = sessions.held(key, self.looked_at).and_then(|id| self.by_id.get(id))
            && let Some(among) = slot.checked_sub(first)
            && !tried.contains(&among)
            && ring.table.can_lend(among, &want.model)
        {
            let slot = *slot;
            self.hold(session, slot);
            return Choice::Lend(slot);
        }
        match ring.table.pick(&want.model, &tried) {
            Found::Lend(slot) => {
                self.hold(session, first + slot);
                Choice::Lend(first + slot)
            }
            Found::Wait(slot) => Choice::Wait(first + slot),
            Found::Nothing(why) => Choice::Nothing(self.why_nothing(first, why, &want.model, now)),
        }
    }

    /// Whether a credential of this provider, none of those excluded, is ready for the model, or would be after a flight.
    pub(super) fn has_ready_besides(
        &mut self,
        provider: &ProviderId,
        model: &str,
        exclude: &[CredentialId],
        now: DateTime<Utc>,
    ) -> bool {
        self.settle(provider, now);
        let ring = self.rings.get(provider);
        ring.is_some_and(|ring| ring.table.has_any(model, &tried(&self.by_id, ring, exclude)))
    }

    /// The session stays with this credential from now on.
    fn hold(&mut self, session: Option<(ProviderId, u64)>, slot: usize) {
        if let (Some(sessions), Some(key), Some(entry)) =
            (&mut self.sessions, session, self.entries.get(slot))
        {
            sessions.hold(key, entry.credential.id.clone(), self.looked_at);
        }
    }

    /// Lends a credential: what a request needs of it.
    pub(super) fn lend(
        &mut self,
        slot: usize,
        model: &str,
        taken: Mark,
        now: DateTime<Utc>,
    ) -> Option<&Entry> {
        let entry = self.entries.get_mut(slot)?;
        entry.lend(model, taken, now);
        self.unseen.add(slot);
        if entry.rests() {
            // It is the one that tries it: the others wait for its end.
            self.changed.insert(slot);
        }
        if let Some(ring) = self.rings.get_mut(&entry.credential.provider) {
            ring.table.lent(slot - ring.first);
        }
        Some(entry)
    }

    /// The credential of a lease that comes back with this outcome. `None`: it was removed meanwhile.
    pub(super) fn get_back(&mut self, id: &CredentialId, outcome: &Outcome) -> Option<&mut Entry> {
        let slot = *self.by_id.get(id)?;
        let entry = self.entries.get_mut(slot)?;
        let changes = match outcome {
            // Nothing that the tables know, unless something rests.
            Outcome::Success | Outcome::Neutral => entry.rests(),
            Outcome::ModelCooling { .. }
            | Outcome::CredentialCooling { .. }
            | Outcome::ModelUnavailable { .. }
            | Outcome::Unauthorized
            | Outcome::Refused { .. }
            | Outcome::ProviderFault { .. } => true,
        };
        if changes {
            self.changed.insert(slot);
        }
        self.unseen.add(slot);
        Some(entry)
    }

    /// What a request can have that wants this credential and no other.
    fn only(&self, want: &Want, id: &CredentialId, now: DateTime<Utc>) -> Choice {
        let entry = self.by_id.get(id).and_then(|slot| Some((*slot, self.entries.get(*slot)?)));
        let Some((slot, entry)) = entry else { return Choice::Nothing(LeaseError::NothingConfigured) };
        let reason = || entry.reason(now).unwrap_or_else(|| SEE_STATUS.to_owned());
        match entry.readiness(&want.model, now) {
            Readiness::Ready | Readiness::Early => Choice::Lend(slot),
            Readiness::Stale => Choice::Wait(slot),
            Readiness::Resting(until, cause) => Choice::Nothing(LeaseError::Resting { until, cause }),
            Readiness::Failing => Choice::Nothing(LeaseError::Stale { reason: reason() }),
            Readiness::Blocked => Choice::Nothing(LeaseError::NeedsOperator { reason: reason() }),
        }
    }

    /// Tells the table what changed: by an event, by time, and everything where the clock was stepped back (P10).
    fn settle(&mut self, provider: &ProviderId, now: DateTime<Utc>) {
        let millisecond = millisecond(now);
        if millisecond < self.looked_at || std::mem::take(&mut self.has_changed) {
            self.changed.extend(0..self.entries.len());
        }
        self.looked_at = millisecond;
        for slot in self.changed.drain() {
            let Some(entry) = self.entries.get(slot) else { continue };
            if let Some(ring) = self.rings.get_mut(&entry.credential.provider) {
                ring.table.update(slot - ring.first, entry.outlook(now));
            }
        }
        if let Some(ring) = self.rings.get_mut(provider) {
            while let Some(slot) = ring.table.due(millisecond) {
                if let Some(entry) = self.entries.get(ring.first + slot) {
                    ring.table.update(slot, entry.outlook(now));
                }
            }
        }
    }

    fn why_nothing(&self, first: usize, why: Why, model: &str, now: DateTime<Utc>) -> LeaseError {
        let reason = |slot: usize| {
            let entry = self.entries.get(first + slot);
            entry.and_then(|entry| entry.reason(now)).unwrap_or_else(|| SEE_STATUS.to_owned())
        };
        match why {
            Why::Tried => LeaseError::AllTried,
            Why::Resting(slot) => {
                let exactly = self.entries.get(first + slot).map(|entry| entry.readiness(model, now));
                let (until, cause) = match exactly {
                    Some(Readiness::Resting(until, cause)) => (until, cause),
                    // It ended within this millisecond.
                    Some(
                        Readiness::Ready
                        | Readiness::Early
                        | Readiness::Stale
                        | Readiness::Failing
                        | Readiness::Blocked,
                    )
                    | None => (now, RestCause::Quota),
                };
                LeaseError::Resting { until, cause }
            }
            Why::Failing(slot) => LeaseError::Stale { reason: reason(slot) },
            Why::Barred(slot) => LeaseError::NeedsOperator { reason: reason(slot) },
            Why::Empty => LeaseError::NothingConfigured,
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
        let mut old = Known::new(std::mem::take(&mut self.entries));
        let broken: HashSet<&str> = rejected
            .iter()
            .filter(|rejected| !rejected.gone)
            .map(|rejected| rejected.label.as_str())
            .chain(unsettled.iter().map(String::as_str))
            .collect();
        for mut found in credentials {
            let Some(provider) = providers.get(&found.provider) else { continue };
            let loaded = PoolEvent::Loaded { credential: found.id.clone(), provider: found.provider.clone() };
            let mut entry = if let Some(mut entry) = old.take(&found) {
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
                if let Some(held) = self.held.get(&entry.credential.id) {
                    held.put(&mut entry);
                    entry.shown = entry.state(now);
                }
                entry
            };
            entry.client_refused =
                entry.client.as_ref().and_then(|client| self.refused_clients.get(client)).cloned();
            self.entries.push(entry);
        }
        for entry in old.rest() {
            if broken.contains(entry.credential.place.label().as_str()) {
                self.entries.push(entry);
            } else {
                let held = Held::of(&entry, self.held.get(&entry.credential.id));
                let Credential { id, provider, .. } = entry.credential;
                self.hold_back(id.clone(), held);
                events.push(PoolEvent::Removed { credential: id, provider });
            }
        }
        self.rejected = rejected;
        let rank = |id: &ProviderId| providers.iter().position(|row| row.id == *id);
        self.entries.sort_by_cached_key(|entry| rank(&entry.credential.provider));
        self.unused_seats = seating::seat(&mut self.entries, &self.seats);
        self.index();
        events
    }

    /// What is held against a credential from now on, should it be loaded again.
    pub(super) fn hold_back(&mut self, id: CredentialId, held: Held) {
        if held == Held::default() {
            self.held.remove(&id);
        } else {
            self.held.insert(id, held);
        }
    }

    /// Works out what follows from the entries, and has everybody look at them anew.
    pub(super) fn index(&mut self) {
        self.by_id.clear();
        let mut rings: HashMap<ProviderId, Ring> = HashMap::new();
        for (slot, entry) in self.entries.iter().enumerate() {
            self.by_id.insert(entry.credential.id.clone(), slot);
            let ring = rings.entry(entry.credential.provider.clone());
            ring.or_insert_with(|| Ring { first: slot, count: 0, table: Table::default() }).count += 1;
        }
        for (provider, ring) in &mut rings {
            let members = self.entries.iter().skip(ring.first).take(ring.count);
            let seats: Vec<Seat> = members.map(|entry| entry.seat).collect();
            ring.table = Table::new(self.order, &seats);
            if let Some(old) = self.rings.get(provider) {
                ring.table.take_turns_of(&old.table);
            }
        }
        self.rings = rings;
        self.changed.clear();
        self.has_changed = true;
        self.show_all();
    }

    /// The clock stepped back by so much.
    pub(super) fn step_back(&mut self, by: TimeDelta) {
        self.entries.iter_mut().for_each(|entry| entry.step_back(by));
        self.has_changed = true;
    }

    /// A client was refused: it concerns every credential with it.
    pub(super) fn refuse_client(&mut self, client: &ClientKey, code: &str) {
        self.refused_clients.insert(client.clone(), code.to_owned());
        self.hold_client(client, Some(code));
    }

    /// A client worked.
    pub(super) fn accept_client(&mut self, client: &ClientKey) {
        if self.refused_clients.remove(client).is_some() {
            self.hold_client(client, None);
        }
    }

    fn hold_client(&mut self, client: &ClientKey, code: Option<&str>) {
        for (slot, entry) in self.entries.iter_mut().enumerate() {
            if entry.client.as_ref() == Some(client) {
                entry.client_refused = code.map(str::to_owned);
                self.changed.insert(slot);
            }
        }
    }

    /// News of every credential whose state is not the one last made known; time alone changes states too.
    pub(super) fn sweep(&mut self, now: DateTime<Utc>) -> Vec<PoolEvent> {
        self.entries.iter_mut().filter_map(|entry| news(entry, now)).collect()
    }

    /// The same, of one.
    pub(super) fn sweep_one(&mut self, id: &CredentialId, now: DateTime<Utc>) -> Option<PoolEvent> {
        let slot = *self.by_id.get(id)?;
        self.entries.get_mut(slot).and_then(|entry| news(entry, now))
    }
}

fn order(strategy: Strategy) -> Order {
    match strategy {
        Strategy::RoundRobin => Order::InTurn,
        Strategy::LeastUsed => Order::LeastUsed,
        Strategy::FillFirst => Order::First,
    }
}

/// The slots in this ring of the credentials that a request tried.
fn tried(by_id: &HashMap<CredentialId, usize>, ring: &Ring, exclude: &[CredentialId]) -> Vec<usize> {
    let slots = exclude.iter().filter_map(|id| by_id.get(id)?.checked_sub(ring.first));
    slots.filter(|slot| *slot < ring.count).collect()
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

#[cfg(test)]
mod tests;
