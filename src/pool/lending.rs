//! Lending: a ready credential at once, a stale one after its flight, within the caller's time.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::{
    AccessToken, Inner, Lease, LeaseError, Lent, Outcome, RefreshCause, Selector, State, Want,
    cooldown::Mark,
    outcome::Returned,
    refresher::{Errand, landed},
    set::{Choice, Set},
    window::Phase,
};
use crate::{
    credential::{CredentialId, Fingerprint, Login},
    oauth::RefreshError,
};

impl Inner {
    /// Borrows a credential.
    pub(super) async fn lease(self: &Arc<Self>, want: &Want) -> Result<Lease, LeaseError> {
        loop {
            let now = self.now();
            let progress = {
                let mut set = self.set();
                match set.choose(want, self.parts.settings.strategy, now) {
                    Choice::Lend(slot) => return self.lend(&mut set, slot, want),
                    Choice::Nothing(error) => return Err(error),
                    Choice::Wait(slot) => self.depart_for(&mut set, slot),
                }
            };
            let Some(mut progress) = progress else { continue };
            if timeout_at(want.until, progress.changed()).await.is_err() {
                // The time is up; somebody else may have become ready meanwhile.
                let mut set = self.set();
                return match set.choose(want, self.parts.settings.strategy, self.now()) {
                    Choice::Lend(slot) => self.lend(&mut set, slot, want),
                    Choice::Nothing(error) => Err(error),
                    Choice::Wait(_) => {
                        Err(LeaseError::Stale { reason: "the refresh did not end in time".to_owned() })
                    }
                };
            }
        }
    }

    /// Starts or joins the flight that a stale credential needs.
    fn depart_for(
        self: &Arc<Self>,
        set: &mut Set,
        slot: usize,
    ) -> Option<tokio::sync::watch::Receiver<super::refresher::Progress>> {
        let entry = set.entries().get(slot)?;
        let errand = match entry.phase(self.now()) {
            Phase::Hard => Errand::refresh(RefreshCause::Demand),
            Phase::Fresh | Phase::Early => Errand::Facts,
        };
        let id = entry.credential.id.clone();
        self.depart(set, &id, errand)
    }

    fn lend(self: &Arc<Self>, set: &mut Set, slot: usize, want: &Want) -> Result<Lease, LeaseError> {
        let now = self.now();
        let taken = set.next_mark();
        let entry = set.entries_mut().get_mut(slot).ok_or(LeaseError::NothingConfigured)?;
        let Some((bearer, fingerprint)) = entry.bearer().cloned() else {
            return Err(LeaseError::NothingConfigured);
        };
        entry.lend(&want.model, now);
        if entry.phase(now) == Phase::Early {
            self.wake.notify_one();
        }
        let lent = Lent {
            credential: entry.credential.id.clone(),
            provider: entry.credential.provider.clone(),
            model: want.model.clone(),
            account: entry.account.clone(),
            bearer,
            facts: entry.facts(),
        };
        Ok(Lease::of(lent, fingerprint, taken, Arc::clone(self)))
    }

    /// Takes a lease back; one on a credential that was removed meanwhile ends here.
    pub(super) fn take_back(
        &self,
        credential: &CredentialId,
        model: &str,
        bearer: Fingerprint,
        taken: Mark,
        outcome: Outcome,
    ) {
        let now = self.now();
        let mut set = self.set();
        let mark = set.next_mark();
        let Some(entry) = set.get_mut(credential) else { return };
        let code = reason_code(&outcome).map(str::to_owned);
        entry.complete(Returned { model, bearer, taken, mark }, outcome, now);
        let news = set.sweep_one(credential, now);
        drop(set);
        if let Some(reason) = code {
            tracing::info!(credential.id = %credential, model, reason, "A request was turned away");
        }
        self.publish(news);
    }

