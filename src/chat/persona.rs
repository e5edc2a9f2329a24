//! Personas: how the bot speaks, chosen where somebody asks as models are.

use std::{fmt, str::FromStr};

use super::settings::{Layer, Passed};
use crate::config::Persona;
use crate::language::{Language, say};

/// Whose a persona is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    /// The operator's: a file.
    File,
    /// A server's, typed there.
    Server,
    /// A person's own.
    Person,
}

impl Shelf {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::File, Self::Server, Self::Person];

    /// Its name in storage.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Server => "server",
            Self::Person => "person",
        }
    }

    /// Whose it is, for people.
    pub fn whose(self, language: &Language) -> String {
        match self {
            Self::File => say!(language, "whose-bots"),
            Self::Server => say!(language, "whose-servers"),
            Self::Person => say!(language, "whose-own"),
        }
    }
}

/// Which persona somebody chose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PersonaRef {
    /// Whose.
    pub shelf: Shelf,
    /// Its name.
    pub name: String,
}

impl fmt::Display for PersonaRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.shelf.name(), self.name)
    }
}

/// A text names no persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a persona")]
pub struct NoPersona;

impl FromStr for PersonaRef {
    type Err = NoPersona;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (shelf, name) = text.split_once(':').ok_or(NoPersona)?;
        let shelf = Shelf::ALL.into_iter().find(|known| known.name() == shelf).ok_or(NoPersona)?;
        Ok(Self { shelf, name: name.to_owned() })
    }
}

/// What applies to a question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppliedPersona {
    /// The persona, and where it was chosen.
    pub persona: Option<(Persona, PersonaRef, Layer)>,
    /// The choices that do not apply, and why.
    pub passed: Vec<(Layer, PersonaRef, Passed)>,
}

/// Which choice applies: the nearest of a persona that is there.
pub fn resolve_persona(
    choices: &[(Layer, PersonaRef)],
    known: impl Fn(&PersonaRef) -> Option<Persona>,
) -> AppliedPersona {
    let mut sorted: Vec<_> = choices.iter().collect();
    sorted.sort_by_key(|(layer, _)| *layer);
    let mut applied = AppliedPersona::default();
    for (layer, choice) in sorted {
        match known(choice) {
            None => applied.passed.push((*layer, choice.clone(), Passed::Gone)),
            Some(_) if applied.persona.is_some() => {
                applied.passed.push((*layer, choice.clone(), Passed::Nearer));
            }
            Some(persona) => applied.persona = Some((persona, choice.clone(), *layer)),
        }
    }
    applied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_persona_that_is_there_applies() {
        let of = |text: &str| text.parse::<PersonaRef>().unwrap();
        let choices = [
            (Layer::Server, of("file:pirate")),
            (Layer::Person, of("person:gone")),
            (Layer::Channel, of("server:poet: of a kind")),
        ];
        let known = |found: &PersonaRef| {
            let persona = Persona { name: found.name.clone(), title: None, text: "Speak so.".to_owned() };
            (found.name != "gone").then_some(persona)
        };
        let applied = resolve_persona(&choices, known);
        let (persona, _, layer) = applied.persona.unwrap();
        assert_eq!((persona.name.as_str(), layer), ("poet: of a kind", Layer::Channel));
        let passed: Vec<_> = applied.passed.iter().map(|(layer, _, why)| (*layer, *why)).collect();
        assert_eq!(passed, [(Layer::Person, Passed::Gone), (Layer::Server, Passed::Nearer)]);
        assert_eq!(resolve_persona(&[], known), AppliedPersona::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["file:pirate", "server:a:b", "person:é"] {
            assert_eq!(text.parse::<PersonaRef>().unwrap().to_string(), text);
        }
        assert_eq!("shelf:x".parse::<PersonaRef>(), Err(NoPersona));
    }
}
