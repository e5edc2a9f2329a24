//! The live set of credentials with its health: leases, cooldowns, refreshes, news. Knows no chat.
//!
//! A credential's state machine stands in `entry` (pure functions), the set of all in `set` behind one mutex that is never
//! held across an await, and what takes time in flights (`refresher`, `flight`), which no caller's end can stop.

mod alert;
mod announce;
mod at_rest;
mod by_hand;
mod configure;
mod cooldown;
mod entry;
mod error;
mod event;
mod facts;
mod flight;
mod held;
mod inquiry;
mod lease;
mod ledger;
mod lending;
mod line;
mod links;
mod logins;
mod measure;
mod outcome;
mod outlook;
mod reason;
mod refresher;
mod reload;
mod remember;
mod resting;
#[cfg(test)]
mod samples;
mod schedule;
mod seating;
mod selection;
mod sessions;
mod set;
mod single_flight;
mod snapshot;
mod standing;
mod state_store;
mod table;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
mod touched;
mod traits;
mod uses;
mod veil;
mod watcher;
mod window;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{Notify, broadcast, watch},
    time::Instant,
};

pub use alert::{Alert, AlertKind, Subject};
pub use cooldown::RestCause;
pub use error::LeaseError;
pub use event::{PoolEvent, RefreshCause};
pub use lease::{Lease, Lent, Outcome, RetryHint, Want};
pub use line::{Counts, Decision, RefreshLine, RefusalLine, RefusedToken, Rests, Span, SwitchedOff, Value};
pub use logins::{EndError, Logins, Taken, Telling};
pub use selection::{AccessToken, NoSuchCredential, RefreshReport, RefreshResult, Refused, Selector};
pub use snapshot::{CoolingModel, CredentialView, LastRefresh, Quota, Snapshot, State};
pub use state_store::{Batch, Changes, Forgetful, Item, Line, StateStore, StateStoreError};

use self::{
    alert::Alerts,
    announce::Told,
    inquiry::Inquiries,
    ledger::{Ledger, Presence},
    links::Links,
    measure::Counted,
    outcome::Faults,
    reason::unusable,
    remember::Exchange,
    set::Set,
    watcher::{Kept, Quiet, Stamps},
};
use crate::{
    clock::Clock,
    config::{CredentialValue, NamedCredential, PoolSettings, WatchMode},
    credential::{CredentialId, Inventory, SourceSpec, Store},
    fs::at_rest,
    oauth::{Refresh, RefreshError},
    provider::{Catalog, ProviderId},
    secret::Secret,
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};

/// How long a command waits for the state store.
const SETTLE: Duration = Duration::from_secs(5);

/// What a pool is built from.
pub struct PoolParts {
    /// Sources, strategy, early window.
    pub settings: PoolSettings,
    /// The providers.
    pub providers: Arc<Catalog>,
    /// Credentials at rest.
    pub store: Arc<Store>,
    /// The exchange.
    pub refresh: Arc<dyn Refresh>,
    /// What remembers beyond the life of a process.
    pub state: Arc<dyn StateStore>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The life of its tasks.
    pub shutdown: Shutdown,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether it works by itself.
    pub background: Background,
}

/// Whether a pool works by itself, besides answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    /// Refreshes early, watches the sources, logs what it loaded.
    #[default]
    On,
    /// Does only what is asked: for commands that look once and end.
    Off,
}

/// The pool: cheap to clone, one set behind all clones.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    parts: PoolParts,
    /// As they are now; those in `parts` are the ones of the start.
    settings: RwLock<Arc<PoolSettings>>,
    /// One look at the sources at a time, so that the last one knows the newest settings.
    looking: tokio::sync::Mutex<()>,
    set: Mutex<Set>,
    stamps: Stamps,
    events: broadcast::Sender<PoolEvent>,
    /// The alerts that hold; `None` before the first look.
    alerts: watch::Sender<Option<Vec<Alert>>>,
    /// Wakes the schedule.
    wake: Notify,
    /// Counts the ends of requests that kept others away from what had rested, and what operators changed.
    openings: watch::Sender<u64>,
    /// What is remembered. Its holder waits for the store; nobody else does.
    ledger: tokio::sync::Mutex<Ledger>,
    /// Wakes the task that remembers.
    remember: Notify,
    /// What providers told when they were asked about accounts. Its holder waits for nothing.
    inquiries: Mutex<Inquiries>,
    /// The links at rest.
    links: Mutex<Links>,
    /// Why the first read failed.
    unread: OnceLock<StateStoreError>,
}

