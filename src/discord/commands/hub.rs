//! `/settings models hub:…`: operators search Hugging Face's hub for models to run themselves.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Context, answer, language};
use crate::{
    discord::{data::Bot, error::CommandError, reply::Interaction, reply::cut},
    hub::{GgufFile, HubError, MODEL_MEMORY, Model, bytes_in_words, plain},
    language::{Language, say},
};

/// How long the hub may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Models that are shown.
const SHOWN: usize = 5;

/// Discord's limit for the description of an embed.
const DESCRIPTION: usize = 4096;

/// Shows what the hub has, to an operator; the answer is for their eyes only, so private models may be in it.
pub(super) async fn search(
    ctx: Context<'_>,
    interaction: &Interaction,
    query: &str,
) -> Result<(), CommandError> {
    let bot = ctx.framework.user_data;
    let user = ctx.interaction.user.id.get();
    let language = &language(ctx);
    if !bot.access.is_operator(user) {
        tracing::info!(discord.user = user, "Refused an operator's command to somebody else");
        return answer(ctx, interaction, &say!(language, "hub-operators-only")).await;
    }
    match found(bot, query).await {
        Ok(models) if models.is_empty() => {
            let text = say!(language, "hub-nothing", query = cut(&plain(query), 60));
            answer(ctx, interaction, &text).await
        }
        Ok(models) => Ok(interaction.edit(bot, body(language, &models)).await?),
        Err(error) => {
            tracing::warn!(error = %error, "The hub could not be searched");
            let mut sentence = error.to_string();
            // The hub's name begins most of them.
            if let Some(rest) = sentence.strip_prefix("the ") {
                sentence = format!("The {rest}");
            }
            answer(ctx, interaction, &format!("❌ {sentence}.")).await
        }
    }
}

async fn found(bot: &Bot, query: &str) -> Result<Vec<Model>, HubError> {
    let away = |problem: &str| HubError::Unreachable { problem: problem.to_owned() };
    let hub = bot.hub.as_ref().ok_or_else(|| away("its client could not be made; the log says why"))?;
    let asked = tokio::time::timeout(PATIENCE, hub.search(query.trim(), SHOWN));
    asked.await.unwrap_or_else(|_| Err(away("timed out")))
}

fn body(language: &Language, models: &[Model]) -> Value {
    let text: Vec<String> = models.iter().map(|model| block(language, model)).collect();
    let embed = json!({
        "title": say!(language, "hub-title"),
        "description": cut(&text.join("\n\n"), DESCRIPTION),
        "footer": { "text": format!("{MODEL_MEMORY}\n{}", say!(language, "hub-footer")) },
    });
    json!({ "content": "", "embeds": [embed], "components": [] })
}

fn block(language: &Language, model: &Model) -> String {
    let counts = say!(language, "hub-counts", downloads = model.downloads, likes = model.likes);
    let mut head = format!("**`{}`** · {counts}", model.id);
    if model.private {
        head = format!("{head} · 🕶️ {}", say!(language, "hub-private"));
    }
    if model.gated {
        head = format!("{head} · 🔒 {}", say!(language, "hub-gated"));
    }
    let files = match model.files.as_slice() {
        [] => say!(language, "hub-no-file"),
        [only] => file(language, only),
        [first, .., last] => {
            let (count, first, last) = (model.files.len(), file(language, first), file(language, last));
            say!(language, "hub-files", count = count, first = first, last = last)
        }
    };
    format!("{head}\n{files}\n<{}>", model.page)
}

fn file(language: &Language, file: &GgufFile) -> String {
    let size = file.bytes.map_or_else(|| say!(language, "hub-unknown-size"), bytes_in_words);
    let memory = file.memory_bytes.map_or_else(String::new, |bytes| {
        format!(", {}", say!(language, "hub-memory", size = bytes_in_words(bytes)))
    });
    format!("`{}` ({size}{memory})", cut(&file.name, 100))
}
