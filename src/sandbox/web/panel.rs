//! The pool's side of the page: snapshots and news, handed in by whoever runs the bot. They are opaque here.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

/// News that a page opened later still shows.
const KEPT: usize = 100;

/// How often it is looked whether a page is open.
const LOOK: Duration = Duration::from_millis(100);

/// Something that happened, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Note {
    /// Counts from 1.
    #[serde(skip)]
    pub(super) number: u64,
    /// Milliseconds since 1970.
    at: i64,
    text: String,
}

/// What the panel shows; clones share it.
#[derive(Debug, Clone)]
pub struct Panel {
    pool: watch::Sender<Arc<Value>>,
    notes: watch::Sender<VecDeque<Note>>,
}

impl Default for Panel {
    fn default() -> Self {
        let nothing = serde_json::json!({ "credentials": [] });
        Self { pool: watch::Sender::new(Arc::new(nothing)), notes: watch::Sender::new(VecDeque::new()) }
    }
}

impl Panel {
    /// The pool as it is now: `{"credentials": […], "accounts": {"<credential id>": "<emulated account>"}}`.
    pub fn show(&self, pool: Value) {
        self.pool.send_if_modified(|shown| {
            let news = **shown != pool;
            if news {
                *shown = Arc::new(pool);
            }
            news
        });
    }

    /// Something happened at this instant (milliseconds since 1970).
    pub fn note(&self, at: i64, text: impl Into<String>) {
        self.notes.send_modify(|notes| {
            let number = notes.back().map_or(1, |last| last.number + 1);
            notes.push_back(Note { number, at, text: text.into() });
            if notes.len() > KEPT {
                notes.pop_front();
            }
        });
    }

    /// Waits until a page is open.
    pub async fn watched(&self) {
        while self.notes.receiver_count() == 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(super) fn pool(&self) -> watch::Receiver<Arc<Value>> {
        self.pool.subscribe()
    }

    pub(super) fn notes(&self) -> watch::Receiver<VecDeque<Note>> {
        self.notes.subscribe()
    }
}
