//! P30 where processes know different things for a while: what one learns, decides or ends is neither lost nor undone.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::TimeDelta;
use cortana::{
    clock::{Clock as _, VirtualClock},
    pool::{Lease, Outcome, PoolEvent, RefreshResult, Refused, Selector, State},
};
use tokio::time::sleep;

use crate::support::{
    memory::{Manner, SHARED, shared_world},
    pool::{Process, QWEN, end, only, provider, quota, qwen, want},
};

async fn key(process: &Process) -> Lease {
    process.pool.lease(&want("openai", Duration::ZERO)).await.expect("one is ready")
}

#[tokio::test(start_paused = true)]
async fn p28_a_success_here_ends_no_newer_rest_that_only_another_process_knows() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let (one, other) = (world.bot().await, world.bot().await);
    key(&one).await.complete(quota(7200));
    // One real request may try it, in each process.
    sleep(Duration::from_millis(900_200)).await;
    let (refused, served) = (key(&one).await, key(&other).await);
    refused.complete(quota(20_000));
    let until = only(&one).cooling_until;
    sleep(Duration::from_millis(10)).await;
    served.complete(Outcome::Success);
    assert_eq!(only(&other).state, State::Ready);
    sleep(SHARED).await;
    assert_eq!((only(&one).cooling_until, only(&other).cooling_until), (until, until));
}

#[tokio::test(start_paused = true)]
async fn p21_a_refused_account_stays_refused_when_its_refresh_token_rotates_under_it() {
    let (world, _) = shared_world();
    world.login("joan", 3600);
    let first = world.bot().await;
    qwen(&first)
        .await
        .unwrap()
        .complete(Outcome::Refused { reason: "ACCOUNT_BANNED".to_owned(), link: None });
    sleep(SHARED).await;
    let reports = first.pool.refresh(&Selector::Provider(provider(QWEN)), Refused::Keep).await;
    assert!(matches!(reports[0].result, RefreshResult::Refreshed { .. }), "{reports:?}");
    assert_eq!(only(&first).state, State::Refused);
    end(first).await;
    let second = world.bot().await;
    assert_eq!(only(&second).state, State::Refused, "{:?}", only(&second));
    second.pool.enable(&only(&second).id).unwrap();
    end(second).await;
    assert_eq!(only(&world.bot().await).state, State::Ready, "until a person lifts it");
}

/// The ledger is with a store that hangs, so it sees no new credential for a while.
#[tokio::test(start_paused = true)]
async fn p30_a_disabled_credential_whose_file_returns_is_disabled_at_once() {
    let (world, state) = shared_world();
    world.login("joan", 3600);
    let bot = world.bot().await;
    bot.pool.disable(&only(&bot).id, Some("spare".to_owned())).unwrap();
    sleep(SHARED).await;
    std::fs::remove_file(world.path("qwen_joan.json")).unwrap();
    sleep(Duration::from_secs(4)).await;
    assert!(bot.pool.snapshot().credentials.is_empty());
    state.set(Manner::Hangs);
    sleep(Duration::from_secs(2)).await;
    world.login("joan", 3600);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(only(&bot).state, State::Disabled);
    bot.pool.enable(&only(&bot).id).unwrap();
    state.set(Manner::Well);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(only(&bot).state, State::Ready, "a person enabled it meanwhile");
    assert_eq!(only(&world.bot().await).state, State::Ready);
}

#[tokio::test(start_paused = true)]
async fn p30_a_new_credential_that_is_disabled_before_the_ledger_sees_it_stays_so() {
    let (world, state) = shared_world();
    let bot = world.bot().await;
    state.set(Manner::Hangs);
    sleep(Duration::from_secs(2)).await;
    world.login("joan", 3600);
    sleep(Duration::from_secs(4)).await;
    let id = only(&bot).id;
    bot.pool.disable(&id, Some("spare".to_owned())).unwrap();
    state.set(Manner::Well);
    sleep(Duration::from_mins(2)).await;
    for process in [&bot, &world.bot().await] {
        assert_eq!(only(process).state, State::Disabled);
    }
}

#[tokio::test(start_paused = true)]
async fn p29_whoever_waits_for_a_rest_is_woken_when_another_process_ends_it() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let (one, other) = (world.bot().await, world.bot().await);
    key(&one).await.complete(quota(600));
    sleep(SHARED).await;
    let mut openings = one.pool.openings();
    openings.mark_unchanged();
    other.pool.clear_cooldown(&only(&other).id).unwrap();
    sleep(SHARED).await;
    assert!(openings.has_changed().unwrap());
    openings.mark_unchanged();
    key(&other).await.complete(Outcome::Success);
    sleep(SHARED).await;
    assert!(!openings.has_changed().unwrap(), "counts open nothing");
}

