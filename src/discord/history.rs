//! The conversation behind a question: its reply chain in a server, the recent messages in direct messages.
//!
//! It comes from the question's own channel only, which the asker can read (D18), and is bounded in messages, in
//! requests and in age.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use poise::serenity_prelude as serenity;
use serde::Deserialize;
use tokio::time::Instant;

use super::{data::Bot, error::RestError};
use crate::chat::Turn;

/// The longest chain that is followed.
const LONGEST: usize = 25;

/// Messages read at once; most chains lie within one page.
const PAGE: u8 = 50;

/// The longest that reading may take; of a short deadline, a quarter.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages outside the page that are asked for one by one.
const SINGLE_READS: usize = 8;

/// A message, as far as a conversation needs it. A type of its own: a field that a library insists on and this room
/// never reads must not end a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its id.
    pub(super) id: u64,
    /// Who wrote it.
    pub(super) author: u64,
    /// The author's name.
    pub(super) name: String,
    /// Its text, as written.
    pub(super) content: String,
    /// When it was written.
    pub(super) at: DateTime<Utc>,
    /// The message that it answers, in the same channel.
    pub(super) answers: Option<u64>,
}

/// Where a conversation is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In a server: only replies continue something.
    Server,
    /// In direct messages: everything continues by itself.
    Direct,
}

#[derive(Deserialize)]
struct Wire {
    id: String,
    channel_id: String,
    author: WireAuthor,
    #[serde(default)]
    content: String,
    timestamp: DateTime<Utc>,
    message_reference: Option<WireReference>,
}

#[derive(Deserialize)]
struct WireAuthor {
    id: String,
    username: String,
    global_name: Option<String>,
}

#[derive(Deserialize)]
struct WireReference {
    #[serde(default, rename = "type")]
    kind: u8,
    message_id: Option<String>,
    channel_id: Option<String>,
}

impl Wire {
    fn seen(self) -> Option<Seen> {
        let reply = self.message_reference.filter(|reference| {
            reference.kind == 0 && reference.channel_id.as_ref().is_none_or(|id| *id == self.channel_id)
        });
        Some(Seen {
            id: self.id.parse().ok()?,
            author: self.author.id.parse().ok()?,
            name: self.author.global_name.unwrap_or(self.author.username),
            content: self.content,
            at: self.timestamp,
            answers: reply.and_then(|reference| reference.message_id?.parse().ok()),
        })
    }
}

impl Seen {
    /// A message of an event.
    pub(super) fn of(message: &serenity::Message) -> Self {
        let reply = message.message_reference.as_ref().filter(|reference| {
            reference.kind == serenity::MessageReferenceKind::Default
                && reference.channel_id == message.channel_id
        });
        Self {
            id: message.id.get(),
            author: message.author.id.get(),
            name: message.author.global_name.clone().unwrap_or_else(|| message.author.name.clone()),
            content: message.content.clone(),
            at: DateTime::from_timestamp(message.timestamp.unix_timestamp(), 0).unwrap_or_default(),
            answers: reply.and_then(|reference| reference.message_id).map(serenity::MessageId::get),
        }
    }
}

/// What came before a question that arrived at `received_at`, oldest first. Nothing, with a warning, when Discord is
/// too slow: an answer without its history is better than none before the deadline.
pub(super) async fn before(
    bot: &Bot,
    question: &Seen,
    channel: u64,
    kind: Kind,
    received_at: Instant,
) -> Vec<Turn> {
    let until = received_at + PATIENCE.min(bot.served().chat.deadline / 4);
    tokio::time::timeout_at(until, read(bot, question, channel, kind)).await.unwrap_or_else(|_| {
        tracing::warn!(
            discord.channel = channel,
            "Reading the channel's history takes too long; answering without it"
        );
        Vec::new()
    })
}

/// The answered message that an event brings along is not used: it comes without its own reference, and the chain
/// would end there.
async fn read(bot: &Bot, question: &Seen, channel: u64, kind: Kind) -> Vec<Turn> {
    if kind == Kind::Server && question.answers.is_none() {
        return Vec::new();
    }
    let page = match page(bot, channel, question.id).await {
        Ok(page) => page,
        Err(error) => {
            tracing::warn!(
                discord.channel = channel,
                error = %error,
                "Could not read the channel's history; answering without it"
            );
            Vec::new()
        }
    };
    let messages = match kind {
        Kind::Direct if question.answers.is_none() => {
            recent(&page, question, bot.served().chat.conversation_ttl)
        }
        Kind::Direct | Kind::Server => chain(bot, channel, question, &page).await,
    };
    shape(&messages, bot.user)
}

/// The messages before one, newest first as Discord sends them.
async fn page(bot: &Bot, channel: u64, before: u64) -> Result<Vec<Seen>, RestError> {
    let path = format!("channels/{channel}/messages?before={before}&limit={PAGE}");
    Ok(bot.rest.get::<Vec<Wire>>(&path).await?.into_iter().filter_map(Wire::seen).collect())
}

