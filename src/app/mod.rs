//! Builds every room in order, runs them, drains them.
//!
//! The order of the end matters: first Discord stops taking questions and finishes the ones in flight, then the pool
//! finishes the refreshes in flight (a token that was rotated must reach its file), then the process may go.

mod error;
mod memory;
mod reload;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{net::TcpListener, sync::watch};

pub use error::AppError;
pub use memory::StoredState;
pub use reload::{Origin, Reloaded, ask_to_reload};

#[cfg(feature = "hub")]
use crate::hub::Hub;
use crate::{
    admin::{self, Connection, Questions, Readiness},
    clock::{Clock, SystemClock},
    config::{PoolSettings, Settings},
    credential::{Store, StoreOptions},
    discord::{self, DiscordParts, Served},
    http::Http,
    llm::{Llm, LlmParts},
    oauth::HttpRefresh,
    pool::{Background, Logins, Pool, PoolParts},
    shutdown::{self, Shutdown},
    storage::{OnDamage, Shared},
    telemetry::metrics::{self, Metrics},
    tools::Tools,
};

/// How long the refreshes in flight may take to end: a token request's 15 s and the write behind it.
const POOL_DRAIN: Duration = Duration::from_secs(20);

/// The store of credentials at rest, as the settings describe it.
pub fn build_store(settings: &Settings, clock: Arc<dyn Clock>) -> Store {
    let PoolSettings { state_dir, allow_state_writeback, .. } = &settings.pool;
    Store::new(StoreOptions {
        state_dir: state_dir.clone(),
        allow_state_writeback: *allow_state_writeback,
        providers: Arc::clone(&settings.providers),
        clock,
    })
}

