//! Messages of our own as Discord has them, as far as their text and their buttons tell how an answer stands.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{data::Bot, error::RestError};
use crate::config::ReplyStyle;

/// A message of ours. A type of its own: nothing else of a page may keep it away.
#[derive(Debug, Deserialize)]
pub(super) struct Own {
    #[serde(deserialize_with = "number")]
    id: u64,
    author: Author,
    #[serde(default)]
    content: String,
    #[serde(default)]
    embeds: Vec<Embed>,
    #[serde(default)]
    components: Vec<Value>,
    timestamp: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Author {
    #[serde(deserialize_with = "number")]
    id: u64,
}

#[derive(Debug, Deserialize)]
struct Embed {
    description: Option<String>,
}

fn number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// Ours among the hundred messages of a channel from this one on, the oldest first.
pub(super) async fn since(bot: &Bot, channel: u64, first: u64) -> Result<Vec<Own>, RestError> {
    let path = format!("channels/{channel}/messages?after={}&limit=100", first.saturating_sub(1));
    let mut page: Vec<Own> = bot.rest.get(&path).await?;
    page.retain(|message| message.author.id == bot.user);
    page.sort_by_key(Own::id);
    Ok(page)
}

impl Own {
    /// Its id.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// When it was created.
    pub(super) fn created_at(&self) -> DateTime<Utc> {
        self.timestamp
    }

    /// The `custom_id`s of its buttons.
    pub(super) fn buttons(&self) -> impl Iterator<Item = &str> {
        let buttons = self.components.iter().filter_map(|row| row.get("components")?.as_array()).flatten();
        buttons.filter_map(|button| button.get("custom_id")?.as_str())
    }

    /// Its text, and how that is written.
    pub(super) fn text(&self) -> (&str, ReplyStyle) {
        match self.embeds.first().and_then(|embed| embed.description.as_deref()) {
            Some(text) if self.content.is_empty() => (text, ReplyStyle::Embed),
            Some(_) | None => (&self.content, ReplyStyle::Plain),
        }
    }
}
