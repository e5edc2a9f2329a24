//! `/settings oauth-status [provider]`: every credential, ten a page, for operators.

use super::{Context, answer, complete_provider, defer, demand_operator, known_provider, language};
use crate::discord::{
    embeds::{self, View},
    error::CommandError,
};

/// Show the state of the credentials (operators)
#[poise::command(slash_command, rename = "oauth-status")]
pub(super) async fn oauth_status(
    ctx: Context<'_>,
    #[description = "Only this provider's"]
    #[autocomplete = "complete_provider"]
    provider: Option<String>,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_operator(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let provider = match provider.map(|text| known_provider(bot, &language(ctx), &text)).transpose() {
        Ok(provider) => provider,
        Err(sentence) => return answer(ctx, &interaction, &sentence).await,
    };
    let view = View { provider, page: 0 };
    Ok(interaction
        .edit(bot, embeds::status(&language(ctx), &bot.pool.snapshot(), &bot.providers(), &view))
        .await?)
}
