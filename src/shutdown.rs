//! The life of tasks: everything that runs on its own is tracked here and ends here.

use std::{future::Future, panic::AssertUnwindSafe, pin::pin, time::Duration};

use futures::FutureExt as _;
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long after its first panic a task that is kept is started again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause; a task that ran for longer than this begins with the first again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

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

    /// Spawns a tracked task that is started again after a panic: a second later, then after twice as long each time, a
    /// minute at most. Once the end is asked for it gets one more life, to finish. `what` names it in the log.
    pub fn keep<F>(&self, what: &'static str, mut start: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let ending = self.token.clone();
        drop(self.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                // What a panic leaves half done is shared with others, who meet it either way.
                let mut life = pin!(AssertUnwindSafe(start()).catch_unwind());
                let ended = tokio::select! {
                    ended = &mut life => ended,
                    () = sleep(LONGEST_PAUSE) => {
                        pause = FIRST_PAUSE;
                        life.await
                    }
                };
                if ended.is_ok() {
                    return;
                }
                tracing::error!(
                    task = what,
                    pause_secs = pause.as_secs(),
                    "A background task ended by a programming mistake and is started again after a pause. Please report \
                     the place that the line about the panic names"
                );
                if ending.is_cancelled() {
                    return;
                }
                tokio::select! {
                    () = ending.cancelled() => {}
                    () = sleep(pause) => {}
                }
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        }));
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

/// Asks of SIGHUP, which does not end the process as long as this lives.
#[derive(Debug)]
pub struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    /// Listens from now on.
    pub fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Self { signal: signal(SignalKind::hangup()).ok() }
        }
        #[cfg(not(unix))]
        {
            Self {}
        }
    }

    /// The next one; never, where there is no such signal.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::Instant;

    use super::*;
    use crate::clock::instant;

    /// A task that notes when it was started, and panics after each of these lives.
    fn kept(life: &Shutdown, lives: Vec<u64>) -> Arc<Mutex<Vec<u64>>> {
        let starts: Arc<Mutex<Vec<u64>>> = Arc::default();
        let (noted, began, ending) = (Arc::clone(&starts), instant(), life.token().clone());
        let mut lives = lives.into_iter();
        life.keep("test", move || {
            noted.lock().unwrap().push(Instant::elapsed(&began).as_secs());
            let (lasts, ending) = (lives.next(), ending.clone());
            async move {
                let Some(lasts) = lasts else { return ending.cancelled().await };
                sleep(Duration::from_secs(lasts)).await;
                panic!("FAKE defect");
            }
        });
        starts
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_task_is_started_again_after_longer_and_longer() {
        let life = Shutdown::new();
        let starts = kept(&life, vec![0, 0, 0, 0, 0, 0, 0, 0, 100, 0]);
        sleep(Duration::from_hours(1)).await;
        let expected = [0, 1, 3, 7, 15, 31, 63, 123, 183, 284, 286];
        assert_eq!(*starts.lock().unwrap(), expected, "and soon again once it ran for a while");
        assert!(life.drain(Duration::from_secs(1)).await, "it ends with the others");
        assert_eq!(starts.lock().unwrap().len(), expected.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_task_that_is_down_at_the_end_gets_to_finish_once() {
        for lives in [vec![0], vec![0, 0]] {
            let life = Shutdown::new();
            let starts = kept(&life, lives);
            sleep(Duration::from_millis(10)).await;
            assert!(life.drain(Duration::from_millis(100)).await);
            assert_eq!(*starts.lock().unwrap(), [0, 0]);
        }
    }
}
