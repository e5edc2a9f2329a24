//! `/settings oauth-disconnect <credential>`: a login ends at its provider, and its file is removed, after a confirmation.

use serde_json::{Value, json};

use super::{Context, answer, complete_credential, defer, demand_operator, language, model::Chooser};
use crate::{
    credential::CredentialId,
    discord::{
        card,
        data::Bot,
        embeds,
        error::CommandError,
        reply::{Interaction, cut},
        sink::MESSAGE_LIMIT,
    },
    language::{Language, say},
    oauth::Revoked,
    pool::{CredentialView, EndError, Telling},
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
    let Some(view) = view(bot, &id) else {
        return Ok(interaction.edit(bot, card::gone(&language(ctx), &id)).await?);
    };
    if let Err(error) = bot.logins.endable(&id).await {
        let language = language(ctx);
        let text = say!(language, "not-logged-out", name = name(&language, &view), why = error.to_string());
        return answer(ctx, &interaction, &cut(&format!("❌ {text}"), MESSAGE_LIMIT)).await;
    }
    Ok(interaction.edit(bot, question(&language(ctx), &view)).await?)
}

fn question(language: &Language, view: &CredentialView) -> Value {
    let id = &view.id;
    let text = say!(language, "log-out-question", name = name(language, view), place = &view.place);
    json!({
        "content": format!("⚠️ {text}"),
        "embeds": [],
        "components": [{ "type": 1, "components": [
            { "type": 2, "style": 4, "label": say!(language, "button-log-out"), "custom_id": format!("disconnect:{id}") },
            { "type": 2, "style": 2, "label": say!(language, "button-leave"), "custom_id": format!("card:{id}") },
        ]}],
    })
}

/// The question was answered with yes.
pub(in crate::discord) async fn disconnected(
    bot: &Bot,
    interaction: &Interaction,
    by: &Chooser,
    id: &CredentialId,
) -> Result<(), CommandError> {
    interaction.acknowledge(bot).await?;
    let language = &by.language;
    let Some(view) = view(bot, id) else { return Ok(interaction.edit(bot, card::gone(language, id)).await?) };
    let providers = bot.providers();
    let row = view.provider.as_ref().and_then(|provider| providers.get(provider));
    let Some(row) = row else { return Ok(interaction.edit(bot, card::gone(language, id)).await?) };
    let ended = async {
        let credential = bot.logins.endable(id).await?;
        bot.logins.end(row, credential, Telling::Provider).await
    };
    let text = match ended.await {
        Ok(revoked) => {
            tracing::info!(discord.user = by.asker.user, credential.id = %id, "An operator ended a login");
            let how = match revoked {
                Revoked::Now => say!(language, "logged-out-now", at = &row.name),
                Revoked::Before => say!(language, "logged-out-before", at = &row.name),
                Revoked::NotOffered => say!(language, "logged-out-not-offered", at = &row.name),
            };
            let name = name(language, &view);
            format!("✅ {}", say!(language, "logged-out", name = name, how = how, place = &view.place))
        }
        Err(error @ EndError::FileStays(_)) => {
            let name = name(language, &view);
            format!("⚠️ {}", say!(language, "logged-out-in-part", name = name, why = error.to_string()))
        }
        Err(error) => {
            let name = name(language, &view);
            format!("❌ {}", say!(language, "not-logged-out-file", name = name, why = error.to_string()))
        }
    };
    let body = json!({ "content": cut(&text, MESSAGE_LIMIT), "embeds": [], "components": [] });
    Ok(interaction.edit(bot, body).await?)
}

fn view(bot: &Bot, id: &CredentialId) -> Option<CredentialView> {
    bot.pool.snapshot().credentials.into_iter().find(|credential| credential.id == *id)
}

fn name(language: &Language, view: &CredentialView) -> String {
    format!("**{}** · {}", embeds::provider(language, view), view.account)
}
