//! `/settings`: what applies here, and the operators' view of the credentials.
//!
//! The parent has no `default_member_permissions`, because its subcommands belong to different people; each checks
//! in code.

use super::{
    Context, answer, credential::credential, defer, demand_served, oauth_refresh::oauth_refresh,
    oauth_status::oauth_status,
};
use crate::discord::{embeds, error::CommandError};

/// Models and credentials of this bot
#[poise::command(
    slash_command,
    subcommands("oauth_status", "oauth_refresh", "credential", "status"),
    subcommand_required,
    install_context = "Guild",
    interaction_context = "Guild|BotDm"
)]
#[expect(clippy::unused_async, reason = "a parent command; Discord never runs it")]
pub(super) async fn settings(_: Context<'_>) -> Result<(), CommandError> {
    Ok(())
}

/// Show which model answers here and how the bot is doing
#[poise::command(slash_command)]
async fn status(ctx: Context<'_>) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_served(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let snapshot = bot.pool.snapshot();
    let credentials: Vec<_> = snapshot.credentials.iter().collect();
    let model = match &bot.chat.default_model {
        Some(model) => format!("`{model}`"),
        None => bot
            .providers
            .iter()
            .find(|provider| bot.pool.has_ready(&provider.id, &provider.default_model))
            .map_or_else(
                || "none is ready".to_owned(),
                |provider| format!("`{}/{}`", provider.id, provider.default_model),
            ),
    };
    let pool = if credentials.is_empty() {
        "No OAuth credentials configured.".to_owned()
    } else {
        embeds::summary(&credentials)
    };
    let text = format!("Model: {model}\nCredentials: {pool}\nAnswers in progress: {}", bot.exchanges.count());
    answer(ctx, &interaction, &text).await
}
