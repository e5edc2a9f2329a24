//! What every event and command of the bot may use, and its small bounded memories.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    asked::Asked, attachments::Attachments, beginnings::Beginnings, checks::Access, choices::Choices,
    connecting::Connecting, enclosed::Enclosed, events::Answered, ground::Found, journal::Journal,
    personas::Personas, register::CommandIds, transport::Rest, usage::Usage,
};
use crate::{
    chat::{Inflight, Pacers, Permissions},
    clock::{self, Clock},
    config::{ChatSettings, DiscordSettings},
    language::{Language, Languages},
    llm::Llm,
    pool::{Logins, Pool},
    provider::Catalog,
    shutdown::Shutdown,
    tools::Tools,
};

/// How long a channel that answered 403 is left alone (D19).
const QUIET_FOR: Duration = Duration::from_mins(10);

/// How many event ids are remembered against duplicates (D25).
const EVENTS: usize = 2048;

/// The settings that may change while the bot runs. Whoever needs several of them takes them once.
#[derive(Debug)]
pub struct Served {
    /// Discord's side of the settings.
    pub settings: DiscordSettings,
    /// How chats are run.
    pub chat: ChatSettings,
}

/// The bot, as its events and commands see it.
pub(super) struct Bot {
    /// The settings, as they are now.
    pub(super) served: watch::Receiver<Arc<Served>>,
    /// The models.
    pub(super) llm: Llm,
    /// Programs whose tools they may call.
    pub(super) tools: Tools,
    /// The credentials.
    pub(super) pool: Pool,
    /// Hugging Face's hub; none where its client could not be made.
    #[cfg(feature = "hub")]
    pub(super) hub: Option<crate::hub::Hub>,
    /// What makes and ends logins.
    pub(super) logins: Logins,
    /// Logins that wait for their answer.
    pub(super) connecting: Connecting,
    /// The languages that it speaks.
    pub(super) languages: Languages,
    /// The language of people's last interactions.
    pub(super) spoken: Mutex<Recent<u64, Language>>,
    /// What people chose.
    pub(super) choices: Choices,
    /// What is left of the beginning of long conversations.
    pub(super) beginnings: Beginnings,
    /// The answers that are being written, for whoever comes after.
    pub(super) journal: Journal,
    /// The personas that they typed.
    pub(super) personas: Personas,
    /// The clock.
    pub(super) clock: Arc<dyn Clock>,
    /// Requests.
    pub(super) rest: Arc<Rest>,
    /// Files that people attach.
    pub(super) attachments: Attachments,
    /// What came with commands.
    pub(super) enclosed: Enclosed,
    /// The commands, as Discord knows them.
    pub(super) commands: CommandIds,
    /// The application's id.
    pub(super) application: u64,
    /// The bot's user id.
    pub(super) user: u64,
    /// Who may do what.
    pub(super) access: Access,
    /// What everybody used lately.
    pub(super) usage: Usage,
    /// Channels to leave alone.
    pub(super) quiet: Arc<QuietChannels>,
    /// Channels that the connection did not tell of, as they were asked for.
    pub(super) grounds: Mutex<Recent<u64, Found>>,
    /// Channels that were told that the bot may open no threads there.
    pub(super) threadless: Mutex<Recent<u64, ()>>,
    /// Answers whose questions may still be changed.
    pub(super) answered: Mutex<Recent<u64, Answered>>,
    /// Events that were handled.
    pub(super) seen: Mutex<Recent<u64, ()>>,
    /// Who goes first in a channel.
    pub(super) inflight: Inflight,
    /// Who decides when messages are edited.
    pub(super) pacers: Pacers,
    /// Exchanges that run.
    pub(super) exchanges: Exchanges,
    /// The life of its tasks.
    pub(super) shutdown: Shutdown,
    /// Whether the gateway is connected.
    pub(super) connected: watch::Sender<bool>,
    /// Since when Discord refuses the content intent (D16).
    pub(super) intent_refused_at: watch::Sender<Option<DateTime<Utc>>>,
}

impl Bot {
    /// The settings as they are now.
    pub(super) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served.borrow())
    }

    /// The providers as they are now, with the models that they list.
    pub(super) fn providers(&self) -> Arc<Catalog> {
        self.llm.providers()
    }

    /// Whether this event id is new; it is not, the second time.
    pub(super) fn is_new(&self, event: u64) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(event, ()).is_none()
    }

    /// An empty memory of event ids.
    pub(super) fn no_events() -> Mutex<Recent<u64, ()>> {
        Mutex::new(Recent::new(EVENTS))
    }
}

