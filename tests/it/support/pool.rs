//! A pool over real files in a folder of its own, with a token endpoint that counts, on a clock that tests decide.

use std::{
    collections::{HashSet, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use cortana::{
    clock::{Clock, VirtualClock, instant},
    config::{CredentialValue, NamedCredential, PoolSettings, WatchMode},
    credential::{Facts, OAuthLogin, Store, StoreOptions},
    fs::{Disk, Faults, Step},
    oauth::{Grant, Refresh, RefreshError},
    pool::{
        Background, CredentialView, Forgetful, Lease, LeaseError, Outcome, Pool, PoolParts, RetryHint,
        StateStore, Want,
    },
    provider::{Catalog, Provider, ProviderId},
    secret::Secret,
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

/// Qwen's row: refresh tokens rotate, nothing follows a grant.
pub(crate) const QWEN: &str = "qwen_code";

pub(crate) fn provider(id: &str) -> ProviderId {
    id.parse().unwrap()
}

/// What the endpoint does with one request, once.
pub(crate) enum Answer {
    /// Refuses like this.
    Fail(RefreshError),
    /// Grants a token that lives so long (`None`: the reply does not say).
    Life(Option<Duration>),
    /// Does something first, then refuses the token.
    RefuseAfter(Box<dyn FnOnce() + Send>),
    /// Grants a token, in a reply that names this host.
    Foreign(&'static str),
    /// Does something first, then grants a token.
    GrantAfter(Box<dyn FnOnce() + Send>),
}

pub(crate) fn unavailable() -> RefreshError {
    RefreshError::Transient { problem: "HTTP 503".to_owned(), retry_after: None }
}

/// A token endpoint with single-use refresh tokens. Counts.
pub(crate) struct Endpoint {
    script: Mutex<VecDeque<Answer>>,
    down: Mutex<Option<RefreshError>>,
    latency: Mutex<Duration>,
    spent: Mutex<HashSet<String>>,
    spent_again: AtomicU32,
    sent: Mutex<Vec<(String, Instant)>>,
    serial: AtomicU32,
    at_once: AtomicU32,
    /// The most requests that were under way together.
    pub(crate) most_at_once: AtomicU32,
    /// What the steps after a grant find, when there are any.
    pub(crate) facts: Mutex<Result<Facts, RefreshError>>,
    /// How often they ran.
    pub(crate) after_grants: AtomicU32,
}

impl Endpoint {
    fn new() -> Self {
        Self {
            script: Mutex::default(),
            down: Mutex::default(),
            latency: Mutex::new(Duration::from_millis(200)),
            spent: Mutex::default(),
            spent_again: AtomicU32::new(0),
            sent: Mutex::default(),
            serial: AtomicU32::new(0),
            at_once: AtomicU32::new(0),
            most_at_once: AtomicU32::new(0),
            facts: Mutex::new(Ok(Facts::default())),
            after_grants: AtomicU32::new(0),
        }
    }

    /// Answers the next request like this.
    pub(crate) fn next(&self, answer: Answer) {
        self.script.lock().unwrap().push_back(answer);
    }

    /// Refuses everything like this, until `up`.
    pub(crate) fn down(&self, error: RefreshError) {
        *self.down.lock().unwrap() = Some(error);
    }

    pub(crate) fn up(&self) {
        *self.down.lock().unwrap() = None;
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        *self.latency.lock().unwrap() = latency;
    }

    /// Token requests so far.
    pub(crate) fn calls(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Requests with a token that was spent before.
    pub(crate) fn spent_again(&self) -> u32 {
        self.spent_again.load(Ordering::SeqCst)
    }

    /// The refresh tokens that were sent, in order.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(|(token, _)| token.clone()).collect()
    }

    /// When they were sent.
    pub(crate) fn sent_at(&self) -> Vec<Instant> {
        self.sent.lock().unwrap().iter().map(|(_, at)| *at).collect()
    }
}

#[async_trait]
impl Refresh for Endpoint {
    async fn refresh(&self, _provider: &Provider, login: &OAuthLogin) -> Result<Grant, RefreshError> {
        let token =
            login.tokens.refresh.as_ref().expect("only logins with one are refreshed").expose().to_owned();
        self.sent.lock().unwrap().push((token.clone(), instant()));
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        let latency = *self.latency.lock().unwrap();
        tokio::time::sleep(latency).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let answer = self.script.lock().unwrap().pop_front();
        if let Some(error) = self.down.lock().unwrap().clone() {
            return Err(error);
        }
        let refused = || RefreshError::InvalidGrant { code: "invalid_grant".to_owned() };
        let mut foreign_host = None;
        let lifetime = match answer {
            None => Some(Duration::from_hours(1)),
            Some(Answer::Life(life)) => life,
            Some(Answer::Fail(error)) => return Err(error),
            Some(Answer::Foreign(host)) => {
                foreign_host = Some(host.to_owned());
                Some(Duration::from_hours(1))
            }
            Some(Answer::GrantAfter(first)) => {
                first();
                Some(Duration::from_hours(1))
            }
            Some(Answer::RefuseAfter(first)) => {
                first();
                return Err(refused());
            }
        };
        if !self.spent.lock().unwrap().insert(token) {
            self.spent_again.fetch_add(1, Ordering::SeqCst);
            return Err(refused());
        }
        let serial = self.serial.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Grant {
            access: Secret::new(format!("FAKE-access-granted-{serial}")),
            refresh: Some(Secret::new(format!("FAKE-refresh-granted-{serial}"))),
            lifetime,
            facts: Facts::default(),
            foreign_host,
        })
    }

    async fn after_grant(
        &self,
        _provider: &Provider,
        _access: &Secret,
        _known: &Facts,
    ) -> Result<Facts, RefreshError> {
        self.after_grants.fetch_add(1, Ordering::SeqCst);
        self.facts.lock().unwrap().clone()
    }
}

/// Counts every step that changes the disk, and refuses those it is told to.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    count: AtomicU32,
    refuse: Mutex<Option<Step>>,
}

impl Steps {
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }

    pub(crate) fn refuse(&self, step: Option<Step>) {
        *self.refuse.lock().unwrap() = step;
    }
}

impl Faults for Steps {
    fn before(&self, step: Step, _path: &Path) -> io::Result<()> {
        self.count.fetch_add(1, Ordering::SeqCst);
        if *self.refuse.lock().unwrap() == Some(step) {
            return Err(io::Error::other("no space"));
        }
        Ok(())
    }
}

/// A credentials folder, an endpoint, a clock.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) steps: Arc<Steps>,
    pub(crate) settings: PoolSettings,
    /// What its processes share; forgetful unless a test says otherwise.
    pub(crate) state: Arc<dyn StateStore>,
    /// How many of the next looks of a pool at the clock panic.
    pub(crate) defects: Arc<AtomicU32>,
}

