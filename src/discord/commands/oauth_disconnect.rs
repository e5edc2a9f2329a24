//! `/settings oauth-disconnect <credential>`: a login ends at its provider, and its file is removed, after a confirmation.

use serde_json::{Value, json};

use super::{Context, answer, complete_credential, defer, demand_operator};
use crate::{
    credential::CredentialId,
    discord::{
        card,
        data::Bot,
        error::CommandError,
        reply::{Interaction, cut},
        sink::MESSAGE_LIMIT,
    },
    oauth::Revoked,
    pool::{CredentialView, EndError, Telling},
    provider::ProviderId,
};

/// End a login at its provider and remove its file (operators)
#[poise::command(slash_command, rename = "oauth-disconnect")]
pub(super) async fn oauth_disconnect(
    ctx: Context<'_>,
    #[description = "Which"]
    #[autocomplete = "complete_credential"]
    credential: String,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_operator(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let id = CredentialId::new(credential.trim());
    let Some(view) = view(bot, &id) else { return Ok(interaction.edit(bot, card::gone(&id)).await?) };
    if let Err(error) = bot.logins.endable(&id).await {
        let text = cut(&format!("❌ {} was not logged out: {error}.", name(&view)), MESSAGE_LIMIT);
        return answer(ctx, &interaction, &text).await;
    }
    Ok(interaction.edit(bot, question(&view)).await?)
}

fn question(view: &CredentialView) -> Value {
    let id = &view.id;
    json!({
        "content": format!(
            "⚠️ End the login of {}? It ends for other programs that share it too, and {} is removed.",
            name(view), view.place
        ),
        "embeds": [],
        "components": [{ "type": 1, "components": [
            { "type": 2, "style": 4, "label": "Log out and remove", "custom_id": format!("disconnect:{id}") },
            { "type": 2, "style": 2, "label": "Leave it", "custom_id": format!("card:{id}") },
        ]}],
    })
}

/// The question was answered with yes.
pub(in crate::discord) async fn disconnected(
    bot: &Bot,
    interaction: &Interaction,
    user: u64,
    id: &CredentialId,
) -> Result<(), CommandError> {
    interaction.acknowledge(bot).await?;
    let Some(view) = view(bot, id) else { return Ok(interaction.edit(bot, card::gone(id)).await?) };
    let providers = bot.providers();
    let row = view.provider.as_ref().and_then(|provider| providers.get(provider));
    let Some(row) = row else { return Ok(interaction.edit(bot, card::gone(id)).await?) };
    let ended = async {
        let credential = bot.logins.endable(id).await?;
        bot.logins.end(row, credential, Telling::Provider).await
    };
    let text = match ended.await {
        Ok(revoked) => {
            tracing::info!(discord.user = user, credential.id = %id, "An operator ended a login");
            let how = match revoked {
                Revoked::Now => format!("ended at {}", row.name),
                Revoked::Before => format!("{} had ended it before", row.name),
                Revoked::NotOffered => format!(
                    "{} has no address to end it at: it lives on there until it expires, or its owner ends it on the \
                     account's page",
                    row.name
                ),
            };
            format!("✅ Logged out {}: {how}. {} is removed.", name(&view), view.place)
        }
        Err(error @ EndError::FileStays(_)) => {
            format!("⚠️ {} is logged out in part: {error}.", name(&view))
        }
        Err(error) => format!("❌ {} was not logged out: {error}. Its file is as it was.", name(&view)),
    };
    let body = json!({ "content": cut(&text, MESSAGE_LIMIT), "embeds": [], "components": [] });
    Ok(interaction.edit(bot, body).await?)
}

fn view(bot: &Bot, id: &CredentialId) -> Option<CredentialView> {
    bot.pool.snapshot().credentials.into_iter().find(|credential| credential.id == *id)
}

fn name(view: &CredentialView) -> String {
    let provider = view.provider.as_ref().map_or("unknown", ProviderId::as_str);
    format!("**{provider}** · {}", view.account)
}
