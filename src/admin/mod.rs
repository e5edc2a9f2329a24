//! `/live`, `/ready` and `/metrics` for whoever supervises the process.
//!
//! `/live` says that the process runs: a supervisor restarts it otherwise, and a restart mends neither a lost login
//! nor Discord. Those are `/ready`'s to tell.

mod metrics;

use std::{io, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;

pub use metrics::standing;

use crate::{pool::Snapshot, shutdown::Shutdown};

/// Whether the bot can do its job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot, with every reason.
    NotReady(Vec<Unready>),
}

/// A reason for not being ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// No credential is configured at all.
    NothingConfigured,
    /// There are credentials, and none can be used now (P36).
    NoUsableCredential,
    /// Discord's gateway is not connected.
    DiscordDisconnected,
}

impl Unready {
    /// The name in the answer.
    fn name(self) -> &'static str {
        match self {
            Self::NothingConfigured => "nothing_configured",
            Self::NoUsableCredential => "no_usable_credential",
            Self::DiscordDisconnected => "discord_disconnected",
        }
    }

    /// What to do about it.
    fn remedy(self) -> &'static str {
        match self {
            Self::NothingConfigured => "add a credential file to CREDENTIALS_DIR or set an API key",
            Self::NoUsableCredential => "run `cortana status` to see what each credential needs",
            Self::DiscordDisconnected => "wait for the connection, or look for its error in the log",
        }
    }
}

/// Discord's side of readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// The gateway is connected.
    Up,
    /// It is not.
    Down,
}

impl Readiness {
    /// Judges the pool and the connection.
    pub fn of(snapshot: &Snapshot, discord: Connection) -> Self {
        let mut reasons = Vec::new();
        if snapshot.credentials.is_empty() {
            reasons.push(Unready::NothingConfigured);
        } else if !snapshot.credentials.iter().any(|credential| credential.state.is_usable()) {
            reasons.push(Unready::NoUsableCredential);
        }
        match discord {
            Connection::Up => {}
            Connection::Down => reasons.push(Unready::DiscordDisconnected),
        }
        if reasons.is_empty() { Self::Ready } else { Self::NotReady(reasons) }
    }
}

/// Asked for every `/ready`; quick, and never blocking.
pub type AskReadiness = Arc<dyn Fn() -> Readiness + Send + Sync>;

/// Asked for every `/metrics`: the text of a scrape.
pub type AskMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the endpoints ask.
#[derive(Clone)]
pub struct Questions {
    /// For `/ready`.
    pub readiness: AskReadiness,
    /// For `/metrics`.
    pub metrics: AskMetrics,
}

/// Serves the endpoints until `shutdown` begins and the requests that were under way are answered.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, questions: Questions, shutdown: Shutdown) -> io::Result<()> {
    let ending = shutdown.token().clone();
    let router = router(questions, shutdown);
    axum::serve(listener, router).with_graceful_shutdown(async move { ending.cancelled().await }).await
}

fn router(questions: Questions, shutdown: Shutdown) -> Router {
    let state = Admin { questions, shutdown };
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(scrape))
        .with_state(state)
}

#[derive(Clone)]
struct Admin {
    questions: Questions,
    shutdown: Shutdown,
}

async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "live", "version": env!("CARGO_PKG_VERSION") }))
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.shutdown.is_ending() {
        return unready(&[json!({ "reason": "shutting_down", "remedy": "wait for the restart" })]);
    }
    match (admin.questions.readiness)() {
        Readiness::Ready => Json(json!({ "status": "ready" })).into_response(),
        Readiness::NotReady(reasons) => {
            let reasons: Vec<serde_json::Value> = reasons
                .into_iter()
                .map(|reason| json!({ "reason": reason.name(), "remedy": reason.remedy() }))
                .collect();
            unready(&reasons)
        }
    }
}

async fn scrape(State(admin): State<Admin>) -> Response {
    metrics::answer((admin.questions.metrics)())
}

fn unready(reasons: &[serde_json::Value]) -> Response {
    let body = json!({ "status": "not_ready", "reasons": reasons });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}
