//! The pool across real processes: this test binary runs itself, over one folder, against one token endpoint with
//! single-use refresh tokens on a real socket.

use std::{
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
    pool::{Background, Pool, PoolParts, Want},
    provider::{Catalog, LoginKind},
    sandbox::vendor::{Act, Fault, MintedLogin},
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};
use futures::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{pool::put, vendors::Served};

const QWEN: &str = "qwen_code";
const TASKS: usize = 50;

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

/// Waits until a file is there.
async fn until_there(path: &Path) {
    let deadline = instant() + Duration::from_mins(1);
    while !path.exists() {
        assert!(instant() < deadline, "{} never came", path.display());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
#[ignore = "a process of p1_processes_and_tasks_make_one_request"]
async fn process_of_p1() {
    let folder = Path::new(".");
    let pool = pool(folder).await;
    put(&folder.join(format!("ready-{}", std::process::id())), "");
    until_there(&folder.join("go")).await;
    let until = instant() + Duration::from_mins(1);
    let want =
        Want { provider: QWEN.parse().unwrap(), model: "a-model".to_owned(), exclude: Vec::new(), until };
    let leases = join_all((0..TASKS).map(|_| pool.lease(&want))).await;
    let bearers: Vec<String> =
        leases.into_iter().map(|lease| lease.expect("a lease").bearer.expose().to_owned()).collect();
    assert_eq!(bearers.len(), TASKS);
    assert!(bearers.iter().all(|bearer| *bearer == bearers[0]), "every task has the same token");
    println!("bearer={}", bearers[0]);
}

#[tokio::test]
#[ignore = "a process of p2_a_holder_that_is_killed_frees_the_lock_at_once"]
async fn process_of_p2() {
    let pool = pool(Path::new(".")).await;
    let until = instant() + Duration::from_mins(1);
    let want =
        Want { provider: QWEN.parse().unwrap(), model: "a-model".to_owned(), exclude: Vec::new(), until };
    drop(pool.lease(&want).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_processes_and_tasks_make_one_request() {
    const PROCESSES: usize = 3;
    let served = Served::start().await;
    let minted = served.vendors.mint(QWEN, "a@example.com");
    let folder = folder(&served, &minted);
    // Slow enough that every task of every process finds the one request under way.
    served.vendors.fault(QWEN, Fault::token(Act::DelayReply { millis: 300 }));
    let children: Vec<Child> =
        (0..PROCESSES).map(|_| child(&folder, "pool_processes::process_of_p1")).collect();
    for one in &children {
        until_there(&folder.path().join(format!("ready-{}", one.id()))).await;
    }
    put(&folder.path().join("go"), "");
    let mut bearers = Vec::new();
    for one in children {
        let output = tokio::task::spawn_blocking(|| one.wait_with_output()).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        bearers.extend(
            text.lines().filter_map(|line| line.split_once("bearer=")).map(|(_, bearer)| bearer.to_owned()),
        );
    }
    let asked = token_requests(&served);
    println!("p1: {PROCESSES} processes x {TASKS} tasks, one expired login: {asked} token request(s)");
    assert_eq!(bearers.len(), PROCESSES);
    assert!(bearers.iter().all(|bearer| *bearer == bearers[0]), "every process has the same token");
    assert_eq!(asked, 1);
    let written = fs::read_to_string(folder.path().join("credentials/qwen.json")).unwrap();
    assert!(written.contains(&bearers[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn p2_a_holder_that_is_killed_frees_the_lock_at_once() {
    let served = Served::start().await;
    let minted = served.vendors.mint(QWEN, "a@example.com");
    let folder = folder(&served, &minted);
    served.vendors.fault(QWEN, Fault::token(Act::Hang));
    let mut holder = child(&folder, "pool_processes::process_of_p2");
    let asked = instant() + Duration::from_mins(1);
    while token_requests(&served) == 0 {
        assert!(instant() < asked, "the holder never asked");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // It holds the lock and waits for the endpoint. SIGKILL leaves it no time to tidy up.
    holder.kill().unwrap();
    holder.wait().unwrap();
    let killed_at = instant();
    let pool = pool(folder.path()).await;
    let until = instant() + Duration::from_secs(30);
    let want =
        Want { provider: QWEN.parse().unwrap(), model: "a-model".to_owned(), exclude: Vec::new(), until };
    let lease = pool.lease(&want).await.expect("the lock is free and the token was not spent");
    assert_ne!(lease.bearer.expose(), minted.access);
    assert!(killed_at.elapsed() < Duration::from_secs(10), "no lease of the lock had to run out");
}

fn token_requests(served: &Served) -> usize {
    served
        .vendors
        .requests()
        .iter()
        .filter(|request| request.kind == cortana::sandbox::vendor::Kind::Token)
        .count()
}