/// The pool, loaded. `background` says whether it refreshes early and watches files by itself.
pub async fn build_pool(
    settings: &Settings,
    background: Background,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Result<Pool, AppError> {
    let on_damage = match background {
        Background::On => OnDamage::PutAside,
        Background::Off => OnDamage::Report,
    };
    let shared = Arc::new(Shared::new(settings.storage.clone(), on_damage));
    pool_over(shared, settings, background, metrics, shutdown).await
}

/// The same, over a database that others use too.
async fn pool_over(
    shared: Arc<Shared>,
    settings: &Settings,
    background: Background,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Result<Pool, AppError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let http = Http::new(&settings.http)?;
    Ok(Pool::start(PoolParts {
        settings: settings.pool.clone(),
        providers: Arc::clone(&settings.providers),
        store: Arc::new(build_store(settings, Arc::clone(&clock))),
        refresh: Arc::new(HttpRefresh::new(http, Arc::clone(&clock))),
        state: Arc::new(StoredState::over(shared)),
        clock,
        shutdown: shutdown.clone(),
        metrics: metrics.clone(),
        background,
    })
    .await)
}

/// Runs the bot until `stop` is asked to end, then drains it.
///
/// The admin address is bound before anything else starts, so that one in use is told at once.
pub async fn run(settings: Settings, stop: Shutdown) -> Result<(), AppError> {
    run_observed(settings, stop, None, |_| {}).await
}

/// The same, reads its configuration again where it is said from where, and shows its pool to whoever looks on, once it
/// is loaded.
pub async fn run_observed(
    settings: Settings,
    stop: Shutdown,
    origin: Option<Origin>,
    observe: impl FnOnce(&Pool) + Send,
) -> Result<(), AppError> {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let admin_addr = settings.telemetry.admin_addr;
    let listener = TcpListener::bind(admin_addr)
        .await
        .map_err(|error| AppError::AdminAddress { address: admin_addr, problem: error.kind().to_string() })?;

    let pool_life = Shutdown::new();
    let discord_life = stop.child();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = started(clock.as_ref());
    let storage = Arc::new(Shared::new(settings.storage.clone(), OnDamage::PutAside));
    let pool = pool_over(Arc::clone(&storage), &settings, Background::On, &metrics, &pool_life).await?;
    observe(&pool);
    let http = Http::new(&settings.http)?;
    #[cfg(feature = "hub")]
    let hub = Hub::new(&settings.hub, &settings.http)
        .inspect_err(|error| tracing::warn!(error = %error, "There is no search of the hub"))
        .ok();
    let logins = Logins::new(
        HttpRefresh::new(http.clone(), Arc::clone(&clock)),
        build_store(&settings, Arc::clone(&clock)),
        &settings.pool,
        Arc::clone(&clock),
    );
    let llm = Llm::new(LlmParts {
        settings: settings.chat.clone(),
        providers: Arc::clone(&settings.providers),
        pool: pool.clone(),
        http: http.clone(),
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        shutdown: discord_life.clone(),
    });
    llm.load_lists(&settings.pool.state_dir).await;
    llm.list_in_background();
    let tools = Tools::start(&settings.tools, &discord_life);
    let (connected, is_connected) = watch::channel(false);
    serve_admin(listener, pool.clone(), metrics, is_connected, &pool_life);
    let (serving, served) = watch::channel(Arc::new(served_of(settings)));
    if let Some(origin) = origin {
        let (chats, credentials, programs) = (llm.clone(), pool.clone(), tools.clone());
        let apply = async move |settings: Settings| {
            credentials.configure(&settings.pool).await;
            chats.configure(settings.chat.clone(), Arc::clone(&settings.providers));
            programs.configure(&settings.tools);
            serving.send_replace(Arc::new(served_of(settings)));
        };
        drop(pool_life.spawn(reload::run(origin, Arc::clone(&storage), pool_life.clone(), apply)));
    }
    let outcome = discord::run(DiscordParts {
        logins,
        served,
        llm,
        tools,
        pool,
        #[cfg(feature = "hub")]
        hub,
        storage,
        clock,
        http,
        shutdown: discord_life,
        connected,
    })
    .await;
    if !pool_life.drain(POOL_DRAIN).await {
        tracing::warn!("a token refresh was still under way after {} s", POOL_DRAIN.as_secs());
    }
    tracing::info!("stopped");
    outcome.map_err(AppError::from)
}

/// What Discord's side needs of the settings.
fn served_of(settings: Settings) -> Served {
    let Settings { discord, chat, .. } = settings;
    Served { settings: discord, chat }
}

/// The registry of a process that starts now.
fn started(clock: &dyn Clock) -> Metrics {
    let metrics = Metrics::default();
    metrics.set(&metrics::BUILD_INFO, [env!("CARGO_PKG_VERSION")], 1.0);
    let since = clock.now() - DateTime::<Utc>::UNIX_EPOCH;
    metrics.set(&metrics::START_TIME, [], since.as_seconds_f64());
    metrics
}

/// Serves `/live`, `/ready` and `/metrics` for as long as the pool lives: a process that drains is still live.
fn serve_admin(
    listener: TcpListener,
    pool: Pool,
    metrics: Metrics,
    is_connected: watch::Receiver<bool>,
    life: &Shutdown,
) {
    let connection = move || if *is_connected.borrow() { Connection::Up } else { Connection::Down };
    let (asked, scraped) = (connection.clone(), pool.clone());
    let questions = Questions {
        readiness: Arc::new(move || Readiness::of(&pool.snapshot(), asked())),
        metrics: Arc::new(move || {
            let standing = admin::standing(&scraped.snapshot(), connection());
            format!("{}{}", standing.render(), metrics.render())
        }),
    };
    let serving = admin::serve(listener, questions, life.clone());
    drop(life.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(reason = %error.kind(), "The admin endpoint stopped; health checks will fail");
        }
    }));
}

/// Runs the bot until SIGTERM or SIGINT; a second signal ends the process at once.
pub async fn run_until_signal(settings: Settings, origin: Origin) -> Result<(), AppError> {
    let stop = Shutdown::new();
    let running = run_observed(settings, stop.clone(), Some(origin), |_| {});
    tokio::pin!(running);
    tokio::select! {
        outcome = &mut running => return outcome,
        name = shutdown::signal() => tracing::info!(signal = name, "finishing the replies in flight"),
    }
    stop.begin();
    tokio::select! {
        outcome = &mut running => outcome,
        name = shutdown::signal() => Err(AppError::Interrupted { signal: name }),
    }
}
