//! A message, as far as a conversation needs it, and the turn that it becomes.

use chrono::{DateTime, Utc};
use poise::serenity_prelude as serenity;
use serde::Deserialize;

use crate::chat::{Content, File, Offer, Turn};

/// Types of messages (resources, "Message Types") that are somebody's words: an ordinary one, a reply, the answers to a
/// slash command and to a context menu.
const TALK: [u8; 4] = [0, 19, SLASH_ANSWER, MENU_ANSWER];
const SLASH_ANSWER: u8 = 20;
const MENU_ANSWER: u8 = 23;
/// The first message of a thread, which stands for the one that it was opened from.
const THREAD_STARTER: u8 = 21;

/// A message, as far as a conversation needs it. A type of its own: a field that a library insists on and this room
/// never reads must not end a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::discord) struct Seen {
    /// Its id.
    pub(in crate::discord) id: u64,
    /// What it is.
    pub(in crate::discord) kind: Kind,
    /// Who wrote it.
    pub(in crate::discord) author: u64,
    /// What wrote it.
    pub(in crate::discord) being: Being,
    /// The author's name.
    pub(in crate::discord) name: String,
    /// Its text, as written.
    pub(in crate::discord) content: String,
    /// The files that are attached to it, none of them read.
    pub(in crate::discord) files: Vec<File>,
    /// What its embeds say, a line each part.
    pub(in crate::discord) embedded: String,
    /// When it was written.
    pub(in crate::discord) at: DateTime<Utc>,
    /// The message that it answers, in the same channel.
    pub(in crate::discord) answers: Option<u64>,
    /// The question of a command: it is that question, or an answer that shows it.
    pub(in crate::discord) inquiry: Option<Inquiry>,
}

/// A question that came as a command: no message holds it, so its answer shows it in a line above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::discord) struct Inquiry {
    /// The command's interaction.
    pub(in crate::discord) id: u64,
    /// Who asked.
    pub(in crate::discord) person: u64,
    /// Their name.
    pub(in crate::discord) name: String,
    /// What they asked, on one line.
    pub(in crate::discord) text: String,
}

/// What a question's line begins with: a quotation.
const QUOTED: &str = "> ";

impl Inquiry {
    /// The line above the answer.
    pub(in crate::discord) fn heading(&self) -> String {
        format!("{QUOTED}{}", self.text)
    }

    /// The question that an answer shows, and what remains of its text.
    pub(in crate::discord) fn split(text: &str) -> Option<(&str, &str)> {
        let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
        Some((line.strip_prefix(QUOTED)?, rest))
    }
}

/// A text as a heading holds it.
pub(in crate::discord) fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::discord) enum Kind {
    /// Somebody's words.
    Talk,
    /// Stands for the message that a thread was opened from.
    ThreadStarter,
    /// Discord's own words: somebody joined, a message was pinned.
    System,
}

impl Kind {
    fn of(number: u8) -> Self {
        match number {
            THREAD_STARTER => Self::ThreadStarter,
            number if TALK.contains(&number) => Self::Talk,
            _ => Self::System,
        }
    }
}

/// What wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::discord) enum Being {
    /// A person.
    Person,
    /// A bot or a webhook.
    Program,
}

impl Being {
    fn of(is_program: bool) -> Self {
        if is_program { Self::Program } else { Self::Person }
    }
}

/// A message as Discord's REST sends it.
#[derive(Deserialize)]
pub(super) struct Wire {
    id: String,
    channel_id: String,
    #[serde(default, rename = "type")]
    kind: u8,
    author: WireAuthor,
    #[serde(default)]
    content: String,
    #[serde(default)]
    attachments: Vec<WireAttachment>,
    #[serde(default)]
    embeds: Vec<WireEmbed>,
    timestamp: DateTime<Utc>,
    webhook_id: Option<String>,
    message_reference: Option<WireReference>,
    interaction_metadata: Option<WireInteraction>,
}

/// What a message answers, where that was no message (resources, "Message Interaction Metadata Object").
#[derive(Deserialize)]
struct WireInteraction {
    id: String,
    user: WireAuthor,
}

impl WireInteraction {
    /// The question that is shown in the answer.
    fn inquiry(self, text: &str) -> Option<Inquiry> {
        let (asked, _) = Inquiry::split(text)?;
        Some(Inquiry {
            id: self.id.parse().ok()?,
            person: self.user.id.parse().ok()?,
            name: self.user.global_name.unwrap_or(self.user.username),
            text: asked.to_owned(),
        })
    }
}

