//! Answers to interactions and single messages, written as Discord wants them and with nobody to notify.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    data::{Bot, Busy},
    error::RestError,
    sink::{Destination, MESSAGE_LIMIT},
    through::{EPHEMERAL, SeenBy},
    transport::{remove, without_pings},
};

/// An interaction that waits for its answer; while it does, the process does not end (D21).
pub(super) struct Interaction {
    id: u64,
    /// Answers it, for 15 minutes. Stands in paths: never logged.
    token: String,
    _busy: Busy,
}

impl Interaction {
    /// An interaction, with the token that came with it.
    pub(super) fn new(bot: &Arc<Bot>, id: u64, token: &str) -> Self {
        Self { id, token: token.to_owned(), _busy: Busy::begin(bot) }
    }

    /// Answers with a message that only the person sees.
    pub(super) async fn whisper(&self, bot: &Bot, text: &str) -> Result<(), RestError> {
        let data = without_pings(json!({ "content": text, "flags": EPHEMERAL }));
        self.callback(bot, json!({ "type": 4, "data": data })).await
    }

    /// Answers a click by changing the message that it was made on.
    pub(super) async fn update(&self, bot: &Bot, body: Value) -> Result<(), RestError> {
        self.callback(bot, json!({ "type": 7, "data": without_pings(body) })).await
    }

    /// Answers a click or a command with a form.
    pub(super) async fn form(&self, bot: &Bot, form: Value) -> Result<(), RestError> {
        self.callback(bot, json!({ "type": 9, "data": form })).await
    }

    /// Acknowledges a click; the message is changed later by [`Interaction::edit`].
    pub(super) async fn acknowledge(&self, bot: &Bot) -> Result<(), RestError> {
        self.callback(bot, json!({ "type": 6 })).await
    }

    /// Promises an answer that only the person sees; [`Interaction::edit`] gives it.
    pub(super) async fn defer(&self, bot: &Bot) -> Result<(), RestError> {
        let data = without_pings(json!({ "flags": EPHEMERAL }));
        self.callback(bot, json!({ "type": 5, "data": data })).await
    }

    /// Promises an answer that is made by its message's id, which comes back.
    pub(super) async fn promise(&self, bot: &Bot, seen_by: SeenBy) -> Result<u64, RestError> {
        let flags = match seen_by {
            SeenBy::Everyone => 0,
            SeenBy::Asker => EPHEMERAL,
        };
        let path = format!("interactions/{}/{}/callback?with_response=true", self.id, self.token);
        let body = json!({ "type": 5, "data": without_pings(json!({ "flags": flags })) });
        let answer = bot.rest.call(Method::POST, &path, Some(&body)).await?;
        let id = answer.body.pointer("/interaction/response_message_id").and_then(Value::as_str);
        id.and_then(|id| id.parse().ok()).ok_or(RestError::Malformed)
    }

    /// Changes the answer: the end of every deferred one. A follow-up would be another message.
    pub(super) async fn edit(&self, bot: &Bot, body: Value) -> Result<(), RestError> {
        let path = format!("webhooks/{}/{}/messages/@original", bot.application, self.token);
        bot.rest.call(Method::PATCH, &path, Some(&without_pings(body))).await.map(drop)
    }

    async fn callback(&self, bot: &Bot, body: Value) -> Result<(), RestError> {
        let path = format!("interactions/{}/{}/callback", self.id, self.token);
        bot.rest.call(Method::POST, &path, Some(&body)).await.map(drop)
    }
}

/// Answers a message with one sentence.
pub(super) async fn say(bot: &Bot, to: &Destination, text: &str) -> Result<(), RestError> {
    let mut body = without_pings(json!({
        "content": cut(text, MESSAGE_LIMIT),
        "nonce": format!("{}-0", to.occasion),
        "enforce_nonce": true,
    }));
    if let Some(answered) = to.reference() {
        body["message_reference"] =
            json!({ "message_id": answered.to_string(), "fail_if_not_exists": false });
    }
    let path = format!("channels/{}/messages", to.channel);
    let mut sent = bot.rest.call(Method::POST, &path, Some(&body)).await.map(drop);
    if sent.as_ref().is_err_and(RestError::refuses_replies) && remove(&mut body, "message_reference") {
        sent = bot.rest.call(Method::POST, &path, Some(&body)).await.map(drop);
    }
    if matches!(sent, Err(RestError::Status { status: 403, .. })) {
        bot.quiet.rest(to.channel);
    }
    sent
}

/// A text of at most `limit` UTF-16 units, which is how Discord counts; what does not fit ends in an ellipsis.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.encode_utf16().count() <= limit {
        return text.to_owned();
    }
    let mut room = limit.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars() {
        match room.checked_sub(c.len_utf16()) {
            Some(rest) => room = rest,
            None => break,
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_in_utf16_units() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("😀😀😀", 5), "😀😀…");
        assert_eq!(cut("😀😀😀", 6), "😀😀😀");
    }
}
