//! The pool's promises about health: who rests and how long, who is asked next, what a reload changes.

use std::{fs, time::Duration};

use cortana::{
    clock::instant,
    config::{Strategy, WatchMode},
    oauth::RefreshError,
    pool::{LeaseError, Outcome, PoolEvent, RestCause, RetryHint, State, Want},
};
use serde_json::json;
use tokio::time::sleep;

use crate::support::pool::{Answer, Process, QWEN, World, only, provider, put, qwen, want};

fn key_want() -> Want {
    want("openai", Duration::from_secs(1))
}

async fn answer(process: &Process, want: &Want, outcome: Outcome) -> String {
    let lease = process.pool.lease(want).await.expect("one is ready");
    let bearer = lease.bearer.expose().to_owned();
    lease.complete(outcome);
    bearer
}

fn quota(hint: RetryHint) -> Outcome {
    Outcome::ModelCooling { hint, reason: "HTTP 429".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn p21_a_key_that_answers_401_gets_one_hit_a_step() {
    let mut world = World::new();
    world.keys(2);
    let process = world.process().await;
    let mut hits = Vec::new();
    for second in 0..3600 {
        let lease = process.pool.lease(&key_want()).await.expect("the other key is healthy");
        if lease.bearer.expose() == "sk-FAKE-1" {
            hits.push(second);
            lease.complete(Outcome::Unauthorized);
        } else {
            lease.complete(Outcome::Success);
        }
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(hits, [0, 60, 360, 1260, 3060], "after 1, 5, 15 and 30 minutes");
}

#[tokio::test(start_paused = true)]
async fn p21_a_login_whose_fresh_token_is_refused_is_asked_twice_and_then_refused() {
    let world = World::new();
    world.login("a", 7200);
    world.login("b", 7200);
    let process = world.bot().await;
    let mut hits = 0;
    for _ in 0..40 {
        let lease = qwen(&process).await.expect("the other login is healthy");
        if lease.bearer.expose().contains("access-b") {
            lease.complete(Outcome::Success);
        } else {
            hits += 1;
            let until = instant() + Duration::from_secs(30);
            match process.pool.refresh_after_401(&lease, until).await {
                // The retry goes wherever the strategy sends it.
                Ok(()) => drop(lease),
                Err(_) => lease.complete(Outcome::Unauthorized),
            }
        }
        sleep(Duration::from_secs(20)).await;
    }
    assert_eq!((hits, world.endpoint.calls()), (2, 1));
    let states: Vec<State> = process.pool.snapshot().credentials.iter().map(|view| view.state).collect();
    assert_eq!(states, [State::Refused, State::Ready]);

    // A person brings a new login.
    world.put(
        "qwen_a.json",
        &json!({"access_token": "FAKE-access-anew", "refresh_token": "FAKE-refresh-anew", "expires_at": 1_790_090_000}),
    );
    sleep(Duration::from_secs(3)).await;
    let states: Vec<State> = process.pool.snapshot().credentials.iter().map(|view| view.state).collect();
    assert_eq!(states, [State::Ready, State::Ready]);
}

#[tokio::test(start_paused = true)]
async fn p22_a_429_sends_the_next_request_elsewhere_at_once() {
    let mut world = World::new();
    world.keys(2);
    let process = world.process().await;
    let started = instant();
    let first = answer(&process, &key_want(), quota(RetryHint::After(Duration::from_secs(42)))).await;
    for _ in 0..5 {
        assert_ne!(answer(&process, &key_want(), Outcome::Success).await, first);
    }
    assert_eq!(instant(), started, "no sleep anywhere");
    sleep(Duration::from_secs(41)).await;
    assert_ne!(answer(&process, &key_want(), Outcome::Success).await, first, "the hint is kept exactly");
    sleep(Duration::from_secs(1)).await;
    let both = [
        answer(&process, &key_want(), Outcome::Success).await,
        answer(&process, &key_want(), Outcome::Success).await,
    ];
    assert!(both.contains(&first));
}

#[tokio::test(start_paused = true)]
async fn p26_when_all_rest_the_error_says_when_the_first_is_back() {
    let mut world = World::new();
    world.keys(3);
    let process = world.process().await;
    let mut tried = key_want();
    for seconds in [300, 60, 900] {
        let lease = process.pool.lease(&tried).await.unwrap();
        tried.exclude.push(lease.credential.clone());
        lease.complete(quota(RetryHint::After(Duration::from_secs(seconds))));
    }
    let until = world.now() + Duration::from_mins(1);
    assert_eq!(
        process.pool.lease(&tried).await.unwrap_err(),
        LeaseError::Resting { until, cause: RestCause::Quota }
    );
    assert!(!process.pool.has_ready(&provider("openai"), "a-model"));
    assert!(process.pool.has_ready(&provider("openai"), "another-model"));
}

#[tokio::test(start_paused = true)]
async fn looking_whether_another_is_ready_lends_and_refreshes_nothing() {
    let mut world = World::new();
    world.login("a", -60);
    world.keys(2);
    let process = world.process().await;
    assert!(process.pool.has_ready_besides(&provider(QWEN), "a-model", &[]), "after a refresh");
    let credentials = process.pool.snapshot().credentials;
    let keys = credentials.iter().filter(|view| view.provider == Some(provider("openai")));
    let keys: Vec<_> = keys.map(|view| view.id.clone()).collect();
    let openai = |exclude: &[_]| process.pool.has_ready_besides(&provider("openai"), "a-model", exclude);
    let (first, _) = keys.split_at(1);
    assert_eq!((openai(&[]), openai(first), openai(&keys)), (true, true, false));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.endpoint.calls(), 0);
    assert_eq!(process.pool.snapshot().credentials, credentials, "no counter has moved");
}

#[tokio::test(start_paused = true)]
async fn p28_a_models_quota_blocks_no_other_model_and_a_burst_escalates_once() {
    let mut world = World::new();
    world.keys(1);
    let process = world.process().await;
    let mut burst = Vec::new();
    for _ in 0..10 {
        burst.push(process.pool.lease(&key_want()).await.unwrap());
    }
    for lease in burst {
        lease.complete(quota(RetryHint::None));
    }
    let view = only(&process);
    assert_eq!(view.cooling_models.len(), 1);
    assert_eq!(view.cooling_models[0].until, world.now() + Duration::from_secs(30), "the first step");
    assert_eq!((view.state, view.in_flight, view.requests), (State::Ready, 0, 10));
    let other = Want { model: "another-model".into(), ..key_want() };
    assert_eq!(answer(&process, &other, Outcome::Success).await, "sk-FAKE-1");

    let whole = Outcome::CredentialCooling {
        hint: RetryHint::After(Duration::from_secs(90)),
        reason: "HTTP 429".to_owned(),
    };
    answer(&process, &other, whole).await;
    assert_eq!(only(&process).state, State::Cooling);
    assert!(matches!(process.pool.lease(&other).await, Err(LeaseError::Resting { .. })));
    process.pool.clear_cooldown(&only(&process).id).unwrap();
    assert!(process.pool.lease(&other).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn faults_rest_a_credential_only_when_several_come_in_a_row() {
    let mut world = World::new();
    world.keys(1);
    let process = world.process().await;
    let fault = || Outcome::ProviderFault { reason: "HTTP 503".to_owned() };
    for outcome in [fault(), fault(), Outcome::Success, fault(), fault()] {
        answer(&process, &key_want(), outcome).await;
    }
    assert_eq!(only(&process).state, State::Ready);
    answer(&process, &key_want(), fault()).await;
    assert_eq!(only(&process).state, State::Cooling);
    sleep(Duration::from_secs(15)).await;
    assert_eq!(only(&process).state, State::Ready);
}

#[tokio::test(start_paused = true)]
async fn leases_say_why_there_is_none() {
    let mut world = World::new();
    world.keys(1);
    let process = world.process().await;
    let nothing = process.pool.lease(&want(QWEN, Duration::ZERO)).await.unwrap_err();
    assert_eq!(nothing, LeaseError::NothingConfigured);
    let id = only(&process).id;
    let tried = Want { exclude: vec![id.clone()], ..key_want() };
    assert_eq!(process.pool.lease(&tried).await.unwrap_err(), LeaseError::AllTried);
    process.pool.disable(&id, None).unwrap();
    assert!(matches!(process.pool.lease(&key_want()).await, Err(LeaseError::NeedsOperator { .. })));
    assert_eq!(only(&process).state, State::Disabled);
    process.pool.enable(&id).unwrap();
    let lease = process.pool.lease(&key_want()).await.unwrap();
    assert_eq!(only(&process).in_flight, 1);
    drop(lease);
    assert_eq!(
        (only(&process).in_flight, only(&process).state),
        (0, State::Ready),
        "dropping counts as neutral"
    );
}

#[tokio::test(start_paused = true)]
async fn p39_round_robin_is_fair_and_the_other_strategies_do_as_they_say() {
    let mut world = World::new();
    world.keys(5);
    let process = world.process().await;
    for _ in 0..52 {
        answer(&process, &key_want(), Outcome::Success).await;
    }
    let mut counts: Vec<u64> = process.pool.snapshot().credentials.iter().map(|view| view.requests).collect();
    counts.sort_unstable();
    assert_eq!(counts, [10, 10, 10, 11, 11]);

    world.settings.strategy = Strategy::FillFirst;
    let process = world.process().await;
    for _ in 0..7 {
        assert_eq!(answer(&process, &key_want(), Outcome::Success).await, "sk-FAKE-1");
    }
}

#[tokio::test(start_paused = true)]
async fn p35_files_come_and_go_within_two_seconds_and_our_own_writes_change_nothing() {
    let world = World::new();
    world.login("a", -60);
    let process = world.bot().await;
    let mut news = process.pool.subscribe();
    assert!(qwen(&process).await.is_ok(), "refreshed and written back");
    sleep(Duration::from_secs(10)).await;
    while let Ok(event) = news.try_recv() {
        assert!(
            !matches!(event, PoolEvent::Loaded { .. } | PoolEvent::Removed { .. }),
            "our own write: {event:?}"
        );
    }

    world.login("b", 7200);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(process.pool.snapshot().credentials.len(), 2);
    let kept = loop {
        let lease = qwen(&process).await.unwrap();
        if lease.bearer.expose() == "FAKE-access-b" {
            break lease;
        }
    };
    let rest = Outcome::CredentialCooling {
        hint: RetryHint::After(Duration::from_mins(5)),
        reason: "HTTP 429".to_owned(),
    };
    qwen(&process).await.unwrap().complete(rest);
    let cooling = |process: &Process| {
        process.pool.snapshot().credentials.iter().filter(|view| view.state == State::Cooling).count()
    };
    assert_eq!(cooling(&process), 1);
    world.login("c", 7200);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(cooling(&process), 1, "a reload keeps what rests");

    fs::remove_file(world.path("qwen_b.json")).unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(process.pool.snapshot().credentials.len(), 2);
    kept.complete(Outcome::Success);
}

#[tokio::test(start_paused = true)]
async fn p35_a_half_written_file_is_read_again_before_it_is_reported() {
    let world = World::new();
    world.login("a", 7200);
    let process = world.bot().await;
    put(&world.path("qwen_b.json"), r#"{"access_token": "FAKE-acc"#);
    sleep(Duration::from_millis(1700)).await;
    assert_eq!(process.pool.snapshot().credentials.len(), 1, "not reported yet");
    world.login("b", 7200);
    sleep(Duration::from_secs(2)).await;
    let states: Vec<State> = process.pool.snapshot().credentials.iter().map(|view| view.state).collect();
    assert_eq!(states, [State::Ready, State::Ready]);

    put(&world.path("qwen_c.json"), "no JSON at all");
    sleep(Duration::from_secs(5)).await;
    let unusable = process.pool.snapshot().credentials.into_iter().find(|view| view.state == State::Unusable);
    assert_eq!(unusable.expect("it is reported").place, "qwen_c.json");
}

/// The one test that waits for real: inotify, through the real watcher.
#[tokio::test]
async fn p35_the_operating_systems_news_is_heard() {
    let mut world = World::new();
    world.settings.watch = WatchMode::Auto;
    let process = world.bot().await;
    let mut news = process.pool.subscribe();
    world.login("a", 7200);
    let heard = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let PoolEvent::Loaded { provider, .. } = news.recv().await.unwrap() {
                return provider;
            }
        }
    });
    assert_eq!(heard.await.expect("it is loaded").as_str(), QWEN);
}

/// A link whose target is gone, as after the vendor's own log-out: what was loaded through it goes too.
#[tokio::test(start_paused = true)]
async fn p35_a_link_to_nothing_takes_its_login_along() {
    let world = World::new();
    world.login("a", 7200);
    let elsewhere = world.path("qwen_a.json").with_extension("elsewhere");
    put(&elsewhere, &world.file("qwen_a.json").to_string());
    fs::remove_file(world.path("qwen_a.json")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, world.path("qwen_a.json")).unwrap();
    let process = world.bot().await;
    assert!(qwen(&process).await.is_ok());
    fs::remove_file(&elsewhere).unwrap();
    sleep(Duration::from_secs(6)).await;
    let views = process.pool.snapshot().credentials;
    let states: Vec<State> = views.iter().map(|view| view.state).collect();
    assert_eq!(states, [State::Unusable], "only the broken link is shown: {views:?}");
    assert!(qwen(&process).await.is_err());
}

/// Both tools call their file `oauth_creds.json`: a login of another provider in a known place is another credential,
/// and no token of one goes to the other.
#[tokio::test(start_paused = true)]
async fn another_providers_file_in_the_same_place_is_another_credential() {
    let world = World::new();
    world.put(
        "oauth_creds.json",
        &serde_json::json!({"access_token": "FAKE-access", "token_type": "Bearer", "refresh_token": "FAKE-refresh",
            "resource_url": "portal.qwen.ai", "expiry_date": 1_700_000_000_000_u64}),
    );
    let process = world.bot().await;
    assert!(qwen(&process).await.is_ok(), "refreshed: its id is remembered in the lock file");
    world.put(
        "oauth_creds.json",
        &serde_json::json!({"access_token": "ya29.FAKE", "refresh_token": "1//FAKE", "token_type": "Bearer",
            "scope": "https://www.googleapis.com/auth/cloud-platform", "expiry_date": 1_700_000_000_000_u64,
            "client_id": "681255809395-fake.apps.googleusercontent.com", "client_secret": "FAKE"}),
    );
    sleep(Duration::from_secs(6)).await;
    let views = process.pool.snapshot().credentials;
    let providers: Vec<String> =
        views.iter().filter_map(|view| view.provider.as_ref()).map(ToString::to_string).collect();
    assert_eq!(providers, ["gemini_cli"], "{views:?}");
    assert!(qwen(&process).await.is_err(), "nothing of Qwen's is left to lend");
}

/// One file of another program holds up nobody else; a client that is refused as such holds up all.
#[tokio::test(start_paused = true)]
async fn a_login_of_another_client_is_held_alone() {
    for (code, held, asked) in [("unauthorized_client", 1, 2), ("invalid_client", 2, 1)] {
        let world = World::new();
        world.login("a", -60);
        world.login("b", -60);
        world.endpoint.next(Answer::Fail(RefreshError::ClientRefused { code: code.to_owned() }));
        let process = world.process().await;
        let lease = qwen(&process).await;
        assert_eq!(lease.is_ok(), held == 1, "{code}: {lease:?}");
        sleep(Duration::from_hours(1)).await;
        drop(qwen(&process).await);
        let views = process.pool.snapshot().credentials;
        let told = views.iter().filter(|view| view.reason.as_deref().is_some_and(|it| it.contains(code)));
        assert_eq!((told.count(), world.endpoint.calls() >= asked), (held, true), "{code}: {views:?}");
        let again = world.endpoint.sent().iter().filter(|token| *token == &world.endpoint.sent()[0]).count();
        assert_eq!(again, 1, "{code}: what was held is not sent again");
    }
}
