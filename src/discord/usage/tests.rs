//! Counting by a virtual clock and over real databases.

use std::path::Path;

use chrono::TimeDelta;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::VirtualClock,
    config::{Database, StorageSettings},
    storage::OnDamage,
};

const ANN: Subject = Subject::Person(20);
const SERVER: Subject = Subject::Server(9);

/// What a process counts, and its clock.
fn process(folder: &Path) -> (Usage, Arc<VirtualClock>) {
    let settings = StorageSettings { database: Database::Sqlite(folder.join("a.db")) };
    let storage = Arc::new(Shared::new(settings, OnDamage::Report));
    let clock = Arc::new(VirtualClock::starting_at("2026-01-01T12:00:00Z".parse().unwrap()));
    (Usage::new(storage, Arc::<VirtualClock>::clone(&clock)), clock)
}

fn at_most(messages_per_hour: u64, tokens_per_day: u64) -> Allowance {
    let bound = |number| if number == 0 { Bound::Unlimited } else { Bound::AtMost(number) };
    Allowance { messages_per_hour: bound(messages_per_hour), tokens_per_day: bound(tokens_per_day) }
}

fn wait(reached: Result<(), Reached>, clock: &VirtualClock) -> Option<i64> {
    // Rounded up: the clock goes on while the test runs.
    reached.err().map(|reached| ((reached.until - clock.now()).num_milliseconds() + 59_999) / 60_000)
}

#[tokio::test]
async fn d24_the_hourly_limit_slides() {
    let folder = TempDir::new().unwrap();
    let (usage, clock) = process(folder.path());
    let of = [(ANN, at_most(2, 0))];
    assert_eq!(usage.take(&of), Ok(()));
    clock.step(TimeDelta::minutes(10));
    assert_eq!(usage.take(&of), Ok(()));
    assert_eq!(
        wait(usage.take(&of), &clock),
        Some(51),
        "until the minute in which the first was asked is an hour old"
    );
    assert_eq!(usage.take(&[(Subject::Person(21), at_most(2, 0))]), Ok(()), "each person has an own limit");
    assert_eq!(usage.take(&[(ANN, Allowance::default())]), Ok(()), "who has none is counted and goes on");
    clock.step(TimeDelta::minutes(51));
    assert_eq!(wait(usage.take(&of), &clock), Some(10), "two still count");
    clock.step(TimeDelta::minutes(10));
    assert_eq!(usage.take(&of), Ok(()), "nothing of it counts any more");
}

#[tokio::test]
async fn d24_tokens_end_the_next_question_for_a_day_not_the_one_that_costs_them() {
    let folder = TempDir::new().unwrap();
    let (usage, clock) = process(folder.path());
    let of = [(ANN, at_most(0, 100))];
    usage.spend(&[ANN, SERVER], 99);
    assert_eq!(usage.take(&of), Ok(()), "one is left");
    usage.spend(&[ANN, SERVER], 5000);
    assert_eq!(wait(usage.take(&of), &clock), Some(24 * 60 + 10));
    let standing = usage.standing(ANN, &of[0].1, Measure::Tokens);
    assert_eq!((standing.used, standing.bound), (5099, Bound::AtMost(100)));
    assert_eq!(usage.standing(ANN, &of[0].1, Measure::Questions).used, 1);
    clock.step(TimeDelta::minutes(24 * 60 + 10));
    assert_eq!(usage.take(&of), Ok(()));
}

#[tokio::test]
async fn d24_a_server_has_a_limit_of_all_its_people() {
    let folder = TempDir::new().unwrap();
    let (usage, _clock) = process(folder.path());
    let asks = |person| usage.take(&[(Subject::Person(person), at_most(9, 0)), (SERVER, at_most(2, 0))]);
    assert_eq!((asks(1), asks(2)), (Ok(()), Ok(())));
    let reached = asks(3).expect_err("two were asked");
    assert_eq!((reached.whose, reached.measure, reached.limit), (SERVER, Measure::Questions, 2));
    let standing = usage.standing(Subject::Person(3), &at_most(9, 0), Measure::Questions);
    assert_eq!(standing.used, 0, "what is refused does not count");
}

#[tokio::test]
async fn d24_counts_survive_a_restart_and_are_shared_by_processes() {
    let folder = TempDir::new().unwrap();
    let (one, _clock) = process(folder.path());
    one.take(&[(ANN, Allowance::default()), (SERVER, Allowance::default())]).unwrap();
    one.spend(&[ANN], 70);
    one.write().await;
    one.take(&[(ANN, Allowance::default())]).unwrap();
    one.spend(&[ANN], 7);
    one.write().await;
    let (other, clock) = process(folder.path());
    other.spend(&[ANN], 100);
    for _ in 0..2 {
        // Written and read twice, everything counts once.
        other.write().await;
        other.read(ANN).await;
        other.locked().known(ANN).read_at = None;
    }
    let used = |usage: &Usage, measure| usage.standing(ANN, &Allowance::default(), measure).used;
    assert_eq!((used(&other, Measure::Questions), used(&other, Measure::Tokens)), (2, 177));
    assert_eq!(used(&one, Measure::Tokens), 77, "not read yet");
    one.read(ANN).await;
    assert_eq!(used(&one, Measure::Tokens), 177);
    assert_eq!(wait(other.take(&[(ANN, at_most(2, 0))]), &clock), Some(61));
}

#[tokio::test]
async fn d24_whoever_was_forgotten_in_memory_is_not_in_the_database() {
    let folder = TempDir::new().unwrap();
    let (usage, _clock) = process(folder.path());
    usage.spend(&[ANN], 70);
    usage.write().await;
    usage.locked().known.remove(&ANN);
    usage.spend(&[ANN], 7);
    usage.write().await;
    usage.read(ANN).await;
    assert_eq!(usage.standing(ANN, &Allowance::default(), Measure::Tokens).used, 77);
}

#[tokio::test]
async fn d24_a_database_that_is_away_stops_nobody_and_gets_everything_later() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.db");
    std::fs::create_dir(&path).unwrap();
    let (usage, _clock) = process(folder.path());
    usage.read(ANN).await;
    assert_eq!(usage.take(&[(ANN, at_most(1, 0))]), Ok(()));
    assert!(usage.take(&[(ANN, at_most(1, 0))]).is_err(), "what it counted itself holds");
    usage.write().await;
    std::fs::remove_dir(&path).unwrap();
    usage.write().await;
    let (next, _clock) = process(folder.path());
    next.read(ANN).await;
    assert!(next.take(&[(ANN, at_most(1, 0))]).is_err());
}

#[tokio::test]
async fn d27_what_counts_no_more_is_dropped_from_memory_and_database() {
    let folder = TempDir::new().unwrap();
    let (usage, clock) = process(folder.path());
    for _ in 0..300 {
        usage.take(&[(ANN, Allowance::default())]).unwrap();
        usage.write().await;
        clock.step(TimeDelta::minutes(1));
    }
    assert!(usage.locked().known(ANN).own[&Measure::Questions].len() <= 62);
    usage.forget().await;
    let storage = usage.storage.open().await.unwrap();
    let left = storage.usage_of(&ANN.name(), "nobody", 0).await.unwrap();
    assert!(!left.is_empty() && left.len() <= 62, "{}", left.len());
}

#[test]
fn tokens_are_the_providers_count_or_an_estimate() {
    let usage = llm::Usage { input: 30, output: 12, reasoning: 10, cached: 20 };
    assert_eq!(Cost::of(Some(usage), 1000, "whatever"), Cost::Told(42));
    assert_eq!(Cost::of(None, 1000, "eight ch"), Cost::Estimated(1002));
}
