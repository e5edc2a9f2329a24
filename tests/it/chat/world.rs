//! A simulated Discord in virtual time: 80 ms a request, five edits of a channel in 5 s, everything recorded.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use cortana::{
    chat::{
        Asides, Ended, Exchange, Learned, PATIENCE, Pace, Pacers, Payload, RateKey, Reader, ReplySink,
        SinkError,
    },
    clock::instant,
    language::Language,
    llm::{ChatEvent, ChatFailure, Finish},
    provider::ModelRef,
    shutdown::Shutdown,
};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One way of a request.
const HALF: Duration = Duration::from_millis(40);
/// A channel's edits: 5 in 5 s.
const CHANNEL: &[(u32, Duration)] = &[(5, Duration::from_secs(5))];
/// An interaction's: 5 in 2 s and 30 in 60 s.
const INTERACTION: &[(u32, Duration)] = &[(5, Duration::from_secs(2)), (30, Duration::from_mins(1))];
/// How long an answer to a command is edited as such.
const QUICK: Duration = Duration::from_secs(12);

/// A model's answer.
pub(super) type Events = BoxStream<'static, Result<ChatEvent, ChatFailure>>;
/// When each word was said.
pub(super) type Said = Arc<Mutex<Vec<Instant>>>;

/// What a message showed from an instant on.
pub(super) struct Shown {
    pub(super) at: Instant,
    pub(super) reply: usize,
    pub(super) index: usize,
    pub(super) payload: Payload,
}

#[derive(Default)]
struct State {
    shown: Vec<Shown>,
    windows: BTreeMap<(RateKey, usize), (Instant, u32)>,
    refusals: usize,
    typing: Vec<Instant>,
    faults: VecDeque<SinkError>,
    sends: usize,
}

/// The simulated Discord.
#[derive(Clone, Default)]
pub(super) struct World {
    state: Arc<Mutex<State>>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn sink(&self, reply: usize, channel: &str) -> Arc<dyn ReplySink> {
        Arc::new(Sink { world: self.clone(), reply, key: RateKey(channel.to_owned()), promised_at: None })
    }

    /// An answer to a command: edited as such for a while and then as any message of a channel, or as such for ever.
    pub(super) fn promised(&self, reply: usize, channel: Option<&str>) -> Arc<dyn ReplySink> {
        let key = RateKey(channel.unwrap_or_default().to_owned());
        Arc::new(Sink { world: self.clone(), reply, key, promised_at: Some(instant()) })
    }

    /// The next sends fail so.
    pub(super) fn fail_next(&self, errors: impl IntoIterator<Item = SinkError>) {
        self.state().faults.extend(errors);
    }

    /// 429s that the windows caused.
    pub(super) fn refusals(&self) -> usize {
        self.state().refusals
    }

    /// Requests that wrote or tried to.
    pub(super) fn sends(&self) -> usize {
        self.state().sends
    }

    pub(super) fn typing(&self) -> Vec<Instant> {
        self.state().typing.clone()
    }

    /// What the messages of a reply show now.
    pub(super) fn messages(&self, reply: usize) -> Vec<Payload> {
        let mut found: BTreeMap<usize, Payload> = BTreeMap::new();
        for shown in self.state().shown.iter().filter(|shown| shown.reply == reply) {
            found.insert(shown.index, shown.payload.clone());
        }
        found.into_values().collect()
    }

    /// All that a reply shows now.
    pub(super) fn text(&self, reply: usize) -> String {
        self.messages(reply).iter().map(|payload| payload.text.as_str()).collect()
    }

    /// When at least `length` bytes of a reply were visible.
    pub(super) fn visible_at(&self, reply: usize, length: usize) -> Option<Instant> {
        let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
        for shown in self.state().shown.iter().filter(|shown| shown.reply == reply) {
            lengths.insert(shown.index, shown.payload.text.len());
            if lengths.values().sum::<usize>() >= length {
                return Some(shown.at);
            }
        }
        None
    }

