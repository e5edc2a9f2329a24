//! What people chose, kept in the database; what was read last stands in while it is slow or away, so that no chat waits
//! for it.

use std::{
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use poise::serenity_prelude as serenity;
use tokio::time::{Instant, timeout};

use super::data::{Bot, Recent};
use crate::{
    chat::{
        PersonaRef, Shelf,
        settings::{self, Applied, Choice, Layer},
    },
    clock,
    storage::{Setting, Shared, StorageError, Subject},
};

/// The settings' names in the database.
const MODEL: &str = "model";
const PERSONA: &str = "persona";
const AFRESH: &str = "afresh";
const TOOLS: &str = "tools";
/// The scope of what holds in all direct messages.
const DIRECT: &str = "direct";
/// The scope of what holds for one person in one channel.
const CONVERSATION: &str = "conversation";
/// How long a chat waits for the database before it goes on with what was read last.
const PATIENCE: Duration = Duration::from_millis(500);
/// The same where nothing was read before: going on without would be going on with something else.
const FIRST: Duration = Duration::from_secs(3);
/// How long a person who chooses waits for it.
const LONGEST: Duration = Duration::from_secs(5);
/// How often a database that cannot be read is complained about.
const COMPLAIN: Duration = Duration::from_mins(1);
/// Choices that are remembered.
const REMEMBERED: usize = 10_000;

/// Who speaks, and where: what a choice can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// The person.
    pub(super) person: u64,
    server: Option<u64>,
    channel: u64,
    /// The channel that the channel, a thread, hangs on.
    parent: Option<u64>,
}

impl Spot {
    /// `parent` is the channel that a thread hangs on.
    pub(super) fn new(
        person: serenity::UserId,
        server: Option<serenity::GuildId>,
        channel: serenity::ChannelId,
        parent: Option<serenity::ChannelId>,
    ) -> Self {
        Self {
            person: person.get(),
            server: server.map(serenity::GuildId::get),
            channel: channel.get(),
            parent: parent.map(serenity::ChannelId::get),
        }
    }

    /// Where an interaction came from: its channel says whether it is a thread.
    pub(super) fn of_interaction(
        person: serenity::UserId,
        server: Option<serenity::GuildId>,
        channel: serenity::ChannelId,
        partial: Option<&serenity::PartialChannel>,
    ) -> Self {
        let thread = partial.filter(|channel| channel.thread_metadata.is_some());
        Self::new(person, server, channel, thread.and_then(|thread| thread.parent_id))
    }

    /// Whether there is such a thing here: direct messages have no server and no channel of it.
    pub(super) fn has(&self, layer: Layer) -> bool {
        self.subject(layer).is_some()
    }

    fn subject(&self, layer: Layer) -> Option<Subject> {
        let id = match layer {
            Layer::Person => Some(self.person),
            Layer::Thread => self.parent.map(|_| self.channel),
            Layer::Channel => self.server.map(|_| self.parent.unwrap_or(self.channel)),
            Layer::Server => self.server,
        };
        id.map(|id| Subject { scope: layer.name(), id: id.to_string() })
    }

    /// Who owns the personas of a shelf here; nobody those of files.
    pub(super) fn owner(&self, of: Shelf) -> Option<Subject> {
        match of {
            Shelf::File => None,
            Shelf::Server => self.subject(Layer::Server),
            Shelf::Person => self.subject(Layer::Person),
        }
    }

    /// The conversation of this person here.
    fn conversation(&self) -> Subject {
        Subject { scope: CONVERSATION, id: format!("{}:{}", self.channel, self.person) }
    }

    /// Where operators switch tools on: a server, or direct messages as a whole.
    fn tools_of(&self) -> Subject {
        let direct = || Subject { scope: DIRECT, id: "all".to_owned() };
        self.subject(Layer::Server).unwrap_or_else(direct)
    }

    fn subjects(&self) -> Vec<(Layer, Subject)> {
        Layer::ALL.into_iter().filter_map(|layer| Some((layer, self.subject(layer)?))).collect()
    }
}

/// Whether something is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, poise::ChoiceParameter)]
pub(super) enum Switch {
    /// It is.
    #[name = "on"]
    On,
    /// It is not.
    #[name = "off"]
    Off,
}

/// A choice that could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unkept {
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database did not answer.
    #[error("the database did not answer within {} s", LONGEST.as_secs())]
    Slow,
    /// There is no such thing here.
    #[error("there is no {} here", .0.name())]
    Nowhere(Layer),
}

/// What people chose.
#[derive(Debug)]
pub(super) struct Choices {
    storage: Arc<Shared>,
    /// As read or set last.
    known: Mutex<Recent<(&'static str, Subject), Option<String>>>,
    complained_at: Mutex<Option<Instant>>,
}

impl Choices {
    /// What stands in this database.
    pub(super) fn new(storage: Arc<Shared>) -> Self {
        Self { storage, known: Mutex::new(Recent::new(REMEMBERED)), complained_at: Mutex::default() }
    }

    /// The choices of models that were made for where somebody speaks, the nearest first.
    pub(super) async fn of(&self, spot: &Spot) -> Vec<(Layer, Choice)> {
        self.chosen(MODEL, spot).await
    }

