//! Flights: one per credential at a time, run in the pool's own tasks, so that no caller's end loses a token (P7).
//!
//! This file starts them and takes them in; what one does under way stands in `flight`.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    Inner, LastRefresh, PoolEvent, RefreshCause, Refused,
    cooldown::{FailureClass, refresh_delay},
    entry::{Entry, Refusal, RefusalKind},
    set::Set,
    single_flight::{self, Landing, Pilot},
    window::after,
};
use crate::{
    clock,
    credential::{CredentialId, Fingerprint, StoreError},
    oauth::RefreshError,
    provider::ProviderId,
};

/// The code that concerns a client as a whole. Another one, `unauthorized_client`, speaks of a refresh token that some
/// other client was given (RFC 6749, section 5.2).
pub(super) const INVALID_CLIENT: &str = "invalid_client";

/// What a flight does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Errand {
    /// Gets a new token.
    Refresh {
        /// Why.
        cause: RefreshCause,
        /// Whether a refused token may be sent.
        refused: Refused,
        /// The bearer that a 401 answered.
        failed: Option<Fingerprint>,
    },
    /// Runs the steps after a grant for a token that is still good.
    Facts,
    /// Saves a token that is in memory only.
    Save,
}

impl Errand {
    /// A refresh for this reason.
    pub(super) fn refresh(cause: RefreshCause) -> Self {
        Self::Refresh { cause, refused: Refused::Keep, failed: None }
    }

    fn cause(&self) -> Option<RefreshCause> {
        match self {
            Self::Refresh { cause, .. } => Some(*cause),
            Self::Facts | Self::Save => None,
        }
    }
}

/// How far a flight is.
pub(super) type Progress = single_flight::Progress<Ended>;

/// How a flight ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// A new token.
    Refreshed,
    /// A newer token stood in the file.
    Adopted,
    /// There was nothing to do.
    Nothing,
    /// This refresh token was refused before; nothing was sent (P4).
    RefusedBefore(Fingerprint),
    /// Another process failed a moment ago, or a token was granted a moment ago (P3, P9); nothing was sent.
    Waiting {
        /// Why.
        error: RefreshError,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The exchange, or a step after it that the credential cannot do without, failed.
    Failed {
        /// Why.
        error: RefreshError,
        /// Until when nobody asks again.
        until: DateTime<Utc>,
        /// The refresh token that was sent, where the answer speaks of that one.
        judged: Option<Fingerprint>,
    },
    /// A token that was granted just now is refused: asking again would only hammer.
    Hopeless,
    /// The place could not be locked, read or written.
    Store(StoreError),
    /// The credential was removed meanwhile.
    Gone,
}

impl Ended {
    /// The error, for those who waited for a token.
    pub(super) fn error(&self) -> Option<RefreshError> {
        match self {
            Self::Refreshed | Self::Adopted | Self::Nothing => None,
            Self::RefusedBefore(_) => Some(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() }),
            Self::Waiting { error, .. } | Self::Failed { error, .. } => Some(error.clone()),
            Self::Hopeless => Some(RefreshError::Refused { reason: "HTTP 401".to_owned(), link: None }),
            Self::Store(error) => {
                Some(RefreshError::Transient { problem: error.to_string(), retry_after: None })
            }
            Self::Gone => Some(RefreshError::NoRefreshToken),
        }
    }
}

/// A flight's way to say how far it is.
pub(super) type Report = Pilot<Ended, Home>;

/// Where a flight lands.
pub(super) struct Home {
    inner: Arc<Inner>,
    credential: CredentialId,
    provider: ProviderId,
    errand: Errand,
    begun_at: Instant,
}

impl Landing<Ended> for Home {
    fn land(&self, ended: &Ended) {
        if let Some(cause) = self.errand.cause() {
            self.inner.measure_refresh(&self.provider, cause, ended, self.begun_at);
        }
        self.inner.land(&self.credential, &self.provider, &self.errand, ended);
        self.inner.wake.notify_one();
    }

    fn broken_off(&self) -> Ended {
        let problem = "the refresh broke off".to_owned();
        self.inner.failed(&self.credential, RefreshError::Unknown { problem })
    }
}

