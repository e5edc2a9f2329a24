//! The pool across real processes: this test binary runs itself, over one folder, against one token endpoint with
//! single-use refresh tokens on a real socket.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use cortana::{
    clock::{SystemClock, instant},
    config::{PoolSettings, WatchMode},
    credential::{Store, StoreOptions},
    http::{Http, HttpOptions, Reach},
    oauth::HttpRefresh,
    pool::{Background, LeaseError, Pool, PoolParts, Want},
    provider::{Catalog, LoginKind},
    sandbox::vendor::{Act, Fault, Kind, MintedLogin},
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};
use futures::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    pool::put,
    vendors::{Served, until},
};

const QWEN: &str = "qwen_code";

/// A folder as every process finds it: its working directory.
fn folder(served: &Served, minted: &MintedLogin) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("credentials")).unwrap();
    let mut file = minted.simple_file();
    file["expires_at"] = json!(1_700_000_000.5);
    put(&folder.path().join("credentials/qwen.json"), &file.to_string());
    put(&folder.path().join("origin"), &served.origin);
    folder
}

/// A pool over the working directory.
async fn pool(folder: &Path) -> Pool {
    let origin = fs::read_to_string(folder.join("origin")).unwrap();
    let mut providers = Catalog::builtin();
    let row = providers.get_mut(&QWEN.parse().unwrap()).unwrap();
    let LoginKind::OAuth(spec) = &mut row.login else { panic!("Qwen is a login") };
    let endpoints = cortana::sandbox::vendor::Vendors::endpoints(&origin).remove(QWEN).unwrap();
    spec.override_token_endpoint(endpoints.token_endpoint.unwrap().parse().unwrap());
    let providers = Arc::new(providers);
    let clock = Arc::new(SystemClock);
    let settings = PoolSettings {
        credentials_dir: folder.join("credentials"),
        state_dir: folder.join("state"),
        watch: WatchMode::Off,
        ..PoolSettings::default()
    };
    let store = Store::new(StoreOptions {
        state_dir: settings.state_dir.clone(),
        allow_state_writeback: false,
        providers: Arc::clone(&providers),
        clock: clock.clone(),
    });
    let http = Http::new(&HttpOptions { reach: Reach::LoopbackOnly, ..HttpOptions::default() }).unwrap();
    Pool::start(PoolParts {
        settings,
        providers,
        store: Arc::new(store),
        refresh: Arc::new(HttpRefresh::new(http, clock.clone())),
        state: Arc::new(cortana::pool::Forgetful),
        clock,
        shutdown: Shutdown::new(),
        metrics: Metrics::default(),
        background: Background::Off,
    })
    .await
}

