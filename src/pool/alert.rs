//! Alerts (P34): what an operator should hear of without asking, once when it begins and once when it is over.
//!
//! They follow from looks at the pool as it stands, not from its news: a listener that falls behind, or news that is lost,
//! costs no alert. Delivering them is somebody else's; here they are logged, counted and published, both as news and as what holds.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{CredentialView, Inner, PoolEvent, Snapshot, State, window::after};
use crate::{
    credential::CredentialId,
    provider::ProviderId,
    telemetry::metrics::{self, Metrics},
};

/// Looks at least this often, since time alone changes states.
const CYCLE: Duration = Duration::from_secs(5);
/// News come in bursts, and are looked at together.
const SETTLE: Duration = Duration::from_millis(200);
/// An alert is over when its cause has been away for this long; a shorter absence is flapping and goes unsaid.
const CALM: Duration = Duration::from_secs(30);
/// A refresh that fails is worth waking somebody when the token has no more than this left.
const LITTLE: TimeDelta = TimeDelta::minutes(5);

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertKind {
    /// The refresh token was refused or is missing, and the access token is over.
    NeedsLogin,
    /// The service refuses the account.
    Refused,
    /// The refresh fails and the token has little life left, or none.
    RefreshFailing,
    /// A new token could not be written: it lives in memory only.
    Unsaved,
    /// Fewer than `ALERT_MIN_HEALTHY` credentials can be lent.
    FewHealthy,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::NeedsLogin, Self::Refused, Self::RefreshFailing, Self::Unsaved, Self::FewHealthy];

    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NeedsLogin => "needs_login",
            Self::Refused => "refused",
            Self::RefreshFailing => "refresh_failing",
            Self::Unsaved => "unsaved",
            Self::FewHealthy => "few_healthy",
        }
    }

    fn of(credential: &CredentialView, now: DateTime<Utc>) -> impl Iterator<Item = Self> {
        let by_state = match credential.state {
            State::NeedsLogin => Some(Self::NeedsLogin),
            State::Refused => Some(Self::Refused),
            State::Early | State::Refreshing | State::Expired => {
                let fails = credential.last_refresh.as_ref().is_some_and(|last| last.failure.is_some());
                let is_late = credential.expires_at.is_some_and(|at| at - now <= LITTLE);
                (fails && is_late).then_some(Self::RefreshFailing)
            }
            State::Ready | State::Cooling | State::Disabled | State::Unusable => None,
        };
        by_state.into_iter().chain(credential.unsaved.then_some(Self::Unsaved))
    }
}

/// Something that an operator should hear of. Carries no secret; the account is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What is wrong.
    pub kind: AlertKind,
    /// Whose alert it is; `None` where it is the pool's.
    pub subject: Option<Subject>,
    /// Why, and what to do, as it stood when the alert was raised.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it was over; `None`: it is raised now.
    pub cleared_at: Option<DateTime<Utc>>,
}

/// The credential that an alert is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Which.
    pub credential: CredentialId,
    /// Whose; `None` for a source of an unknown kind.
    pub provider: Option<ProviderId>,
    /// Masked account.
    pub account: String,
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let provider = self.provider.as_ref().map_or("unknown", ProviderId::as_str);
        write!(formatter, "{provider} {} ({})", self.account, self.credential)
    }
}

impl Alert {
    /// One sentence for people: what is wrong and what to do, or that it is over.
    pub fn sentence(&self) -> String {
        let what = match self.kind {
            AlertKind::NeedsLogin => "needs a login",
            AlertKind::Refused => "is refused by the service",
            AlertKind::RefreshFailing => "is about to expire, or has, and its refresh fails",
            AlertKind::Unsaved => "has a new token that could not be saved",
            AlertKind::FewHealthy => "too few credentials can be lent",
        };
        let what =
            self.subject.as_ref().map_or_else(|| what.to_owned(), |subject| format!("{subject} {what}"));
        match self.cleared_at {
            None => format!("{what}: {}", self.reason),
            Some(at) => format!("Over after {} min: {what}", (at - self.since).num_minutes().max(0)),
        }
    }