impl Inner {
    /// Joins the credential's flight, or starts one. The receiver reports what happens from now on.
    pub(super) fn depart(
        self: &Arc<Self>,
        set: &mut Set,
        credential: &CredentialId,
        errand: Errand,
    ) -> Option<watch::Receiver<Progress>> {
        let entry = set.get_mut(credential)?;
        let home = Home {
            inner: Arc::clone(self),
            credential: credential.clone(),
            provider: entry.credential.provider.clone(),
            errand: errand.clone(),
            begun_at: clock::instant(),
        };
        let (progress, report) = single_flight::board(&mut entry.flight, errand.clone(), home);
        let Some(mut report) = report else { return Some(progress) };
        if is_background(&errand) {
            set.background += 1;
        }
        let (inner, credential) = (Arc::clone(self), credential.clone());
        drop(self.parts.shutdown.spawn(async move {
            report.take_off();
            let ended = inner.fly(&credential, &errand, &report).await;
            report.end(ended);
        }));
        Some(progress)
    }

    /// How long a failed refresh waits, as the end of a flight.
    pub(super) fn failed(&self, credential: &CredentialId, error: RefreshError) -> Ended {
        let failures =
            self.set().get(credential).and_then(|entry| entry.trouble.as_ref().map(|it| it.failures));
        let until = self.retry_at(&error, failures.unwrap_or(0).saturating_add(1));
        Ended::Failed { error, until, judged: None }
    }

    /// When to ask again after this failure.
    pub(super) fn retry_at(&self, error: &RefreshError, failures: u32) -> DateTime<Utc> {
        let delay = match error {
            RefreshError::Transient { retry_after, .. } => {
                refresh_delay(FailureClass::Transient, failures, *retry_after)
            }
            // These hold by themselves, for a token, a client or an account; the while only spaces what would spin.
            RefreshError::InvalidGrant { .. }
            | RefreshError::ClientRefused { .. }
            | RefreshError::NoRefreshToken
            | RefreshError::ForeignEndpoint { .. }
            | RefreshError::Refused { .. } => Duration::from_secs(30),
            RefreshError::Unknown { .. } | RefreshError::NoClient { .. } => {
                refresh_delay(FailureClass::Unknown, failures, None)
            }
        };
        after(self.now(), delay)
    }

    /// Takes a flight in: what its end means for the credential, the log line, the news.
    fn land(&self, id: &CredentialId, provider: &ProviderId, errand: &Errand, ended: &Ended) {
        let now = self.now();
        let mut set = self.set();
        if is_background(errand) {
            set.background = set.background.saturating_sub(1);
        }
        let mut refused_client = None;
        let mut account = String::new();
        if let Some(entry) = set.get_mut(id) {
            entry.flight = None;
            entry.landed += 1;
            account.clone_from(&entry.account);
            take_in(entry, errand, ended, now);
            if let Ended::Failed { error: RefreshError::ClientRefused { code }, .. } = ended
                && code == INVALID_CLIENT
            {
                refused_client = entry.client.clone().map(|client| (client, code.clone()));
            }
        }
        if let Some((client, code)) = refused_client {
            set.refuse_client(&client, &code);
        }
        let changes = set.sweep(now);
        drop(set);
        if let Some(cause) = errand.cause() {
            self.report_refresh(id, provider, &account, cause, ended);
        }
        self.publish(changes);
    }

