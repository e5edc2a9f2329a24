//! What rested is tried by one request before the others follow (P22, P28, P29).

use std::time::Duration;

use cortana::{
    clock::instant,
    llm::FailureClass,
    pool::{Lease, LeaseError, Outcome, RestCause, RetryHint, State},
    secret::Secret,
};
use futures::future::join_all;
use tokio::time::sleep;

use crate::support::{
    pool::{self, Process, only, want},
    upstream::{Answer, Plan, Upstream, World, row},
};

async fn lease(process: &Process) -> Result<Lease, LeaseError> {
    process.pool.lease(&want("openai", Duration::from_secs(1))).await
}

fn quota(seconds: u64) -> Outcome {
    let hint = RetryHint::After(Duration::from_secs(seconds));
    Outcome::CredentialCooling { hint, reason: "HTTP 429".to_owned() }
}

/// Six leases, and which of them are of the first key.
async fn six(process: &Process) -> (Vec<Lease>, usize) {
    let mut leases = Vec::new();
    for _ in 0..6 {
        leases.push(lease(process).await.expect("the second key is healthy"));
    }
    let firsts = leases.iter().filter(|lease| lease.bearer.expose() == "sk-FAKE-1").count();
    (leases, firsts)
}

#[tokio::test(start_paused = true)]
async fn p22_a_long_rest_is_tried_by_one_request_at_a_time() {
    let mut world = pool::World::new();
    world.keys(2);
    let process = world.process().await;
    let rests = lease(&process).await.unwrap();
    assert_eq!(rests.bearer.expose(), "sk-FAKE-1");
    rests.complete(quota(7200));
    sleep(Duration::from_secs(899)).await;
    assert_eq!(six(&process).await.1, 0);
    sleep(Duration::from_secs(1)).await;
    let (probing, firsts) = six(&process).await;
    assert_eq!(firsts, 1, "one tries, the others go elsewhere");
    sleep(Duration::from_mins(20)).await;
    assert_eq!(six(&process).await.1, 0, "it is still out");
    drop(probing);
    let (probing, firsts) = six(&process).await;
    assert_eq!(firsts, 1, "it was dropped, so the next one tries");
    for lease in probing {
        lease.complete(Outcome::ProviderFault { reason: "HTTP 503".to_owned() });
    }
    sleep(Duration::from_secs(899)).await;
    assert_eq!(six(&process).await.1, 0, "a try that failed is not repeated at once");
    sleep(Duration::from_secs(1)).await;
    let (probing, firsts) = six(&process).await;
    assert_eq!(firsts, 1);
    for lease in &probing {
        lease.answering();
    }
    assert_eq!(six(&process).await.1, 3, "the service answers: open to everybody");
}

#[tokio::test(start_paused = true)]
async fn p22_after_a_rest_one_goes_first_and_the_others_follow_when_it_is_answered() {
    let mut world = pool::World::new();
    world.keys(1);
    let process = world.process().await;
    lease(&process).await.unwrap().complete(quota(30));
    sleep(Duration::from_secs(30)).await;
    assert_eq!(only(&process).state, State::Ready);
    let first = lease(&process).await.unwrap();
    let until = world.now() + Duration::from_secs(10);
    let others = LeaseError::Resting { until, cause: RestCause::Quota };
    assert_eq!(lease(&process).await.unwrap_err(), others);
    let mut openings = process.pool.openings();
    drop(first);
    assert!(openings.has_changed().unwrap());
    openings.mark_unchanged();
    let second = lease(&process).await.unwrap();
    assert!(lease(&process).await.is_err());
    second.answering();
    assert!(openings.has_changed().unwrap());
    assert!(lease(&process).await.is_ok(), "long before the answer ends");
    second.complete(quota(60));
    assert!(lease(&process).await.is_err());
    sleep(Duration::from_mins(1)).await;
    let slow = lease(&process).await.unwrap();
    sleep(Duration::from_secs(9)).await;
    assert!(lease(&process).await.is_err());
    sleep(Duration::from_secs(1)).await;
    let next = lease(&process).await.expect("a first one that is slow keeps the others away for ten seconds");
    slow.complete(quota(30));
    next.complete(quota(30));
    let view = only(&process);
    let until = world.now() + Duration::from_secs(30);
    assert_eq!((view.state, view.cooling_until), (State::Cooling, Some(until)));
}

#[tokio::test(start_paused = true)]
async fn p28_faults_that_were_under_way_together_count_as_one() {
    let mut world = pool::World::new();
    world.keys(1);
    let process = world.process().await;
    let fault = || Outcome::ProviderFault { reason: "HTTP 503".to_owned() };
    let burst = join_all((0..10).map(|_| lease(&process))).await;
    for lease in burst {
        lease.unwrap().complete(fault());
    }
    assert_eq!(only(&process).state, State::Ready);
    for _ in 0..2 {
        assert_eq!(only(&process).state, State::Ready);
        lease(&process).await.unwrap().complete(fault());
    }
    assert_eq!(only(&process).state, State::Cooling, "three in a row, whoever was under way");
}

