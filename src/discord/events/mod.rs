//! What the gateway tells us, each kind in its own file.

mod again;
mod command;
mod edited;
mod exchange;
mod interaction;
mod message;
mod ready;

use std::sync::Arc;

use poise::serenity_prelude as serenity;

use super::{data::Bot, error::CommandError};
use crate::language::{Language, say};

pub(super) use command::{Subject, Wanted, ask};
pub(super) use edited::{Answered, WATCHED};
pub(super) use interaction::may_decide;

/// Hands an event on. Long work is spawned: the gateway's task never waits for it.
#[expect(clippy::unused_async, reason = "poise awaits the function")]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum is open, and most events say nothing to us"
)]
pub(super) async fn handle(
    context: &serenity::Context,
    bot: &Arc<Bot>,
    event: &serenity::FullEvent,
) -> Result<(), CommandError> {
    match event {
        serenity::FullEvent::Message { new_message } => message::created(context, bot, new_message),
        serenity::FullEvent::MessageUpdate { event, .. } => edited::edited(&context.cache, bot, event),
        serenity::FullEvent::MessageDelete { deleted_message_id, .. } => {
            message::deleted(bot, &[deleted_message_id.get()]);
        }
        serenity::FullEvent::MessageDeleteBulk { multiple_deleted_messages_ids, .. } => {
            let deleted: Vec<u64> = multiple_deleted_messages_ids.iter().map(|id| id.get()).collect();
            message::deleted(bot, &deleted);
        }
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Component(click) } => {
            interaction::clicked(context, bot, click);
        }
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Modal(form) } => {
            interaction::sent(bot, form);
        }
        serenity::FullEvent::Ready { data_about_bot } => ready::ready(context, bot, data_about_bot),
        serenity::FullEvent::ShardStageUpdate { event } => ready::stage(bot, event),
        _ => {}
    }
    Ok(())
}

/// How to talk to the bot, in two lines.
pub(super) fn how_to(language: &Language, bot: u64) -> String {
    let first = say!(language, "how-to", bot = format!("<@{bot}>"));
    format!("{first}\n{}", say!(language, "how-to-stop"))
}
