//! The models that can be chosen here: what the providers with credentials offer, as far as operators allow it.

use std::{collections::HashSet, sync::Arc};

use super::data::{Bot, Served};
use crate::{
    chat::settings::Choice,
    config::nearest,
    language::{Language, say},
    provider::{Catalog, Model, ModelRef, Provider, ProviderId},
};

/// Names that a refusal suggests.
const SUGGESTIONS: usize = 3;

/// A model on offer.
#[derive(Debug, Clone)]
pub(super) struct Offer<'a> {
    /// Which.
    pub(super) model: ModelRef,
    /// Whose.
    pub(super) row: &'a Provider,
    /// What is known of it.
    pub(super) about: &'a Model,
}

/// Whether a model could answer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// A credential can be lent for it.
    Ready,
    /// None can at this moment.
    Resting,
}

impl Readiness {
    /// A sign and a word.
    pub(super) fn label(self, language: &Language) -> String {
        match self {
            Self::Ready => format!("✅ {}", say!(language, "model-ready")),
            Self::Resting => format!("⏳ {}", say!(language, "model-resting")),
        }
    }
}

/// What can be chosen now.
#[derive(Debug)]
pub(super) struct Offering {
    catalogue: Arc<Catalog>,
    served: Arc<Served>,
    /// The providers that have credentials.
    present: HashSet<ProviderId>,
}

impl Offering {
    pub(super) fn of(bot: &Bot) -> Self {
        let credentials = bot.pool.snapshot().credentials;
        let present = credentials.into_iter().filter_map(|credential| credential.provider).collect();
        Self { catalogue: bot.providers(), served: bot.served(), present }
    }

    /// The providers that have credentials, in the order in which they are tried.
    pub(super) fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.catalogue.iter().filter(|row| self.present.contains(&row.id))
    }

    /// What can be chosen, of one provider or of all, in the order of preference.
    pub(super) fn models<'a>(&'a self, provider: Option<&'a ProviderId>) -> impl Iterator<Item = Offer<'a>> {
        let rows = self.providers().filter(move |row| provider.is_none_or(|id| row.id == *id));
        let offers = rows.flat_map(|row| {
            row.models.iter().map(move |about| {
                let model = ModelRef { provider: row.id.clone(), model: about.id.clone() };
                Offer { model, row, about }
            })
        });
        offers.filter(|offer| self.served.chat.allowed_models.allows(&offer.model))
    }

    /// What fits what was typed, the best first: for autocomplete.
    pub(super) fn fitting(&self, typed: &str) -> Vec<ModelRef> {
        let typed = typed.trim().to_lowercase();
        let mut found: Vec<(Fit, ModelRef)> = self
            .models(None)
            .filter_map(|offer| {
                let is_default = offer.row.default_model == offer.model.model;
                Some((fit(&typed, &offer.model.to_string().to_lowercase(), is_default)?, offer.model))
            })
            .collect();
        found.sort_by_key(|(fit, _)| *fit);
        found.into_iter().map(|(_, model)| model).collect()
    }
}

/// How well a name fits what was typed, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// It is it, with or without its provider; or nothing was typed, and it is its provider's default.
    Whole,
    /// It begins so, behind any of its slashes.
    Beginning,
    /// One of its words begins so.
    Word,
    /// It contains it.
    Inside,
    /// It contains each word of it.
    Words,
}

/// Both in lower case. `None`: it does not fit.
fn fit(typed: &str, name: &str, is_default: bool) -> Option<Fit> {
    if typed.is_empty() {
        return Some(if is_default { Fit::Whole } else { Fit::Inside });
    }
    let behind = |is_break: fn(char) -> bool| {
        let starts = name.char_indices().filter(move |(_, c)| is_break(*c)).map(|(at, c)| at + c.len_utf8());
        std::iter::once(0).chain(starts).filter_map(|at| name.get(at..))
    };
    if behind(|c| c == '/').any(|part| part == typed) {
        return Some(Fit::Whole);
    }
    if behind(|c| c == '/').any(|part| part.starts_with(typed)) {
        return Some(Fit::Beginning);
    }
    if behind(|c| !c.is_alphanumeric()).any(|part| part.starts_with(typed)) {
        return Some(Fit::Word);
    }
    if name.contains(typed) {
        return Some(Fit::Inside);
    }
    typed.split_whitespace().all(|word| name.contains(word)).then_some(Fit::Words)
}

/// Whether a model could answer now.
pub(super) fn readiness(bot: &Bot, model: &ModelRef) -> Readiness {
    if bot.pool.has_ready(&model.provider, &model.model) { Readiness::Ready } else { Readiness::Resting }
}

/// The model that a person typed: `provider/model`, or the model's name alone where it is one provider's. Otherwise a
/// sentence with the names that are near.
pub(super) fn named(bot: &Bot, language: &Language, text: &str) -> Result<ModelRef, String> {
    let offers: Vec<ModelRef> = Offering::of(bot).models(None).map(|offer| offer.model).collect();
    let typed = text.trim();
    if offers.is_empty() {
        return Err(nothing(language));
    }
    find(typed, &offers).cloned().ok_or_else(|| unknown(language, typed, &offers))
}

/// The one with this full name, which may be another one's name alone; else the first with this name alone.
fn find<'a>(typed: &str, offers: &'a [ModelRef]) -> Option<&'a ModelRef> {
    let full = offers.iter().find(|model| model.to_string() == typed);
    full.or_else(|| offers.iter().find(|model| model.model == typed))
}

