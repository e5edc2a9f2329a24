//! Clicks on buttons. Every one checks who clicked: a button is visible to people it does not belong to.

use std::sync::Arc;

use poise::serenity_prelude as serenity;
use serde_json::json;

use super::again;
use crate::{
    chat::{Verdict, sentence},
    credential::CredentialId,
    discord::{
        asked::{Asked, Wish, verdict_of},
        card::Action,
        commands::{self, Chooser, Pick, apology},
        data::{Bot, Running, correlation_id},
        embeds::{self, View},
        error::CommandError,
        interrupted::marked,
        picker::List,
        reply::Interaction,
        sink::{self, EMBED_LIMIT, MESSAGE_LIMIT},
    },
    language::say,
    provider::ProviderId,
};

/// A button's meaning, from its `custom_id`.
#[derive(Debug, PartialEq, Eq)]
enum Button {
    /// Stop this exchange.
    Stop(String),
    /// Allow or deny a call of a tool: of this exchange, the call of this number.
    Rule(Verdict, String, u32),
    /// Something more of an answer that has ended.
    Wish(Wish, Asked),
    /// Another page of the status.
    Status(View),
    /// Refresh what the status shows.
    Refresh(View),
    /// Send a refused token once more.
    Confirm(CredentialId),
    /// Show one credential.
    Show(CredentialId),
    /// Do something about one credential.
    Act(Action, CredentialId),
    /// Log in again at this provider.
    Connect(ProviderId),
    /// Open the form for what a login ended with.
    Paste(String),
    /// End this login.
    Disconnect(CredentialId),
    /// Another page of the models.
    Models(List),
    /// Something of the picker of models.
    Pick(Pick),
}

impl Button {
    /// `chosen` is what was picked, where it is a menu.
    fn parse(id: &str, chosen: Option<&str>) -> Option<Self> {
        if let Some((verdict, exchange, number)) = verdict_of(id) {
            return Some(Self::Rule(verdict, exchange.to_owned(), number));
        }
        let (action, rest) = id.split_once(':')?;
        Some(match action {
            "stop" => Self::Stop(rest.to_owned()),
            "again" => Self::Wish(Wish::Again, Asked::parse(rest)?),
            "go-on" => Self::Wish(Wish::GoOn, Asked::parse(rest)?),
            "status-back" | "status-next" | "status-all" => Self::Status(View::parse(rest)?),
            "refresh" => Self::Refresh(View::parse(rest)?),
            "confirm" => Self::Confirm(CredentialId::new(rest)),
            "card" => Self::Show(CredentialId::new(rest)),
            "connect" => Self::Connect(rest.parse().ok()?),
            "connect-paste" => Self::Paste(rest.to_owned()),
            "disconnect" => Self::Disconnect(CredentialId::new(rest)),
            "pick" => Self::Show(CredentialId::new(chosen?)),
            "models-back" | "models-next" => Self::Models(List::parse(rest)?),
            action if action.starts_with("choose-") => Self::Pick(Pick::parse(action, rest, chosen)?),
            _ => Self::Act(Action::parse(action)?, CredentialId::new(rest)),
        })
    }
}

/// Somebody clicked on one of our messages.
pub(super) fn clicked(context: &serenity::Context, bot: &Arc<Bot>, click: &serenity::ComponentInteraction) {
    if !bot.is_new(click.id.get()) {
        return;
    }
    let task = {
        let (cache, bot, click) = (Arc::clone(&context.cache), Arc::clone(bot), click.clone());
        async move {
            let interaction = Interaction::new(&bot, click.id.get(), &click.token);
            if let Err(error) = answer(&cache, &bot, &click, &interaction).await {
                let language = bot.language_of(click.user.id.get(), &click.locale);
                let id = correlation_id();
                tracing::error!(request.id = id, error = %error, "A click could not be answered");
                // Whether the click was acknowledged is not known here; one of the two answers is the right one.
                if interaction.whisper(&bot, &apology(&language, &id)).await.is_err() {
                    drop(interaction.edit(&bot, json!({ "content": apology(&language, &id) })).await);
                }
            }
        }
    };
    bot.shutdown.spawn(task);
}

/// Somebody sent one of our forms.
pub(super) fn sent(bot: &Arc<Bot>, form: &serenity::ModalInteraction) {
    if !bot.is_new(form.id.get()) {
        return;
    }
    let (bot, form) = (Arc::clone(bot), form.clone());
    let life = bot.shutdown.clone();
    drop(life.spawn(async move {
        let interaction = Interaction::new(&bot, form.id.get(), &form.token);
        let answered = submit(&bot, &interaction, &form).await;
        if let Err(error) = answered {
            let language = bot.language_of(form.user.id.get(), &form.locale);
            let id = correlation_id();
            tracing::error!(request.id = id, error = %error, "A form could not be answered");
            drop(interaction.edit(&bot, json!({ "content": apology(&language, &id) })).await);
        }
    }));
}

