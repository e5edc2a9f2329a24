//! Alerts of a pool at work, on a clock that the test decides (P34).
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::time::Duration;

use cortana::{
    credential::CredentialId,
    pool::{Alert, AlertKind, PoolEvent},
};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::support::{
    pool::{Answer, World, only, unavailable},
    prometheus::Scrape,
};

/// The alerts among the news so far: kind, and whether they began or are over.
fn alerts(news: &mut Receiver<PoolEvent>) -> Vec<Alert> {
    let mut found = Vec::new();
    loop {
        match news.try_recv() {
            Ok(PoolEvent::Alert(alert)) => found.push(alert),
            Ok(
                PoolEvent::Loaded { .. }
                | PoolEvent::Removed { .. }
                | PoolEvent::Refreshed { .. }
                | PoolEvent::StateChanged { .. }
                | PoolEvent::Unsaved { .. },
            )
            | Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return found,
        }
    }
}

fn kinds(alerts: &[Alert]) -> Vec<(AlertKind, bool)> {
    alerts.iter().map(|alert| (alert.kind, alert.cleared_at.is_none())).collect()
}

#[tokio::test(start_paused = true)]
async fn p34_a_lost_login_is_told_within_a_cycle_once_and_so_is_its_recovery() {
    let world = World::new();
    world.login("ann", -10);
    world.endpoint.next(Answer::RefuseAfter(Box::new(|| {})));
    let bot = world.bot().await;
    let mut news = bot.pool.subscribe();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let raised = alerts(&mut news);
    assert_eq!(kinds(&raised), [(AlertKind::NeedsLogin, true), (AlertKind::FewHealthy, true)]);
    let subject = raised[0].subject.clone().unwrap();
    assert_eq!(subject.credential, only(&bot).id);
    assert!(raised[0].sentence().contains("log in again"), "{}", raised[0].sentence());
    assert!(!format!("{raised:?}").contains("FAKE"), "{raised:?}");

    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(kinds(&alerts(&mut news)), [], "once");
    let scrape = Scrape::parse(&bot.metrics.render());
    assert_eq!(scrape.sum("cortana_alerts_total", &[]), 2.0);
    assert_eq!(scrape.sum("cortana_alerts_active", &[("kind", "needs_login")]), 1.0);

    std::fs::remove_file(world.path("qwen_ann.json")).unwrap();
    world.login("ann-again", 3600);
    tokio::time::sleep(Duration::from_secs(2 + 30 + 5)).await;
    assert_eq!(
        kinds(&alerts(&mut news)),
        [(AlertKind::NeedsLogin, false), (AlertKind::FewHealthy, false)],
        "the recovery"
    );
    assert_eq!(Scrape::parse(&bot.metrics.render()).sum("cortana_alerts_active", &[]), 0.0);
}

#[tokio::test(start_paused = true)]
async fn p34_a_refresh_that_keeps_failing_is_told_before_the_token_is_over() {
    let world = World::new();
    world.login("ann", 900);
    world.endpoint.down(unavailable());
    let bot = world.bot().await;
    let mut news = bot.pool.subscribe();
    tokio::time::sleep(Duration::from_secs(560)).await;
    assert_eq!(kinds(&alerts(&mut news)), [], "there is time left");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let raised = alerts(&mut news);
    assert_eq!(kinds(&raised), [(AlertKind::RefreshFailing, true)]);
    let left = only(&bot).expires_at.unwrap() - raised[0].since;
    assert!((290..=300).contains(&left.num_seconds()), "{left}");
    world.endpoint.up();
    tokio::time::sleep(Duration::from_mins(7)).await;
    assert_eq!(kinds(&alerts(&mut news)), [(AlertKind::RefreshFailing, false)]);
}

#[tokio::test(start_paused = true)]
async fn p34_news_that_nobody_could_hear_cost_no_alert() {
    let world = World::new();
    world.login("ann", 3600);
    let bot = world.bot().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let id: CredentialId = only(&bot).id;
    let mut news = bot.pool.subscribe();
    // More news than the channel holds, without a chance for anybody to hear them.
    for _ in 0..400 {
        bot.pool.disable(&id, None).unwrap();
        bot.pool.enable(&id).unwrap();
    }
    bot.pool.disable(&id, None).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(kinds(&alerts(&mut news)), [(AlertKind::FewHealthy, true)]);
    assert!(Scrape::parse(&bot.metrics.render()).sum("cortana_pool_events_dropped_total", &[]) > 0.0);
}
