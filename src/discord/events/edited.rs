//! A question that its author changes: its answer offers to be given again (D12). Never by itself: whoever corrects a
//! letter does not lose an answer.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, PoisonError},
};

use poise::serenity_prelude as serenity;
use reqwest::Method;
use serde_json::json;

use crate::{
    discord::{
        asked::{self, Asked},
        data::Bot,
        error::RestError,
        ground::Found,
        own,
        transport::without_pings,
    },
    language::Language,
};

/// Answers whose questions are watched.
pub(in crate::discord) const WATCHED: usize = 2048;

/// An answer that was given: where its buttons are, and what of its question was answered. Without any text.
#[derive(Debug, Clone)]
pub(in crate::discord) struct Answered {
    /// The answer's channel.
    pub(in crate::discord) channel: u64,
    /// Its last message.
    pub(in crate::discord) message: u64,
    /// The question.
    pub(in crate::discord) asked: Asked,
    /// The mark of the text that was answered.
    pub(in crate::discord) mark: u64,
    /// The answer's language.
    pub(in crate::discord) language: Language,
}

/// Stands for a text that is not kept.
pub(in crate::discord) fn mark(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A message was changed. Discord tells so too when it only found a preview for a link.
pub(super) fn edited(cache: &serenity::Cache, bot: &Arc<Bot>, event: &serenity::MessageUpdateEvent) {
    let (Some(text), Some(edited_at)) = (&event.content, &event.edited_timestamp) else { return };
    // Without the content intent there is nothing to compare; and an answer to a command holds its question itself.
    if text.is_empty() || event.author.as_ref().is_some_and(|author| author.id.get() == bot.user) {
        return;
    }
    let question = event.id.get();
    if let Some(running) = bot.exchanges.answering(question) {
        running.edits.send_replace(Some(mark(text)));
        return;
    }
    let known = bot.answered.lock().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
    match known {
        Some(answered) if answered.mark != mark(text) => offer(bot, answered),
        None if was_question(cache, bot, event) => {
            let (channel, edited_at) = (event.channel_id.get(), edited_at.unix_timestamp());
            let guild = event.guild_id.and_then(|guild| cache.guild(guild));
            let locale = guild.map(|guild| guild.preferred_locale.clone());
            let (life, bot) = (bot.shutdown.clone(), Arc::clone(bot));
            life.spawn(async move {
                if let Some(mut answered) = rediscovered(&bot, channel, question, edited_at).await {
                    answered.language = bot.language_for(answered.asked.person, locale.as_deref());
                    offer(&bot, answered);
                }
            });
        }
        Some(_) | None => {}
    }
}

/// Whether a message that this process did not answer may have been a question to the bot: only such are looked after.
fn was_question(cache: &serenity::Cache, bot: &Bot, event: &serenity::MessageUpdateEvent) -> bool {
    if event.author.as_ref().is_none_or(|author| author.bot) {
        return false;
    }
    let Some(guild) = event.guild_id else { return true };
    let replied = event.referenced_message.as_ref().and_then(Option::as_ref);
    event.mentions.iter().flatten().any(|user| user.id.get() == bot.user)
        || replied.is_some_and(|replied| replied.author.id.get() == bot.user)
        || Found::known(cache, (Some(guild), event.channel_id), bot.user)
            .is_some_and(|found| found.is_own_thread())
}

/// The answer to a question that an earlier process gave: its buttons say whose it is. Nothing is offered where the
/// question was changed before it.
async fn rediscovered(bot: &Bot, asked_in: u64, question: u64, edited_at: i64) -> Option<Answered> {
    // The answer stands beside the question, or in a thread that was opened from it, which has its id.
    for channel in [asked_in, question] {
        let ours = own::since(bot, channel, question).await.unwrap_or_default();
        let found = ours.iter().rev().find_map(|own| {
            let asked = own.buttons().find_map(Asked::of_button)?;
            (asked.message == question).then_some((own, asked))
        });
        if let Some((own, asked)) = found {
            let answered =
                Answered { channel, message: own.id(), asked, mark: 0, language: Language::default() };
            return (edited_at >= own.created_at().timestamp()).then_some(answered);
        }
    }
    None
}

/// An exchange has ended: from now on its question is watched, and whatever was changed meanwhile counts.
pub(super) fn watch(bot: &Arc<Bot>, answered: Answered, edits: Option<u64>) {
    bot.answered
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(answered.asked.message, answered.clone());
    if edits.is_some_and(|mark| mark != answered.mark) {
        offer(bot, answered);
    }
}

/// Puts the offer under an answer.
fn offer(bot: &Arc<Bot>, answered: Answered) {
    let life = bot.shutdown.clone();
    let bot = Arc::clone(bot);
    life.spawn(async move {
        let Answered { channel, message, asked, language, .. } = answered;
        let path = format!("channels/{channel}/messages/{message}");
        let body = without_pings(json!({ "components": asked::offer_again(&asked, &language) }));
        let mut sent = bot.rest.call(Method::PATCH, &path, Some(&body)).await;
        if let Err(RestError::RateLimited { retry_after }) = sent {
            tokio::time::sleep(retry_after).await;
            sent = bot.rest.call(Method::PATCH, &path, Some(&body)).await;
        }
        if let Err(error) = sent {
            tracing::debug!(discord.channel = channel, error = %error, "Could not offer to answer a changed question");
        }
    });
}
