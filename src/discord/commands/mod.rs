//! The slash commands: each parses, checks who asks, calls one plain function, and renders.

mod chat;
mod credential;
mod help;
#[cfg(feature = "hub")]
mod hub;
mod menu;
mod model;
mod oauth_connect;
mod oauth_disconnect;
mod oauth_refresh;
mod oauth_status;
mod persona;
mod report;
mod reset;
mod settings;
mod stop;
mod tools;
mod usage;
mod whoami;

use std::sync::Arc;

use poise::serenity_prelude as serenity;

use super::{checks::Asker, data::Bot, embeds, error::CommandError, reply::Interaction, ruling::Ruling};
use crate::{
    config::nearest,
    credential::CredentialId,
    language::{Language, say},
    pool::CredentialView,
    provider::{LoginKind, ProviderId},
};

pub(super) use credential::{pressed, show};
pub(super) use model::{Chooser, Pick, listed, picked};
pub(super) use oauth_connect::{again, answered, asked_for_form, written};
pub(super) use oauth_disconnect::disconnected;
pub(super) use oauth_refresh::{confirmed, refresh_now};
pub(super) use persona::{form_of, submitted};
pub(super) use report::apology;

/// What a command is called with.
pub(super) type Context<'a> = poise::ApplicationContext<'a, Arc<Bot>, CommandError>;

/// Discord's limit for choices of an autocomplete.
const CHOICES: usize = 25;

/// Every command, listed once.
pub(super) fn all() -> Vec<poise::Command<Arc<Bot>, CommandError>> {
    #[cfg_attr(feature = "hub", expect(unused_mut, reason = "changed by builds without the hub"))]
    let mut settings = settings::settings();
    #[cfg(not(feature = "hub"))]
    for command in settings.subcommands.iter_mut().filter(|command| command.name == "models") {
        command.parameters.retain(|parameter| parameter.name != model::HUB);
    }
    vec![
        chat::chat(),
        menu::ask_cortana(),
        menu::summarise(),
        settings,
        reset::reset(),
        stop::stop(),
        whoami::whoami(),
        usage::usage(),
        help::help(),
    ]
}

/// Acknowledges, so that nothing below races Discord's three seconds. Whether others see the answer is fixed here:
/// they do not.
async fn defer(ctx: Context<'_>) -> Result<Interaction, CommandError> {
    let (id, token) = (ctx.interaction.id.get(), &ctx.interaction.token);
    let interaction = Interaction::new(ctx.framework.user_data, id, token);
    ctx.defer_response(true).await?;
    Ok(interaction)
}

/// Ends a deferred answer with a text.
async fn answer(ctx: Context<'_>, interaction: &Interaction, text: &str) -> Result<(), CommandError> {
    Ok(interaction.edit(ctx.framework.user_data, serde_json::json!({ "content": text })).await?)
}

/// Whether the person may touch credentials; if not, they are told.
async fn demand_operator(ctx: Context<'_>, interaction: &Interaction) -> Result<bool, CommandError> {
    let user = ctx.interaction.user.id.get();
    if ctx.framework.user_data.access.is_operator(user) {
        return Ok(true);
    }
    tracing::info!(discord.user = user, "Refused an operator's command to somebody else");
    answer(ctx, interaction, &say!(language(ctx), "operators-only")).await?;
    Ok(false)
}

/// The language of whoever uses a command.
fn language(ctx: Context<'_>) -> Language {
    ctx.framework.user_data.language_of(ctx.interaction.user.id.get(), &ctx.interaction.locale)
}

/// Whether the person is served here; if not, they are told.
async fn demand_served(ctx: Context<'_>, interaction: &Interaction) -> Result<bool, CommandError> {
    let Some(why) = refusal(ctx.framework.user_data, &language(ctx), &asker(ctx)).await else {
        return Ok(true);
    };
    answer(ctx, interaction, &why).await?;
    Ok(false)
}

/// Who uses a command, and where.
fn asker(ctx: Context<'_>) -> Asker {
    Asker::of_command(ctx.interaction)
}

/// Why somebody is not served, in a sentence; `None`: they are.
pub(super) async fn refusal(bot: &Bot, language: &Language, asker: &Asker) -> Option<String> {
    match bot.access.ruling(asker).await {
        Ruling::Serve => None,
        Ruling::Refuse(why) => Some(why.sentence(language)),
        Ruling::Ignore => Some(say!(language, "not-available")),
    }
}

