//! The stream that feeds a page: first everything, then whatever changed.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{Query, State as Extracted},
    response::sse::{Event, KeepAlive, Sse},
};
use futures::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    super::{
        Sandbox,
        discord::{Id, Message, State},
    },
    actions,
    panel::Note,
    view::{self, Overdue},
};

/// Changes within this while go out together: more often than a screen draws helps nobody.
const TOGETHER: Duration = Duration::from_millis(16);
/// How often time alone is looked at: typing ends, an interaction goes unanswered.
const TICK: Duration = Duration::from_millis(500);
/// How long an interaction may go unanswered, and how long that is said.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// An indicator's life.
const TYPING: Duration = Duration::from_secs(10);

/// Who looks.
#[derive(Debug, Deserialize)]
pub(super) struct Viewer {
    user_id: Option<Id>,
}

/// `GET /page/events`.
pub(super) async fn events(
    Extracted(sandbox): Extracted<Sandbox>,
    Query(viewer): Query<Viewer>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let owner = sandbox.discord().landmarks().owner;
    let known = |id: &Id| sandbox.discord().read(|state| state.world.users.contains_key(id));
    let person = viewer.user_id.filter(known).unwrap_or(owner);
    let feed = Feed::of(&sandbox, person);
    Sse::new(stream::unfold(feed, |mut feed| async { feed.next().await.map(|event| (Ok(event), feed)) }))
        .keep_alive(KeepAlive::default())
}

/// What of a message changes what is seen.
type Stamp = (usize, bool, bool, usize);

struct Feed {
    sandbox: Sandbox,
    person: Id,
    changes: watch::Receiver<u64>,
    pool: watch::Receiver<Arc<Value>>,
    notes: watch::Receiver<VecDeque<Note>>,
    queue: VecDeque<(&'static str, Value)>,
    /// What was sent last of each kind that is sent whole.
    whole: HashMap<&'static str, Value>,
    messages: HashMap<Id, Stamp>,
    threads: HashSet<Id>,
    interactions: HashSet<Id>,
    noted: u64,
}

impl Feed {
    fn of(sandbox: &Sandbox, person: Id) -> Self {
        let mut feed = Self {
            sandbox: sandbox.clone(),
            person,
            changes: sandbox.discord().changes(),
            pool: sandbox.panel().pool(),
            notes: sandbox.panel().notes(),
            queue: VecDeque::new(),
            whole: HashMap::new(),
            messages: HashMap::new(),
            threads: HashSet::new(),
            interactions: HashSet::new(),
            noted: 0,
        };
        feed.begin();
        feed
    }

    fn begin(&mut self) {
        let (person, bot) = (self.person, self.sandbox.discord().landmarks().bot);
        let sandbox = self.sandbox.clone();
        sandbox.discord().read(|state| {
            let world = view::world(state, person);
            let hello =
                json!({"me": person, "bot": bot, "version": env!("CARGO_PKG_VERSION"), "world": world});
            self.queue.push_back(("hello", hello));
            self.whole.insert("world", world);
            // What was left unanswered before is not told again.
            self.interactions.extend(state.interactions.keys());
            self.look(state);
        });
        self.look_beside();
    }

    /// The next event; `None` when the sandbox ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((kind, data)) = self.queue.pop_front() {
                return Event::default().event(kind).json_data(data).ok();
            }
            let ending = self.sandbox.discord().shutdown().token().clone();
            tokio::select! {
                () = ending.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
                changed = self.pool.changed() => changed.ok()?,
                changed = self.notes.changed() => changed.ok()?,
                () = tokio::time::sleep(TICK) => {}
            }
            tokio::time::sleep(TOGETHER).await;
            self.changes.borrow_and_update();
            let sandbox = self.sandbox.clone();
            sandbox.discord().read(|state| self.look(state));
            self.look_beside();
        }
    }

    /// Queues what changed in the emulated Discord.
    fn look(&mut self, state: &mut State) {
        self.send_whole("world", view::world(state, self.person));
        let seen: Vec<Value> = state
            .messages
            .values()
            .filter(|message| {
                // A thread that was started shows on its message.
                let threaded =
                    state.world.channels.contains_key(&message.id) && !self.threads.contains(&message.id);
                threaded || self.messages.get(&message.id) != Some(&stamp(message))
            })
            .filter_map(|message| {
                let new = !self.messages.contains_key(&message.id);
                let shown = view::message(state, message, self.person)?;
                (message.exists() || !new).then_some(shown)
            })
            .collect();
        self.threads.extend(state.world.channels.keys());
        self.messages.extend(state.messages.values().map(|message| (message.id, stamp(message))));
        if !seen.is_empty() {
            self.queue.push_back(("message", Value::Array(seen)));
        }
        let now = state.time.now();
        let typing = state.typing.iter().filter(|(_, _, since)| now.saturating_sub(*since) < TYPING);
        let typing: Vec<Value> =
            typing.map(|(channel, user, _)| json!({"channel": channel, "user": user})).collect();
        self.send_whole("typing", Value::Array(typing));
        for interaction in state.interactions.values().filter(|it| it.user == self.person) {
            let late = now.saturating_sub(interaction.created_at) > ANSWER_WITHIN;
            let overdue = if late { Overdue::Yes } else { Overdue::NotYet };
            if let Some(shown) = view::interaction(interaction, overdue)
                && self.interactions.insert(interaction.id)
            {
                self.queue.push_back(("interaction", shown));
            }
        }
    }

    /// Queues what changed in the panel.
    fn look_beside(&mut self) {
        let pool = Value::clone(&self.pool.borrow_and_update());
        self.send_whole("pool", pool);
        self.send_whole("faults", actions::faults(&self.sandbox));
        for note in self.notes.borrow_and_update().iter().filter(|note| note.number > self.noted) {
            self.queue.push_back(("note", json!(note)));
        }
        self.noted = self.notes.borrow().back().map_or(self.noted, |last| last.number);
    }

    fn send_whole(&mut self, kind: &'static str, value: Value) {
        if self.whole.get(kind) != Some(&value) {
            self.whole.insert(kind, value.clone());
            self.queue.push_back((kind, value));
        }
    }
}

fn stamp(message: &Message) -> Stamp {
    let reactions = message.reactions.iter().map(|reaction| reaction.users.len()).sum();
    (message.timeline.len(), message.exists(), message.is_loading(), reactions)
}
