//! `/chat`: a question without a mention, wherever commands can be used.

use poise::serenity_prelude as serenity;

use super::{Context, language, menu::begin, model::complete_chosen};
use crate::discord::{
    error::CommandError,
    events::{Subject, Wanted},
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
    let bot = ctx.framework.user_data;
    let model = match model.map(|name| offers::named(bot, &language(ctx), &name)).transpose() {
        Ok(model) => model,
        Err(why) => {
            let interaction = Interaction::new(bot, ctx.interaction.id.get(), &ctx.interaction.token);
            return Ok(interaction.whisper(bot, &why).await?);
        }
    };
    let file = file.map(|file| offered(file.filename, file.url, file.size.into()));
    begin(ctx, Wanted { subject: Subject::Typed(text, file), model, seen_by: seen_by.unwrap_or_default() })
        .await
}
