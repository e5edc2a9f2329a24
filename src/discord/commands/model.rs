//! `/settings model`, `/settings provider`, `/settings models`: which model answers here, for whom.

use std::sync::Arc;

use poise::serenity_prelude as serenity;
use serde_json::json;

use super::{CHOICES, Context, answer, asker, defer, demand_served, language, matches, refusal};
use crate::{
    chat::settings::{Choice, Layer},
    discord::{
        checks::Asker,
        choices::{Spot, Unkept},
        data::{Bot, correlation_id},
        error::CommandError,
        offers::{self, Offering},
        picker::{List, Picker, standing},
        reply::Interaction,
    },
    language::{Language, say},
};

/// What is typed, or picked, to take a choice back.
pub(super) const DEFAULT: &str = "default";
/// The option of `/settings models` that a build without the hub does not register.
#[cfg(not(feature = "hub"))]
pub(super) const HUB: &str = "hub";
/// Discord's limit for the name and the value of a choice.
pub(super) const LONGEST: usize = 100;

/// For whom it is chosen
#[derive(Debug, Clone, Copy, PartialEq, Eq, poise::ChoiceParameter)]
pub(super) enum For {
    /// See [`Layer::Person`].
    #[name = "me, everywhere"]
    Me,
    /// See [`Layer::Thread`].
    #[name = "this thread"]
    Thread,
    /// See [`Layer::Channel`].
    #[name = "this channel"]
    Channel,
    /// See [`Layer::Server`].
    #[name = "this server"]
    Server,
}

impl For {
    pub(super) fn layer(chosen: Option<Self>) -> Layer {
        match chosen {
            Some(Self::Me) | None => Layer::Person,
            Some(Self::Thread) => Layer::Thread,
            Some(Self::Channel) => Layer::Channel,
            Some(Self::Server) => Layer::Server,
        }
    }
}

/// Who chooses, and where.
#[derive(Debug, Clone)]
pub(in crate::discord) struct Chooser {
    /// The same, for whether they are served.
    pub(super) asker: Asker,
    /// Where they speak.
    pub(in crate::discord) spot: Spot,
    /// What the server lets them do here.
    pub(in crate::discord) permissions: Option<serenity::Permissions>,
    /// Theirs.
    pub(in crate::discord) language: Language,
}

impl Chooser {
    pub(super) fn of(ctx: Context<'_>) -> Self {
        let interaction = ctx.interaction;
        Self {
            asker: asker(ctx),
            spot: Spot::of_interaction(
                interaction.user.id,
                interaction.guild_id,
                interaction.channel_id,
                interaction.channel.as_ref(),
            ),
            permissions: interaction.member.as_ref().and_then(|member| member.permissions),
            language: language(ctx),
        }
    }

    /// Whoever filled a modal in.
    pub(in crate::discord) fn submitted(bot: &Bot, modal: &serenity::ModalInteraction) -> Self {
        let (channel, member) = (modal.channel.as_ref(), modal.member.as_ref());
        Self {
            asker: Asker {
                user: modal.user.id.get(),
                guild: modal.guild_id.map(serenity::GuildId::get),
                channel: modal.channel_id.get(),
                roles: member
                    .map(|member| member.roles.iter().map(|role| role.get()).collect())
                    .unwrap_or_default(),
            },
            spot: Spot::of_interaction(modal.user.id, modal.guild_id, modal.channel_id, channel),
            permissions: member.and_then(|member| member.permissions),
            language: bot.language_of(modal.user.id.get(), &modal.locale),
        }
    }

    /// Whoever clicked.
    pub(in crate::discord) fn clicked(bot: &Bot, click: &serenity::ComponentInteraction) -> Self {
        let channel = click.channel.as_ref();
        let member = click.member.as_ref();
        Self {
            asker: Asker {
                user: click.user.id.get(),
                guild: click.guild_id.map(serenity::GuildId::get),
                channel: click.channel_id.get(),
                roles: member
                    .map(|member| member.roles.iter().map(|role| role.get()).collect())
                    .unwrap_or_default(),
            },
            spot: Spot::of_interaction(click.user.id, click.guild_id, click.channel_id, channel),
            permissions: member.and_then(|member| member.permissions),
            language: bot.language_of(click.user.id.get(), &click.locale),
        }
    }

