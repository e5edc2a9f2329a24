//! What a pool knows of a credential beyond its file: after a restart, from another process, and while a look at the
//! files races with a refresh.

use std::time::Duration;

use cortana::{
    config::WatchMode,
    credential::{Facts, SourceSpec, Store, StoreOptions},
    fs::Step,
    oauth::RefreshError,
    pool::{LeaseError, RefreshResult, Refused, Selector, State},
    provider::Catalog,
    secret::Secret,
};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{
    bench::{Bench, Break, EACCES, SIMPLE, WAIT, login, only as only_credential, refresh, rotated},
    pool::{Answer, QWEN, World, only, provider, qwen, unavailable, want},
};

fn invalid_grant() -> Answer {
    Answer::Fail(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() })
}

fn by_hand() -> Selector {
    Selector::Provider(provider(QWEN))
}

/// No lock is taken and nothing is asked: `cortana status` only looks.
#[tokio::test(start_paused = true)]
async fn p4_a_refused_login_is_known_at_load_until_the_file_holds_another() {
    let world = World::new();
    world.login("a", -60);
    world.endpoint.next(invalid_grant());
    assert!(qwen(&world.process().await).await.is_err());
    let steps = world.steps.count();

    let restarted = world.process().await;
    assert_eq!(only(&restarted).state, State::NeedsLogin);
    assert!(matches!(qwen(&restarted).await, Err(LeaseError::NeedsOperator { .. })));
    assert_eq!((world.steps.count(), world.endpoint.calls()), (steps, 1), "only looked at");

    world.put(
        "qwen_a.json",
        &json!({"access_token": "FAKE-access-anew", "refresh_token": "FAKE-refresh-anew", "expires_at": world.now().timestamp() - 5}),
    );
    let after_login = world.process().await;
    assert_eq!(only(&after_login).state, State::Expired, "the new token is not refused");
    assert!(qwen(&after_login).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn p4_a_refused_login_with_a_live_token_serves_on_and_says_so_after_a_restart() {
    let world = World::new();
    world.login("a", 3600);
    world.endpoint.next(invalid_grant());
    let reports = world.process().await.pool.refresh(&by_hand(), Refused::Keep).await;
    assert!(matches!(reports[0].result, RefreshResult::Failed(_)), "{reports:?}");
    let restarted = world.bot().await;
    let view = only(&restarted);
    assert_eq!(view.state, State::Ready);
    assert!(view.reason.unwrap().contains("log in again"));
    assert!(qwen(&restarted).await.is_ok());
    sleep(Duration::from_mins(58)).await;
    assert_eq!((only(&restarted).state, world.endpoint.calls()), (State::Early, 1), "never sent again");
    sleep(Duration::from_mins(10)).await;
    assert_eq!((only(&restarted).state, world.endpoint.calls()), (State::NeedsLogin, 1));
}

/// The folder takes no lock file: what the one process learned stands in the state folder.
#[test]
fn p4_a_refusal_is_known_at_load_where_nothing_can_be_put_beside_the_file() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let faults = Break::nothing();
    faults.fail_below(&bench.credentials(), Step::OpenLock, EACCES);
    let store = bench.broken(&faults);
    let credential = bench.one();
    let mut guard = store.lock(&credential, WAIT).unwrap();
    let refused = cortana::credential::Fingerprint::of(&Secret::new("FAKE-R"));
    let notes = cortana::credential::LockNotes { refused: Some(refused), ..guard.notes() };
    guard.set_notes(&notes).unwrap();
    drop(guard);
    let found = bench.load();
    assert_eq!(found.notes.get(&credential.id), Some(&notes));
    assert_eq!(bench.lock().notes(), notes, "and by who can put its lock beside the file");
}

/// A folder that takes no lock file, but whose file can be written: the id comes from a token that is gone by now.
#[test]
fn a_login_without_a_name_keeps_its_id_where_nothing_can_be_put_beside_its_file() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let faults = Break::nothing();
    faults.fail_below(&bench.credentials(), Step::OpenLock, EACCES);
    let store = bench.broken(&faults);
    let first = bench.one();
    let mut guard = store.lock(&first, WAIT).unwrap();
    let old = guard.read().unwrap();
    guard.save(&rotated(&old)).unwrap();
    drop(guard);
    let again = only_credential(&bench.broken(&faults).load(&[SourceSpec::Folder(bench.credentials())]));
    assert_eq!((refresh(login(&again)), &again.id), ("FAKE-R2", &first.id));
}

/// Whoever may not write the folder locks the file itself, so everybody must, or two processes would refresh at once.
#[test]
fn p2_one_who_may_not_write_the_folder_and_one_who_may_share_a_lock() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let faults = Break::nothing();
    faults.fail_below(&bench.credentials(), Step::OpenLock, EACCES);
    let elsewhere = StoreOptions { state_dir: bench.root().join("elsewhere"), ..bench.options() };
    let guest = Store::with_disk(elsewhere, cortana::fs::Disk::with_faults(faults));
    let credential = bench.one();
    let owner = bench.store();
    let held = owner.lock(&credential, WAIT).unwrap();
    guest.lock(&credential, WAIT).unwrap_err();
    drop(held);
    let held = guest.lock(&credential, WAIT).unwrap();
    owner.lock(&credential, WAIT).unwrap_err();
    drop(held);
    owner.lock(&credential, WAIT).unwrap();
}

