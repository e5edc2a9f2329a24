//! Messages of people: is the bot addressed, is the person served, and then one exchange.

use std::sync::{Arc, PoisonError};

use poise::serenity_prelude as serenity;
use tokio::time::Instant;

use super::{edited, exchange, how_to};
use crate::{
    clock,
    config::AutoThreads,
    discord::{
        asked::Asked,
        checks::Asker,
        data::{Bot, Exchanges, correlation_id},
        ground::{Found, Where},
        history::{self, Ground, Seen, Setting},
        reply,
        ruling::Ruling,
        sink::{Destination, Replies},
        threads,
        through::Through,
    },
};

/// A message was written.
pub(super) fn created(context: &serenity::Context, bot: &Arc<Bot>, message: &serenity::Message) {
    let received_at = clock::instant();
    if !is_question(message, bot) || bot.shutdown.is_ending() || bot.quiet.contains(message.channel_id.get())
    {
        return;
    }
    let cache = Arc::clone(&context.cache);
    let known = Found::known(&cache, (message.guild_id, message.channel_id), bot.user);
    let said_to = SaidTo::of(message, bot.user);
    // Where the connection did not tell of a thread, it may be one of ours.
    if known.as_ref().is_some_and(|found| !said_to.is_for_the_bot(found)) {
        return;
    }
    if !bot.is_new(message.id.get()) {
        return;
    }
    let (life, bot, message) = (bot.shutdown.clone(), Arc::clone(bot), message.clone());
    life.spawn(async move {
        let found = match known {
            Some(found) => found,
            None => match Found::asked(&bot, message.channel_id.get()).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(discord.channel = message.channel_id.get(), error = %error, "Could not look up a channel");
                    // Whoever speaks to the bot is answered all the same (D20); what is not known to be its thread is none.
                    Found::channel()
                }
            },
        };
        if !said_to.is_for_the_bot(&found) {
            return;
        }
        let place = Where::of(&cache, &message, found);
        take(bot, &message, place, received_at).await;
    });
}

/// Messages were deleted: if one was a question, its answer is not wanted any more, and what was kept of any is forgotten
/// (D12).
pub(super) fn deleted(bot: &Arc<Bot>, messages: &[u64]) {
    let mut watched = bot.answered.lock().unwrap_or_else(PoisonError::into_inner);
    for message in messages {
        watched.remove(message);
    }
    drop(watched);
    bot.enclosed.forget(messages);
    // Before the exchanges are looked through: a question that is not among them yet looks here when it is.
    for message in messages {
        bot.beginnings.note_gone(*message);
    }
    for running in messages.iter().filter_map(|message| bot.exchanges.answering(*message)) {
        running.stop.cancel();
    }
    let (bot, messages) = (Arc::clone(bot), messages.to_vec());
    let life = bot.shutdown.clone();
    life.spawn(async move {
        for message in messages {
            bot.beginnings.forget(message).await;
        }
    });
}

/// Whether it may be a question at all: a person's words, or, within `ALLOW_BOTS`, another bot's. System messages ("Ann
/// pinned a message") and webhooks are not answered.
fn is_question(message: &serenity::Message, bot: &Bot) -> bool {
    let is_talk = matches!(message.kind, serenity::MessageType::Regular | serenity::MessageType::InlineReply);
    let is_served = !message.author.bot || bot.served().settings.allow_bots > 0;
    is_talk && is_served && message.webhook_id.is_none() && message.author.id.get() != bot.user
}

/// To whom a message is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SaidTo {
    /// To the bot, wherever it stands.
    Bot,
    /// To whoever reads it: to the bot in its own threads.
    All,
    /// To somebody else.
    Other,
}

impl SaidTo {
    fn of(message: &serenity::Message, bot: u64) -> Self {
        if speaks_to(message, bot) {
            Self::Bot
        } else if is_said_to_all(message, bot) {
            Self::All
        } else {
            Self::Other
        }
    }

    fn is_for_the_bot(self, found: &Found) -> bool {
        match self {
            Self::Bot => true,
            Self::All => found.is_own_thread(),
            Self::Other => false,
        }
    }
}

/// Whether the message speaks to the bot: in direct messages always, elsewhere by a mention or a reply.
fn speaks_to(message: &serenity::Message, bot: u64) -> bool {
    message.guild_id.is_none()
        || answered(message) == Some(bot)
        || message.mentions.iter().any(|user| user.id.get() == bot)
}

/// Whether a message in a thread of the bot's is for it without a mention: a person's, that answers nobody else and has
/// a text (without the content intent there is none).
fn is_said_to_all(message: &serenity::Message, bot: u64) -> bool {
    !message.author.bot
        && answered(message).is_none_or(|author| author == bot)
        && !(message.content.trim().is_empty() && message.attachments.is_empty())
}

/// Whom the message replies to.
fn answered(message: &serenity::Message) -> Option<u64> {
    let answered = message.referenced_message.as_ref()?;
    (message.kind == serenity::MessageType::InlineReply).then(|| answered.author.id.get())
}