#[derive(Deserialize)]
struct WireAuthor {
    id: String,
    username: String,
    global_name: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
struct WireEmbed {
    title: Option<String>,
    description: Option<String>,
    footer: Option<WireFooter>,
}

#[derive(Deserialize)]
struct WireFooter {
    text: String,
}

/// An attached file (resources, "Attachment Object").
#[derive(Deserialize)]
struct WireAttachment {
    filename: String,
    url: String,
    size: u64,
}

#[derive(Deserialize)]
struct WireReference {
    #[serde(default, rename = "type")]
    kind: u8,
    message_id: Option<String>,
    channel_id: Option<String>,
}

impl Wire {
    pub(super) fn seen(self) -> Option<Seen> {
        let reply = self.message_reference.filter(|reference| {
            reference.kind == 0 && reference.channel_id.as_ref().is_none_or(|id| *id == self.channel_id)
        });
        let embedded = self.embeds.iter().map(|embed| {
            let footer = embed.footer.as_ref().map(|footer| footer.text.as_str());
            parts(embed.title.as_deref(), embed.description.as_deref(), footer)
        });
        let embedded = lines(embedded);
        let answered = self.interaction_metadata.filter(|_| [SLASH_ANSWER, MENU_ANSWER].contains(&self.kind));
        let inquiry = answered.and_then(|answered| answered.inquiry(&said(&self.content, &embedded)));
        Some(Seen {
            id: self.id.parse().ok()?,
            kind: Kind::of(self.kind),
            author: self.author.id.parse().ok()?,
            being: Being::of(self.author.bot || self.webhook_id.is_some()),
            name: self.author.global_name.unwrap_or(self.author.username),
            content: self.content,
            files: self
                .attachments
                .into_iter()
                .map(|file| offered(file.filename, file.url, file.size))
                .collect(),
            embedded,
            at: self.timestamp,
            answers: reply.and_then(|reference| reference.message_id?.parse().ok()),
            inquiry,
        })
    }
}

impl Seen {
    /// A message of an event.
    pub(in crate::discord) fn of(message: &serenity::Message) -> Self {
        let reply = message.message_reference.as_ref().filter(|reference| {
            reference.kind == serenity::MessageReferenceKind::Default
                && reference.channel_id == message.channel_id
        });
        let embedded = message.embeds.iter().map(|embed| {
            let footer = embed.footer.as_ref().map(|footer| footer.text.as_str());
            parts(embed.title.as_deref(), embed.description.as_deref(), footer)
        });
        Self {
            id: message.id.get(),
            kind: Kind::of(u8::from(message.kind)),
            author: message.author.id.get(),
            being: Being::of(message.author.bot || message.webhook_id.is_some()),
            name: message.author.global_name.clone().unwrap_or_else(|| message.author.name.clone()),
            content: message.content.clone(),
            files: message
                .attachments
                .iter()
                .map(|file| offered(file.filename.clone(), file.url.clone(), file.size.into()))
                .collect(),
            embedded: lines(embedded),
            at: DateTime::from_timestamp(message.timestamp.unix_timestamp(), 0).unwrap_or_default(),
            answers: reply.and_then(|reference| reference.message_id).map(serenity::MessageId::get),
            inquiry: None,
        }
    }

    /// All that it says.
    pub(in crate::discord) fn says(&self) -> String {
        said(&self.content, &self.embedded)
    }

    /// Whether its text mentions somebody.
    pub(super) fn mentions(&self, user: u64) -> bool {
        mentions_of(user).iter().any(|mention| self.content.contains(mention))
    }

    /// The question that it, an answer of the bot's, shows, as if that were a message.
    pub(in crate::discord) fn question(&self, bot: u64) -> Option<Self> {
        let inquiry = self.inquiry.clone().filter(|_| self.author == bot)?;
        Some(Self {
            id: inquiry.id,
            kind: Kind::Talk,
            author: inquiry.person,
            being: Being::Person,
            name: inquiry.name.clone(),
            content: inquiry.text.clone(),
            files: Vec::new(),
            embedded: String::new(),
            at: self.at,
            answers: None,
            inquiry: Some(inquiry),
        })
    }