#[tokio::test(start_paused = true)]
async fn p2_a_waiter_gives_up_after_the_request_limit_and_five_seconds_and_serves_a_live_token_meanwhile() {
    let world = World::new();
    world.login("a", -60);
    let process = world.process().await;
    let other = Store::new(StoreOptions {
        state_dir: world.settings.state_dir.clone(),
        allow_state_writeback: false,
        providers: std::sync::Arc::new(Catalog::builtin()),
        clock: world.clock.clone(),
    });
    let found = other.load(&[SourceSpec::Folder(world.settings.credentials_dir.clone())]);
    let held = other.lock(&found.credentials[0], Duration::ZERO).unwrap();

    let began = world.now();
    let wanted = want(QWEN, Duration::from_mins(1));
    let (lease, ()) = tokio::join!(process.pool.lease(&wanted), async {
        sleep(Duration::from_secs(10)).await;
        let holder = only(&process).lock_holder;
        assert_eq!(holder, Some(format!("process {}", std::process::id())), "status says who holds it");
    });
    assert!(matches!(lease, Err(LeaseError::Stale { .. })), "{lease:?}");
    let span = world.now() - began;
    assert!((20_000..20_100).contains(&span.num_milliseconds()), "15 s for the request, and 5: {span}");
    assert_eq!(world.endpoint.calls(), 0);
    drop(held);

    sleep(Duration::from_mins(1)).await;
    assert!(qwen(&process).await.is_ok(), "it goes on as soon as the lock is free");
    assert_eq!(only(&process).lock_holder, None);
    let held = other.lock(&found.credentials[0], Duration::ZERO).unwrap();
    sleep(Duration::from_mins(55)).await;
    let at = world.now();
    assert_eq!(qwen(&process).await.unwrap().bearer.expose(), "FAKE-access-granted-1");
    assert_eq!(world.now(), at, "nobody waits for a lock while the token is live");
    drop(held);
}

/// Each refresh ends the life of one more token while the file stays as it was: the first is still no newer one.
#[tokio::test(start_paused = true)]
async fn p14_a_file_that_could_not_be_written_for_long_is_never_taken_for_a_newer_one() {
    let world = World::new();
    world.login("a", -60);
    let process = world.process().await;
    world.steps.refuse(Some(Step::Rename));
    for number in 1..=20 {
        let lease = qwen(&process).await.expect("the token in memory counts");
        assert_eq!(lease.bearer.expose(), format!("FAKE-access-granted-{number}"));
        assert!(only(&process).unsaved);
        sleep(Duration::from_hours(2)).await;
    }
    assert_eq!(world.file("qwen_a.json")["refresh_token"], "FAKE-refresh-a");
    let sent = world.endpoint.sent();
    assert_eq!(sent.iter().filter(|token| *token == "FAKE-refresh-a").count(), 1, "{sent:?}");
    world.steps.refuse(None);
    assert!(qwen(&process).await.is_ok());
    assert_eq!(world.file("qwen_a.json")["refresh_token"], "FAKE-refresh-granted-21");
    assert!(!only(&process).unsaved);
}

/// The key was granted once and is known; a lookup that fails is repeated long before the next grant.
#[tokio::test(start_paused = true)]
async fn a_key_that_could_not_be_looked_up_is_looked_up_again_without_a_chat_or_a_grant() {
    let world = World::new();
    let expires_at = world.now().timestamp() - 60;
    for (known, state) in [(json!(null), State::Cooling), (json!("sk-FAKE-old"), State::Ready)] {
        let before = world.endpoint.calls();
        world.put(
            "iflow.json",
            &json!({"access_token": "FAKE-access", "refresh_token": format!("FAKE-refresh-{state:?}"), "expires_at": expires_at, "api_key": known}),
        );
        *world.endpoint.facts.lock().unwrap() = Err(unavailable());
        let process = world.bot().await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(
            (only(&process).state, world.endpoint.calls()),
            (state, before + 1),
            "refreshed, and no key"
        );
        assert!(!world.file("iflow.json").to_string().contains("sk-FAKE-new"));
        let key = Facts { api_key: Some(Secret::new("sk-FAKE-new")), ..Facts::default() };
        *world.endpoint.facts.lock().unwrap() = Ok(key);
        sleep(Duration::from_mins(2)).await;
        assert!(
            world.file("iflow.json").to_string().contains("sk-FAKE-new"),
            "{known}: {}",
            world.file("iflow.json")
        );
        assert_eq!((only(&process).state, world.endpoint.calls()), (State::Ready, before + 1));
        process.shutdown.drain(Duration::from_secs(5)).await;
        std::fs::remove_file(world.path("iflow.json")).unwrap();
        std::fs::remove_file(world.path("iflow.json.lock")).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_of_another_client_is_held_across_restarts_until_its_file_names_another() {
    for watch in [WatchMode::Poll, WatchMode::Off] {
        let mut world = World::new();
        world.settings.watch = watch;
        world.login("a", -60);
        let refused = RefreshError::ClientRefused { code: "unauthorized_client".to_owned() };
        world.endpoint.next(Answer::Fail(refused));
        assert!(qwen(&world.process().await).await.is_err());

        let restarted = world.bot().await;
        sleep(Duration::from_hours(1)).await;
        assert!(qwen(&restarted).await.is_err());
        assert!(only(&restarted).reason.unwrap().contains("another client"), "{:?}", only(&restarted));
        assert_eq!(world.endpoint.calls(), 1);

        let mut file = world.file("qwen_a.json");
        file["client_id"] = json!("FAKE-client-of-the-tool");
        world.put("qwen_a.json", &file);
        match watch {
            WatchMode::Poll | WatchMode::Auto => sleep(Duration::from_secs(4)).await,
            WatchMode::Off => drop(restarted.pool.refresh(&by_hand(), Refused::Keep).await),
        }
        assert!(qwen(&restarted).await.is_ok(), "{:?}", only(&restarted));
        assert_eq!(world.endpoint.calls(), 2);
    }
}
