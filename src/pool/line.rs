//! What is remembered, and how two versions of it become one.
//!
//! Processes write without asking each other, so every rule gives the same result in whatever order, and however often,
//! versions meet ([`Value::join`] is commutative, associative and idempotent):
//!
//! - A **rest** holds until the latest `until` of all that were set after the latest clearing. So a longer rest extends, a
//!   shorter never shortens (P28), and clearing ends what was set before it. What only a later clearing could bring to
//!   light (a shorter rest that was set later) is kept beside it.
//! - A **decision** (disabled, or a refusal, or its end) counts by its instant; of two at one instant the one that lifts
//!   counts, then the greater writer's name. Whoever decides knowing another decision is later than that, whatever the
//!   clocks say. A refusal names the fingerprint that it holds for: another token is not held back by it.
//! - **Counts** are sums: a change is added to what stands there ([`Value::take`]), and a store takes each batch once.
//!   Instants in them ("last used", "refreshed by hand") are the latest, the beginning of the count the earliest.
//!
//! - Instants are of the **clock** of whoever wrote them. A rest also says when it was made, so that a reader whose clock is
//!   behind that one's knows how long it is meant to last, and lets it last so long by its own ([`Rests::learn`]). That is
//!   the reader's business alone: what it writes back leaves what stands there as it is.
//!
//! Instants are milliseconds since 1970. There is no secret in a line, no account and no file name.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::RestCause;

/// How long a rest is remembered after its end, for its step, in milliseconds.
pub(super) const AFTERLIFE: i64 = 3_600_000;
/// How long a store keeps a clearing, in milliseconds: longer than any rest lasts, since a machine that slept through it
/// would bring back what was cleared.
const KEPT: i64 = 32 * 86_400_000;

/// An instant that lies so far ahead was written by a clock that is ahead of ours, in milliseconds.
pub(super) const AHEAD: i64 = 60_000;

/// One rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// Until when.
    pub until: i64,
    /// When it was set or last changed.
    pub set_at: i64,
    /// How many times it escalated.
    pub step: usize,
    /// When one real request may try.
    pub probe_at: Option<i64>,
    /// Why.
    pub cause: RestCause,
    /// The reason code.
    pub reason: String,
    /// When that was said, by the clock of whoever said it; 0: an earlier version did.
    #[serde(default)]
    pub made_at: i64,
}

impl Span {
    /// Whether it was made by a clock ahead of the one that says `now`.
    fn is_ahead(&self, now: i64) -> bool {
        self.made_at > now.saturating_add(AHEAD)
    }

    /// The same rest as if it were made now.
    fn made_now(&self, now: i64) -> Self {
        let here = |at: i64| now.saturating_add(at.saturating_sub(self.made_at));
        let (until, probe_at) = (here(self.until), self.probe_at.map(here));
        Self { until, probe_at, made_at: now, ..self.clone() }
    }

    /// Whether this is the other, made at another instant: `set_at` stays what it was.
    fn is_moved(&self, other: &Self) -> bool {
        self.made_at != other.made_at && other.made_now(self.made_at) == *self
    }

    /// Whether it says all that the other does, whatever is cleared.
    fn covers(&self, other: &Self) -> bool {
        self.until >= other.until && self.set_at >= other.set_at && self >= other
    }
}

/// The rests of a credential or a model on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rests {
    /// Whatever was set up to here has ended.
    pub cleared_at: i64,
    /// What was set since: the longest first, then shorter ones that were set later.
    pub spans: Vec<Span>,
}

impl Rests {
    /// The one that holds.
    pub fn current(&self) -> Option<&Span> {
        self.spans.first()
    }

    /// Takes in what a store says. A rest that a clock ahead of ours made begins now, once.
    pub(super) fn learn(&mut self, heard: &Self, now: i64) {
        let news = heard.spans.iter().filter(|span| !self.spans.iter().any(|known| known.is_moved(span)));
        let mut heard = Self { cleared_at: heard.cleared_at, spans: news.cloned().collect() };
        heard.bring_back(now);
        *self = self.join(&heard);
    }

    /// Lets rests that a clock ahead of this one made begin now; whether there were any.
    pub(super) fn bring_back(&mut self, now: i64) -> bool {
        if !self.spans.iter().any(|span| span.is_ahead(now)) {
            return false;
        }
        let spans =
            self.spans.iter().map(|span| if span.is_ahead(now) { span.made_now(now) } else { span.clone() });
        *self = Self::default().join(&Self { cleared_at: self.cleared_at, spans: spans.collect() });
        true
    }

