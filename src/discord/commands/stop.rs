//! `/stop`: the answers here end (D10).

use poise::serenity_prelude as serenity;

use super::{Context, answer, defer, language};
use crate::{
    discord::{data::Running, error::CommandError, events::may_decide},
    language::{Language, say},
};

/// Answers that are named.
const NAMED: usize = 10;

/// Stop what I am writing for you here; whoever may manage messages stops everybody's
#[poise::command(slash_command, install_context = "Guild", interaction_context = "Guild|BotDm")]
pub(super) async fn stop(ctx: Context<'_>) -> Result<(), CommandError> {
    let (bot, user) = (ctx.framework.user_data, ctx.interaction.user.id);
    let (channel, member) = (ctx.interaction.channel_id.get(), ctx.interaction.member.as_deref());
    let here = bot.exchanges.here(channel);
    let all = here.len();
    let stopped: Vec<Running> =
        here.into_iter().filter(|running| may_decide(bot, user, member, running.asked.person)).collect();
    // First, so that the requests are dropped whatever Discord answers below.
    for running in &stopped {
        running.stop.cancel();
    }
    tracing::info!(
        discord.user = user.get(),
        discord.channel = channel,
        answers.stopped = stopped.len(),
        "Answers were stopped"
    );
    let interaction = defer(ctx).await?;
    let guild = ctx.interaction.guild_id.map(serenity::GuildId::get);
    let said = said(&language(ctx), &stopped, all - stopped.len(), (user.get(), guild));
    answer(ctx, &interaction, &said).await
}

/// What was stopped, and that something was left.
fn said(language: &Language, stopped: &[Running], left: usize, (user, guild): (u64, Option<u64>)) -> String {
    let mut lines = match (stopped.len(), left) {
        (0, 0) => vec![say!(language, "stop-nothing")],
        (0, _) => vec![say!(language, "stop-nothing-of-yours")],
        (count, _) => vec![format!("⏹️ {}", say!(language, "stop-done", count = count))],
    };
    let place = guild.map_or_else(|| "@me".to_owned(), |guild| guild.to_string());
    lines.extend(stopped.iter().take(NAMED).map(|running| {
        let asked = running.asked;
        let question = format!("https://discord.com/channels/{place}/{}/{}", asked.channel, asked.message);
        let line = if asked.person == user {
            say!(language, "stop-to-you", question = question)
        } else {
            say!(language, "stop-to-other", person = format!("<@{}>", asked.person), question = question)
        };
        format!("- {line}")
    }));
    if stopped.len() > NAMED {
        lines.push(format!("- {}", say!(language, "stop-more", count = stopped.len() - NAMED)));
    }
    lines.join("\n")
}
