//! `/help`: what people can do here.

use super::{Context, answer, defer, language};
use crate::{
    discord::{error::CommandError, events::how_to},
    language::say,
};

/// How to chat with this bot
#[poise::command(slash_command, install_context = "Guild", interaction_context = "Guild|BotDm")]
pub(super) async fn help(ctx: Context<'_>) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    let bot = ctx.framework.user_data;
    let language = language(ctx);
    let mut lines = vec![how_to(&language, bot.user), say!(language, "help-commands")];
    if bot.access.is_operator(ctx.interaction.user.id.get()) {
        lines.push(say!(language, "help-operators"));
    }
    answer(ctx, &interaction, &lines.join("\n")).await
}
