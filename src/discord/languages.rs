//! In which language somebody is spoken to.
//!
//! Interactions tell the person's own language. Messages do not: in a server the server's counts, in direct messages the one
//! that the person's last interaction told. `DEFAULT_LANGUAGE` stands in where nothing is known. A server that is set to
//! `en-US` says nothing, since that is Discord's default.

use std::sync::PoisonError;

use super::{data::Bot, ground::Where};
use crate::{chat::Place, language::Language};

/// People whose languages are remembered.
pub(super) const REMEMBERED: usize = 10_000;

/// What a server is set to where nobody chose.
pub(super) const UNCHOSEN: &str = "en-US";

impl Bot {
    /// The language of somebody who clicked, sent a form or used a command.
    pub(super) fn language_of(&self, person: u64, locale: &str) -> Language {
        let Some(language) = self.languages.of(locale) else { return self.default_language() };
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner).insert(person, language.clone());
        language
    }

    /// The language for an answer to a message.
    pub(super) fn language_at(&self, place: &Where, person: u64) -> Language {
        let found = match place.place {
            Place::Direct => self.last_language_of(person),
            Place::Channel { .. } => place.locale.as_deref().and_then(|locale| self.languages.of(locale)),
        };
        found.unwrap_or_else(|| self.default_language())
    }

    /// The language of a message that somebody clicked on: the server's, or in direct messages theirs.
    pub(super) fn language_around(&self, person: u64, locale: &str, server: Option<&str>) -> Language {
        let Some(server) = server else { return self.language_of(person, locale) };
        self.languages.of(server).filter(|_| server != UNCHOSEN).unwrap_or_else(|| self.default_language())
    }

    /// The language for somebody who did nothing now, in a server with this locale or in direct messages: of an answer that
    /// another process gave, and of alerts.
    pub(super) fn language_for(&self, person: u64, server: Option<&str>) -> Language {
        let found = match server {
            Some(UNCHOSEN) => None,
            Some(locale) => self.languages.of(locale),
            None => self.last_language_of(person),
        };
        found.unwrap_or_else(|| self.default_language())
    }

    fn last_language_of(&self, person: u64) -> Option<Language> {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner).get(&person).cloned()
    }

    fn default_language(&self) -> Language {
        self.served.borrow().settings.default_language.clone()
    }
}
