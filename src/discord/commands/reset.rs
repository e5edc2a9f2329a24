//! `/reset`: the conversation here begins afresh.

use super::{
    Context, answer, defer, demand_served, language,
    model::{Chooser, unkept},
};
use crate::{discord::error::CommandError, language::say};

/// Begin afresh: what was said here before is not continued
#[poise::command(slash_command, install_context = "Guild", interaction_context = "Guild|BotDm")]
pub(super) async fn reset(ctx: Context<'_>) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_served(ctx, &interaction).await? {
        return Ok(());
    }
    let (bot, spot) = (ctx.framework.user_data, Chooser::of(ctx).spot);
    // Ids grow with time: what is older than this command has a smaller one.
    let said = match bot.choices.begin_afresh(&spot, ctx.interaction.id.get(), bot.clock.now()).await {
        Ok(()) => format!("✅ {}", say!(language(ctx), "reset-done")),
        Err(error) => unkept(&language(ctx), &error),
    };
    answer(ctx, &interaction, &said).await
}