    /// The turn that it is: the bot's mention, our small print and a question that it shows out. `None`: it says nothing.
    pub(super) fn turn(&self, bot: u64) -> Option<Turn> {
        if self.kind != Kind::Talk {
            return None;
        }
        let mut text = said(&self.content, &self.embedded);
        if self.author == bot {
            let answer = self.inquiry.as_ref().and_then(|_| Inquiry::split(&text)).map(|(_, rest)| rest);
            text = without_small_print(answer.unwrap_or(&text));
        } else {
            text = without_mention(&text, bot);
        }
        let turn = if self.author == bot {
            Turn::bot(text)
        } else {
            Turn { files: self.files.clone(), ..Turn::person(self.author, &*self.name, text) }
        };
        (!turn.text.is_empty() || !turn.files.is_empty()).then_some(turn)
    }
}

/// All that a message says.
pub(super) fn said(content: &str, embedded: &str) -> String {
    lines([content.to_owned(), embedded.to_owned()].into_iter())
}

/// A file as it was sent.
pub(in crate::discord) fn offered(name: String, url: String, size: u64) -> File {
    File { name, content: Content::Offered(Offer { url, size }) }
}

fn mentions_of(user: u64) -> [String; 2] {
    [format!("<@{user}>"), format!("<@!{user}>")]
}

/// What an embed says.
fn parts(title: Option<&str>, description: Option<&str>, footer: Option<&str>) -> String {
    lines([title, description, footer].into_iter().flatten().map(str::to_owned))
}

/// Texts under one another, empty ones left out.
fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A text without mentions of the bot.
pub(in crate::discord) fn without_mention(text: &str, bot: u64) -> String {
    let bare = mentions_of(bot).iter().fold(text.to_owned(), |text, mention| text.replace(mention, ""));
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

    fn wire(changes: &serde_json::Value) -> Seen {
        let mut message = serde_json::json!({
            "id": "3", "channel_id": "7", "author": { "id": "5", "username": "ann" }, "content": "x",
            "timestamp": "2026-01-01T00:00:00.000000+00:00",
        });
        for (name, value) in changes.as_object().unwrap() {
            message[name] = value.clone();
        }
        serde_json::from_value::<Wire>(message).unwrap().seen().unwrap()
    }

    #[test]
    fn the_bots_mention_and_its_small_print_do_not_reach_the_model() {
        let said = |author: u64, content: &str| {
            let seen = wire(&serde_json::json!({
                "author": { "id": author.to_string(), "username": "ann" }, "content": content,
            }));
            seen.turn(BOT)
        };
        assert_eq!(
            said(5, "<@1> what is  <@7> up to?"),
            Some(Turn::person(5, "ann", "what is  <@7> up to?"))
        );
        assert_eq!(
            said(BOT, "Nothing.\n-# answered by openai/gpt\n\n-# id 0badcafe"),
            Some(Turn::bot("Nothing."))
        );
        assert_eq!(said(BOT, "⚠️ The provider does not answer.\n-# HTTP 503 · id 1a2b3c4d"), None);
        assert_eq!(said(5, "<@!1>"), None);
    }

    #[test]
    fn d13_an_answer_to_a_command_shows_its_question() {
        let answer = serde_json::json!({
            "type": 20, "author": { "id": "1", "username": "cortana", "bot": true }, "content": "> why?\n> Because.\n-# x",
            "interaction_metadata": { "id": "2", "type": 2, "user": { "id": "5", "username": "ann" } },
        });
        let seen = wire(&answer);
        assert_eq!(seen.turn(BOT), Some(Turn::bot("> Because.")));
        let question = seen.question(BOT).unwrap();
        assert_eq!((question.id, question.turn(BOT)), (2, Some(Turn::person(5, "ann", "why?"))));
        assert_eq!(question.inquiry.unwrap().heading(), "> why?");
        let mut other = answer.clone();
        other["author"]["id"] = serde_json::json!("9");
        assert_eq!(wire(&other).question(BOT), None, "another bot's");
        let mut embed = answer;
        embed["embeds"] = serde_json::json!([{ "description": embed["content"] }]);
        embed["content"] = serde_json::json!("");
        assert_eq!(wire(&embed).turn(BOT), Some(Turn::bot("> Because.")));
    }

    #[test]
    fn d13_a_message_of_files_alone_is_a_turn() {
        let file =
            serde_json::json!({ "id": "9", "filename": "a.png", "size": 7, "url": "https://x.example/a" });
        let turn = wire(&serde_json::json!({ "content": "<@1>", "attachments": [file] })).turn(BOT);
        let offer = offered("a.png".to_owned(), "https://x.example/a".to_owned(), 7);
        assert_eq!(turn, Some(Turn { files: vec![offer], ..Turn::person(5, "ann", "") }));
    }

    #[test]
    fn d18_a_reference_into_another_channel_is_not_followed() {
        let answers = |reference: serde_json::Value| {
            wire(&serde_json::json!({ "message_reference": reference })).answers
        };
        assert_eq!(answers(serde_json::json!({ "message_id": "2", "channel_id": "7" })), Some(2));
        assert_eq!(answers(serde_json::json!({ "message_id": "2", "channel_id": "8" })), None);
        let forwarded = serde_json::json!({ "type": 1, "message_id": "2", "channel_id": "7" });
        assert_eq!(answers(forwarded), None, "a forwarded message is no reply");
        assert_eq!(answers(serde_json::Value::Null), None);
    }

    #[test]
    fn d13_embeds_are_read_and_discords_own_words_are_not() {
        let embed = serde_json::json!({ "embeds": [
            { "title": "T", "description": "D", "footer": { "text": "F" } }, { "image": { "url": "u" } },
        ] });
        assert_eq!(wire(&embed).turn(BOT), Some(Turn::person(5, "ann", "x\nT\nD\nF")));
        assert_eq!(wire(&serde_json::json!({ "type": 6 })).turn(BOT), None, "a message was pinned");
    }
}
