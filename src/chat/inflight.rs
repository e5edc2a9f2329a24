//! Exchanges in flight: up to four at once in a channel, one a person there, the rest in order.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Exchanges at once in one channel.
pub const MOST_AT_ONCE: usize = 4;

/// The exchanges of all channels. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Inflight {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    next: u64,
    channels: HashMap<u64, Line>,
}

/// A channel's exchanges.
#[derive(Debug, Default)]
struct Line {
    running: Vec<Entry>,
    waiting: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    ticket: u64,
    person: u64,
    /// 0: may run; otherwise how many go before.
    ahead: watch::Sender<usize>,
}

impl Line {
    /// Lets everybody run who may, and tells the others how many go before them.
    fn advance(&mut self) {
        let mut index = 0;
        while index < self.waiting.len() && self.running.len() < MOST_AT_ONCE {
            let person = self.waiting[index].person;
            if self.running.iter().any(|entry| entry.person == person) {
                index += 1;
            } else {
                let entry = self.waiting.remove(index);
                entry.ahead.send_replace(0);
                self.running.push(entry);
            }
        }
        for (index, entry) in self.waiting.iter().enumerate() {
            entry.ahead.send_if_modified(|ahead| std::mem::replace(ahead, index + 1) != index + 1);
        }
    }
}

impl Inflight {
    /// Takes a ticket in a channel's line.
    pub fn enter(&self, channel: u64, person: u64) -> Ticket {
        let (ahead, position) = watch::channel(usize::MAX);
        let mut lines = locked(&self.lines);
        let ticket = lines.next;
        lines.next += 1;
        let line = lines.channels.entry(channel).or_default();
        line.waiting.push(Entry { ticket, person, ahead });
        line.advance();
        let permit = Permit { lines: Arc::clone(&self.lines), channel, ticket };
        Ticket { permit, position }
    }

    /// Exchanges that run or wait, in all channels.
    pub fn count(&self) -> usize {
        locked(&self.lines).channels.values().map(|line| line.running.len() + line.waiting.len()).sum()
    }
}

/// A ticket for the line. Dropping it leaves the line.
#[derive(Debug)]
pub struct Ticket {
    permit: Permit,
    position: watch::Receiver<usize>,
}

impl Ticket {
    /// How many wait in front, this one counted; 0 when it may run.
    pub fn position(&self) -> usize {
        *self.position.borrow()
    }

    /// Waits for its turn. The exchange may run for as long as the permit lives.
    pub async fn turn(mut self) -> Permit {
        // The sender lives in the line for as long as the permit does.
        drop(self.position.wait_for(|ahead| *ahead == 0).await);
        self.permit
    }
}

/// The right to run an exchange. Dropping it lets the next one run.
#[derive(Debug)]
pub struct Permit {
    lines: Arc<Mutex<Lines>>,
    channel: u64,
    ticket: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut lines = locked(&self.lines);
        let Some(line) = lines.channels.get_mut(&self.channel) else { return };
        line.running.retain(|entry| entry.ticket != self.ticket);
        line.waiting.retain(|entry| entry.ticket != self.ticket);
        line.advance();
        if line.running.is_empty() && line.waiting.is_empty() {
            lines.channels.remove(&self.channel);
        }
    }
}

fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn positions(places: &[Ticket]) -> Vec<usize> {
        places.iter().map(Ticket::position).collect()
    }

    #[test]
    fn four_run_at_once_in_a_channel_and_the_rest_wait_in_order() {
        let inflight = Inflight::default();
        let mut places: Vec<Ticket> = (0..6).map(|person| inflight.enter(1, person)).collect();
        let elsewhere = inflight.enter(2, 0);
        assert_eq!(positions(&places), [0, 0, 0, 0, 1, 2]);
        assert_eq!(elsewhere.position(), 0);
        drop(places.remove(1));
        assert_eq!(positions(&places), [0, 0, 0, 0, 1]);
    }

    #[test]
    fn one_person_has_one_exchange_a_channel_and_lets_others_pass() {
        let inflight = Inflight::default();
        let mut places = vec![inflight.enter(1, 7), inflight.enter(1, 7), inflight.enter(1, 8)];
        assert_eq!(positions(&places), [0, 1, 0]);
        drop(places.remove(0));
        assert_eq!(positions(&places), [0, 0]);
    }

    #[test]
    fn whoever_gives_up_waiting_leaves_no_gap() {
        let inflight = Inflight::default();
        let first = inflight.enter(1, 7);
        let second = inflight.enter(1, 7);
        let third = inflight.enter(1, 7);
        drop(second);
        assert_eq!(third.position(), 1);
        drop(first);
        assert_eq!(third.position(), 0);
        drop(third);
        assert_eq!(inflight.count(), 0);
    }

    #[tokio::test]
    async fn a_turn_comes_when_the_one_before_is_dropped() {
        let inflight = Inflight::default();
        let first = inflight.enter(1, 7).turn().await;
        let mut second = std::pin::pin!(inflight.enter(1, 7).turn());
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        drop(second.await);
        assert_eq!(inflight.count(), 0);
    }
}
