//! `/settings models hub:…`: operators search Hugging Face's hub for models to run themselves.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Context, answer};
use crate::{
    discord::{data::Bot, error::CommandError, reply::Interaction, reply::cut},
    hub::{GgufFile, HubError, MODEL_MEMORY, Model, bytes_in_words, plain},
};

/// How long the hub may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Models that are shown.
const SHOWN: usize = 5;

/// Discord's limit for the description of an embed.
const DESCRIPTION: usize = 4096;

const OPERATORS_ONLY: &str = "Searching Hugging Face's hub is the business of my operators, who run the models. \
                              `/settings models` without `hub` lists what you can choose.";

/// Shows what the hub has, to an operator; the answer is for their eyes only, so private models may be in it.
pub(super) async fn search(
    ctx: Context<'_>,
    interaction: &Interaction,
    query: &str,
) -> Result<(), CommandError> {
    let bot = ctx.framework.user_data;
    let user = ctx.interaction.user.id.get();
    if !bot.access.is_operator(user) {
        tracing::info!(discord.user = user, "Refused an operator's command to somebody else");
        return answer(ctx, interaction, OPERATORS_ONLY).await;
    }
    match found(bot, query).await {
        Ok(models) if models.is_empty() => {
            let text =
                format!("No model with GGUF files has a name that contains `{}`.", cut(&plain(query), 60));
            answer(ctx, interaction, &text).await
        }
        Ok(models) => Ok(interaction.edit(bot, body(&models)).await?),
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

fn body(models: &[Model]) -> Value {
    let text: Vec<String> = models.iter().map(block).collect();
    let embed = json!({
        "title": "GGUF models on the hub",
        "description": cut(&text.join("\n\n"), DESCRIPTION),
        "footer": { "text": format!("{MODEL_MEMORY}\ncortana hf pull OWNER/MODEL FILE fetches one; see docs/local-models.md") },
    });
    json!({ "content": "", "embeds": [embed], "components": [] })
}

fn block(model: &Model) -> String {
    let mut head = format!("**`{}`** · {} downloads · {} likes", model.id, model.downloads, model.likes);
    if model.private {
        head.push_str(" · 🕶️ private");
    }
    if model.gated {
        head.push_str(" · 🔒 gated, to be accepted on its page");
    }
    let files = match model.files.as_slice() {
        [] => "no GGUF file".to_owned(),
        [only] => file(only),
        [first, .., last] => {
            format!("{} files, from {} to {}", model.files.len(), file(first), file(last))
        }
    };
    format!("{head}\n{files}\n<{}>", model.page)
}

fn file(file: &GgufFile) -> String {
    let size = |bytes: Option<u64>| bytes.map_or_else(|| "unknown size".to_owned(), bytes_in_words);
    let memory =
        file.memory_bytes.map_or_else(String::new, |bytes| format!(", memory {}", bytes_in_words(bytes)));
    format!("`{}` ({}{memory})", cut(&file.name, 100), size(file.bytes))
}