#[tokio::test(start_paused = true)]
async fn p29_returns_out_of_order_clear_only_what_began_before_they_were_lent() {
    let mut world = pool::World::new();
    world.keys(1);
    let process = world.process().await;
    let [old, refused] = [lease(&process).await.unwrap(), lease(&process).await.unwrap()];
    refused.complete(quota(30));
    old.answering();
    old.complete(Outcome::Success);
    assert_eq!(
        only(&process).state,
        State::Cooling,
        "an answer that began earlier says nothing of the quota now"
    );
    sleep(Duration::from_secs(30)).await;
    lease(&process).await.unwrap().complete(Outcome::Success);
    for _ in 0..3 {
        assert!(lease(&process).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn p29_an_answer_that_begins_opens_and_one_that_ends_clears_the_escalation() {
    let mut world = pool::World::new();
    world.keys(1);
    let process = world.process().await;
    let refused = || Outcome::CredentialCooling { hint: RetryHint::None, reason: "HTTP 429".to_owned() };
    let rests = |seconds| Some(world.now() + Duration::from_secs(seconds));
    lease(&process).await.unwrap().complete(refused());
    assert_eq!(only(&process).cooling_until, rests(30));
    sleep(Duration::from_secs(30)).await;
    let begun = lease(&process).await.unwrap();
    begun.answering();
    begun.complete(refused());
    assert_eq!(only(&process).cooling_until, rests(60), "it broke off: the second step");
    sleep(Duration::from_mins(1)).await;
    lease(&process).await.unwrap().complete(Outcome::Success);
    lease(&process).await.unwrap().complete(refused());
    assert_eq!(only(&process).cooling_until, rests(30), "the first step again");
    let openings = process.pool.openings();
    process.pool.clear_cooldown(&only(&process).id).unwrap();
    assert!(openings.has_changed().unwrap(), "whoever waits looks again");
    assert!(lease(&process).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn p21_the_link_of_a_refusal_is_for_operators_alone() {
    let mut world = pool::World::new();
    world.keys(1);
    let process = world.process().await;
    let id = only(&process).id;
    assert_eq!(process.pool.link(&id), None);
    let link = Some(Secret::new("https://example.com/verify?plt=FAKElink"));
    let reason = "VALIDATION_REQUIRED".to_owned();
    lease(&process).await.unwrap().complete(Outcome::Refused { reason, link: link.clone() });
    assert_eq!(process.pool.link(&id), link);
    assert_eq!(only(&process).state, State::Refused);
    assert!(!format!("{:?}", process.pool.snapshot()).contains("FAKElink"));
    process.pool.enable(&id).unwrap();
    assert_eq!(process.pool.link(&id), None);
}

#[tokio::test(start_paused = true)]
async fn p22_a_burst_that_waited_for_a_return_costs_one_refusal() {
    const BURST: usize = 20;
    let life = cortana::shutdown::Shutdown::new();
    // The burst is refused as it comes; so is whoever tries five seconds later. At ten the quota is there.
    let started_at = instant();
    let upstream = Upstream::serve(&life, move |_| {
        if started_at.elapsed() < Duration::from_secs(8) {
            Answer::refusal(429, "{}").with_header("retry-after", "5")
        } else {
            Answer::text("Hello")
        }
    })
    .await;
    let mut plan = Plan::new(vec![row("openai", "one", &upstream)], &[("one", "sk-FAKE-1")]);
    plan.chat.deadline = Duration::from_mins(1);
    let world = World::start(&life, plan).await;
    let asked = upstream.on_virtual_time(join_all((0..BURST).map(|_| world.ask()))).await;
    for said in &asked {
        assert_eq!(said.answer(), "Hello");
        assert!(said.took < Duration::from_secs(12), "{:?}: two rests of five seconds", said.took);
    }
    assert_eq!(upstream.calls().len(), BURST + 1 + BURST);
}

#[tokio::test(start_paused = true)]
async fn p29_a_rest_is_told_by_its_cause() {
    let model = r#"{"error":{"code":"model_not_found"}}"#;
    let cases = [
        (401, "{}", FailureClass::NeedsOperator, "KEY_REFUSED"),
        (404, model, FailureClass::UnknownModel, "MODEL_UNAVAILABLE"),
    ];
    for (status, body, class, code) in cases {
        let life = cortana::shutdown::Shutdown::new();
        let upstream = Upstream::serve(&life, move |_| Answer::refusal(status, body)).await;
        let plan = Plan::new(vec![row("openai", "one", &upstream)], &[("one", "sk-FAKE-1")]);
        let world = World::start(&life, plan).await;
        assert_eq!(upstream.on_virtual_time(world.ask()).await.failed().0, class);
        assert_eq!(
            upstream.on_virtual_time(world.ask()).await.failed(),
            (class, code),
            "and no quota is blamed"
        );
        assert_eq!(upstream.calls().len(), 1);
    }
}
