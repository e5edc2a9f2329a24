//! The pool against the clock: many that expire together, other time zones, hosts that slept, lives that make no sense.

use std::{sync::atomic::Ordering, time::Duration};

use chrono::TimeDelta;
use cortana::{
    clock::{Clock, SystemClock, instant},
    config::WatchMode,
    pool::{PoolEvent, State},
};
use proptest::prelude::*;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{
    binary::Home,
    pool::{Answer, World, only, quota, qwen, unavailable, want},
};

/// An hour of life and ten minutes of early window: jitter starts each up to a minute before that, and none after it.
#[tokio::test(start_paused = true)]
async fn p8_a_thousand_that_expire_together_are_spread_and_none_expires() {
    const COUNT: usize = 1000;
    let mut world = World::in_memory();
    world.settings.watch = WatchMode::Off;
    for number in 0..COUNT {
        world.login(&format!("n{number}"), 3600);
    }
    let began = instant();
    let process = world.bot().await;
    for _ in 0..60 {
        sleep(Duration::from_mins(1)).await;
        let states = process.pool.snapshot().credentials;
        assert!(states.iter().all(|view| view.state.is_usable()), "none expires");
    }
    let starts: Vec<u64> =
        world.endpoint.sent_at().iter().map(|at| at.duration_since(began).as_secs()).collect();
    assert_eq!(starts.len(), COUNT, "each once");
    let (first, last) = (starts.iter().min().unwrap(), starts.iter().max().unwrap());
    assert!(*first >= 2940 && *last <= 3001, "from {first} s to {last} s");
    for ten in (2940..3000).step_by(10) {
        let count = starts.iter().filter(|at| (ten..ten + 10).contains(*at)).count();
        assert!((100..=240).contains(&count), "{count} of {COUNT} began between {ten} s and {} s", ten + 10);
    }
    let most = world.endpoint.most_at_once.load(Ordering::SeqCst);
    assert!((2..=8).contains(&most), "bounded parallelism: {most}");
    assert!(process.pool.snapshot().credentials.iter().all(|view| view.state == State::Ready));
}

/// The same with an endpoint that is so slow that they queue: the early window is long enough for all.
#[tokio::test(start_paused = true)]
async fn p8_a_slow_endpoint_makes_many_queue_and_none_expires() {
    let mut world = World::in_memory();
    world.settings.watch = WatchMode::Off;
    for number in 0..300 {
        world.login(&format!("n{number}"), 3600);
    }
    world.endpoint.set_latency(Duration::from_secs(12));
    let process = world.bot().await;
    for _ in 0..60 {
        sleep(Duration::from_mins(1)).await;
        assert!(
            process.pool.snapshot().credentials.iter().all(|view| view.state.is_usable()),
            "none expires"
        );
    }
    assert_eq!(world.endpoint.calls(), 300, "each once");
    assert!(world.endpoint.most_at_once.load(Ordering::SeqCst) <= 8);
}

/// `datetime.isoformat()` names no zone: UTC is meant, wherever the bot runs.
#[test]
fn p10_no_time_zone_makes_a_dead_token_valid_or_a_live_one_dead() {
    let now = SystemClock.now();
    for (hours, state) in [(-1, "expired"), (1, "ready")] {
        let expiry = (now + TimeDelta::hours(hours)).format("%Y-%m-%dT%H:%M:%S").to_string();
        for zone in ["UTC", "XXX8", "XXX-8", "XXX-14"] {
            let home = Home::new(vec![
                ("TZ".to_owned(), zone.to_owned()),
                ("ACCEPT_PROVIDER_TERMS".to_owned(), "gemini_cli".to_owned()),
            ]);
            home.drop_credential(
                "gemini.json",
                &json!({"client_id": "FAKE", "client_secret": "FAKE", "token": "ya29.FAKE", "refresh_token": "1//FAKE",
                    "token_uri": "https://oauth2.googleapis.com/token", "project_id": "fake-project-1", "expiry": expiry}),
            );
            let mut command = home.command(env!("CARGO_BIN_EXE_cortana"));
            let output = command.args(["status", "--json"]).output().unwrap();
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(status["credentials"][0]["state"], state, "TZ={zone}, expiry {expiry}: {status}");
        }
    }
}

