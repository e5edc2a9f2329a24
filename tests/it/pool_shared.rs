//! P30 where processes know different things for a while: what one learns, decides or ends is neither lost nor undone.

use std::{sync::Arc, time::Duration};

use cortana::pool::{Outcome, RefreshResult, Refused, Selector, State};
use tokio::time::sleep;

use crate::support::{
    memory::SharedState,
    pool::{Process, QWEN, World, only, provider, qwen},
};

/// Within this a change is known everywhere.
const SHARED: Duration = Duration::from_secs(2);

/// A world whose processes share a memory.
fn world() -> (World, Arc<SharedState>) {
    let mut world = World::new();
    let state = Arc::new(SharedState::default());
    world.state = state.clone();
    (world, state)
}

/// Ends a process as `run` does.
async fn end(process: Process) {
    assert!(process.shutdown.drain(Duration::from_secs(20)).await);
}

#[tokio::test(start_paused = true)]
async fn p21_a_refused_account_stays_refused_when_its_refresh_token_rotates_under_it() {
    let (world, _) = world();
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
