//! The picker of models for those who do not type, and the list of what there is: menus and buttons, with all that they
//! need to know in their ids.

use std::str::FromStr;

use serde_json::{Value, json};

use super::{
    commands::Chooser,
    data::Bot,
    offers::{self, Offering},
    reply::cut,
};
use crate::{
    chat::settings::{Applied, Layer},
    language::{Language, say},
    llm::Origin,
    provider::{Model, ModelRef, ProviderId, rounded},
};

/// Discord's limit for the options of a menu, for a label, and for the value of an option or a button's id.
const OPTIONS: usize = 25;
const LABEL: usize = 100;
/// Models on a page of the list.
const PAGE: usize = 20;
/// Providers of a page of which it is said when their list was read: an embed has room for 4096 characters.
const NOTES: usize = 5;
/// Characters of a filter that are kept.
pub(super) const FILTER: usize = 40;

/// Where the picker stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picker {
    /// For whom.
    pub(super) layer: Layer,
    /// Whose models are shown.
    pub(super) provider: Option<ProviderId>,
    /// The page of models, from 0.
    pub(super) page: usize,
}

impl Picker {
    fn id(&self, action: &str) -> String {
        let provider = self.provider.as_ref().map_or("-", ProviderId::as_str);
        format!("{action}:{}:{provider}:{}", self.layer.name(), self.page)
    }

    /// From a component's id, without its action.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let mut parts = rest.splitn(3, ':');
        let layer = Layer::from_str(parts.next()?).ok()?;
        let provider = match parts.next()? {
            "-" => None,
            id => Some(id.parse().ok()?),
        };
        Some(Self { layer, provider, page: parts.next()?.parse().ok()? })
    }

    /// The body that shows it.
    pub(super) fn body(&self, bot: &Bot, chooser: &Chooser, applied: &Applied, note: &str) -> Value {
        let Chooser { spot, language, .. } = chooser;
        let offering = Offering::of(bot);
        let rows: Vec<_> = offering.providers().collect();
        if offering.models(None).next().is_none() {
            return json!({ "content": offers::nothing(language), "components": [] });
        }
        let now = answering(bot, applied);
        let current = now.as_ref().map(|model| &model.provider);
        let chosen = self.provider.as_ref().or(current).filter(|id| rows.iter().any(|row| row.id == **id));
        let provider = chosen.or(rows.first().map(|row| &row.id)).cloned();
        let here = Self { provider: provider.clone(), ..self.clone() };

        let providers = rows.iter().take(OPTIONS).map(|row| {
            json!({ "label": cut(&row.name, LABEL), "value": row.id.as_str(), "default": provider.as_ref() == Some(&row.id) })
        });
        let models: Vec<_> = offering.models(provider.as_ref()).collect();
        let pages = models.len().div_ceil(OPTIONS).max(1);
        let page = self.page.min(pages - 1);
        // What answers now may have been chosen elsewhere: only this layer's own choice is not to be picked again.
        let own = applied.of(self.layer).and_then(|choice| choice.model(&bot.providers()));
        let options: Vec<Value> = models
            .iter()
            .skip(page * OPTIONS)
            .take(OPTIONS)
            // Longer ones cannot be named in a menu; they can be typed.
            .filter(|offer| offer.model.to_string().chars().count() <= LABEL)
            .map(|offer| {
                json!({
                    "label": cut(&offer.model.model, LABEL),
                    "value": offer.model.to_string(),
                    "description": cut(&described(language, &offers::readiness(bot, &offer.model).label(language), offer.about), LABEL),
                    "default": own.as_ref() == Some(&offer.model),
                })
            })
            .collect();
        let layers = Layer::ALL.into_iter().filter(|layer| spot.has(*layer)).map(|layer| {
            let label = say!(language, "picker-for", whom = layer.for_whom(language));
            json!({ "label": label, "value": layer.name(), "default": layer == self.layer })
        });
        let mut components = vec![
            menu(&here.id("choose-for"), &say!(language, "picker-whom"), layers.collect()),
            menu(&here.id("choose-provider"), &say!(language, "picker-provider"), providers.collect()),
        ];
        if !options.is_empty() {
            components.push(menu(&here.id("choose-model"), &say!(language, "picker-model"), options));
        }
        let mut buttons =
            vec![button(&say!(language, "button-take-back"), &here.id("choose-none"), Press::Possible)];
        if pages > 1 {
            let to = |page| Self { page, ..here.clone() };
            let (label, id) =
                (say!(language, "button-more-models"), to((page + 1) % pages).id("choose-page"));
            buttons.push(button(&label, &id, Press::Possible));
        }
        components.push(json!({ "type": 1, "components": buttons }));
        let text = format!("{note}\n{}", standing(bot, language, applied));
        json!({ "content": text.trim(), "components": components })
    }
}

