//! What people chose, kept in the database; what was read last stands in while it is slow or away, so that no chat waits
//! for it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use poise::serenity_prelude as serenity;
use tokio::time::{Instant, timeout};

use super::data::{Bot, Recent};
use crate::{
    chat::settings::{self, Applied, Choice, Layer},
    clock,
    storage::{Setting, Shared, StorageError, Subject},
};

/// The setting's name in the database.
const MODEL: &str = "model";
/// How long a chat waits for the database before it goes on with what was read last.
const PATIENCE: Duration = Duration::from_millis(500);
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

    fn subjects(&self) -> Vec<(Layer, Subject)> {
        Layer::ALL.into_iter().filter_map(|layer| Some((layer, self.subject(layer)?))).collect()
    }
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
    known: Mutex<Recent<Subject, Option<Choice>>>,
    complained_at: Mutex<Option<Instant>>,
}

impl Choices {
    /// What stands in this database.
    pub(super) fn new(storage: Arc<Shared>) -> Self {
        Self { storage, known: Mutex::new(Recent::new(REMEMBERED)), complained_at: Mutex::default() }
    }

    /// The choices that were made for where somebody speaks, the nearest first.
    pub(super) async fn of(&self, spot: &Spot) -> Vec<(Layer, Choice)> {
        let subjects = spot.subjects();
        let asked: Vec<Subject> = subjects.iter().map(|(_, subject)| subject.clone()).collect();
        let read = timeout(PATIENCE, async { self.storage.open().await?.settings(MODEL, &asked).await });
        let problem = match read.await {
            Ok(Ok(found)) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                for (_, subject) in &subjects {
                    let value = found.iter().find(|(of, _)| of == subject);
                    // What only a later version understands does not apply.
                    known.insert(subject.clone(), value.and_then(|(_, value)| value.parse().ok()));
                }
                None
            }
            Ok(Err(error)) => {
                self.storage.failed(&error).await;
                Some(error.to_string())
            }
            Err(_) => Some(format!("no answer within {} ms", PATIENCE.as_millis())),
        };
        if let Some(problem) = problem {
            self.complain(&problem);
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let choice = |subject| known.get(subject).cloned().flatten();
        subjects.iter().filter_map(|(layer, subject)| Some((*layer, choice(subject)?))).collect()
    }

    /// Keeps a choice; `None` takes it back.
    pub(super) async fn put(
        &self,
        spot: &Spot,
        layer: Layer,
        choice: Option<&Choice>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Unkept> {
        let subject = spot.subject(layer).ok_or(Unkept::Nowhere(layer))?;
        let write = async {
            let storage = self.storage.open().await?;
            match choice {
                None => storage.unset(&subject, MODEL).await.map(drop),
                Some(choice) => {
                    let setting = Setting {
                        name: MODEL,
                        value: choice.to_string(),
                        set_by: spot.person.to_string(),
                        set_at: now.timestamp_millis(),
                    };
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
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(subject, choice.cloned());
        Ok(())
    }

    fn complain(&self, problem: &str) {
        let mut last = self.complained_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::instant();
        if last.is_none_or(|at| at + COMPLAIN <= now) {
            *last = Some(now);
            tracing::warn!(
                problem,
                "Choices of models cannot be read; those that were read last apply. See DATABASE_URL, `cortana doctor`"
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