async fn submit(
    bot: &Arc<Bot>,
    interaction: &Interaction,
    form: &serenity::ModalInteraction,
) -> Result<(), CommandError> {
    let user = form.user.id.get();
    let language = bot.language_of(user, &form.locale);
    if let Some(layer) = commands::form_of(&form.data.custom_id) {
        return commands::submitted(bot, interaction, form, layer).await;
    }
    let Some(id) = form.data.custom_id.strip_prefix("connect:") else {
        return Ok(interaction.whisper(bot, &say!(language, "old-form")).await?);
    };
    if bot.access.is_operator(user) {
        let by = Chooser::submitted(bot, form);
        commands::answered(bot, interaction, &by, id, commands::written(form)).await
    } else {
        Ok(interaction.whisper(bot, &say!(language, "operators-only")).await?)
    }
}

async fn answer(
    cache: &Arc<serenity::Cache>,
    bot: &Arc<Bot>,
    click: &serenity::ComponentInteraction,
    interaction: &Interaction,
) -> Result<(), CommandError> {
    let user = click.user.id.get();
    let language = bot.language_of(user, &click.locale);
    let chosen = if let serenity::ComponentInteractionDataKind::StringSelect { values } = &click.data.kind {
        values.first()
    } else {
        None
    };
    let button = Button::parse(&click.data.custom_id, chosen.map(String::as_str));
    let Some(button) = button else {
        interaction.whisper(bot, &say!(language, "old-button")).await?;
        return Ok(());
    };
    let chooser = Chooser::clicked(bot, click);
    let is_operators = match &button {
        Button::Stop(_) | Button::Rule(..) | Button::Wish(..) | Button::Models(_) | Button::Pick(_) => false,
        Button::Status(_)
        | Button::Refresh(_)
        | Button::Confirm(_)
        | Button::Show(_)
        | Button::Connect(_)
        | Button::Paste(_)
        | Button::Disconnect(_)
        | Button::Act(..) => true,
    };
    if is_operators && !bot.access.is_operator(user) {
        interaction.whisper(bot, &say!(language, "operators-only")).await?;
        return Ok(());
    }
    match button {
        Button::Stop(exchange) => stop(bot, click, interaction, &exchange).await,
        Button::Rule(verdict, exchange, number) => {
            rule(bot, click, interaction, &exchange, (number, verdict)).await
        }
        Button::Wish(wish, asked) => again::wished(cache, bot, click, interaction, (wish, asked)).await,
        Button::Models(list) => commands::listed(bot, interaction, &chooser, &list).await,
        Button::Pick(pick) => commands::picked(bot, interaction, &chooser, pick).await,
        Button::Status(view) => {
            let body = embeds::status(&language, &bot.pool.snapshot(), &bot.providers(), &view);
            Ok(interaction.update(bot, body).await?)
        }
        Button::Refresh(view) => commands::refresh_now(bot, interaction, &chooser, &view).await,
        Button::Confirm(credential) => commands::confirmed(bot, interaction, &chooser, credential).await,
        Button::Connect(provider) => {
            // The wait for a code outlives this click's own answer.
            let own = Interaction::new(bot, click.id.get(), &click.token);
            commands::again(bot, own, &chooser, &provider).await
        }
        Button::Paste(id) => commands::asked_for_form(bot, interaction, &chooser, &id).await,
        Button::Disconnect(credential) => {
            commands::disconnected(bot, interaction, &chooser, &credential).await
        }
        Button::Show(credential) => commands::show(bot, interaction, &chooser, &credential).await,
        Button::Act(action, credential) => {
            commands::pressed(bot, interaction, &chooser, (action, credential)).await
        }
    }
}

