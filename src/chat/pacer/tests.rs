//! What lanes learn. The pacer as a whole is tested in `tests/it/chat`, under a simulated Discord.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    super::{Learned, Pace},
    lane::Lane,
};
use crate::clock::instant;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn window(limit: u32, remaining: u32, reset_after: Duration) -> Learned {
    Learned { wait: None, remaining: Some(remaining), limit: Some(limit), reset_after: Some(reset_after) }
}

fn sent_lane() -> (Lane, Instant) {
    let start = instant();
    let mut lane = Lane::edits(Pace::Even, start);
    lane.sent(start);
    (lane, start)
}

#[test]
fn edits_keep_a_channels_distance_until_something_is_learned() {
    let (lane, start) = sent_lane();
    assert_eq!(lane.next_at() - start, millis(1020));
    let mut creates = Lane::creates(start);
    creates.sent(start);
    assert_eq!(creates.next_at(), start);
}

#[test]
fn d2_a_shorter_window_brings_edits_closer() {
    let (mut lane, start) = sent_lane();
    lane.learn(window(5, 4, millis(2000)), start, start + millis(80));
    assert_eq!(lane.next_at() - start, millis(420));
}

#[test]
fn an_empty_window_is_waited_for() {
    let (mut lane, start) = sent_lane();
    lane.learn(window(5, 0, millis(3000)), start, start + millis(80));
    assert_eq!(lane.next_at() - start, millis(3100));
}

#[test]
fn d3_a_429_is_waited_out_and_a_window_that_misled_is_not_trusted_again() {
    let (mut lane, start) = sent_lane();
    lane.learn(window(5, 4, millis(1000)), start, start + millis(80));
    let close = lane.next_at() - start;
    let later = start + close;
    lane.sent(later);
    lane.refused(millis(700), later);
    assert_eq!(lane.next_at() - later, millis(720));
    let again = later + millis(720);
    lane.sent(again);
    lane.learn(window(5, 4, millis(1000)), again, again + millis(80));
    assert!(lane.next_at() - again > close, "the distance that led to the 429 is not used again");
}
