//! The background: refreshes that are due, saves that are to be tried again, states that time changed.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use super::{Inner, RefreshCause, refresher::Errand};
use crate::credential::CredentialId;

/// Background flights at once (P8).
const AT_ONCE: usize = 8;
/// Looks at the wall clock at least this often: it may have been stepped, or the host may have slept (P10).
const LONGEST: Duration = Duration::from_secs(5);
/// Looks no more often than this.
const SHORTEST: Duration = Duration::from_millis(50);

/// Runs until the end is asked for; flights that are under way then finish by themselves.
pub(super) async fn run(inner: Arc<Inner>) {
    let ending = inner.parts.shutdown.token().clone();
    loop {
        let pause = tick(&inner);
        tokio::select! {
            () = ending.cancelled() => return,
            () = inner.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Starts what is due, and says how long nothing will be.
fn tick(inner: &Arc<Inner>) -> Duration {
    let now = inner.now();
    let mut set = inner.set();
    let news = set.sweep(now);
    let mut due: Vec<(Reverse<bool>, _, CredentialId, Errand)> = Vec::new();
    let mut next = None;
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
        } else if let Some(at) = entry.due_at().filter(|at| *at > now) {
            next = Some(next.map_or(at, |next: chrono::DateTime<chrono::Utc>| next.min(at)));
        }
    }
    // Unsaved tokens first, then those with the least time left.
    due.sort_by_key(|(kind, expires_at, ..)| (*kind, *expires_at));
    for (_, _, id, errand) in due {
        if set.background >= AT_ONCE {
            break;
        }
        drop(inner.depart(&mut set, &id, errand));
    }
    drop(set);
    inner.publish(news);
    let wait = next.and_then(|at| at.signed_duration_since(now).to_std().ok()).unwrap_or(LONGEST);
    wait.clamp(SHORTEST, LONGEST)
}