    /// A forced refresh after a 401, shared by the value of the failed token (P31).
    pub(super) async fn after_401(
        self: &Arc<Self>,
        lease: &Lease,
        until: Instant,
    ) -> Result<(), RefreshError> {
        let is_other = |set: &Set| {
            set.get(&lease.credential)
                .and_then(|entry| entry.bearer())
                .is_some_and(|(_, print)| *print != lease.fingerprint)
        };
        let progress = {
            let mut set = self.set();
            if is_other(&set) {
                return Ok(());
            }
            let now = self.now();
            let entry = set.get(&lease.credential).ok_or(RefreshError::NoRefreshToken)?;
            if !entry.can_refresh() {
                return Err(RefreshError::NoRefreshToken);
            }
            if let Some(trouble) = entry.trouble.as_ref().filter(|_| entry.is_backing_off(now)) {
                return Err(trouble.error.clone());
            }
            let errand = Errand::Refresh {
                cause: RefreshCause::Unauthorized,
                refused: super::Refused::Keep,
                failed: Some(lease.fingerprint),
            };
            self.depart(&mut set, &lease.credential, errand).ok_or(RefreshError::NoRefreshToken)?
        };
        let in_time = landed(progress, Some(until)).await;
        if is_other(&self.set()) {
            return Ok(());
        }
        let late = || RefreshError::Transient {
            problem: "the refresh did not end in time".to_owned(),
            retry_after: None,
        };
        let unchanged = || RefreshError::Unknown { problem: "the refresh brought nothing new".to_owned() };
        Err(in_time.map_or_else(late, |ended| ended.error().unwrap_or_else(unchanged)))
    }

    /// A valid access token for a script.
    pub(super) async fn access_token(
        self: &Arc<Self>,
        selector: &Selector,
        until: Instant,
    ) -> Result<AccessToken, LeaseError> {
        let ids = self.selected(selector);
        let mut error = LeaseError::NothingConfigured;
        for id in ids {
            let progress = {
                let mut set = self.set();
                match live_token(&set, &id, self.now()) {
                    Live::Token(token) => return Ok(token),
                    Live::Stale => self.depart(&mut set, &id, Errand::refresh(RefreshCause::Demand)),
                    Live::No(reason) => {
                        error = LeaseError::NeedsOperator { reason };
                        None
                    }
                }
            };
            let Some(progress) = progress else { continue };
            let ended = landed(progress, Some(until)).await;
            let set = self.set();
            match live_token(&set, &id, self.now()) {
                Live::Token(token) => return Ok(token),
                Live::No(reason) => error = LeaseError::NeedsOperator { reason },
                Live::Stale => {
                    let reason = ended.and_then(|ended| ended.error()).map_or_else(
                        || "the refresh did not end in time".to_owned(),
                        |error| error.to_string(),
                    );
                    error = LeaseError::Stale { reason };
                }
            }
        }
        Err(error)
    }
}

enum Live {
    Token(AccessToken),
    Stale,
    No(String),
}

/// A credential's token as it can be handed to a script: a rest or a refusal of chats is no reason against it.
fn live_token(set: &Set, id: &CredentialId, now: chrono::DateTime<chrono::Utc>) -> Live {
    let Some(entry) = set.get(id) else { return Live::No("the credential is gone".to_owned()) };
    if let Some(reason) = entry.disabled() {
        return Live::No(reason.to_owned());
    }
    let token = match &entry.credential.login {
        Login::ApiKey(key) => Some(key.clone()),
        Login::OAuth(login) => login.tokens.access.clone(),
    };
    match (entry.phase(now), token) {
        (Phase::Fresh | Phase::Early, Some(token)) => {
            Live::Token(AccessToken { credential: id.clone(), token, expires_at: entry.window.expires_at() })
        }
        (Phase::Fresh | Phase::Early | Phase::Hard, _) if entry.can_refresh() => Live::Stale,
        (Phase::Fresh | Phase::Early | Phase::Hard, _) => {
            Live::No(entry.reason(now).unwrap_or_else(|| State::NeedsLogin.label().to_owned()))
        }
    }
}

/// The reason code of an outcome that speaks against the credential, for the log.
fn reason_code(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Success | Outcome::Neutral => None,
        Outcome::Unauthorized => Some("HTTP 401"),
        Outcome::ModelCooling { reason, .. }
        | Outcome::CredentialCooling { reason, .. }
        | Outcome::ModelUnavailable { reason }
        | Outcome::Refused { reason, .. }
        | Outcome::ProviderFault { reason } => Some(reason),
    }
}