/// Starts this binary again, to run one of the ignored tests below in a folder.
fn child(folder: &TempDir, test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A wish with a minute's patience.
fn want() -> Want {
    let until = instant() + Duration::from_mins(1);
    Want::new(QWEN.parse().unwrap(), "a-model", until)
}

#[tokio::test]
#[ignore = "a process of the tests below"]
async fn process_of_many() {
    let folder = Path::new(".");
    let pool = pool(folder).await;
    let tasks: usize = fs::read_to_string(folder.join("tasks")).unwrap().parse().unwrap();
    put(&folder.join(format!("ready-{}", std::process::id())), "");
    until(|| folder.join("go").exists()).await;
    let want = want();
    for lease in join_all((0..tasks).map(|_| pool.lease(&want))).await {
        match lease {
            Ok(lease) => println!("told={}", lease.bearer.expose()),
            Err(LeaseError::NeedsOperator { .. }) => println!("told=needs login"),
            Err(error) => println!("told={error:?}"),
        }
    }
}

#[tokio::test]
#[ignore = "a process of p2_a_holder_that_is_killed_frees_the_lock_at_once"]
async fn process_of_p2() {
    drop(pool(Path::new(".")).await.lease(&want()).await);
}

/// What many processes were told, and what that cost.
struct Told {
    /// How many callers were told what.
    callers: BTreeMap<String, usize>,
    requests: usize,
    reuses: u64,
    folder: TempDir,
}

/// Lets `processes` want one expired login at once, each in `tasks` tasks. The endpoint takes 200 ms, or
/// does what it is told.
#[expect(clippy::print_stdout, reason = "the count is the result")]
async fn many(processes: usize, tasks: usize, fault: Option<Act>) -> Told {
    let served = Served::start().await;
    let minted = served.vendors.mint(QWEN, "a@example.com");
    let folder = folder(&served, &minted);
    put(&folder.path().join("tasks"), &tasks.to_string());
    let act = fault.unwrap_or(Act::DelayReply { millis: 200 });
    served.vendors.fault(QWEN, Fault::token(act).always());
    let children: Vec<Child> =
        (0..processes).map(|_| child(&folder, "pool_processes::process_of_many")).collect();
    for one in &children {
        let ready = folder.path().join(format!("ready-{}", one.id()));
        until(|| ready.exists()).await;
    }
    put(&folder.path().join("go"), "");
    let mut callers = BTreeMap::new();
    for one in children {
        let output = tokio::task::spawn_blocking(|| one.wait_with_output()).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        for (_, told) in text.lines().filter_map(|line| line.split_once("told=")) {
            *callers.entry(told.to_owned()).or_default() += 1;
        }
    }
    let requests = token_requests(&served);
    let reuses = served.vendors.counts_of(QWEN).reused;
    println!("{processes} processes x {tasks} tasks, one expired login: {requests} token request(s)");
    Told { callers, requests, reuses, folder }
}

async fn one_request_for(processes: usize, tasks: usize) {
    let told = many(processes, tasks, None).await;
    assert_eq!((told.requests, told.reuses), (1, 0), "{processes} x {tasks}: {:?}", told.callers);
    let [(bearer, count)] = told.callers.iter().collect::<Vec<_>>()[..] else {
        panic!("{processes} x {tasks}: not all were told the same: {:?}", told.callers)
    };
    assert_eq!(*count, processes * tasks, "every caller is served");
    let written = fs::read_to_string(told.folder.path().join("credentials/qwen.json")).unwrap();
    assert!(written.contains(bearer), "the same token is in the file");
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_processes_and_tasks_make_one_request() {
    for processes in [1, 2, 4, 8] {
        tokio::join!(one_request_for(processes, 1), one_request_for(processes, 50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_failure_is_shared_by_processes_and_tasks() {
    let down = Act::Respond { status: 503, headers: Vec::new(), body: "{}".to_owned() };
    let told = many(4, 50, Some(down)).await;
    assert_eq!(told.requests, 1, "one request, and a backoff that all of them keep: {:?}", told.callers);
    assert_eq!(told.callers.values().sum::<usize>(), 200);
    assert!(told.callers.keys().all(|told| told.contains("Stale")), "{:?}", told.callers);
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_a_refused_token_is_sent_by_one_of_many_processes_once() {
    let refused =
        Act::Respond { status: 400, headers: Vec::new(), body: r#"{"error":"invalid_grant"}"#.to_owned() };
    let told = many(4, 50, Some(refused)).await;
    assert_eq!((told.requests, told.callers), (1, BTreeMap::from([("needs login".to_owned(), 200)])));
}

/// The next one is waiting already when the holder dies, and goes on: it does not wait for anything to run out.
#[tokio::test(flavor = "multi_thread")]
async fn p2_a_holder_that_is_killed_frees_the_lock_at_once() {
    let served = Served::start().await;
    let minted = served.vendors.mint(QWEN, "a@example.com");
    let folder = folder(&served, &minted);
    served.vendors.fault(QWEN, Fault::token(Act::Hang));
    let mut holder = child(&folder, "pool_processes::process_of_p2");
    // It holds the lock and waits for the endpoint.
    until(|| token_requests(&served) > 0).await;
    let pool = pool(folder.path()).await;
    let wanted = want();
    let (lease, killed_at) = tokio::join!(pool.lease(&wanted), async {
        let expected = Some(format!("process {}", holder.id()));
        until(|| pool.snapshot().credentials.iter().any(|view| view.lock_holder == expected)).await;
        assert_eq!(token_requests(&served), 1, "who waits sends nothing");
        // SIGKILL leaves it no time to tidy up.
        holder.kill().unwrap();
        holder.wait().unwrap();
        instant()
    });
    let lease = lease.expect("the lock is free and the token was not spent");
    assert_ne!(lease.bearer.expose(), minted.access);
    assert_eq!(token_requests(&served), 2);
    // Giving the holder up would take the request's limit of 15 s, and 5 more.
    assert!(killed_at.elapsed() < Duration::from_secs(10), "nothing had to run out");
}

fn token_requests(served: &Served) -> usize {
    served.vendors.requests().iter().filter(|request| request.kind == Kind::Token).count()
}
