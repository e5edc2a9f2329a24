//! The live set of credentials with its health: leases, cooldowns, refreshes, news. Knows no chat.

mod error;
mod event;
mod lease;
mod selection;
mod snapshot;

use std::sync::Arc;

use tokio::{sync::broadcast, time::Instant};

pub use error::LeaseError;
pub use event::{PoolEvent, RefreshCause};
pub use lease::{Lease, Lent, Outcome, RetryHint, Want};
pub use selection::{AccessToken, NoSuchCredential, RefreshReport, RefreshResult, Refused, Selector};
pub use snapshot::{CoolingModel, CredentialView, LastRefresh, Snapshot, State};

use crate::{
    clock::Clock,
    config::PoolSettings,
    credential::{CredentialId, Store},
    oauth::{Refresh, RefreshError},
    provider::{Catalog, ProviderId},
    shutdown::Shutdown,
};

/// What a pool is built from.
pub struct PoolParts {
    /// Sources, strategy, early window.
    pub settings: PoolSettings,
    /// The providers.
    pub providers: Arc<Catalog>,
    /// Credentials at rest.
    pub store: Arc<Store>,
    /// The exchange.
    pub refresh: Arc<dyn Refresh>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The life of its tasks.
    pub shutdown: Shutdown,
    /// Whether it works by itself.
    pub background: Background,
}

/// Whether a pool works by itself, besides answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    /// Refreshes early, watches the sources, logs what it loaded.
    #[default]
    On,
    /// Does only what is asked: for commands that look once and end.
    Off,
}

/// The pool: cheap to clone, one set behind all clones.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    parts: PoolParts,
    events: broadcast::Sender<PoolEvent>,
}

impl Pool {
    /// Loads every source, logs one line each, and starts the refresher and the watcher.
    pub async fn start(parts: PoolParts) -> Self {
        let (events, _) = broadcast::channel(256);
        Self { inner: Arc::new(Inner { parts, events }) }
    }

    /// Borrows a credential. Waits only for a hard-stale token's refresh, until `want.until` at most.
    pub async fn lease(&self, want: &Want) -> Result<Lease, LeaseError> {
        let _ = (want, &self.inner.parts.settings);
        Err(LeaseError::NothingConfigured)
    }

    /// Whether a lease for this provider (and model) would be granted now or after a refresh.
    pub fn has_ready(&self, provider: &ProviderId, model: &str) -> bool {
        let _ = (provider, model);
        false
    }

    /// A forced refresh after a 401 on a fresh-looking token, shared by the value of the failed token (P31).
    /// `Ok` when another token may be tried now.
    pub async fn refresh_after_401(&self, lease: &Lease, until: Instant) -> Result<(), RefreshError> {
        let _ = (lease, until);
        Err(RefreshError::NoRefreshToken)
    }

    /// Refreshes by hand: overrides the backoff once a minute, never sends a refused token unless told to (P32).
    pub async fn refresh(&self, selector: &Selector, refused: Refused) -> Vec<RefreshReport> {
        let _ = (selector, refused);
        Vec::new()
    }

    /// A valid access token for a script, refreshed first if need be.
    pub async fn access_token(&self, selector: &Selector, until: Instant) -> Result<AccessToken, LeaseError> {
        let _ = (selector, until);
        Err(LeaseError::NothingConfigured)
    }

    /// Takes a credential out of service until [`Pool::enable`]. Leases on it finish.
    pub fn disable(&self, credential: &CredentialId) -> Result<(), NoSuchCredential> {
        Err(NoSuchCredential(credential.clone()))
    }

    /// Puts a credential back into service: an operator's disabling and a refusal by the service are lifted.
    pub fn enable(&self, credential: &CredentialId) -> Result<(), NoSuchCredential> {
        Err(NoSuchCredential(credential.clone()))
    }

    /// Ends every rest of a credential, whole and by model.
    pub fn clear_cooldown(&self, credential: &CredentialId) -> Result<(), NoSuchCredential> {
        Err(NoSuchCredential(credential.clone()))
    }

    /// Everything that can be shown.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { taken_at: self.inner.parts.clock.now(), credentials: Vec::new() }
    }

    /// News from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<PoolEvent> {
        self.inner.events.subscribe()
    }
}
