//! How long something rests: by the hint it was given, else by a ladder of steps; and how refreshes back off.
//!
//! What rested is half-open until it has served: one request tries it, and the others go elsewhere meanwhile. So a burst
//! that waited for its return costs one refusal, not one each.

use std::time::Duration;

use backoff::{ExponentialBackoffBuilder, backoff::Backoff};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{RetryHint, window::after};

/// A hint up to this is kept exactly; a longer one is tried by one real request each such while (P22).
const PROBE: Duration = Duration::from_mins(15);
/// Hints beyond this are absurd.
const LONGEST: Duration = Duration::from_hours(31 * 24);
/// A hint of zero, or of an instant that has passed, still lets others go first.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long the first request after a rest keeps the others away; a model that is only slow must not block a credential.
const TRIAL: Duration = Duration::from_secs(10);

/// Why something rests, which says how long without a hint, and what a person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestCause {
    /// 429 without a word of when.
    Quota,
    /// An API key that answers 401: one hit a step (P21).
    Key,
    /// Several faults in a row: 5xx, timeouts.
    Fault,
    /// A model that this account does not have (404).
    Unavailable,
}

impl RestCause {
    fn steps(self) -> &'static [u64] {
        match self {
            Self::Quota => &[30, 60, 120, 300, 900],
            Self::Key => &[60, 300, 900, 1800, 3600],
            Self::Fault => &[15, 30, 60, 120],
            Self::Unavailable => &[6 * 3600],
        }
    }

    /// Whether it passes by itself: time alone brings back neither a key nor a model.
    pub(super) fn passes(self) -> bool {
        match self {
            Self::Quota | Self::Fault => true,
            Self::Key | Self::Unavailable => false,
        }
    }

    /// The rest of a step, the first being 0.
    fn rest(self, step: usize) -> Duration {
        let steps = self.steps();
        let seconds = steps.get(step).or(steps.last()).copied().unwrap_or(60);
        Duration::from_secs(seconds)
    }
}

/// A number that grows with every lease and every rest: tells what was lent before a rest began.
pub(super) type Mark = u64;

/// What rests, and until when. Kept after its end, for the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    /// Until when.
    pub(super) until: DateTime<Utc>,
    /// When that was said: later than now after the clock stepped back.
    pub(super) made_at: DateTime<Utc>,
    /// When one real request may try although it rests.
    pub(super) probe_at: Option<DateTime<Utc>>,
    /// The request that tries it now.
    pub(super) probe: Option<Probe>,
    /// The service began to answer somebody: anybody may go. Kept for the step until an answer is complete.
    pub(super) open: bool,
    /// Why.
    pub(super) cause: RestCause,
    /// The reason code.
    pub(super) reason: String,
    /// How many times it escalated.
    pub(super) step: usize,
    /// The mark at its last escalation.
    pub(super) since: Mark,
}

/// The one request that tries what rests, or rested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    taken: Mark,
    /// Until when the others wait for its end.
    until: DateTime<Utc>,
}

/// What a rest says to a request now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may try: the rest has ended, or is long enough for a try on the way.
    Try,
    /// Nobody may; something changes at this instant, if not sooner.
    Until(DateTime<Utc>),
}

/// One refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit<'a> {
    /// When to come back.
    pub(super) hint: RetryHint,
    /// Why, with the steps where there is no hint.
    pub(super) cause: RestCause,
    /// The reason code.
    pub(super) reason: &'a str,
    /// The mark of the refused lease.
    pub(super) taken: Mark,
    /// The mark now.
    pub(super) mark: Mark,
}

impl Rest {
    /// The rest after a refusal: a longer one extends, a shorter never shortens, and requests that were lent before the
    /// last escalation do not escalate again (P28).
    pub(super) fn after_hit(current: Option<Self>, hit: Hit<'_>, now: DateTime<Utc>) -> Self {
        let probe = current.as_ref().and_then(|rest| rest.probe);
        let burst = current.as_ref().is_some_and(|rest| hit.taken < rest.since);
        let (step, since) = match &current {
            Some(rest) if burst => (rest.step, rest.since),
            Some(rest) => (rest.step.saturating_add(1), hit.mark),
            None => (0, hit.mark),
        };
        let asked = match hit.hint {
            RetryHint::After(wait) => Some(after(now, wait.clamp(SHORTEST, LONGEST))),
            RetryHint::At(at) => Some(at.clamp(after(now, SHORTEST), after(now, LONGEST))),
            RetryHint::None if burst => None,
            RetryHint::None => Some(after(now, hit.cause.rest(step))),
        };
        let running = current.filter(|rest| rest.is_running(now));
        let (until, cause, reason, probe_at) = match (asked, running) {
            (Some(asked), Some(running)) if running.until >= asked => {
                // It was a probe that failed, or one of the burst: the next try keeps its distance.
                let probe_at = running.probe_at.map(|at| at.max(after(now, PROBE)));
                (running.until, running.cause, running.reason, probe_at)
            }
            (None, Some(running)) => (running.until, running.cause, running.reason, running.probe_at),
            (Some(asked), _) => {
                let hinted = !matches!(hit.hint, RetryHint::None);
                let probe_at = Some(after(now, PROBE)).filter(|at| hinted && *at < asked);
                (asked, hit.cause, hit.reason.to_owned(), probe_at)
            }
            (None, None) => (now, hit.cause, hit.reason.to_owned(), None),
        };
        Self { until, made_at: now, probe_at, probe, open: false, cause, reason, step, since }
    }

