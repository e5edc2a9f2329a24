//! What the bot says to people, in their languages: sentences by key, in `locales/<locale>.ftl` ([Project Fluent]).
//!
//! A language is one file. Its name is a locale of Discord's (`pt-BR.ftl`) or what several of them have in common
//! (`en.ftl` serves `en-US` and `en-GB`). Tests hold every file to the same sentences with the same variables, and the
//! code to sentences that exist: see CONTRIBUTING, "Adding a sentence".
//!
//! [Project Fluent]: https://projectfluent.org

mod value;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use fluent_bundle::{FluentArgs, FluentError, FluentResource, concurrent::FluentBundle};
use include_dir::{Dir, include_dir};
use unic_langid::LanguageIdentifier;

pub use value::Value;

/// The files, as they were when this was compiled.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/locales");

/// What stands in wherever another language has no sentence.
const ENGLISH: &str = "en";

/// The languages that this was compiled with; nothing of them ever changes.
static BUILT_IN: LazyLock<Languages> = LazyLock::new(Languages::compiled_in);

/// Every locale that Discord knows (reference, "Locales"; `AvailableLocalesEnum` of the `OpenAPI` document).
pub const DISCORDS_LOCALES: [&str; 34] = [
    "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl",
    "pt-BR", "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja",
    "zh-TW", "ko", "ar", "he",
];

/// One language. Clones share it.
#[derive(Clone)]
pub struct Language(Arc<Sentences>);

struct Sentences {
    /// The file's name without its end: `de`.
    name: String,
    bundle: FluentBundle<FluentResource>,
}

/// Every language that the bot speaks.
#[derive(Debug, Clone)]
pub struct Languages {
    all: Vec<Language>,
}

impl Language {
    /// English, which every key is in.
    pub fn english() -> Self {
        BUILT_IN.named(ENGLISH).expect("locales/en.ftl is compiled in; a test reads it")
    }

    /// Its name: a locale of Discord's, or the first part of several.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The sentence of a key; in English where this language has none. Written with `say!`, which a test reads.
    pub fn say(&self, key: &str, values: &[(&'static str, Value)]) -> String {
        let values = arguments(values);
        let found = self.0.of(key, &values).or_else(|| Self::english().0.of(key, &values));
        found.unwrap_or_else(|| {
            tracing::error!(language.key = key, "A sentence is missing in every language");
            key.to_owned()
        })
    }

    /// What a key's attribute says in this language; `None`: it has no word for it.
    pub fn attribute(&self, key: &str, attribute: Option<&str>) -> Option<String> {
        let message = self.0.bundle.get_message(key)?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name)?.value(),
            None => message.value()?,
        };
        Some(self.0.bundle.format_pattern(pattern, None, &mut Vec::new()).into_owned())
    }

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let locale: LanguageIdentifier =
            name.parse().map_err(|_| "its name is no locale, such as `de` or `pt-BR`".to_owned())?;
        let resource = FluentResource::try_new(text.to_owned())
            .map_err(|(_, errors)| errors.first().map(ToString::to_string).unwrap_or_default())?;
        let mut bundle = FluentBundle::new_concurrent(vec![locale]);
        // Marks around each variable would stand inside code and addresses. What they are for, a name that turns the
        // sentence around it, is taken out of the values instead (`value.rs`).
        bundle.set_use_isolating(false);
        bundle
            .add_resource(resource)
            .map_err(|errors| errors.first().map(FluentError::to_string).unwrap_or_default())?;
        Ok(Self(Arc::new(Sentences { name: name.to_owned(), bundle })))
    }
}

impl Sentences {
    fn of(&self, key: &str, values: &FluentArgs<'_>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(values), &mut errors);
        if let Some(error) = errors.first() {
            tracing::error!(language = self.name, language.key = key, error = %error, "A sentence has a gap");
        }
        Some(text.into_owned())
    }
}

fn arguments(values: &[(&'static str, Value)]) -> FluentArgs<'static> {
    values.iter().map(|(name, value)| (*name, value.clone().into_fluent())).collect()
}

impl Default for Language {
    fn default() -> Self {
        Self::english()
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Language {}

impl fmt::Debug for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Language").field(&self.0.name).finish()
    }
}

impl Languages {
    /// The languages that this was compiled with.
    pub fn built_in() -> Self {
        BUILT_IN.clone()
    }

    fn compiled_in() -> Self {
        let files = FILES.files().filter_map(|file| {
            let name = file.path().file_name()?.to_str()?.strip_suffix(".ftl")?;
            Some((name, file.contents_utf8()?))
        });
        // One that cannot be read is left out; `every_file_is_a_language` fails for it.
        let mut all: Vec<Language> =
            files.filter_map(|(name, text)| Language::parse(name, text).ok()).collect();
        all.sort_by(|one, other| one.name().cmp(other.name()));
        Self { all }
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(Language::name)
    }

    /// The language of this name.
    pub fn named(&self, name: &str) -> Option<Language> {
        self.all.iter().find(|language| language.name() == name).cloned()
    }

    /// The language for a locale of Discord's: its own, or that of its first part.
    pub fn of(&self, locale: &str) -> Option<Language> {
        let first = || self.named(locale.split_once('-')?.0);
        self.named(locale).or_else(first)
    }
}

/// The sentence of a key in a language, with what its variables stand for:
/// `say!(language, "limit-reached", count = 60, again = relative(at))`.
///
/// A test reads every use of it: the key has to be in every language, with exactly these variables.
macro_rules! say {
    ($language:expr, $key:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::language::Language::say(
            &$language,
            $key,
            &[$((stringify!($name), $crate::language::Value::from($value))),*],
        )
    };
}
pub(crate) use say;

#[cfg(test)]
mod tests;
