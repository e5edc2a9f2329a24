//! `/whoami`: who somebody is to the bot, what they may do, and what applies to them here.

use super::{Context, answer, asker, defer, language, model::Chooser, persona, refusal, usage};
use crate::{
    discord::{
        checks::Asker, data::Bot, error::CommandError, picker::standing, reply::cut, sink::MESSAGE_LIMIT,
    },
    language::{Language, say},
};

/// Who you are to me, what you may do, and what applies to you here
#[poise::command(slash_command, install_context = "Guild", interaction_context = "Guild|BotDm")]
pub(super) async fn whoami(ctx: Context<'_>) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    let (bot, language) = (ctx.framework.user_data, language(ctx));
    let (asker, chooser) = (asker(ctx), Chooser::of(ctx));
    let person = say!(
        language,
        "who-you-are",
        mention = format!("<@{}>", asker.user),
        id = format!("`{}`", asker.user)
    );
    let mut lines = vec![person, rights(bot, &language, &asker, &chooser)];
    if let Some(why) = refusal(bot, &language, &asker).await {
        lines.push(format!("{} {why}", say!(language, "not-served")));
    } else {
        lines.push(lists(bot, &language, &asker));
        lines.push(standing(bot, &language, &bot.applied(&chooser.spot).await));
        lines.push(persona::standing(&language, &bot.applied_persona(&chooser.spot).await));
        lines.push(usage::standing(bot, &language, &asker).await);
    }
    answer(ctx, &interaction, &cut(&lines.join("\n"), MESSAGE_LIMIT)).await
}

/// What they may do besides asking.
fn rights(bot: &Bot, language: &Language, asker: &Asker, chooser: &Chooser) -> String {
    if bot.access.is_operator(asker.user) {
        say!(language, "rights-operator")
    } else if asker.guild.is_some() && chooser.manages() {
        say!(language, "rights-manager")
    } else {
        say!(language, "rights-own")
    }
}

/// Why they are answered here, as far as lists decide that.
fn lists(bot: &Bot, language: &Language, asker: &Asker) -> String {
    if asker.guild.is_none() {
        return say!(language, "served-direct");
    }
    let served = bot.served();
    let by_channel = !served.settings.allowed_channel_ids.is_empty();
    let by_role = asker.roles.iter().any(|role| served.settings.allowed_role_ids.contains(role));
    match (by_channel, by_role) {
        (false, false) => say!(language, "served-all"),
        (true, false) => say!(language, "served-channel"),
        (false, true) => say!(language, "served-role"),
        (true, true) => say!(language, "served-channel-and-role"),
    }
}
