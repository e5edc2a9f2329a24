//! `/settings persona`: how the bot speaks, for whom; one that is there by its name, or a new one in a form.

use std::{iter, sync::Arc};

use poise::serenity_prelude as serenity;
use serde_json::{Value, json};

use super::{
    Context, answer, asker, defer, demand_served, language, matches,
    model::{Chooser, DEFAULT, For, LONGEST as LONGEST_LABEL, choices, fits, take_back, unkept},
    refusal,
};
use crate::{
    chat::{
        AppliedPersona, PersonaRef, Shelf,
        settings::{Layer, Passed},
    },
    config::{is_persona_name, nearest},
    discord::{
        data::Bot,
        error::CommandError,
        personas::{MOST, Room},
        reply::{Interaction, cut},
    },
    language::{Language, say},
    storage::Named,
};

/// The form, and its fields.
const FORM: &str = "persona";
const NAME: &str = "name";
const TEXT: &str = "text";
/// Discord's limit for a field.
const LONGEST: usize = 4000;

/// Choose how I speak; without a name, write a persona of your own
#[poise::command(slash_command)]
pub(super) async fn persona(
    ctx: Context<'_>,
    #[description = "Which; \"default\" takes a choice back; nothing opens a form to write one"]
    #[autocomplete = "complete_persona"]
    persona: Option<String>,
    #[description = "For whom; you alone without it"]
    #[rename = "for"]
    whom: Option<For>,
) -> Result<(), CommandError> {
    let (bot, chooser, layer) = (ctx.framework.user_data, Chooser::of(ctx), For::layer(whom));
    let Some(text) = persona else { return open_form(ctx, &chooser, layer).await };
    let interaction = defer(ctx).await?;
    if !demand_served(ctx, &interaction).await? {
        return Ok(());
    }
    let said = if text.trim().eq_ignore_ascii_case(DEFAULT) {
        choose(bot, &chooser, layer, None).await
    } else {
        match named(bot, &chooser, layer, text.trim()).await {
            Ok(found) => choose(bot, &chooser, layer, Some(&found)).await,
            Err(sentence) => sentence,
        }
    };
    answer(ctx, &interaction, &said).await
}

/// Opens the form. It has to be the first answer, within three seconds, so nothing slow goes before it.
async fn open_form(ctx: Context<'_>, chooser: &Chooser, layer: Layer) -> Result<(), CommandError> {
    let bot = ctx.framework.user_data;
    let interaction = Interaction::new(bot, ctx.interaction.id.get(), &ctx.interaction.token);
    if !bot.access.serves(&chooser.asker).await {
        return Ok(interaction.whisper(bot, &say!(chooser.language, "not-available")).await?);
    }
    if let Some(why) = chooser.refusal(bot, layer) {
        return Ok(interaction.whisper(bot, &why).await?);
    }
    Ok(interaction.form(bot, form(&chooser.language, layer)).await?)
}

/// The form, for a layer.
fn form(language: &Language, layer: Layer) -> Value {
    let row = |input: Value| json!({ "type": 1, "components": [input] });
    json!({
        "custom_id": format!("{FORM}:{}", layer.name()),
        "title": say!(language, "persona-form", whom = layer.for_whom(language)),
        "components": [
            row(json!({
                "type": 4, "custom_id": NAME, "style": 1, "label": say!(language, "persona-form-name"),
                "placeholder": say!(language, "persona-form-name-example"), "max_length": 40,
                "required": true,
            })),
            row(json!({
                "type": 4, "custom_id": TEXT, "style": 2, "label": say!(language, "persona-form-text"),
                "placeholder": say!(language, "persona-form-text-example"), "max_length": LONGEST, "required": false,
            })),
        ],
    })
}

/// The layer that a form is for, by its id. `None`: another form.
pub(in crate::discord) fn form_of(id: &str) -> Option<Layer> {
    id.strip_prefix(FORM)?.strip_prefix(':')?.parse().ok()
}

/// A form was filled in: the persona is kept, and chosen.
pub(in crate::discord) async fn submitted(
    bot: &Arc<Bot>,
    interaction: &Interaction,
    modal: &serenity::ModalInteraction,
    layer: Layer,
) -> Result<(), CommandError> {
    interaction.defer(bot).await?;
    let chooser = Chooser::submitted(bot, modal);
    let said =
        match refusal(bot, &chooser.language, &chooser.asker).await.or_else(|| chooser.refusal(bot, layer)) {
            Some(why) => why,
            None => keep(bot, &chooser, layer, &field(modal, NAME), field(modal, TEXT)).await,
        };
    Ok(interaction.edit(bot, json!({ "content": said })).await?)
}

