//! One refresh, step by step: lock, read again, adopt what is newer, prove the place, ask, save at once, publish.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    Inner, PoolEvent, RefreshCause, Refused,
    at_rest::{Look, Written},
    cooldown::{FailureClass, refresh_delay},
    entry::{Entry, Origin},
    refresher::{Ended, Errand, INVALID_CLIENT, Report},
    traits::ClientKey,
    window::{Phase, after},
};
use crate::{
    clock::instant,
    credential::{
        Credential, CredentialId, Facts, Fingerprint, Guard, LockNotes, LockedFailure, OAuthLogin,
        OtherClient, StoreError, Tokens,
    },
    fs::at_rest,
    oauth::{Grant, RefreshError},
    provider::Provider,
    telemetry::metrics,
};

/// At most one request in this while, whatever the replies say (P9).
const SPACING: Duration = Duration::from_secs(30);
/// A lock is waited for this much longer than a token request can take.
const LOCK_SLACK: Duration = Duration::from_secs(5);
/// How often a lock that somebody holds is asked for.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// What a grant that names no usable life is taken to live.
const ASSUMED_LIFE: Duration = Duration::from_hours(1);
/// Longer holds than this do not come from us: a clock was stepped.
const LONGEST_HOLD: Duration = Duration::from_hours(2);
/// The class of a refused token in a lock file. It holds by fingerprint, not by time.
const INVALID_GRANT: &str = "invalid_grant";

/// What a flight does next, decided under the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// The token at hand will do.
    Enough,
    /// This refresh token was refused; it is not sent again.
    RefusedBefore(Fingerprint),
    /// There is no refresh token.
    NoRefreshToken,
    /// The token was granted just now, or for an earlier 401, and is refused.
    Hopeless,
    /// This refresh token belongs to another client; it is not sent with the same one again.
    OtherClient {
        /// The refresh token.
        token: Fingerprint,
        /// The code that said so.
        code: String,
    },
    /// Not before this instant.
    Wait {
        /// Why.
        error: RefreshError,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Ask the token endpoint.
    Ask,
}

impl Entry {
    /// What to do about a wish for a token, with what the lock file says.
    pub(super) fn decide(
        &self,
        wish: (RefreshCause, Refused, Option<Fingerprint>),
        adopted: Option<Origin>,
        notes: &LockNotes,
        now: DateTime<Utc>,
    ) -> Decision {
        let (cause, refused, failed) = wish;
        let phase = self.phase(now);
        let live = phase != Phase::Hard;
        let enough = match cause {
            RefreshCause::Early | RefreshCause::Demand => phase == Phase::Fresh,
            RefreshCause::Unauthorized => live && self.bearer().map(|(_, print)| *print) != failed,
            RefreshCause::Operator => live && adopted.is_some(),
        };
        if enough {
            return Decision::Enough;
        }
        if cause == RefreshCause::Unauthorized && live && self.forced.is_some() && self.forced == failed {
            return Decision::Hopeless;
        }
        let Some(token) = self.refresh_print() else { return Decision::NoRefreshToken };
        if refused == Refused::Keep && [self.refused_login, notes.refused].contains(&Some(token)) {
            return Decision::RefusedBefore(token);
        }
        if cause == RefreshCause::Operator {
            return Decision::Ask;
        }
        if let Some((token, code)) = self.mismatch(notes) {
            return Decision::OtherClient { token, code };
        }
        let recent = [notes.succeeded_at, self.granted_at]
            .into_iter()
            .flatten()
            // A success in the future was noted before the clock stepped back.
            .filter(|at| *at <= now && now < after(*at, SPACING))
            .max();
        match (recent, cause) {
            // Only a caller is content with that; the background would come back at once, and for ever.
            (Some(_), RefreshCause::Demand) if live => return Decision::Enough,
            (Some(_), RefreshCause::Unauthorized) if live => return Decision::Hopeless,
            (Some(at), _) => {
                let problem = "the last token was stale when it came".to_owned();
                let error = RefreshError::Transient { problem, retry_after: None };
                return Decision::Wait { error, until: after(at, SPACING) };
            }
            (None, _) => {}
        }
        if let Some(LockedFailure { at, class, until }) = &notes.failure
            && class != INVALID_GRANT
            && *at <= now
            && now < *until
            && *until <= after(*at, LONGEST_HOLD)
        {
            let error =
                RefreshError::Transient { problem: format!("{class} a moment ago"), retry_after: None };
            return Decision::Wait { error, until: *until };
        }
        Decision::Ask
    }
}

