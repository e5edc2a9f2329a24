//! `/help`: what people can do here.

use super::{Context, answer, defer};
use crate::discord::error::CommandError;

/// How to chat with this bot
#[poise::command(slash_command, install_context = "Guild", interaction_context = "Guild|BotDm")]
pub(super) async fn help(ctx: Context<'_>) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    let bot = ctx.framework.user_data;
    let mut text = crate::discord::events::how_to(bot.user);
    text.push_str(
        "\n`/settings status` shows which model answers here, `/settings model` chooses another, `/settings \
                   persona` how I speak. `/reset` begins a new conversation.",
    );
    if bot.access.is_operator(ctx.interaction.user.id.get()) {
        text.push_str(
            "\nAs an operator: `/settings oauth-status` shows every credential, `/settings oauth-refresh` gets new \
             tokens.",
        );
    }
    answer(ctx, &interaction, &text).await
}