    fn report_refresh(
        &self,
        id: &CredentialId,
        provider: &ProviderId,
        account: &str,
        cause: RefreshCause,
        ended: &Ended,
    ) {
        let cause_name = cause.name();
        let failure = match ended {
            Ended::Refreshed => {
                tracing::info!(credential.id = %id, %provider, account, cause = cause_name, "Refreshed the token");
                None
            }
            Ended::Adopted => {
                tracing::info!(credential.id = %id, %provider, account, cause = cause_name, "Adopted a newer token from its file");
                None
            }
            Ended::Failed { error, until, judged: _ } => {
                let retry = until.signed_duration_since(self.now()).num_seconds();
                tracing::warn!(credential.id = %id, %provider, account, cause = cause_name, reason = %error, retry_secs = retry, "The refresh failed");
                Some(error.to_string())
            }
            Ended::Store(error) => {
                tracing::warn!(credential.id = %id, %provider, account, cause = cause_name, reason = %error, "The refresh was not tried");
                Some(error.to_string())
            }
            Ended::RefusedBefore(_)
            | Ended::Waiting { .. }
            | Ended::Hopeless
            | Ended::Nothing
            | Ended::Gone => {
                tracing::debug!(credential.id = %id, %provider, account, cause = cause_name, "No token was asked for");
                return;
            }
        };
        let event =
            PoolEvent::Refreshed { credential: id.clone(), provider: provider.clone(), cause, failure };
        self.publish([event]);
    }
}

/// What the end of a flight does to its credential.
pub(super) fn take_in(entry: &mut Entry, errand: &Errand, ended: &Ended, now: DateTime<Utc>) {
    let refresh = errand.cause().is_some();
    let mut failure = None;
    match ended {
        Ended::Refreshed | Ended::Adopted => {
            entry.trouble = None;
            if errand.cause() == Some(RefreshCause::Unauthorized) {
                entry.forced = entry.bearer().map(|(_, print)| *print);
            }
        }
        Ended::Nothing | Ended::Hopeless | Ended::Gone => return,
        Ended::RefusedBefore(judged) => {
            entry.refused_login = Some(*judged);
            return;
        }
        Ended::Waiting { error, until } => {
            entry.failed(error.clone(), *until);
            return;
        }
        Ended::Failed { error, until, judged } => {
            failure = Some(error.to_string());
            match error {
                RefreshError::InvalidGrant { .. } => entry.refused_login = judged.or(entry.refused_login),
                RefreshError::ForeignEndpoint { host } => entry.foreign = Some(host.clone()),
                RefreshError::Refused { reason, link } => {
                    let (reason, link) = (reason.clone(), link.clone());
                    entry.refusal = Some(Refusal { reason, kind: RefusalKind::Account, link });
                }
                RefreshError::ClientRefused { code } if code != INVALID_CLIENT => {
                    entry.mismatched = judged.map(|token| (token, code.clone()));
                }
                RefreshError::NoRefreshToken
                | RefreshError::ClientRefused { .. }
                | RefreshError::NoClient { .. }
                | RefreshError::Transient { .. }
                | RefreshError::Unknown { .. } => {}
            }
            // What was said of a token that is replaced by now holds the new one back from nothing.
            if judged.is_none() || *judged == entry.refresh_print() {
                entry.failed(error.clone(), *until);
            }
        }
        Ended::Store(error) => {
            failure = Some(error.to_string());
            let failures = entry.trouble.as_ref().map_or(0, |trouble| trouble.failures).saturating_add(1);
            let until = after(now, refresh_delay(FailureClass::Ours, failures, None));
            if let StoreError::Locked { holder, .. } = error {
                entry.lock_holder = Some(holder.clone());
            }
            entry.failed(RefreshError::Transient { problem: error.to_string(), retry_after: None }, until);
        }
    }
    if refresh {
        entry.last_refresh = Some(LastRefresh { at: now, failure });
    }
}

/// Whether nobody waits for it: such flights have bounded parallelism (P8).
fn is_background(errand: &Errand) -> bool {
    match errand.cause() {
        // Besides early refreshes: the steps after a grant, and saves.
        Some(RefreshCause::Early) | None => true,
        Some(RefreshCause::Demand | RefreshCause::Unauthorized | RefreshCause::Operator) => false,
    }
}

/// Waits for the end of a flight, until an instant; `None` when that came first.
pub(super) async fn landed(progress: watch::Receiver<Progress>, until: Option<Instant>) -> Option<Ended> {
    let end = async { single_flight::ended(progress).await.unwrap_or(Ended::Gone) };
    match until {
        Some(until) => timeout_at(until, end).await.ok(),
        None => Some(end.await),
    }
}
