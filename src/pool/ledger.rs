//! What this process knows of what is remembered, and how it follows the live set.
//!
//! Nothing in the pool has to say what changed: the set notes whose entry was in other hands, and a look compares those
//! with their lines, by references, and writes down what differs. So a lease costs next to nothing for being remembered, a
//! look holds no lease up however many credentials there are, and a store that hangs is never in the way.

mod anew;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::{
    LastRefresh,
    cooldown::Mark,
    entry::{Entry, Refusal},
    held::{Held, judged, refusal_line, refusal_of},
    line::{AHEAD, Counts, Decision, RefreshLine, RefusalLine, RefusedToken, Rests, SwitchedOff, Value},
    resting::{add_rest, follow_rest, show_rest},
    set::Set,
    state_store::{Batch, Changes, Item, Line},
};
use crate::credential::{CredentialId, Fingerprint};

/// A credential is seen again after this long, in milliseconds.
const DAY: i64 = 86_400_000;
/// A batch is closed when it has this many lines: one statement's worth, and little to send again.
const FULL: usize = 200;

/// Whether this process says which credentials it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It runs for long.
    Told,
    /// It looks once and ends.
    Untold,
}

/// What is known of all credentials, and what of it is still to be written.
#[derive(Debug)]
pub(super) struct Ledger {
    /// This process's name among writers.
    writer: String,
    presence: Presence,
    serial: i64,
    revision: i64,
    /// Which store that is a revision of.
    store: Option<String>,
    known: HashMap<CredentialId, Known>,
    /// The last look, to know that the clock stepped back.
    looked_at: i64,
    /// Sent, but perhaps not received: sent again as it is.
    pending: Option<Batch>,
    /// Entries that looks have visited.
    visits: usize,
}

/// What is known of one.
#[derive(Debug, Default)]
struct Known {
    rest: Rests,
    models: BTreeMap<String, Rests>,
    refused: BTreeMap<Fingerprint, Decision<RefusedToken>>,
    refusal: Decision<RefusalLine>,
    switch: Decision<SwitchedOff>,
    /// The sum, as the store has it.
    counts: Counts,
    /// What is to be added to it.
    unsent: Counts,
    /// The entry's own counters at the last look.
    own: Own,
    /// What the entry had at the last look.
    had: Had,
    /// Lines to be written.
    changed: BTreeSet<Item>,
}

/// The counters of an entry, which begin with it.
#[derive(Debug, Clone, Copy, Default)]
struct Own {
    requests: u64,
    failures: u64,
    refresh_attempts: u64,
}

/// What an entry had, to tell its end from its never having been.
#[derive(Debug, Default)]
struct Had {
    refused: Option<Fingerprint>,
    /// With the token, which may rotate under it.
    refusal: Option<RefusalLine>,
}

/// What others wrote.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Of which credentials, whether they are here or not.
    pub(super) whose: BTreeSet<CredentialId>,
    /// Whether it says more than counts.
    pub(super) more_than_counts: bool,
}

impl Ledger {
    /// An empty one.
    pub(super) fn new(writer: String, presence: Presence) -> Self {
        Self {
            writer,
            presence,
            serial: 0,
            revision: 0,
            store: None,
            known: HashMap::new(),
            looked_at: i64::MIN,
            pending: None,
            visits: 0,
        }
    }

    /// After which revision to read.
    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    /// Writes down what changed in the set since the last look. A credential that is new takes in what is known first; after
    /// the clock stepped back all have rests that may have begun in what is the future now (P10).
    pub(super) fn look(&mut self, set: &mut Set, now: DateTime<Utc>) {
        let mark = set.next_mark();
        let at = now.timestamp_millis();
        if at.saturating_add(AHEAD) < self.looked_at {
            set.show_all();
        }
        self.looked_at = at;
        for slot in set.take_unseen() {
            let Some(entry) = set.look_at(slot) else { continue };
            let known = match self.known.get_mut(&entry.credential.id) {
                Some(known) => known,
                None => self.known.entry(entry.credential.id.clone()).or_default(),
            };
            self.visits += 1;
            let before = (known.switch.at, known.refusal.at);
            if entry.is_remembered {
                known.follow(entry, &self.writer, at);
                known.hold_back(entry);
                if known.bring_back(at) {
                    known.show(entry, mark, at);
                }
            } else {
                known.begin(entry, &self.writer, mark, at);
            }
            if self.presence == Presence::Told
                && known.unsent.seen_at.max(known.counts.seen_at).is_none_or(|seen| at - seen > DAY)
            {
                known.unsent.seen_at = Some(at);
                known.changed.insert(Item::Counts);
            }
            if before != (known.switch.at, known.refusal.at) {
                let id = entry.credential.id.clone();
                set.hold_back(id, known.held());
            }
        }
    }

