//! The pool's promises about tokens: refreshed exactly once, never lost, adopted when somebody else was faster.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::TimeDelta;
use cortana::{
    clock::Clock,
    config::WatchMode,
    credential::Facts,
    fs::Step,
    oauth::RefreshError,
    pool::{LeaseError, PoolEvent, RefreshResult, Refused, Selector, State},
};
use futures::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use crate::support::pool::{Answer, QWEN, World, only, provider, put, qwen, unavailable, want};

const QWEN_A: &str = "qwen_a.json";

fn all_qwen() -> Selector {
    Selector::Provider(provider(QWEN))
}

#[tokio::test(start_paused = true)]
async fn p1_fifty_tasks_on_one_expired_credential_make_one_request() {
    let world = World::new();
    world.login("a", -60);
    let process = world.process().await;
    let leases = join_all((0..50).map(|_| qwen(&process))).await;
    for lease in leases {
        assert_eq!(lease.unwrap().bearer.expose(), "FAKE-access-granted-1");
    }
    assert_eq!(world.endpoint.sent(), ["FAKE-refresh-a"]);
    assert_eq!(world.file(QWEN_A)["refresh_token"], "FAKE-refresh-granted-1");
}

/// In real time: who waits for a file's lock waits in the kernel, not on a clock that can be paused.
#[tokio::test]
async fn p1_four_pools_over_one_folder_make_one_request() {
    let world = World::new();
    world.login("a", -60);
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(world.process().await);
    }
    let leases = processes.iter().flat_map(|process| (0..20).map(|_| qwen(process)));
    for lease in join_all(leases).await {
        assert_eq!(lease.unwrap().bearer.expose(), "FAKE-access-granted-1");
    }
    assert_eq!(world.endpoint.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn p3_a_failure_is_shared_and_backed_off_in_this_process_and_the_next() {
    let world = World::new();
    world.login("a", -60);
    world.endpoint.down(unavailable());
    let process = world.process().await;
    for lease in join_all((0..20).map(|_| qwen(&process))).await {
        assert!(matches!(lease, Err(LeaseError::Stale { .. })), "{lease:?}");
    }
    assert_eq!(world.endpoint.calls(), 1, "twenty waiters, one request");
    drop(qwen(&process).await);
    let other = world.process().await;
    assert!(matches!(qwen(&other).await, Err(LeaseError::Stale { .. })));
    assert_eq!(world.endpoint.calls(), 1, "none during the backoff, in another process neither");
    assert_eq!(only(&process).state, State::Expired);

    world.endpoint.up();
    sleep(Duration::from_secs(15)).await;
    assert!(qwen(&process).await.is_ok());
    assert_eq!(world.endpoint.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn p4_a_refused_token_is_never_sent_again_until_the_file_holds_another() {
    let world = World::new();
    world.login("a", -60);
    world.endpoint.next(Answer::Fail(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() }));
    let process = world.bot().await;
    assert!(matches!(qwen(&process).await, Err(LeaseError::NeedsOperator { .. })));
    for _ in 0..5 {
        sleep(Duration::from_hours(1)).await;
        assert!(matches!(qwen(&process).await, Err(LeaseError::NeedsOperator { .. })));
    }
    let restarted = world.bot().await;
    assert!(matches!(qwen(&restarted).await, Err(LeaseError::NeedsOperator { .. })));
    let by_hand = process.pool.refresh(&all_qwen(), Refused::Keep).await;
    assert_eq!(by_hand[0].result, RefreshResult::RefusedBefore);
    assert_eq!(world.endpoint.calls(), 1);
    assert_eq!(only(&restarted).state, State::NeedsLogin);
    assert!(only(&restarted).reason.unwrap().contains("log in again"));

    // An operator may confirm one more try.
    let confirmed = process.pool.refresh(&all_qwen(), Refused::TryOnce).await;
    assert!(matches!(confirmed[0].result, RefreshResult::Refreshed { .. }), "{confirmed:?}");
    sleep(Duration::from_secs(3)).await;
    assert!(qwen(&restarted).await.is_ok(), "the other process finds the new token in the file");
    assert_eq!(world.endpoint.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn p5_a_newer_token_in_the_file_is_adopted_before_a_refresh() {
    let world = World::new();
    world.login("a", -60);
    let process = world.process().await;
    world.put(
        QWEN_A,
        &json!({"access_token": "FAKE-access-theirs", "refresh_token": "FAKE-refresh-theirs", "expires_at": world.now().timestamp() + 3600}),
    );
    assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-theirs");
    assert_eq!(world.endpoint.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn p5_a_token_that_was_rotated_while_ours_was_refused_is_adopted_and_nothing_is_dead() {
    let world = World::new();
    world.login("a", -60);
    let process = world.process().await;
    let (path, expires_at) = (world.path(QWEN_A), world.now().timestamp() + 3600);
    world.endpoint.next(Answer::RefuseAfter(Box::new(move || {
        let theirs = json!({"access_token": "FAKE-access-theirs", "refresh_token": "FAKE-refresh-theirs", "expires_at": expires_at});
        put(&path, &theirs.to_string());
    })));
    assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-theirs");
    assert_eq!(world.endpoint.calls(), 1);
    assert_eq!(only(&process).state, State::Ready);
}

#[tokio::test(start_paused = true)]
async fn p16_a_login_that_somebody_wrote_during_the_request_is_adopted_and_not_written_over() {
    let world = World::new();
    world.login("a", -60);
    let process = world.process().await;
    let (path, expires_at) = (world.path(QWEN_A), world.now().timestamp() + 3600);
    let anew = json!({"access_token": "FAKE-access-anew", "refresh_token": "FAKE-refresh-anew", "expires_at": expires_at});
    let text = anew.to_string();
    world.endpoint.next(Answer::GrantAfter(Box::new(move || put(&path, &text))));
    assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-anew");
    assert_eq!((world.file(QWEN_A), world.endpoint.calls()), (anew, 1));
    assert!(!only(&process).unsaved);
}

/// The same, but what was put there is a copy of what a refresh had ended before: the grant is the only good token.
#[tokio::test(start_paused = true)]
async fn p14_an_old_copy_that_is_put_back_during_the_request_costs_no_token() {
    let world = World::new();
    world.login("a", -60);
    let process = world.process().await;
    let old = std::fs::read_to_string(world.path(QWEN_A)).unwrap();
    assert!(qwen(&process).await.is_ok());
    sleep(Duration::from_hours(2)).await;
    let path = world.path(QWEN_A);
    world.endpoint.next(Answer::GrantAfter(Box::new(move || put(&path, &old))));
    assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-granted-2");
    assert!(only(&process).unsaved, "it is saved again later");
    assert_eq!(world.endpoint.sent(), ["FAKE-refresh-a", "FAKE-refresh-granted-1"]);
}

/// The watcher was faster than the refusal: the entry holds the new login before the flight looks at the file again.
#[tokio::test(start_paused = true)]
async fn p4_a_login_that_comes_while_the_old_one_is_being_refused_is_not_taken_for_refused() {
    let world = World::new();
    world.login("a", -60);
    let process = world.bot().await;
    world.endpoint.set_latency(Duration::from_secs(20));
    world.endpoint.next(Answer::Fail(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() }));
    let (lease, ()) = tokio::join!(qwen(&process), async {
        sleep(Duration::from_secs(3)).await;
        world.put(
            QWEN_A,
            &json!({"access_token": "FAKE-access-anew", "refresh_token": "FAKE-refresh-anew", "expires_at": world.now().timestamp() - 5}),
        );
    });
    drop(lease);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(world.endpoint.sent(), ["FAKE-refresh-a", "FAKE-refresh-anew"]);
    assert_eq!(only(&process).state, State::Ready);
    assert!(qwen(&process).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn p6_a_failing_refresh_leaves_a_live_token_in_service() {
    let world = World::new();
    world.login("a", 600);
    world.endpoint.down(unavailable());
    let process = world.bot().await;
    let mut served = 0;
    while world.now().timestamp() < 1_790_000_000 + 560 {
        let lease = qwen(&process).await.expect("the token is live");
        assert_eq!(lease.bearer.expose(), "FAKE-access-a");
        served += 1;
        sleep(Duration::from_secs(10)).await;
    }
    assert!(served >= 55);
    assert!((3..=12).contains(&world.endpoint.calls()), "backed off: {}", world.endpoint.calls());
    assert!(only(&process).reason.unwrap().contains("still works"));
    world.endpoint.up();
    sleep(Duration::from_mins(6)).await;
    assert_eq!(
        qwen(&process).await.unwrap().bearer.expose(),
        "FAKE-access-granted-1",
        "it recovers by itself"
    );
}

#[tokio::test(start_paused = true)]
async fn p7_a_caller_that_gives_up_loses_no_token() {
    let world = World::new();
    world.login("a", -60);
    world.endpoint.set_latency(Duration::from_secs(10));
    let process = world.process().await;
    let waited = tokio::time::timeout(Duration::from_secs(1), qwen(&process)).await;
    assert!(waited.is_err(), "the caller is gone");
    let late = process.pool.lease(&want(QWEN, Duration::from_secs(1))).await;
    assert!(matches!(late, Err(LeaseError::Stale { .. })), "a deadline ends the wait");
    assert!(process.shutdown.drain(Duration::from_mins(1)).await, "the flight is finished, not cancelled");
    assert_eq!(world.file(QWEN_A)["refresh_token"], "FAKE-refresh-granted-1");
    assert_eq!(world.endpoint.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn p8_many_that_expire_together_are_refreshed_before_anybody_waits() {
    let world = World::new();
    for number in 0..150 {
        world.login(&format!("n{number}"), 3600);
    }
    world.endpoint.set_latency(Duration::from_secs(5));
    let process = world.bot().await;
    sleep(Duration::from_secs(2900)).await;
    assert_eq!(world.endpoint.calls(), 0, "not before the early window");
    for _ in 0..70 {
        sleep(Duration::from_secs(10)).await;
        let now = process.pool.lease(&want(QWEN, Duration::ZERO)).await;
        assert!(now.is_ok(), "nobody waits: {now:?}");
    }
    assert_eq!(world.endpoint.calls(), 150, "each once");
    let most = world.endpoint.most_at_once.load(Ordering::SeqCst);
    assert!((2..=8).contains(&most), "bounded parallelism: {most}");
    assert!(process.pool.snapshot().credentials.iter().all(|view| view.state == State::Ready));
}

#[tokio::test(start_paused = true)]
async fn p9_stale_grants_cannot_spin() {
    let world = World::new();
    world.login("a", -60);
    for _ in 0..100 {
        world.endpoint.next(Answer::Life(Some(Duration::from_secs(1))));
    }
    let process = world.bot().await;
    let until = world.now() + TimeDelta::seconds(300);
    while world.now() < until {
        drop(process.pool.lease(&want(QWEN, Duration::from_millis(500))).await);
        sleep(Duration::from_millis(500)).await;
    }
    assert!((5..=11).contains(&world.endpoint.calls()), "one in 30 s: {}", world.endpoint.calls());
}

#[tokio::test(start_paused = true)]
async fn p10_missing_lives_and_clock_steps_make_neither_a_storm_nor_an_outage() {
    let world = World::new();
    world.login("a", -60);
    world.endpoint.next(Answer::Life(None));
    let process = world.bot().await;
    assert!(qwen(&process).await.is_ok());
    let mut steps = [86_400, -86_400, 7200, -400_000, 300, 400_000].into_iter();
    for step in steps.by_ref() {
        sleep(Duration::from_mins(2)).await;
        world.clock.step(TimeDelta::seconds(step));
        for _ in 0..20 {
            sleep(Duration::from_secs(3)).await;
            assert!(qwen(&process).await.is_ok(), "after a step of {step} s");
        }
    }
    assert!(world.endpoint.calls() <= 7, "one a step at most: {}", world.endpoint.calls());
}

#[tokio::test(start_paused = true)]
async fn p11_a_start_with_the_endpoint_down_drops_nothing() {
    let world = World::new();
    world.login("live", 7200);
    world.login("dead", -60);
    world.endpoint.down(unavailable());
    let process = world.bot().await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-live");
    assert_eq!(process.pool.snapshot().credentials.len(), 2);
    world.endpoint.up();
    sleep(Duration::from_mins(6)).await;
    assert!(process.pool.snapshot().credentials.iter().all(|view| view.state == State::Ready));
}

#[tokio::test(start_paused = true)]
async fn p13_no_token_is_spent_while_its_place_cannot_be_written() {
    let world = World::new();
    world.login("a", 300);
    let process = world.process().await;
    world.steps.refuse(Some(Step::CreateTemporary));
    let report = process.pool.refresh(&all_qwen(), Refused::Keep).await;
    assert!(matches!(report[0].result, RefreshResult::Store(_)), "{report:?}");
    assert_eq!(world.endpoint.calls(), 0);
    assert_eq!(
        qwen(&process).await.unwrap().bearer.expose(),
        "FAKE-access-a",
        "the old token is kept and used"
    );
}

#[tokio::test(start_paused = true)]
async fn p14_a_token_that_cannot_be_saved_lives_in_memory_and_is_saved_later() {
    let world = World::new();
    world.login("a", -60);
    let process = world.bot().await;
    let mut news = process.pool.subscribe();
    world.steps.refuse(Some(Step::Rename));
    assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-granted-1");
    assert!(only(&process).unsaved);
    assert_eq!(world.file(QWEN_A)["refresh_token"], "FAKE-refresh-a");
    sleep(Duration::from_secs(30)).await;
    assert_eq!(
        qwen(&process).await.unwrap().bearer.expose(),
        "FAKE-access-granted-1",
        "the old file is not adopted"
    );

    world.steps.refuse(None);
    sleep(Duration::from_mins(3)).await;
    assert!(!only(&process).unsaved);
    assert_eq!(world.file(QWEN_A)["refresh_token"], "FAKE-refresh-granted-1");
    assert_eq!(world.endpoint.calls(), 1);
    let mut told = Vec::new();
    while let Ok(event) = news.try_recv() {
        if let PoolEvent::Unsaved { problem, .. } = event {
            told.push(problem.is_some());
        }
    }
    assert_eq!(told, [true, false], "told once that it failed, once that it is saved");
}

#[tokio::test(start_paused = true)]
async fn p19_chats_touch_no_file() {
    let world = World::new();
    world.login("a", 7200);
    let process = world.bot().await;
    std::fs::remove_dir_all(world.path("")).unwrap();
    let before = world.steps.count();
    for _ in 0..100 {
        qwen(&process).await.unwrap().complete(cortana::pool::Outcome::Success);
    }
    assert_eq!(world.steps.count(), before);
}

#[tokio::test(start_paused = true)]
async fn p31_a_401_is_answered_by_one_forced_refresh_for_all() {
    let world = World::new();
    world.login("a", 7200);
    let process = world.process().await;
    let leases: Vec<_> =
        join_all((0..10).map(|_| qwen(&process))).await.into_iter().map(Result::unwrap).collect();
    let until = cortana::clock::instant() + Duration::from_secs(30);
    let results = join_all(leases.iter().map(|lease| process.pool.refresh_after_401(lease, until))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(process.pool.refresh_after_401(&leases[0], until).await, Ok(()), "the token differs already");
    assert_eq!(world.endpoint.calls(), 1);
    assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-granted-1");
}

#[tokio::test(start_paused = true)]
async fn p32_by_hand_reports_each_and_is_held_to_once_a_minute() {
    let mut world = World::new();
    world.login("a", 7200);
    world.login("b", 7200);
    world.keys(1);
    let process = world.process().await;
    let reports = process.pool.refresh(&all_qwen(), Refused::Keep).await;
    assert!(
        reports.iter().all(|report| matches!(report.result, RefreshResult::Refreshed { .. })),
        "{reports:?}"
    );
    assert_eq!((reports.len(), world.endpoint.calls()), (2, 2));
    let again = process.pool.refresh(&all_qwen(), Refused::Keep).await;
    assert!(again.iter().all(|report| matches!(report.result, RefreshResult::TooSoon { .. })), "{again:?}");
    sleep(Duration::from_secs(61)).await;
    process.pool.refresh(&all_qwen(), Refused::Keep).await;
    assert_eq!(world.endpoint.calls(), 4);
    let keys = process.pool.refresh(&Selector::Provider(provider("openai")), Refused::Keep).await;
    assert_eq!(keys[0].result, RefreshResult::NothingToRefresh);
    assert_eq!(only_of(&process, "qwen_a.json").refresh_attempts, 2);
}

fn only_of(process: &crate::support::pool::Process, place: &str) -> cortana::pool::CredentialView {
    process.pool.snapshot().credentials.into_iter().find(|view| view.place == place).unwrap()
}

#[tokio::test(start_paused = true)]
async fn facts_are_found_once_at_the_first_need_and_kept() {
    let world = World::new();
    world.put(
        "gemini.json",
        &json!({"access_token": "ya29.FAKE", "refresh_token": "1//FAKE", "expires_at": world.now().timestamp() + 7200}),
    );
    *world.endpoint.facts.lock().unwrap() =
        Ok(Facts { project_id: Some("fake-project-1".to_owned()), ..Facts::default() });
    let process = world.process().await;
    let wants: Vec<_> = (0..10).map(|_| want("gemini_cli", Duration::from_mins(1))).collect();
    for lease in join_all(wants.iter().map(|want| process.pool.lease(want))).await {
        assert_eq!(lease.unwrap().facts.project_id.as_deref(), Some("fake-project-1"));
    }
    assert_eq!((world.endpoint.calls(), world.endpoint.after_grants.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn p21_an_account_that_the_service_refuses_after_a_grant_is_refused_and_not_probed() {
    let mut world = World::new();
    let expires_at = world.now().timestamp() - 60;
    world.put(
        "gemini.json",
        &json!({"access_token": "ya29.FAKE", "refresh_token": "1//FAKE", "expires_at": expires_at}),
    );
    *world.endpoint.facts.lock().unwrap() =
        Err(RefreshError::Refused { reason: "UNSUPPORTED_CLIENT".to_owned(), link: None });
    world.settings.watch = WatchMode::Off;
    let process = world.bot().await;
    let refused = process.pool.lease(&want("gemini_cli", Duration::from_mins(1))).await;
    assert!(matches!(refused, Err(LeaseError::NeedsOperator { .. })), "{refused:?}");
    assert_eq!(
        world.file("gemini.json")["access_token"],
        "FAKE-access-granted-1",
        "saved before the step that failed"
    );
    sleep(Duration::from_hours(24)).await;
    assert_eq!((world.endpoint.calls(), world.endpoint.after_grants.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(only(&process).state, State::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_holds_every_credential_with_it_and_no_live_token() {
    let world = World::new();
    world.login("dead", -60);
    world.login("dead2", -60);
    world.login("live", 7200);
    world.endpoint.down(RefreshError::ClientRefused { code: "invalid_client".to_owned() });
    let process = world.process().await;
    drop(
        process
            .pool
            .refresh(&Selector::Credential(only_of(&process, "qwen_dead.json").id), Refused::Keep)
            .await,
    );
    assert_eq!(world.endpoint.calls(), 1);
    for _ in 0..4 {
        assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-live");
    }
    let held = only_of(&process, "qwen_dead2.json");
    assert_eq!(held.state, State::Expired);
    assert!(held.reason.unwrap().contains("QWEN_CODE_CLIENT_ID"));
    assert_eq!(world.endpoint.calls(), 1, "one request told everything");
}

#[tokio::test(start_paused = true)]
async fn a_script_gets_a_token_that_is_fresh() {
    let world = World::new();
    world.login("a", -60);
    let process = world.process().await;
    let until = cortana::clock::instant() + Duration::from_secs(30);
    let token = process.pool.access_token(&all_qwen(), until).await.unwrap();
    assert_eq!(token.token.expose(), "FAKE-access-granted-1");
    assert!(token.expires_at.unwrap() > world.clock.now());
    let again =
        process.pool.access_token(&Selector::Credential(token.credential.clone()), until).await.unwrap();
    assert_eq!(again, token);
    assert_eq!(Arc::strong_count(&world.endpoint), 2, "the pool alone holds the endpoint beside the test");
}