impl Pool {
    /// Loads every source, logs one line each, and starts the refresher and the watcher.
    pub async fn start(mut parts: PoolParts) -> Self {
        parts.refresh = Arc::new(Counted::new(parts.refresh, parts.metrics.clone()));
        let (events, _) = broadcast::channel(256);
        let (openings, _) = watch::channel(0);
        let presence = match parts.background {
            Background::On => Presence::Told,
            Background::Off => Presence::Untold,
        };
        let set = Set::new(&parts.settings);
        let inner = Arc::new(Inner {
            settings: RwLock::new(Arc::new(parts.settings.clone())),
            looking: tokio::sync::Mutex::default(),
            parts,
            set: Mutex::new(set),
            stamps: Stamps::default(),
            events,
            alerts: watch::Sender::new(None),
            wake: Notify::new(),
            openings,
            ledger: tokio::sync::Mutex::new(Ledger::new(uuid::Uuid::new_v4().to_string(), presence)),
            remember: Notify::new(),
            inquiries: Mutex::default(),
            links: Mutex::default(),
            unread: OnceLock::new(),
        });
        let loader = Arc::clone(&inner);
        let inventory = at_rest(move || {
            loader.stamps.prime(&loader.parts.settings);
            loader.parts.store.load(&sources(&loader.parts.settings))
        })
        .await;
        let folders = inventory.watch.clone();
        let told = Told::of(&inventory);
        inner.apply(inventory, &[], &Quiet::default());
        let patience = match inner.parts.background {
            Background::On => remember::AT_START,
            // Nothing corrects later what was shown or done without it.
            Background::Off => SETTLE,
        };
        let first = inner.exchange(Exchange::Both, patience).await;
        if let Err(error) = &first {
            inner.unread.get_or_init(|| error.clone());
        }
        match inner.parts.background {
            Background::On => {
                inner.announce_start(&told);
                inner.work(first, folders);
            }
            Background::Off => drop(inner.parts.shutdown.spawn(remember::run_at_end(Arc::clone(&inner)))),
        }
        Self { inner }
    }

    /// Borrows a credential. Waits only for a hard-stale token's refresh, until `want.until` at most.
    pub async fn lease(&self, want: &Want) -> Result<Lease, LeaseError> {
        self.inner.lease(want).await
    }

    /// Whether a lease for this provider (and model) would be granted now or after a refresh.
    pub fn has_ready(&self, provider: &ProviderId, model: &str) -> bool {
        self.has_ready_besides(provider, model, &[])
    }

    /// The same for the credentials that are not excluded. Only looks: nothing is lent, counted, probed or refreshed.
    pub fn has_ready_besides(&self, provider: &ProviderId, model: &str, exclude: &[CredentialId]) -> bool {
        self.inner.set().has_ready_besides(provider, model, exclude, self.inner.now())
    }

    /// A forced refresh after a 401 on a fresh-looking token, shared by the value of the failed token (P31).
    /// `Ok` when another token may be tried now.
    pub async fn refresh_after_401(&self, lease: &Lease, until: Instant) -> Result<(), RefreshError> {
        self.inner.after_401(lease, until).await
    }

    /// Refreshes by hand: overrides the backoff once a minute, never sends a refused token unless told to (P32).
    pub async fn refresh(&self, selector: &Selector, refused: Refused) -> Vec<RefreshReport> {
        self.inner.refresh_by_hand(selector, refused).await
    }

    /// A valid access token for a script, refreshed first if need be.
    pub async fn access_token(&self, selector: &Selector, until: Instant) -> Result<AccessToken, LeaseError> {
        self.inner.access_token(selector, until).await
    }

    /// Takes a credential out of service until [`Pool::enable`], for every process that shares the state store. Leases on
    /// it finish. The reason is shown with its state.
    pub fn disable(&self, credential: &CredentialId, reason: Option<String>) -> Result<(), NoSuchCredential> {
        self.inner.change(credential, |entry| entry.switched_off = Some(SwitchedOff { reason }))
    }

    /// Puts a credential back into service: an operator's disabling and a refusal by the service are lifted. What its
    /// file or unaccepted terms disable stays disabled.
    pub fn enable(&self, credential: &CredentialId) -> Result<(), NoSuchCredential> {
        self.inner.change(credential, |entry| {
            entry.switched_off = None;
            entry.refusal = None;
        })
    }

    /// Ends every rest of a credential, whole and by model.
    pub fn clear_cooldown(&self, credential: &CredentialId) -> Result<(), NoSuchCredential> {
        self.inner.change(credential, |entry| {
            entry.rest = None;
            entry.models.clear();
            entry.faults = Faults::default();
        })
    }

