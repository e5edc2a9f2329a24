//! `/settings oauth-connect <provider>`: a login that an operator makes from Discord, for their eyes alone.
//!
//! The browser ends at an address of its own machine, which it cannot open: that address is pasted. Or a code is confirmed
//! on any device, and the message changes when it was.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;
use serde_json::{Value, json};

use super::{
    Context, answer, complete_provider, defer, demand_operator, known_provider, language, model::Chooser,
};
use crate::{
    clock::instant,
    discord::{
        card,
        connecting::{NotYours, PATIENCE},
        data::Bot,
        error::CommandError,
        reply::{Interaction, cut},
        sink::MESSAGE_LIMIT,
    },
    language::{Language, say},
    oauth::{self, Authorization, DeviceLogin, LoginError, NewLogin, missing_scopes, pasted_redirect},
    pool::Taken,
    provider::{OAuthSpec, Provider, ProviderId},
};

/// Discord's limit for the address of a link button.
const LINK: usize = 512;

/// How long the pool may take to see a new file (P35), with some room.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// How a login is confirmed
#[derive(Debug, Clone, Copy, PartialEq, Eq, poise::ChoiceParameter)]
enum Way {
    /// In a browser; its last address is pasted.
    #[name = "in a browser"]
    Browser,
    /// By a code on any device.
    #[name = "by a code"]
    Code,
}

/// Log in at a provider and keep the login (operators)
#[poise::command(slash_command, rename = "oauth-connect")]
pub(super) async fn oauth_connect(
    ctx: Context<'_>,
    #[description = "Where"]
    #[autocomplete = "complete_provider"]
    provider: String,
    #[description = "How; what the provider has, unless said"] way: Option<Way>,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_operator(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let provider = match known_provider(bot, &language(ctx), &provider) {
        Ok(provider) => provider,
        Err(sentence) => return answer(ctx, &interaction, &sentence).await,
    };
    begin(bot, interaction, &Chooser::of(ctx), &provider, way).await
}

/// "Log in again" under a credential that needs it.
pub(in crate::discord) async fn again(
    bot: &Arc<Bot>,
    interaction: Interaction,
    by: &Chooser,
    provider: &ProviderId,
) -> Result<(), CommandError> {
    interaction.acknowledge(bot).await?;
    begin(bot, interaction, by, provider, None).await
}

async fn begin(
    bot: &Arc<Bot>,
    interaction: Interaction,
    by: &Chooser,
    provider: &ProviderId,
    way: Option<Way>,
) -> Result<(), CommandError> {
    let language = &by.language;
    let providers = bot.providers();
    let Some(row) = providers.get(provider) else { return Ok(()) };
    let ready = async {
        let spec = row.oauth().filter(|spec| spec.takes_logins());
        let no_login = || say!(language, "connect-no-login", name = &row.name, provider = provider.as_str());
        let spec = spec.ok_or_else(no_login)?;
        oauth::client_of(row)
            .map_err(|error| say!(language, "connect-no-client", why = error.to_string()))?;
        let proven = bot.logins.prove().await;
        proven.map_err(|error| say!(language, "connect-cannot-keep", why = error.to_string()))?;
        Ok::<_, String>(spec)
    };
    let spec = match ready.await {
        Ok(spec) => spec,
        Err(sentence) => return Ok(interaction.edit(bot, plain(&format!("❌ {sentence}"))).await?),
    };
    let by_code = match way {
        Some(Way::Code) => true,
        Some(Way::Browser) => false,
        None => spec.authorize_endpoint.is_none(),
    };
    if by_code {
        on_a_device(bot, interaction, by, row).await
    } else {
        in_a_browser(bot, &interaction, by, (row, spec)).await
    }
}

