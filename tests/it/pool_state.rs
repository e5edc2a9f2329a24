//! P30: what a pool remembers beyond its process, shares with others, and never waits for.

use std::{fs, sync::Arc, time::Duration};

use cortana::{
    app::StoredState,
    clock::instant,
    config::StorageSettings,
    pool::{LeaseError, Outcome, RefreshResult, Refused, RestCause, RetryHint, Selector, State},
    storage::OnDamage,
};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{
    memory::{Manner, SHARED, shared_world},
    pool::{Process, QWEN, World, end, only, provider, put, quota, qwen, want},
};

/// Lends one, and completes it as told.
async fn serve(process: &Process, id: &str, outcome: Outcome) {
    process.pool.lease(&want(id, Duration::ZERO)).await.expect("one is ready").complete(outcome);
}

fn model_quota(seconds: u64) -> Outcome {
    Outcome::ModelCooling {
        hint: RetryHint::After(Duration::from_secs(seconds)),
        reason: "QUOTA_EXHAUSTED".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn p30_a_rest_survives_a_restart_and_ends_when_it_should() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let first = world.bot().await;
    serve(&first, "openai", quota(600)).await;
    let until = only(&first).cooling_until.unwrap();
    end(first).await;
    let second = world.bot().await;
    let view = only(&second);
    assert_eq!((view.state, view.cooling_until), (State::Cooling, Some(until)));
    assert!(view.reason.unwrap().contains("QUOTA_EXHAUSTED"));
    let refused = second.pool.lease(&want("openai", Duration::ZERO)).await.unwrap_err();
    assert_eq!(refused, LeaseError::Resting { until, cause: RestCause::Quota });
    sleep(Duration::from_mins(10)).await;
    serve(&second, "openai", Outcome::Success).await;
}

#[tokio::test(start_paused = true)]
async fn p30_a_rest_by_model_survives_a_restart() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let first = world.bot().await;
    serve(&first, "openai", model_quota(600)).await;
    end(first).await;
    let second = world.bot().await;
    let view = only(&second);
    assert_eq!(view.state, State::Ready, "other models are served");
    assert_eq!(view.cooling_models.len(), 1);
    assert_eq!(view.cooling_models[0].model, "a-model");
}

#[tokio::test(start_paused = true)]
async fn p30_what_one_process_learns_another_knows_within_two_seconds() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let (one, other) = (world.bot().await, world.bot().await);
    serve(&one, "openai", quota(600)).await;
    sleep(SHARED).await;
    assert_eq!(only(&other).cooling_until, only(&one).cooling_until);
    assert_eq!(only(&other).state, State::Cooling);
    let id = only(&other).id;
    other.pool.clear_cooldown(&id).unwrap();
    sleep(SHARED).await;
    assert_eq!(only(&one).state, State::Ready, "clearing is shared too");
    one.pool.disable(&id, Some("over quota".to_owned())).unwrap();
    sleep(SHARED).await;
    assert!(only(&other).reason.unwrap().contains("over quota"));
    other.pool.enable(&id).unwrap();
    sleep(SHARED).await;
    assert_eq!(
        (only(&one).state, only(&other).state),
        (State::Ready, State::Ready),
        "the last decision counts"
    );
}

#[tokio::test(start_paused = true)]
async fn p30_a_shorter_rest_of_another_process_never_shortens() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let (one, other) = (world.bot().await, world.bot().await);
    serve(&one, "openai", quota(600)).await;
    let long = only(&one).cooling_until;
    serve(&other, "openai", quota(60)).await;
    sleep(SHARED).await;
    assert_eq!((only(&one).cooling_until, only(&other).cooling_until), (long, long));
}

#[tokio::test(start_paused = true)]
async fn p29_a_success_ends_a_rest_that_came_from_the_store() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let (one, other) = (world.bot().await, world.bot().await);
    // Two hours: one real request may try each quarter of an hour.
    serve(&one, "openai", quota(7200)).await;
    sleep(Duration::from_mins(15)).await;
    serve(&other, "openai", Outcome::Success).await;
    sleep(SHARED).await;
    assert_eq!((only(&one).state, only(&other).state), (State::Ready, State::Ready));
}