    fn log(&self) {
        let credential = self.subject.as_ref().map(|subject| tracing::field::display(&subject.credential));
        let (alert, since) = (self.kind.name(), self.since.format("%F %T UTC"));
        if self.cleared_at.is_none() {
            tracing::warn!(alert, credential.id = credential, %since, "Alert: {}", self.sentence());
        } else {
            tracing::info!(alert, credential.id = credential, %since, "{}", self.sentence());
        }
    }
}

/// The alerts that hold, over many looks.
#[derive(Debug)]
pub(super) struct Alerts {
    /// Fewer credentials that can be lent are too few.
    pub(super) min_healthy: usize,
    raised: BTreeMap<(AlertKind, Option<CredentialId>), Raised>,
}

#[derive(Debug)]
struct Raised {
    alert: Alert,
    /// Since when its cause is away.
    calm_since: Option<DateTime<Utc>>,
}

impl Alerts {
    /// None yet.
    pub(super) fn new(min_healthy: usize) -> Self {
        Self { min_healthy, raised: BTreeMap::new() }
    }

    /// Takes in how the pool stands; what is to be said about it.
    pub(super) fn look(&mut self, snapshot: &Snapshot) -> Vec<Alert> {
        let now = snapshot.taken_at;
        let mut wrong = self.wrong(snapshot);
        let mut said = Vec::new();
        self.raised.retain(|key, raised| {
            if wrong.remove(key).is_some() {
                raised.calm_since = None;
                return true;
            }
            // A calm that began in the future was noted before the clock stepped back.
            let since = raised.calm_since.filter(|since| *since <= now).unwrap_or(now);
            raised.calm_since = Some(since);
            let is_over = after(since, CALM) <= now;
            if is_over {
                said.push(Alert { cleared_at: Some(since), ..raised.alert.clone() });
            }
            !is_over
        });
        for (key, alert) in wrong {
            said.push(alert.clone());
            self.raised.insert(key, Raised { alert, calm_since: None });
        }
        said
    }

    /// Those that hold.
    fn standing(&self) -> Vec<Alert> {
        self.raised.values().map(|raised| raised.alert.clone()).collect()
    }

    /// How many of a kind hold.
    fn count(&self, kind: AlertKind) -> u32 {
        let count = self.raised.keys().filter(|(raised, _)| *raised == kind).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// What is wrong now.
    fn wrong(&self, snapshot: &Snapshot) -> BTreeMap<(AlertKind, Option<CredentialId>), Alert> {
        let now = snapshot.taken_at;
        let alert = |kind, subject, reason| Alert { kind, subject, reason, since: now, cleared_at: None };
        let mut wrong = BTreeMap::new();
        for credential in &snapshot.credentials {
            for kind in AlertKind::of(credential, now) {
                let subject = Subject {
                    credential: credential.id.clone(),
                    provider: credential.provider.clone(),
                    account: credential.account.clone(),
                };
                let reason = credential.reason.clone().unwrap_or_else(|| credential.state.label().to_owned());
                wrong.insert((kind, Some(credential.id.clone())), alert(kind, Some(subject), reason));
            }
        }
        let healthy = snapshot.credentials.iter().filter(|credential| credential.state.is_usable()).count();
        if healthy < self.min_healthy {
            let reason = format!(
                "{healthy} of {}, and ALERT_MIN_HEALTHY is {}; `cortana status` says what each one needs",
                snapshot.credentials.len(),
                self.min_healthy
            );
            wrong.insert((AlertKind::FewHealthy, None), alert(AlertKind::FewHealthy, None, reason));
        }
        wrong
    }
}

/// Looks at the pool whenever something happened, and every few seconds, until the end is asked for. What is raised outlives
/// it, so that a panic repeats no alert and loses no end of one.
pub(super) async fn run(inner: Arc<Inner>, alerts: Arc<Mutex<Alerts>>) {
    let ending = inner.parts.shutdown.token().clone();
    let metrics = &inner.parts.metrics;
    let mut events = inner.events.subscribe();
    loop {
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(CYCLE) => {}
            () = something(&mut events, metrics) => tokio::time::sleep(SETTLE).await,
        }
        let snapshot = inner.snapshot();
        let (news, active, standing) = {
            let mut alerts = alerts.lock().unwrap_or_else(PoisonError::into_inner);
            alerts.min_healthy = inner.settings().alert_min_healthy;
            let news = alerts.look(&snapshot);
            (news, AlertKind::ALL.map(|kind| (kind, alerts.count(kind))), alerts.standing())
        };
        inner.alerts.send_if_modified(|known| {
            let is_other = known.as_ref() != Some(&standing);
            *known = Some(standing);
            is_other
        });
        for alert in news {
            alert.log();
            if alert.cleared_at.is_none() {
                metrics.count(&metrics::ALERTS, [alert.kind.name()]);
            }
            inner.publish([PoolEvent::Alert(alert)]);
        }
        for (kind, count) in active {
            metrics.set(&metrics::ALERTS_ACTIVE, [kind.name()], f64::from(count));
        }
    }
}

