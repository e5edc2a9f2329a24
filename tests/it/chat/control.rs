//! What people see and do before an answer is complete, and where its place closes first (D2, D10).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cortana::{
    chat::{Ending, Learned, Next, PATIENCE, Payload, RateKey, ReplySink, SinkError},
    clock::instant,
};
use futures::{StreamExt, future::join_all, stream};
use tokio::time::{Instant, sleep};

use super::{
    NOW, assert_within, millis, shown, text,
    world::{Stage, finished, model, timed, words},
};

#[tokio::test(start_paused = true)]
async fn d10_a_stop_drops_the_request_within_200_ms_and_the_text_stays_marked() {
    let stage = Stage::new();
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let events = timed(vec![(NOW, Ok(text("Some text.")))]).chain(stream::pending()).inspect(move |_| {
        let _ = &held;
    });
    let stop = async {
        sleep(millis(300)).await;
        stage.stop.cancel();
        sleep(millis(200)).await;
        assert_eq!(Arc::strong_count(&dropped), 1, "the upstream request is dropped");
    };
    let (ended, ()) = tokio::join!(stage.run(0, "a", events.boxed()), stop);
    assert_eq!(ended.ending, Ending::Stopped);
    assert_eq!(ended.text, "Some text.");
    assert_eq!(
        stage.world.messages(0),
        [Payload { next: Next::Continue, ..shown("Some text.\n-# ⏹️ Stopped.") }]
    );
}

#[tokio::test(start_paused = true)]
async fn d10_a_line_with_a_stop_button_stands_in_for_a_slow_model() {
    let stage = Stage::new();
    let events = |first| timed(vec![(first, Ok(text("Hi."))), (millis(800), Ok(finished()))]);
    let look = async {
        sleep(PATIENCE + millis(100)).await;
        (stage.world.messages(0), stage.world.text(1))
    };
    let (.., (slow, quick)) =
        tokio::join!(stage.run(0, "a", events(millis(5000))), stage.run(1, "b", events(millis(900))), look);
    assert_eq!(slow, [Payload { streaming: true, stands_in: true, ..shown("-# 💭 Thinking…") }]);
    assert_eq!(quick, "Hi.", "a quick model needs no line in its place");
    for reply in [0, 1] {
        assert_eq!(stage.world.messages(reply), [Payload { next: Next::Regenerate, ..shown("Hi.") }]);
    }
}

/// Whenever the first token comes: it waits for one request, or for two where the line is on its way just then.
#[tokio::test(start_paused = true)]
async fn d1_d10_the_line_that_stands_in_does_not_delay_the_first_text() {
    for first in (5..2000).step_by(10).map(millis) {
        let stage = Stage::new();
        let said_at = instant() + first;
        stage.run(0, "a", timed(vec![(first, Ok(text("Hi."))), (millis(2000), Ok(finished()))])).await;
        let (visible_at, stood_in) = stage.world.first_text(0);
        assert_eq!(stood_in, first > PATIENCE, "{first:?}");
        let on_its_way = stood_in && first < PATIENCE + millis(80);
        assert_within("first visible", visible_at - said_at, millis(if on_its_way { 160 } else { 150 }));
    }
}

#[tokio::test(start_paused = true)]
async fn d10_in_a_shared_channel_a_first_text_goes_before_newer_text_of_others() {
    let stage = Stage::new();
    let first = millis(9_333);
    let said_at = instant() + first;
    let slow = timed(vec![(first, Ok(text("Hi."))), (millis(2000), Ok(finished()))]);
    let others = join_all((1..4usize).map(|reply| {
        let (events, _) = model(&words(900));
        let stage = &stage;
        async move { stage.run(reply, "shared", events).await }
    }));
    tokio::join!(stage.run(0, "shared", slow), others);
    let (visible_at, stood_in) = stage.world.first_text(0);
    assert!(stood_in);
    assert_within("first visible", visible_at - said_at, millis(1020 + 100));
    assert_eq!(stage.world.refusals(), 0);
}

/// A place that closes.
struct Closing {
    place: Arc<dyn ReplySink>,
    until: Instant,
}

#[async_trait]
impl ReplySink for Closing {
    fn key(&self) -> RateKey {
        self.place.key()
    }

    fn limit(&self) -> usize {
        self.place.limit()
    }

    fn until(&self) -> Option<Instant> {
        Some(self.until)
    }

    async fn send(&self, index: usize, payload: &Payload) -> Result<Learned, SinkError> {
        assert!(instant() < self.until + Duration::from_secs(30), "the place is closed");
        self.place.send(index, payload).await
    }

    async fn typing(&self) {
        self.place.typing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn d2_where_the_place_closes_the_answer_ends_before_and_nothing_that_came_is_lost() {
    let stage = Stage::new();
    let began = instant();
    let until = began + Duration::from_secs(870);
    let place = Arc::new(Closing { place: stage.world.sink(0, "interaction"), until });
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let slow = vec![(minutes(14), Ok(text("So far."))), (minutes(5), Ok(text(" Too late.")))];
    let ended = stage.run_in(place, timed(slow)).await;
    assert_eq!((ended.ending, &*ended.text, ended.delivered), (Ending::OutOfTime, "So far.", Ok(())));
    let shown = stage.world.messages(0).remove(0);
    assert!(shown.text.starts_with("So far.\n-# ⌛ Discord closes"), "{}", shown.text);
    assert_eq!((shown.streaming, shown.next), (false, Next::Continue));
    assert_within("the end", stage.world.last_change(0).unwrap() - until, millis(1150));
}
