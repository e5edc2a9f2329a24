//! What the end of a request does to the credential that served it.

use chrono::{DateTime, Utc};

use super::{
    Outcome, RetryHint,
    cooldown::{Hit, Ladder, Mark, Rest},
    entry::{Entry, Refusal, RefusalKind},
};
use crate::credential::{Fingerprint, Login};

/// Faults in a row from which a credential rests briefly.
const SEVERAL: u32 = 3;
/// Models remembered as resting, a credential; the ones that ended longest ago go first.
const MODELS: usize = 64;

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
    /// Takes a lease back.
    pub(super) fn complete(&mut self, lease: Returned<'_>, outcome: Outcome, now: DateTime<Utc>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Returned { model, bearer, taken, mark } = lease;
        let hit = |hint, ladder, reason| Hit { hint, ladder, reason, taken, mark };
        match outcome {
            Outcome::Success => self.succeed(model, bearer, taken),
            Outcome::ModelCooling { hint, reason } => {
                self.rest_model(model, hit(hint, Ladder::Quota, &reason), now);
            }
            Outcome::ModelUnavailable { reason } => {
                self.rest_model(model, hit(RetryHint::None, Ladder::Unavailable, &reason), now);
            }
            Outcome::CredentialCooling { hint, reason } => {
                self.rest_whole(hit(hint, Ladder::Quota, &reason), now);
            }
            Outcome::ProviderFault { reason } => {
                self.faults = self.faults.saturating_add(1);
                if self.faults >= SEVERAL {
                    self.rest_whole(hit(RetryHint::None, Ladder::Fault, &reason), now);
                }
            }
            Outcome::Unauthorized => {
                self.unauthorized(bearer, hit(RetryHint::None, Ladder::Key, "HTTP 401"), now);
            }
            Outcome::Refused { reason, link: _ } if self.is_current(bearer) => {
                self.refusal = Some(Refusal { reason, kind: RefusalKind::Account });
            }
            Outcome::Neutral | Outcome::Refused { .. } => {}
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
                    self.refusal = Some(Refusal { reason: "HTTP 401".to_owned(), kind: RefusalKind::Token });
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