/// Direct messages continue by themselves until a silence of `ttl`.
fn recent(page: &[Seen], question: &Seen, ttl: Duration) -> Vec<Seen> {
    let mut later = question.at;
    let mut messages: Vec<Seen> = page
        .iter()
        .take_while(|message| {
            let silence = (later - message.at).to_std().unwrap_or_default();
            later = message.at;
            silence <= ttl
        })
        .take(LONGEST)
        .cloned()
        .collect();
    messages.reverse();
    messages
}

/// The chain of replies, oldest first.
async fn chain(bot: &Bot, channel: u64, question: &Seen, page: &[Seen]) -> Vec<Seen> {
    let known: HashMap<u64, &Seen> = page.iter().map(|message| (message.id, message)).collect();
    let mut reads = 0;
    let mut found: Vec<Seen> = Vec::new();
    let mut next = question.answers;
    while let Some(id) = next
        && found.len() < LONGEST
        && found.iter().all(|message| message.id != id)
    {
        let message = if let Some(message) = known.get(&id) {
            (*message).clone()
        } else if reads < SINGLE_READS {
            reads += 1;
            match bot.rest.get::<Wire>(&format!("channels/{channel}/messages/{id}")).await.map(Wire::seen) {
                Ok(Some(message)) => message,
                Ok(None) | Err(_) => break,
            }
        } else {
            break;
        };
        next = message.answers;
        found.push(message);
    }
    found.reverse();
    found
}

/// Messages as turns: mentions of the bot and our small print out, empty ones dropped.
fn shape(messages: &[Seen], bot: u64) -> Vec<Turn> {
    messages
        .iter()
        .map(|message| {
            if message.author == bot {
                Turn::bot(without_small_print(&message.content))
            } else {
                Turn::person(message.author, &*message.name, without_mention(&message.content, bot))
            }
        })
        .filter(|turn| !turn.text.is_empty())
        .collect()
}

/// A text without mentions of the bot.
pub(super) fn without_mention(text: &str, bot: u64) -> String {
    let bare = text.replace(&format!("<@{bot}>"), "").replace(&format!("<@!{bot}>"), "");
    bare.trim().to_owned()
}

/// A text without the lines in small print that we put under answers, and without the sentence of a failure, which
/// always stands above one.
fn without_small_print(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let is_print = |at: usize| lines.get(at).is_some_and(|line| line.starts_with("-# "));
    let said: Vec<&str> = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| {
            let is_failure = line.starts_with("⚠️ ") && is_print(at + 1);
            !is_failure && !is_print(*at)
        })
        .map(|(_, line)| *line)
        .collect();
    said.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: u64 = 1;

    fn seen(id: u64, author: u64, content: &str, minutes: i64) -> Seen {
        Seen {
            id,
            author,
            name: format!("person {author}"),
            content: content.to_owned(),
            at: DateTime::from_timestamp(minutes * 60, 0).unwrap(),
            answers: None,
        }
    }

    #[test]
    fn the_bots_mention_and_its_small_print_do_not_reach_the_model() {
        let messages = [
            seen(10, 5, "<@1> what is  <@7> up to?", 0),
            seen(11, BOT, "Nothing.\n-# answered by openai/gpt\n\n-# id 0badcafe", 1),
            seen(12, BOT, "⚠️ The provider does not answer.\n-# HTTP 503 · id 1a2b3c4d", 1),
            seen(13, 5, "<@!1>", 2),
        ];
        let expected = vec![Turn::person(5, "person 5", "what is  <@7> up to?"), Turn::bot("Nothing.")];
        assert_eq!(shape(&messages, BOT), expected);
    }

    #[test]
    fn d13_direct_messages_continue_until_a_long_silence() {
        let page = [seen(13, 5, "new", 100), seen(12, BOT, "old answer", 99), seen(11, 5, "ancient", 10)];
        let recent = recent(&page, &seen(14, 5, "now", 110), Duration::from_mins(30));
        assert_eq!(recent.iter().map(|message| message.id).collect::<Vec<_>>(), [12, 13]);
    }

    #[test]
    fn d18_a_reference_into_another_channel_is_not_followed() {
        let wire = |reference: serde_json::Value| {
            let message = serde_json::json!({
                "id": "3", "channel_id": "7", "author": { "id": "5", "username": "ann" }, "content": "x",
                "timestamp": "2026-01-01T00:00:00.000000+00:00", "message_reference": reference,
            });
            serde_json::from_value::<Wire>(message).unwrap().seen().unwrap().answers
        };
        assert_eq!(wire(serde_json::json!({ "message_id": "2", "channel_id": "7" })), Some(2));
        assert_eq!(wire(serde_json::json!({ "message_id": "2", "channel_id": "8" })), None);
        let forwarded = serde_json::json!({ "type": 1, "message_id": "2", "channel_id": "7" });
        assert_eq!(wire(forwarded), None, "a forwarded message is no reply");
        assert_eq!(wire(serde_json::Value::Null), None);
    }
}