/// Every instant that it writes is a day ahead: to the other that rest is as long, and begins when it hears of it.
#[tokio::test(start_paused = true)]
async fn p30_a_rest_from_a_host_whose_clock_is_a_day_ahead_lasts_as_long_for_all() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let right = world.bot().await;
    let clock = Arc::clone(&world.clock);
    world.clock = Arc::new(VirtualClock::starting_at(clock.now() + TimeDelta::days(1)));
    let ahead = world.bot().await;
    key(&ahead).await.complete(quota(600));
    sleep(SHARED).await;
    let until = only(&right).cooling_until.expect("it rests everywhere");
    let left = until - clock.now();
    assert!(TimeDelta::seconds(597) <= left && left <= TimeDelta::seconds(600), "{left}");
    sleep(Duration::from_mins(9)).await;
    assert_eq!(only(&right).cooling_until, Some(until));
    assert!(only(&ahead).cooling_until.is_some(), "it goes by its own clock");
    sleep(Duration::from_mins(1)).await;
    key(&right).await.complete(Outcome::Success);
    sleep(SHARED).await;
    let restarted = world.bot().await;
    for process in [&ahead, &right, &restarted] {
        assert_eq!((only(process).state, only(process).cooling_until), (State::Ready, None));
    }
}

#[tokio::test(start_paused = true)]
async fn p10_a_rest_from_before_the_clock_was_set_back_lasts_as_long_as_it_said() {
    let (mut world, state) = shared_world();
    world.keys(2);
    world.clock.step(TimeDelta::days(1));
    let bot = world.bot().await;
    for manner in [Manner::Well, Manner::Hangs] {
        state.set(manner);
        key(&bot).await.complete(quota(600));
        sleep(SHARED).await;
        world.clock.step(TimeDelta::days(-1));
        let now = world.clock.now();
        sleep(Duration::from_secs(70)).await;
        let rests = bot.pool.snapshot().credentials.into_iter().filter_map(|view| view.cooling_until);
        let longest = rests.max().expect("one rests");
        assert!(longest <= now + TimeDelta::seconds(670), "{manner:?}: until {longest}, and it is {now}");
    }
}

/// The clock panics under whatever looks at it next: the schedule, the watcher, the alerts, or the task that remembers, which
/// holds the pool's mutex just then.
#[tokio::test(start_paused = true)]
async fn p30_a_panic_of_any_background_task_stops_none_of_them() {
    let (mut world, state) = shared_world();
    world.keys(1);
    let (one, other) = (world.bot().await, world.bot().await);
    state.set(Manner::Panics);
    sleep(Duration::from_secs(3)).await;
    state.set(Manner::Well);
    for _ in 0..20 {
        world.defects.store(1, Ordering::SeqCst);
        sleep(Duration::from_secs(7)).await;
        assert_eq!(world.defects.load(Ordering::SeqCst), 0, "somebody met it");
    }
    // The longest pause, and one look.
    sleep(Duration::from_secs(66)).await;
    let mut news = one.pool.subscribe();
    key(&one).await.complete(quota(60));
    sleep(SHARED).await;
    assert_eq!(only(&other).state, State::Cooling, "what one learns the other hears");
    sleep(Duration::from_mins(1)).await;
    let told: Vec<PoolEvent> = std::iter::from_fn(|| news.try_recv().ok()).collect();
    let alerts = told.iter().filter(|event| matches!(event, PoolEvent::Alert(_)));
    assert_eq!(alerts.count(), 1, "none is healthy: {told:?}");
    let ended = |event: &PoolEvent| {
        matches!(event, PoolEvent::StateChanged { from: State::Cooling, to: State::Ready, .. })
    };
    assert!(told.iter().any(ended), "time is told: {told:?}");
    world.login("joan", 3600);
    sleep(SHARED).await;
    assert_eq!(one.pool.snapshot().credentials.len(), 2, "files are watched");
    let id = one.pool.snapshot().credentials[0].id.clone();
    one.pool.disable(&id, None).unwrap();
    end(one).await;
    end(other).await;
    let later = world.process().await.pool.snapshot().credentials;
    assert!(
        later.iter().any(|view| view.id == id && view.state == State::Disabled),
        "the last word is saved"
    );
}