    /// Ends everything that is known, and nothing else: another process may have met a newer one that we have not heard of.
    pub fn clear(&mut self) {
        let newest = self.spans.iter().map(|span| span.set_at).max();
        self.cleared_at = self.cleared_at.max(newest.unwrap_or_default());
        self.spans.clear();
    }

    /// Sets a rest; a shorter one than the current says that the current had ended.
    pub fn set(&mut self, mut span: Span) {
        if self.current().is_some_and(|current| current.until > span.until) {
            self.clear();
        }
        span.set_at = span.set_at.max(self.cleared_at + 1);
        *self = self.join(&Self { cleared_at: self.cleared_at, spans: vec![span] });
    }

    /// Both together.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let cleared_at = self.cleared_at.max(other.cleared_at);
        let mut all: Vec<&Span> =
            self.spans.iter().chain(&other.spans).filter(|span| span.set_at > cleared_at).collect();
        all.sort();
        all.dedup();
        let covered = |span: &Span| all.iter().any(|other| *other != span && other.covers(span));
        let spans = all.iter().rev().filter(|span| !covered(span)).map(|span| (*span).clone()).collect();
        Self { cleared_at, spans }
    }

    /// From when a store may forget it.
    pub fn ends_at(&self) -> i64 {
        let rested = self.current().map_or(0, |span| span.until.saturating_add(AFTERLIFE));
        rested.max(self.cleared_at.saturating_add(KEPT))
    }

    /// Whether a process may forget it: a clearing stands in the store.
    pub(super) fn is_over(&self, now: i64) -> bool {
        let ended = self.current().map_or(0, |span| span.until).max(self.cleared_at);
        ended.saturating_add(AFTERLIFE) <= now
    }
}

/// What was decided last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision<T> {
    /// When; 0: never.
    pub at: i64,
    /// By which process.
    pub writer: String,
    /// What holds; `None`: it was lifted.
    pub holds: Option<T>,
}

impl<T> Default for Decision<T> {
    fn default() -> Self {
        Self { at: 0, writer: String::new(), holds: None }
    }
}

impl<T: Ord + Clone> Decision<T> {
    /// Decides anew, later than what is known.
    pub fn decide(&mut self, holds: Option<T>, writer: &str, now: i64) {
        *self = Self { at: now.max(self.at + 1), writer: writer.to_owned(), holds };
    }

    /// The later one.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        if self.order(other) == Ordering::Less { other.clone() } else { self.clone() }
    }

    fn order(&self, other: &Self) -> Ordering {
        let key = |decision: &Self| (decision.at, decision.holds.is_none());
        key(self)
            .cmp(&key(other))
            .then_with(|| self.writer.cmp(&other.writer))
            .then_with(|| self.holds.cmp(&other.holds))
    }
}

/// An operator's decision to take a credential out of service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct SwitchedOff {
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// A refresh token that was refused; which, is the line's item. (Not `()`: JSON could not tell it from its absence.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusedToken {}

/// A refusal by the service, of a token or of the account behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusalLine {
    /// The fingerprint of the token it holds for.
    pub token: String,
    /// Whether it is the account that is refused.
    pub account: bool,
    /// The reason code.
    pub reason: String,
}

/// How a refresh ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefreshLine {
    /// When.
    pub at: i64,
    /// Why it failed.
    pub failure: Option<String>,
}

/// What is counted of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// How often it was lent.
    #[serde(default)]
    pub requests: u64,
    /// How many of those spoke against it.
    #[serde(default)]
    pub failures: u64,
    /// Token requests.
    #[serde(default)]
    pub refresh_attempts: u64,
    /// Since when this is counted.
    #[serde(default)]
    pub since: Option<i64>,
    /// When it was last lent.
    #[serde(default)]
    pub last_used_at: Option<i64>,
    /// The last refresh.
    #[serde(default)]
    pub last_refresh: Option<RefreshLine>,
    /// When it was last refreshed by hand.
    #[serde(default)]
    pub by_hand_at: Option<i64>,
    /// When a process last had it, to the day: lines of credentials that nobody has are forgotten.
    #[serde(default)]
    pub seen_at: Option<i64>,
}