async fn in_a_browser(
    bot: &Bot,
    interaction: &Interaction,
    by: &Chooser,
    (row, spec): (&Provider, &OAuthSpec),
) -> Result<(), CommandError> {
    let language = &by.language;
    let authorization = match Authorization::begin(row, &pasted_redirect(spec)) {
        Ok(authorization) => authorization,
        Err(error) => return Ok(interaction.edit(bot, plain(&format!("❌ {error}."))).await?),
    };
    let address = authorization.address.clone();
    let content = format!(
        "{}1. {}\n2. {}\n3. {}",
        foretold(row),
        say!(language, "connect-open", name = &row.name, address = address.as_str()),
        say!(language, "connect-copy"),
        say!(language, "connect-paste")
    );
    if content.encode_utf16().count() > MESSAGE_LIMIT {
        let text = say!(language, "connect-address-too-long", provider = row.id.as_str());
        return Ok(interaction.edit(bot, plain(&format!("❌ {text}"))).await?);
    }
    let id = bot.connecting.begin(by.asker.user, row.id.clone(), authorization);
    tracing::info!(discord.user = by.asker.user, provider = %row.id, "An operator began a login");
    let link = (address.as_str().len() <= LINK)
        .then(|| json!({ "type": 2, "style": 5, "label": say!(language, "button-log-in"), "url": address.as_str() }));
    let buttons: Vec<Value> = link.into_iter().chain([paste(language, &id)]).collect();
    let body =
        json!({ "content": content, "embeds": [], "components": [{ "type": 1, "components": buttons }] });
    Ok(interaction.edit(bot, body).await?)
}

fn paste(language: &Language, id: &str) -> Value {
    json!({ "type": 2, "style": 1, "label": say!(language, "button-paste"), "custom_id": format!("connect-paste:{id}") })
}

/// What an operator should know before they consent.
fn foretold(row: &Provider) -> String {
    let lifecycle = row.lifecycle.as_ref().map(|known| format!("-# {}: {}.\n", known.since, known.note));
    let terms = row.terms.as_ref().map(|terms| format!("⚠️ {}: <{}>\n", terms.warning, terms.url));
    lifecycle.into_iter().chain(terms).collect()
}

/// "Paste the address" was pressed: a form opens for who began the login.
pub(in crate::discord) async fn asked_for_form(
    bot: &Bot,
    interaction: &Interaction,
    by: &Chooser,
    id: &str,
) -> Result<(), CommandError> {
    let language = &by.language;
    if let Err(why) = bot.connecting.look(id, by.asker.user) {
        return Ok(interaction.whisper(bot, &told(language, why)).await?);
    }
    Ok(interaction
        .form(
            bot,
            json!({
                "custom_id": format!("connect:{id}"),
                "title": say!(language, "button-log-in"),
                "components": [{ "type": 1, "components": [{
                    "type": 4,
                    "custom_id": "answer",
                    "style": 2,
                    "label": say!(language, "connect-form"),
                    "min_length": 1,
                    "max_length": 4000,
                    "required": true,
                }]}],
            }),
        )
        .await?)
}

/// The form was sent.
pub(in crate::discord) async fn answered(
    bot: &Arc<Bot>,
    interaction: &Interaction,
    by: &Chooser,
    id: &str,
    pasted: &str,
) -> Result<(), CommandError> {
    let language = &by.language;
    let pending = match bot.connecting.take(id, by.asker.user) {
        Ok(pending) => pending,
        Err(why) => return Ok(interaction.whisper(bot, &told(language, why)).await?),
    };
    interaction.acknowledge(bot).await?;
    let providers = bot.providers();
    let Some(row) = providers.get(&pending.provider) else { return Ok(()) };
    let code = match pending.authorization.read_pasted(pasted) {
        Ok(code) => code,
        Err(error @ (LoginError::OtherLogin | LoginError::Unreadable { .. })) => {
            bot.connecting.put_back(id, pending);
            let body = json!({
                "content": format!("❌ {}", say!(language, "connect-paste-again", why = error.to_string())),
                "embeds": [],
                "components": [{ "type": 1, "components": [paste(language, id)] }],
            });
            return Ok(interaction.edit(bot, body).await?);
        }
        Err(error) => return Ok(interaction.edit(bot, failed(language, row, &error)).await?),
    };
    let redeemed = bot.logins.exchange().redeem(row, &pending.authorization, &code).await;
    let body = taken_in(bot, by, row, redeemed).await;
    Ok(interaction.edit(bot, body).await?)
}

fn told(language: &Language, why: NotYours) -> String {
    match why {
        NotYours::SomebodyElses => say!(language, "connect-somebody-elses"),
        NotYours::Over => say!(language, "connect-over"),
    }
}

