//! The background: refreshes that are due, saves that are to be tried again, states that time changed.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Inner, RefreshCause, refresher::Errand, window::after};
use crate::credential::CredentialId;

/// Background flights at once (P8).
const AT_ONCE: usize = 8;
/// Looks at the wall clock at least this often: it may have been stepped, or the host may have slept (P10).
const LONGEST: Duration = Duration::from_secs(5);
/// A clock that goes back by more than this was stepped; by less, it was put right.
const STEPPED: TimeDelta = TimeDelta::seconds(2);
/// Looks no more often than this.
const SHORTEST: Duration = Duration::from_millis(50);

/// Runs until the end is asked for; flights that are under way then finish by themselves.
pub(super) async fn run(inner: Arc<Inner>) {
    let ending = inner.parts.shutdown.token().clone();
    let mut looked_at = inner.now();
    loop {
        let pause = tick(&inner, &mut looked_at);
        tokio::select! {
            () = ending.cancelled() => return,
            () = inner.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Starts what is due, and says how long nothing will be, nor change by itself.
fn tick(inner: &Arc<Inner>, looked_at: &mut DateTime<Utc>) -> Duration {
    let now = inner.now();
    let mut set = inner.set();
    let stepped_back = looked_at.signed_duration_since(now);
    *looked_at = now;
    if stepped_back > STEPPED {
        set.step_back(stepped_back);
    }
    let news = set.sweep(now);
    let mut due: Vec<(Reverse<bool>, _, CredentialId, Errand)> = Vec::new();
    let mut next = after(now, LONGEST);
    for entry in set.entries() {
        let id = &entry.credential.id;
        let save = entry.unsaved.as_ref().is_some_and(|unsaved| now >= unsaved.retry_at);
        if save && entry.flight.is_none() {
            due.push((Reverse(true), None, id.clone(), Errand::Save));
        } else if entry.is_due(now) {
            let errand = Errand::refresh(RefreshCause::Early);
            due.push((Reverse(false), entry.window.expires_at(), id.clone(), errand));
        } else if entry.wants_facts(now) {
            due.push((Reverse(false), entry.window.expires_at(), id.clone(), Errand::Facts));
        }
        let instants = [entry.due_at().filter(|at| *at > now), entry.turns_at(now)];
        next = instants.into_iter().flatten().fold(next, DateTime::min);
    }
    // Unsaved tokens first, then those with the least time left.
    due.sort_by_key(|(kind, expires_at, ..)| (*kind, *expires_at));
    for (_, _, id, errand) in due {
        if set.background >= AT_ONCE {
            break;
        }
        drop(inner.depart(&mut set, &id, errand));
    }
    next = next.max(after(now, SHORTEST));
    set.scheduled_at = Some(next);
    drop(set);
    inner.publish(news);
    next.signed_duration_since(now).to_std().unwrap_or(SHORTEST)
}