    /// Why they cannot choose for a layer here, in a sentence.
    pub(super) fn refusal(&self, bot: &Bot, layer: Layer) -> Option<String> {
        if !self.spot.has(layer) {
            let why = match layer {
                Layer::Thread => say!(self.language, "no-thread"),
                Layer::Person | Layer::Channel | Layer::Server => say!(self.language, "direct-for-yourself"),
            };
            return Some(format!("❌ {why}"));
        }
        (!self.may(bot, layer)).then(|| {
            let whom = layer.for_whom(&self.language);
            format!("❌ {}", say!(self.language, "choosing-needs-permission", whom = whom))
        })
    }

    /// Whether the server lets them manage it.
    pub(super) fn manages(&self) -> bool {
        self.permissions.is_some_and(|all| all.manage_guild() || all.administrator())
    }

    /// Whether they may choose for a layer: everybody for themselves, Manage Server for everything else.
    fn may(&self, bot: &Bot, layer: Layer) -> bool {
        match layer {
            Layer::Person => true,
            Layer::Thread | Layer::Channel | Layer::Server => {
                self.manages() || bot.access.is_operator(self.spot.person)
            }
        }
    }
}

/// Choose the model that answers; without a name, from menus
#[poise::command(slash_command)]
pub(super) async fn model(
    ctx: Context<'_>,
    #[description = "Which; \"default\" takes a choice back"]
    #[autocomplete = "complete_model"]
    model: Option<String>,
    #[description = "For whom; you alone without it"]
    #[rename = "for"]
    whom: Option<For>,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_served(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let Some(text) = model else {
        let (chooser, layer) = (Chooser::of(ctx), For::layer(whom));
        let applied = bot.applied(&chooser.spot).await;
        let body = Picker { layer, provider: None, page: 0 }.body(bot, &chooser, &applied, "");
        return Ok(interaction.edit(bot, body).await?);
    };
    let choice = wanted(&text, |text| offers::named(bot, &language(ctx), text).map(Choice::Model));
    typed(ctx, &interaction, whom, choice).await
}

/// Choose the provider whose default model answers
#[poise::command(slash_command)]
pub(super) async fn provider(
    ctx: Context<'_>,
    #[description = "Which; \"default\" takes a choice back"]
    #[autocomplete = "complete_offering"]
    provider: String,
    #[description = "For whom; you alone without it"]
    #[rename = "for"]
    whom: Option<For>,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_served(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let choice =
        wanted(&provider, |text| offers::named_provider(bot, &language(ctx), text).map(Choice::Provider));
    typed(ctx, &interaction, whom, choice).await
}

/// Carries out what was typed, or says why it cannot be.
async fn typed(
    ctx: Context<'_>,
    interaction: &Interaction,
    whom: Option<For>,
    choice: Result<Option<Choice>, String>,
) -> Result<(), CommandError> {
    let said = match choice {
        Ok(choice) => choose(ctx.framework.user_data, &Chooser::of(ctx), For::layer(whom), choice).await,
        Err(sentence) => sentence,
    };
    answer(ctx, interaction, &said).await
}

/// List the models that you can choose
#[poise::command(slash_command)]
pub(super) async fn models(
    ctx: Context<'_>,
    #[description = "Only this provider's"]
    #[autocomplete = "complete_offering"]
    provider: Option<String>,
    #[description = "A part of the name"]
    #[max_length = 40]
    filter: Option<String>,
    #[description = "Operators: search Hugging Face's hub for GGUF models instead"]
    #[max_length = 80]
    hub: Option<String>,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_served(ctx, &interaction).await? {
        return Ok(());
    }
    #[cfg(feature = "hub")]
    if let Some(query) = hub {
        return super::hub::search(ctx, &interaction, &query).await;
    }
    #[cfg(not(feature = "hub"))]
    drop(hub); // Not registered, so nobody gives it.
    let bot = ctx.framework.user_data;
    let provider = match provider.map(|text| super::known_provider(bot, &language(ctx), &text)).transpose() {
        Ok(provider) => provider,
        Err(sentence) => return answer(ctx, &interaction, &sentence).await,
    };
    let filter = List::filter(&filter.unwrap_or_default());
    let applied = bot.applied(&Chooser::of(ctx).spot).await;
    Ok(interaction.edit(bot, List { provider, page: 0, filter }.body(bot, &language(ctx), &applied)).await?)
}

/// What was typed: a choice, or the end of one.
fn wanted(text: &str, named: impl Fn(&str) -> Result<Choice, String>) -> Result<Option<Choice>, String> {
    if text.trim().eq_ignore_ascii_case(DEFAULT) { Ok(None) } else { named(text).map(Some) }
}

/// Keeps a choice, or takes one back, and says what applies now.
async fn choose(bot: &Bot, chooser: &Chooser, layer: Layer, choice: Option<Choice>) -> String {
    let Chooser { spot, language, .. } = chooser;
    if let Some(why) = chooser.refusal(bot, layer) {
        return why;
    }
    if let Err(error) = bot.choices.put(spot, layer, choice.as_ref(), bot.clock.now()).await {
        return unkept(language, &error);
    }
    tracing::info!(
        discord.user = spot.person,
        layer = layer.name(),
        choice = choice.as_ref().map(ToString::to_string),
        "Somebody chose a model"
    );
    let applied = bot.applied(spot).await;
    let whom = layer.for_whom(language);
    let (done, now) = match choice {
        Some(Choice::Model(chosen)) if applied.model == Some((chosen.clone(), layer)) => (
            say!(language, "chose", what = format!("`{chosen}`"), whom = whom),
            say!(language, "answers-from-now-on"),
        ),
        Some(choice) => {
            let what = format!("`{choice}`");
            (say!(language, "chose", what = what, whom = whom), standing(bot, language, &applied))
        }
        None => (say!(language, "choice-taken-back", whom = whom), standing(bot, language, &applied)),
    };
    format!("✅ {done} {now}")
}

/// A choice could not be kept: what a person is told, with the id that the log has.
pub(super) fn unkept(language: &Language, error: &Unkept) -> String {
    let id = correlation_id();
    tracing::error!(request.id = id, error = %error, "A choice could not be kept");
    let text = match error {
        Unkept::Slow => say!(language, "choice-maybe-unkept", id = id),
        Unkept::Storage(_) | Unkept::Nowhere(_) => say!(language, "choice-unkept", id = id),
    };
    format!("❌ {text}")
}

/// What a component of the picker does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::discord) enum Pick {
    /// Shows it as it stands now.
    Show(Picker),
    /// Chooses, or takes back.
    Choose(Picker, Option<Choice>),
}

impl Pick {
    /// `action` and `rest` are the parts of the component's id; `option` is what was picked from a menu.
    pub(in crate::discord) fn parse(action: &str, rest: &str, option: Option<&str>) -> Option<Self> {
        let picker = Picker::parse(rest)?;
        Some(match action {
            "choose-page" => Self::Show(picker),
            "choose-for" => Self::Show(Picker { layer: option?.parse().ok()?, ..picker }),
            "choose-provider" => {
                Self::Show(Picker { provider: Some(option?.parse().ok()?), page: 0, ..picker })
            }
            "choose-none" => Self::Choose(picker, None),
            "choose-model" => Self::Choose(picker, Some(option?.parse().ok()?)),
            _ => return None,
        })
    }
}

/// A component of the picker was used.
pub(in crate::discord) async fn picked(
    bot: &Arc<Bot>,
    interaction: &Interaction,
    chooser: &Chooser,
    pick: Pick,
) -> Result<(), CommandError> {
    interaction.acknowledge(bot).await?;
    if let Some(why) = refusal(bot, &chooser.language, &chooser.asker).await {
        return Ok(interaction.edit(bot, json!({ "content": why, "components": [] })).await?);
    }
    let (picker, note) = match pick {
        Pick::Show(picker) => (picker, String::new()),
        Pick::Choose(picker, None) => {
            let note = choose(bot, chooser, picker.layer, None).await;
            (picker, note)
        }
        Pick::Choose(picker, Some(choice)) => {
            // It was on offer when the menu was made.
            let note = match offers::named(bot, &chooser.language, &choice.to_string()) {
                Ok(model) => choose(bot, chooser, picker.layer, Some(Choice::Model(model))).await,
                Err(sentence) => sentence,
            };
            (picker, note)
        }
    };
    let applied = bot.applied(&chooser.spot).await;
    Ok(interaction.edit(bot, picker.body(bot, chooser, &applied, &note)).await?)
}

/// Another page of the list.
pub(in crate::discord) async fn listed(
    bot: &Arc<Bot>,
    interaction: &Interaction,
    chooser: &Chooser,
    list: &List,
) -> Result<(), CommandError> {
    interaction.acknowledge(bot).await?;
    if let Some(why) = refusal(bot, &chooser.language, &chooser.asker).await {
        return Ok(interaction.edit(bot, json!({ "content": why, "embeds": [], "components": [] })).await?);
    }
    let applied = bot.applied(&chooser.spot).await;
    Ok(interaction.edit(bot, list.body(bot, &chooser.language, &applied)).await?)
}

/// Models for autocomplete, from memory, for whoever is served.
async fn complete_model(ctx: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    let Some(found) = fitting(ctx, partial).await else {
        return serenity::CreateAutocompleteResponse::new();
    };
    let language = language(ctx);
    let back = take_back(&language);
    let may_take_back = matches(partial, &[&back.0]);
    choices(found.into_iter().chain(may_take_back.then_some(back)))
}

/// The same where there is no choice to take back.
pub(super) async fn complete_chosen(ctx: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    choices(fitting(ctx, partial).await.into_iter().flatten())
}

/// The models that fit what was typed, as labels and names; none for whoever is not served.
async fn fitting(ctx: Context<'_>, partial: &str) -> Option<Vec<(String, String)>> {
    let bot = ctx.framework.user_data;
    if !bot.access.serves(&asker(ctx)).await {
        return None;
    }
    // Longer names cannot be offered; they can be typed.
    let short = Offering::of(bot).fitting(partial).into_iter().filter(|model| fits(&model.to_string()));
    let language = language(ctx);
    let labelled = short.take(CHOICES).map(|model| {
        let name = model.to_string();
        let label = format!("{name} · {}", offers::readiness(bot, &model).label(&language));
        (if fits(&label) { label } else { name.clone() }, name)
    });
    Some(labelled.collect())
}

/// Providers that have credentials, for autocomplete, from memory, for whoever is served.
async fn complete_offering(ctx: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    let bot = ctx.framework.user_data;
    if !bot.access.serves(&asker(ctx)).await {
        return serenity::CreateAutocompleteResponse::new();
    }
    let language = language(ctx);
    let back = take_back(&language);
    let offering = Offering::of(bot);
    let named = offering.providers().map(|row| (format!("{} · {}", row.id, row.name), row.id.to_string()));
    choices(named.chain([back]).filter(|(label, _)| matches(partial, &[label]) && fits(label)))
}

/// The choice that takes one back, for autocomplete.
pub(super) fn take_back(language: &Language) -> (String, String) {
    (format!("{DEFAULT} · {}", say!(language, "take-back")), DEFAULT.to_owned())
}

/// Whether Discord takes it for a choice.
pub(super) fn fits(text: &str) -> bool {
    text.encode_utf16().count() <= LONGEST
}

pub(super) fn choices(found: impl Iterator<Item = (String, String)>) -> serenity::CreateAutocompleteResponse {
    let all = found.take(CHOICES).map(|(label, value)| serenity::AutocompleteChoice::new(label, value));
    serenity::CreateAutocompleteResponse::new().set_choices(all.collect())
}