/// A map that forgets its oldest entries.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    limit: usize,
    order: VecDeque<K>,
    entries: HashMap<K, V>,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// A map of `limit` entries at most.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, order: VecDeque::new(), entries: HashMap::new() }
    }

    /// Puts an entry; what stood there comes back.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let earlier = self.entries.insert(key.clone(), value);
        if earlier.is_none() {
            self.order.push_back(key);
            if self.order.len() > self.limit
                && let Some(oldest) = self.order.pop_front()
            {
                self.entries.remove(&oldest);
            }
        }
        earlier
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.order.retain(|other| other != key);
        self.entries.remove(key)
    }

    /// An entry.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// An entry, to change it.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }
}

/// Channels in which the bot may not write, for a while (D19).
#[derive(Debug)]
pub(super) struct QuietChannels {
    /// Where it may not write.
    all: Mutex<Recent<u64, Instant>>,
    /// Where its embeds are refused.
    embeds: Mutex<Recent<u64, Instant>>,
    /// Where it can open no threads.
    threads: Mutex<Recent<u64, Instant>>,
}

impl QuietChannels {
    /// None yet.
    pub(super) fn new() -> Self {
        let none = || Mutex::new(Recent::new(1024));
        Self { all: none(), embeds: none(), threads: none() }
    }

    /// Leaves a channel alone from now on.
    pub(super) fn rest(&self, channel: u64) {
        insert(&self.all, channel);
        tracing::warn!(
            discord.channel = channel,
            quiet.minutes = QUIET_FOR.as_secs() / 60,
            "Not allowed to write in a channel; leaving it alone for a while"
        );
    }

    /// Whether a channel is to be left alone now.
    pub(super) fn contains(&self, channel: u64) -> bool {
        holds(&self.all, channel)
    }

    /// Writes without embeds in a channel from now on.
    pub(super) fn note_lack_of_embeds(&self, channel: u64) {
        insert(&self.embeds, channel);
        tracing::warn!(
            discord.channel = channel,
            "Not allowed to embed in a channel (Embed Links); answering there with ordinary messages for a while"
        );
    }

    /// Whether embeds were refused in a channel lately.
    pub(super) fn lacks_embeds(&self, channel: u64) -> bool {
        holds(&self.embeds, channel)
    }

    /// Opens no threads in a channel from now on.
    pub(super) fn note_lack_of_threads(&self, channel: u64) {
        insert(&self.threads, channel);
    }

    /// Whether threads were refused in a channel lately.
    pub(super) fn lacks_threads(&self, channel: u64) -> bool {
        holds(&self.threads, channel)
    }
}

fn insert(channels: &Mutex<Recent<u64, Instant>>, channel: u64) {
    let until = clock::instant() + QUIET_FOR;
    channels.lock().unwrap_or_else(PoisonError::into_inner).insert(channel, until);
}

fn holds(channels: &Mutex<Recent<u64, Instant>>, channel: u64) -> bool {
    let now = clock::instant();
    channels.lock().unwrap_or_else(PoisonError::into_inner).get(&channel).is_some_and(|until| *until > now)
}

/// For this long after an exchange's end a click on its button may still be on its way.
const JUST_ENDED: Duration = Duration::from_secs(10);

/// Exchanges that run, by their ids, and how much must not be cut off: they and interactions.
#[derive(Debug)]
pub(super) struct Exchanges {
    running: Mutex<HashMap<String, Running>>,
    ended: Mutex<Recent<String, Instant>>,
    busy: watch::Sender<usize>,
}

/// Something that a drain waits for, while the value lives.
#[derive(Debug)]
pub(super) struct Busy(Arc<Bot>);

impl Busy {
    /// Counts from now on.
    pub(super) fn begin(bot: &Arc<Bot>) -> Self {
        bot.exchanges.busy.send_modify(|busy| *busy += 1);
        Self(Arc::clone(bot))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.exchanges.busy.send_modify(|busy| *busy -= 1);
    }
}

/// An exchange that runs.
#[derive(Debug, Clone)]
pub(super) struct Running {
    /// The question, and who asked it.
    pub(super) asked: Asked,
    /// The channel that the answer stands in.
    pub(super) channel: u64,
    /// Stops it.
    pub(super) stop: CancellationToken,
    /// Calls of tools that wait for whoever asked.
    pub(super) permissions: Permissions,
    /// The mark of what the question was changed to meanwhile.
    pub(super) edits: watch::Sender<Option<u64>>,
    /// Cancelled once its last state is being written: nothing is left to stop.
    pub(super) finishing: CancellationToken,
}

