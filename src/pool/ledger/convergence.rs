//! P30 over whole ledgers: processes that hear of each other late, twice or not at all agree once everything has arrived.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    config::PoolSettings,
    pool::{
        Outcome, RestCause, RetryHint, Want,
        cooldown::Rest,
        entry::RefusalKind,
        line::AFTERLIFE,
        outcome::{Faults, Returned},
        samples::{at, id, load, outcome, provider},
        set::Choice,
    },
};

const MODELS: [&str; 2] = ["a-model", "b-model"];
/// Credentials of each process.
const COUNT: usize = 3;
/// Exchanges of everybody after which nobody has anything to say.
const ROUNDS: usize = 4;

/// A state store, as the trait asks for one.
#[derive(Debug, Default)]
struct Store {
    lines: BTreeMap<(CredentialId, Item), (Value, i64)>,
    revision: i64,
    serials: HashMap<String, i64>,
}

impl Store {
    fn write(&mut self, batch: &Batch) {
        let last = self.serials.insert(batch.writer.clone(), batch.serial);
        if last.is_some_and(|last| last >= batch.serial) {
            return;
        }
        self.revision += 1;
        for Line { credential, item, value } in batch.lines.clone() {
            let key = (credential, item);
            let value = self.lines.get(&key).map_or(value.clone(), |(there, _)| there.take(&value));
            self.lines.insert(key, (value, self.revision));
        }
    }

    fn read(&self, after: i64) -> Changes {
        let newer = self.lines.iter().filter(|(_, (_, revision))| *revision > after);
        let lines = newer.map(|((credential, item), (value, _))| Line {
            credential: credential.clone(),
            item: item.clone(),
            value: value.clone(),
        });
        Changes { lines: lines.collect(), revision: self.revision, store: String::new() }
    }
}

