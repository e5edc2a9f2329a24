//! What a lease and its return cost, by the size of the pool, how much of it rests, the strategy and the threads (P37).

mod support;

use std::{sync::Barrier, thread, time::Duration};

use cortana::{
    clock::instant,
    config::Strategy,
    pool::{Outcome, Pool, RetryHint, Want},
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::FutureExt;

use support::{keys, runtime, start};

/// Longer than any measurement.
const LONG: Duration = Duration::from_hours(12);
const SIZES: [usize; 5] = [3, 30, 300, 1_000, 10_000];

/// How much of a pool rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resting {
    Nothing,
    /// Every second one.
    Half,
    /// The model, on every second one.
    ModelOnHalf,
    AllButOne,
    All,
}

impl Resting {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "all ready",
            Self::Half => "half resting",
            Self::ModelOnHalf => "model resting on half",
            Self::AllButOne => "all but one resting",
            Self::All => "all resting",
        }
    }

    /// What becomes of the lease with this number, of so many.
    fn outcome(self, number: usize, count: usize) -> Outcome {
        let (hint, reason) = (RetryHint::After(LONG), "HTTP 429".to_owned());
        let is_odd = number % 2 == 1;
        match self {
            Self::Half if is_odd => Outcome::CredentialCooling { hint, reason },
            Self::ModelOnHalf if is_odd => Outcome::ModelCooling { hint, reason },
            Self::AllButOne if number != count / 2 => Outcome::CredentialCooling { hint, reason },
            Self::All => Outcome::CredentialCooling { hint, reason },
            Self::Nothing | Self::Half | Self::ModelOnHalf | Self::AllButOne => Outcome::Success,
        }
    }
}

fn want() -> Want {
    Want::new("openai".parse().expect("an id"), "a-model", instant() + LONG)
}

fn lease_and_return(pool: &Pool, want: &Want) {
    let lease = pool.lease(want).now_or_never().expect("nobody waits");
    if let Ok(lease) = lease {
        lease.complete(Outcome::Success);
    }
}

/// A pool of keys in this condition, and the folder that it stands in.
fn pool(count: usize, strategy: Strategy, resting: Resting) -> (Pool, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = keys(&folder, count);
    settings.strategy = strategy;
    let pool = runtime().block_on(start(settings));
    let mut want = want();
    let mut leases = Vec::new();
    for _ in 0..count {
        // Each once, whatever the strategy.
        let lease = pool.lease(&want).now_or_never().expect("nobody waits").expect("all are ready");
        if strategy == Strategy::FillFirst {
            want.exclude.push(lease.credential.clone());
        }
        leases.push(lease);
    }
    for (number, lease) in leases.into_iter().enumerate() {
        lease.complete(resting.outcome(number, count));
    }
    (pool, folder)
}

fn by_size(criterion: &mut Criterion) {
    for resting in [Resting::Nothing, Resting::Half, Resting::ModelOnHalf, Resting::AllButOne, Resting::All] {
        let mut group = criterion.benchmark_group(format!("lease and return, {}", resting.name()));
        for count in SIZES {
            let (pool, _folder) = pool(count, Strategy::RoundRobin, resting);
            let want = want();
            group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
                bencher.iter(|| lease_and_return(&pool, &want));
            });
        }
        group.finish();
    }
}

fn by_strategy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lease and return, least_used");
    for resting in [Resting::Nothing, Resting::ModelOnHalf] {
        for count in SIZES {
            let (pool, _folder) = pool(count, Strategy::LeastUsed, resting);
            let want = want();
            group.bench_function(BenchmarkId::new(resting.name(), count), |bencher| {
                bencher.iter(|| lease_and_return(&pool, &want));
            });
        }
    }
    group.finish();
}

/// Time a lease and return from every core at once, as one thread sees it.
fn from_all_cores(criterion: &mut Criterion) {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let mut group = criterion.benchmark_group(format!("lease and return, from {cores} threads at once"));
    for count in SIZES {
        let (pool, _folder) = pool(count, Strategy::RoundRobin, Resting::Nothing);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_custom(|rounds| {
                let together = Barrier::new(cores);
                thread::scope(|scope| {
                    let run = || {
                        let want = want();
                        together.wait();
                        let begun_at = instant();
                        for _ in 0..rounds {
                            lease_and_return(&pool, &want);
                        }
                        begun_at.elapsed()
                    };
                    let threads: Vec<_> = (0..cores).map(|_| scope.spawn(run)).collect();
                    let times = threads.into_iter().map(|thread| thread.join().expect("no panic"));
                    times.max().unwrap_or_default()
                })
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(30);
    targets = by_size, by_strategy, from_all_cores
}
criterion_main!(benches);
