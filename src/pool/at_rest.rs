//! What the pool does with files: always on a blocking thread, always under the lock.

pub(super) use crate::fs::at_rest;
use crate::{
    credential::{Credential, Dialect, Guard, LockNotes, OAuthLogin, Place, Saved, StoreError},
    pool::Inner,
};

/// A look at a place under its lock.
pub(super) struct Look {
    /// The lock.
    pub(super) guard: Guard,
    /// The login as it stands there.
    pub(super) login: Result<OAuthLogin, StoreError>,
    /// What the lock file says.
    pub(super) notes: LockNotes,
}

/// What became of a write.
pub(super) enum Written {
    /// The login is saved.
    Saved,
    /// Nothing was written: somebody wrote this login meanwhile.
    Superseded(Box<OAuthLogin>),
}

impl Look {
    /// Reads the place again (P5).
    pub(super) async fn take(mut guard: Guard) -> Self {
        at_rest(move || {
            let login = guard.read();
            let notes = guard.notes();
            Self { guard, login, notes }
        })
        .await
    }

    /// Proves that a save will find a place (P13).
    pub(super) async fn prove(mut guard: Guard, rotates: bool) -> (Guard, Result<Saved, StoreError>) {
        at_rest(move || {
            let proof = guard.prove_writable(rotates);
            (guard, proof)
        })
        .await
    }
}

impl Inner {
    /// Writes a login and the lock file's notes, then frees the lock. The watcher knows the write for our own (P35).
    pub(super) async fn write(
        &self,
        credential: &Credential,
        mut guard: Guard,
        login: OAuthLogin,
        notes: Option<LockNotes>,
    ) -> Result<Written, StoreError> {
        let stamps = self.stamps.clone();
        let target = match &credential.place {
            Place::File { target, .. } => Some(target.clone()),
            Place::Inline { .. } | Place::Key { .. } => None,
        };
        let id = credential.id.clone();
        let has_own_place = match credential.dialect {
            Dialect::Gcloud
            | Dialect::ServiceAccount
            | Dialect::ClientCredentials
            | Dialect::AntigravityAccounts
            | Dialect::ApiKey => false,
            Dialect::Simple
            | Dialect::OfficialCli
            | Dialect::CliProxyApi
            | Dialect::KeyProxy
            | Dialect::Gcli2Api
            | Dialect::AntigravityManager => target.is_some(),
        };
        at_rest(move || {
            let own = target.map(|target| stamps.own_write(target));
            let saved = guard.save(&login);
            if saved == Ok(Saved::Superseded) {
                return guard.read().map(|found| Written::Superseded(Box::new(found)));
            }
            if let Some(notes) = notes
                && let Err(problem) = guard.set_notes(&notes)
            {
                tracing::debug!(credential.id = %id, reason = %problem, "The lock file's notes could not be written");
            }
            drop(own);
            match saved {
                Ok(Saved::InState) if has_own_place => {
                    tracing::warn!(credential.id = %id, "The credential's file cannot be written; its new token is kept in the state folder");
                    Ok(Written::Saved)
                }
                Ok(Saved::InState | Saved::InPlace | Saved::Unchanged | Saved::Superseded) => Ok(Written::Saved),
                Err(error) => Err(error),
            }
        })
        .await
    }
}
