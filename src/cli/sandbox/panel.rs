//! Looks on at the pool: shows the page what stands, whenever it changed, and tells what happened, in sentences.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::sync::{broadcast::error::RecvError, mpsc};

use crate::{
    clock::{Clock, SystemClock},
    credential::CredentialId,
    pool::{CredentialView, Pool, PoolEvent, Snapshot},
    sandbox::Panel,
    shutdown::Shutdown,
};

/// How often counters are looked at: leases and returns make no news.
const LOOK: Duration = Duration::from_millis(200);

/// Who hears of the pool, and in which names.
pub(super) struct Audience {
    /// The page.
    pub(super) panel: Panel,
    /// Whose a file or a variable is among the emulated accounts.
    pub(super) accounts: BTreeMap<String, String>,
    /// Whoever tells a scenario: hears each sentence, credentials called by their emulated accounts.
    pub(super) teller: Option<mpsc::UnboundedSender<String>>,
}

/// Shows and tells of `pool` until `life` ends.
pub(super) fn observe(pool: Pool, audience: Audience, life: &Shutdown) {
    let ending = life.token().clone();
    drop(life.spawn(async move {
        let mut news = pool.subscribe();
        let mut resting = BTreeSet::new();
        loop {
            let snapshot = pool.snapshot();
            for rest in new_rests(&snapshot, &mut resting) {
                audience.tell(&snapshot, &rest);
            }
            audience.show(&snapshot);
            tokio::select! {
                () = ending.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
                event = news.recv() => match event {
                    Ok(event) => audience.tell(&pool.snapshot(), &News::Event(event)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }));
}

/// Something to tell.
enum News {
    /// The pool said so.
    Event(PoolEvent),
    /// A model rests on a credential: no state of the credential's, so no event tells it.
    Rests { credential: CredentialId, model: String, seconds: i64, reason: String },
}

impl Audience {
    /// The snapshot without its instant, so that only a change is one.
    fn show(&self, snapshot: &Snapshot) {
        let known: Map<String, Value> = snapshot
            .credentials
            .iter()
            .filter_map(|view| Some((view.id.to_string(), json!(self.accounts.get(&view.place)?))))
            .collect();
        self.panel.show(json!({ "credentials": snapshot.credentials, "accounts": known }));
    }

    fn tell(&self, snapshot: &Snapshot, news: &News) {
        // The page calls a credential as its card does.
        let shown = sentence(snapshot, news, &|view| view.account.clone());
        self.panel.note(SystemClock.now().timestamp_millis(), shown);
        if let Some(teller) = &self.teller {
            let account = |view: &CredentialView| {
                self.accounts.get(&view.place).cloned().unwrap_or_else(|| view.account.clone())
            };
            // Nobody listens any more: the play is over.
            drop(teller.send(sentence(snapshot, news, &account)));
        }
    }
}

/// The rests of models that began since the last look.
fn new_rests(snapshot: &Snapshot, known: &mut BTreeSet<(CredentialId, String)>) -> Vec<News> {
    let mut now_known = BTreeSet::new();
    let mut new = Vec::new();
    for view in &snapshot.credentials {
        for rest in &view.cooling_models {
            let entry = (view.id.clone(), rest.model.clone());
            if !known.contains(&entry) {
                let left = rest.until - snapshot.taken_at;
                new.push(News::Rests {
                    credential: view.id.clone(),
                    model: rest.model.clone(),
                    // Rounded up: "0 s" would be no rest.
                    seconds: (left.num_milliseconds().max(0) + 999) / 1000,
                    reason: rest.reason.clone(),
                });
            }
            now_known.insert(entry);
        }
    }
    *known = now_known;
    new
}

fn sentence(snapshot: &Snapshot, news: &News, account: &dyn Fn(&CredentialView) -> String) -> String {
    let view = |id: &CredentialId| snapshot.credentials.iter().find(|view| view.id == *id);
    let account = |id: &CredentialId| view(id).map_or_else(|| id.to_string(), account);
    let event = match news {
        News::Event(event) => event,
        News::Rests { credential, model, seconds, reason } => {
            let provider = view(credential).and_then(|view| view.provider.as_ref());
            let provider = provider.map_or_else(|| "unknown".to_owned(), ToString::to_string);
            return format!("{provider} {}: rests {seconds} s for {model} ({reason})", account(credential));
        }
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
