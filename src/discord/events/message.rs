//! Messages of people: is the bot addressed, is the person served, and then one exchange.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;
use tokio::time::Instant;

use super::{exchange, how_to};
use crate::{
    chat::Place,
    clock,
    discord::{
        checks::{Asker, Ruling},
        choices::Spot,
        data::{Bot, correlation_id},
        embeds::relative,
        history::{self, Seen},
        reply,
        sink::Destination,
    },
};

/// A message was written.
pub(super) fn created(context: &serenity::Context, bot: &Arc<Bot>, message: &serenity::Message) {
    let received_at = clock::instant();
    if !is_addressed(message, bot.user) || bot.shutdown.is_ending() || !bot.is_new(message.id.get()) {
        return;
    }
    if bot.quiet.contains(message.channel_id.get()) {
        return;
    }
    let place = place(&context.cache, message);
    let spot = spot(&context.cache, message);
    let (life, bot, message) = (bot.shutdown.clone(), Arc::clone(bot), message.clone());
    life.spawn(async move { take(bot, &message, (place, spot), received_at).await });
}

/// Where it was written, as far as the gateway told.
fn place(cache: &serenity::Cache, message: &serenity::Message) -> Place {
    let Some(id) = message.guild_id else { return Place::Direct };
    let Some(guild) = cache.guild(id) else {
        return Place::Channel { server: String::new(), channel: String::new(), topic: None };
    };
    let thread = guild.threads.iter().find(|thread| thread.id == message.channel_id);
    let channel = guild.channels.get(&message.channel_id).or(thread);
    Place::Channel {
        server: guild.name.clone(),
        channel: channel.map(|channel| channel.name.clone()).unwrap_or_default(),
        topic: channel.and_then(|channel| channel.topic.clone()),
    }
}

/// Where it was written, for what was chosen there.
fn spot(cache: &serenity::Cache, message: &serenity::Message) -> Spot {
    let channel = message.channel_id;
    let parent = message.guild_id.and_then(|id| {
        let guild = cache.guild(id)?;
        guild.threads.iter().find(|thread| thread.id == channel)?.parent_id
    });
    Spot::new(message.author.id, message.guild_id, channel, parent)
}

/// A message was deleted: if it was a question, its answer is not wanted any more.
pub(super) fn deleted(bot: &Arc<Bot>, message: u64) {
    if let Some(running) = bot.exchanges.answering(message) {
        running.stop.cancel();
    }
}

/// Whether the message speaks to the bot: in direct messages always, elsewhere by a mention or a reply. Bots are
/// not answered, and system messages ("Ann pinned a message") are not questions.
fn is_addressed(message: &serenity::Message, bot: u64) -> bool {
    let is_talk = matches!(message.kind, serenity::MessageType::Regular | serenity::MessageType::InlineReply);
    if !is_talk || message.author.bot || message.webhook_id.is_some() || message.author.id.get() == bot {
        return false;
    }
    let replies_to_bot = message.referenced_message.as_ref().is_some_and(|answered| {
        answered.author.id.get() == bot && message.kind == serenity::MessageType::InlineReply
    });
    message.guild_id.is_none() || replies_to_bot || message.mentions.iter().any(|user| user.id.get() == bot)
}

async fn take(
    bot: Arc<Bot>,
    message: &serenity::Message,
    (place, spot): (Place, Spot),
    received_at: Instant,
) {
    let id = correlation_id();
    let to =
        Destination { channel: message.channel_id.get(), question: message.id.get(), exchange: id.clone() };
    let asker = asker(message);
    match bot.access.ruling(&asker).await {
        Ruling::Serve => {}
        Ruling::Ignore => return,
        Ruling::Refuse(why) => return say(&bot, &to, &why).await,
    }
    let question = Seen::of(message);
    let text = history::without_mention(&question.content, bot.user);
    if text.is_empty() {
        return say(&bot, &to, &how_to(bot.user)).await;
    }
    if let Err(wait) = bot.access.count_question(asker.user) {
        return say(&bot, &to, &too_many(&bot, wait)).await;
    }
    let message = question;
    exchange::run(&bot, exchange::Question { to, message, text, asker, place, spot, received_at }).await;
}

fn too_many(bot: &Bot, wait: Duration) -> String {
    let again = bot.clock.now() + wait;
    format!(
        "You have asked {} questions within an hour, which is the limit here; you can go on {}.",
        bot.served().settings.user_messages_per_hour,
        relative(again)
    )
}

async fn say(bot: &Bot, to: &Destination, text: &str) {
    if let Err(error) = reply::say(bot, to, text).await {
        tracing::warn!(
            request.id = to.exchange,
            discord.channel = to.channel,
            error = %error,
            "A sentence could not be said"
        );
    }
}

fn asker(message: &serenity::Message) -> Asker {
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
    fn d14_mentions_replies_and_direct_messages_address_the_bot() {
        assert!(!is_addressed(&message(&json!({})), BOT));
        assert!(is_addressed(&message(&json!({ "mentions": [bot()] })), BOT));
        assert!(is_addressed(&message(&json!({ "guild_id": null })), BOT));
        let mut answered = serde_json::to_value(message(&json!({ "author": bot() }))).unwrap();
        let reply = json!({ "type": 19, "referenced_message": answered });
        assert!(is_addressed(&message(&reply), BOT));
        answered["author"]["id"] = json!("6");
        let reply = json!({ "type": 19, "referenced_message": answered });
        assert!(!is_addressed(&message(&reply), BOT), "a reply to somebody else");
    }

    #[test]
    fn d14_bots_webhooks_and_system_messages_are_not_answered() {
        let mentions = json!([bot()]);
        assert!(!is_addressed(&message(&json!({ "author": bot(), "mentions": mentions })), BOT));
        let mut other = bot();
        other["id"] = json!("2");
        assert!(!is_addressed(&message(&json!({ "author": other, "mentions": mentions })), BOT));
        assert!(!is_addressed(&message(&json!({ "webhook_id": "3", "mentions": mentions })), BOT));
        assert!(!is_addressed(&message(&json!({ "type": 6, "mentions": mentions })), BOT));
        assert!(!is_addressed(&message(&json!({ "mention_everyone": true })), BOT));
    }
}
