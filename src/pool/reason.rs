//! Why a credential is in its state, and what to do about it: one sentence, never a secret.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{
    CoolingModel, CredentialView, State,
    entry::{Entry, Refusal, RefusalKind},
};
use crate::{
    credential::{CredentialId, Fingerprint, Rejected, Renewal},
    provider::meaning_of,
};

impl Entry {
    /// Until when it rests as a whole, or its next step is held back.
    pub(super) fn resting_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let rest = self.rest.as_ref().filter(|rest| rest.is_running(now)).map(|rest| rest.until);
        rest.or_else(|| self.trouble.as_ref().filter(|_| self.lacks_facts()).map(|trouble| trouble.until))
    }

    /// Why it is in its state, and what to do. `None` when ready and nothing threatens that.
    pub(super) fn reason(&self, now: DateTime<Utc>) -> Option<String> {
        match self.state(now) {
            State::Ready => {
                self.is_login_refused().then(|| format!("it still works, but {}", self.login_reason()))
            }
            State::Early => Some(self.early_reason(now)),
            State::Refreshing => Some("a refresh is under way".to_owned()),
            State::Expired => Some(self.expired_reason(now)),
            State::Cooling => Some(self.cooling_reason(now)),
            State::NeedsLogin => Some(self.login_reason()),
            State::Refused => self.refusal.as_ref().map(|refusal| self.refused_reason(refusal)),
            State::Disabled => self.disabled().map(Cow::into_owned),
            State::Unusable => self.foreign.as_ref().map(|host| {
                let next = &self.traits.log_in_again;
                format!("foreign endpoint {host}: not a host of this provider; {next}")
            }),
        }
    }

    /// Why the service says no: what its code means, what to do, and what became of the provider.
    fn refused_reason(&self, refusal: &Refusal) -> String {
        let reason = &refusal.reason;
        let mut sentence = match refusal.kind {
            RefusalKind::Token => format!(
                "a freshly refreshed token was refused ({reason}): the account may have lost its access; {}, or refresh it \
                 by hand to try once more",
                self.traits.log_in_again
            ),
            RefusalKind::Account => {
                let meaning = meaning_of(reason).map(|meaning| format!("{meaning}; ")).unwrap_or_default();
                format!(
                    "the service refuses this account ({reason}), the token is fine: {meaning}settle it with the provider, \
                     then enable the credential again"
                )
            }
        };
        if let Some(lifecycle) = &self.traits.lifecycle {
            sentence = format!("{sentence}. Of the provider is known, {lifecycle}");
        }
        sentence
    }

    fn login_reason(&self) -> String {
        let what = self.login().map_or("the login", |login| match login.tokens.refresh {
            Some(_) => "the refresh token was refused",
            None => "the token has expired and there is no refresh token",
        });
        format!(
            "{what}: {}, whose new file takes the place of {}",
            self.traits.log_in_again,
            self.credential.place.label()
        )
    }

    fn early_reason(&self, now: DateTime<Utc>) -> String {
        if !self.can_refresh() {
            return format!("it still works, but {}", self.login_reason());
        }
        match self.hindrance(now) {
            Some(hindrance) => format!("it still works, but {hindrance}"),
            None => "its refresh is due".to_owned(),
        }
    }

    fn expired_reason(&self, now: DateTime<Utc>) -> String {
        match self.hindrance(now) {
            Some(hindrance) => format!("expired, and {hindrance}"),
            None => "expired; it is refreshed when it is next needed".to_owned(),
        }
    }

    /// What keeps a refresh from succeeding.
    fn hindrance(&self, now: DateTime<Utc>) -> Option<String> {
        if let Some(code) = &self.client_refused {
            let prefix = &self.traits.prefix;
            return Some(format!(
                "the client id or secret was refused ({code}): check {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET"
            ));
        }
        if let Some(code) = self.refused_client() {
            let prefix = &self.traits.prefix;
            let place = self.credential.place.label();
            match self.login().map(|login| login.renewal) {
                Some(Renewal::ClientCredentials) => {
                    return Some(format!(
                        "the client was refused ({code}): check {place} and {prefix}_CLIENT_ID"
                    ));
                }
                Some(Renewal::ServiceAccount) => {
                    return Some(format!(
                        "the service account's key was refused ({code}): check {place} and this machine's clock, then refresh \
                         it by hand"
                    ));
                }
                Some(Renewal::RefreshToken) | None => {}
            }
            return Some(format!(
                "this login belongs to another client ({code}): set {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET to the \
                 client of the program that made it, or {}",
                self.traits.log_in_again
            ));
        }
        let trouble = self.trouble.as_ref()?;
        let next = if now < trouble.until {
            format!("next try at {}", trouble.until.format("%H:%M:%S UTC"))
        } else {
            "tried again at the next need".to_owned()
        };
        Some(format!("{}; {next}", trouble.reason))
    }

    fn cooling_reason(&self, now: DateTime<Utc>) -> String {
        if let Some(rest) = self.rest.as_ref().filter(|rest| rest.is_running(now)) {
            return format!("{}: others serve meanwhile; clear the cooldown to try it sooner", rest.reason);
        }
        let hindrance = self.hindrance(now).unwrap_or_default();
        format!("the token is fine, but the step after the grant failed: {hindrance}")
    }

    /// As it can be shown.
    pub(super) fn view(&self, now: DateTime<Utc>) -> CredentialView {
        let mut cooling_models: Vec<CoolingModel> = self
            .models
            .iter()
            .filter(|(_, rest)| rest.is_running(now))
            .map(|(model, rest)| CoolingModel {
                model: model.clone(),
                until: rest.until,
                reason: rest.reason.clone(),
            })
            .collect();
        cooling_models.sort_by(|one, other| one.model.cmp(&other.model));
        let state = self.state(now);
        let reason = match (&self.unsaved, self.reason(now)) {
            (None, reason) => reason,
            (Some(unsaved), reason) => {
                let saving = format!(
                    "the last write failed ({}), the token lives in memory and is saved again",
                    unsaved.problem
                );
                Some(reason.map_or(saving.clone(), |reason| format!("{reason}; {saving}")))
            }
        };
        CredentialView {
            id: self.credential.id.clone(),
            provider: Some(self.credential.provider.clone()),
            account: self.account.clone(),
            dialect: self.credential.dialect.name(),
            place: self.credential.place.label(),
            state,
            reason,
            unsaved: self.unsaved.is_some(),
            expires_at: self.window.expires_at(),
            cooling_until: if state == State::Cooling { self.resting_until(now) } else { None },
            cooling_models,
            last_refresh: self.last_refresh.clone(),
            refresh_attempts: self
                .refresh_attempts
                .saturating_add(u32::try_from(self.earlier.refresh_attempts).unwrap_or(u32::MAX)),
            last_used_at: self.last_used_at,
            requests: self.requests.saturating_add(self.earlier.requests),
            failures: self.failures.saturating_add(self.earlier.failures),
            counted_since: self.earlier.since.and_then(DateTime::from_timestamp_millis),
            in_flight: self.in_flight,
            lock_holder: self.lock_holder.clone(),
            quota: None,
        }
    }
}

/// A source that cannot be used, as it can be shown.
pub(super) fn unusable(rejected: &Rejected) -> CredentialView {
    let id = CredentialId::new(&Fingerprint::of_bytes(rejected.label.as_bytes()).to_string());
    CredentialView {
        provider: rejected.provider.clone(),
        reason: Some(rejected.reason.clone()),
        ..CredentialView::unknown(id, &rejected.label, State::Unusable)
    }
}