/// Providers for autocomplete, from memory: those with credentials first. `partial` is what was typed so far.
async fn complete_provider(ctx: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    let bot = ctx.framework.user_data;
    let response = serenity::CreateAutocompleteResponse::new();
    if !bot.access.is_operator(ctx.interaction.user.id.get()) {
        return response;
    }
    response.set_choices(
        provider_choices(bot, &language(ctx), partial)
            .into_iter()
            .map(|(label, value)| serenity::AutocompleteChoice::new(label, value))
            .collect(),
    )
}

fn provider_choices(bot: &Bot, language: &Language, partial: &str) -> Vec<(String, String)> {
    let snapshot = bot.pool.snapshot();
    let count = |id: &ProviderId| {
        snapshot.credentials.iter().filter(|credential| credential.provider.as_ref() == Some(id)).count()
    };
    let providers = bot.providers();
    let mut rows: Vec<_> = providers
        .iter()
        .map(|provider| (count(&provider.id), provider))
        .filter(|(credentials, provider)| *credentials > 0 || matches!(provider.login, LoginKind::OAuth(_)))
        .filter(|(_, provider)| matches(partial, &[provider.id.as_str(), &provider.name]))
        .collect();
    rows.sort_by_key(|(credentials, _)| *credentials == 0);
    rows.into_iter()
        .take(CHOICES)
        .map(|(credentials, provider)| {
            let count = say!(language, "credentials-count", count = credentials);
            (format!("{} · {count}", provider.id), provider.id.to_string())
        })
        .collect()
}

/// Credentials for autocomplete, from memory, of the provider that was chosen already.
async fn complete_credential(ctx: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    let bot = ctx.framework.user_data;
    let response = serenity::CreateAutocompleteResponse::new();
    if !bot.access.is_operator(ctx.interaction.user.id.get()) {
        return response;
    }
    let provider = ctx.args.iter().find_map(|option| {
        let serenity::ResolvedValue::String(text) = option.value else { return None };
        if option.name == "provider" { text.parse::<ProviderId>().ok() } else { None }
    });
    let snapshot = bot.pool.snapshot();
    let language = language(ctx);
    let choices =
        credential_choices(&language, &snapshot.credentials, (provider.as_ref(), partial), snapshot.taken_at);
    response.set_choices(
        choices.into_iter().map(|(label, value)| serenity::AutocompleteChoice::new(label, value)).collect(),
    )
}

fn credential_choices(
    language: &Language,
    credentials: &[CredentialView],
    (provider, partial): (Option<&ProviderId>, &str),
    now: chrono::DateTime<chrono::Utc>,
) -> Vec<(String, String)> {
    credentials
        .iter()
        .filter(|credential| provider.is_none() || credential.provider.as_ref() == provider)
        .map(|credential| (embeds::choice(language, credential, now), credential.id.to_string()))
        .filter(|(label, id)| matches(partial, &[label, id]))
        .take(CHOICES)
        .collect()
}

/// Whether one of the texts contains what was typed, whatever the case.
fn matches(partial: &str, texts: &[&str]) -> bool {
    let partial = partial.trim().to_lowercase();
    texts.iter().any(|text| text.to_lowercase().contains(&partial))
}

/// The provider that a person named, checked again on submit.
pub(super) fn known_provider(bot: &Bot, language: &Language, text: &str) -> Result<ProviderId, String> {
    let providers = bot.providers();
    let id: Result<ProviderId, _> = text.parse();
    match id {
        Ok(id) if providers.get(&id).is_some() => Ok(id),
        _ => {
            let known: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
            let typed: String =
                text.chars().filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).take(32).collect();
            let meant = nearest(&typed, known.iter().copied());
            let meant = meant
                .map_or_else(String::new, |near| format!(" {}", say!(language, "did-you-mean", name = near)));
            let unknown = say!(language, "no-such-provider", name = typed);
            Err(format!(
                "❌ {unknown}{meant} {}",
                say!(language, "providers-known", known = known.join(", "))
            ))
        }
    }
}

/// The credential that a person named by its id, checked again on submit.
fn known_credential(
    bot: &Bot,
    language: &Language,
    provider: &ProviderId,
    text: &str,
) -> Result<CredentialId, String> {
    let id = CredentialId::new(text.trim());
    let found = bot
        .pool
        .snapshot()
        .credentials
        .iter()
        .any(|credential| credential.id == id && credential.provider.as_ref() == Some(provider));
    if found { Ok(id) } else { Err(say!(language, "no-such-credential-of", provider = provider.as_str())) }
}

#[cfg(test)]
mod tests;
