//! Logins that were begun in Discord and wait for their answer: each of one person, for one answer and five minutes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::data::correlation_id;
use crate::{clock::instant, oauth::Authorization, provider::ProviderId};

/// How long a person may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// How many may wait at once; operators are few.
const LIMIT: usize = 100;

/// A login that waits.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// Who began it.
    user: u64,
    /// Whose login it is to be.
    pub(super) provider: ProviderId,
    /// What the answer is held to.
    pub(super) authorization: Authorization,
    until: Instant,
}

/// Why there is nothing to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotYours {
    /// Somebody else began it.
    SomebodyElses,
    /// It was answered, or its time is over, or the bot was started since.
    Over,
}

/// All that wait.
#[derive(Debug, Default)]
pub(super) struct Connecting(Mutex<HashMap<String, Pending>>);

impl Connecting {
    /// Lets one wait; its id is for buttons.
    pub(super) fn begin(&self, user: u64, provider: ProviderId, authorization: Authorization) -> String {
        let (id, now) = (correlation_id(), instant());
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A person's newer attempt ends the one before.
        waiting.retain(|_, known| known.until > now && (known.user, &known.provider) != (user, &provider));
        if waiting.len() < LIMIT {
            waiting.insert(id.clone(), Pending { user, provider, authorization, until: now + PATIENCE });
        }
        id
    }

    /// Looks whether it is this person's.
    pub(super) fn look(&self, id: &str, user: u64) -> Result<(), NotYours> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        check(waiting.get(id), user)
    }

    /// Takes it for its one answer.
    pub(super) fn take(&self, id: &str, user: u64) -> Result<Pending, NotYours> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        check(waiting.get(id), user)?;
        waiting.remove(id).ok_or(NotYours::Over)
    }

    /// Puts it back: what came was no answer.
    pub(super) fn put_back(&self, id: &str, pending: Pending) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), pending);
    }
}

fn check(pending: Option<&Pending>, user: u64) -> Result<(), NotYours> {
    match pending {
        Some(pending) if pending.until <= instant() => Err(NotYours::Over),
        Some(pending) if pending.user != user => Err(NotYours::SomebodyElses),
        Some(_) => Ok(()),
        None => Err(NotYours::Over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        provider::{Catalog, LoginKind},
        secret::Secret,
    };

    fn begun(connecting: &Connecting, user: u64) -> String {
        let mut row = Catalog::builtin().get(&"gemini_cli".parse().expect("id")).expect("a row").clone();
        if let LoginKind::OAuth(spec) = &mut row.login {
            spec.client_secret = Some(Secret::new("FAKE-secret"));
        }
        let redirect = "http://127.0.0.1:8400/cb".parse().expect("url");
        let authorization = Authorization::begin(&row, &redirect).expect("it begins");
        connecting.begin(user, row.id, authorization)
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_is_one_persons_for_one_answer_and_five_minutes() {
        let connecting = Connecting::default();
        let id = begun(&connecting, 1);
        assert_eq!(connecting.look(&id, 2), Err(NotYours::SomebodyElses));
        assert_eq!(connecting.take(&id, 2).err(), Some(NotYours::SomebodyElses));
        assert_eq!(connecting.look(&id, 1), Ok(()));
        let pending = connecting.take(&id, 1).expect("it is theirs");
        assert_eq!(connecting.take(&id, 1).err(), Some(NotYours::Over), "one answer");
        connecting.put_back(&id, pending);
        tokio::time::sleep(PATIENCE).await;
        assert_eq!(connecting.take(&id, 1).err(), Some(NotYours::Over), "five minutes");
        let (first, others) = (begun(&connecting, 1), begun(&connecting, 2));
        let second = begun(&connecting, 1);
        assert_eq!(connecting.look(&first, 1), Err(NotYours::Over), "a newer attempt ends the one before");
        assert_eq!((connecting.look(&second, 1), connecting.look(&others, 2)), (Ok(()), Ok(())));
    }
}
