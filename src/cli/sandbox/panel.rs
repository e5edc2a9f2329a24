//! Hands the pool to the page: what stands, whenever it changed, and what happened, in sentences.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    clock::{Clock, SystemClock},
    credential::CredentialId,
    pool::{Pool, PoolEvent},
    sandbox::Panel,
    shutdown::Shutdown,
};

/// How often counters are looked at: leases and returns make no news.
const LOOK: Duration = Duration::from_millis(200);

/// Shows `pool` on the panel until `life` ends. `accounts` says whose a file or a variable is among the emulators.
pub(super) fn observe(pool: Pool, panel: Panel, accounts: BTreeMap<String, String>, life: &Shutdown) {
    let ending = life.token().clone();
    drop(life.spawn(async move {
        let mut news = pool.subscribe();
        loop {
            panel.show(shown(&pool, &accounts));
            tokio::select! {
                () = ending.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
                event = news.recv() => match event {
                    Ok(event) => {
                        panel.note(SystemClock.now().timestamp_millis(), sentence(&pool, &event));
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }));
}

/// The snapshot without its instant, so that only a change is one.
fn shown(pool: &Pool, accounts: &BTreeMap<String, String>) -> Value {
    let snapshot = pool.snapshot();
    let known: Map<String, Value> = snapshot
        .credentials
        .iter()
        .filter_map(|view| Some((view.id.to_string(), json!(accounts.get(&view.place)?))))
        .collect();
    json!({ "credentials": snapshot.credentials, "accounts": known })
}

fn sentence(pool: &Pool, event: &PoolEvent) -> String {
    let snapshot = pool.snapshot();
    let account = |id: &CredentialId| {
        let view = snapshot.credentials.iter().find(|view| view.id == *id);
        view.map_or_else(|| format!("{id}"), |view| view.account.clone())
    };
    match event {
        PoolEvent::Loaded { credential, provider } => format!("{provider} {}: loaded", account(credential)),
        PoolEvent::Removed { credential, provider } => format!("{provider} {credential}: its source is gone"),
        PoolEvent::Refreshed { credential, provider, failure: None, .. } => {
            format!("{provider} {}: refreshed", account(credential))
        }
        PoolEvent::Refreshed { credential, provider, failure: Some(failure), .. } => {
            format!("{provider} {}: the refresh failed: {failure}", account(credential))
        }
        PoolEvent::StateChanged { credential, provider, from, to, .. } => {
            format!("{provider} {}: {} → {}", account(credential), from.label(), to.label())
        }
        PoolEvent::Unsaved { credential, provider, problem: Some(problem) } => {
            format!("{provider} {}: {problem}", account(credential))
        }
        PoolEvent::Unsaved { credential, provider, problem: None } => {
            format!("{provider} {}: saved again", account(credential))
        }
        PoolEvent::Alert(alert) => alert.sentence(),
    }
}