    /// Whether it is still under way; one that has ended is kept for its step.
    pub(super) fn is_running(&self, now: DateTime<Utc>) -> bool {
        !self.open && now < self.until
    }

    /// What it says to a request now.
    pub(super) fn verdict(&self, now: DateTime<Utc>) -> Verdict {
        match self.probe {
            Some(probe) if now < probe.until => Verdict::Until(probe.until.max(self.until)),
            Some(_) | None if !self.is_running(now) => Verdict::Try,
            Some(_) | None if self.probe_at.is_some_and(|at| now >= at) => Verdict::Try,
            Some(_) | None => Verdict::Until(self.until),
        }
    }

    /// The next instant at which that changes by itself.
    pub(super) fn changes_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let instants = [Some(self.until), self.probe_at, self.probe.map(|probe| probe.until)];
        instants.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// This lease tries it: nobody else does until it comes back, or until it has taken long after the end of the rest.
    pub(super) fn try_by(&mut self, taken: Mark, now: DateTime<Utc>) {
        if !self.open {
            self.probe = Some(Probe { taken, until: self.until.max(after(now, TRIAL)) });
        }
    }

    /// The service has begun to answer a later lease: it is over for everybody. Whether somebody kept the others away.
    pub(super) fn open(&mut self, now: DateTime<Utc>) -> bool {
        self.until = self.until.min(now);
        self.made_at = now;
        self.open = true;
        self.probe.take().is_some()
    }

    /// The lease came back without a word on what rests: somebody else may try. Whether it was the one that tried.
    pub(super) fn give_back(&mut self, taken: Mark) -> bool {
        self.probe.take_if(|probe| probe.taken == taken).is_some()
    }

    /// The lease came back with a failure: if it was the one that tried, the next try keeps its distance.
    pub(super) fn put_off(&mut self, taken: Mark, now: DateTime<Utc>) -> bool {
        let tried = self.give_back(taken);
        if tried {
            self.probe_at = self.probe_at.map(|_| after(now, PROBE));
            self.made_at = now;
        }
        tried
    }

    /// Whether an answer to a lease with this mark ends it (P29): one that was lent before it began says nothing.
    pub(super) fn is_cleared_by(&self, taken: Mark) -> bool {
        taken >= self.since
    }
}

/// Why refreshes fail for now: how soon it is worth asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureClass {
    /// Not answering: 10 s, doubling to 5 minutes.
    Transient,
    /// Not understood: a minute, doubling to an hour.
    Unknown,
    /// Our side: a lock that is held, a file that cannot be read or written. 5 s, doubling to 2 minutes.
    Ours,
}

