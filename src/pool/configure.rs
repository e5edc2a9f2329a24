//! Other settings under a running pool: which credentials there are and how they take turns. Leases that are out, rests and
//! counts stay as they are.

use std::sync::{Arc, PoisonError};

use super::{Inner, Pool, watcher};
use crate::config::PoolSettings;

impl Pool {
    /// Works by these settings from now on: the sources that variables name, strategy, seats, sticky sessions, and how many
    /// healthy credentials are too few. Everything else of them counts at the next start. Ends when the sources were read.
    pub async fn configure(&self, settings: &PoolSettings) {
        let inner = &self.inner;
        {
            let mut live = inner.settings.write().unwrap_or_else(PoisonError::into_inner);
            *live = Arc::new(PoolSettings {
                named: settings.named.clone(),
                strategy: settings.strategy,
                alert_min_healthy: settings.alert_min_healthy,
                seats: settings.seats.clone(),
                sticky: settings.sticky,
                ..PoolSettings::clone(&live)
            });
        }
        inner.set().configure(&inner.settings());
        watcher::reload(inner, watcher::Bad::Reported).await;
    }
}

impl Inner {
    /// The settings as they are now.
    pub(super) fn settings(&self) -> Arc<PoolSettings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }
}
