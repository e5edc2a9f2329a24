//! What the end of a request does to the credential that served it.

use chrono::{DateTime, Utc};

use super::{
    Outcome, RetryHint,
    cooldown::{Hit, Mark, Rest, RestCause},
    entry::{Entry, Refusal, RefusalKind},
};
use crate::credential::{Fingerprint, Login};

/// Faults in a row from which a credential rests briefly.
const SEVERAL: u32 = 3;
/// Models remembered as resting, a credential; the ones that ended longest ago go first.
const MODELS: usize = 64;

/// Faults in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Faults {
    /// How many.
    in_a_row: u32,
    /// The mark at the last one.
    since: Mark,
}

impl Faults {
    /// One more; requests that were under way together when the last one came count as one (P28).
    fn note(&mut self, taken: Mark, mark: Mark) {
        if taken >= self.since {
            *self = Self { in_a_row: self.in_a_row.saturating_add(1), since: mark };
        }
    }
}

/// A lease that came back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Returned<'a> {
    /// The model it was leased for.
    pub(super) model: &'a str,
    /// What it authorised itself with.
    pub(super) bearer: Fingerprint,
    /// The mark at which it was lent.
    pub(super) taken: Mark,
    /// The mark now.
    pub(super) mark: Mark,
}

impl Entry {
    /// Takes a lease back. Whether it had kept others away from what rests, or rested.
    pub(super) fn complete(&mut self, lease: Returned<'_>, outcome: Outcome, now: DateTime<Utc>) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Returned { model, bearer, taken, mark } = lease;
        let mut tried = false;
        for rest in [self.rest.as_mut(), self.models.get_mut(model)].into_iter().flatten() {
            tried |= match outcome {
                Outcome::Success | Outcome::Neutral => rest.give_back(taken),
                Outcome::ModelCooling { .. }
                | Outcome::ModelUnavailable { .. }
                | Outcome::CredentialCooling { .. }
                | Outcome::ProviderFault { .. }
                | Outcome::Unauthorized
                | Outcome::Refused { .. } => rest.put_off(taken, now),
            };
        }
        let hit = |hint, cause, reason| Hit { hint, cause, reason, taken, mark };
        if !matches!(outcome, Outcome::Success | Outcome::Neutral) {
            self.failures += 1;
        }
        match outcome {
            Outcome::Success => self.succeed(model, bearer, taken),
            Outcome::ModelCooling { hint, reason } => {
                self.rest_model(model, hit(hint, RestCause::Quota, &reason), now);
            }
            Outcome::ModelUnavailable { reason } => {
                self.rest_model(model, hit(RetryHint::None, RestCause::Unavailable, &reason), now);
            }
            Outcome::CredentialCooling { hint, reason } => {
                self.rest_whole(hit(hint, RestCause::Quota, &reason), now);
            }
            Outcome::ProviderFault { reason } => {
                self.faults.note(taken, mark);
                if self.faults.in_a_row >= SEVERAL {
                    self.rest_whole(hit(RetryHint::None, RestCause::Fault, &reason), now);
                }
            }
            Outcome::Unauthorized => {
                self.unauthorized(bearer, hit(RetryHint::None, RestCause::Key, "HTTP 401"), now);
            }
            Outcome::Refused { reason, link } if self.is_current(bearer) => {
                self.refusal = Some(Refusal { reason, kind: RefusalKind::Account, link });
            }
            Outcome::Neutral | Outcome::Refused { .. } => {}
        }
        tried
    }

    /// The service has begun to answer: what rests since before this lease is over, and its step is kept until an answer
    /// is complete. Whether others had been kept away.
    pub(super) fn answering(&mut self, model: &str, taken: Mark, now: DateTime<Utc>) -> bool {
        let mut tried = false;
        for rest in [self.rest.as_mut(), self.models.get_mut(model)].into_iter().flatten() {
            tried |= rest.is_cleared_by(taken) && rest.open(now);
        }
        tried
    }

    /// A request was answered to its end: what rested since before is over, and so is its escalation (P29).
    fn succeed(&mut self, model: &str, bearer: Fingerprint, taken: Mark) {
        self.faults = Faults::default();
        self.forced = self.forced.filter(|forced| *forced != bearer);
        self.rest.take_if(|rest| rest.is_cleared_by(taken));
        if self.models.get(model).is_some_and(|rest| rest.is_cleared_by(taken)) {
            self.models.remove(model);
        }
    }

    fn is_current(&self, bearer: Fingerprint) -> bool {
        self.bearer().is_some_and(|(_, current)| *current == bearer)
    }

    /// A 401. A key rests, a step longer each time. A login was refreshed once already: it is refused, unless that refresh
    /// fails for now, in which case the token counts as expired and the next refresh decides (P21, P31).
    fn unauthorized(&mut self, bearer: Fingerprint, hit: Hit<'_>, now: DateTime<Utc>) {
        match &self.credential.login {
            Login::ApiKey(_) => self.rest_whole(hit, now),
            Login::OAuth(_) if !self.is_current(bearer) => {}
            Login::OAuth(_) => {
                let undecided = self.flight.is_some()
                    || self.trouble.is_some()
                    || self.refused_client().is_some()
                    || !self.can_refresh();
                if undecided {
                    self.rejected_bearer = Some(bearer);
                } else {
                    self.refusal =
                        Some(Refusal { reason: "HTTP 401".to_owned(), kind: RefusalKind::Token, link: None });
                }
            }
        }
    }

    fn rest_whole(&mut self, hit: Hit<'_>, now: DateTime<Utc>) {
        self.rest = Some(Rest::after_hit(self.rest.take(), hit, now));
    }

    fn rest_model(&mut self, model: &str, hit: Hit<'_>, now: DateTime<Utc>) {
        let rest = Rest::after_hit(self.models.remove(model), hit, now);
        if self.models.len() >= MODELS {
            let oldest =
                self.models.iter().min_by_key(|(_, rest)| rest.until).map(|(model, _)| model.clone());
            self.models.retain(|model, _| Some(model) != oldest.as_ref());
        }
        self.models.insert(model.to_owned(), rest);
    }
}
