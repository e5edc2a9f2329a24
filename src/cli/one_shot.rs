//! A pool for commands that look once and end: no watcher, no refresher, the same files and locks as the bot.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;

use super::failure::Failure;
use crate::{
    clock::{Clock, SystemClock},
    config::Settings,
    credential::{Store, StoreOptions},
    http::Http,
    oauth::HttpRefresh,
    pool::{Background, Pool, PoolParts},
    shutdown::{self, Shutdown},
    telemetry,
};

/// How long a refresh that was begun may take to be saved after the command is interrupted.
const FINISH: Duration = Duration::from_secs(25);

/// Runs `work` over a pool that does nothing by itself, and lets begun refreshes finish, also on Ctrl-C: a token that
/// was spent must be saved (P7).
pub(super) async fn with_pool<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&Pool) -> Result<T, Failure>,
) -> Result<T, Failure> {
    quiet_logs(settings);
    let shutdown = Shutdown::new();
    let pool = build(settings, &shutdown).await?;
    let result = tokio::select! {
        result = work(&pool) => result,
        signal = shutdown::signal() => Err(Failure::Failed(anyhow::anyhow!("interrupted by {signal}"))),
    };
    if !shutdown.drain(FINISH).await {
        return Err(Failure::Failed(anyhow::anyhow!("a refresh did not end in time; see `cortana status`")));
    }
    result
}

/// The store as the bot has it, for commands that look at files.
pub(super) fn store(settings: &Settings) -> Arc<Store> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Arc::new(Store::new(StoreOptions {
        state_dir: settings.pool.state_dir.clone(),
        allow_state_writeback: settings.pool.allow_state_writeback,
        providers: Arc::clone(&settings.providers),
        clock,
    }))
}

/// A command's result is not drowned in the log of how it came about: `info` is the bot's default, not a command's.
pub(super) fn quiet_logs(settings: &Settings) {
    let directives = &settings.telemetry.directives;
    let directives = if directives == "info" { "error" } else { directives };
    telemetry::init(settings.telemetry.log_format, directives);
}

async fn build(settings: &Settings, shutdown: &Shutdown) -> Result<Pool, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let http = Http::new(&settings.http).context("the HTTP client cannot be built")?;
    let parts = PoolParts {
        settings: settings.pool.clone(),
        providers: Arc::clone(&settings.providers),
        store: store(settings),
        refresh: Arc::new(HttpRefresh::new(http, Arc::clone(&clock))),
        clock,
        shutdown: shutdown.clone(),
        background: Background::Off,
    };
    Ok(Pool::start(parts).await)
}
