//! The personas that people may choose: those of files, and those that were typed in Discord, which are rows.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use super::{
    choices::{Spot, Unkept},
    data::{Bot, Recent},
};
use crate::{
    chat::{AppliedPersona, PersonaRef, Shelf, resolve_persona, settings::Layer},
    config::Persona,
    storage::{Named, Shared, Subject},
};

/// How long a chat waits for the database before it goes on with what was read last.
const PATIENCE: Duration = Duration::from_millis(500);
/// The same where nothing was read before.
const FIRST: Duration = Duration::from_secs(3);
/// How long an autocomplete waits for it, which Discord gives three seconds for all.
const SOON: Duration = Duration::from_secs(1);
/// How long a person who writes one waits for it.
const LONGEST: Duration = Duration::from_secs(5);
/// Owners whose personas are remembered: each has [`MOST`] of 4000 characters at most.
const REMEMBERED: usize = 200;
/// Personas of one server or person.
pub(super) const MOST: usize = 20;

/// The personas that were typed in Discord.
#[derive(Debug)]
pub(super) struct Personas {
    storage: Arc<Shared>,
    /// As read or written last.
    known: Mutex<Recent<Subject, Vec<Named>>>,
}

impl Personas {
    /// What stands in this database.
    pub(super) fn new(storage: Arc<Shared>) -> Self {
        Self { storage, known: Mutex::new(Recent::new(REMEMBERED)) }
    }

    /// Those of an owner; as read last where the database does not answer soon, or none after `first` where nothing was.
    async fn of(&self, owner: &Subject, first: Duration) -> Vec<Named> {
        let read = async { self.storage.open().await?.personas(owner).await };
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner).get(owner).cloned();
        match timeout(if known().is_some() { PATIENCE } else { first }, read).await {
            Ok(Ok(found)) => {
                self.remember(owner, found.clone());
                return found;
            }
            Ok(Err(error)) => self.storage.failed(&error).await,
            Err(_) => {}
        }
        known().unwrap_or_default()
    }

    fn remember(&self, owner: &Subject, personas: Vec<Named>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.clone(), personas);
    }

    /// Keeps one, or drops it where it has no text; whether there was room for it.
    pub(super) async fn put(
        &self,
        owner: &Subject,
        persona: &Named,
        by: &Spot,
        now: i64,
    ) -> Result<Room, Unkept> {
        let write = async {
            let storage = self.storage.open().await?;
            if persona.body.is_empty() {
                storage.drop_persona(owner, &persona.name).await?;
            } else {
                let others = storage.personas(owner).await?;
                if others.len() >= MOST && others.iter().all(|other| other.name != persona.name) {
                    return Ok(Room::Full);
                }
                storage.keep_persona(owner, persona, &by.person.to_string(), now).await?;
            }
            self.remember(owner, storage.personas(owner).await?);
            Ok(Room::Enough)
        };
        match timeout(LONGEST, write).await {
            Err(_) => Err(Unkept::Slow),
            Ok(Ok(room)) => Ok(room),
            Ok(Err(error)) => {
                self.storage.failed(&error).await;
                Err(error.into())
            }
        }
    }
}

/// Whether an owner may have another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It was kept.
    Enough,
    /// There are [`MOST`] already.
    Full,
}

impl Bot {
    /// Every persona that somebody may choose where they speak.
    pub(super) async fn personas_at(&self, spot: &Spot) -> Vec<(PersonaRef, Persona)> {
        self.personas_of(spot, &Shelf::ALL, FIRST).await
    }

    /// The same within a second: those that are known by then.
    pub(super) async fn personas_soon(&self, spot: &Spot) -> Vec<(PersonaRef, Persona)> {
        self.personas_of(spot, &Shelf::ALL, SOON).await
    }

    async fn personas_of(
        &self,
        spot: &Spot,
        shelves: &[Shelf],
        first: Duration,
    ) -> Vec<(PersonaRef, Persona)> {
        let of = |shelf: Shelf, persona: &Persona| {
            (PersonaRef { shelf, name: persona.name.clone() }, persona.clone())
        };
        let served = self.served();
        let mut found: Vec<_> = served.chat.personas.iter().map(|persona| of(Shelf::File, persona)).collect();
        let typed = async |shelf: Shelf| match spot.owner(shelf).filter(|_| shelves.contains(&shelf)) {
            None => Vec::new(),
            Some(owner) => self.personas.of(&owner, first).await,
        };
        let (servers, own) = tokio::join!(typed(Shelf::Server), typed(Shelf::Person));
        for (shelf, typed) in [(Shelf::Server, servers), (Shelf::Person, own)] {
            found.extend(
                typed
                    .into_iter()
                    .map(|Named { name, body }| of(shelf, &Persona { name, title: None, text: body })),
            );
        }
        found
    }

    /// The persona that applies where somebody speaks. Nothing is read where nobody chose one.
    pub(super) async fn applied_persona(&self, spot: &Spot) -> AppliedPersona {
        let choices: Vec<(Layer, PersonaRef)> = self.choices.personas(spot).await;
        if choices.is_empty() {
            return AppliedPersona::default();
        }
        let shelves: Vec<Shelf> = Shelf::ALL
            .into_iter()
            .filter(|of| choices.iter().any(|(_, choice)| choice.shelf == *of))
            .collect();
        let there = self.personas_of(spot, &shelves, FIRST).await;
        resolve_persona(&choices, |choice| {
            there.iter().find(|(found, _)| found == choice).map(|(_, persona)| persona.clone())
        })
    }
}