impl Inner {
    /// Flies one errand to its end.
    pub(super) async fn fly(self: &Arc<Self>, id: &CredentialId, errand: &Errand, report: &Report) -> Ended {
        let Some((credential, provider)) = self.subject(id) else { return Ended::Gone };
        match errand {
            Errand::Refresh { cause, refused, failed } => {
                let wish = (*cause, *refused, *failed);
                match self.new_token(credential, &provider, wish).await {
                    Ok(ended @ Ended::Refreshed) => {
                        report.published();
                        match self.after_grant(id, &provider).await {
                            Ok(()) => ended,
                            Err(ended) => ended,
                        }
                    }
                    Ok(ended) | Err(ended) => ended,
                }
            }
            Errand::Facts => match self.after_grant(id, &provider).await {
                Ok(()) => Ended::Nothing,
                Err(ended) => ended,
            },
            Errand::Save => {
                self.save_again(&credential, &provider).await;
                Ended::Nothing
            }
        }
    }

    fn subject(&self, id: &CredentialId) -> Option<(Credential, Provider)> {
        let credential = self.set().get(id)?.credential.clone();
        let provider = self.parts.providers.get(&credential.provider)?.clone();
        Some((credential, provider))
    }

    async fn new_token(
        self: &Arc<Self>,
        credential: Credential,
        provider: &Provider,
        wish: (RefreshCause, Refused, Option<Fingerprint>),
    ) -> Result<Ended, Ended> {
        let id = &credential.id;
        let guard = self.lock(&credential).await.map_err(Ended::Store)?;
        let mut look = Look::take(guard).await;
        let mut adopted = self.adopt_newer(id, provider, look.login.clone().map_err(Ended::Store)?);
        // The second round is for a refresh token that somebody wrote while the first was being refused.
        for round in 0..2 {
            let decision = {
                let set = self.set();
                let entry = set.get(id).ok_or(Ended::Gone)?;
                entry.decide(wish, adopted, &look.notes, self.now())
            };
            match decision {
                Decision::Enough if adopted.is_some() => return Ok(Ended::Adopted),
                Decision::Enough => return Ok(Ended::Nothing),
                Decision::RefusedBefore(token) => return Err(Ended::RefusedBefore(token)),
                Decision::Hopeless => return Err(Ended::Hopeless),
                Decision::NoRefreshToken => return Err(self.failed(id, RefreshError::NoRefreshToken)),
                Decision::OtherClient { token, code } => {
                    let error = RefreshError::ClientRefused { code };
                    let until = self.retry_at(&error, 1);
                    return Err(Ended::Failed { error, until, judged: Some(token) });
                }
                Decision::Wait { error, until } => return Err(Ended::Waiting { error, until }),
                Decision::Ask => {}
            }
            let rotates = provider.oauth().is_some_and(|spec| spec.rotates);
            let (guard, proof) = Look::prove(look.guard, rotates).await;
            proof.map_err(Ended::Store)?;
            let login = {
                let mut set = self.set();
                let entry = set.get_mut(id).ok_or(Ended::Gone)?;
                entry.refresh_attempts = entry.refresh_attempts.saturating_add(1);
                entry.login().cloned().ok_or(Ended::Gone)?
            };
            let asked_at = self.now();
            let sent = login.tokens.refresh.as_ref().map(Fingerprint::of);
            match self.parts.refresh.refresh(provider, &login).await {
                Ok(grant) => {
                    let foreign = grant.foreign_host.clone();
                    let login = granted(login, grant, asked_at);
                    let origin = self.save_and_publish(&credential, provider, guard, login).await;
                    return match foreign {
                        _ if origin == Origin::File => Ok(Ended::Adopted),
                        // The reply may have spent the refresh token: it was saved first, and is held from now on.
                        Some(host) => Err(self.failed(id, RefreshError::ForeignEndpoint { host })),
                        None => Ok(Ended::Refreshed),
                    };
                }
                Err(error @ RefreshError::InvalidGrant { .. }) => {
                    look = Look::take(guard).await;
                    if let Ok(found) = look.login.clone() {
                        self.adopt_newer(id, provider, found);
                    }
                    // Found just now, or taken in by the watcher while the request was under way.
                    let is_other = self.set().get(id).is_some_and(|entry| entry.refresh_print() != sent);
                    if round == 0 && is_other {
                        adopted = Some(Origin::File);
                        continue;
                    }
                    return Err(self.note_failure(id, look, error, sent).await);
                }
                Err(error @ RefreshError::ClientRefused { .. }) => {
                    let look = Look { guard, ..look };
                    return Err(self.note_failure(id, look, error, sent).await);
                }
                Err(error) => {
                    let look = Look { guard, ..look };
                    return Err(self.note_failure(id, look, error, None).await);
                }
            }
        }
        Err(self.failed(id, RefreshError::InvalidGrant { code: INVALID_GRANT.to_owned() }))
    }