fn field(modal: &serenity::ModalInteraction, id: &str) -> String {
    let inputs = modal.data.components.iter().flat_map(|row| &row.components);
    let value = inputs.filter_map(|input| {
        let serenity::ActionRowComponent::InputText(input) = input else { return None };
        (input.custom_id == id).then(|| input.value.clone()).flatten()
    });
    value.map(|value| value.trim().to_owned()).next().unwrap_or_default()
}

async fn keep(bot: &Bot, chooser: &Chooser, layer: Layer, name: &str, text: String) -> String {
    let language = &chooser.language;
    if !is_persona_name(name) {
        return format!("❌ {}", say!(language, "persona-name-bad"));
    }
    let shelf = match layer {
        Layer::Person => Shelf::Person,
        Layer::Thread | Layer::Channel | Layer::Server => Shelf::Server,
    };
    let Some(owner) = chooser.spot.owner(shelf) else {
        return format!("❌ {}", say!(language, "persona-direct-own"));
    };
    let is_gone = text.is_empty();
    let kept = Named { name: name.to_owned(), body: text.chars().take(LONGEST).collect() };
    match bot.personas.put(&owner, &kept, &chooser.spot, bot.clock.now().timestamp_millis()).await {
        Err(error) => unkept(language, &error),
        Ok(Room::Full) => {
            format!("❌ {}", say!(language, "personas-full", count = MOST, whose = shelf.whose(language)))
        }
        Ok(Room::Enough) if is_gone => {
            let applied = bot.applied_persona(&chooser.spot).await;
            let gone = say!(language, "persona-deleted", name = name, whose = shelf.whose(language));
            format!("✅ {gone} {}", standing(language, &applied))
        }
        Ok(Room::Enough) => {
            let written = PersonaRef { shelf, name: name.to_owned() };
            choose(bot, chooser, layer, Some(&written)).await
        }
    }
}

/// The persona that a person named: by its full name, or by its bare one where that is the only such.
async fn named(bot: &Bot, chooser: &Chooser, layer: Layer, text: &str) -> Result<PersonaRef, String> {
    let all = bot.personas_at(&chooser.spot).await.into_iter().map(|(found, _)| found);
    let (there, elsewhere): (Vec<_>, Vec<_>) = all.partition(|found| may_be_for(found, layer));
    if let Some(found) = meant(&there, text) {
        return Ok(found.clone());
    }
    if let Some(found) = meant(&elsewhere, text) {
        return Err(why_not_for(&chooser.language, found, layer));
    }
    let language = &chooser.language;
    let near = nearest(text, there.iter().map(|found| found.name.as_str()));
    let meant =
        near.map_or_else(String::new, |near| format!(" {}", say!(language, "did-you-mean", name = near)));
    let typed: String = text.chars().filter(|c| *c != '`' && !c.is_control()).take(40).collect();
    let unknown = say!(language, "no-such-persona", name = typed);
    Err(format!("❌ {unknown}{meant} {}", say!(language, "persona-leave-out")))
}

/// The persona of these that a text names: in full, or the nearest shelf's: one's own before the server's before the
/// bot's.
fn meant<'a>(there: &'a [PersonaRef], text: &str) -> Option<&'a PersonaRef> {
    let bare = text.to_lowercase();
    let same = || there.iter().rev().find(|found| found.name.to_lowercase() == bare);
    there.iter().find(|found| found.to_string() == text).or_else(same)
}

/// Whether a persona may be chosen for a layer. What a person may change alone is chosen for that person alone; and a
/// person is in other servers, where the same name is another text.
fn may_be_for(found: &PersonaRef, layer: Layer) -> bool {
    match found.shelf {
        Shelf::File => true,
        Shelf::Server => layer != Layer::Person,
        Shelf::Person => layer == Layer::Person,
    }
}

/// Why a persona may not be chosen for a layer, in a sentence.
fn why_not_for(language: &Language, found: &PersonaRef, layer: Layer) -> String {
    let (name, whose) = (&found.name, found.shelf.whose(language));
    let text = match found.shelf {
        Shelf::Person => {
            say!(language, "persona-own-alone", name = name, whose = whose, whom = layer.for_whom(language))
        }
        Shelf::File | Shelf::Server => {
            say!(
                language,
                "persona-servers-alone",
                name = name,
                whose = whose,
                whom = layer.for_whom(language)
            )
        }
    };
    format!("❌ {text}")
}

