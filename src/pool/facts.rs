//! The steps after a grant: what chats need to know besides the token, found, kept, and asked for again when it is missing.

use super::{
    Inner,
    at_rest::at_rest,
    cooldown::{FailureClass, refresh_delay},
    entry::Entry,
    refresher::Ended,
    window::after,
};
use crate::{
    credential::{Credential, CredentialId, Facts},
    oauth::RefreshError,
    provider::Provider,
};

impl Inner {
    /// The steps after a grant, with the token already safe. Their failure matters only where chats need what they find.
    pub(super) async fn after_grant(&self, id: &CredentialId, provider: &Provider) -> Result<(), Ended> {
        let Some(login) = self.set().get(id).and_then(|entry| entry.login().cloned()) else { return Ok(()) };
        let Some(access) = &login.tokens.access else { return Ok(()) };
        match self.parts.refresh.after_grant(provider, access, &login.facts).await {
            Ok(facts) => {
                self.learn(id, provider, &facts).await;
                let lacking = self.set().get(id).is_some_and(Entry::lacks_facts);
                if lacking {
                    let problem = "the provider named no project or key for this account".to_owned();
                    let error = RefreshError::Unknown { problem };
                    self.note_facts(id, Some(&error));
                    return Err(self.failed(id, error));
                }
                self.note_facts(id, None);
                Ok(())
            }
            Err(error) => {
                self.note_facts(id, Some(&error));
                let lacking = self.set().get(id).is_some_and(Entry::lacks_facts);
                let refused =
                    matches!(error, RefreshError::Refused { .. } | RefreshError::ForeignEndpoint { .. });
                if lacking || refused {
                    return Err(self.failed(id, error));
                }
                tracing::debug!(credential.id = %id, provider = %provider.id, reason = %error, "A step after the grant failed; what is known serves");
                Ok(())
            }
        }
    }

    /// Remembers when to ask again for facts that cannot be had for now: else a missing one would be asked for when a chat
    /// waits for it, and one that the service replaced at the next grant, hours later.
    fn note_facts(&self, id: &CredentialId, failure: Option<&RefreshError>) {
        let now = self.now();
        let mut set = self.set();
        let Some(entry) = set.get_mut(id) else { return };
        let class = match failure {
            Some(RefreshError::Transient { .. }) => FailureClass::Transient,
            Some(RefreshError::Unknown { .. }) => FailureClass::Unknown,
            None
            | Some(
                RefreshError::InvalidGrant { .. }
                | RefreshError::ClientRefused { .. }
                | RefreshError::NoClient { .. }
                | RefreshError::NoRefreshToken
                | RefreshError::ForeignEndpoint { .. }
                | RefreshError::Refused { .. },
            ) => {
                entry.facts_again = None;
                return;
            }
        };
        let failures = entry.facts_again.map_or(1, |(_, failures)| failures.saturating_add(1));
        entry.facts_again = Some((after(now, refresh_delay(class, failures, None)), failures));
        drop(set);
        self.wake.notify_one();
    }

    /// Takes facts in and saves them, beside whatever tokens stand in the file by then.
    async fn learn(&self, id: &CredentialId, provider: &Provider, facts: &Facts) {
        let now = self.now();
        let credential = {
            let mut set = self.set();
            let Some(entry) = set.get_mut(id) else { return };
            let before = entry.facts();
            entry.learn(facts, now);
            if entry.facts() == before {
                return;
            }
            entry.credential.clone()
        };
        self.save_again(&credential, provider).await;
    }

    /// Notes what is known about an account beside its place, where it is found at the next start.
    pub(super) async fn note_account(&self, credential: &Credential) {
        let noted = async {
            let mut guard = self.lock(credential).await?;
            // As it is known under the lock: the steps after a grant may have found something meanwhile.
            let login = self.set().get(&credential.id).and_then(|entry| entry.login().cloned());
            match login {
                Some(login) => at_rest(move || guard.note_facts(&login)).await,
                None => Ok(()),
            }
        };
        if let Err(error) = noted.await {
            tracing::debug!(credential.id = %credential.id, reason = %error, "Whose a login is could not be noted, and is asked again at the next start");
        }
    }
}