    /// When something of the answer itself was first visible, and whether a line stood in for it before.
    pub(super) fn first_text(&self, reply: usize) -> (Instant, bool) {
        let state = self.state();
        let mut shown = state.shown.iter().filter(|shown| shown.reply == reply);
        let stood_in = shown.clone().any(|shown| shown.payload.stands_in);
        let first = shown.find(|shown| !shown.payload.stands_in).expect("a text");
        (first.at, stood_in)
    }

    pub(super) fn last_change(&self, reply: usize) -> Option<Instant> {
        self.state().shown.iter().filter(|shown| shown.reply == reply).map(|shown| shown.at).max()
    }
}

struct Sink {
    world: World,
    reply: usize,
    /// The channel's; empty where there is none.
    key: RateKey,
    promised_at: Option<Instant>,
}

#[async_trait]
impl ReplySink for Sink {
    fn key(&self) -> RateKey {
        if self.is_interaction() { RateKey(format!("interaction:{}", self.reply)) } else { self.key.clone() }
    }

    fn pace(&self) -> Pace {
        match (self.is_interaction(), self.key.0.is_empty()) {
            (false, _) => Pace::Even,
            (true, false) => Pace::Brisk,
            (true, true) => Pace::Sparing,
        }
    }

    fn limit(&self) -> usize {
        2000
    }

    async fn send(&self, index: usize, payload: &Payload) -> Result<Learned, SinkError> {
        tokio::time::sleep(HALF).await;
        let result = self.arrive(index, payload);
        tokio::time::sleep(HALF).await;
        result
    }

    async fn typing(&self) {
        self.world.state().typing.push(instant());
        tokio::time::sleep(2 * HALF).await;
    }
}

impl Sink {
    fn is_interaction(&self) -> bool {
        self.promised_at.is_some_and(|at| self.key.0.is_empty() || instant() < at + QUICK)
    }

    fn arrive(&self, index: usize, payload: &Payload) -> Result<Learned, SinkError> {
        let now = instant();
        let mut state = self.world.state();
        state.sends += 1;
        if let Some(error) = state.faults.pop_front() {
            return Err(error);
        }
        assert!(!payload.text.trim().is_empty(), "Discord refuses an empty message");
        assert!(payload.text.encode_utf16().count() <= 2000, "Discord refuses a longer message");
        let is_edit = state.shown.iter().any(|shown| shown.reply == self.reply && shown.index == index);
        // What was promised is there already: its first text is an edit too.
        let is_promised = index == 0 && self.promised_at.is_some();
        let learned = if is_edit || is_promised { self.count(&mut state, now)? } else { Learned::default() };
        let at = now + HALF;
        state.shown.push(Shown { at, reply: self.reply, index, payload: payload.clone() });
        Ok(learned)
    }
}

impl Sink {
    /// Counts an edit in all windows of its budget; what the tightest teaches.
    fn count(&self, state: &mut State, now: Instant) -> Result<Learned, SinkError> {
        let rules = if self.is_interaction() { INTERACTION } else { CHANNEL };
        let mut tightest: Option<Learned> = None;
        for (index, (limit, window)) in rules.iter().enumerate() {
            let entry = state.windows.entry((self.key(), index)).or_insert((now, 0));
            if now >= entry.0 + *window {
                *entry = (now, 0);
            }
            let reset_after = entry.0 + *window - now;
            if entry.1 >= *limit {
                state.refusals += 1;
                return Err(SinkError::RateLimited { retry_after: reset_after });
            }
            let remaining = limit - entry.1 - 1;
            if tightest.is_none_or(|other| other.remaining > Some(remaining)) {
                tightest = Some(Learned {
                    wait: None,
                    remaining: Some(remaining),
                    limit: Some(*limit),
                    reset_after: Some(reset_after),
                });
            }
        }
        for index in 0..rules.len() {
            if let Some(entry) = state.windows.get_mut(&(self.key(), index)) {
                entry.1 += 1;
            }
        }
        Ok(tightest.unwrap_or_default())
    }
}

