//! Time: the one place that asks what time it is, so that tests can decide the answer.
//!
//! Expiry is compared on the wall clock in UTC (a host that slept must notice, P10); waiting uses tokio's
//! timer. [`VirtualClock`] ties the two together: under `tokio::time::pause` both advance as one.

use std::{fmt, sync::Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Tells wall time in UTC.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current instant on the wall clock.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that starts where it is told and follows tokio's timer, and can be stepped like a real one.
#[derive(Debug)]
pub struct VirtualClock {
    epoch: DateTime<Utc>,
    started_at: Instant,
    step: Mutex<TimeDelta>,
}

impl VirtualClock {
    /// A clock that reads `epoch` now.
    pub fn starting_at(epoch: DateTime<Utc>) -> Self {
        Self { epoch, started_at: instant(), step: Mutex::new(TimeDelta::zero()) }
    }

    /// Steps the wall clock, forwards or backwards, without moving the timer.
    pub fn step(&self, by: TimeDelta) {
        *self.step.lock().expect("no holder of the step panics") += by;
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        let step = *self.step.lock().expect("no holder of the step panics");
        let elapsed = TimeDelta::from_std(self.started_at.elapsed()).unwrap_or(TimeDelta::MAX);
        self.epoch + elapsed + step
    }
}

/// The monotonic instant now, on tokio's timer.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn instant() -> Instant {
    Instant::now()
}
