//! Logins that people make and end, whoever asked for it: the command line, or Discord.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::sources;
use crate::{
    clock::Clock,
    config::PoolSettings,
    credential::{
        Credential, CredentialId, FreshLogin, KeepError, Kept, NotRemovable, OAuthLogin, SourceSpec, Store,
        StoreError, Tokens,
    },
    oauth::{self, HttpRefresh, NewLogin, Refresh as _, RefreshError, Revoked},
    provider::{AfterGrant, Provider},
};

/// How long a flight of the running bot is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// Makes credentials of consents, and ends them.
#[derive(Debug, Clone)]
pub struct Logins {
    exchange: HttpRefresh,
    store: Store,
    sources: Vec<SourceSpec>,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
}

/// A login that was taken in.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The login.
    pub fresh: FreshLogin,
    /// Where it is.
    pub kept: Kept,
    /// What an operator should know, a sentence each.
    pub remarks: Vec<String>,
}

/// Whether the provider is told that a login ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// Where it has an address for that.
    Provider,
    /// The file is removed, that is all.
    Nobody,
}

/// Why a login was not ended, or not altogether. Its file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// There is no such credential, or it cannot be read.
    #[error("it cannot be read; remove its file yourself")]
    Unknown,
    /// It is no file of the folder's own.
    #[error(transparent)]
    NotRemovable(#[from] NotRemovable),
    /// Its provider did not take it back.
    #[error("{0}")]
    Provider(RefreshError),
    /// Its file could not be removed, so that nothing was begun.
    #[error(transparent)]
    Folder(#[from] KeepError),
    /// Its provider took it back, but its file stays.
    #[error("its provider ended it, but {0}")]
    FileStays(StoreError),
    /// Its place could not be locked, read or removed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Logins {
    /// Over the bot's own store and sources.
    pub fn new(exchange: HttpRefresh, store: Store, settings: &PoolSettings, clock: Arc<dyn Clock>) -> Self {
        let (sources, folder) = (sources(settings), settings.credentials_dir.clone());
        Self { exchange, store, sources, folder, clock }
    }

    /// Who asks for grants.
    pub fn exchange(&self) -> &HttpRefresh {
        &self.exchange
    }

    /// Proves that a new file finds a place, before a person is asked to consent (P13).
    ///
    /// # Errors
    /// When the folder takes none.
    pub async fn prove(&self) -> Result<(), KeepError> {
        let (store, folder) = (self.store.clone(), self.folder.clone());
        blocking(move || store.prove_folder(&folder)).await.unwrap_or_else(|| Err(ended()))
    }

    /// Finds out whose a new login is, does what its vendor wants done before the first chat, and keeps it; `name` is a part
    /// of its file's name.
    ///
    /// # Errors
    /// When it could not be kept.
    pub async fn take(
        &self,
        row: &Provider,
        new: NewLogin,
        name: Option<String>,
    ) -> Result<Taken, KeepError> {
        let (fresh, remarks) = self.fresh(row, new).await;
        let (store, sources, folder) = (self.store.clone(), self.sources.clone(), self.folder.clone());
        let keeping = fresh.clone();
        let kept = blocking(move || store.keep(&keeping, &sources, &folder, name.as_deref())).await;
        let kept = kept.unwrap_or_else(|| Err(ended()))?;
        tracing::info!(
            provider = %row.id,
            credential.id = %kept.credential.id,
            "Took in a new login"
        );
        Ok(Taken { fresh, kept, remarks })
    }

    async fn fresh(&self, row: &Provider, new: NewLogin) -> (FreshLogin, Vec<String>) {
        let mut remarks = Vec::new();
        let NewLogin { grant, scopes, account } = new;
        let mut facts = grant.facts;
        facts.account = account;
        match row.oauth().map_or(AfterGrant::Nothing, |spec| spec.after_grant) {
            AfterGrant::IflowApiKey => match self.exchange.after_grant(row, &grant.access, &facts).await {
                Ok(found) => {
                    facts.api_key = found.api_key;
                    facts.account = found.account.or(facts.account);
                }
                Err(error) => remarks.push(format!(
                    "The key that chats are authorised with could not be fetched ({error}); the bot asks for it with its \
                     next refresh."
                )),
            },
            // Qwen's address came with the grant; projects are found by the running bot, which has the time.
            AfterGrant::Nothing
            | AfterGrant::CodeAssistProject
            | AfterGrant::QwenResourceUrl
            | AfterGrant::VertexProject => {}
        }
        if facts.account.is_none() {
            match self.exchange.account(row, &grant.access).await {
                Ok(account) => facts.account = account,
                Err(error) => remarks.push(format!("Whose account it is could not be asked ({error}).")),
            }
        }
        if let Some(host) = grant.foreign_host {
            let error = RefreshError::ForeignEndpoint { host };
            remarks.push(format!("The reply named a {error}."));
        }
        let tokens = Tokens {
            access: Some(grant.access),
            refresh: grant.refresh,
            expires_at: grant.lifetime.map(|lifetime| self.clock.now() + lifetime),
            lifetime: grant.lifetime,
        };
        let client = oauth::client_of(row).ok();
        let login = OAuthLogin { tokens, client, facts, ..OAuthLogin::default() };
        let asked = || row.oauth().map(|spec| spec.scopes.clone()).unwrap_or_default();
        let scopes = scopes.unwrap_or_else(asked);
        (FreshLogin { provider: row.id.clone(), login, scopes }, remarks)
    }

    /// A credential that can be ended here: a file of the folder's own.
    ///
    /// # Errors
    /// What it is instead.
    pub async fn endable(&self, id: &CredentialId) -> Result<Credential, EndError> {
        let (store, sources, folder) = (self.store.clone(), self.sources.clone(), self.folder.clone());
        let id = id.clone();
        let found = blocking(move || {
            let found = store.load(&sources).credentials.into_iter().find(|credential| credential.id == id);
            let credential = found.ok_or(EndError::Unknown)?;
            store.removable(&credential, &folder)?;
            Ok(credential)
        });
        found.await.unwrap_or(Err(EndError::Unknown))
    }

    /// Gives a login back to its provider and removes its file, under its lock. Where the provider does not take it back,
    /// the file stays.
    ///
    /// # Errors
    /// What hindered it.
    pub async fn end(
        &self,
        row: &Provider,
        credential: Credential,
        telling: Telling,
    ) -> Result<Revoked, EndError> {
        // What is given back cannot be had again: that the file can go is proven first (P13).
        self.prove().await?;
        let store = self.store.clone();
        let id = credential.id.clone();
        let locked = blocking(move || {
            let mut guard = store.lock(&credential, LOCK_WAIT)?;
            guard.read().map(|login| (guard, login))
        });
        let (guard, login) =
            locked.await.unwrap_or_else(|| Err(StoreError::Gone { path: id.to_string() }))?;
        let revoked = match telling {
            Telling::Provider => self.exchange.revoke(row, &login).await.map_err(EndError::Provider)?,
            Telling::Nobody => Revoked::NotOffered,
        };
        let removed = blocking(move || guard.remove()).await;
        let removed = removed.unwrap_or_else(|| Err(StoreError::Gone { path: id.to_string() }));
        removed.map_err(|error| match revoked {
            Revoked::Now | Revoked::Before => EndError::FileStays(error),
            Revoked::NotOffered => EndError::Store(error),
        })?;
        tracing::info!(provider = %row.id, credential.id = %id, "Ended a login");
        Ok(revoked)
    }
}

/// Runs what blocks on a thread for it; `None` when it ended by a programming mistake, which the log has.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn ended() -> KeepError {
    KeepError::NotWritable { problem: "the write ended by a programming mistake".to_owned() }
}