/// The words that a simulated model says: 4.5 characters each, nothing that a message would trim or a fence.
pub(super) fn words(count: usize) -> Vec<String> {
    (0..count).map(|index| if index % 2 == 0 { "word ".to_owned() } else { "and ".to_owned() }).collect()
}

pub(super) fn finished() -> ChatEvent {
    let model: ModelRef = "gemini_cli/pro".parse().unwrap();
    ChatEvent::Finished { finish: Finish::Stop, usage: None, model }
}

/// Events at their distances from one another.
pub(super) fn timed(events: Vec<(Duration, Result<ChatEvent, ChatFailure>)>) -> Events {
    stream::iter(events)
        .then(|(after, event)| async move {
            tokio::time::sleep(after).await;
            event
        })
        .boxed()
}

/// A model that says `words` at 50 a second, and when each was said.
pub(super) fn model(words: &[String]) -> (Events, Said) {
    model_at(words, Duration::from_millis(20))
}

/// The same with another pause between words.
pub(super) fn model_at(words: &[String], pause: Duration) -> (Events, Said) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&said);
    let words = words.to_vec();
    let events = stream::iter(words)
        .then(move |word| {
            let record = Arc::clone(&record);
            async move {
                tokio::time::sleep(pause).await;
                record.lock().unwrap().push(instant());
                Ok(ChatEvent::Text(word))
            }
        })
        .chain(stream::once(async { Ok(finished()) }));
    (events.boxed(), said)
}

/// Everything around exchanges.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) shutdown: Shutdown,
    pub(super) pacers: Pacers,
    pub(super) stop: CancellationToken,
    pub(super) drain: CancellationToken,
    pub(super) patience: Duration,
}

impl Stage {
    pub(super) fn new() -> Self {
        let shutdown = Shutdown::new();
        Self {
            world: World::default(),
            pacers: Pacers::new(shutdown.clone()),
            shutdown,
            stop: CancellationToken::new(),
            drain: CancellationToken::new(),
            patience: PATIENCE,
        }
    }

    /// Runs an exchange of this stage.
    pub(super) async fn run(&self, reply: usize, channel: &str, events: Events) -> Ended {
        self.run_in(self.world.sink(reply, channel), events).await
    }

    /// The same in a place of its own.
    pub(super) async fn run_in(&self, sink: Arc<dyn ReplySink>, events: Events) -> Ended {
        let exchange = Exchange {
            patience: self.patience,
            asides: Asides::default(),
            id: "1a2b3c4d".to_owned(),
            sink,
            pacers: self.pacers.clone(),
            reader: Reader::Person,
            language: Language::english(),
            stop: self.stop.clone(),
            drain: self.drain.clone(),
        };
        exchange.run(events).await
    }

    /// The longest time that a word of a reply was said and not visible.
    pub(super) fn staleness(&self, reply: usize, words: &[String], said: &Mutex<Vec<Instant>>) -> Duration {
        self.waits(reply, words, said).into_iter().map(|(_, wait)| wait).max().unwrap_or_default()
    }

    /// When each word of a reply was said, and how long it was not visible.
    pub(super) fn waits(
        &self,
        reply: usize,
        words: &[String],
        said: &Mutex<Vec<Instant>>,
    ) -> Vec<(Instant, Duration)> {
        let mut length = 0;
        let said = said.lock().unwrap();
        assert_eq!(said.len(), words.len(), "the model said everything");
        let waits = words.iter().zip(said.iter()).map(|(word, said)| {
            length += word.len();
            let visible = self.world.visible_at(reply, length).expect("every word became visible");
            (*said, visible.saturating_duration_since(*said))
        });
        waits.collect()
    }
}
