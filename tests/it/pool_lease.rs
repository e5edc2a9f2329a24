//! What a lease is made of (P37), and conversations that stay with their credential (P38).

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cortana::{
    config::{Strategy, WatchMode},
    credential::Facts,
    pool::{Lease, Lent, Outcome, State, Want},
};

use serde_json::json;
use tokio::time::sleep;

use crate::support::pool::{World, end, quota, want};

#[tokio::test(start_paused = true)]
async fn p37_leases_share_what_they_lend_and_copy_no_text() {
    let mut world = World::new();
    world.keys(1);
    let process = world.process().await;
    let want = want("openai", Duration::from_mins(1));
    let one = process.pool.lease(&want).await.unwrap();
    let two = process.pool.lease(&want).await.unwrap();
    let lent = |lease: &Lease| std::ptr::from_ref::<Lent>(lease);
    assert_eq!(lent(&one), lent(&two), "one account, one copy of what is known about it");
    assert!(Arc::ptr_eq(&one.model, &want.model) && Arc::ptr_eq(&two.model, &want.model));
}

#[tokio::test(start_paused = true)]
async fn p38_a_conversation_stays_with_its_credential_until_that_rests() {
    let mut world = World::new();
    world.keys(4);
    world.settings.sticky = Some(Duration::from_mins(30));
    let process = world.process().await;
    let talk = Want { session: Some(7), ..want("openai", Duration::from_mins(1)) };
    let mut served = HashSet::new();
    for _ in 0..6 {
        let lease = process.pool.lease(&talk).await.unwrap();
        served.insert(lease.credential.clone());
        lease.complete(Outcome::Success);
    }
    assert_eq!(served.len(), 1);
    let lease = process.pool.lease(&talk).await.unwrap();
    let first = lease.credential.clone();
    lease.complete(Outcome::CredentialCooling {
        hint: cortana::pool::RetryHint::None,
        reason: "HTTP 429".to_owned(),
    });
    let next = process.pool.lease(&talk).await.unwrap();
    assert_ne!(next.credential, first, "another takes the conversation over at once");
    assert_eq!(process.pool.lease(&talk).await.unwrap().credential, next.credential);
}

#[tokio::test(start_paused = true)]
async fn d23_other_settings_change_the_turns_and_neither_leases_nor_rests() {
    let mut world = World::new();
    world.keys(3);
    let process = world.process().await;
    let wanted = want("openai", Duration::from_mins(1));
    let out = process.pool.lease(&wanted).await.unwrap();
    let resting = process.pool.lease(&wanted).await.unwrap();
    let rests = resting.credential.clone();
    resting.complete(quota(600));

    world.settings.strategy = Strategy::FillFirst;
    world.keys(4);
    process.pool.configure(&world.settings).await;
    let mut served = HashSet::new();
    for _ in 0..4 {
        let lease = process.pool.lease(&wanted).await.unwrap();
        served.insert(lease.credential.clone());
        lease.complete(Outcome::Success);
    }
    assert_eq!(served.len(), 1, "the first until it rests: {served:?}");
    assert!(!served.contains(&rests));
    let views = process.pool.snapshot().credentials;
    assert_eq!(views.len(), 4, "the new key is there");
    assert!(views.iter().any(|view| view.id == rests && view.state == State::Cooling));
    assert!(views.iter().any(|view| view.id == out.credential && view.in_flight == 1));
    out.complete(Outcome::Success);

    world.settings.named.truncate(1);
    process.pool.configure(&world.settings).await;
    assert_eq!(process.pool.snapshot().credentials.len(), 1, "what no variable names any longer goes");
}

#[tokio::test(start_paused = true)]
async fn p39_logins_whose_project_is_not_known_yet_take_their_turns_too() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        let login = json!({
            "access_token": format!("ya29.FAKE-{name}"), "refresh_token": format!("1//FAKE-{name}"),
            "expires_at": world.now().timestamp() + 7200,
        });
        world.put(&format!("gemini_{name}.json"), &login);
    }
    *world.endpoint.facts.lock().unwrap() =
        Ok(Facts { project_id: Some("fake-project-1".to_owned()), ..Facts::default() });
    world.settings.watch = WatchMode::Off;
    let process = world.bot().await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(
        world.endpoint.after_grants.load(Ordering::SeqCst),
        3,
        "asked for once each, before anybody waits"
    );
    let wanted = want("gemini_cli", Duration::from_mins(1));
    for _ in 0..6 {
        process.pool.lease(&wanted).await.unwrap().complete(Outcome::Success);
    }
    let requests: Vec<_> = process.pool.snapshot().credentials.iter().map(|view| view.requests).collect();
    assert_eq!(requests, [2, 2, 2]);
    end(process).await;
}