    /// What is to be written now: what may not have been received before, else what changed.
    pub(super) fn batch(&mut self, now: DateTime<Utc>) -> Option<Batch> {
        if self.pending.is_none() {
            let at = now.timestamp_millis();
            let mut lines = Vec::new();
            for (credential, known) in &mut self.known {
                if lines.len() >= FULL {
                    break;
                }
                for item in std::mem::take(&mut known.changed) {
                    let Some(value) = known.value(&item) else { continue };
                    lines.push(Line { credential: credential.clone(), item, value });
                }
            }
            if !lines.is_empty() {
                self.serial += 1;
                self.pending = Some(Batch { writer: self.writer.clone(), serial: self.serial, at, lines });
            }
        }
        self.pending.clone()
    }

    /// The batch was received. What it added to sums is seen at the next read: an earlier one may have it already.
    pub(super) fn written(&mut self) {
        for line in self.pending.take().into_iter().flat_map(|batch| batch.lines) {
            if let (Some(known), Value::Counts(change)) = (self.known.get_mut(&line.credential), line.value) {
                let instants = Counts { requests: 0, failures: 0, refresh_attempts: 0, ..change };
                known.counts = known.counts.plus(&instants);
            }
        }
    }

    /// Takes in what others wrote.
    pub(super) fn take_in(&mut self, set: &mut Set, changes: Changes, now: DateTime<Utc>) -> Heard {
        self.look(set, now);
        self.revision = self.revision.max(changes.revision);
        self.store = Some(changes.store);
        let mut heard = Heard::default();
        let at = now.timestamp_millis();
        for Line { credential, item, value } in changes.lines {
            let known = self.known.entry(credential.clone()).or_default();
            heard.more_than_counts |= item != Item::Counts;
            known.learn(item, value, at);
            heard.whose.insert(credential);
        }
        let mark = set.next_mark();
        for id in &heard.whose {
            let Some(known) = self.known.get_mut(id) else { continue };
            if let Some(entry) = set.get_mut(id) {
                known.show(entry, mark, at);
            }
            set.hold_back(id.clone(), known.held());
        }
        heard
    }
}

impl Known {
    /// A new entry takes in what is known of its credential, which takes in what befell the entry since it was loaded: it
    /// began with the switch and the refusal that the set held back, so what differs now was decided since.
    fn begin(&mut self, entry: &mut Entry, writer: &str, mark: Mark, at: i64) {
        self.own = Own::default();
        let refusal = self.refusal.holds.clone().filter(|line| judged(entry, line));
        self.had = Had { refused: None, refusal };
        if entry.rest.as_ref().is_some_and(|rest| add_rest(&mut self.rest, rest, at)) {
            self.changed.insert(Item::Rest);
        }
        for (model, rest) in &entry.models {
            if add_rest(self.models.entry(model.clone()).or_default(), rest, at) {
                self.changed.insert(Item::ModelRest(model.clone()));
            }
        }
        self.follow_switch(entry, writer, at);
        self.follow_refusal(entry, writer, at);
        self.bring_back(at);
        self.show(entry, mark, at);
        entry.is_remembered = true;
    }

    /// Lets rests that a clock ahead of this one made begin now; whether there were any.
    fn bring_back(&mut self, at: i64) -> bool {
        let mut any = false;
        for rests in self.models.values_mut().chain([&mut self.rest]) {
            any |= rests.bring_back(at);
        }
        any
    }

    /// What a credential has that is loaded from now on.
    fn held(&self) -> Held {
        Held { switched_off: self.switch.holds.clone(), refusal: self.refusal.holds.clone() }
    }

    /// Writes down what changed in an entry.
    fn follow(&mut self, entry: &Entry, writer: &str, at: i64) {
        if follow_rest(&mut self.rest, entry.rest.as_ref(), at) {
            self.changed.insert(Item::Rest);
        }
        for (model, rest) in &entry.models {
            if !self.models.contains_key(model) {
                self.models.insert(model.clone(), Rests::default());
            }
            if let Some(rests) = self.models.get_mut(model)
                && follow_rest(rests, Some(rest), at)
            {
                self.changed.insert(Item::ModelRest(model.clone()));
            }
        }
        for (model, rests) in &mut self.models {
            if !entry.models.contains_key(model) && follow_rest(rests, None, at) {
                self.changed.insert(Item::ModelRest(model.clone()));
            }
        }
        self.models.retain(|model, rests| {
            !rests.is_over(at) || self.changed.contains(&Item::ModelRest(model.clone()))
        });
        self.follow_switch(entry, writer, at);
        self.follow_refused_token(entry, writer, at);
        self.follow_refusal(entry, writer, at);
        self.follow_counts(entry, at);
    }

