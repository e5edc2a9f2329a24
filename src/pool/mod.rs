//! The live set of credentials with its health: leases, cooldowns, refreshes, news. Knows no chat.

mod error;
mod event;
mod lease;
mod snapshot;

use std::sync::Arc;

use tokio::{sync::broadcast, time::Instant};

pub use error::LeaseError;
pub use event::{PoolEvent, RefreshCause};
pub use lease::{Lease, Outcome, RetryHint, Want};
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

/// Which credentials an operator means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Every enabled credential of a provider.
    Provider(ProviderId),
    /// One.
    Credential(CredentialId),
}

/// How one credential's refresh by hand ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshReport {
    /// Which.
    pub credential: CredentialId,
    /// Its provider.
    pub provider: ProviderId,
    /// Its account, masked.
    pub account: String,
    /// How it ended.
    pub result: RefreshResult,
}

/// How a refresh by hand ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshResult {
    /// A new token.
    Refreshed {
        /// Until when it lives.
        expires_at: Option<chrono::DateTime<chrono::Utc>>,
    },
    /// A newer token stood in the file already: adopted, no request.
    Adopted {
        /// Until when it lives.
        expires_at: Option<chrono::DateTime<chrono::Utc>>,
    },
    /// An API key: nothing to refresh.
    NothingToRefresh,
    /// Refreshed by hand less than a minute ago.
    TooSoon {
        /// When it may be asked again.
        until: chrono::DateTime<chrono::Utc>,
    },
    /// This refresh token was refused before and is not sent again without a confirmation (P4).
    RefusedBefore,
    /// The exchange failed.
    Failed(RefreshError),
    /// The place could not be locked, read or written; no token was spent unless the message says so.
    Store(crate::credential::StoreError),
}

/// Whether a refused token may be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refused {
    /// Never (P4).
    #[default]
    Keep,
    /// Once: the operator confirmed.
    TryOnce,
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

    /// Everything that can be shown.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { taken_at: self.inner.parts.clock.now(), credentials: Vec::new() }
    }

    /// News from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<PoolEvent> {
        self.inner.events.subscribe()
    }
}
