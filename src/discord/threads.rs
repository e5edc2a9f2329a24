//! Threads that the bot opens, one for each question in a channel (D14).

use std::sync::PoisonError;

use reqwest::Method;
use serde_json::{Value, json};

use super::{data::Bot, error::RestError, reply::cut, sink::Destination, transport::without_pings};
use crate::language::{Language, say};

/// Discord's limit for a thread's name.
const NAME: usize = 100;

/// Discord's codes for what is wrong with one question, not with its channel: the message is gone, it has a thread
/// already, the moderation blocks the name (topics, "Opcodes and Status Codes").
const ABOUT_THE_QUESTION: [u64; 3] = [10_008, 160_004, 200_001];

/// Opens a thread from a question; its id. `None`: none could be opened, and the answer belongs in the channel. Where a
/// channel refused one, none is asked for again for a while (D19).
pub(super) async fn open(bot: &Bot, to: &Destination, text: &str) -> Option<u64> {
    if bot.quiet.lacks_threads(to.channel) {
        return None;
    }
    let path = format!("channels/{}/messages/{}/threads", to.channel, to.asked.message);
    let opened = bot.rest.call(Method::POST, &path, Some(&json!({ "name": name(text, &to.language) }))).await;
    let error = match opened {
        Ok(answer) => return answer.body.get("id").and_then(Value::as_str)?.parse().ok(),
        Err(error) => error,
    };
    if matches!(error, RestError::Status { status: 400..500, code } if !ABOUT_THE_QUESTION.contains(&code)) {
        bot.quiet.note_lack_of_threads(to.channel);
    }
    if matches!(error, RestError::Status { status: 403, .. }) {
        tell_once(bot, to).await;
    } else {
        tracing::warn!(request.id = to.exchange, discord.channel = to.channel, error = %error, "Could not open a thread");
    }
    None
}

async fn tell_once(bot: &Bot, to: &Destination) {
    let channel = to.channel;
    if bot.threadless.lock().unwrap_or_else(PoisonError::into_inner).insert(channel, ()).is_some() {
        return;
    }
    tracing::warn!(discord.channel = channel, "AUTO_THREADS is set, but I may open no thread in a channel");
    let text = format!("-# {}", say!(to.language, "no-threads"));
    let body = without_pings(json!({ "content": text }));
    if let Err(error) =
        bot.rest.call(Method::POST, &format!("channels/{channel}/messages"), Some(&body)).await
    {
        tracing::debug!(discord.channel = channel, error = %error, "Nor could that be said there");
    }
}

/// A name from the first words of a question, on one line and without mentions.
fn name(text: &str, language: &Language) -> String {
    let is_mention = |word: &&str| word.starts_with('<') && word.ends_with('>');
    let mut name = String::new();
    for word in text.split_whitespace().filter(|word| !is_mention(word)) {
        let longer = if name.is_empty() { word.to_owned() } else { format!("{name} {word}") };
        if longer.encode_utf16().count() > NAME - 1 {
            if name.is_empty() {
                return cut(word, NAME);
            }
            name.push('…');
            return name;
        }
        name = longer;
    }
    if name.is_empty() { say!(language, "nameless-thread") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        super::name(text, &Language::english())
    }

    #[test]
    fn d14_a_thread_is_named_after_its_first_words() {
        assert_eq!(name("how  do I\nbake <@5> bread?"), "how do I bake bread?");
        assert_eq!(name(" <#7> <@5> "), "Conversation");
        let long = name(&"whole words ".repeat(20));
        assert!(long.ends_with("words…") || long.ends_with("whole…"), "{long}");
        for text in ["x".repeat(300), "😀".repeat(120), format!("a {}", "y".repeat(98)), "z ".repeat(200)] {
            let units = name(&text).encode_utf16().count();
            assert!((1..=NAME).contains(&units), "{units}");
        }
    }
}