    fn follow_switch(&mut self, entry: &Entry, writer: &str, at: i64) {
        if self.switch.holds != entry.switched_off {
            self.switch.decide(entry.switched_off.clone(), writer, at);
            self.changed.insert(Item::Switch);
        }
    }

    fn follow_refused_token(&mut self, entry: &Entry, writer: &str, at: i64) {
        let holds = |known: &Self, token| known.refused.get(&token).is_some_and(|it| it.holds.is_some());
        if entry.refused_login != self.had.refused {
            if let Some(token) = entry.refused_login.filter(|token| !holds(self, *token)) {
                self.refused.entry(token).or_default().decide(Some(RefusedToken {}), writer, at);
                self.changed.insert(Item::RefusedToken(token));
            }
            // It was accepted after all. Where another token took its place, it stays refused.
            let lifted = self.had.refused.filter(|_| entry.refused_login.is_none());
            if let Some(token) =
                lifted.filter(|token| entry.refresh_print() == Some(*token) && holds(self, *token))
            {
                self.refused.entry(token).or_default().decide(None, writer, at);
                self.changed.insert(Item::RefusedToken(token));
            }
            self.had.refused = entry.refused_login;
        }
    }

    fn follow_refusal(&mut self, entry: &Entry, writer: &str, at: i64) {
        let refusal = refusal_line(entry);
        if refusal != self.had.refusal {
            let lifted =
                entry.refusal.is_none() && self.refusal.holds.as_ref().is_some_and(|it| judged(entry, it));
            let news = refusal.is_some() && refusal != self.refusal.holds;
            if news || lifted {
                self.refusal.decide(refusal.clone(), writer, at);
                self.changed.insert(Item::Refusal);
            }
            self.had.refusal = refusal;
        }
    }

    fn follow_counts(&mut self, entry: &Entry, at: i64) {
        let own = own(entry);
        let since = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        let change = Counts {
            requests: since(own.requests, self.own.requests),
            failures: since(own.failures, self.own.failures),
            refresh_attempts: since(own.refresh_attempts, self.own.refresh_attempts),
            ..Counts::default()
        };
        self.own = own;
        let last_used_at = entry.last_used_at.map(|at| at.timestamp_millis());
        let by_hand_at = entry.by_hand_at.map(|at| at.timestamp_millis());
        let refreshed_at = entry.last_refresh.as_ref().map(|last| last.at.timestamp_millis());
        let newest = |known: &Self| {
            let refresh = |counts: &Counts| counts.last_refresh.as_ref().map(|last| last.at);
            (
                known.counts.last_used_at.max(known.unsent.last_used_at),
                known.counts.by_hand_at.max(known.unsent.by_hand_at),
                refresh(&known.counts).max(refresh(&known.unsent)),
            )
        };
        let (used, by_hand, refreshed) = newest(self);
        if change == Counts::default()
            && last_used_at <= used
            && by_hand_at <= by_hand
            && refreshed_at <= refreshed
        {
            return;
        }
        let last_refresh = entry.last_refresh.as_ref().map(|last| refresh_line(entry, last));
        let since = self.counts.since.or(self.unsent.since).or(Some(at));
        let change = Counts { since, last_used_at, last_refresh, by_hand_at, ..change };
        self.unsent = self.unsent.plus(&change);
        self.changed.insert(Item::Counts);
    }

    /// What is to be written of an item; counts are handed over.
    fn value(&mut self, item: &Item) -> Option<Value> {
        Some(match item {
            Item::Rest => Value::Rests(self.rest.clone()),
            Item::ModelRest(model) => Value::Rests(self.models.get(model)?.clone()),
            Item::RefusedToken(token) => Value::RefusedToken(self.refused.get(token)?.clone()),
            Item::Refusal => Value::Refusal(self.refusal.clone()),
            Item::Switch => Value::Switch(self.switch.clone()),
            Item::Counts => Value::Counts(std::mem::take(&mut self.unsent)),
        })
    }

