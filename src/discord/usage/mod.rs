//! What people and servers used lately, against what they may: questions in an hour, tokens in a day (D24).
//!
//! Counted in memory, written behind every second and at the end, read again where other processes may have counted too:
//! a restart forgets a second at most, and a database that is away keeps nobody from asking.

mod kept;
mod slots;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use tokio::time::Instant;

use self::slots::{Counted, Measure, Slots};
use super::{
    checks::Asker,
    data::{Bot, Recent},
    embeds::relative,
};
use crate::{
    chat::estimate,
    clock::Clock,
    config::{Allowance, Bound},
    language::{Language, say},
    llm,
    storage::Shared,
};

pub(super) use self::kept::start;

/// People and servers that are remembered.
const REMEMBERED: usize = 10_000;
/// How often what was counted is written, and so what a crash forgets.
const EVERY: Duration = Duration::from_secs(1);

/// Who uses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    /// A person, wherever they ask.
    Person(u64),
    /// Everybody in a server together.
    Server(u64),
}

impl Subject {
    /// Its name in the database.
    fn name(self) -> String {
        match self {
            Self::Person(id) => format!("person:{id}"),
            Self::Server(id) => format!("server:{id}"),
        }
    }
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    /// Whose.
    whose: Subject,
    /// Of what.
    measure: Measure,
    /// How much there may be.
    limit: u64,
    /// When there is room again.
    until: DateTime<Utc>,
}

impl Reached {
    /// The sentence that says so, and when to go on.
    pub(super) fn sentence(self, language: &Language) -> String {
        let (count, again) = (self.limit, relative(self.until));
        match (self.whose, self.measure) {
            (Subject::Person(_), Measure::Questions) => {
                say!(language, "too-many-questions", count = count, again = again)
            }
            (Subject::Person(_), Measure::Tokens) => {
                say!(language, "too-many-tokens", count = count, again = again)
            }
            (Subject::Server(_), Measure::Questions) => {
                say!(language, "too-many-questions-of-server", count = count, again = again)
            }
            (Subject::Server(_), Measure::Tokens) => {
                say!(language, "too-many-tokens-of-server", count = count, again = again)
            }
        }
    }
}

/// How much was used of something, and how much may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// What counts now.
    pub(super) used: u64,
    /// How much there may be.
    pub(super) bound: Bound,
    /// When the oldest part of it counts no more.
    pub(super) next_at: Option<DateTime<Utc>>,
    /// Where nothing is left: when there is room again.
    pub(super) full_until: Option<DateTime<Utc>>,
}

/// What one subject used.
#[derive(Debug)]
struct Known {
    /// Names the rows that stand for `own`. Whoever was forgotten and comes again has another, so that no row is
    /// replaced by less than it says.
    writer: String,
    /// What this process counted.
    own: BTreeMap<Measure, Slots>,
    /// What others did, and this one before it was started, as read last.
    others: BTreeMap<Measure, Slots>,
    /// When that was.
    read_at: Option<Instant>,
}

impl Known {
    fn new() -> Self {
        let writer = uuid::Uuid::new_v4().simple().to_string();
        Self { writer, own: BTreeMap::new(), others: BTreeMap::new(), read_at: None }
    }

    fn counted(&self, measure: Measure, now: i64) -> Counted {
        Counted::of([&self.own, &self.others].into_iter().filter_map(|part| part.get(&measure)), measure, now)
    }
}

/// What is in memory.
#[derive(Debug)]
struct State {
    known: Recent<Subject, Known>,
    /// Slots that are not written yet.
    unsaved: BTreeSet<(Subject, Measure, i64)>,
    complained_at: Option<Instant>,
}

impl State {
    fn known(&mut self, subject: Subject) -> &mut Known {
        if self.known.get(&subject).is_none() {
            self.known.insert(subject, Known::new());
        }
        self.known
            .get_mut(&subject)
            .expect("it was put there, and the newest entry is never the one that goes")
    }

    fn add(&mut self, subject: Subject, measure: Measure, amount: u64, now: i64) {
        let slot = measure.slot_at(now);
        let slots = self.known(subject).own.entry(measure).or_default();
        slots::forget(slots, measure, now);
        let total = slots.entry(slot).or_default();
        *total = total.saturating_add(amount);
        self.unsaved.insert((subject, measure, slot));
    }
}