/// A code for any device; the message changes when somebody confirmed it.
async fn on_a_device(
    bot: &Arc<Bot>,
    interaction: Interaction,
    by: &Chooser,
    row: &Provider,
) -> Result<(), CommandError> {
    let language = &by.language;
    let login = match bot.logins.exchange().begin_device(row).await {
        Ok(login) => login,
        Err(error) => return Ok(interaction.edit(bot, failed(language, row, &error)).await?),
    };
    let address = login.complete.as_ref().unwrap_or(&login.address);
    let content = format!(
        "{}1. {}\n2. {}",
        foretold(row),
        say!(language, "connect-open", name = &row.name, address = address.as_str()),
        say!(language, "connect-confirm-code", code = login.user_code.replace('`', ""))
    );
    let link = (address.as_str().len() <= LINK)
        .then(|| json!([{ "type": 1, "components": [{ "type": 2, "style": 5, "label": say!(language, "button-log-in"), "url": address.as_str() }] }]));
    let body = json!({ "content": cut(&content, MESSAGE_LIMIT), "embeds": [], "components": link.unwrap_or_else(|| json!([])) });
    interaction.edit(bot, body).await?;
    tracing::info!(discord.user = by.asker.user, provider = %row.id, "An operator began a login");
    let (bot, by, row) = (Arc::clone(bot), by.clone(), row.clone());
    let life = bot.shutdown.clone();
    drop(life.spawn(async move {
        let body = confirmed(&bot, &by, &row, &login).await;
        if let Err(error) = interaction.edit(&bot, body).await {
            tracing::warn!(provider = %row.id, error = %error, "The end of a login could not be shown");
        }
    }));
    Ok(())
}

async fn confirmed(bot: &Bot, by: &Chooser, row: &Provider, login: &DeviceLogin) -> Value {
    let waited = tokio::select! {
        waited = bot.logins.exchange().wait_for_device(row, login, PATIENCE) => waited,
        () = bot.shutdown.token().cancelled() => {
            return plain(&say!(by.language, "connect-stopped"));
        }
    };
    taken_in(bot, by, row, waited).await
}

/// Keeps what came, and shows the new credential.
async fn taken_in(bot: &Bot, by: &Chooser, row: &Provider, new: Result<NewLogin, LoginError>) -> Value {
    let language = &by.language;
    let taken = match new {
        Ok(new) => bot.logins.take(row, new, None).await,
        Err(error) => return failed(language, row, &error),
    };
    let taken = match taken {
        Ok(taken) => taken,
        Err(error) => {
            let text = say!(language, "connect-not-kept", name = &row.name, why = error.to_string());
            return plain(&format!("❌ {text}"));
        }
    };
    let id = &taken.kept.credential.id;
    tracing::info!(discord.user = by.asker.user, provider = %row.id, credential.id = %id, "An operator logged in");
    let until = instant() + SEEN_WITHIN;
    let note = note(language, row, &taken);
    loop {
        let found = bot.pool.snapshot().credentials.into_iter().find(|credential| credential.id == *id);
        if let Some(credential) = found {
            return card::body(language, &credential, bot.pool.link(id).as_ref(), bot.clock.now(), &note);
        }
        if instant() >= until {
            return plain(&note);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn note(language: &Language, row: &Provider, taken: &Taken) -> String {
    let account = taken.kept.credential.account();
    let mut lines = vec![format!("✅ {}", say!(language, "connected", name = &row.name, account = account))];
    let missing = row.oauth().map(|spec| missing_scopes(spec, &taken.fresh.scopes)).unwrap_or_default();
    if !missing.is_empty() {
        lines.push(format!("⚠️ {}", say!(language, "connect-not-granted", scopes = missing.join(" "))));
    }
    lines.extend(taken.remarks.iter().map(|remark| format!("⚠️ {remark}")));
    if !row.terms_accepted {
        lines.push(format!("⛔ {}", say!(language, "connect-terms", provider = row.id.as_str())));
    }
    cut(&lines.join("\n"), MESSAGE_LIMIT)
}

fn failed(language: &Language, row: &Provider, error: &LoginError) -> Value {
    let text = say!(language, "connect-failed", name = &row.name, why = error.to_string());
    plain(&format!("❌ {text}"))
}

fn plain(text: &str) -> Value {
    json!({ "content": cut(text, MESSAGE_LIMIT), "embeds": [], "components": [] })
}

/// What somebody wrote into the one field of a form.
pub(in crate::discord) fn written(form: &serenity::ModalInteraction) -> &str {
    let mut inputs = form.data.components.iter().flat_map(|row| &row.components);
    let text = inputs.find_map(|input| {
        if let serenity::ActionRowComponent::InputText(text) = input { text.value.as_deref() } else { None }
    });
    text.unwrap_or_default()
}