async fn take(bot: Arc<Bot>, message: &serenity::Message, asked_in: Where, received_at: Instant) {
    let channel = message.channel_id.get();
    let mut to = Destination {
        channel,
        asked: Asked {
            channel,
            message: message.id.get(),
            person: message.author.id.get(),
            sight: asked_in.sight,
        },
        occasion: message.id.get(),
        replies: Replies::ToTheQuestion,
        exchange: correlation_id(),
        heading: None,
        language: bot.language_at(&asked_in, message.author.id.get()),
    };
    if message.author.bot && is_beyond_the_cap(&bot, message).await {
        return;
    }
    let asker = asker(message);
    match bot.access.ruling(&asker).await {
        Ruling::Serve => {}
        Ruling::Ignore => return,
        Ruling::Refuse(why) => return tell(&bot, &to, &why.sentence(&to.language)).await,
    }
    let question = Seen::of(message);
    let text = history::without_mention(&question.content, bot.user);
    if text.is_empty() && question.files.is_empty() {
        return tell(&bot, &to, &how_to(&to.language, bot.user)).await;
    }
    if let Err(reached) = bot.admit(&asker).await {
        return tell(&bot, &to, &reached.sentence(&to.language)).await;
    }
    if bot.served().settings.auto_threads == AutoThreads::On
        && asked_in.ground == Ground::Channel
        && question.answers.is_none()
        && let Some(thread) = threads::open(&bot, &to, &text).await
    {
        to = Destination { channel: thread, replies: Replies::None, ..to };
    }
    let Where { place, locale, spot, ground, sight } = asked_in;
    let setting = Setting { channel, ground, sight };
    let Some(registered) = Exchanges::register(&bot, &to.exchange, to.asked, to.channel) else { return };
    if bot.beginnings.is_gone(question.id) {
        return;
    }
    let question = exchange::Question {
        to,
        through: Through::Channel,
        model: None,
        instead: None,
        aside: None,
        setting,
        mark: edited::mark(&question.content),
        message: question,
        text,
        asker,
        place,
        locale,
        spot,
        received_at,
    };
    exchange::run(&bot, question, registered).await;
}

/// Whether so many bots spoke here in a row that another answer would only feed them.
async fn is_beyond_the_cap(bot: &Bot, message: &serenity::Message) -> bool {
    let (channel, cap) = (message.channel_id.get(), bot.served().settings.allow_bots);
    match history::programs_before(bot, channel, message.id.get()).await {
        Ok(before) => before >= cap,
        Err(error) => {
            tracing::warn!(discord.channel = channel, error = %error, "Could not count the turns of bots; not answering one");
            true
        }
    }
}

async fn tell(bot: &Bot, to: &Destination, text: &str) {
    if let Err(error) = reply::say(bot, to, text).await {
        tracing::warn!(
            request.id = to.exchange,
            discord.channel = to.channel,
            error = %error,
            "A sentence could not be said"
        );
    }
}

pub(super) fn asker(message: &serenity::Message) -> Asker {
    let member = message.member.as_ref();
    Asker {
        user: message.author.id.get(),
        guild: message.guild_id.map(serenity::GuildId::get),
        channel: message.channel_id.get(),
        roles: member.map(|member| member.roles.iter().map(|role| role.get()).collect()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOT: u64 = 1;

    fn message(changes: &serde_json::Value) -> serenity::Message {
        let mut message = json!({
            "id": "100", "channel_id": "7", "guild_id": "9", "content": "x",
            "author": { "id": "5", "username": "ann", "discriminator": "0", "avatar": null },
            "timestamp": "2026-01-01T00:00:00.000000+00:00", "edited_timestamp": null, "tts": false,
            "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
            "pinned": false, "type": 0,
        });
        for (name, value) in changes.as_object().unwrap() {
            message[name] = value.clone();
        }
        serde_json::from_value(message).unwrap()
    }

    fn bot() -> serde_json::Value {
        json!({ "id": "1", "username": "cortana", "discriminator": "0", "avatar": null, "bot": true })
    }

    #[test]
    fn d14_mentions_replies_and_direct_messages_speak_to_the_bot() {
        assert!(!speaks_to(&message(&json!({})), BOT));
        assert!(speaks_to(&message(&json!({ "mentions": [bot()] })), BOT));
        assert!(speaks_to(&message(&json!({ "guild_id": null })), BOT));
        assert!(!speaks_to(&message(&json!({ "mention_everyone": true })), BOT));
        let mut answered = serde_json::to_value(message(&json!({ "author": bot() }))).unwrap();
        let reply = message(&json!({ "type": 19, "referenced_message": answered }));
        assert!(speaks_to(&reply, BOT) && is_said_to_all(&reply, BOT));
        answered["author"]["id"] = json!("6");
        let reply = message(&json!({ "type": 19, "referenced_message": answered }));
        assert!(!speaks_to(&reply, BOT) && !is_said_to_all(&reply, BOT), "a reply to somebody else");
    }

    #[test]
    fn d20_in_a_channel_that_cannot_be_looked_up_only_a_mention_is_answered() {
        let unknown = Found::channel();
        let mention = message(&json!({ "mentions": [bot()] }));
        assert!(SaidTo::of(&mention, BOT).is_for_the_bot(&unknown));
        assert!(!SaidTo::of(&message(&json!({})), BOT).is_for_the_bot(&unknown));
    }

    #[test]
    fn d14_in_a_thread_of_the_bots_words_of_people_are_for_it() {
        assert!(is_said_to_all(&message(&json!({})), BOT));
        assert!(!is_said_to_all(&message(&json!({ "content": "" })), BOT), "no content intent");
        let mut other = bot();
        other["id"] = json!("2");
        assert!(!is_said_to_all(&message(&json!({ "author": other })), BOT));
    }
}
