//! The life of tasks: everything that runs on its own is tracked here and ends here.

use std::{future::Future, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Handed to everything that spawns: a token that says "finish", and a tracker that waits until all have.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Shutdown {
    /// A life of its own, not yet ending.
    pub fn new() -> Self {
        Self::default()
    }

    /// A part of this life that can be ended by itself; its tasks are waited for with the whole.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { token: self.token.child_token(), tracker: self.tracker.clone() }
    }

    /// Spawns a tracked task.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// The token that tasks select on.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Whether the end has been asked for.
    pub fn is_ending(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Asks every task to finish.
    pub fn begin(&self) {
        self.token.cancel();
        self.tracker.close();
    }

    /// Asks every task to finish and waits for them, `limit` at most; `false` when some were still running.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.begin();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

/// Resolves at the first SIGTERM or SIGINT (Ctrl-C elsewhere), and names it.
pub async fn signal() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    }
    #[cfg(not(unix))]
    {
        if tokio::signal::ctrl_c().await.is_err() {
            return std::future::pending().await;
        }
        "Ctrl-C"
    }
}