    /// The same of personas.
    pub(super) async fn personas(&self, spot: &Spot) -> Vec<(Layer, PersonaRef)> {
        self.chosen(PERSONA, spot).await
    }

    /// What only a later version understands does not apply.
    async fn chosen<T: FromStr>(&self, name: &'static str, spot: &Spot) -> Vec<(Layer, T)> {
        let (layers, subjects): (Vec<_>, Vec<_>) = spot.subjects().into_iter().unzip();
        let values = self.read(name, &subjects).await;
        layers
            .into_iter()
            .zip(values)
            .filter_map(|(layer, value)| Some((layer, value?.parse().ok()?)))
            .collect()
    }

    /// With which id a person began afresh where they speak; 0 for never.
    pub(super) async fn afresh(&self, spot: &Spot) -> u64 {
        let values = self.read(AFRESH, &[spot.conversation()]).await;
        values.into_iter().flatten().find_map(|value| value.parse().ok()).unwrap_or_default()
    }

    /// Whether operators let models call tools where somebody speaks.
    pub(super) async fn has_tools(&self, spot: &Spot) -> bool {
        let values = self.read(TOOLS, &[spot.tools_of()]).await;
        values.into_iter().flatten().any(|value| value == "on")
    }

    /// Keeps that models may call tools there, or that they may not.
    pub(super) async fn put_tools(
        &self,
        spot: &Spot,
        switch: Switch,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Unkept> {
        let value = match switch {
            Switch::On => Some("on".to_owned()),
            Switch::Off => None,
        };
        self.keep((TOOLS, spot.tools_of()), value, spot, now).await
    }

    /// The values of a setting for these subjects, each in its place.
    async fn read(&self, name: &'static str, subjects: &[Subject]) -> Vec<Option<String>> {
        let is_known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            subjects.iter().all(|subject| known.get(&(name, subject.clone())).is_some())
        };
        let patience = if is_known { PATIENCE } else { FIRST };
        let read = timeout(patience, async { self.storage.open().await?.settings(name, subjects).await });
        let problem = match read.await {
            Ok(Ok(found)) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                for subject in subjects {
                    let value = found.iter().find(|(of, _)| of == subject);
                    known.insert((name, subject.clone()), value.map(|(_, value)| value.clone()));
                }
                None
            }
            Ok(Err(error)) => {
                self.storage.failed(&error).await;
                Some(error.to_string())
            }
            Err(_) => Some(format!("no answer within {} ms", patience.as_millis())),
        };
        if let Some(problem) = problem {
            self.complain(&problem);
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        subjects.iter().map(|subject| known.get(&(name, subject.clone())).cloned().flatten()).collect()
    }

    /// Keeps a choice of a model; `None` takes it back.
    pub(super) async fn put(
        &self,
        spot: &Spot,
        layer: Layer,
        choice: Option<&Choice>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Unkept> {
        let subject = spot.subject(layer).ok_or(Unkept::Nowhere(layer))?;
        self.keep((MODEL, subject), choice.map(ToString::to_string), spot, now).await
    }

    /// Keeps a choice of a persona; `None` takes it back.
    pub(super) async fn put_persona(
        &self,
        spot: &Spot,
        layer: Layer,
        choice: Option<&PersonaRef>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Unkept> {
        let subject = spot.subject(layer).ok_or(Unkept::Nowhere(layer))?;
        self.keep((PERSONA, subject), choice.map(ToString::to_string), spot, now).await
    }

    /// A person begins afresh where they speak, with this id.
    pub(super) async fn begin_afresh(
        &self,
        spot: &Spot,
        id: u64,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Unkept> {
        self.keep((AFRESH, spot.conversation()), Some(id.to_string()), spot, now).await
    }

    async fn keep(
        &self,
        (name, subject): (&'static str, Subject),
        value: Option<String>,
        by: &Spot,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Unkept> {
        let write = async {
            let storage = self.storage.open().await?;
            match &value {
                None => storage.unset(&subject, name).await.map(drop),
                Some(value) => {
                    let (value, set_by) = (value.clone(), by.person.to_string());
                    let setting = Setting { name, value, set_by, set_at: now.timestamp_millis() };
                    storage.set(&subject, &setting).await
                }
            }
        };
        match timeout(LONGEST, write).await {
            Err(_) => return Err(Unkept::Slow),
            Ok(Err(error)) => {
                self.storage.failed(&error).await;
                return Err(error.into());
            }
            Ok(Ok(())) => {}
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert((name, subject), value);
        Ok(())
    }

    fn complain(&self, problem: &str) {
        let mut last = self.complained_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::instant();
        if last.is_none_or(|at| at + COMPLAIN <= now) {
            *last = Some(now);
            tracing::warn!(
                problem,
                "What people chose cannot be read; those that were read last apply. See DATABASE_URL, `cortana doctor`"
            );
        }
    }
}

impl Bot {
    /// What applies where somebody speaks.
    pub(super) async fn applied(&self, spot: &Spot) -> Applied {
        let choices = self.choices.of(spot).await;
        settings::resolve(&choices, &self.served().chat.allowed_models, &self.providers())
    }
}