/// A laptop that slept for a day: tokio's timer stood still, the wall clock went on.
#[tokio::test(start_paused = true)]
async fn p10_a_host_that_slept_refreshes_once_when_it_wakes() {
    let world = World::new();
    world.login("a", 7200);
    let process = world.bot().await;
    sleep(Duration::from_mins(1)).await;
    world.clock.step(TimeDelta::days(1));
    assert_eq!(
        qwen(&process).await.unwrap().bearer.expose(),
        "FAKE-access-granted-1",
        "a caller waits for it"
    );
    sleep(Duration::from_mins(5)).await;
    assert_eq!(world.endpoint.calls(), 1);
    world.clock.step(TimeDelta::days(1));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.endpoint.calls(), 2, "without a caller, by the schedule's own look at the clock");
}

/// A refresh that failed was to be tried again in seconds, by a clock that was a day ahead.
#[tokio::test(start_paused = true)]
async fn p10_a_clock_that_is_set_back_puts_no_refresh_off() {
    let world = World::new();
    world.login("a", -60);
    world.clock.step(TimeDelta::days(1));
    world.endpoint.down(unavailable());
    let process = world.bot().await;
    sleep(Duration::from_secs(20)).await;
    assert!(world.endpoint.calls() > 0, "it was tried by the wrong clock");
    world.clock.step(TimeDelta::days(-1));
    world.endpoint.up();
    sleep(Duration::from_mins(2)).await;
    assert_eq!(only(&process).state, State::Ready);
}

/// Nobody asks for the credential, and nothing else happens.
#[tokio::test(start_paused = true)]
async fn p34_the_end_of_a_rest_is_told_when_it_comes() {
    let mut world = World::new();
    world.keys(1);
    let process = world.bot().await;
    for seconds in [1, 2, 4, 33, 600] {
        sleep(Duration::from_millis(7300)).await;
        let mut news = process.pool.subscribe();
        let lease = process.pool.lease(&want("openai", Duration::ZERO)).await.unwrap();
        let began = instant();
        lease.complete(quota(seconds));
        let is_end =
            |event| matches!(event, PoolEvent::StateChanged { from: State::Cooling, to: State::Ready, .. });
        while !is_end(news.recv().await.unwrap()) {
            assert!(began.elapsed() < Duration::from_hours(1), "it is told at all");
        }
        let late = began.elapsed().saturating_sub(Duration::from_secs(seconds));
        assert!(late <= Duration::from_millis(60), "{seconds} s, told {late:?} late");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any life of a minute or more that a reply can name, or none, and steps of the clock: a caller is served at each of twenty looks in ten minutes, by a
    /// number of requests that the lives ask for, never more than one in half a minute.
    #[test]
    fn p9_p10_no_life_and_no_step_of_the_clock_makes_a_storm_or_an_outage(
        lives in proptest::collection::vec(proptest::option::of(prop_oneof![60_u64..120, 120_u64..100_000, Just(u64::MAX / 2)]), 40),
        steps in proptest::collection::vec(-200_000_i64..200_000, 4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::in_memory();
            world.settings.watch = WatchMode::Off;
            world.login("a", -60);
            for life in &lives {
                world.endpoint.next(Answer::Life(life.map(Duration::from_secs)));
            }
            let process = world.bot().await;
            let began = instant();
            for look in 0..20 {
                if look % 5 == 4 {
                    world.clock.step(TimeDelta::seconds(steps[look / 5]));
                }
                sleep(Duration::from_secs(30)).await;
                prop_assert!(qwen(&process).await.is_ok(), "look {look}");
            }
            let spent = began.elapsed().as_secs();
            let most = usize::try_from(spent / 30).unwrap() + 2 + steps.len();
            prop_assert!(world.endpoint.calls() <= most, "{} requests in {spent} s", world.endpoint.calls());
            Ok(())
        })?;
    }
}
