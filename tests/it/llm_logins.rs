//! A 401 on a login: one forced refresh, one retry, and then the login is refused.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use cortana::{
    credential::{Facts, OAuthLogin},
    llm::FailureClass,
    oauth::{Grant, Refresh, RefreshError},
    pool::State,
    provider::Provider,
    secret::Secret,
    shutdown::Shutdown,
};
use tokio::time::Duration;

use crate::support::upstream::{Answer, Call, Plan, Upstream, World, row};

/// Gives a new token each time, counted.
#[derive(Default)]
struct Counting {
    refreshes: AtomicUsize,
}

#[async_trait]
impl Refresh for Counting {
    async fn refresh(&self, _: &Provider, _: &OAuthLogin) -> Result<Grant, RefreshError> {
        let count = self.refreshes.fetch_add(1, Ordering::SeqCst) + 2;
        Ok(Grant {
            access: Secret::new(format!("FAKE-access-{count}")),
            refresh: Some(Secret::new(format!("FAKE-refresh-{count}"))),
            lifetime: Some(Duration::from_hours(1)),
            facts: Facts::default(),
            foreign_host: None,
        })
    }

    async fn after_grant(&self, _: &Provider, _: &Secret, known: &Facts) -> Result<Facts, RefreshError> {
        Ok(known.clone())
    }
}

fn login(access: &str, refresh: &str) -> String {
    serde_json::json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_at": 4_000_000_000.5 })
        .to_string()
}

async fn one_login(
    script: impl Fn(&Call) -> Answer + Clone + Send + Sync + 'static,
) -> (World, Upstream, Arc<Counting>) {
    let life = Shutdown::new();
    let upstream = Upstream::serve(&life, script).await;
    let refresh = Arc::new(Counting::default());
    let mut plan = Plan::new(vec![row("qwen_code", "qwen_code", &upstream)], &[]);
    plan.files = vec![("qwen_code.json", login("FAKE-access-1", "FAKE-refresh-1"))];
    plan.refresh = refresh.clone();
    (World::start(&life, plan).await, upstream, refresh)
}

const DEAD: &str = r#"{"error":{"code":"invalid_api_key","message":"invalid access token or token expired","type":"invalid_request_error","param":null},"request_id":"x"}"#;

#[tokio::test]
async fn p31_a_401_on_a_fresh_token_is_refreshed_once_and_tried_once_more() {
    let (world, upstream, refresh) = one_login(|call| match call.bearer.as_str() {
        "FAKE-access-1" => Answer::refusal(401, DEAD),
        _ => Answer::text("Hello"),
    })
    .await;
    assert_eq!(world.ask().await.answer(), "Hello");
    assert_eq!(upstream.hits(["FAKE-access-1", "FAKE-access-2"]), [1, 1]);
    assert_eq!(refresh.refreshes.load(Ordering::SeqCst), 1);
    assert!(world.file("qwen_code.json").contains("FAKE-refresh-2"), "written back");
}

#[tokio::test(start_paused = true)]
async fn p31_fifty_concurrent_401s_share_one_refresh_however_late_they_come() {
    const CHATS: usize = 50;
    let late = Arc::new(AtomicUsize::new(0));
    let (world, upstream, refresh) = one_login(move |call| match call.bearer.as_str() {
        "FAKE-access-1" => {
            let order = late.fetch_add(1, Ordering::SeqCst);
            let wait = 20 * u64::try_from(order).expect("few");
            Answer::refusal(401, DEAD).after(Duration::from_millis(200 + wait))
        }
        _ => Answer::text("Hello"),
    })
    .await;
    let asked = upstream.on_virtual_time(futures::future::join_all((0..CHATS).map(|_| world.ask()))).await;
    assert!(asked.iter().all(|said| said.answer() == "Hello"));
    assert_eq!(upstream.hits(["FAKE-access-1", "FAKE-access-2"]), [CHATS, CHATS]);
    assert_eq!(refresh.refreshes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn p21_a_login_that_is_refused_for_ever_is_hit_twice_and_then_refused() {
    let (world, upstream, refresh) = one_login(|_| Answer::refusal(401, DEAD)).await;
    for _ in 0..5 {
        assert_eq!(world.ask().await.failed().0, FailureClass::NeedsOperator);
    }
    assert_eq!(upstream.calls().len(), 2);
    assert_eq!(refresh.refreshes.load(Ordering::SeqCst), 1);
    let states: Vec<_> = world.snapshot().credentials.iter().map(|view| view.state).collect();
    assert_eq!(states, [State::Refused]);
}
