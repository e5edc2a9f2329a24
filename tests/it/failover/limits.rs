//! The limits of one chat: requests, time, and what is still worth waiting for (P24 to P27, P29).

use cortana::{
    chat::sentence,
    config::ChatSettings,
    language::Language,
    llm::{FailureClass, Notice},
    pool::State,
    provider::Provider,
    shutdown::Shutdown,
};
use tokio::time::Duration;

use crate::support::upstream::{Answer, Call, Part, Plan, Said, Upstream, World, content, row};

/// A world with the limits that operators have.
async fn world(life: &Shutdown, rows: Vec<Provider>, keys: &[(&'static str, &'static str)]) -> World {
    let mut plan = Plan::new(rows, keys);
    plan.chat = ChatSettings::default();
    World::start(life, plan).await
}

fn seconds(said: &Said) -> u64 {
    said.took.as_secs()
}

fn states(world: &World) -> Vec<State> {
    world.snapshot().credentials.iter().map(|view| view.state).collect()
}

#[tokio::test(start_paused = true)]
async fn p24_a_provider_with_one_credential_that_is_down_fails_within_a_second() {
    let broken = Answer::parts([Part::Break]);
    for (answer, code) in [(Answer::refusal(503, "down"), "HTTP 503"), (broken, "CONNECTION_BROKEN")] {
        let life = Shutdown::new();
        let one = Upstream::serve(&life, move |_| answer.clone()).await;
        let world = world(&life, vec![row("openai", "one", &one)], &[("one", "sk-FAKE-1")]).await;
        let said = one.on_virtual_time(world.ask()).await;
        assert_eq!(said.failed(), (FailureClass::ProviderDown, code));
        assert_eq!((one.calls().len(), said.notices.len()), (3, 0));
        assert!(said.took < Duration::from_secs(1), "{:?}", said.took);

        // It rests now. The next chat is told so, waits for it, and ends with its first failure.
        let said = one.on_virtual_time(world.ask()).await;
        assert_eq!(said.failed(), (FailureClass::ProviderDown, code));
        assert!(matches!(said.notices.as_slice(), [Notice::Resting { .. }]), "{:?}", said.notices);
        assert_eq!(one.calls().len(), 4);
        assert!((14..=15).contains(&seconds(&said)), "{:?}", said.took);
    }
}

#[tokio::test(start_paused = true)]
async fn p24_nobody_to_connect_to_is_tried_four_times_at_most() {
    let life = Shutdown::new();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", closed.local_addr().unwrap());
    drop(closed);
    let one = Upstream::serve(&life, |_| Answer::text("no")).await;
    let mut down = row("openai", "one", &one);
    down.api_bases = vec![base.parse().unwrap()];
    let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2"), ("one", "sk-FAKE-3")];
    let world = world(&life, vec![down], &keys).await;
    let said = one.on_virtual_time(world.ask()).await;
    assert_eq!(said.failed(), (FailureClass::ProviderDown, "NO_CONNECTION"));
    assert_eq!(world.snapshot().credentials.iter().map(|view| view.requests).sum::<u64>(), 4);
    assert!(said.took < Duration::from_secs(2), "{:?}", said.took);
}

