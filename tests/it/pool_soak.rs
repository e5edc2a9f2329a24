//! Soak (P38): the pool under faults for hours of virtual time. What may grow is measured from outside, in a process of its
//! own: memory, threads, open files, tasks.
//!
//! `cargo test --test it pool_soak -- --ignored --nocapture` runs a whole day and prints what it measured.

use std::{
    collections::HashSet,
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use cortana::{
    fs::Step,
    pool::{Lease, Outcome, Pool, Refused, RetryHint, Selector, State},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::pool::{Process, QWEN, World, unavailable, want};

const LOGINS: usize = 20;
const KEYS: usize = 5;
/// Requests a second.
const PACE: u32 = 4;
const HOUR: u64 = 3600;
/// How often it is measured, in seconds.
const SAMPLE: u64 = 60;

/// What can grow, in one process.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    resident_kib: u64,
    threads: u64,
    open_files: u64,
    tasks: u64,
}

impl Size {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        Self {
            resident_kib: field("VmRSS:"),
            threads: field("Threads:"),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64,
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks() as u64,
        }
    }

    /// The largest of each.
    fn most(sizes: &[Self]) -> Self {
        let most = |of: fn(&Self) -> u64| sizes.iter().map(of).max().unwrap_or_default();
        Self {
            resident_kib: most(|size| size.resident_kib),
            threads: most(|size| size.threads),
            open_files: most(|size| size.open_files),
            tasks: most(|size| size.tasks),
        }
    }
}

/// What happened.
#[derive(Debug, Default)]
struct Tally {
    lent: AtomicU64,
    turned_away: AtomicU64,
    left: AtomicU64,
}

/// One request, from its question to its end.
async fn request(pool: Pool, tally: Arc<Tally>, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut want = want(if dice.random_bool(0.8) { QWEN } else { "openai" }, Duration::from_secs(30));
    // More models than are remembered as resting.
    want.model = format!("model-{}", dice.random_range(0..100)).into();
    // A client that leaves: while it waits for a token, or in the middle of its answer.
    let patience =
        Duration::from_millis(if dice.random_bool(0.1) { dice.random_range(0..8000) } else { 60_000 });
    let answered = async {
        let Ok(lease) = pool.lease(&want).await else {
            tally.turned_away.fetch_add(1, Ordering::Relaxed);
            return;
        };
        tally.lent.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(dice.random_range(100..15_000))).await;
        end(&pool, lease, &mut dice).await;
    };
    if timeout(patience, answered).await.is_err() {
        tally.left.fetch_add(1, Ordering::Relaxed);
    }
}

async fn end(pool: &Pool, lease: Lease, dice: &mut StdRng) {
    let wait = RetryHint::After(Duration::from_secs(dice.random_range(0..90)));
    let reason = || "HTTP".to_owned();
    let outcome = match dice.random_range(0..1000) {
        0..40 => Outcome::CredentialCooling { hint: wait, reason: reason() },
        40..60 => Outcome::CredentialCooling { hint: RetryHint::None, reason: reason() },
        60..120 => Outcome::ModelCooling { hint: wait, reason: reason() },
        120..130 => Outcome::ModelUnavailable { reason: reason() },
        130..180 => Outcome::ProviderFault { reason: reason() },
        180..190 => {
            let until = cortana::clock::instant() + Duration::from_secs(30);
            match pool.refresh_after_401(&lease, until).await {
                Ok(()) => Outcome::Neutral,
                Err(_) => Outcome::Unauthorized,
            }
        }
        190..192 => Outcome::Refused { reason: reason(), link: None },
        _ => Outcome::Success,
    };
    lease.complete(outcome);
}

/// What else goes on: an endpoint that fails, a disk that is full, people who log in, an operator who puts things right.
async fn trouble(world: &World, process: &Process, second: u64, dice: &mut StdRng) {
    match second % HOUR {
        1200 => world.endpoint.down(unavailable()),
        1500 => world.endpoint.up(),
        2100 => world.steps.refuse(Some(Step::Rename)),
        2220 => world.steps.refuse(None),
        _ => {}
    }
    if second.is_multiple_of(150) {
        let number = dice.random_range(0..LOGINS);
        if dice.random_bool(0.5) {
            fs::remove_file(world.path(&file(number))).unwrap();
            sleep(Duration::from_secs(4)).await;
        }
        log_in(world, number, second, if dice.random_bool(0.5) { 600 } else { -60 });
    }
    if second.is_multiple_of(120) {
        for view in process.pool.snapshot().credentials {
            match view.state {
                State::Refused => drop(process.pool.enable(&view.id)),
                State::NeedsLogin => {
                    let selector = Selector::Credential(view.id);
                    drop(process.pool.refresh(&selector, Refused::Keep).await);
                }
                State::Ready
                | State::Early
                | State::Refreshing
                | State::Expired
                | State::Cooling
                | State::Disabled
                | State::Unusable => {}
            }
        }
    }
}

