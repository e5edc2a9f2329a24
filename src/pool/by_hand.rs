//! What operators do by hand: refresh, disable, enable, end a rest.

use std::{sync::Arc, time::Duration};

use futures::stream::{self, StreamExt};

use super::{
    Inner, NoSuchCredential, RefreshCause, RefreshReport, RefreshResult, Refused, Selector,
    entry::{Entry, RefusalKind},
    refresher::{Ended, Errand, landed},
    window::after,
};
use crate::{
    credential::{CredentialId, Login},
    oauth::RefreshError,
};

/// A credential is refreshed by hand once in this while (P32).
const BY_HAND: Duration = Duration::from_mins(1);
/// Refreshes by hand at once.
const AT_ONCE: usize = 8;

impl Inner {
    /// The credentials that are meant. A whole provider means those that are enabled.
    pub(super) fn selected(&self, selector: &Selector) -> Vec<CredentialId> {
        let set = self.set();
        let all = set.entries().iter();
        let is_meant = |entry: &&Entry| match selector {
            Selector::Provider(provider) => entry.credential.provider == *provider && !entry.is_disabled(),
            Selector::Credential(id) => entry.credential.id == *id,
        };
        all.filter(is_meant).map(|entry| entry.credential.id.clone()).collect()
    }

    /// Refreshes by hand, one line each, in the order of the set.
    pub(super) async fn refresh_by_hand(
        self: &Arc<Self>,
        selector: &Selector,
        refused: Refused,
    ) -> Vec<RefreshReport> {
        stream::iter(self.selected(selector))
            .map(|id| async move {
                let result = self.refresh_one(&id, refused).await?;
                if matches!(result, RefreshResult::Refreshed { .. } | RefreshResult::Adopted { .. }) {
                    self.forgive(&id, selector);
                }
                let set = self.set();
                let entry = set.get(&id)?;
                Some(RefreshReport {
                    credential: id,
                    provider: entry.credential.provider.clone(),
                    account: entry.account.clone(),
                    result,
                })
            })
            .buffered(AT_ONCE)
            .filter_map(|report| async { report })
            .collect()
            .await
    }

    /// `None`: it was removed meanwhile.
    async fn refresh_one(self: &Arc<Self>, id: &CredentialId, refused: Refused) -> Option<RefreshResult> {
        let errand = Errand::Refresh { cause: RefreshCause::Operator, refused, failed: None };
        let ended = loop {
            let (progress, joined) = {
                let mut set = self.set();
                let now = self.now();
                let entry = set.get_mut(id)?;
                if let Some(reason) = entry.disabled() {
                    return Some(RefreshResult::Disabled { reason: reason.into_owned() });
                }
                match &entry.credential.login {
                    Login::ApiKey(_) => return Some(RefreshResult::NothingToRefresh),
                    Login::OAuth(_) => {}
                }
                let joined = entry.flight.as_ref().map(|flight| flight.errand.clone());
                if joined.is_none() {
                    let again_at = entry.by_hand_at.map(|at| after(at, BY_HAND));
                    // A time in the future was noted before the clock stepped back.
                    if let Some(until) =
                        again_at.filter(|until| now < *until && *until <= after(now, BY_HAND))
                    {
                        return Some(RefreshResult::TooSoon { until });
                    }
                }
                (self.depart(&mut set, id, errand.clone())?, joined)
            };
            let ended = landed(progress, None).await?;
            match (joined, &ended) {
                // Somebody else's flight that did what was asked for, or failed at it, will do.
                (Some(Errand::Refresh { .. }), Ended::Refreshed | Ended::Failed { .. }) | (None, _) => {
                    break ended;
                }
                (Some(_), _) => {}
            }
        };
        let now = self.now();
        let mut set = self.set();
        let entry = set.get_mut(id)?;
        let expires_at = entry.window.expires_at();
        let asked = match &ended {
            // That token is not sent again but by a confirmation, and the one that follows must not have to wait.
            Ended::Failed { error: RefreshError::InvalidGrant { .. }, .. } => refused == Refused::TryOnce,
            Ended::Refreshed | Ended::Failed { .. } => true,
            Ended::Adopted
            | Ended::Nothing
            | Ended::RefusedBefore(_)
            | Ended::Waiting { .. }
            | Ended::Hopeless
            | Ended::Store(_)
            | Ended::Gone => false,
        };
        if asked {
            entry.by_hand_at = Some(now);
        }
        Some(match ended {
            Ended::Refreshed => RefreshResult::Refreshed { expires_at },
            Ended::Adopted | Ended::Nothing => RefreshResult::Adopted { expires_at },
            Ended::RefusedBefore(_) => RefreshResult::RefusedBefore,
            Ended::Waiting { error, .. } | Ended::Failed { error, .. } => RefreshResult::Failed(error),
            Ended::Store(error) => RefreshResult::Store(error),
            Ended::Hopeless => {
                RefreshResult::Failed(RefreshError::Refused { reason: "HTTP 401".to_owned(), link: None })
            }
            Ended::Gone => return None,
        })
    }

    /// A person refreshed it, and it worked: a refused token is tried again; a refused account only when it was meant by
    /// itself, since asking again for an account under a ban can make that permanent (P21).
    fn forgive(&self, id: &CredentialId, selector: &Selector) {
        let now = self.now();
        let mut set = self.set();
        if let Some(entry) = set.get_mut(id) {
            let keep = |kind: RefusalKind| match (kind, selector) {
                (RefusalKind::Account, Selector::Provider(_)) => true,
                (RefusalKind::Account, Selector::Credential(_)) | (RefusalKind::Token, _) => false,
            };
            entry.refusal = entry.refusal.take().filter(|refusal| keep(refusal.kind));
        }
        let news = set.sweep_one(id, now);
        drop(set);
        self.publish(news);
    }

    /// Changes one credential, and makes the change known.
    pub(super) fn change(
        &self,
        id: &CredentialId,
        change: impl FnOnce(&mut Entry),
    ) -> Result<(), NoSuchCredential> {
        let now = self.now();
        let mut set = self.set();
        let entry = set.get_mut(id).ok_or_else(|| NoSuchCredential(id.clone()))?;
        change(entry);
        let news = set.sweep_one(id, now);
        drop(set);
        self.publish(news);
        self.wake.notify_one();
        self.openings.send_modify(|count| *count += 1);
        self.remember.notify_one();
        Ok(())
    }
}