    /// Takes in a line from the store. A kind that does not fit its item comes from a later version and says nothing here.
    fn learn(&mut self, item: Item, value: Value, at: i64) {
        match (item, value) {
            (Item::Rest, Value::Rests(rests)) => self.rest.learn(&rests, at),
            (Item::ModelRest(model), Value::Rests(rests)) => {
                self.models.entry(model).or_default().learn(&rests, at);
            }
            (Item::RefusedToken(token), Value::RefusedToken(decision)) => {
                let known = self.refused.entry(token).or_default();
                *known = known.join(&decision);
            }
            (Item::Refusal, Value::Refusal(decision)) => self.refusal = self.refusal.join(&decision),
            (Item::Switch, Value::Switch(decision)) => self.switch = self.switch.join(&decision),
            (Item::Counts, Value::Counts(counts)) => self.counts = counts,
            (
                Item::Rest
                | Item::ModelRest(_)
                | Item::RefusedToken(_)
                | Item::Refusal
                | Item::Switch
                | Item::Counts,
                _,
            ) => {}
        }
    }

    /// Puts what is known into the entry.
    fn show(&mut self, entry: &mut Entry, mark: Mark, at: i64) {
        show_rest(&self.rest, &mut entry.rest, mark, at);
        for (model, rests) in &self.models {
            let mut rest = entry.models.remove(model);
            show_rest(rests, &mut rest, mark, at);
            if let Some(rest) = rest {
                entry.models.insert(model.clone(), rest);
            }
        }
        entry.switched_off.clone_from(&self.switch.holds);
        if let Some(token) = entry.refused_login
            && self.refused.get(&token).is_some_and(|decision| decision.holds.is_none())
        {
            entry.refused_login = None;
            self.had.refused = None;
        }
        if self.refusal.holds.is_none() {
            entry.refusal = None;
            self.had.refusal = None;
        }
        self.hold_back(entry);
        let newest = self.counts.plus(&self.unsent);
        let own = own(entry);
        entry.earlier = Counts {
            requests: newest.requests.saturating_sub(own.requests),
            failures: newest.failures.saturating_sub(own.failures),
            refresh_attempts: newest.refresh_attempts.saturating_sub(own.refresh_attempts),
            since: newest.since,
            ..Counts::default()
        };
        let has_been = |known: &i64| *known <= at.saturating_add(AHEAD);
        let later = |ours: &mut Option<DateTime<Utc>>, known: Option<i64>| {
            let known = known.filter(has_been);
            if known > ours.map(|at| at.timestamp_millis()) {
                *ours = known.and_then(DateTime::from_timestamp_millis);
            }
        };
        later(&mut entry.last_used_at, newest.last_used_at);
        later(&mut entry.by_hand_at, newest.by_hand_at);
        if let Some(RefreshLine { at, failure }) = newest.last_refresh.filter(|last| has_been(&last.at))
            && entry.last_refresh.as_ref().is_none_or(|last| last.at.timestamp_millis() < at)
            && let Some(at) = DateTime::from_timestamp_millis(at)
        {
            entry.last_refresh = Some(LastRefresh { at, failure });
        }
    }

    /// Holds the entry's token back where that one is known to be refused: it may have come after the refusal did.
    fn hold_back(&mut self, entry: &mut Entry) {
        if self.refused.values().any(|decision| decision.holds.is_some())
            && let Some(token) = entry.refresh_print()
            && entry.refused_login != Some(token)
            && self.refused.get(&token).is_some_and(|decision| decision.holds.is_some())
        {
            entry.refused_login = Some(token);
            self.had.refused = Some(token);
        }
        if let Some(line) = &self.refusal.holds
            && judged(entry, line)
            && refusal_line(entry).as_ref() != Some(line)
        {
            // Where another process met another one, the link to the account's owner is still ours to show.
            let link = entry.refusal.take().and_then(|ours| ours.link).filter(|_| line.account);
            entry.refusal = Some(Refusal { link, ..refusal_of(line) });
            self.had.refusal = Some(line.clone());
        }
    }
}

fn own(entry: &Entry) -> Own {
    Own {
        requests: entry.requests,
        failures: entry.failures,
        refresh_attempts: u64::from(entry.refresh_attempts),
    }
}

/// How a refresh ended, without names: a failure may quote the file that it met.
fn refresh_line(entry: &Entry, last: &LastRefresh) -> RefreshLine {
    let label = entry.credential.place.label();
    let failure = last.failure.as_ref().map(|failure| failure.replace(&label, "its file"));
    RefreshLine { at: last.at.timestamp_millis(), failure }
}

#[cfg(test)]
mod convergence;
#[cfg(test)]
mod tests;