/// Stops an exchange, for the asker, whoever may manage messages, and operators (D10).
async fn stop(
    bot: &Arc<Bot>,
    click: &serenity::ComponentInteraction,
    interaction: &Interaction,
    exchange: &str,
) -> Result<(), CommandError> {
    let user = click.user.id.get();
    let running = bot.exchanges.get(exchange);
    let may = |running: &Running| may_decide(bot, click.user.id, click.member.as_ref(), running.asked.person);
    if running.as_ref().is_some_and(|running| !may(running)) {
        let language = bot.language_of(user, &click.locale);
        return Ok(interaction.whisper(bot, &say!(language, "not-yours-to-stop")).await?);
    }
    let is_finishing = running.as_ref().is_some_and(|running| running.finishing.is_cancelled());
    if is_finishing || (running.is_none() && bot.exchanges.just_ended(exchange)) {
        // The click knows the text of its own time, which must not replace the finished answer.
        return Ok(interaction.acknowledge(bot).await?);
    }
    // Whoever is there reads it, not only whoever clicked.
    let language = bot.language_around(user, &click.locale, click.guild_locale.as_deref());
    let mark = match &running {
        Some(running) => {
            // First, so that the upstream request is dropped whatever Discord answers below.
            running.stop.cancel();
            tracing::info!(request.id = exchange, discord.user = user, "An answer was stopped");
            sentence::stopped(&language)
        }
        None => sentence::interrupted(&language),
    };
    Ok(interaction.update(bot, stopped(&click.message, &mark)).await?)
}

/// Allows or denies a call of a tool: for whoever asked, and nobody else, since it is done in their name.
async fn rule(
    bot: &Bot,
    click: &serenity::ComponentInteraction,
    interaction: &Interaction,
    exchange: &str,
    (number, verdict): (u32, Verdict),
) -> Result<(), CommandError> {
    let user = click.user.id.get();
    let language = bot.language_of(user, &click.locale);
    match bot.exchanges.get(exchange) {
        Some(running) if running.asked.person != user => {
            Ok(interaction.whisper(bot, &say!(language, "tool-not-yours")).await?)
        }
        Some(running) if running.permissions.answer(number, verdict) => {
            tracing::info!(request.id = exchange, discord.user = user, tool.verdict = ?verdict, "A call of a tool was ruled on");
            Ok(interaction.acknowledge(bot).await?)
        }
        Some(_) | None => Ok(interaction.whisper(bot, &say!(language, "tool-over")).await?),
    }
}

/// Whether somebody decides about an answer: whoever asked, whoever may manage messages, and operators.
pub(in crate::discord) fn may_decide(
    bot: &Bot,
    user: serenity::UserId,
    member: Option<&serenity::Member>,
    asker: u64,
) -> bool {
    let user = user.get();
    let permissions = member.and_then(|member| member.permissions);
    user == asker
        || permissions.is_some_and(|all| all.manage_messages() || all.administrator())
        || bot.access.is_operator(user)
}

/// The message of a click as it is left, in the style that it has.
fn stopped(message: &serenity::Message, mark: &str) -> serde_json::Value {
    let kept = |text| if sentence::stands_in(text) { "" } else { text };
    let embedded = message.embeds.first().and_then(|embed| embed.description.as_deref());
    let mut body = match embedded {
        Some(text) if message.content.is_empty() => sink::embedded(&marked(kept(text), mark, EMBED_LIMIT)),
        Some(_) | None => json!({ "content": marked(kept(&message.content), mark, MESSAGE_LIMIT) }),
    };
    body["components"] = json!([]);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_are_read_back() {
        let view = View { provider: Some("gemini_cli".parse().unwrap()), page: 2 };
        assert_eq!(Button::parse("stop:0badcafe", None), Some(Button::Stop("0badcafe".to_owned())));
        let rule = Button::Rule(Verdict::Deny, "0badcafe".to_owned(), 3);
        assert_eq!(Button::parse("tool-deny:0badcafe:3", None), Some(rule));
        assert_eq!(Button::parse("tool-deny:0badcafe:x", None), None);
        assert_eq!(Button::parse("status-next:gemini_cli:2", None), Some(Button::Status(view.clone())));
        assert_eq!(Button::parse("refresh:gemini_cli:2", None), Some(Button::Refresh(view)));
        let all = View { provider: None, page: 0 };
        assert_eq!(Button::parse("refresh:-:0", None), Some(Button::Refresh(all)));
        assert_eq!(Button::parse("confirm:ab12", None), Some(Button::Confirm(CredentialId::new("ab12"))));
        let one = CredentialId::new("ab12");
        assert_eq!(Button::parse("card:ab12", None), Some(Button::Show(one.clone())));
        assert_eq!(Button::parse("pick:-:0", Some("ab12")), Some(Button::Show(one.clone())));
        assert_eq!(Button::parse("pick:-:0", None), None);
        assert_eq!(
            Button::parse("act-clear-cooldown:ab12", None),
            Some(Button::Act(Action::ClearCooldown, one))
        );
        assert_eq!(Button::parse("act-delete:ab12", None), None);
        assert_eq!(Button::parse("refresh:-:x", None), None);
        assert_eq!(Button::parse("other:1", None), None);
    }
}
