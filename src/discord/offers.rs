//! The models that can be chosen here: what the providers with credentials offer, as far as operators allow it.

use super::data::Bot;
use crate::{
    chat::settings::Choice,
    config::nearest,
    provider::{ModelRef, Provider, ProviderId},
};

/// Names that a refusal suggests.
const SUGGESTIONS: usize = 3;

/// A model on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// Which.
    pub(super) model: ModelRef,
    /// Whether it could answer now.
    pub(super) readiness: Readiness,
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
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Ready => "✅ ready",
            Self::Resting => "⏳ resting",
        }
    }
}

/// The providers that have credentials, in the order in which they are tried.
pub(super) fn providers(bot: &Bot) -> Vec<Provider> {
    let snapshot = bot.pool.snapshot();
    let has_any = |id: &ProviderId| {
        snapshot.credentials.iter().any(|credential| credential.provider.as_ref() == Some(id))
    };
    bot.providers().iter().filter(|row| has_any(&row.id)).cloned().collect()
}

/// What can be chosen, of one provider or of all, in the order of preference.
pub(super) fn all(bot: &Bot, provider: Option<&ProviderId>) -> Vec<Offer> {
    let rows = providers(bot).into_iter().filter(|row| provider.is_none_or(|id| row.id == *id));
    let served = bot.served();
    rows.flat_map(|row| {
        let Provider { id, models, .. } = row;
        models.into_iter().map(move |model| ModelRef { provider: id.clone(), model: model.id })
    })
    .filter(|model| served.chat.allowed_models.allows(model))
    .map(|model| {
        let is_ready = bot.pool.has_ready(&model.provider, &model.model);
        let readiness = if is_ready { Readiness::Ready } else { Readiness::Resting };
        Offer { model, readiness }
    })
    .collect()
}

/// The model that a person typed: `provider/model`, or the model's name alone where it is one provider's. Otherwise a
/// sentence with the names that are near.
pub(super) fn named(bot: &Bot, text: &str) -> Result<ModelRef, String> {
    let offers: Vec<ModelRef> = all(bot, None).into_iter().map(|offer| offer.model).collect();
    let typed = text.trim();
    if offers.is_empty() {
        return Err(NOTHING.to_owned());
    }
    find(typed, &offers).cloned().ok_or_else(|| unknown(typed, &offers))
}

/// The one with this full name, which may be another one's name alone; else the first with this name alone.
fn find<'a>(typed: &str, offers: &'a [ModelRef]) -> Option<&'a ModelRef> {
    let full = offers.iter().find(|model| model.to_string() == typed);
    full.or_else(|| offers.iter().find(|model| model.model == typed))
}

/// The provider that a person typed; it has to offer something.
pub(super) fn named_provider(bot: &Bot, text: &str) -> Result<ProviderId, String> {
    let id = super::commands::known_provider(bot, text)?;
    let served = bot.served();
    let default = Choice::Provider(id.clone()).model(&served.providers);
    if !providers(bot).iter().any(|row| row.id == id) {
        let known: Vec<String> = providers(bot).iter().map(|row| format!("`{}`", row.id)).collect();
        let have =
            if known.is_empty() { NOTHING.to_owned() } else { format!("There is {}.", known.join(", ")) };
        return Err(format!("❌ Nobody here has a credential for **{id}**. {have}"));
    }
    match default {
        Some(model) if served.chat.allowed_models.allows(&model) => Ok(id),
        Some(_) | None => Err(format!(
            "❌ My operators do not offer the default model of **{id}** here; `/settings models provider:{id}` shows what \
             you can choose."
        )),
    }
}

/// What is said where nothing is on offer.
pub(super) const NOTHING: &str = "No model can be chosen here: my operators have not given me a credential whose \
                                  models they offer.";

fn unknown(typed: &str, offers: &[ModelRef]) -> String {
    let shown: String =
        typed.chars().filter(|c| c.is_ascii_alphanumeric() || "_-./: ".contains(*c)).take(64).collect();
    let near = suggestions(typed, offers);
    let meant = match near.split_last() {
        None => String::new(),
        Some((only, [])) => format!(" Did you mean `{only}`?"),
        Some((last, others)) => format!(" Did you mean `{}` or `{last}`?", others.join("`, `")),
    };
    format!("❌ There is no model `{shown}`.{meant} `/settings models` lists what you can choose.")
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
        let sentence = unknown("gpt-5-mni` @everyone", &offers[2..]);
        assert!(!sentence.contains("@everyone") && sentence.contains("`gpt-5-mni everyone`"), "{sentence}");
    }
}