/// Waits for news other than our own.
async fn something(news: &mut Receiver<PoolEvent>, metrics: &Metrics) {
    loop {
        match news.recv().await {
            Ok(PoolEvent::Alert(_)) => {}
            Ok(_) => return,
            Err(RecvError::Lagged(missed)) => {
                metrics.add(&metrics::EVENTS_DROPPED, [], missed);
                return;
            }
            // The pool holds the sender for as long as this task runs.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pool::LastRefresh;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    fn credential(state: State) -> CredentialView {
        CredentialView {
            provider: Some("qwen_code".parse().unwrap()),
            account: "an…@example.com".to_owned(),
            reason: Some("log in again".to_owned()),
            ..CredentialView::unknown(CredentialId::new("c0ffee"), "qwen.json", state)
        }
    }

    fn look(alerts: &mut Alerts, second: i64, credentials: Vec<CredentialView>) -> Vec<String> {
        let said = alerts.look(&Snapshot { taken_at: at(second), credentials });
        said.iter().map(Alert::sentence).collect()
    }

    #[test]
    fn p34_each_cause_is_raised_at_once_and_cleared_after_calm() {
        let failing = |state, left: i64| CredentialView {
            expires_at: Some(at(left)),
            last_refresh: Some(LastRefresh { at: at(0), failure: Some("HTTP 503".to_owned()) }),
            ..credential(state)
        };
        let causes = [
            (AlertKind::NeedsLogin, credential(State::NeedsLogin)),
            (AlertKind::Refused, credential(State::Refused)),
            (AlertKind::RefreshFailing, failing(State::Early, 300)),
            (AlertKind::RefreshFailing, failing(State::Refreshing, 20)),
            (AlertKind::RefreshFailing, failing(State::Expired, -5)),
            (AlertKind::Unsaved, CredentialView { unsaved: true, ..credential(State::Ready) }),
        ];
        for (kind, cause) in causes {
            let mut alerts = Alerts::new(0);
            let raised = alerts.look(&Snapshot { taken_at: at(0), credentials: vec![cause.clone()] });
            let subject = Subject {
                credential: CredentialId::new("c0ffee"),
                provider: Some("qwen_code".parse().unwrap()),
                account: "an…@example.com".to_owned(),
            };
            let alert = Alert {
                kind,
                subject: Some(subject),
                reason: "log in again".to_owned(),
                since: at(0),
                cleared_at: None,
            };
            assert_eq!(raised, std::slice::from_ref(&alert));
            assert_eq!(look(&mut alerts, 5, vec![cause]), [""; 0], "{kind:?}: once");
            assert_eq!(look(&mut alerts, 10, vec![credential(State::Ready)]), [""; 0]);
            let over =
                alerts.look(&Snapshot { taken_at: at(40), credentials: vec![credential(State::Ready)] });
            assert_eq!(over, [Alert { cleared_at: Some(at(10)), ..alert }]);
            assert_eq!(look(&mut alerts, 45, vec![credential(State::Ready)]), [""; 0], "{kind:?}: once");
        }
    }

    #[test]
    fn p34_what_passes_by_itself_is_no_alert() {
        let late = CredentialView { expires_at: Some(at(100)), ..credential(State::Early) };
        let failing = CredentialView {
            expires_at: Some(at(400)),
            last_refresh: Some(LastRefresh { at: at(0), failure: Some("HTTP 503".to_owned()) }),
            ..credential(State::Early)
        };
        let states = [State::Ready, State::Cooling, State::Disabled, State::Unusable].map(credential);
        let all = states.into_iter().chain([late, failing]).collect();
        assert_eq!(look(&mut Alerts::new(0), 0, all), [""; 0]);
    }

    #[test]
    fn p34_too_few_healthy_ones_and_the_recovery_are_said_in_words() {
        let mut alerts = Alerts::new(1);
        assert_eq!(
            look(&mut alerts, 0, vec![credential(State::Cooling)]),
            [
                "too few credentials can be lent: 0 of 1, and ALERT_MIN_HEALTHY is 1; `cortana status` says what each one \
              needs"
            ]
        );
        assert_eq!(look(&mut alerts, 120, vec![credential(State::Early)]), [""; 0]);
        assert_eq!(
            look(&mut alerts, 150, vec![credential(State::Ready)]),
            ["Over after 2 min: too few credentials can be lent"]
        );
        assert_eq!(
            look(&mut alerts, 160, vec![credential(State::NeedsLogin)]),
            [
                "qwen_code an…@example.com (c0ffee) needs a login: log in again".to_owned(),
                "too few credentials can be lent: 0 of 1, and ALERT_MIN_HEALTHY is 1; `cortana status` says what each \
                 one needs"
                    .to_owned(),
            ]
        );
        assert_eq!(look(&mut Alerts::new(0), 0, Vec::new()), [""; 0], "0 switches it off");
    }

    #[test]
    fn p34_a_removed_credential_clears_its_alert() {
        let mut alerts = Alerts::new(0);
        assert_eq!(look(&mut alerts, 0, vec![credential(State::Refused)]).len(), 1);
        assert_eq!(look(&mut alerts, 10, Vec::new()).len(), 0);
        assert_eq!(look(&mut alerts, 40, Vec::new()).len(), 1);
    }

    #[test]
    fn p10_a_clock_that_steps_back_delays_a_recovery_by_one_calm_at_most() {
        let mut alerts = Alerts::new(0);
        look(&mut alerts, 5000, vec![credential(State::Refused)]);
        look(&mut alerts, 5005, Vec::new());
        assert_eq!(look(&mut alerts, 0, Vec::new()).len(), 0);
        assert_eq!(look(&mut alerts, 30, Vec::new()).len(), 1);
    }

    proptest! {
        /// Whatever comes and goes: raised and cleared take turns, and never come closer than the calm.
        #[test]
        fn p34_flapping_does_not_repeat(steps in proptest::collection::vec((any::<bool>(), 1_i64..40), 1..60)) {
            let mut alerts = Alerts::new(0);
            let (mut second, mut holds, mut cleared) = (0, false, None);
            for (wrong, pause) in steps {
                second += pause;
                let state = if wrong { State::Refused } else { State::Ready };
                let snapshot = Snapshot { taken_at: at(second), credentials: vec![credential(state)] };
                let said = alerts.look(&snapshot);
                prop_assert!(said.len() <= 1);
                for alert in said {
                    prop_assert_eq!(alert.cleared_at.is_some(), holds, "they take turns");
                    holds = alert.cleared_at.is_none();
                    match alert.cleared_at {
                        Some(at) => cleared = Some(at),
                        None => prop_assert!(cleared.is_none_or(|since| alert.since - since >= TimeDelta::seconds(30))),
                    }
                }
                prop_assert!(!wrong || holds, "what is wrong is raised at once");
            }
        }
    }
}