    /// Takes the place's lock, and has status say who holds it meanwhile. Gives up after the time that the holder's token
    /// request can take, and a little (P2).
    pub(super) async fn lock(&self, credential: &Credential) -> Result<Guard, StoreError> {
        let limit = self.parts.refresh.timeout() + LOCK_SLACK;
        let began = instant();
        loop {
            let (store, place) = (Arc::clone(&self.parts.store), credential.clone());
            // Waiting is done here, not on the blocking thread: there are fewer of those than credentials may be waited for.
            let result = at_rest(move || store.lock(&place, Duration::ZERO)).await;
            let holder = match &result {
                Err(StoreError::Locked { holder, .. }) => Some(holder.clone()),
                Ok(_) | Err(_) => None,
            };
            let is_held = holder.is_some();
            if let Some(entry) = self.set().get_mut(&credential.id) {
                entry.lock_holder = holder;
            }
            let waited = began.elapsed();
            match result {
                Err(StoreError::Locked { path, holder, .. }) if waited >= limit => {
                    return Err(StoreError::Locked { path, holder, waited });
                }
                result if !is_held => return result,
                Ok(_) | Err(_) => tokio::time::sleep(LOCK_POLL).await,
            }
        }
    }

    /// Adopts what the file holds, if it is newer (P5), and the client that it names in any case.
    fn adopt_newer(&self, id: &CredentialId, provider: &Provider, found: OAuthLogin) -> Option<Origin> {
        let now = self.now();
        let mut set = self.set();
        let entry = set.get_mut(id)?;
        entry.amend_client(&found, provider);
        if !entry.is_newer(&found.tokens) {
            return None;
        }
        entry.adopt(found, Origin::File, now);
        Some(Origin::File)
    }