fn file(number: usize) -> String {
    format!("qwen_{number}.json")
}

/// A login with a token that was never seen.
fn log_in(world: &World, number: usize, serial: u64, expires_in: i64) {
    let login = json!({
        "access_token": format!("FAKE-access-{number}-{serial}"),
        "refresh_token": format!("FAKE-refresh-{number}-{serial}"),
        "expires_at": world.now().timestamp() + expires_in,
        "email": format!("{number}@example.com"),
    });
    world.put(&file(number), &login);
}

#[expect(clippy::print_stdout, reason = "what was measured, for who asked for it")]
async fn soak(hours: u64) {
    let mut world = World::new();
    for number in 0..LOGINS {
        // All expire together.
        log_in(&world, number, 0, 900);
    }
    world.keys(KEYS);
    let process = world.bot().await;
    let tally = Arc::new(Tally::default());
    let under_way = Arc::new(AtomicU32::new(0));
    let mut dice = StdRng::seed_from_u64(38);
    let mut sizes = Vec::new();
    let pace = u64::from(PACE);
    for tick in 0..hours * HOUR * pace {
        if tick.is_multiple_of(pace) {
            let second = tick / pace;
            trouble(&world, &process, second, &mut dice).await;
            if second.is_multiple_of(SAMPLE) {
                sizes.push(Size::now());
                bounded(&process, under_way.load(Ordering::Relaxed));
            }
        }
        let (pool, tally, under_way) = (process.pool.clone(), tally.clone(), under_way.clone());
        let seed = dice.random();
        under_way.fetch_add(1, Ordering::Relaxed);
        drop(process.shutdown.spawn(async move {
            request(pool, tally, seed).await;
            under_way.fetch_sub(1, Ordering::Relaxed);
        }));
        sleep(Duration::from_secs(1) / PACE).await;
    }
    sleep(Duration::from_mins(2)).await;
    let snapshot = process.pool.snapshot();
    assert!(snapshot.credentials.iter().all(|view| view.in_flight == 0), "every lease came back");
    once_each(&world);
    assert!(process.shutdown.drain(Duration::from_secs(30)).await, "every task ended");
    let quarter = sizes.len() / 4;
    let (first, last) = (Size::most(&sizes[..quarter]), Size::most(&sizes[sizes.len() - quarter..]));
    println!(
        "{hours} h: {tally:?}, {} token requests\nfirst quarter {first:?}\nlast quarter  {last:?}",
        world.endpoint.calls()
    );
    assert!(tally.lent.load(Ordering::Relaxed) > hours * HOUR * 2, "it was busy");
    assert!(last.resident_kib < first.resident_kib + first.resident_kib / 5 + 4096, "{first:?} {last:?}");
    assert!(last.open_files <= first.open_files + 8, "{first:?} {last:?}");
    assert!(last.tasks <= first.tasks + 64 && last.threads <= first.threads + 8, "{first:?} {last:?}");
    let left = fs::read_dir(&world.settings.credentials_dir).unwrap().count();
    assert!(left <= 3 * LOGINS, "{left} files: a login, its lock, at most an orphan each");
}

/// What the pool keeps for each credential.
fn bounded(process: &Process, under_way: u32) {
    let snapshot = process.pool.snapshot();
    assert!(snapshot.credentials.len() <= LOGINS + KEYS);
    assert!(snapshot.credentials.iter().all(|view| view.cooling_models.len() <= 64));
    let lent: u32 = snapshot.credentials.iter().map(|view| view.in_flight).sum();
    assert!(lent <= under_way, "{lent} lent to {under_way} requests");
}

/// No refresh token was sent again after it was spent.
fn once_each(world: &World) {
    let sent = world.endpoint.sent();
    let granted: HashSet<&String> =
        sent.iter().filter(|token| token.starts_with("FAKE-refresh-granted-")).collect();
    assert!(granted.len() > LOGINS, "they were refreshed again and again");
    assert_eq!(world.endpoint.spent_again(), 0, "no spent token was sent");
}

/// In a process of its own, since other tests would be measured as well.
fn alone(test: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn p38_an_hour_of_faults_leaves_memory_flat() {
    alone("pool_soak::one_hour");
}

#[test]
#[ignore = "the part of p38_an_hour_of_faults_leaves_memory_flat that runs in a process of its own"]
fn one_hour() {
    hours(1);
}

#[test]
#[ignore = "takes minutes; for a look at what an hour is too short for"]
fn p38_a_day_of_faults_leaves_memory_flat() {
    hours(24);
}

fn hours(hours: u64) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(soak(hours));
}