/// Which page of which models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// One provider's, or all.
    pub(super) provider: Option<ProviderId>,
    /// The page, from 0.
    pub(super) page: usize,
    /// A part of the names, in lower case; may be empty.
    pub(super) filter: String,
}

impl List {
    fn id(&self, action: &str) -> String {
        let provider = self.provider.as_ref().map_or("-", ProviderId::as_str);
        format!("{action}:{provider}:{}:{}", self.page, self.filter)
    }

    /// From a button's id, without its action.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let mut parts = rest.splitn(3, ':');
        let provider = match parts.next()? {
            "-" => None,
            id => Some(id.parse().ok()?),
        };
        Some(Self { provider, page: parts.next()?.parse().ok()?, filter: parts.next()?.to_owned() })
    }

    /// A filter as it fits into a button's id.
    pub(super) fn filter(text: &str) -> String {
        let plain = text.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_.:/ ".contains(*c));
        plain.take(FILTER).collect::<String>().to_lowercase()
    }

    /// The body that shows it.
    pub(super) fn body(&self, bot: &Bot, language: &Language, applied: &Applied) -> Value {
        let offering = Offering::of(bot);
        let found: Vec<_> = offering
            .models(self.provider.as_ref())
            .filter(|offer| offer.model.to_string().to_lowercase().contains(&self.filter))
            .collect();
        if found.is_empty() {
            let text = match (&self.provider, self.filter.is_empty()) {
                (_, false) => say!(language, "no-model-contains", filter = &self.filter),
                (Some(provider), true) => say!(language, "no-model-of", provider = provider.as_str()),
                (None, true) => offers::nothing(language),
            };
            return json!({ "content": text, "embeds": [], "components": [] });
        }
        let pages = found.len().div_ceil(PAGE);
        let page = self.page.min(pages - 1);
        let now = answering(bot, applied);
        let mut read = Vec::new();
        let mut lines: Vec<String> = found
            .iter()
            .skip(page * PAGE)
            .take(PAGE)
            .map(|offer| {
                let is_here = now.as_ref() == Some(&offer.model);
                let mark = if is_here {
                    format!(" **← {}**", say!(language, "answers-here"))
                } else {
                    String::new()
                };
                let ready = offers::readiness(bot, &offer.model).label(language);
                let origin = match bot.llm.origin_of(offer.row, &offer.about.id) {
                    Origin::Configured => say!(language, "origin-configured"),
                    Origin::Listed(at) => {
                        let at = format!("<t:{}:R>", at.timestamp());
                        let note = say!(language, "listed-at", provider = offer.row.id.as_str(), at = at);
                        let note = format!("-# {note}");
                        if !read.contains(&note) && read.len() < NOTES {
                            read.push(note);
                        }
                        say!(language, "origin-listed")
                    }
                };
                let name = cut(&offer.model.to_string(), LABEL);
                format!("`{name}` {} · {origin}", described(language, &format!("{ready}{mark}"), offer.about))
            })
            .collect();
        lines.append(&mut read);
        let title = self.provider.as_ref().map_or_else(
            || say!(language, "models-title"),
            |of| say!(language, "models-title-of", provider = of.as_str()),
        );
        let footer = say!(language, "models-footer", page = page + 1, pages = pages, count = found.len());
        let embed = json!({
            "title": title,
            "description": lines.join("\n"),
            "footer": { "text": footer },
        });
        let to = |page| Self { page, ..self.clone() };
        let press = |possible| if possible { Press::Possible } else { Press::Greyed };
        let buttons = (pages > 1).then(|| {
            json!({ "type": 1, "components": [
                button(&format!("◀ {}", say!(language, "button-back")), &to(page.saturating_sub(1)).id("models-back"), press(page > 0)),
                button(&format!("{} ▶", say!(language, "button-next")), &to(page + 1).id("models-next"), press(page + 1 < pages)),
            ]})
        });
        json!({ "content": "", "embeds": [embed], "components": buttons.into_iter().collect::<Vec<_>>() })
    }
}