#[tokio::test(start_paused = true)]
async fn p24_every_base_of_a_provider_counts() {
    let life = Shutdown::new();
    let [first, second] = [
        Upstream::serve(&life, |_| Answer::refusal(503, "down")).await,
        Upstream::serve(&life, |_| Answer::refusal(502, "down")).await,
    ];
    let mut both = row("openai", "one", &first);
    both.api_bases.push(second.base.parse().unwrap());
    let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2"), ("one", "sk-FAKE-3")];
    let world = world(&life, vec![both], &keys).await;
    let said = first.on_virtual_time(world.ask()).await;
    assert_eq!(said.failed().0, FailureClass::ProviderDown);
    assert_eq!((first.calls().len(), second.calls().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn p24_the_last_try_belongs_to_a_provider_that_only_rests() {
    let life = Shutdown::new();
    let down = Upstream::serve(&life, |_| Answer::refusal(503, "down")).await;
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let resting =
        Upstream::serve(&life, move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Answer::refusal(429, "{}").with_header("retry-after", "10"),
            _ => Answer::text("Hello"),
        })
        .await;
    let rows = vec![row("openai", "one", &down), row("openai", "two", &resting)];
    let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2"), ("two", "sk-FAKE-3")];
    let world = world(&life, rows, &keys).await;
    let said = down.on_virtual_time(world.ask()).await;
    assert_eq!((said.answer(), seconds(&said)), ("Hello", 10));
    assert_eq!((down.calls().len(), resting.calls().len()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn p25_each_limit_ends_the_answer_when_and_as_it_should() {
    let ever = || Part::Wait(Duration::from_hours(1));
    let drip = || [content("a"), Part::Wait(Duration::from_secs(10))].into_iter().cycle().take(400).collect();
    let cases: [(Vec<Part>, u64, &str, FailureClass, &str); 3] = [
        (vec![ever()], 60, "", FailureClass::DeadlineExceeded, "REQUEST_DEADLINE"),
        (vec![content("Hel"), ever()], 45, "Hel", FailureClass::Interrupted, "STREAM_IDLE"),
        (drip(), 840, "aaaa", FailureClass::Interrupted, "STREAM_MAX"),
    ];
    for (parts, limit, text, class, code) in cases {
        let life = Shutdown::new();
        let one = Upstream::serve(&life, move |_| Answer::parts(parts.clone())).await;
        let world = world(&life, vec![row("openai", "one", &one)], &[("one", "sk-FAKE-1")]).await;
        let said = one.on_virtual_time(world.ask()).await;
        assert_eq!((said.failed(), seconds(&said)), ((class, code), limit));
        assert!(said.text.starts_with(text), "{said:?}");
        assert_eq!(one.calls().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn p25_the_deadline_runs_through_every_attempt_and_a_fault_at_its_end_is_no_second_one() {
    let life = Shutdown::new();
    // Half a minute of silence, then an outage: the second attempt ends with the deadline.
    let one = Upstream::serve(&life, |_| Answer::refusal(503, "down").after(Duration::from_secs(35))).await;
    let world = world(&life, vec![row("openai", "one", &one)], &[("one", "sk-FAKE-1")]).await;
    let said = one.on_virtual_time(world.ask()).await;
    assert_eq!(said.failed(), (FailureClass::DeadlineExceeded, "REQUEST_DEADLINE"));
    assert_eq!((seconds(&said), one.calls().len()), (60, 2));
    assert_eq!((states(&world), world.snapshot().credentials[0].in_flight), (vec![State::Ready], 0));
}

#[tokio::test(start_paused = true)]
async fn p26_k_exhausted_of_seven_is_a_success_for_every_k_streaming_or_not() {
    const KEYS: [&str; 7] =
        ["sk-FAKE-0", "sk-FAKE-1", "sk-FAKE-2", "sk-FAKE-3", "sk-FAKE-4", "sk-FAKE-5", "sk-FAKE-6"];
    let whole = r#"{"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}"#;
    for answer in [Answer::text("Hello"), Answer::refusal(200, whole)] {
        for k in 0..KEYS.len() {
            let life = Shutdown::new();
            let (exhausted, _) = KEYS.split_at(k);
            let answer = answer.clone();
            let one = Upstream::serve(&life, move |call| {
                if exhausted.contains(&call.bearer.as_str()) {
                    Answer::refusal(429, r#"{"error":{"code":"insufficient_quota"}}"#)
                } else {
                    answer.clone()
                }
            })
            .await;
            let keys = KEYS.map(|key| ("one", key));
            let world = world(&life, vec![row("openai", "one", &one)], &keys).await;
            for _ in 0..KEYS.len() {
                let said = one.on_virtual_time(world.ask()).await;
                assert_eq!(said.answer(), "Hello", "k = {k}");
                assert!(said.took < Duration::from_millis(50), "{:?}", said.took);
            }
            assert_eq!(one.calls().len(), KEYS.len() + k, "each exhausted one is hit once");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn p25_a_slow_credential_rests_after_three_chats_and_a_slow_model_never() {
    for (slow, expected) in [(1, State::Cooling), (2, State::Ready)] {
        let life = Shutdown::new();
        let slow: &'static [&str] = if slow == 1 { &["sk-FAKE-1"] } else { &["sk-FAKE-1", "sk-FAKE-2"] };
        let one = Upstream::serve(&life, move |call: &Call| {
            let wait = if slow.contains(&call.bearer.as_str()) { 30 } else { 1 };
            Answer::text("Hello").after(Duration::from_secs(wait))
        })
        .await;
        let keys = [("one", "sk-FAKE-1"), ("one", "sk-FAKE-2")];
        let world = world(&life, vec![row("openai", "one", &one)], &keys).await;
        // The turn of the slow one comes with every chat: the quick one's is spent on its behalf.
        for _ in 0..3 {
            assert_eq!(states(&world), [State::Ready; 2]);
            assert_eq!(one.on_virtual_time(world.ask()).await.answer(), "Hello");
        }
        assert_eq!(states(&world), [expected, State::Ready], "{slow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn p25_a_provider_that_falls_silent_is_waited_for_in_three_chats_and_then_rests() {
    let life = Shutdown::new();
    let silent = Upstream::serve(&life, |_| Answer::text("late").after(Duration::from_hours(1))).await;
    let quick = Upstream::serve(&life, |_| Answer::text("Hello")).await;
    let rows = vec![row("openai", "one", &silent), row("openai", "two", &quick)];
    let world = world(&life, rows, &[("one", "sk-FAKE-1"), ("two", "sk-FAKE-2")]).await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        let said = quick.on_virtual_time(world.ask_for(Some("one/gpt-5"))).await;
        assert_eq!(said.answer(), "Hello");
        waits.push(seconds(&said));
    }
    assert_eq!(waits, [30, 30, 30, 0]);
}

#[tokio::test(start_paused = true)]
async fn p29_all_resting_is_said_within_two_seconds_and_waited_for_where_it_fits() {
    for (back, waits) in [("20", true), ("90", false)] {
        let life = Shutdown::new();
        let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let one =
            Upstream::serve(&life, move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => Answer::refusal(429, "{}").with_header("retry-after", back),
                _ => Answer::text("Hello"),
            })
            .await;
        let world = world(&life, vec![row("openai", "one", &one)], &[("one", "sk-FAKE-1")]).await;
        let said = one.on_virtual_time(world.ask()).await;
        if waits {
            assert_eq!((said.answer(), seconds(&said)), ("Hello", 20));
            assert!(said.noticed_after.expect("a notice") < Duration::from_secs(2), "{said:?}");
        } else {
            let FailureClass::Resting { .. } = said.failed().0 else { panic!("{said:?}") };
            assert!(said.took < Duration::from_secs(2), "{:?}", said.took);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_provider_answers_with_the_equivalent_else_its_default_and_says_so() {
    // By family where the next provider has one of it, by default where it has none.
    for (like, expected) in
        [("openrouter", "openrouter/google/gemini-2.5-pro"), ("openai", "openai/gpt-5-mini")]
    {
        let life = Shutdown::new();
        let down = Upstream::serve(&life, |_| Answer::refusal(503, "down")).await;
        let two = Upstream::serve(&life, |_| Answer::text("Hello")).await;
        let rows = vec![row("gemini_cli", "gemini_cli", &down), row(like, like, &two)];
        let keys = [("gemini_cli", "sk-FAKE-1"), (like, "sk-FAKE-2")];
        let world = world(&life, rows, &keys).await;
        let said = two.on_virtual_time(world.ask_for(Some("gemini_cli/gemini-2.5-pro"))).await;
        assert_eq!(said.answer(), "Hello");
        assert_eq!(said.finished.as_ref().map(|(_, model)| model.as_str()), Some(expected));
        let lines: Vec<String> =
            said.notices.iter().map(|notice| sentence::notice(&Language::english(), notice)).collect();
        let small =
            format!("-# Answered by `{expected}`, because `gemini_cli/gemini-2.5-pro` was not available.");
        assert_eq!(lines, [small]);
        assert!(said.took < Duration::from_millis(50), "{:?}", said.took);
    }
}