    /// Where the owner of a refused account verifies or appeals, if the service said so. Bound to the account: for operators
    /// alone, and in no snapshot, event or log.
    pub fn link(&self, credential: &CredentialId) -> Option<Secret> {
        self.inner.set().get(credential)?.refusal.as_ref()?.link.clone()
    }

    /// Changes whenever a request that others waited for has ended, or has begun to be answered, and when an operator
    /// changed a credential: somebody who found everything resting may look again.
    pub fn openings(&self) -> watch::Receiver<u64> {
        self.inner.openings.subscribe()
    }

    /// Why the state store could not be read at the start: what others disabled, rested and counted was not known then.
    pub fn unread(&self) -> Option<&StateStoreError> {
        self.inner.unread.get()
    }

    /// Writes what changed and takes in what others wrote, now: for commands that must know that it was saved.
    pub async fn settle(&self) -> Result<(), StateStoreError> {
        self.inner.exchange(Exchange::Both, SETTLE).await
    }

    /// Everything that can be shown.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    /// The alerts that hold (P34); `None` until the pool has looked for the first time. Whoever compares them with what was
    /// said before misses none, however far it falls behind.
    pub fn alerts(&self) -> watch::Receiver<Option<Vec<Alert>>> {
        self.inner.alerts.subscribe()
    }

    /// News from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<PoolEvent> {
        self.inner.events.subscribe()
    }
}

impl Inner {
    /// Starts what the pool does by itself, each part to be started again should it panic.
    fn work(self: &Arc<Self>, first: Result<(), StateStoreError>, folders: Vec<PathBuf>) {
        let life = &self.parts.shutdown;
        let (inner, mut first) = (Arc::clone(self), Some(first));
        life.keep("remember", move || remember::run(Arc::clone(&inner), first.take().unwrap_or(Ok(()))));
        let inner = Arc::clone(self);
        life.keep("schedule", move || schedule::run(Arc::clone(&inner)));
        let inner = Arc::clone(self);
        life.keep("inquiry", move || inquiry::run(Arc::clone(&inner)));
        let (inner, alerts) =
            (Arc::clone(self), Arc::new(Mutex::new(Alerts::new(self.parts.settings.alert_min_healthy))));
        life.keep("alert", move || alert::run(Arc::clone(&inner), Arc::clone(&alerts)));
        match self.parts.settings.watch {
            WatchMode::Auto | WatchMode::Poll => {
                let inner = Arc::clone(self);
                life.keep("watch", move || watcher::run(Arc::clone(&inner), folders.clone()));
            }
            WatchMode::Off => {}
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.parts.clock.now()
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(|poisoned| {
            // A panic ends one task, not the pool: what it left is worked out anew from the credentials that are there.
            self.set.clear_poison();
            let mut set = poisoned.into_inner();
            set.index();
            set
        })
    }

    fn publish(&self, events: impl IntoIterator<Item = PoolEvent>) {
        for event in events {
            // An error says that nobody listens just now.
            drop(self.events.send(event));
        }
    }

    /// Everything that can be shown.
    fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let mut snapshot = {
            let set = self.set();
            let credentials = set.entries().iter().map(|entry| entry.view(now));
            Snapshot {
                taken_at: now,
                credentials: credentials.chain(set.rejected().iter().map(unusable)).collect(),
            }
        };
        self.inquiries().show(&mut snapshot);
        snapshot
    }

    /// Takes in what a look at the sources found, which credentials were `quiet` when it began.
    fn apply(&self, mut inventory: Inventory, unsettled: &[String], quiet: &Quiet) -> (Vec<PoolEvent>, Kept) {
        let PoolParts { settings, providers, .. } = &self.parts;
        let mut set = self.set();
        let kept = quiet.keep_facts(&set, &mut inventory);
        let known = set.unused_seats().to_vec();
        let events = set.apply(inventory, unsettled, providers, settings.early, self.now());
        for rule in set.unused_seats().iter().filter(|rule| !known.contains(rule)) {
            tracing::warn!("{rule}");
        }
        (events, kept)
    }
}

/// Where the settings say credentials are: what a variable names comes first.
pub fn sources(settings: &PoolSettings) -> Vec<SourceSpec> {
    let named =
        settings.named.iter().cloned().map(|NamedCredential { variable, provider, value }| match value {
            CredentialValue::Path(path) => SourceSpec::File { variable, provider, path },
            CredentialValue::Inline(json) => SourceSpec::Inline { variable, provider, json },
            CredentialValue::ApiKey(key) => SourceSpec::Key { variable, provider, key },
        });
    named.chain([SourceSpec::Folder(settings.credentials_dir.clone())]).collect()
}
