//! What can be done with a message from its menu: it becomes a question, or the beginning of what is summarised.

use std::sync::atomic::Ordering;

use poise::serenity_prelude as serenity;

use super::Context;
use crate::discord::{
    error::CommandError,
    events::{self, Subject, Wanted},
    history::Seen,
    through::SeenBy,
};

/// Asks the bot what a message says.
#[poise::command(
    context_menu_command = "Ask Cortana",
    install_context = "Guild",
    interaction_context = "Guild|BotDm"
)]
pub(super) async fn ask_cortana(ctx: Context<'_>, message: serenity::Message) -> Result<(), CommandError> {
    let about = Box::new(Seen::of(&message));
    let wanted = Wanted { subject: Subject::Message(about), model: None, seen_by: SeenBy::Everyone };
    begin(ctx, wanted).await
}

/// Summarises what was said from a message on, for whoever asks.
#[poise::command(
    context_menu_command = "Summarise from here",
    install_context = "Guild",
    interaction_context = "Guild|BotDm"
)]
pub(super) async fn summarise(ctx: Context<'_>, message: serenity::Message) -> Result<(), CommandError> {
    let first = Box::new(Seen::of(&message));
    begin(ctx, Wanted { subject: Subject::Since(first), model: None, seen_by: SeenBy::Asker }).await
}

/// Begins to answer, once for each command.
pub(super) async fn begin(ctx: Context<'_>, wanted: Wanted) -> Result<(), CommandError> {
    let (bot, command) = (ctx.framework.user_data, ctx.interaction);
    if !bot.is_new(command.id.get()) {
        return Ok(());
    }
    let asked = events::ask(bot, &ctx.framework.serenity_context.cache, command, wanted).await;
    // What could not be promised is apologised for in a message of its own.
    ctx.has_sent_initial_response.store(asked.is_ok(), Ordering::SeqCst);
    asked
}