/// What everybody used lately.
#[derive(Debug)]
pub(super) struct Usage {
    storage: Arc<Shared>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Usage {
    /// What stands in this database, and what is counted from now on.
    pub(super) fn new(storage: Arc<Shared>, clock: Arc<dyn Clock>) -> Self {
        let (known, unsaved) = (Recent::new(REMEMBERED), BTreeSet::new());
        Self { storage, clock, state: Mutex::new(State { known, unsaved, complained_at: None }) }
    }

    /// Counts a question of all these subjects, unless a limit of one of them is reached. One that has no allowance is
    /// counted all the same.
    fn take(&self, of: &[(Subject, Allowance)]) -> Result<(), Reached> {
        let now = self.now();
        let mut state = self.locked();
        for (whose, allowance) in of {
            for measure in Measure::ALL {
                let Bound::AtMost(limit) = bound(allowance, measure) else { continue };
                if let Some(until) = state.known(*whose).counted(measure, now).below(limit, measure) {
                    return Err(Reached { whose: *whose, measure, limit, until: instant(until) });
                }
            }
        }
        for (whose, _) in of {
            state.add(*whose, Measure::Questions, 1, now);
        }
        Ok(())
    }

    /// Counts tokens of all these subjects.
    fn spend(&self, of: &[Subject], tokens: u64) {
        if tokens == 0 {
            return;
        }
        let now = self.now();
        let mut state = self.locked();
        for whose in of {
            state.add(*whose, Measure::Tokens, tokens, now);
        }
    }

    /// How much a subject used of something.
    fn standing(&self, whose: Subject, allowance: &Allowance, measure: Measure) -> Standing {
        let bound = bound(allowance, measure);
        let counted = self.locked().known(whose).counted(measure, self.now());
        let full_until = match bound {
            Bound::AtMost(limit) => counted.below(limit, measure).map(instant),
            Bound::Unlimited => None,
        };
        let next_at = counted.next_at(measure).map(instant);
        Standing { used: counted.sum(), bound, next_at, full_until }
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bot {
    /// Counts a question, or says which limit is reached. Operators have none, and are counted too.
    pub(super) async fn admit(&self, asker: &Asker) -> Result<(), Reached> {
        let of = self.allowances(asker);
        join_all(of.iter().map(|(subject, _)| self.usage.read(*subject))).await;
        self.usage.take(&of)
    }

    /// What somebody used of the questions and of the tokens that they may have.
    pub(super) async fn standing_of(&self, asker: &Asker) -> [Standing; 2] {
        let subject = Subject::Person(asker.user);
        let of = self.allowances(asker).into_iter().find(|(whose, _)| *whose == subject);
        let allowance = of.map(|(_, allowance)| allowance).unwrap_or_default();
        self.usage.read(subject).await;
        [Measure::Questions, Measure::Tokens].map(|measure| self.usage.standing(subject, &allowance, measure))
    }

    /// Counts what was sent to and came from a model for somebody.
    pub(super) fn spend(&self, asker: &Asker, cost: Cost) {
        self.usage.spend(&subjects(asker), cost.tokens());
    }

    fn allowances(&self, asker: &Asker) -> Vec<(Subject, Allowance)> {
        let served = self.served();
        let is_operator = self.access.is_operator(asker.user);
        let of = |subject| match subject {
            Subject::Person(_) => served.settings.limits.of_person(&asker.roles),
            Subject::Server(id) => served.settings.limits.of_server(id),
        };
        let allowance = |subject| if is_operator { Allowance::default() } else { of(subject) };
        subjects(asker).into_iter().map(|subject| (subject, allowance(subject))).collect()
    }
}

/// Whose usage somebody's questions are.
fn subjects(asker: &Asker) -> Vec<Subject> {
    std::iter::once(Subject::Person(asker.user)).chain(asker.guild.map(Subject::Server)).collect()
}

fn bound(allowance: &Allowance, measure: Measure) -> Bound {
    match measure {
        Measure::Questions => allowance.messages_per_hour,
        Measure::Tokens => allowance.tokens_per_day,
    }
}

fn instant(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

/// Tokens of a request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// As the provider counts.
    Told(u64),
    /// As far as we can tell: it was stopped, or the provider does not count.
    Estimated(u64),
}

impl Cost {
    /// Of a request that we hold to be so large, and what came back. `usage` is the provider's count, where there is one.
    pub(super) fn of(usage: Option<llm::Usage>, asked: usize, answer: &str) -> Self {
        match usage {
            Some(usage) => Self::Told(usage.input.saturating_add(usage.output)),
            None => {
                Self::Estimated(u64::try_from(asked.saturating_add(estimate(answer))).unwrap_or(u64::MAX))
            }
        }
    }

    /// How many, where they are estimated.
    pub(super) fn estimated(self) -> Option<u64> {
        match self {
            Self::Told(_) => None,
            Self::Estimated(tokens) => Some(tokens),
        }
    }

    /// How many.
    pub(super) fn tokens(self) -> u64 {
        match self {
            Self::Told(tokens) | Self::Estimated(tokens) => tokens,
        }
    }
}

#[cfg(test)]
mod tests;
