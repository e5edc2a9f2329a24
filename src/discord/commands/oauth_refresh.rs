//! `/settings oauth-refresh <provider> [credential]`, and the buttons that do the same.

use super::{
    Context, answer, complete_credential, complete_provider, defer, demand_operator, known_credential,
    known_provider, language, model::Chooser, report,
};
use crate::{
    credential::CredentialId,
    discord::{
        card,
        data::{Bot, correlation_id},
        embeds::{self, View},
        error::CommandError,
        reply::{Interaction, cut},
        sink::MESSAGE_LIMIT,
    },
    pool::{RefreshReport, Refused, Selector},
    provider::ProviderId,
};

/// Get new tokens now (operators)
#[poise::command(slash_command, rename = "oauth-refresh")]
pub(super) async fn oauth_refresh(
    ctx: Context<'_>,
    #[description = "Whose tokens"]
    #[autocomplete = "complete_provider"]
    provider: String,
    #[description = "Only this credential"]
    #[autocomplete = "complete_credential"]
    credential: Option<String>,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_operator(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let chosen = known_provider(bot, &language(ctx), &provider).and_then(|provider| {
        let credential =
            credential.map(|text| known_credential(bot, &language(ctx), &provider, &text)).transpose()?;
        Ok((provider, credential))
    });
    let (provider, credential) = match chosen {
        Ok(chosen) => chosen,
        Err(sentence) => return answer(ctx, &interaction, &sentence).await,
    };
    let selector = credential.map_or_else(|| Selector::Provider(provider.clone()), Selector::Credential);
    let user = ctx.interaction.user.id.get();
    let (id, reports) = refresh(bot, user, &selector, Refused::Keep).await;
    Ok(interaction.edit(bot, report::body(&language(ctx), &provider, &reports, &id)).await?)
}

/// "Refresh now" under a status: every credential of the view's providers that has something to refresh, then the
/// page again.
pub(in crate::discord) async fn refresh_now(
    bot: &Bot,
    interaction: &Interaction,
    by: &Chooser,
    view: &View,
) -> Result<(), CommandError> {
    interaction.acknowledge(bot).await?;
    let providers: Vec<ProviderId> = match &view.provider {
        Some(provider) => vec![provider.clone()],
        None => bot.providers().iter().map(|provider| provider.id.clone()).collect(),
    };
    let mut lines = Vec::new();
    for provider in providers {
        let (id, reports) =
            refresh(bot, by.asker.user, &Selector::Provider(provider.clone()), Refused::Keep).await;
        if !reports.is_empty() {
            lines.push(report::short(&by.language, &provider, &reports, &id));
        }
    }
    let mut body = embeds::status(&by.language, &bot.pool.snapshot(), &bot.providers(), view);
    if !lines.is_empty() {
        body["content"] = cut(&lines.join("\n"), MESSAGE_LIMIT).into();
    }
    Ok(interaction.edit(bot, body).await?)
}

/// "Try once more" under a refusal that an operator confirmed: the refused token is sent one more time (P4).
pub(in crate::discord) async fn confirmed(
    bot: &Bot,
    interaction: &Interaction,
    by: &Chooser,
    credential: CredentialId,
) -> Result<(), CommandError> {
    interaction.acknowledge(bot).await?;
    let (id, reports) =
        refresh(bot, by.asker.user, &Selector::Credential(credential.clone()), Refused::TryOnce).await;
    let body = match reports.first() {
        Some(first) => report::body(&by.language, &first.provider, &reports, &id),
        None => card::gone(&by.language, &credential),
    };
    Ok(interaction.edit(bot, body).await?)
}

/// Refreshes and writes the line that an audit looks for.
pub(super) async fn refresh(
    bot: &Bot,
    user: u64,
    selector: &Selector,
    refused: Refused,
) -> (String, Vec<RefreshReport>) {
    let id = correlation_id();
    let reports = bot.pool.refresh(selector, refused).await;
    let failed = reports.iter().filter(|report| report::failed(report)).count();
    tracing::info!(
        request.id = id,
        discord.user = user,
        refresh.selector = ?selector,
        refresh.credentials = reports.len(),
        refresh.failed = failed,
        "An operator refreshed credentials"
    );
    for report in reports.iter().filter(|report| report::failed(report)) {
        tracing::warn!(
            request.id = id,
            provider = %report.provider,
            credential.id = %report.credential,
            error = report::why(report),
            "A refresh by hand failed"
        );
    }
    (id, reports)
}
