//! Failover: a real pool and a real client against small scripted upstreams, every call counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use cortana::{
    clock,
    llm::{ChatEvent, FailureClass, Finish, Notice},
    pool::{CredentialView, State},
    provider::RateLimitScope,
    shutdown::Shutdown,
};
use futures::StreamExt;
use tokio::time::Duration;

use crate::support::upstream::{Answer, Call, Part, Plan, Upstream, World, content, finish, reasoning, row};

const QUOTA: &str = r#"{"error":{"code":"insufficient_quota","message":"used up","type":"x"}}"#;
const RATE: &str = r#"{"error":{"code":"rate_limit_exceeded","message":"slow","type":"x"}}"#;

/// One provider `one` in OpenAI's shape, with keys.
async fn one_provider(
    keys: &[&'static str],
    script: impl Fn(&Call) -> Answer + Clone + Send + Sync + 'static,
) -> (World, Upstream) {
    let life = Shutdown::new();
    let upstream = Upstream::serve(&life, script).await;
    let keys: Vec<_> = keys.iter().map(|key| ("one", *key)).collect();
    let world = World::start(&life, Plan::new(vec![row("openai", "one", &upstream)], &keys)).await;
    (world, upstream)
}

/// Answers with one upstream each for two providers, `one` first.
async fn two_providers(
    keys: &[(&'static str, &'static str)],
    first: impl Fn(&Call) -> Answer + Clone + Send + Sync + 'static,
    second: impl Fn(&Call) -> Answer + Clone + Send + Sync + 'static,
) -> (World, Upstream, Upstream) {
    let life = Shutdown::new();
    let one = Upstream::serve(&life, first).await;
    let two = Upstream::serve(&life, second).await;
    let rows = vec![row("openai", "one", &one), row("openai", "two", &two)];
    let world = World::start(&life, Plan::new(rows, keys)).await;
    (world, one, two)
}

fn states(world: &World) -> Vec<State> {
    world.snapshot().credentials.iter().map(|view| view.state).collect()
}

#[tokio::test]
async fn an_answer_streams_with_its_model_and_end() {
    let (world, upstream) = one_provider(&["sk-FAKE-1"], |_| {
        Answer::parts([reasoning(), content("Hel"), content("lo"), finish()])
    })
    .await;
    let said = world.ask_for(Some("one/gpt-5")).await;
    assert_eq!(said.answer(), "Hello");
    assert!(said.reasoned);
    assert_eq!(said.finished, Some((Finish::Stop, "one/gpt-5".to_owned())));
    assert_eq!(said.notices, []);
    let calls = upstream.calls();
    let call = calls.first().expect("one call");
    assert_eq!((call.path.as_str(), call.bearer.as_str()), ("/v1/chat/completions", "sk-FAKE-1"));
    let agent = call.headers.get("user-agent").and_then(|value| value.to_str().ok());
    assert!(agent.is_some_and(|agent| agent.starts_with("cortana/")), "{agent:?}");
}

#[tokio::test]
async fn p21_a_key_that_answers_401_is_hit_once_and_nobody_notices() {
    let (world, upstream) =
        one_provider(&["sk-FAKE-bad", "sk-FAKE-good"], |call| match call.bearer.as_str() {
            "sk-FAKE-bad" => Answer::refusal(401, r#"{"error":{"code":"invalid_api_key","message":"x"}}"#),
            _ => Answer::text("Hello"),
        })
        .await;
    for _ in 0..10 {
        assert_eq!(world.ask().await.answer(), "Hello");
    }
    assert_eq!(upstream.hits(["sk-FAKE-bad", "sk-FAKE-good"]), [1, 10]);
}

#[tokio::test]
async fn p21_a_bare_429_of_a_provider_that_means_its_filter_cools_nobody() {
    let life = Shutdown::new();
    let upstream = Upstream::serve(&life, |_| Answer::refusal(429, "{}")).await;
    let mut filter = row("openai", "one", &upstream);
    filter.bare_429 = RateLimitScope::Request;
    let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2"), ("one", "sk-FAKE-3")];
    let world = World::start(&life, Plan::new(vec![filter], &keys)).await;
    let said = world.ask().await;
    assert_eq!(said.failed(), (FailureClass::Capacity, "HTTP 429"));
    assert_eq!(upstream.calls().len(), 2, "one other credential is tried");
    assert_eq!(states(&world), [State::Ready; 3]);
}

#[tokio::test]
async fn p21_a_bare_429_of_the_only_key_is_heard_once_a_chat() {
    let life = Shutdown::new();
    let one = Upstream::serve(&life, |_| Answer::refusal(429, "{}")).await;
    let two = Upstream::serve(&life, |_| Answer::refusal(503, "down")).await;
    let mut filter = row("openai", "one", &one);
    filter.bare_429 = RateLimitScope::Request;
    let keys = [("one", "sk-FAKE-1"), ("two", "sk-FAKE-2")];
    let world = World::start(&life, Plan::new(vec![filter, row("openai", "two", &two)], &keys)).await;
    assert!(world.ask().await.failure.is_some());
    assert!(two.calls().len() > 1, "several rounds");
    assert_eq!(one.calls().len(), 1);
}

#[tokio::test]
async fn p21_a_403_that_needs_a_person_is_never_probed() {
    let body = r#"{"error":{"code":"unsupported_country_region_territory","message":"x"}}"#;
    let (world, upstream) = one_provider(&["sk-FAKE-1"], move |_| Answer::refusal(403, body)).await;
    for _ in 0..3 {
        assert_eq!(world.ask().await.failed().0, FailureClass::NeedsOperator);
    }
    assert_eq!(upstream.calls().len(), 1);
    assert_eq!(states(&world), [State::Refused]);
}

#[tokio::test]
async fn p22_a_429_with_a_hint_switches_without_sleeping() {
    let (world, upstream) = one_provider(&["sk-FAKE-1", "sk-FAKE-2"], |call| match call.bearer.as_str() {
        "sk-FAKE-1" => Answer::refusal(429, RATE).with_header("retry-after", "42"),
        _ => Answer::text("Hello"),
    })
    .await;
    let said = world.ask().await;
    assert_eq!(said.answer(), "Hello");
    assert_eq!(upstream.hits(["sk-FAKE-1", "sk-FAKE-2"]), [1, 1]);
    assert!(said.took < Duration::from_secs(1), "{:?}: no hint was slept out", said.took);
    let snapshot = world.snapshot();
    let model =
        snapshot.credentials.iter().find_map(|view| view.cooling_models.first()).expect("a resting model");
    let rests = (model.until - snapshot.taken_at).num_seconds();
    assert!((38..=42).contains(&rests), "kept exactly: {rests}");
}

#[tokio::test]
async fn p23_a_faulty_request_is_sent_once_and_blames_nobody() {
    for (status, body, class) in [
        (400, r#"{"error":{"message":"odd","type":"invalid_request_error"}}"#, FailureClass::BadRequest),
        (400, r#"{"error":{"code":"context_length_exceeded"}}"#, FailureClass::TooLong),
        (400, r#"{"error":{"code":"content_filter"}}"#, FailureClass::Blocked),
        (413, "too large", FailureClass::TooLong),
    ] {
        let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2"), ("two", "sk-FAKE-3")];
        let (world, one, two) =
            two_providers(&keys, move |_| Answer::refusal(status, body), |_| Answer::text("no")).await;
        assert_eq!(world.ask().await.failed().0, class, "{body}");
        assert_eq!((one.calls().len(), two.calls().len()), (1, 0), "{body}");
        assert_eq!(states(&world), [State::Ready; 3], "{body}");
    }
}

#[tokio::test]
async fn p23_a_safety_block_is_sent_once() {
    let blocked = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#;
    let (world, upstream) =
        one_provider(&["sk-FAKE-1", "sk-FAKE-2"], move |_| Answer::refusal(200, blocked)).await;
    assert_eq!(world.ask().await.failed(), (FailureClass::Blocked, "content_filter"));
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test]
async fn p24_outages_everywhere_cost_four_requests_at_most() {
    let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2"), ("two", "sk-FAKE-3"), ("two", "sk-FAKE-4")];
    let down = |_: &Call| Answer::refusal(503, "down");
    let (world, one, two) = two_providers(&keys, down, down).await;
    let said = world.ask().await;
    assert_eq!(said.failed(), (FailureClass::ProviderDown, "HTTP 503"));
    let counts = (one.calls().len(), two.calls().len());
    assert_eq!(counts, (2, 2), "in turn");
    assert!(said.took < Duration::from_secs(5), "{:?}", said.took);
}

#[tokio::test]
async fn p24_silence_everywhere_ends_before_the_deadline_with_four_requests_at_most() {
    let life = Shutdown::new();
    let silent = |_: &Call| Answer::text("late").after(Duration::from_mins(5));
    let one = Upstream::serve(&life, silent).await;
    let keys = [
        ("one", "sk-FAKE-1"),
        ("one", "sk-FAKE-2"),
        ("one", "sk-FAKE-3"),
        ("one", "sk-FAKE-4"),
        ("one", "sk-FAKE-5"),
    ];
    let mut plan = Plan::new(vec![row("openai", "one", &one)], &keys);
    plan.chat.deadline = Duration::from_secs(2);
    let world = World::start(&life, plan).await;
    let said = world.ask().await;
    assert!(
        matches!(said.failed().0, FailureClass::DeadlineExceeded | FailureClass::ProviderDown),
        "{said:?}"
    );
    assert!((2..=4).contains(&one.calls().len()), "{}", one.calls().len());
    assert!(said.took < Duration::from_millis(2_900), "{:?}", said.took);
}

#[tokio::test]
async fn p24_a_silent_provider_is_left_for_one_that_answers() {
    let keys = [("one", "sk-FAKE-1"), ("two", "sk-FAKE-2")];
    let life = Shutdown::new();
    let one = Upstream::serve(&life, |_| Answer::text("late").after(Duration::from_mins(5))).await;
    let two = Upstream::serve(&life, |_| Answer::text("Hello")).await;
    let mut plan = Plan::new(vec![row("openai", "one", &one), row("openai", "two", &two)], &keys);
    plan.chat.deadline = Duration::from_secs(2);
    let world = World::start(&life, plan).await;
    assert_eq!(world.ask().await.answer(), "Hello");
}

#[tokio::test]
async fn p25_a_single_slow_credential_has_the_whole_deadline() {
    let life = Shutdown::new();
    let upstream =
        Upstream::serve(&life, |_| Answer::text("Hello").after(Duration::from_millis(1_400))).await;
    let mut plan = Plan::new(vec![row("openai", "one", &upstream)], &[("one", "sk-FAKE-1")]);
    plan.chat.deadline = Duration::from_secs(2);
    let world = World::start(&life, plan).await;
    assert_eq!(world.ask().await.answer(), "Hello");
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test]
async fn p25_a_slow_model_is_answered_by_the_next_key_of_its_provider() {
    let life = Shutdown::new();
    let upstream =
        Upstream::serve(&life, |_| Answer::text("Hello").after(Duration::from_millis(2_400))).await;
    let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2"), ("one", "sk-FAKE-3")];
    let mut plan = Plan::new(vec![row("openai", "one", &upstream)], &keys);
    plan.chat.deadline = Duration::from_secs(4);
    let world = World::start(&life, plan).await;
    assert_eq!(world.ask().await.answer(), "Hello");
    assert_eq!(upstream.calls().len(), 2, "given up once, not again");
    let requests: u64 = world.snapshot().credentials.iter().map(|view| view.requests).sum();
    assert_eq!(requests, 2, "whoever was only looked at has no request counted");
}

#[tokio::test]
async fn p27_a_stream_that_breaks_before_text_starts_again_elsewhere() {
    let broken = [
        Answer::parts([reasoning(), Part::Break]),
        Answer::parts([reasoning()]),
        Answer::parts([
            Part::Bytes("data: {\"choices\":[{\"delta\":{\"content\":\"<thi\"}}]}\n\n".to_owned()),
            Part::Break,
        ]),
        Answer::parts([Part::Bytes("<html>".to_owned())]),
    ];
    for answer in broken {
        let (world, upstream) =
            one_provider(&["sk-FAKE-1", "sk-FAKE-2"], move |call| match call.bearer.as_str() {
                "sk-FAKE-1" => answer.clone(),
                _ => Answer::text("Hello"),
            })
            .await;
        let said = world.ask().await;
        assert_eq!((said.answer(), said.notices.len()), ("Hello", 0));
        assert_eq!(upstream.hits(["sk-FAKE-1", "sk-FAKE-2"]), [1, 1]);
    }
}

#[tokio::test]
async fn p27_white_space_is_no_visible_text_and_goes_out_with_what_follows() {
    for end in [vec![Part::Break], Vec::new(), vec![finish()]] {
        let parts: Vec<_> = [content("\n"), content(" \n")].into_iter().chain(end).collect();
        let (world, upstream) =
            one_provider(&["sk-FAKE-1", "sk-FAKE-2"], move |call| match call.bearer.as_str() {
                "sk-FAKE-1" => Answer::parts(parts.clone()),
                _ => Answer::parts([content("\n "), content("Hel"), content(" "), content("lo"), finish()]),
            })
            .await;
        assert_eq!(world.ask().await.answer(), "\n Hel lo", "nothing of the attempt that was given up");
        assert_eq!(upstream.hits(["sk-FAKE-1", "sk-FAKE-2"]), [1, 1]);
    }
}

#[tokio::test]
async fn p27_a_stream_that_breaks_after_text_keeps_it_and_says_so() {
    for end in [vec![Part::Break], Vec::new(), vec![Part::Bytes(format!("data: {QUOTA}\n\n"))]] {
        let parts: Vec<_> = std::iter::once(content("Hel")).chain(end).collect();
        let (world, upstream) =
            one_provider(&["sk-FAKE-1", "sk-FAKE-2"], move |_| Answer::parts(parts.clone())).await;
        let said = world.ask().await;
        assert_eq!((said.text.as_str(), said.failed().0), ("Hel", FailureClass::Interrupted));
        assert_eq!(upstream.calls().len(), 1);
    }
}

#[tokio::test]
async fn an_empty_answer_is_asked_for_once_more_elsewhere() {
    let empty = || Answer::parts([finish()]);
    let (world, upstream) = one_provider(&["sk-FAKE-1", "sk-FAKE-2", "sk-FAKE-3"], move |_| empty()).await;
    assert_eq!(world.ask().await.failed(), (FailureClass::Empty, "EMPTY"));
    assert_eq!(upstream.calls().len(), 2);
    let (world, _) = one_provider(&["sk-FAKE-1", "sk-FAKE-2"], move |call| match call.bearer.as_str() {
        "sk-FAKE-1" => empty(),
        _ => Answer::text("Hello"),
    })
    .await;
    assert_eq!(world.ask().await.answer(), "Hello");
}

#[tokio::test]
async fn an_endless_answer_ends_at_a_mebibyte_and_keeps_its_text() {
    let endless = (0..40).map(|_| content(&"äxx".repeat(10_000)));
    let parts: Vec<_> = endless.chain([Part::Wait(Duration::from_mins(5))]).collect();
    let (world, upstream) = one_provider(&["sk-FAKE-1"], move |_| Answer::parts(parts.clone())).await;
    let said = world.ask().await;
    let length = said.answer().len();
    assert!(((1 << 20) - 1..=1 << 20).contains(&length), "{length}");
    assert_eq!(said.finished.as_ref().map(|(finish, _)| finish), Some(&Finish::Length));
    assert_eq!(upstream.calls().len(), 1);
    assert_eq!(states(&world), [State::Ready]);
}

#[tokio::test]
async fn p28_a_model_without_capacity_rotates_nobody_and_the_next_provider_answers() {
    let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2"), ("two", "sk-FAKE-3")];
    let full = r#"{"error":{"code":"engine_overloaded","message":"x"}}"#;
    let (world, one, two) =
        two_providers(&keys, move |_| Answer::refusal(503, full), |_| Answer::text("Hello")).await;
    let said = world.ask_for(Some("one/gpt-5")).await;
    assert_eq!(said.answer(), "Hello");
    let model = |text: &str| text.parse().expect("a model");
    assert_eq!(said.notices, [Notice::Fallback { wanted: model("one/gpt-5"), used: model("two/gpt-5") }]);
    assert_eq!((one.calls().len(), two.calls().len()), (1, 1));
    assert_eq!(states(&world), [State::Ready; 3]);
}

#[tokio::test]
async fn p29_a_rest_that_ends_in_time_is_waited_out_and_announced() {
    let count = Arc::new(AtomicUsize::new(0));
    let (world, upstream) =
        one_provider(&["sk-FAKE-1"], move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::refusal(429, RATE).with_header("retry-after", "1"),
            _ => Answer::text("Hello"),
        })
        .await;
    let said = world.ask().await;
    assert_eq!(said.answer(), "Hello");
    assert!(matches!(said.notices.as_slice(), [Notice::Resting { .. }]), "{:?}", said.notices);
    assert_eq!(upstream.calls().len(), 2);
}

#[tokio::test]
async fn nothing_configured_is_said_as_such() {
    let (world, upstream) = one_provider(&[], |_| Answer::text("no")).await;
    assert_eq!(world.ask().await.failed(), (FailureClass::NothingConfigured, "NO_CREDENTIAL"));
    assert_eq!(upstream.calls().len(), 0);
}

#[tokio::test]
async fn d10_dropping_the_answer_drops_the_request_and_blames_nobody() {
    let never = Part::Wait(Duration::from_mins(5));
    let (world, upstream) =
        one_provider(&["sk-FAKE-1"], move |_| Answer::parts([content("Hel"), never.clone()])).await;
    let mut events = world.llm.chat(World::question(None));
    assert_eq!(events.next().await, Some(Ok(ChatEvent::Text("Hel".to_owned()))));
    assert_eq!(upstream.open(), 1);
    let dropped_at = clock::instant();
    drop(events);
    while upstream.open() > 0 {
        assert!(dropped_at.elapsed() < Duration::from_secs(2), "the upstream request goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let snapshot = world.snapshot();
    let view: &CredentialView = snapshot.credentials.first().expect("one");
    assert_eq!((view.state, view.in_flight), (State::Ready, 0));
}

#[tokio::test]
async fn the_next_base_is_tried_on_an_outage_and_never_on_429() {
    for (status, expected) in [(503, (1, 1)), (429, (1, 0))] {
        let life = Shutdown::new();
        let first = Upstream::serve(&life, move |_| Answer::refusal(status, "{}")).await;
        let second = Upstream::serve(&life, |_| Answer::text("Hello")).await;
        let mut both = row("openai", "one", &first);
        both.api_bases.push(second.base.parse().expect("a URL"));
        let world = World::start(&life, Plan::new(vec![both], &[("one", "sk-FAKE-1")])).await;
        let said = world.ask().await;
        assert_eq!(said.failure.is_none(), status == 503, "{said:?}");
        assert_eq!((first.calls().len(), second.calls().len()), expected, "{status}");
    }
}

#[tokio::test]
async fn iflow_is_signed_over_the_agent_that_is_sent() {
    use hmac::{Hmac, Mac};
    let life = Shutdown::new();
    let upstream = Upstream::serve(&life, |_| Answer::text("Hello")).await;
    let mut iflow = row("iflow", "iflow", &upstream);
    iflow.user_agent = Some("own-agent/1".to_owned());
    let world = World::start(&life, Plan::new(vec![iflow], &[("iflow", "sk-FAKE-1")])).await;
    assert_eq!(world.ask().await.answer(), "Hello");
    let calls = upstream.calls();
    let text = |name: &str| {
        let value = calls.first().and_then(|call| call.headers.get(name)).expect("a header");
        value.to_str().expect("text").to_owned()
    };
    assert_eq!(text("user-agent"), "own-agent/1");
    assert!(text("session-id").starts_with("session-"));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"sk-FAKE-1").expect("a key");
    mac.update(format!("own-agent/1:{}:{}", text("session-id"), text("x-iflow-timestamp")).as_bytes());
    assert_eq!(text("x-iflow-signature"), format!("{:x}", mac.finalize().into_bytes()));
}

#[tokio::test]
async fn p33_what_an_upstream_says_never_reaches_the_failure() {
    let echo = |call: &Call| {
        let body = serde_json::json!({ "error": { "code": call.bearer, "type": call.bearer,
            "message": format!("Incorrect API key provided: {}", call.bearer) } });
        Answer::refusal(400, &body.to_string())
    };
    let (world, _) = one_provider(&["FAKEcanary"], echo).await;
    let said = world.ask().await;
    let failure = said.failure.expect("a failure");
    assert!(!format!("{failure} {failure:?}").contains("canary"), "{failure:?}");
    assert_eq!(failure.code, "REDACTED");
}
