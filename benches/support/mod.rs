//! Pools to measure: real ones, with as many credentials as asked for, that nothing disturbs.

use std::sync::Arc;

use async_trait::async_trait;
use cortana::{
    clock::SystemClock,
    config::{CredentialValue, NamedCredential, PoolSettings},
    credential::{Facts, OAuthLogin, Store, StoreOptions},
    oauth::{Grant, Refresh, RefreshError},
    pool::{Background, Forgetful, Pool, PoolParts},
    provider::{Catalog, Provider},
    secret::Secret,
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// No token endpoint: nothing that is measured needs one.
struct NoEndpoint;

#[async_trait]
impl Refresh for NoEndpoint {
    async fn refresh(&self, _provider: &Provider, _login: &OAuthLogin) -> Result<Grant, RefreshError> {
        Err(RefreshError::NoRefreshToken)
    }

    async fn after_grant(
        &self,
        _provider: &Provider,
        _access: &Secret,
        known: &Facts,
    ) -> Result<Facts, RefreshError> {
        Ok(known.clone())
    }
}

/// Settings of a pool whose files stand in a folder of its own.
pub(crate) fn settings(folder: &TempDir) -> PoolSettings {
    PoolSettings {
        credentials_dir: folder.path().join("credentials"),
        state_dir: folder.path().join("state"),
        ..PoolSettings::default()
    }
}

/// The same with this many API keys.
pub(crate) fn keys(folder: &TempDir, count: usize) -> PoolSettings {
    let key = |number| NamedCredential {
        variable: format!("OPENAI_API_KEY_{number}"),
        provider: "openai".parse().expect("an id"),
        value: CredentialValue::ApiKey(Secret::new(format!("sk-FAKE-{number}"))),
    };
    PoolSettings { named: (1..=count).map(key).collect(), ..settings(folder) }
}

/// A runtime for what waits.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Starts a pool as a command has it, that does only what it is asked.
pub(crate) async fn start(settings: PoolSettings) -> Pool {
    let providers = Arc::new(Catalog::builtin());
    let options = StoreOptions {
        state_dir: settings.state_dir.clone(),
        allow_state_writeback: false,
        providers: Arc::clone(&providers),
        clock: Arc::new(SystemClock),
    };
    Pool::start(PoolParts {
        settings,
        providers,
        store: Arc::new(Store::new(options)),
        refresh: Arc::new(NoEndpoint),
        clock: Arc::new(SystemClock),
        shutdown: Shutdown::new(),
        metrics: Metrics::default(),
        state: Arc::new(Forgetful),
        background: Background::Off,
    })
    .await
}