/// What a process has lent: which, for which model, by which bearer, at which mark.
type Out = (CredentialId, &'static str, Fingerprint, Mark);

struct Process {
    ledger: Ledger,
    set: Set,
    out: Vec<Out>,
    /// What it asked the store for, on its way.
    answer: Option<Changes>,
    /// How far its clock is from the right one, in milliseconds.
    skew: i64,
}

impl Process {
    fn new(number: usize, skew: i64) -> Self {
        let mut set = Set::new(&PoolSettings::default());
        load(&mut set, 0..COUNT, at(0));
        let ledger = Ledger::new(format!("writer {number}"), Presence::Told);
        Self { ledger, set, out: Vec::new(), answer: None, skew }
    }

    /// Sends what is to be written until nothing is. How many lines.
    fn send_all(&mut self, store: &mut Store, now: DateTime<Utc>) -> usize {
        self.ledger.look(&mut self.set, now);
        let mut count = 0;
        while let Some(batch) = self.ledger.batch(now) {
            store.write(&batch);
            self.ledger.written();
            count += batch.lines.len();
        }
        count
    }

    fn happen(&mut self, event: Event, store: &mut Store, now: DateTime<Utc>) {
        let mark = self.set.next_mark();
        match event {
            Event::Lend(which, model) => {
                let only = Some(id(which));
                let want = Want { only, ..Want::new(provider(), MODELS[model], crate::clock::instant()) };
                if let Choice::Lend(slot) = self.set.choose(&want, now) {
                    let lent = self.set.lend(slot, MODELS[model], mark, now).unwrap().lent.clone().unwrap();
                    self.out.push((lent.credential.clone(), MODELS[model], lent.fingerprint, mark));
                }
            }
            Event::Return(which, outcome) if !self.out.is_empty() => {
                let (id, model, bearer, taken) = self.out.remove(which % self.out.len());
                if let Some(entry) = self.set.get_back(&id, &outcome) {
                    entry.complete(Returned { model, bearer, taken, mark }, outcome, now);
                }
            }
            Event::Return(..) => {}
            Event::Answering(which) => {
                let Some((id, model, _, taken)) = self.out.get(which % self.out.len().max(1)) else { return };
                if let Some(entry) = self.set.get_back(id, &Outcome::Success) {
                    entry.answering(model, *taken, now);
                }
            }
            Event::Decide(which, decision) => {
                if let Some(entry) = self.set.get_mut(&id(which)) {
                    decision.put(entry, now);
                }
            }
            Event::Reload(count) => load(&mut self.set, 0..count, now),
            Event::Look => self.ledger.look(&mut self.set, now),
            Event::Send(fate) => {
                self.answer = None;
                self.ledger.look(&mut self.set, now);
                let Some(batch) = self.ledger.batch(now) else { return };
                match fate {
                    Fate::Arrives => {
                        store.write(&batch);
                        self.ledger.written();
                    }
                    Fate::ArrivesTwice => {
                        store.write(&batch);
                        store.write(&batch);
                        self.ledger.written();
                    }
                    Fate::LosesReceipt => store.write(&batch),
                    Fate::Lost => {}
                }
            }
            Event::Ask => self.answer = Some(store.read(self.ledger.revision())),
            Event::Hear(times) => {
                if let Some(changes) = self.answer.take() {
                    for _ in 0..times {
                        self.ledger.take_in(&mut self.set, changes.clone(), now);
                    }
                }
            }
        }
    }

    /// What everybody shows alike of each credential.
    fn shown(&self, now: DateTime<Utc>) -> Vec<Shown> {
        let entries = self.set.entries().iter();
        let shown = entries.map(|entry| Shown {
            rest: entry.rest.as_ref().and_then(|rest| Resting::of(rest, now)),
            models: entry
                .models
                .iter()
                .filter_map(|(model, rest)| Some((model.clone(), Resting::of(rest, now)?)))
                .collect(),
            switched_off: entry.switched_off.clone(),
            refused_login: entry.refused_login,
            refusal: entry.refusal.as_ref().map(|refusal| (refusal.reason.clone(), refusal.kind)),
            requests: entry.requests + entry.earlier.requests,
            failures: entry.failures + entry.earlier.failures,
            refresh_attempts: u64::from(entry.refresh_attempts) + entry.earlier.refresh_attempts,
            since: entry.earlier.since,
            last_used_at: entry.last_used_at,
            by_hand_at: entry.by_hand_at,
            last_refresh: entry.last_refresh.clone(),
        });
        shown.collect()
    }
}

#[derive(Debug, PartialEq)]
struct Shown {
    rest: Option<Resting>,
    models: BTreeMap<String, Resting>,
    switched_off: Option<SwitchedOff>,
    refused_login: Option<Fingerprint>,
    refusal: Option<(String, RefusalKind)>,
    requests: u64,
    failures: u64,
    refresh_attempts: u64,
    since: Option<i64>,
    last_used_at: Option<DateTime<Utc>>,
    by_hand_at: Option<DateTime<Utc>>,
    last_refresh: Option<LastRefresh>,
}

#[derive(Debug, PartialEq)]
struct Resting {
    until: DateTime<Utc>,
    probe_at: Option<DateTime<Utc>>,
    step: usize,
    cause: RestCause,
    reason: String,
}

impl Resting {
    /// `None` for one that ended long ago: who forgets it first depends on the clock.
    fn of(rest: &Rest, now: DateTime<Utc>) -> Option<Self> {
        let Rest { until, probe_at, step, cause, reason, .. } = rest.clone();
        let ended_ago = now.signed_duration_since(until).num_milliseconds();
        (ended_ago < AFTERLIFE / 2).then_some(Self { until, probe_at, step, cause, reason })
    }
}

#[derive(Debug, Clone)]
enum Event {
    Lend(usize, usize),
    Return(usize, Outcome),
    Answering(usize),
    Decide(usize, By),
    /// The first so many credentials have files.
    Reload(usize),
    Look,
    Send(Fate),
    Ask,
    Hear(usize),
}

/// What an operator or a flight does to a credential.
#[derive(Debug, Clone, Copy)]
enum By {
    Disabled,
    Enabled,
    Cleared,
    RefusedToken,
    AcceptedToken,
    RefreshedByHand,
}

impl By {
    fn put(self, entry: &mut Entry, now: DateTime<Utc>) {
        match self {
            Self::Disabled => entry.switched_off = Some(SwitchedOff { reason: None }),
            Self::Enabled => (entry.switched_off, entry.refusal) = (None, None),
            Self::Cleared => {
                (entry.rest, entry.faults) = (None, Faults::default());
                entry.models.clear();
            }
            Self::RefusedToken => entry.refused_login = entry.refresh_print(),
            Self::AcceptedToken => entry.refused_login = None,
            Self::RefreshedByHand => {
                entry.refresh_attempts += 1;
                entry.by_hand_at = Some(now);
                entry.last_refresh = Some(LastRefresh { at: now, failure: None });
            }
        }
    }
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    ArrivesTwice,
    LosesReceipt,
    Lost,
}

fn event() -> impl Strategy<Value = Event> {
    let hint = prop_oneof![
        (0_u64..3000).prop_map(|seconds| RetryHint::After(std::time::Duration::from_secs(seconds))),
        Just(RetryHint::None),
    ];
    let by = prop::sample::select(&[
        By::Disabled,
        By::Enabled,
        By::Cleared,
        By::RefusedToken,
        By::AcceptedToken,
        By::RefreshedByHand,
    ]);
    let fate = prop::sample::select(&[Fate::Arrives, Fate::ArrivesTwice, Fate::LosesReceipt, Fate::Lost]);
    prop_oneof![
        6 => (0..COUNT, 0..MODELS.len()).prop_map(|(which, model)| Event::Lend(which, model)),
        6 => (0_usize..4, outcome(hint)).prop_map(|(which, outcome)| Event::Return(which, outcome)),
        1 => (0_usize..4).prop_map(Event::Answering),
        3 => (0..COUNT, by).prop_map(|(which, by)| Event::Decide(which, by)),
        1 => (0..=COUNT).prop_map(Event::Reload),
        1 => Just(Event::Look),
        4 => fate.prop_map(Event::Send),
        3 => Just(Event::Ask),
        3 => (1_usize..3).prop_map(Event::Hear),
    ]
}

proptest! {
    #[test]
    fn p30_ledgers_agree_when_everything_has_arrived(
        skews in proptest::collection::vec(-20_000_i64..20_000, 2..=4),
        events in proptest::collection::vec((0_usize..4, 0_i64..300_000, event()), 0..60),
    ) {
        let mut store = Store::default();
        let mut processes: Vec<Process> =
            skews.into_iter().enumerate().map(|(number, skew)| Process::new(number, skew)).collect();
        let count = processes.len();
        let mut now = at(0);
        let clock = |process: &Process, now| now + chrono::TimeDelta::milliseconds(process.skew);
        for (who, passed, event) in events {
            now += chrono::TimeDelta::milliseconds(passed);
            let process = &mut processes[who % count];
            let here = clock(process, now);
            process.happen(event, &mut store, here);
        }
        let mut said = Vec::new();
        for _ in 0..ROUNDS {
            said.clear();
            for process in &mut processes {
                let here = clock(process, now);
                load(&mut process.set, 0..COUNT, here);
                said.push(process.send_all(&mut store, here));
                let changes = store.read(process.ledger.revision());
                process.ledger.take_in(&mut process.set, changes, here);
            }
        }
        prop_assert_eq!(said, vec![0; count], "nobody has anything more to say");
        for process in &processes[1..] {
            prop_assert_eq!(process.shown(now), processes[0].shown(now));
        }
        // And somebody who begins now knows the same.
        let mut late = Process::new(count, 0);
        late.ledger.take_in(&mut late.set, store.read(0), now);
        prop_assert_eq!(late.shown(now), processes[0].shown(now));
    }
}