/// Whether a model is ready, and what it can.
fn described(language: &Language, ready: &str, about: &Model) -> String {
    let sees = (about.images == Some(true)).then(|| say!(language, "ability-images"));
    let holds = about.context.map(|tokens| say!(language, "ability-context", tokens = rounded(tokens)));
    let calls = (about.tools == Some(true)).then(|| say!(language, "ability-tools"));
    let abilities = [sees, holds, calls].into_iter().flatten();
    std::iter::once(ready.to_owned()).chain(abilities).collect::<Vec<_>>().join(" · ")
}

/// What applies, in a sentence.
pub(super) fn standing(bot: &Bot, language: &Language, applied: &Applied) -> String {
    match (answering(bot, applied), &applied.model) {
        (None, _) => say!(language, "no-model-answers"),
        (Some(model), Some((_, layer))) => {
            let whom = layer.for_whom(language);
            say!(language, "model-answers-chosen", model = model.to_string(), whom = whom)
        }
        (Some(model), None) => say!(language, "model-answers-default", model = model.to_string()),
    }
}

/// The model that answers: the one that was chosen, else the default one.
pub(super) fn answering(bot: &Bot, applied: &Applied) -> Option<ModelRef> {
    let chosen = applied.model.as_ref().map(|(model, _)| model);
    let served = bot.served();
    chosen.or(served.chat.default_model.as_ref()).cloned().or_else(|| {
        let providers = bot.providers();
        let mut rows = providers.iter();
        let ready = rows.find(|row| bot.pool.has_ready(&row.id, &row.default_model))?;
        Some(ModelRef { provider: ready.id.clone(), model: ready.default_model.clone() })
    })
}

/// Whether a button can be pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Press {
    Possible,
    Greyed,
}

fn button(label: &str, id: &str, press: Press) -> Value {
    json!({ "type": 2, "style": 2, "label": label, "custom_id": id, "disabled": press == Press::Greyed })
}

fn menu(id: &str, placeholder: &str, options: Vec<Value>) -> Value {
    let menu = json!({ "type": 3, "custom_id": id, "placeholder": placeholder, "options": options });
    json!({ "type": 1, "components": [menu] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_fit_into_discords_limit() {
        let provider = Some("p23456789_123456789_123456789_12".parse().expect("an id"));
        let picker = Picker { layer: Layer::Channel, provider: provider.clone(), page: 12 };
        let id = picker.id("choose-provider");
        assert!(id.len() <= LABEL, "{id}");
        assert_eq!(Picker::parse(id.split_once(':').expect("an action").1), Some(picker));
        let list = List { provider, page: 999, filter: List::filter(&"Gemini 2.5: `Pro`".repeat(9)) };
        let id = list.id("models-next");
        assert!(id.len() <= LABEL, "{id}");
        assert_eq!(List::parse(id.split_once(':').expect("an action").1), Some(list));
        assert_eq!(Picker::parse("nowhere:-:0"), None);
        assert_eq!(List::parse("-:x:"), None);
    }
}
