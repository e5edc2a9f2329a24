//! Exchanges in virtual time: staleness, refusals, failures, stops, ends (D1 to D4, D8, D10, D20, D21).

mod control;
mod world;

use std::time::Duration;

use cortana::{
    chat::{Ending, MOST_MESSAGES, Next, Payload, SinkError},
    clock::instant,
    llm::{ChatEvent, ChatFailure, FailureClass, Finish, Notice},
};
use futures::{FutureExt, StreamExt, future::join_all, stream};
use tokio::time::{Instant, sleep};
use world::{Stage, finished, model, model_at, timed, words};

const NOW: Duration = Duration::ZERO;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn text(text: &str) -> ChatEvent {
    ChatEvent::Text(text.to_owned())
}

fn failed(class: FailureClass) -> ChatFailure {
    let provider = "gemini_cli".parse().ok();
    ChatFailure { id: "1a2b3c4d".to_owned(), class, provider, code: "HTTP 503".to_owned() }
}

fn assert_within(what: &str, measured: Duration, bound: Duration) {
    assert!(measured <= bound, "{what}: {measured:?}, more than {bound:?}");
}

#[tokio::test(start_paused = true)]
async fn d1_one_stream_is_fresh_within_1150_ms_and_first_visible_within_150() {
    let stage = Stage::new();
    // Long enough for several messages: the passage from one to the next is part of the promise.
    let words = words(1200);
    let (events, said) = model(&words);
    let ended = stage.run(0, "a", events).await;
    assert_eq!(ended.ending, Ending::Finished(Finish::Stop));
    assert_eq!(stage.world.text(0), words.concat());
    assert!(stage.world.messages(0).len() >= 3);
    assert_within("staleness", stage.staleness(0, &words, &said), millis(1150));
    let first = stage.world.visible_at(0, 1).unwrap() - said.lock().unwrap()[0];
    assert_within("first visible", first, millis(150));
    assert_eq!(stage.world.refusals(), 0);
}

#[tokio::test(start_paused = true)]
async fn d1_eight_staggered_streams_in_eight_channels_are_as_fresh_as_one() {
    let stage = Stage::new();
    let words = words(600);
    let runs = (0..8u64).map(|reply| {
        let (stage, words) = (&stage, &words);
        async move {
            sleep(millis(reply * 137)).await;
            let (events, said) = model(words);
            let index = usize::try_from(reply).unwrap();
            stage.run(index, &format!("channel {reply}"), events).await;
            let first = stage.world.visible_at(index, 1).unwrap() - said.lock().unwrap()[0];
            assert_within("first visible", first, millis(150));
            assert_within("staleness", stage.staleness(index, words, &said), millis(1150));
            assert_eq!(stage.world.text(index), words.concat());
        }
    });
    join_all(runs).await;
    assert_eq!(stage.world.refusals(), 0);
}

#[tokio::test(start_paused = true)]
async fn d1_four_streams_in_one_channel_take_turns() {
    let stage = Stage::new();
    let words = words(900);
    let runs = (0..4u64).map(|reply| {
        let (stage, words) = (&stage, &words);
        async move {
            sleep(millis(reply * 311)).await;
            let (events, said) = model(words);
            let index = usize::try_from(reply).unwrap();
            stage.run(index, "shared", events).await;
            let first = stage.world.visible_at(index, 1).unwrap() - said.lock().unwrap()[0];
            assert_within("first visible", first, millis(150));
            assert_within("staleness", stage.staleness(index, words, &said), millis(4200));
            let last = *said.lock().unwrap().last().unwrap();
            let tail = stage.world.last_change(index).unwrap() - last;
            assert_within("the tail", tail, millis(4 * 1020 + 100));
        }
    });
    join_all(runs).await;
    assert_eq!(stage.world.refusals(), 0);
}