/// How long a refresh waits after its `failures`th failure in a row (1 or more), `retry_after` at least (an hour at most).
pub(super) fn refresh_delay(class: FailureClass, failures: u32, retry_after: Option<Duration>) -> Duration {
    let (first, longest) = match class {
        FailureClass::Transient => (10, 300),
        FailureClass::Unknown => (60, 3600),
        FailureClass::Ours => (5, 120),
    };
    let mut delays = ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_secs(first))
        .with_multiplier(2.0)
        .with_randomization_factor(0.1)
        .with_max_interval(Duration::from_secs(longest))
        .with_max_elapsed_time(None)
        .build();
    let mut delay = Duration::from_secs(first);
    for _ in 0..failures.clamp(1, 16) {
        delay = delays.next_backoff().unwrap_or(delay);
    }
    delay.max(retry_after.unwrap_or_default().min(Duration::from_hours(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    fn hit(hint: RetryHint, taken: Mark, mark: Mark) -> Hit<'static> {
        Hit { hint, cause: RestCause::Quota, reason: "HTTP 429", taken, mark }
    }

    fn seconds(count: u64) -> RetryHint {
        RetryHint::After(Duration::from_secs(count))
    }

    #[test]
    fn p22_a_hint_up_to_a_quarter_of_an_hour_is_kept_exactly() {
        for wait in [2, 34, 900] {
            let rest = Rest::after_hit(None, hit(seconds(wait), 1, 2), at(0));
            assert_eq!(rest.verdict(at(wait.cast_signed() - 1)), Verdict::Until(at(wait.cast_signed())));
            assert_eq!(rest.verdict(at(wait.cast_signed())), Verdict::Try);
            assert!(!rest.is_running(at(wait.cast_signed())));
        }
        let dated = Rest::after_hit(None, hit(RetryHint::At(at(77)), 1, 2), at(0));
        assert_eq!(dated.until, at(77));
    }

    #[test]
    fn p22_a_longer_hint_is_tried_by_one_request_each_quarter_of_an_hour() {
        let end = at(156 * 3600);
        let mut rest = Rest::after_hit(None, hit(seconds(156 * 3600), 1, 2), at(0));
        assert_eq!(rest.verdict(at(899)), Verdict::Until(end));
        assert_eq!(rest.verdict(at(900)), Verdict::Try);
        rest.try_by(3, at(900));
        assert_eq!(rest.verdict(at(5000)), Verdict::Until(end), "the second request waits, however long");
        assert!(rest.put_off(3, at(5000)));
        let mut rest = Rest::after_hit(Some(rest), hit(seconds(60), 3, 4), at(5000));
        assert_eq!(rest.until, end, "a shorter hint never shortens");
        assert_eq!((rest.verdict(at(5899)), rest.verdict(at(5900))), (Verdict::Until(end), Verdict::Try));
        rest.try_by(5, at(5900));
        assert!(!rest.give_back(4), "another lease says nothing about this one");
        assert!(rest.give_back(5), "dropped");
        assert_eq!(rest.verdict(at(5901)), Verdict::Try);
        rest.try_by(6, at(5901));
        assert!(rest.put_off(6, at(5902)), "an outage instead of a verdict");
        assert_eq!((rest.verdict(at(6801)), rest.verdict(at(6802))), (Verdict::Until(end), Verdict::Try));
    }

    #[test]
    fn p22_after_any_rest_one_request_goes_first_and_keeps_the_others_away_for_ten_seconds_at_most() {
        let mut rest = Rest::after_hit(None, hit(seconds(30), 1, 2), at(0));
        rest.try_by(3, at(40));
        assert_eq!(rest.verdict(at(49)), Verdict::Until(at(50)));
        assert_eq!(rest.verdict(at(50)), Verdict::Try, "the first is slow: the next may go");
        rest.try_by(4, at(50));
        assert!(!rest.give_back(3), "the slow one came back late");
        assert!(rest.give_back(4));
        rest.try_by(5, at(51));
        let again = Rest::after_hit(Some(rest), hit(seconds(30), 1, 6), at(52));
        assert_eq!(
            again.verdict(at(53)),
            Verdict::Until(at(82)),
            "one that was lent before the rest is no verdict"
        );
    }

    #[test]
    fn p22_zero_past_and_absurd_hints_are_handled() {
        let until = |hint| Rest::after_hit(None, hit(hint, 1, 2), at(0)).until;
        assert_eq!(until(seconds(0)), at(1));
        assert_eq!(until(RetryHint::At(at(-500))), at(1));
        assert_eq!(until(RetryHint::After(Duration::MAX)), at(31 * 86_400));
        assert_eq!(until(RetryHint::At(DateTime::<Utc>::MAX_UTC)), at(31 * 86_400));
    }

    #[test]
    fn p28_a_burst_escalates_one_step_and_later_refusals_climb_the_ladder() {
        // Five requests lent with marks 1 to 5; the first refusal comes at mark 6.
        let mut rest = Rest::after_hit(None, hit(RetryHint::None, 1, 6), at(0));
        for taken in 2..=5 {
            rest = Rest::after_hit(Some(rest), hit(RetryHint::None, taken, 6), at(1));
        }
        assert_eq!((rest.until, rest.step), (at(30), 0));
        let mut now = 30;
        for (mark, wait) in [(10, 60), (20, 120), (30, 300), (40, 900), (50, 900)] {
            rest = Rest::after_hit(Some(rest), hit(RetryHint::None, mark, mark + 1), at(now));
            assert_eq!(rest.until, at(now + wait));
            now += wait;
        }
    }

    #[test]
    fn p29_only_a_success_of_a_later_lease_clears() {
        let rest = Rest::after_hit(None, hit(RetryHint::None, 1, 6), at(0));
        assert!(!rest.is_cleared_by(5));
        assert!(rest.is_cleared_by(6));
    }

    #[test]
    fn p3_refreshes_back_off_and_keep_a_retry_after() {
        let around = |class, failures, expected: f64| {
            let delay = refresh_delay(class, failures, None).as_secs_f64();
            assert!((expected * 0.89..=expected * 1.11).contains(&delay), "{class:?} {failures}: {delay}");
        };
        around(FailureClass::Transient, 1, 10.0);
        around(FailureClass::Transient, 3, 40.0);
        around(FailureClass::Transient, 50, 300.0);
        around(FailureClass::Unknown, 1, 60.0);
        around(FailureClass::Ours, 1, 5.0);
        let told = |wait| refresh_delay(FailureClass::Transient, 1, Some(Duration::from_secs(wait)));
        assert_eq!(told(120), Duration::from_mins(2));
        assert_eq!(told(999_999), Duration::from_hours(1));
    }

    /// What befalls a rest.
    #[derive(Debug, Clone)]
    enum Event {
        Pass(i64),
        /// Somebody asks, and goes if the rest lets them.
        Ask,
        /// One of those that went comes back: stopped, or failed otherwise, or refused with such a hint.
        Stopped(usize),
        Failed(usize),
        Refused(usize, u64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0_i64..2000).prop_map(Event::Pass),
            Just(Event::Ask),
            Just(Event::Ask),
            any::<usize>().prop_map(Event::Stopped),
            any::<usize>().prop_map(Event::Failed),
            (any::<usize>(), 0_u64..20_000).prop_map(|(which, wait)| Event::Refused(which, wait)),
        ]
    }

    proptest! {
        #[test]
        fn p22_while_it_rests_at_most_one_tries_and_never_within_a_quarter_of_an_hour_of_a_failure(
            events in proptest::collection::vec(event(), 1..80),
        ) {
            let mut rest = Rest::after_hit(None, hit(seconds(10_000), 1, 2), at(0));
            let (mut now, mut mark, mut failed_at) = (at(0), 2, at(0));
            // Those under way, with the instant at which they went.
            let mut out: Vec<(Mark, DateTime<Utc>)> = Vec::new();
            for event in events {
                mark += 1;
                match event {
                    Event::Pass(passed) => now += chrono::TimeDelta::seconds(passed),
                    Event::Ask => match rest.verdict(now) {
                        Verdict::Try => {
                            let others = out.iter().filter(|(_, at)| rest.is_running(now) || now < after(*at, TRIAL));
                            prop_assert_eq!(others.count(), 0, "one at a time");
                            prop_assert!(!rest.is_running(now) || now >= after(failed_at, PROBE));
                            rest.try_by(mark, now);
                            out.push((mark, now));
                        }
                        Verdict::Until(until) => prop_assert!(until > now),
                    },
                    Event::Stopped(which) if !out.is_empty() => {
                        let (taken, _) = out.remove(which % out.len());
                        rest.give_back(taken);
                    }
                    Event::Failed(which) if !out.is_empty() => {
                        let (taken, _) = out.remove(which % out.len());
                        if rest.put_off(taken, now) {
                            failed_at = now;
                        }
                    }
                    Event::Refused(which, wait) if out.len() == 1 => {
                        let (taken, _) = out.remove(which % out.len());
                        rest.put_off(taken, now);
                        rest = Rest::after_hit(Some(rest), hit(seconds(wait), taken, mark), now);
                        failed_at = now;
                    }
                    Event::Stopped(_) | Event::Failed(_) | Event::Refused(..) => {}
                }
            }
        }

        #[test]
        fn p28_a_longer_rest_extends_and_a_shorter_never_shortens(
            hints in proptest::collection::vec((0_u64..5_000_000, 0_i64..100, any::<bool>()), 1..20),
        ) {
            let mut rest: Option<Rest> = None;
            let mut now = at(0);
            for (mark, (wait, passed, hinted)) in hints.into_iter().enumerate() {
                now += chrono::TimeDelta::seconds(passed);
                let hint = if hinted { seconds(wait) } else { RetryHint::None };
                let before = rest.as_ref().map(|rest| rest.until);
                let mark = u64::try_from(mark).unwrap();
                let next = Rest::after_hit(rest, hit(hint, mark, mark + 1), now);
                prop_assert!(next.until > now);
                if let Some(before) = before.filter(|before| *before > now) {
                    prop_assert!(next.until >= before);
                }
                if hinted {
                    prop_assert!(next.until >= after(now, Duration::from_secs(wait).clamp(SHORTEST, LONGEST)));
                }
                rest = Some(next);
            }
        }
    }
}
