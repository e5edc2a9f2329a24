//! `/settings`: what applies here and why, and the operators' view of the credentials.
//!
//! The parent has no `default_member_permissions`, because its subcommands belong to different people; each checks
//! in code.

use super::{
    Context, answer,
    credential::credential,
    defer, demand_served, language,
    model::{Chooser, model, models, provider},
    oauth_connect::oauth_connect,
    oauth_disconnect::oauth_disconnect,
    oauth_refresh::oauth_refresh,
    oauth_status::oauth_status,
    persona::{self, persona},
    tools::tools,
};
use crate::{
    chat::settings::{Choice, Layer, Passed},
    discord::{embeds, error::CommandError, picker::standing},
    language::{Language, say},
};

/// Models, personas and credentials of this bot
#[poise::command(
    slash_command,
    subcommands(
        "status",
        "model",
        "provider",
        "models",
        "persona",
        "tools",
        "oauth_status",
        "oauth_refresh",
        "oauth_connect",
        "oauth_disconnect",
        "credential"
    ),
    subcommand_required,
    install_context = "Guild",
    interaction_context = "Guild|BotDm"
)]
#[expect(clippy::unused_async, reason = "a parent command; Discord never runs it")]
pub(super) async fn settings(_: Context<'_>) -> Result<(), CommandError> {
    Ok(())
}

/// Show which model and persona answer here and how the bot is doing
#[poise::command(slash_command)]
async fn status(ctx: Context<'_>) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_served(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let snapshot = bot.pool.snapshot();
    let credentials: Vec<_> = snapshot.credentials.iter().collect();
    let language = &language(ctx);
    let applied = bot.applied(&Chooser::of(ctx).spot).await;
    let mut lines = vec![standing(bot, language, &applied)];
    lines.extend(
        applied.passed.iter().map(|(layer, choice, why)| passed_over(language, *layer, choice, *why)),
    );
    let personas = bot.applied_persona(&Chooser::of(ctx).spot).await;
    lines.push(persona::standing(language, &personas));
    lines.extend(
        personas
            .passed
            .iter()
            .map(|(layer, choice, why)| persona::passed_over(language, *layer, choice, *why)),
    );
    lines.push(if credentials.is_empty() {
        say!(language, "no-credentials")
    } else {
        say!(language, "status-credentials", summary = embeds::summary(language, &credentials))
    });
    lines.push(say!(language, "status-answers", count = bot.exchanges.count()));
    answer(ctx, &interaction, &lines.join("\n")).await
}

/// A choice that does not apply, as a small line.
fn passed_over(language: &Language, layer: Layer, choice: &Choice, why: Passed) -> String {
    let because = match why {
        Passed::Nearer => say!(language, "passed-nearer"),
        Passed::NotAllowed => say!(language, "passed-not-offered"),
        Passed::Gone => say!(language, "passed-gone"),
    };
    let (what, whom) = (choice.to_string(), layer.for_whom(language));
    format!("-# {}", say!(language, "passed-over", what = what, whom = whom, why = because))
}