/// Keeps an exchange in the list while it lives.
#[derive(Debug)]
pub(super) struct Registered {
    busy: Busy,
    id: String,
    /// What is listed.
    pub(super) running: Running,
}

impl Exchanges {
    /// None yet.
    pub(super) fn new() -> Self {
        let ended = Mutex::new(Recent::new(EVENTS));
        Self { running: Mutex::new(HashMap::new()), ended, busy: watch::Sender::new(0) }
    }

    /// Lists an exchange until the value is dropped. `None`: this question is being answered.
    pub(super) fn register(bot: &Arc<Bot>, id: &str, asked: Asked, channel: u64) -> Option<Registered> {
        let running = Running {
            asked,
            channel,
            stop: CancellationToken::new(),
            permissions: Permissions::default(),
            edits: watch::Sender::new(None),
            finishing: CancellationToken::new(),
        };
        let mut map = bot.exchanges.running.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |other: &Running| other.asked.message == asked.message;
        if map.values().any(|other| is_same(other) && !other.finishing.is_cancelled()) {
            return None;
        }
        map.insert(id.to_owned(), running.clone());
        drop(map);
        Some(Registered { busy: Busy::begin(bot), id: id.to_owned(), running })
    }

    /// An exchange that runs.
    pub(super) fn get(&self, id: &str) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The exchange that answers a message.
    pub(super) fn answering(&self, question: u64) -> Option<Running> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().find(|exchange| exchange.asked.message == question).cloned()
    }

    /// What is being answered in a channel, or was asked there, oldest question first; without what is about to end.
    pub(super) fn here(&self, channel: u64) -> Vec<Running> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let is_here = |running: &&Running| [running.channel, running.asked.channel].contains(&channel);
        let mut here: Vec<Running> = running
            .values()
            .filter(is_here)
            .filter(|running| !running.finishing.is_cancelled())
            .cloned()
            .collect();
        here.sort_by_key(|running| running.asked.message);
        here
    }

    /// Whether an exchange ended so lately that somebody may have clicked before its end.
    pub(super) fn just_ended(&self, id: &str) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.entries.get(id).is_some_and(|at| clock::instant() < *at + JUST_ENDED)
    }

    /// How many run.
    pub(super) fn count(&self) -> usize {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How much must not be cut off: what runs, and interactions that wait for their answers.
    pub(super) fn busy(&self) -> usize {
        *self.busy.borrow()
    }

    /// Waits until nothing is left that must not be cut off, `limit` at most; `false` when something still was.
    pub(super) async fn finished(&self, limit: Duration) -> bool {
        let mut busy = self.busy.subscribe();
        tokio::time::timeout(limit, busy.wait_for(|busy| *busy == 0)).await.is_ok()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let exchanges = &self.busy.0.exchanges;
        // In this order: a click in between finds it running and finishing, never unknown.
        let mut ended = exchanges.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.insert(self.id.clone(), clock::instant());
        drop(ended);
        exchanges.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl std::fmt::Debug for Bot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Bot").field("application", &self.application).finish_non_exhaustive()
    }
}

/// An id that ties a reply, the log and an error together: eight hex digits.
pub(super) fn correlation_id() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d25_d27_recent_knows_the_last_ones_only() {
        let mut recent = Recent::new(2);
        assert_eq!(recent.insert(1, 'a'), None);
        assert_eq!(recent.insert(1, 'b'), Some('a'));
        recent.insert(2, 'c');
        recent.insert(3, 'd');
        assert_eq!((recent.get(&1), recent.get(&2), recent.get(&3)), (None, Some(&'c'), Some(&'d')));
        assert_eq!((recent.remove(&3), recent.remove(&3)), (Some('d'), None));
        assert_eq!(recent.order.len(), recent.entries.len());
    }

    #[tokio::test(start_paused = true)]
    async fn d19_a_forbidden_channel_is_left_alone_for_a_while() {
        let quiet = QuietChannels::new();
        assert!(!quiet.contains(7));
        quiet.rest(7);
        quiet.note_lack_of_threads(9);
        assert!(quiet.contains(7) && !quiet.contains(8) && !quiet.contains(9));
        assert!(quiet.lacks_threads(9) && !quiet.lacks_threads(7));
        tokio::time::advance(QUIET_FOR).await;
        assert!(!quiet.contains(7) && !quiet.lacks_threads(9));
    }

    #[test]
    fn ids_are_eight_hex_digits() {
        let id = correlation_id();
        assert!(id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    }
}