async fn choose(bot: &Bot, chooser: &Chooser, layer: Layer, choice: Option<&PersonaRef>) -> String {
    let Chooser { spot, language, .. } = chooser;
    if let Some(why) = chooser.refusal(bot, layer) {
        return why;
    }
    if let Err(error) = bot.choices.put_persona(spot, layer, choice, bot.clock.now()).await {
        return unkept(language, &error);
    }
    tracing::info!(discord.user = spot.person, layer = layer.name(), "Somebody chose a persona");
    let whom = layer.for_whom(language);
    let done = match choice {
        None => say!(language, "persona-taken-back", whom = whom),
        Some(choice) => say!(language, "chose-persona", name = &choice.name, whom = whom),
    };
    format!("✅ {done} {}", standing(language, &bot.applied_persona(spot).await))
}

/// Which persona applies, in a sentence.
pub(super) fn standing(language: &Language, applied: &AppliedPersona) -> String {
    let Some((_, found, layer)) = &applied.persona else { return say!(language, "persona-none") };
    let (whose, whom) = (found.shelf.whose(language), layer.for_whom(language));
    say!(language, "persona-applies", name = &found.name, whose = whose, whom = whom)
}

/// A choice that does not apply, as a small line.
pub(super) fn passed_over(language: &Language, layer: Layer, choice: &PersonaRef, why: Passed) -> String {
    let because = match why {
        Passed::Nearer => say!(language, "passed-nearer"),
        Passed::NotAllowed | Passed::Gone => say!(language, "passed-no-persona"),
    };
    let whom = layer.for_whom(language);
    format!("-# {}", say!(language, "persona-passed-over", name = &choice.name, whom = whom, why = because))
}

/// Personas for autocomplete, for whoever is served: their own, the server's, the bot's.
async fn complete_persona(ctx: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    let bot = ctx.framework.user_data;
    if !bot.access.serves(&asker(ctx)).await {
        return serenity::CreateAutocompleteResponse::new();
    }
    let (layer, language) = (For::layer(picked(ctx)), language(ctx));
    let there = bot.personas_soon(&Chooser::of(ctx).spot).await;
    let labelled =
        there.into_iter().rev().filter(|(found, _)| may_be_for(found, layer)).map(|(found, persona)| {
            let title = persona.title.map(|title| format!(" · {title}")).unwrap_or_default();
            (format!("{}{title} · {}", found.name, found.shelf.whose(&language)), found.to_string())
        });
    choices(offered(take_back(&language), labelled, partial))
}

/// What of these is offered for what was typed so far, after the end of a choice.
fn offered(
    back: (String, String),
    labelled: impl Iterator<Item = (String, String)>,
    partial: &str,
) -> impl Iterator<Item = (String, String)> {
    iter::once(back)
        .chain(labelled)
        .filter(move |(label, value)| matches(partial, &[label]) && fits(value))
        .map(|(label, value)| (cut(&label, LONGEST_LABEL), value))
}

/// For whom, as far as it is filled in while the name is typed.
fn picked(ctx: Context<'_>) -> Option<For> {
    let value = ctx.args.iter().find(|option| option.name == "for").map(|option| &option.value);
    let Some(serenity::ResolvedValue::Integer(index)) = value else { return None };
    <For as poise::ChoiceParameter>::from_index(usize::try_from(*index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Languages;

    #[test]
    fn a_form_is_for_the_layer_in_its_id_and_within_discords_limits() {
        let languages = Languages::built_in();
        let every = languages
            .names()
            .flat_map(|name| Layer::ALL.map(|layer| (languages.named(name).unwrap(), layer)));
        for (language, layer) in every {
            let form = form(&language, layer);
            assert_eq!(form_of(form["custom_id"].as_str().unwrap()), Some(layer));
            assert!(form["title"].as_str().unwrap().chars().count() <= 45);
            for row in form["components"].as_array().unwrap() {
                assert!(row["components"][0]["label"].as_str().unwrap().chars().count() <= 45);
                assert!(row["components"][0]["placeholder"].as_str().unwrap().chars().count() <= 100);
            }
        }
        assert_eq!(form_of("persona"), None);
        assert_eq!(form_of("persona:everybody"), None);
    }

    #[test]
    fn default_is_offered_first_and_a_long_label_is_cut() {
        let long = format!("bard · {} · of the bot", "😀".repeat(60));
        let offered: Vec<_> =
            offered(take_back(&Language::english()), [(long, "file:bard".to_owned())].into_iter(), "")
                .map(|(label, value)| (value, label))
                .collect();
        assert_eq!((&*offered[0].0, &*offered[1].0), (DEFAULT, "file:bard"));
        assert!(fits(&offered[1].1) && offered[1].1.ends_with('…'), "{}", offered[1].1);
    }
}