/// The clock of a pool, with defects.
#[derive(Debug)]
struct Fragile {
    clock: Arc<VirtualClock>,
    defects: Arc<AtomicU32>,
}

impl Clock for Fragile {
    fn now(&self) -> DateTime<Utc> {
        let fewer = |defects: u32| defects.checked_sub(1);
        assert!(self.defects.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_err(), "FAKE defect");
        self.clock.now()
    }
}

/// A pool as one process has it. Dropping the life ends its tasks.
pub(crate) struct Process {
    pub(crate) pool: Pool,
    /// What it counted.
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: Shutdown,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(TempDir::new().unwrap())
    }

    /// One in memory, where the machine has such a place: for many files.
    pub(crate) fn in_memory() -> Self {
        TempDir::new_in("/dev/shm").map_or_else(|_| Self::new(), Self::over)
    }

    fn over(folder: TempDir) -> Self {
        let credentials_dir = folder.path().join("credentials");
        fs::create_dir(&credentials_dir).unwrap();
        let epoch = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let settings = PoolSettings {
            credentials_dir,
            state_dir: folder.path().join("state"),
            watch: WatchMode::Poll,
            ..PoolSettings::default()
        };
        Self {
            folder,
            clock: Arc::new(VirtualClock::starting_at(epoch)),
            endpoint: Arc::new(Endpoint::new()),
            steps: Arc::default(),
            settings,
            state: Arc::new(Forgetful),
            defects: Arc::default(),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.settings.credentials_dir.join(name)
    }

    /// Writes a Qwen login in the simple form: `FAKE-access-NAME`, `FAKE-refresh-NAME`.
    pub(crate) fn login(&self, name: &str, expires_in: i64) {
        let expires_at = self.now() + TimeDelta::seconds(expires_in);
        self.put(
            &format!("qwen_{name}.json"),
            &json!({
                "access_token": format!("FAKE-access-{name}"),
                "refresh_token": format!("FAKE-refresh-{name}"),
                "token_type": "Bearer",
                "expires_at": expires_at.timestamp(),
            }),
        );
    }

    pub(crate) fn put(&self, name: &str, content: &Value) {
        put(&self.path(name), &content.to_string());
    }

    pub(crate) fn file(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }

    /// Adds API keys `sk-FAKE-1`… of OpenAI.
    pub(crate) fn keys(&mut self, count: usize) {
        for number in 1..=count {
            self.settings.named.push(NamedCredential {
                variable: format!("OPENAI_API_KEY_{number}"),
                provider: provider("openai"),
                value: CredentialValue::ApiKey(Secret::new(format!("sk-FAKE-{number}"))),
            });
        }
    }

    /// A process that does only what it is asked.
    pub(crate) async fn process(&self) -> Process {
        self.start(Background::Off).await
    }

    /// A process as `run` has it.
    pub(crate) async fn bot(&self) -> Process {
        self.start(Background::On).await
    }

    async fn start(&self, background: Background) -> Process {
        let mut providers = Catalog::builtin();
        for id in ["gemini_cli", "antigravity"] {
            providers.get_mut(&provider(id)).unwrap().terms_accepted = true;
        }
        let providers = Arc::new(providers);
        let options = StoreOptions {
            state_dir: self.folder.path().join("state"),
            allow_state_writeback: false,
            providers: Arc::clone(&providers),
            clock: self.clock.clone(),
        };
        let shutdown = Shutdown::new();
        let metrics = Metrics::default();
        let pool = Pool::start(PoolParts {
            settings: self.settings.clone(),
            providers,
            store: Arc::new(Store::with_disk(options, Disk::with_faults(self.steps.clone()))),
            refresh: self.endpoint.clone(),
            state: Arc::clone(&self.state),
            clock: Arc::new(Fragile { clock: self.clock.clone(), defects: self.defects.clone() }),
            shutdown: shutdown.clone(),
            metrics: metrics.clone(),
            background,
        })
        .await;
        Process { pool, metrics, shutdown }
    }
}

/// A wish of this provider, with this much patience.
pub(crate) fn want(id: &str, patience: Duration) -> Want {
    Want::new(provider(id), "a-model", instant() + patience)
}

pub(crate) async fn qwen(process: &Process) -> Result<Lease, LeaseError> {
    process.pool.lease(&want(QWEN, Duration::from_mins(1))).await
}

/// Writes a file as its owner, or the provider's own program, would.
#[expect(clippy::disallowed_methods, reason = "a test plays the programs that own these files")]
pub(crate) fn put(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

/// The one credential.
pub(crate) fn only(process: &Process) -> CredentialView {
    let snapshot = process.pool.snapshot();
    assert_eq!(snapshot.credentials.len(), 1, "{snapshot:?}");
    snapshot.credentials[0].clone()
}

/// A credential that is to rest for so long.
pub(crate) fn quota(seconds: u64) -> Outcome {
    Outcome::CredentialCooling {
        hint: RetryHint::After(Duration::from_secs(seconds)),
        reason: "QUOTA_EXHAUSTED".to_owned(),
    }
}

/// Ends a process as `run` does.
pub(crate) async fn end(process: Process) {
    assert!(process.shutdown.drain(Duration::from_secs(20)).await);
}
