//! Lending: a ready credential at once, a stale one after its flight, within the caller's time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout_at};

use super::{
    AccessToken, Inner, Lease, LeaseError, Lent, Outcome, RefreshCause, Selector, State, Want,
    cooldown::Mark,
    measure::reason_to_rest,
    outcome::Returned,
    refresher::{Ended, Errand, landed},
    set::{Choice, Set},
    window::Phase,
};
use crate::{
    credential::{CredentialId, Login},
    oauth::RefreshError,
    telemetry::metrics,
};

impl Inner {
    /// Borrows a credential.
    pub(super) async fn lease(self: &Arc<Self>, want: &Want) -> Result<Lease, LeaseError> {
        loop {
            let progress = {
                let mut set = self.set();
                // Read under the lock, so that the table sees the clock step back only when it did.
                let now = self.now();
                match set.choose(want, now) {
                    Choice::Lend(slot) => return self.lend(&mut set, slot, want, now),
                    Choice::Nothing(error) => return Err(error),
                    Choice::Wait(slot) => self.depart_for(&mut set, slot),
                }
            };
            let Some(mut progress) = progress else { continue };
            if timeout_at(want.until, progress.changed()).await.is_err() {
                // The time is up; somebody else may have become ready meanwhile.
                let mut set = self.set();
                let now = self.now();
                return match set.choose(want, now) {
                    Choice::Lend(slot) => self.lend(&mut set, slot, want, now),
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

    fn lend(
        self: &Arc<Self>,
        set: &mut Set,
        slot: usize,
        want: &Want,
        now: DateTime<Utc>,
    ) -> Result<Lease, LeaseError> {
        let taken = set.next_mark();
        let entry = set.lend(slot, &want.model, taken, now).ok_or(LeaseError::NothingConfigured)?;
        let lent = entry.lent.clone().ok_or(LeaseError::NothingConfigured)?;
        if entry.phase(now) == Phase::Early {
            self.wake.notify_one();
        }
        Ok(Lease::of(lent, Arc::clone(&want.model), taken, Arc::clone(self)))
    }

    /// Takes a lease back; one on a credential that was removed meanwhile ends here.
    pub(super) fn take_back(&self, lent: &Lent, model: &str, taken: Mark, outcome: Outcome) {
        let Lent { credential, fingerprint, .. } = lent;
        let code = reason_code(&outcome).map(str::to_owned);
        let mut set = self.set();
        let now = self.now();
        let mark = set.next_mark();
        let Some(entry) = set.get_back(credential, &outcome) else { return };
        let rested = (reason_to_rest(&outcome), entry.rests_until(model));
        let tried = entry.complete(Returned { model, bearer: *fingerprint, taken, mark }, outcome, now);
        if let (Some(reason), before) = rested
            && entry.rests_until(model) > before
        {
            self.parts.metrics.count(&metrics::COOLDOWNS, [lent.provider.as_str(), reason]);
        }
        let ends_at = entry.rest.as_ref().filter(|rest| rest.is_running(now)).map(|rest| rest.until);
        if ends_at.is_some_and(|at| set.scheduled_at.is_some_and(|scheduled| at < scheduled)) {
            self.wake.notify_one();
        }
        let news = set.sweep_one(credential, now);
        drop(set);
        if tried {
            self.openings.send_modify(|count| *count += 1);
        }
        if let Some(reason) = code {
            tracing::info!(credential.id = %credential, model, reason, "A request was turned away");
        }
        self.publish(news);
    }

    /// The service began to answer: others need not wait for the end of it.
    pub(super) fn answering(&self, lent: &Lent, model: &str, taken: Mark) {
        let credential = &lent.credential;
        let mut set = self.set();
        let now = self.now();
        let Some(entry) = set.get_back(credential, &Outcome::Success) else { return };
        let tried = entry.answering(model, taken, now);
        let news = set.sweep_one(credential, now);
        drop(set);
        if tried {
            self.openings.send_modify(|count| *count += 1);
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
        let late = || RefreshError::Transient {
            problem: "the refresh did not end in time".to_owned(),
            retry_after: None,
        };
        let unchanged = || RefreshError::Unknown { problem: "the refresh brought nothing new".to_owned() };
        loop {
            let (progress, joined) = {
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
                let joined = entry.flight.as_ref().map(|flight| flight.errand.clone());
                let errand = Errand::Refresh {
                    cause: RefreshCause::Unauthorized,
                    refused: super::Refused::Keep,
                    failed: Some(lease.fingerprint),
                };
                let progress = self.depart(&mut set, &lease.credential, errand);
                (progress.ok_or(RefreshError::NoRefreshToken)?, joined)
            };
            let in_time = landed(progress, Some(until)).await;
            if is_other(&self.set()) {
                return Ok(());
            }
            match (joined, in_time) {
                // Somebody else's flight that asked for no token says nothing about this one.
                (Some(Errand::Facts | Errand::Save), Some(_))
                | (Some(Errand::Refresh { .. }), Some(Ended::Nothing)) => {}
                (_, Some(ended)) => return Err(ended.error().unwrap_or_else(unchanged)),
                (_, None) => return Err(late()),
            }
        }
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
fn live_token(set: &Set, id: &CredentialId, now: DateTime<Utc>) -> Live {
    let Some(entry) = set.get(id) else { return Live::No("the credential is gone".to_owned()) };
    if let Some(reason) = entry.disabled() {
        return Live::No(reason.into_owned());
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

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use async_trait::async_trait;

    use super::*;
    use crate::{
        clock::{self, VirtualClock},
        config::PoolSettings,
        credential::{Facts, OAuthLogin, Store, StoreOptions},
        oauth::{Grant, Refresh},
        pool::{Background, Pool, PoolParts},
        provider::{Catalog, Provider},
        secret::Secret,
        shutdown::Shutdown,
        telemetry::metrics::Metrics,
    };

    /// Grants, and counts.
    #[derive(Default)]
    struct Granting(AtomicU32);

    #[async_trait]
    impl Refresh for Granting {
        async fn refresh(&self, _provider: &Provider, _login: &OAuthLogin) -> Result<Grant, RefreshError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Grant {
                access: Secret::new("FAKE-access-granted"),
                refresh: Some(Secret::new("FAKE-refresh-granted")),
                lifetime: Some(Duration::from_hours(1)),
                facts: Facts::default(),
                foreign_host: None,
            })
        }

        async fn after_grant(
            &self,
            _provider: &Provider,
            _access: &Secret,
            _known: &Facts,
        ) -> Result<Facts, RefreshError> {
            Ok(Facts::default())
        }
    }

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "a test plays the program that owns the file")]
    async fn p31_a_401_that_meets_a_flight_without_a_refresh_still_gets_its_own() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("qwen.json"),
            r#"{"access_token":"FAKE-access","refresh_token":"FAKE-refresh","expires_at":1790007200}"#,
        )
        .unwrap();
        let clock = Arc::new(VirtualClock::starting_at(DateTime::from_timestamp(1_790_000_000, 0).unwrap()));
        let providers = Arc::new(Catalog::builtin());
        let state_dir = folder.path().join("state");
        let options = StoreOptions {
            state_dir: state_dir.clone(),
            allow_state_writeback: false,
            providers: Arc::clone(&providers),
            clock: clock.clone(),
        };
        let refresh = Arc::new(Granting::default());
        let pool = Pool::start(PoolParts {
            settings: PoolSettings {
                credentials_dir: folder.path().to_owned(),
                state_dir,
                ..PoolSettings::default()
            },
            providers,
            store: Arc::new(Store::new(options)),
            refresh: refresh.clone(),
            clock,
            state: Arc::new(crate::pool::Forgetful),
            shutdown: Shutdown::new(),
            metrics: Metrics::default(),
            background: Background::Off,
        })
        .await;
        let until = clock::instant() + Duration::from_secs(30);
        let want = Want::new("qwen_code".parse().unwrap(), "a-model", until);
        let lease = pool.lease(&want).await.unwrap();
        let inner = &pool.inner;
        assert!(inner.depart(&mut inner.set(), &lease.credential, Errand::Save).is_some());
        assert_eq!(pool.refresh_after_401(&lease, until).await, Ok(()));
        assert_eq!(refresh.0.load(Ordering::SeqCst), 1);
    }
}
