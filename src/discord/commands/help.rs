//! `/help`: what this person can do here.

use super::{Context, answer, asker, defer, language, model::Chooser, refusal};
use crate::{
    discord::{data::Bot, error::CommandError, events::how_to, reply::cut, sink::MESSAGE_LIMIT},
    language::{Language, say},
};

/// What I can do for you here
#[poise::command(slash_command, install_context = "Guild", interaction_context = "Guild|BotDm")]
pub(super) async fn help(ctx: Context<'_>) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    let (bot, language) = (ctx.framework.user_data, language(ctx));
    let mut lines = match refusal(bot, &language, &asker(ctx)).await {
        Some(why) => vec![why],
        None => served(bot, &language, &Chooser::of(ctx)),
    };
    if bot.access.is_operator(ctx.interaction.user.id.get()) {
        lines.push(format!("**{}**", say!(language, "help-as-operator")));
        lines.extend(rows(
            bot,
            &[
                (&["settings oauth-status"], say!(language, "help-oauth-status")),
                (&["settings oauth-refresh"], say!(language, "help-oauth-refresh")),
                (&["settings oauth-connect"], say!(language, "help-oauth-connect")),
            ],
        ));
    }
    answer(ctx, &interaction, &cut(&lines.join("\n"), MESSAGE_LIMIT)).await
}

/// What somebody can do who is served.
fn served(bot: &Bot, language: &Language, chooser: &Chooser) -> Vec<String> {
    const CHOICES: &[&str] = &["settings model", "settings persona"];
    let mut lines = vec![how_to(language, bot.user)];
    lines.extend(rows(bot, &[(&["chat"], say!(language, "help-chat"))]));
    lines.push(format!("- {}", say!(language, "help-menu")));
    lines.extend(rows(
        bot,
        &[
            (&["stop"], say!(language, "help-stop")),
            (&["reset"], say!(language, "help-reset")),
            (CHOICES, say!(language, "help-choose")),
            (&["settings status"], say!(language, "help-status")),
            (&["whoami", "usage"], say!(language, "help-whoami")),
        ],
    ));
    if chooser.manages() {
        lines.push(format!("**{}**", say!(language, "help-as-manager")));
        lines.extend(rows(bot, &[(CHOICES, say!(language, "help-choose-for-all"))]));
    }
    lines
}

/// A line for each that has a command here, with the commands to click.
fn rows(bot: &Bot, of: &[(&[&str], String)]) -> Vec<String> {
    let row = |(commands, what): &(&[&str], String)| {
        let there: Vec<String> = commands.iter().filter_map(|name| bot.commands.mention(name)).collect();
        (!there.is_empty()).then(|| format!("- {}: {what}", there.join(", ")))
    };
    of.iter().filter_map(row).collect()
}
