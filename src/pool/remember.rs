//! The task that remembers: twice a second what changed here is written, every second what changed elsewhere is read, so
//! that a change is known everywhere within two seconds. What is read does not depend on what can be written: a full disk
//! must not bring a disabled credential back.
//! It alone waits for the store. One that hangs or fails is left alone for longer and longer, said once, and again when it
//! is back.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::{Inner, ledger::Ledger, state_store::StateStoreError};

/// How often changes are looked for and written.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// Looks between two reads of what others wrote.
const LOOKS_A_READ: u32 = 2;
/// How long the start waits for the first read.
pub(super) const AT_START: Duration = Duration::from_secs(1);
/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last write may take.
const AT_END: Duration = Duration::from_secs(3);
/// How long refreshes that are under way at the end are waited for: what they find is written too.
const LAST_FLIGHTS: Duration = Duration::from_secs(16);
/// The longest pause while the store fails.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What an exchange does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Writes what changed.
    Write,
    /// Reads, then writes.
    Both,
}

impl Inner {
    /// Takes in what others wrote, then writes what changed; neither waits for the other to succeed.
    pub(super) async fn exchange(&self, what: Exchange, patience: Duration) -> Result<(), StateStoreError> {
        let mut ledger = self.ledger.lock().await;
        // However the store does: rests that the clock stepped back from under are seen to here.
        ledger.look(&mut self.set(), self.now());
        let done = timeout(patience, self.exchanged(&mut ledger, what)).await;
        done.unwrap_or_else(|_| {
            Err(StateStoreError(format!("the state store did not answer within {} s", patience.as_secs())))
        })
    }

    async fn exchanged(&self, ledger: &mut Ledger, what: Exchange) -> Result<(), StateStoreError> {
        let read = match what {
            Exchange::Write => Ok(()),
            Exchange::Both => self.hear(ledger).await,
        };
        read.and(self.hand_over(ledger).await)
    }

    async fn hear(&self, ledger: &mut Ledger) -> Result<(), StateStoreError> {
        let mut changes = self.parts.state.read(ledger.revision()).await?;
        if ledger.is_another(&changes) {
            tracing::warn!(
                "The state store is not the one that it was; what is known here is written to it again"
            );
            ledger.begin_anew();
            changes = self.parts.state.read(0).await?;
        }
        let news = {
            let now = self.now();
            let mut set = self.set();
            let heard = ledger.take_in(&mut set, changes, now);
            if heard.more_than_counts {
                self.openings.send_modify(|count| *count += 1);
            }
            heard.whose.iter().filter_map(|id| set.sweep_one(id, now)).collect::<Vec<_>>()
        };
        if !news.is_empty() {
            self.wake.notify_one();
        }
        self.publish(news);
        Ok(())
    }

    /// Writes in batches, so that a slow store gets on even where the time does not suffice for all.
    async fn hand_over(&self, ledger: &mut Ledger) -> Result<(), StateStoreError> {
        ledger.look(&mut self.set(), self.now());
        while let Some(batch) = ledger.batch(self.now()) {
            self.parts.state.write(&batch).await?;
            ledger.written();
        }
        Ok(())
    }
}

/// Runs until the end is asked for, then writes what is left.
pub(super) async fn run(inner: Arc<Inner>, first: Result<(), StateStoreError>) {
    let ending = inner.parts.shutdown.token().clone();
    let mut trouble = Trouble::default();
    trouble.note(&first);
    let mut looks = 0;
    loop {
        tokio::select! {
            () = ending.cancelled() => break,
            () = inner.remember.notified() => {}
            () = sleep(trouble.pause()) => {}
        }
        looks += 1;
        let what = if looks >= LOOKS_A_READ { Exchange::Both } else { Exchange::Write };
        let result = tokio::select! {
            () = ending.cancelled() => break,
            result = inner.exchange(what, PATIENCE) => result,
        };
        if result.is_ok() && what == Exchange::Both {
            looks = 0;
        }
        trouble.note(&result);
    }
    finish(&inner).await;
}

/// For a pool that does nothing by itself: waits for the end, then writes what it changed.
pub(super) async fn run_at_end(inner: Arc<Inner>) {
    inner.parts.shutdown.token().cancelled().await;
    finish(&inner).await;
}

async fn finish(inner: &Arc<Inner>) {
    let landed = async {
        while inner.set().entries().iter().any(|entry| entry.flight.is_some()) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // A flight that takes longer is cut off with the process; what is known by now counts all the same.
    drop(timeout(LAST_FLIGHTS, landed).await);
    if let Err(error) = inner.exchange(Exchange::Write, AT_END).await {
        tracing::warn!(reason = %error, "The last changes of cooldowns and counters could not be saved");
    }
}

/// How the store does.
#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
}

impl Trouble {
    fn pause(&self) -> Duration {
        WRITE_EVERY.saturating_mul(1 << self.failures.min(7)).min(LONGEST_PAUSE)
    }

    fn note(&mut self, result: &Result<(), StateStoreError>) {
        match result {
            Ok(()) if self.failures > 0 => {
                self.failures = 0;
                tracing::info!("The state store answers again; what changed meanwhile is saved");
            }
            Ok(()) => {}
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!(
                        reason = %error,
                        "The state store cannot be used; cooldowns, counters and decisions live in memory until it answers"
                    );
                }
                self.failures = self.failures.saturating_add(1);
            }
        }
    }
}
