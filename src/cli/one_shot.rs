//! A pool for commands that look once and end: no watcher, no refresher, the same files and locks as the bot.

use std::{sync::Arc, time::Duration};

use super::{failure::Failure, output::remark};
use crate::{
    app,
    clock::{Clock, SystemClock},
    config::Settings,
    credential::Store,
    http::Http,
    llm::{Llm, LlmParts},
    oauth::HttpRefresh,
    pool::{Background, Logins, Pool},
    provider::Catalog,
    shutdown::{self, Shutdown},
    telemetry::{self, metrics::Metrics},
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
    let pool = app::build_pool(settings, Background::Off, &Metrics::default(), &shutdown)
        .await
        .map_err(anyhow::Error::new)?;
    if let Some(trouble) = pool.unread() {
        remark(&format!("What the running bot counted, rested and disabled is not known here: {trouble}"));
    }
    let result = tokio::select! {
        result = work(&pool) => result,
        signal = shutdown::signal() => Err(Failure::Failed(anyhow::anyhow!("interrupted by {signal}"))),
    };
    if !shutdown.drain(FINISH).await {
        return Err(Failure::Failed(anyhow::anyhow!("a refresh did not end in time; see `cortana status`")));
    }
    result
}

/// Chats and lists with these providers, over such a pool.
pub(super) fn llm(
    settings: &Settings,
    providers: Arc<Catalog>,
    pool: &Pool,
    shutdown: &Shutdown,
) -> Result<Llm, Failure> {
    Ok(Llm::new(LlmParts {
        settings: settings.chat.clone(),
        providers,
        pool: pool.clone(),
        http: Http::new(&settings.http).map_err(anyhow::Error::new)?,
        clock: Arc::new(SystemClock),
        metrics: Metrics::default(),
        shutdown: shutdown.clone(),
    }))
}

/// The store as the bot has it, for commands that look at files.
pub(super) fn store(settings: &Settings) -> Store {
    app::build_store(settings, Arc::new(SystemClock))
}

/// What makes and ends logins.
pub(super) fn logins(settings: &Settings, http: Http) -> Logins {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Logins::new(HttpRefresh::new(http, Arc::clone(&clock)), store(settings), &settings.pool, clock)
}

/// A command's result is not drowned in the log of how it came about: `info` is the bot's default, not a command's.
pub(super) fn quiet_logs(settings: &Settings) {
    let directives = &settings.telemetry.directives;
    let directives = if directives == "info" { "error" } else { directives };
    telemetry::init(settings.telemetry.log_format, directives);
}
