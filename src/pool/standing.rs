//! Where a credential stands at an instant: its phase, whether it can be lent, its state as shown, what is due.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    RestCause, State, cooldown::Verdict, entry::Entry, line::SwitchedOff, refresher::Errand, window::Phase,
};
use crate::provider::AfterGrant;

/// Whether and when a credential can be lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Now.
    Ready,
    /// Now; its refresh is due.
    Early,
    /// After a flight that may start now.
    Stale,
    /// It rests, for this cause; something changes at this instant, if not sooner.
    Resting(DateTime<Utc>, RestCause),
    /// Its refresh fails for now.
    Failing,
    /// Not until a person acts.
    Blocked,
}

impl Entry {
    /// How its token stands: a bearer that the service rejected counts as expired.
    pub(super) fn phase(&self, now: DateTime<Utc>) -> Phase {
        let rejected = self.bearer.as_ref().is_some_and(|(_, print)| self.rejected_bearer == Some(*print));
        if rejected { Phase::Hard } else { self.window.phase(now) }
    }

    /// Whether its refresh token may be sent.
    pub(super) fn can_refresh(&self) -> bool {
        self.refresh_print().is_some() && !self.is_login_refused()
    }

    /// Whether its refresh token was refused: it works until its access token expires.
    pub(super) fn is_login_refused(&self) -> bool {
        self.refresh_print().is_some_and(|token| self.refused_login == Some(token))
    }

    /// The code that its client is refused with: for every login, or for the refresh token that it has.
    pub(super) fn refused_client(&self) -> Option<&str> {
        let mismatched = self.mismatched.as_ref().filter(|(token, _)| self.refresh_print() == Some(*token));
        self.client_refused.as_deref().or(mismatched.map(|(_, code)| code.as_str()))
    }

    /// Whether chats need something that the steps after a grant have yet to find.
    pub(super) fn lacks_facts(&self) -> bool {
        let Some(login) = self.login() else { return false };
        match self.traits.after_grant {
            AfterGrant::Nothing | AfterGrant::QwenResourceUrl => false,
            AfterGrant::CodeAssistProject | AfterGrant::VertexProject => {
                login.facts.project_id.is_none() && !self.traits.has_project
            }
            AfterGrant::IflowApiKey => login.facts.api_key.is_none(),
        }
    }

    /// Whether it is disabled.
    pub(super) fn is_disabled(&self) -> bool {
        self.switched_off.is_some() || self.credential.disabled.is_some()
    }