/// The provider that a person typed; it has to offer something.
pub(super) fn named_provider(bot: &Bot, language: &Language, text: &str) -> Result<ProviderId, String> {
    let id = super::commands::known_provider(bot, language, text)?;
    let offering = Offering::of(bot);
    let default = Choice::Provider(id.clone()).model(&offering.catalogue);
    if !offering.present.contains(&id) {
        let known: Vec<String> = offering.providers().map(|row| format!("`{}`", row.id)).collect();
        let have = if known.is_empty() {
            nothing(language)
        } else {
            say!(language, "providers-there", known = known.join(", "))
        };
        return Err(format!(
            "❌ {} {have}",
            say!(language, "provider-without-credential", provider = id.as_str())
        ));
    }
    match default {
        Some(model) if offering.served.chat.allowed_models.allows(&model) => Ok(id),
        Some(_) | None => {
            Err(format!("❌ {}", say!(language, "provider-not-offered", provider = id.as_str())))
        }
    }
}

/// What is said where nothing is on offer.
pub(super) fn nothing(language: &Language) -> String {
    say!(language, "nothing-on-offer")
}

fn unknown(language: &Language, typed: &str, offers: &[ModelRef]) -> String {
    let shown: String =
        typed.chars().filter(|c| c.is_ascii_alphanumeric() || "_-./: ".contains(*c)).take(64).collect();
    let near = suggestions(typed, offers);
    let meant = match near.split_last() {
        None => String::new(),
        Some((only, [])) => format!(" {}", say!(language, "did-you-mean", name = only)),
        Some((last, others)) => {
            format!(" {}", say!(language, "did-you-mean-one-of", names = others.join("`, `"), last = last))
        }
    };
    let unknown = say!(language, "no-such-model", name = shown);
    format!("❌ {unknown}{meant} {}", say!(language, "models-lists"))
}

/// The names that contain what was typed, else the nearest one.
fn suggestions(typed: &str, offers: &[ModelRef]) -> Vec<String> {
    let wanted = typed.to_lowercase();
    let names: Vec<String> = offers.iter().map(ToString::to_string).collect();
    let containing: Vec<String> = names
        .iter()
        .filter(|name| wanted.chars().count() > 2 && name.to_lowercase().contains(&wanted))
        .take(SUGGESTIONS)
        .cloned()
        .collect();
    if !containing.is_empty() {
        return containing;
    }
    if let Some(near) = nearest(typed, names.iter().map(String::as_str)) {
        return vec![near.to_owned()];
    }
    let near = nearest(typed, offers.iter().map(|model| model.model.as_str()));
    let full = near.and_then(|near| offers.iter().find(|model| model.model == near));
    full.map(ToString::to_string).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_is_that_model_although_another_ones_name_reads_the_same() {
        let offers: Vec<ModelRef> =
            ["openrouter/openai/gpt-5", "openai/gpt-5"].map(|text| text.parse().expect("a model")).to_vec();
        assert_eq!(find("openai/gpt-5", &offers), Some(&offers[1]));
        assert_eq!(find("openrouter/openai/gpt-5", &offers), Some(&offers[0]));
        assert_eq!(find("gpt-5", &offers), Some(&offers[1]));
        assert_eq!(find("gpt", &offers), None);
    }

    #[test]
    fn the_best_fit_comes_first() {
        let order = |typed: &str, names: &[&str]| {
            let mut found: Vec<_> = names
                .iter()
                .filter_map(|name| Some((fit(typed, name, name.ends_with("mini"))?, *name)))
                .collect();
            found.sort_by_key(|(fit, _)| *fit);
            found.into_iter().map(|(_, name)| name.to_owned()).collect::<Vec<_>>()
        };
        let names = [
            "openrouter/openai/gpt-5-pro",
            "openai/gpt-4.1",
            "openai/gpt-5-mini",
            "openai/gpt-5",
            "x/egpt-5",
        ];
        assert_eq!(
            order("gpt-5", &names),
            ["openai/gpt-5", "openrouter/openai/gpt-5-pro", "openai/gpt-5-mini", "x/egpt-5"]
        );
        assert_eq!(order("5-pro", &names), ["openrouter/openai/gpt-5-pro"]);
        assert_eq!(order("gpt mini", &names), ["openai/gpt-5-mini"]);
        assert_eq!(
            order("", &names).first().map(String::as_str),
            Some("openai/gpt-5-mini"),
            "defaults first"
        );
        assert_eq!(order("llama", &names), Vec::<String>::new());
        assert_eq!(fit("é", "x/caf\u{e9}", false), Some(Fit::Inside));
    }

    #[test]
    fn what_is_near_is_suggested_with_its_provider() {
        let offers: Vec<ModelRef> =
            ["gemini_cli/gemini-2.5-pro", "gemini_cli/gemini-2.5-flash", "openai/gpt-5-mini"]
                .map(|text| text.parse().expect("a model"))
                .to_vec();
        assert_eq!(
            suggestions("gemini", &offers),
            ["gemini_cli/gemini-2.5-pro", "gemini_cli/gemini-2.5-flash"]
        );
        assert_eq!(suggestions("gpt-5-mni", &offers), ["openai/gpt-5-mini"]);
        assert_eq!(suggestions("openai/gpt5-mini", &offers), ["openai/gpt-5-mini"]);
        assert_eq!(suggestions("llama", &offers), Vec::<String>::new());
        let sentence = unknown(&Language::english(), "gpt-5-mni` @everyone", &offers[2..]);
        assert!(!sentence.contains("@everyone") && sentence.contains("`gpt-5-mni everyone`"), "{sentence}");
    }
}