    /// Saves a grant, with nothing between the reply and the write (P12), and lends it from then on. A save that fails
    /// leaves the token in memory, to be saved later (P14). Where somebody wrote another login meanwhile, that one counts,
    /// and the grant is let go.
    async fn save_and_publish(
        &self,
        credential: &Credential,
        provider: &Provider,
        guard: Guard,
        login: OAuthLogin,
    ) -> Origin {
        let notes = LockNotes { succeeded_at: Some(self.now()), ..LockNotes::default() };
        let saved = match self.write(credential, guard, login.clone(), Some(notes)).await {
            Ok(Written::Saved) => Ok(()),
            Ok(Written::Superseded(found)) => match self.give_way(credential, provider, *found) {
                Ok(()) => return Origin::File,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let now = self.now();
        let mut set = self.set();
        let mut client = None;
        if let Some(entry) = set.get_mut(&credential.id) {
            entry.adopt(login, Origin::Grant, now);
            client.clone_from(&entry.client);
        }
        if let Some(client) = client {
            set.accept_client(&client);
        }
        drop(set);
        self.note_save(&credential.id, saved);
        Origin::Grant
    }

    /// Takes the login that somebody wrote while ours was to be saved. An old copy that was put back is none: ours lives
    /// in memory until the next try.
    fn give_way(
        &self,
        credential: &Credential,
        provider: &Provider,
        found: OAuthLogin,
    ) -> Result<(), StoreError> {
        let written = found.tokens.refresh.as_ref().map(Fingerprint::of);
        self.adopt_newer(&credential.id, provider, found);
        if self.set().get(&credential.id).is_none_or(|entry| entry.refresh_print() == written) {
            return Ok(());
        }
        Err(StoreError::NotSaved {
            path: credential.place.label(),
            problem: "an older copy was put in its place".to_owned(),
            journal: None,
        })
    }

    /// Remembers whether a write went well, and says so when that changed.
    fn note_save(&self, id: &CredentialId, saved: Result<(), StoreError>) {
        let now = self.now();
        let mut set = self.set();
        let Some(entry) = set.get_mut(id) else { return };
        let before = entry.unsaved.is_some();
        let problem = match &saved {
            Ok(()) => {
                entry.saved();
                None
            }
            Err(error) => {
                let failures = entry.unsaved.as_ref().map_or(1, |unsaved| unsaved.failures.saturating_add(1));
                self.parts.metrics.count(&metrics::SAVES_FAILED, [entry.credential.provider.as_str()]);
                entry.not_saved(error, after(now, refresh_delay(FailureClass::Ours, failures, None)));
                Some(error.to_string())
            }
        };
        let provider = entry.credential.provider.clone();
        drop(set);
        if before == problem.is_some() {
            return;
        }
        if let Some(reason) = &problem {
            tracing::error!(credential.id = %id, %provider, reason, "A new token could not be saved; it lives in memory and is saved again");
        } else {
            tracing::info!(credential.id = %id, %provider, "The token is saved again");
        }
        self.publish([PoolEvent::Unsaved { credential: id.clone(), provider, problem }]);
        self.wake.notify_one();
    }

    /// Writes a failure into the lock file, for everybody (P3, P4), and says when to ask again.
    async fn note_failure(
        &self,
        id: &CredentialId,
        look: Look,
        error: RefreshError,
        judged: Option<Fingerprint>,
    ) -> Ended {
        let failures = look.notes.failures.saturating_add(1);
        let until = self.retry_at(&error, failures);
        let mut refused = look.notes.refused;
        let mut other_client = look.notes.other_client.clone();
        let class = match &error {
            RefreshError::InvalidGrant { .. } => {
                refused = judged.or(refused);
                INVALID_GRANT
            }
            RefreshError::ClientRefused { code } => {
                let client = self.set().get(id).and_then(|entry| entry.client.as_ref().map(ClientKey::print));
                if let (Some(token), Some(client), false) = (judged, client, code == INVALID_CLIENT) {
                    other_client = Some(OtherClient { token, client, code: code.clone() });
                }
                "client"
            }
            RefreshError::Transient { .. } => "transient",
            // No request was made, or not of the token: nothing that another process should know.
            RefreshError::NoClient { .. } | RefreshError::NoRefreshToken => {
                return Ended::Failed { error, until, judged };
            }
            RefreshError::Unknown { .. }
            | RefreshError::ForeignEndpoint { .. }
            | RefreshError::Refused { .. } => "unknown",
        };
        let failure = Some(LockedFailure { at: self.now(), class: class.to_owned(), until });
        let notes = LockNotes { refused, failure, failures, other_client, ..look.notes };
        let mut guard = look.guard;
        let written = at_rest(move || guard.set_notes(&notes)).await;
        if let Err(problem) = written {
            tracing::debug!(reason = %problem, "The lock file's notes could not be written");
        }
        Ended::Failed { error, until, judged }
    }

    /// Saves what is in memory, unless the file holds something newer, which is adopted.
    pub(super) async fn save_again(&self, credential: &Credential, provider: &Provider) {
        let id = &credential.id;
        let saved = async {
            let look = Look::take(self.lock(credential).await?).await;
            self.adopt_newer(id, provider, look.login?);
            let login = self.set().get(id).and_then(|entry| entry.login().cloned());
            match login {
                Some(login) => match self.write(credential, look.guard, login, None).await? {
                    Written::Saved => Ok(()),
                    Written::Superseded(found) => self.give_way(credential, provider, *found),
                },
                None => Ok(()),
            }
        };
        let saved = saved.await;
        self.note_save(id, saved);
    }
}

/// The login after a grant: what the reply did not name lives on.
fn granted(old: OAuthLogin, grant: Grant, asked_at: DateTime<Utc>) -> OAuthLogin {
    let Grant { access, refresh, lifetime, facts, foreign_host: _ } = grant;
    let lifetime = lifetime.unwrap_or(ASSUMED_LIFE);
    let tokens = Tokens {
        access: Some(access),
        refresh: refresh.or(old.tokens.refresh),
        expires_at: Some(after(asked_at, lifetime)),
        lifetime: Some(lifetime),
    };
    let facts = Facts {
        account: facts.account.or(old.facts.account),
        project_id: facts.project_id.or(old.facts.project_id),
        resource_url: facts.resource_url.or(old.facts.resource_url),
        api_key: facts.api_key.or(old.facts.api_key),
    };
    OAuthLogin { tokens, facts, ..old }
}