impl Counts {
    /// With a change added.
    #[must_use]
    pub fn plus(&self, change: &Self) -> Self {
        Self {
            requests: self.requests.saturating_add(change.requests),
            failures: self.failures.saturating_add(change.failures),
            refresh_attempts: self.refresh_attempts.saturating_add(change.refresh_attempts),
            since: self.since.into_iter().chain(change.since).min(),
            last_used_at: self.last_used_at.max(change.last_used_at),
            last_refresh: self.last_refresh.clone().max(change.last_refresh.clone()),
            by_hand_at: self.by_hand_at.max(change.by_hand_at),
            seen_at: self.seen_at.max(change.seen_at),
        }
    }
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Rests.
    Rests(Rests),
    /// A refused refresh token; its fingerprint is the line's item.
    RefusedToken(Decision<RefusedToken>),
    /// A refusal by the service.
    Refusal(Decision<RefusalLine>),
    /// Disabled by an operator.
    Switch(Decision<SwitchedOff>),
    /// Counts: in a store the sum, in a batch what is added.
    Counts(Counts),
}

impl Value {
    /// Two versions of one line as one; counts are not versions and stay as they are. Values of different kinds, which
    /// only a later version could have written, leave the first.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Rests(one), Self::Rests(other)) => Self::Rests(one.join(other)),
            (Self::RefusedToken(one), Self::RefusedToken(other)) => Self::RefusedToken(one.join(other)),
            (Self::Refusal(one), Self::Refusal(other)) => Self::Refusal(one.join(other)),
            (Self::Switch(one), Self::Switch(other)) => Self::Switch(one.join(other)),
            (
                Self::Rests(_) | Self::RefusedToken(_) | Self::Refusal(_) | Self::Switch(_) | Self::Counts(_),
                Self::Rests(_) | Self::RefusedToken(_) | Self::Refusal(_) | Self::Switch(_) | Self::Counts(_),
            ) => self.clone(),
        }
    }

    /// What stands in a store after a change.
    #[must_use]
    pub fn take(&self, change: &Self) -> Self {
        match (self, change) {
            (Self::Counts(sum), Self::Counts(change)) => Self::Counts(sum.plus(change)),
            (_, change) => self.join(change),
        }
    }

    /// From when it may be forgotten; `None`: with its credential.
    pub fn ends_at(&self) -> Option<i64> {
        match self {
            Self::Rests(rests) => Some(rests.ends_at()),
            Self::RefusedToken(decision) if decision.holds.is_none() => {
                Some(decision.at.saturating_add(KEPT))
            }
            Self::RefusedToken(_) | Self::Refusal(_) | Self::Switch(_) | Self::Counts(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans() -> impl Strategy<Value = Span> {
        (0_i64..12, 1_i64..12, 0_usize..3, 0_i64..3).prop_map(|(until, set_at, step, made_at)| Span {
            until,
            set_at,
            step,
            probe_at: None,
            cause: RestCause::Quota,
            reason: "HTTP 429".to_owned(),
            made_at,
        })
    }

    /// As a process makes them: what is set comes after what was cleared.
    fn rests() -> impl Strategy<Value = Rests> {
        (0_i64..12, proptest::collection::vec(spans(), 0..5)).prop_map(|(cleared_at, spans)| {
            let none = Rests { cleared_at, spans: Vec::new() };
            spans
                .into_iter()
                .fold(none, |rests, span| rests.join(&Rests { cleared_at: 0, spans: vec![span] }))
        })
    }

    fn decisions() -> impl Strategy<Value = Decision<SwitchedOff>> {
        (0_i64..4, "[ab]", proptest::option::of(proptest::option::of("[xy]"))).prop_map(
            |(at, writer, holds)| Decision { at, writer, holds: holds.map(|reason| SwitchedOff { reason }) },
        )
    }

    fn values() -> impl Strategy<Value = (Value, Value, Value)> {
        use Value::{Rests as R, Switch as S};
        prop_oneof![
            (rests(), rests(), rests()).prop_map(|(a, b, c)| (R(a), R(b), R(c))),
            (decisions(), decisions(), decisions()).prop_map(|(a, b, c)| (S(a), S(b), S(c))),
        ]
    }

    proptest! {
        #[test]
        fn p30_versions_join_to_the_same_in_any_order_and_however_often((a, b, c) in values()) {
            prop_assert_eq!(a.join(&b), b.join(&a));
            prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
            prop_assert_eq!(a.join(&b).join(&b).join(&a), a.join(&b));
        }

        #[test]
        fn p30_what_holds_is_the_longest_rest_set_after_the_latest_clearing(
            parts in proptest::collection::vec(prop_oneof![
                spans().prop_map(|span| Rests { cleared_at: 0, spans: vec![span] }),
                (0_i64..12).prop_map(|cleared_at| Rests { cleared_at, spans: Vec::new() }),
            ], 1..8),
        ) {
            let joined = parts.iter().fold(Rests::default(), |rests, part| rests.join(part));
            let cleared = parts.iter().map(|part| part.cleared_at).max().unwrap_or(0);
            let longest = parts.iter().flat_map(|part| &part.spans).filter(|span| span.set_at > cleared);
            prop_assert_eq!(joined.current().map(|span| span.until), longest.map(|span| span.until).max());
        }

        #[test]
        fn p30_a_decision_that_knew_another_is_later_whatever_the_clock_says(
            known in decisions(),
            now in -5_i64..5,
        ) {
            let mut mine = known.clone();
            mine.decide(None, "0", now);
            prop_assert_eq!(known.join(&mine), mine);
        }

        #[test]
        fn p30_a_line_survives_its_store(value in values().prop_map(|(value, ..)| value)) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn p30_clearing_ends_what_is_known_even_from_a_clock_ahead() {
        let mut rests = Rests::default();
        let ahead = Span {
            until: 900,
            set_at: 500,
            step: 0,
            probe_at: None,
            cause: RestCause::Quota,
            reason: String::new(),
            made_at: 0,
        };
        rests.set(ahead.clone());
        rests.clear();
        assert_eq!(rests.current(), None);
        rests.set(Span { until: 800, set_at: 101, ..ahead });
        assert_eq!(rests.current().map(|span| span.until), Some(800), "and a new one holds");
    }

    /// The longest rest is 31 days: a laptop that slept through a clearing still has it.
    #[test]
    fn p30_a_store_keeps_a_clearing_for_longer_than_any_rest_lasts() {
        let (now, day) = (1_790_000_000_000, 86_400_000);
        let cleared = Value::Rests(Rests { cleared_at: now, spans: Vec::new() });
        let lifted =
            Value::RefusedToken(Decision { at: now, writer: String::new(), holds: None::<RefusedToken> });
        for value in [cleared, lifted] {
            assert!(value.ends_at().is_some_and(|at| at > now + 31 * day), "{value:?}");
        }
    }

    #[test]
    fn p30_a_rest_of_a_clock_ahead_begins_when_it_is_heard_of_and_hearing_it_again_changes_nothing() {
        let (now, day) = (1_790_000_000_000, 86_400_000);
        let made = |made_at: i64, set_at| Span {
            until: made_at + 600_000,
            set_at,
            step: 1,
            probe_at: Some(made_at + 300_000),
            cause: RestCause::Quota,
            reason: String::new(),
            made_at,
        };
        let store = Rests { cleared_at: 0, spans: vec![made(now + day, now + day)] };
        let mut known = Rests::default();
        known.learn(&store, now);
        assert_eq!(known.spans, [made(now, now + day)]);
        known.learn(&store, now + 200_000);
        known.learn(&store, now + 2 * day);
        assert_eq!(known.spans, [made(now, now + day)], "not even when its instant has come");
        assert_eq!(known.join(&store).spans, store.spans, "what is written back changes nothing there");
        known.clear();
        assert_eq!(store.join(&known).current(), None, "but its end is its end");
        let minute = Rests { cleared_at: 0, spans: vec![made(now + AHEAD, now)] };
        let mut known = Rests::default();
        known.learn(&minute, now);
        assert_eq!(known, minute, "clocks differ a little");
    }

    #[test]
    fn p30_a_rest_of_an_earlier_version_says_not_when_it_was_made() {
        let text =
            r#"{"until":900,"set_at":500,"step":0,"probe_at":null,"cause":"quota","reason":"HTTP 429"}"#;
        let span: Span = serde_json::from_str(text).unwrap();
        assert_eq!((span.made_at, span.is_ahead(0)), (0, false));
    }

    #[test]
    fn p30_a_refused_token_survives_its_store() {
        let decision = Decision { at: 1, writer: "w".to_owned(), holds: Some(RefusedToken {}) };
        let value = Value::RefusedToken(decision);
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
