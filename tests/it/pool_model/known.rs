//! The model: what is known of a credential by what was seen of it, and what follows for its state.

use chrono::{DateTime, TimeDelta, Utc};
use cortana::pool::State;

/// A refresh is early by so much, and up to this much more.
const EARLY: TimeDelta = TimeDelta::seconds(600);
const JITTER: TimeDelta = TimeDelta::seconds(61);
const HARD: TimeDelta = TimeDelta::seconds(30);
/// A token's life begins when it is asked for, a moment before it comes.
const SLACK: TimeDelta = TimeDelta::seconds(2);
/// A rest that was asked to be longer than this is tried on the way, each such while.
const TRIED: TimeDelta = TimeDelta::seconds(900);

/// A rest as the model has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    pub(super) until: DateTime<Utc>,
    /// The step of the model at which it last grew worse.
    pub(super) since: u64,
    /// From when one request may try it although it runs.
    pub(super) tried_at: Option<DateTime<Utc>>,
}

impl Rest {
    pub(super) fn is_running(&self, now: DateTime<Utc>) -> bool {
        now < self.until
    }

    /// After a refusal with this wait (P22, P28).
    pub(super) fn hit(current: Option<Self>, wait: u32, taken: u64, step: u64, now: DateTime<Utc>) -> Self {
        let asked = now + TimeDelta::seconds(i64::from(wait.max(1)));
        let since = current.map(|rest| rest.since).filter(|since| taken < *since).unwrap_or(step);
        match current.filter(|rest| rest.is_running(now) && rest.until >= asked) {
            Some(rest) => Self { since, tried_at: rest.tried_at.map(|at| at.max(now + TRIED)), ..rest },
            None => Self { until: asked, since, tried_at: Some(now + TRIED).filter(|at| *at < asked) },
        }
    }
}

/// A credential as the model has it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) refused_login: bool,
    pub(super) refused: bool,
    pub(super) disabled: bool,
    pub(super) whole: Option<Rest>,
    pub(super) model: Option<Rest>,
    pub(super) out: u32,
    /// The state that was last told.
    pub(super) told: State,
}

impl Known {
    /// The states that it may be in: two where jitter decides, or the clock stands on the edge.
    pub(super) fn states(&self, now: DateTime<Utc>) -> Vec<State> {
        let left = self.expires_at - now;
        let edge = (left - HARD).abs() <= SLACK;
        let by_age = |hard: bool| {
            if self.disabled {
                vec![State::Disabled]
            } else if self.refused {
                vec![State::Refused]
            } else if hard && self.refused_login {
                vec![State::NeedsLogin]
            } else if self.whole.is_some_and(|rest| rest.is_running(now)) {
                vec![State::Cooling]
            } else if hard {
                vec![State::Expired]
            } else if left > EARLY + JITTER {
                vec![State::Ready]
            } else if left > EARLY {
                vec![State::Ready, State::Early]
            } else {
                vec![State::Early]
            }
        };
        let mut states = by_age(left <= HARD);
        if edge {
            states.extend(by_age(left > HARD));
        }
        states
    }

    /// Whether nothing at all speaks against lending it.
    pub(super) fn is_spotless(&self, now: DateTime<Utc>) -> bool {
        let live = self.expires_at - now > HARD + SLACK;
        live && !self.disabled && !self.refused && self.whole.is_none() && self.model.is_none()
    }
}