    /// Why it is disabled, by its file, its terms or an operator.
    pub(super) fn disabled(&self) -> Option<Cow<'_, str>> {
        match &self.switched_off {
            Some(SwitchedOff { reason: None }) => {
                Some("disabled by an operator; enable it to use it again".into())
            }
            Some(SwitchedOff { reason: Some(reason) }) => {
                Some(format!("disabled by an operator ({reason}); enable it to use it again").into())
            }
            None => self.credential.disabled.as_deref().map(Cow::Borrowed),
        }
    }

    /// Whether it is out of service whatever its token: by a person, its file, or the service.
    pub(super) fn is_barred(&self) -> bool {
        self.is_disabled() || self.refusal.is_some() || self.foreign.is_some()
    }

    /// Whether what fails for now still does.
    pub(super) fn is_backing_off(&self, now: DateTime<Utc>) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| now < trouble.until)
    }

    /// Until when it rests for a model, by itself or as a whole.
    pub(super) fn rests_until(&self, model: &str) -> Option<DateTime<Utc>> {
        [self.rest.as_ref(), self.models.get(model)].into_iter().flatten().map(|rest| rest.until).max()
    }

    /// Whether it can be lent for a model.
    pub(super) fn readiness(&self, model: &str, now: DateTime<Utc>) -> Readiness {
        if self.is_barred() {
            return Readiness::Blocked;
        }
        for rest in [self.rest.as_ref(), self.models.get(model)].into_iter().flatten() {
            match rest.verdict(now) {
                Verdict::Try => {}
                Verdict::Until(until) => return Readiness::Resting(until, rest.cause),
            }
        }
        let stale = if self.is_backing_off(now) { Readiness::Failing } else { Readiness::Stale };
        match self.phase(now) {
            Phase::Hard if !self.can_refresh() || self.refused_client().is_some() => Readiness::Blocked,
            Phase::Hard => stale,
            Phase::Fresh | Phase::Early if self.lacks_facts() => stale,
            Phase::Fresh => Readiness::Ready,
            Phase::Early => Readiness::Early,
        }
    }

    /// Its state, as shown.
    pub(super) fn state(&self, now: DateTime<Utc>) -> State {
        let phase = self.phase(now);
        let resting = self.rest.as_ref().is_some_and(|rest| rest.is_running(now));
        let refreshing =
            self.flight.as_ref().is_some_and(|flight| matches!(flight.errand, Errand::Refresh { .. }));
        if self.is_disabled() {
            State::Disabled
        } else if self.foreign.is_some() {
            State::Unusable
        } else if self.refusal.is_some() {
            State::Refused
        } else if phase == Phase::Hard && !self.can_refresh() {
            State::NeedsLogin
        } else if resting || (phase != Phase::Hard && self.lacks_facts() && self.is_backing_off(now)) {
            State::Cooling
        } else if refreshing {
            State::Refreshing
        } else {
            match phase {
                Phase::Fresh => State::Ready,
                Phase::Early => State::Early,
                Phase::Hard => State::Expired,
            }
        }
    }

    /// Whether a background refresh should start now.
    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        let wanted = match self.phase(now) {
            Phase::Fresh => false,
            Phase::Early | Phase::Hard => true,
        };
        wanted
            && self.flight.is_none()
            && !self.is_disabled()
            && self.refusal.is_none()
            && self.foreign.is_none()
            && self.refused_client().is_none()
            && self.can_refresh()
            && !self.is_backing_off(now)
    }

    /// Whether the background should ask again for facts that could not be had after a grant.
    pub(super) fn wants_facts(&self, now: DateTime<Utc>) -> bool {
        // What a chat would have to wait for is not rotated to while another one is ready.
        self.facts_again.map_or(self.lacks_facts(), |(at, _)| at <= now)
            && self.phase(now) != Phase::Hard
            && self.flight.is_none()
            && self.disabled().is_none()
            && self.refusal.is_none()
            && self.foreign.is_none()
            && !self.is_backing_off(now)
    }

    /// When the scheduler should look at it again, at the latest.
    pub(super) fn due_at(&self) -> Option<DateTime<Utc>> {
        let refresh = self.window.due_at().filter(|_| self.can_refresh() && self.refused_client().is_none());
        let refresh = match (&self.trouble, refresh) {
            (Some(trouble), Some(due)) => Some(due.max(trouble.until)),
            (None | Some(_), due) => due,
        };
        let save = self.unsaved.as_ref().map(|unsaved| unsaved.retry_at);
        [refresh, save, self.facts_again.map(|(at, _)| at)].into_iter().flatten().min()
    }
    /// The next instant at which its state, as shown, may change by itself.
    pub(super) fn turns_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let rest = self.rest.as_ref().filter(|rest| rest.is_running(now)).map(|rest| rest.until);
        let waits = self.trouble.as_ref().filter(|_| self.lacks_facts()).map(|trouble| trouble.until);
        let instants = [rest, waits, self.window.due_at(), self.window.hard_at()];
        instants.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// The clock stepped back by so much: what was put off is put off for as long as before, not until what is a distant
    /// future now (P10). Rests say themselves when they were made.
    pub(super) fn step_back(&mut self, by: TimeDelta) {
        let trouble = self.trouble.as_mut().map(|trouble| &mut trouble.until);
        let unsaved = self.unsaved.as_mut().map(|unsaved| &mut unsaved.retry_at);
        let facts = self.facts_again.as_mut().map(|(at, _)| at);
        for instant in [trouble, unsaved, facts].into_iter().flatten() {
            *instant -= by;
        }
    }
}
