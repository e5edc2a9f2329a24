//! `/chat`: a question without a mention, wherever commands can be used.

use std::sync::atomic::Ordering;

use poise::serenity_prelude as serenity;

use super::{Context, language, model::complete_chosen};
use crate::discord::{
    error::CommandError,
    events::{self, Wanted},
    history::offered,
    offers,
    reply::Interaction,
    through::SeenBy,
};

/// Ask me something
#[poise::command(slash_command, install_context = "Guild", interaction_context = "Guild|BotDm")]
pub(super) async fn chat(
    ctx: Context<'_>,
    #[description = "Your question"]
    // The answer shows it above, and has to hold it.
    #[max_length = 1000]
    text: String,
    #[description = "A picture, a text or a PDF that it is about"] file: Option<serenity::Attachment>,
    #[description = "Who answers this one question"]
    #[autocomplete = "complete_chosen"]
    model: Option<String>,
    #[description = "Who sees the answer; everyone here without it"]
    #[rename = "seen-by"]
    seen_by: Option<SeenBy>,
) -> Result<(), CommandError> {
    let (bot, command) = (ctx.framework.user_data, ctx.interaction);
    if !bot.is_new(command.id.get()) {
        return Ok(());
    }
    let model = match model.map(|name| offers::named(bot, &language(ctx), &name)).transpose() {
        Ok(model) => model,
        Err(why) => {
            let interaction = Interaction::new(bot, command.id.get(), &command.token);
            return Ok(interaction.whisper(bot, &why).await?);
        }
    };
    let heading = match &file {
        Some(file) => format!("{text} 📎 {}", file.filename.replace('`', "'")),
        None => text.clone(),
    };
    let file = file.map(|file| offered(file.filename, file.url, file.size.into()));
    let wanted = Wanted {
        text,
        heading,
        files: file.into_iter().collect(),
        model,
        seen_by: seen_by.unwrap_or_default(),
    };
    let asked = events::ask(bot, &ctx.framework.serenity_context.cache, command, wanted).await;
    // What could not be promised is apologised for in a message of its own.
    ctx.has_sent_initial_response.store(asked.is_ok(), Ordering::SeqCst);
    asked
}