/// The longest waits of words that were said until an instant, and after it.
fn longest(waits: &[(Instant, Duration)], until: Instant) -> (Duration, Duration) {
    let most =
        |early: bool| waits.iter().filter(|(said, _)| (*said <= until) == early).map(|(_, wait)| *wait).max();
    (most(true).unwrap_or_default(), most(false).unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn d2_an_answer_to_a_command_is_fresh_within_550_ms_for_12_s_and_goes_on_as_a_message_of_its_channel() {
    let stage = Stage::new();
    let words = words(1600);
    let started = instant();
    let (events, said) = model(&words);
    let ended = stage.run_in(stage.world.promised(0, Some("a")), events).await;
    assert_eq!((ended.delivered, stage.world.refusals()), (Ok(()), 0));
    assert_eq!(stage.world.text(0), words.concat());
    let waits = stage.waits(0, &words, &said);
    let (early, late) = longest(&waits, started + Duration::from_secs(12));
    assert_within("the first 12 s", early, millis(550));
    assert_within("after", late, millis(2300));
    assert!(waits.last().unwrap().0 > started + Duration::from_secs(30), "both were seen");
    sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.pacers.active(), 0, "both tasks end");
}

#[tokio::test(start_paused = true)]
async fn d2_an_answer_that_stays_with_its_command_is_quick_at_first_and_never_refused() {
    let stage = Stage::new();
    let words = words(430);
    let started = instant();
    let (events, said) = model_at(&words, millis(220));
    stage.run_in(stage.world.promised(0, None), events).await;
    assert_eq!((stage.world.text(0), stage.world.refusals()), (words.concat(), 0));
    let (early, late) = longest(&stage.waits(0, &words, &said), started + Duration::from_secs(4));
    assert_within("the first 4 s", early, millis(550));
    // 30 edits a minute are one in two seconds, and ten of them were spent at once.
    assert_within("after", late, millis(3300));
}

#[tokio::test(start_paused = true)]
async fn d2_d10_an_answer_that_moved_is_stopped_and_takes_turns_with_others_in_the_channel() {
    let stage = Stage::new();
    let words = words(1500);
    let (events, _) = model(&words);
    let (others, said) = model(&words);
    let stop = async {
        sleep(Duration::from_secs(20)).await;
        stage.stop.cancel();
    };
    let other = Stage { stop: tokio_util::sync::CancellationToken::new(), ..stage.clone() };
    let (ended, beside, ()) = tokio::join!(
        stage.run_in(stage.world.promised(0, Some("a")), events),
        other.run(1, "a", others),
        stop
    );
    assert_eq!((ended.ending, ended.delivered), (Ending::Stopped, Ok(())));
    assert!(stage.world.text(0).ends_with("-# ⏹️ Stopped."));
    assert_eq!((beside.ending, stage.world.refusals()), (Ending::Finished(Finish::Stop), 0));
    // Two take turns, and the stop goes before both.
    assert_within("beside it", stage.staleness(1, &words, &said), millis(3 * 1020 + 200));
}

#[tokio::test(start_paused = true)]
async fn d3_a_429_costs_one_retry_with_the_newest_text_and_no_text() {
    let stage = Stage::new();
    let words = words(300);
    let (events, said) = model(&words);
    let refusal = async {
        sleep(millis(1500)).await;
        let before = stage.world.sends();
        stage.world.fail_next([SinkError::RateLimited { retry_after: Duration::from_secs(2) }]);
        while stage.world.sends() == before {
            sleep(millis(10)).await;
        }
        let refused = stage.world.sends();
        sleep(millis(1900)).await;
        assert_eq!(stage.world.sends(), refused, "nothing is sent before the delay is over");
        sleep(millis(300)).await;
        assert_eq!(stage.world.sends(), refused + 1, "one retry");
        let newest = said.lock().unwrap().len();
        let shown = stage.world.text(0).split_whitespace().count();
        assert!(newest - shown < 20, "the retry carries the newest text: {shown} of {newest} words");
    };
    let (ended, ()) = tokio::join!(stage.run(0, "a", events), refusal);
    assert_eq!(ended.delivered, Ok(()));
    assert_eq!(stage.world.text(0), words.concat());
}

#[tokio::test(start_paused = true)]
async fn d4_what_came_before_a_stall_is_visible_within_1150_ms() {
    let stage = Stage::new();
    let (events, _) = model(&words(100));
    let stalled = events.take(100).chain(stream::pending());
    let watch = async {
        sleep(millis(100 * 20 + 1150)).await;
        assert_eq!(stage.world.text(0), words(100).concat());
        stage.stop.cancel();
    };
    tokio::join!(stage.run(0, "a", stalled.boxed()), watch);
}

#[tokio::test(start_paused = true)]
async fn d8_a_very_long_answer_ends_in_a_file() {
    let stage = Stage::new();
    let words = words(4000);
    let (events, _) = model(&words);
    stage.run(0, "a", events).await;
    let messages = stage.world.messages(0);
    assert_eq!(messages.len(), MOST_MESSAGES);
    let (_, rest) = messages[3].attachment.clone().expect("a file");
    let rest = String::from_utf8(rest).unwrap();
    assert!(words.concat().ends_with(&rest) && rest.len() > 9000);
    assert!(messages.iter().all(|message| !message.streaming));
}

fn shown(text: &str) -> Payload {
    Payload { text: text.to_owned(), ..Payload::default() }
}

#[tokio::test(start_paused = true)]
async fn d20_a_failure_is_one_sentence_within_2_s_and_no_spinner_stays() {
    let until = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let classes = [
        FailureClass::NothingConfigured,
        FailureClass::NeedsOperator,
        FailureClass::Resting { until },
        FailureClass::Capacity,
        FailureClass::TooLong,
        FailureClass::Blocked,
        FailureClass::ProviderDown,
        FailureClass::DeadlineExceeded,
        FailureClass::Malformed,
        FailureClass::Empty,
    ];
    for (reply, class) in classes.into_iter().enumerate() {
        let stage = Stage::new();
        let known_at = instant() + millis(500);
        let ended = stage.run(reply, "a", timed(vec![(millis(500), Err(failed(class)))])).await;
        assert!(matches!(ended.ending, Ending::Failed(_)));
        let messages = stage.world.messages(reply);
        assert_eq!(messages.len(), 1);
        assert!(messages[0].text.ends_with("id 1a2b3c4d") && !messages[0].streaming, "{messages:?}");
        assert_within("the sentence", stage.world.last_change(reply).unwrap() - known_at, millis(2000));
    }
}

#[tokio::test(start_paused = true)]
async fn d20_a_failure_after_text_keeps_the_text_and_closes_its_fence() {
    let stage = Stage::new();
    let events =
        vec![(NOW, Ok(text("```rust\nlet a"))), (millis(500), Err(failed(FailureClass::Interrupted)))];
    let known_at = instant() + millis(500);
    stage.run(0, "a", timed(events)).await;
    let shown = stage.world.text(0);
    assert!(shown.starts_with("```rust\nlet a\n```\n⚠️ The answer broke off here."), "{shown}");
    assert_within("the sentence", stage.world.last_change(0).unwrap() - known_at, millis(2000));
}

#[tokio::test(start_paused = true)]
async fn d20_an_answer_without_text_or_without_an_end_is_a_failure() {
    let stage = Stage::new();
    let ended = stage.run(0, "a", timed(vec![(NOW, Ok(text(" \n"))), (NOW, Ok(finished()))])).await;
    assert!(matches!(&ended.ending, Ending::Failed(failure) if failure.class == FailureClass::Empty));
    let ended = stage.run(1, "b", timed(vec![(NOW, Ok(text("Half")))])).await;
    assert!(matches!(&ended.ending, Ending::Failed(failure) if failure.class == FailureClass::Interrupted));
    assert!(stage.world.text(1).starts_with("Half\n⚠️ "));
}

#[tokio::test(start_paused = true)]
async fn d21_five_streams_in_five_channels_are_finalised_within_5_s() {
    let stage = Stage::new();
    let drain = async {
        sleep(millis(3300)).await;
        stage.shutdown.begin();
        stage.drain.cancel();
        instant()
    };
    let runs = join_all((0..5usize).map(|reply| {
        let (events, _) = model(&words(5000));
        let stage = &stage;
        async move { stage.run(reply, &format!("channel {reply}"), events).await }
    }));
    let (ended, drained_at) = tokio::join!(runs, drain);
    for (reply, ended) in ended.iter().enumerate() {
        assert_eq!((&ended.ending, &ended.delivered), (&Ending::Drained, &Ok(())));
        let messages = stage.world.messages(reply);
        assert!(messages.iter().all(|message| !message.streaming));
        assert!(stage.world.text(reply).contains("I am restarting"));
        assert_within("the note", stage.world.last_change(reply).unwrap() - drained_at, millis(5000));
    }
    assert!(stage.shutdown.drain(Duration::from_secs(1)).await, "the pacers end with their replies");
}

#[tokio::test(start_paused = true)]
async fn d21_five_streams_in_one_channel_are_finalised_in_one_round() {
    let stage = Stage::new();
    let drain = async {
        sleep(millis(3300)).await;
        stage.shutdown.begin();
        stage.drain.cancel();
        instant()
    };
    let runs = join_all((0..5usize).map(|reply| {
        let (events, _) = model(&words(5000));
        let stage = &stage;
        async move { stage.run(reply, "shared", events).await }
    }));
    let (ended, drained_at) = tokio::join!(runs, drain);
    assert!(ended.iter().all(|ended| ended.delivered == Ok(())));
    for reply in 0..5 {
        assert!(stage.world.text(reply).contains("I am restarting"));
        assert_within(
            "one round",
            stage.world.last_change(reply).unwrap() - drained_at,
            millis(5 * 1020 + 200),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn typing_is_renewed_until_the_first_text() {
    let stage = Stage::new();
    let started = instant();
    stage
        .run(0, "a", timed(vec![(millis(17_500), Ok(text("At last."))), (millis(20_000), Ok(finished()))]))
        .await;
    let typed: Vec<u64> = stage.world.typing().iter().map(|at| (*at - started).as_secs()).collect();
    assert_eq!(typed, [0, 8, 16]);
}

#[tokio::test(start_paused = true)]
async fn p29_a_wait_is_shown_until_the_answer_takes_its_place() {
    let stage = Stage::new();
    let until = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let used = "qwen_code/coder".parse().unwrap();
    let wanted = "gemini_cli/pro".parse().unwrap();
    let events = vec![
        (NOW, Ok(ChatEvent::Notice(Notice::Resting { until }))),
        (millis(5000), Ok(ChatEvent::Notice(Notice::Fallback { wanted, used }))),
        (NOW, Ok(text("Here."))),
        (millis(100), Ok(finished())),
    ];
    let watch = async {
        sleep(millis(2000)).await;
        assert!(stage.world.text(0).contains("<t:1800000000:R>"));
    };
    tokio::join!(stage.run(0, "a", timed(events)), watch);
    let expected = "Here.\n-# Answered by `qwen_code/coder`, because `gemini_cli/pro` was not available.";
    assert_eq!(stage.world.messages(0), [Payload { next: Next::Regenerate, ..shown(expected) }]);
}

#[tokio::test(start_paused = true)]
async fn a_final_payload_survives_an_unwell_discord() {
    let stage = Stage::new();
    let unwell = || SinkError::Transient { problem: "HTTP 502".to_owned() };
    stage.world.fail_next([unwell(), unwell(), unwell()]);
    let ended = stage.run(0, "a", timed(vec![(NOW, Ok(text("Hello."))), (NOW, Ok(finished()))])).await;
    assert_eq!(ended.delivered, Ok(()));
    assert_eq!(stage.world.messages(0), [Payload { next: Next::Regenerate, ..shown("Hello.") }]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_message_ends_the_exchange() {
    let stage = Stage::new();
    let (events, _) = model(&words(5000));
    let delete = async {
        sleep(millis(2500)).await;
        stage.world.fail_next([SinkError::Gone]);
    };
    let (ended, ()) = tokio::join!(stage.run(0, "a", events), delete);
    assert_eq!(ended.ending, Ending::Unreachable(SinkError::Gone));
    assert!(ended.text.len() < 1500, "the upstream request is dropped soon");
}

#[tokio::test(start_paused = true)]
async fn identical_payloads_are_sent_once_and_idle_tasks_end() {
    let stage = Stage::new();
    let reply = stage.pacers.open(stage.world.sink(0, "a"));
    for _ in 0..50 {
        reply.update(vec![shown("Same.")]);
        sleep(millis(100)).await;
    }
    assert_eq!(reply.finish(vec![shown("Same.")]).await, Ok(()));
    assert_eq!(stage.world.sends(), 1);
    assert_eq!(stage.pacers.active(), 1);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.pacers.active(), 0);
}

#[tokio::test(start_paused = true)]
async fn last_states_go_before_snapshots() {
    let stage = Stage::new();
    let replies: Vec<_> = (0..4).map(|reply| stage.pacers.open(stage.world.sink(reply, "shared"))).collect();
    for reply in &replies {
        reply.update(vec![shown("begun")]);
    }
    sleep(millis(200)).await;
    let mut replies = replies.into_iter();
    let done = replies.next_back().unwrap();
    let others: Vec<_> = replies.collect();
    for reply in &others {
        reply.update(vec![shown("more")]);
    }
    // The first edit went at once to the stalest; the next slot is the finished one's, although it came last.
    sleep(millis(10)).await;
    let started = instant();
    assert_eq!(done.finish(vec![shown("done")]).await, Ok(()));
    assert_within("the last state", instant() - started, millis(1150));
    assert!(others[0].ended().now_or_never().is_none());
}