#[tokio::test(start_paused = true)]
async fn p30_a_disabled_credential_stays_so_after_a_restart() {
    let (mut world, _) = shared_world();
    world.keys(1);
    let first = world.bot().await;
    first.pool.disable(&only(&first).id, Some("spare".to_owned())).unwrap();
    end(first).await;
    let second = world.bot().await;
    let view = only(&second);
    assert_eq!(view.state, State::Disabled);
    assert!(view.reason.unwrap().contains("spare"));
    assert!(second.pool.lease(&want("openai", Duration::ZERO)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn p30_counts_of_all_processes_add_up() {
    let (mut world, state) = shared_world();
    world.keys(1);
    let (one, other) = (world.bot().await, world.bot().await);
    for _ in 0..7 {
        serve(&one, "openai", Outcome::Success).await;
    }
    state.set(Manner::LosesReceipts);
    sleep(SHARED).await;
    state.set(Manner::Well);
    serve(&other, "openai", Outcome::ProviderFault { reason: "HTTP 503".to_owned() }).await;
    for _ in 0..2 {
        serve(&other, "openai", Outcome::Success).await;
    }
    sleep(Duration::from_mins(2)).await;
    for process in [&one, &other] {
        let view = only(process);
        assert_eq!((view.requests, view.failures), (10, 1), "a receipt that was lost counts nothing twice");
        assert_eq!(view.last_used_at, only(&other).last_used_at);
        assert!(view.counted_since.is_some());
    }
    end(one).await;
    end(other).await;
    let third = world.process().await;
    assert_eq!((only(&third).requests, only(&third).failures), (10, 1));
}

#[tokio::test(start_paused = true)]
async fn p30_a_store_that_hangs_holds_up_nothing() {
    let (mut world, state) = shared_world();
    world.keys(3);
    state.set(Manner::Hangs);
    let begun = instant();
    let bot = world.bot().await;
    assert!(begun.elapsed() <= Duration::from_secs(1), "the start waits a second at most");
    let begun = instant();
    for _ in 0..1000 {
        serve(&bot, "openai", Outcome::Success).await;
    }
    assert_eq!(
        begun.elapsed(),
        Duration::ZERO,
        "a lease waits for nothing, on the clock that waits would move"
    );
    sleep(Duration::from_mins(2)).await;
    let calls = state.calls.load(std::sync::atomic::Ordering::SeqCst);
    assert!((2..=12).contains(&calls), "it is asked again, ever more seldom: {calls}");
    serve(&bot, "openai", quota(3600)).await;
    state.set(Manner::Well);
    sleep(Duration::from_mins(2)).await;
    let other = world.process().await;
    let (ours, theirs) = (bot.pool.snapshot(), other.pool.snapshot());
    let facts = |snapshot: &cortana::pool::Snapshot| -> Vec<_> {
        snapshot
            .credentials
            .iter()
            .map(|view| (view.requests, view.cooling_until.map(|at| at.timestamp())))
            .collect()
    };
    assert_eq!(facts(&theirs), facts(&ours), "what happened meanwhile is saved when it answers");
    assert_eq!(ours.credentials.iter().map(|view| view.requests).sum::<u64>(), 1001);
}

#[tokio::test(start_paused = true)]
async fn p30_a_store_that_hangs_at_the_end_holds_the_end_up_for_seconds_only() {
    let (mut world, state) = shared_world();
    world.keys(1);
    let bot = world.bot().await;
    serve(&bot, "openai", Outcome::Success).await;
    state.set(Manner::Hangs);
    let begun = instant();
    end(bot).await;
    assert!(begun.elapsed() <= Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn p30_what_the_store_says_late_is_taken_in_when_it_comes() {
    let (mut world, state) = shared_world();
    world.keys(1);
    let first = world.bot().await;
    first.pool.disable(&only(&first).id, None).unwrap();
    end(first).await;
    state.set(Manner::Fails);
    let second = world.bot().await;
    assert_eq!(only(&second).state, State::Ready, "it goes on without");
    serve(&second, "openai", Outcome::Success).await;
    state.set(Manner::Well);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(only(&second).state, State::Disabled);
    assert_eq!(only(&second).requests, 1);
}

#[tokio::test(start_paused = true)]
async fn p30_a_refused_token_is_known_without_the_lock_files_notes() {
    let (world, _) = shared_world();
    world.login("joan", -60);
    world.endpoint.next(crate::support::pool::Answer::Fail(cortana::oauth::RefreshError::InvalidGrant {
        code: "invalid_grant".to_owned(),
    }));
    let first = world.bot().await;
    qwen(&first).await.unwrap_err();
    assert_eq!((only(&first).state, world.endpoint.calls()), (State::NeedsLogin, 1));
    end(first).await;
    for entry in fs::read_dir(&world.settings.credentials_dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "lock") {
            fs::remove_file(path).unwrap();
        }
    }
    let second = world.bot().await;
    assert_eq!(only(&second).state, State::NeedsLogin);
    qwen(&second).await.unwrap_err();
    sleep(Duration::from_mins(5)).await;
    assert_eq!(world.endpoint.calls(), 1, "it is not sent again");
    world.login("joan", 3600);
    put(
        &world.path("qwen_joan.json"),
        &json!({ "access_token": "FAKE-access-new", "refresh_token": "FAKE-refresh-new", "expires_at": 1_790_009_000 })
            .to_string(),
    );
    sleep(Duration::from_secs(5)).await;
    qwen(&second).await.expect("another token is another matter");
}

#[tokio::test(start_paused = true)]
async fn p30_a_refused_account_stays_refused_for_that_login_only() {
    let (world, _) = shared_world();
    world.login("joan", 3600);
    let first = world.bot().await;
    let refused = Outcome::Refused { reason: "ACCOUNT_BANNED".to_owned(), link: None };
    qwen(&first).await.unwrap().complete(refused);
    end(first).await;
    let second = world.bot().await;
    assert_eq!(only(&second).state, State::Refused);
    assert!(only(&second).reason.unwrap().contains("ACCOUNT_BANNED"));
    second.pool.enable(&only(&second).id).unwrap();
    end(second).await;
    let third = world.bot().await;
    assert_eq!(only(&third).state, State::Ready, "a person lifted it, and that is remembered too");
}

#[tokio::test(start_paused = true)]
async fn p32_a_refresh_by_hand_counts_for_every_process() {
    let (world, _) = shared_world();
    world.login("joan", 3600);
    let (one, other) = (world.bot().await, world.bot().await);
    let selector = Selector::Provider(provider(QWEN));
    let first = one.pool.refresh(&selector, Refused::Keep).await;
    assert!(matches!(first[0].result, RefreshResult::Refreshed { .. }), "{first:?}");
    sleep(SHARED).await;
    let second = other.pool.refresh(&selector, Refused::Keep).await;
    assert!(matches!(second[0].result, RefreshResult::TooSoon { .. }), "{second:?}");
    assert_eq!(world.endpoint.calls(), 1);
    assert!(only(&other).last_refresh.unwrap().failure.is_none(), "whose refresh it was does not matter");
    sleep(Duration::from_mins(1)).await;
    let third = other.pool.refresh(&selector, Refused::Keep).await;
    assert!(matches!(third[0].result, RefreshResult::Refreshed { .. }), "{third:?}");
}

/// A full disk, or a server that is read-only: what was decided still stands there to be read.
#[tokio::test(start_paused = true)]
async fn p30_what_was_decided_holds_where_nothing_can_be_written() {
    let (mut world, state) = shared_world();
    world.keys(1);
    let first = world.bot().await;
    let id = only(&first).id;
    first.pool.disable(&id, None).unwrap();
    sleep(SHARED).await;
    state.set(Manner::FailsToWrite);
    let second = world.bot().await;
    assert_eq!(only(&second).state, State::Disabled, "known at once");
    second.pool.settle().await.unwrap_err();
    assert!(matches!(
        second.pool.lease(&want("openai", Duration::ZERO)).await,
        Err(LeaseError::NeedsOperator { .. })
    ));
}

/// The new one may be as far as the old one was by the time it is looked at.
#[tokio::test(start_paused = true)]
async fn p30_a_store_that_is_replaced_or_restored_is_told_what_is_known() {
    let (mut world, state) = shared_world();
    world.keys(1);
    let (one, other) = (world.bot().await, world.bot().await);
    let id = only(&one).id;
    let replacements: [&dyn Fn(); 3] = [&|| state.replace(0), &|| state.replace(1000), &|| state.restore()];
    for replace in replacements {
        one.pool.disable(&id, None).unwrap();
        serve(&other, "openai", quota(600)).await;
        sleep(SHARED).await;
        replace();
        sleep(SHARED).await;
        let after = world.process().await;
        assert_eq!(only(&after).state, State::Disabled);
        after.pool.enable(&id).unwrap();
        assert_eq!(only(&after).state, State::Cooling);
        after.pool.clear_cooldown(&id).unwrap();
        after.pool.settle().await.unwrap();
        sleep(SHARED).await;
        assert_eq!((only(&one).state, only(&other).state), (State::Ready, State::Ready), "and it is heard");
    }
}

/// A command corrects nothing later: it would show and use what is disabled.
#[tokio::test(start_paused = true)]
async fn p30_a_command_waits_longer_for_the_store_than_the_bot_and_says_that_it_failed() {
    let (mut world, state) = shared_world();
    world.keys(1);
    let bot = world.bot().await;
    bot.pool.disable(&only(&bot).id, None).unwrap();
    sleep(SHARED).await;
    state.set(Manner::ReadsIn(Duration::from_millis(1200)));
    let command = world.process().await;
    assert_eq!((only(&command).state, command.pool.unread()), (State::Disabled, None));
    state.set(Manner::Fails);
    let command = world.process().await;
    assert!(command.pool.unread().unwrap().to_string().contains("on fire"));
}

/// Everything at once would take twice the time that an exchange is given.
#[tokio::test(start_paused = true)]
async fn p30_a_slow_store_gets_on_with_a_thousand_credentials() {
    let (mut world, state) = shared_world();
    world.keys(1000);
    state.set(Manner::Slow(Duration::from_millis(20)));
    let _bot = world.bot().await;
    sleep(Duration::from_mins(2)).await;
    assert_eq!(state.credentials(), 1000);
}

#[tokio::test(start_paused = true)]
async fn p30_a_store_with_nothing_new_is_left_in_peace() {
    let (mut world, state) = shared_world();
    world.keys(5);
    let _bot = world.bot().await;
    sleep(Duration::from_mins(1)).await;
    let writes = state.writes.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(writes, 1, "that these credentials are here, once a day");
    drop(world.process().await);
    sleep(SHARED).await;
    assert_eq!(state.writes.load(std::sync::atomic::Ordering::SeqCst), 1, "a look writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn p30_and_p33_two_pools_share_a_file_that_holds_no_secret() {
    let mut world = World::new();
    world.keys(1);
    put(
        &world.path("qwen_canary-name@example.com.json"),
        &json!({
            "access_token": "FAKE-canary-access", "refresh_token": "FAKE-canary-refresh",
            "account": "canary-name@example.com", "expires_at": 1_789_999_000,
        })
        .to_string(),
    );
    world.endpoint.down(cortana::oauth::RefreshError::InvalidGrant { code: "invalid_grant".to_owned() });
    let folder = tempfile::tempdir().unwrap();
    let settings = StorageSettings::in_folder(&folder.path().join("state"));
    world.state = Arc::new(StoredState::new(settings.clone(), OnDamage::PutAside));
    let first = world.process().await;
    serve(&first, "openai", quota(600)).await;
    qwen(&first).await.unwrap_err();
    first.pool.settle().await.unwrap();
    let text: Vec<u8> = fs::read_dir(folder.path().join("state"))
        .unwrap()
        .flat_map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let found =
        |needle: &str| text.windows(needle.len()).any(|bytes| bytes.eq_ignore_ascii_case(needle.as_bytes()));
    assert!(found("QUOTA_EXHAUSTED"), "the search finds what is there");
    for canary in ["canary", "sk-fake", "example.com", &hex("FAKE-canary-refresh")] {
        assert!(!found(canary), "{canary} stands in the database");
    }
    world.state = Arc::new(StoredState::new(settings, OnDamage::PutAside));
    let second = world.process().await;
    let states = |process: &Process| -> Vec<_> {
        process
            .pool
            .snapshot()
            .credentials
            .iter()
            .map(|view| (view.state, view.requests, view.refresh_attempts))
            .collect()
    };
    assert_eq!(states(&second), states(&first));
    assert!(states(&second).contains(&(State::Cooling, 1, 0)), "{:?}", states(&second));
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
