//! The sink over ordinary messages: creates the first time, edits after, and notifies nobody.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

use super::{
    asked::{Asked, buttons},
    data::QuietChannels,
    error::RestError,
    reply::cut,
    through::{Through, Webhook},
    transport::{Answer, Rest, remove, without_pings},
};
use crate::{
    chat::{Learned, Next, Pace, Payload, RateKey, ReplySink, SinkError, without_file},
    config::ReplyStyle,
    language::{Language, say},
};

/// UTF-16 units of a message's content.
pub(super) const MESSAGE_LIMIT: usize = 2000;
/// UTF-16 units of an embed's description.
pub(super) const EMBED_LIMIT: usize = 4096;
/// The edge of an embed that grows, and of one that is complete. The words below the text say the same (D28).
const GROWING: u32 = 0x00F0_B232;
const COMPLETE: u32 = 0x0023_A55A;

/// Where a reply goes.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// The channel, thread or DM channel.
    pub(super) channel: u64,
    /// The message that is answered.
    pub(super) asked: Asked,
    /// What the answer is given for, the question or a later click: once for each (D25).
    pub(super) occasion: u64,
    /// Whether the first message shows what it answers.
    pub(super) replies: Replies,
    /// The exchange's id, for the stop button.
    pub(super) exchange: String,
    /// The line above the answer: the question, where no message shows it.
    pub(super) heading: Option<String>,
    /// The language of whatever is said around the answer.
    pub(super) language: Language,
}

/// Whether an answer is a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replies {
    /// To the question.
    ToTheQuestion,
    /// To what it continues.
    To(u64),
    /// To nothing: the question stands in another channel, where no reply reaches.
    None,
}

impl Destination {
    /// What the first message replies to.
    pub(super) fn reference(&self) -> Option<u64> {
        match self.replies {
            Replies::ToTheQuestion => Some(self.asked.message),
            Replies::To(message) => Some(message),
            Replies::None => None,
        }
    }
}

/// One reply in a channel.
pub(super) struct MessageSink {
    rest: Arc<Rest>,
    to: Destination,
    through: Through,
    quiet: Arc<QuietChannels>,
    /// What it was made for, and with it the limit.
    style: ReplyStyle,
    /// The messages so far. Held across a create, so that one index is never created twice.
    made: Mutex<Vec<Slot>>,
    /// The message of an earlier answer that this one takes the place of.
    replaced: Option<u64>,
    /// The newest message, as it is created.
    newest: watch::Sender<Option<u64>>,
    /// The webhook's token died, and the channel is open.
    is_closed: AtomicBool,
}

/// One message of a reply, as far as its creation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Slot {
    /// There is none.
    #[default]
    Free,
    /// A create was begun and its answer never came: there may be a message, with the text of that time.
    Doubtful,
    /// Its id.
    Made(u64),
}

impl MessageSink {
    /// A reply that has no message yet, but for the one that was promised to a command.
    pub(super) fn new(
        rest: Arc<Rest>,
        to: Destination,
        through: Through,
        quiet: Arc<QuietChannels>,
        wanted: ReplyStyle,
    ) -> Self {
        let style = if quiet.lacks_embeds(to.channel) { ReplyStyle::Plain } else { wanted };
        let made = Mutex::new(through.original().map(Slot::Made).into_iter().collect());
        let newest = watch::Sender::new(None);
        Self {
            rest,
            to,
            through,
            quiet,
            style,
            made,
            replaced: None,
            newest,
            is_closed: AtomicBool::new(false),
        }
    }

    /// The same, in the place of an earlier answer's first message.
    pub(super) fn in_place_of(mut self, message: Option<u64>) -> Self {
        if message.is_some() {
            self.made = Mutex::new(message.map(Slot::Made).into_iter().collect());
        }
        self.replaced = message;
        self
    }

    /// A payload as it is shown there.
    fn shown(&self, index: usize, payload: &Payload) -> Payload {
        let mut shown = payload.clone();
        if let (0, Some(heading)) = (index, &self.to.heading) {
            shown.text = format!("{heading}\n{}", payload.text);
        }
        if self.through.is_whisper() {
            shown.next = Next::Nothing;
        }
        shown
    }

    /// The same, over its own first message, with the files that it has.
    pub(super) fn over(mut self, message: u64) -> Self {
        self.made = Mutex::new(vec![Slot::Made(message)]);
        self
    }

    /// Tells of each message that is created.
    pub(super) fn newest(&self) -> watch::Receiver<Option<u64>> {
        self.newest.subscribe()
    }

    /// The last message that there is.
    pub(super) async fn last(&self) -> Option<u64> {
        let made = self.made.lock().await;
        made.iter().rev().find_map(|slot| if let Slot::Made(id) = slot { Some(*id) } else { None })
    }

    /// How a message's text is written now.
    fn clothes(&self) -> Clothes {
        match self.style {
            ReplyStyle::Plain => Clothes::Plain,
            ReplyStyle::Embed if self.quiet.lacks_embeds(self.to.channel) => Clothes::Cut,
            ReplyStyle::Embed => Clothes::Embed,
        }
    }

    /// Writes a message; what a missing permission keeps out of it, a file, an embed or being a reply, is done without.
    async fn write(
        &self,
        method: Method,
        path: &str,
        payload: &Payload,
        body: Value,
    ) -> Result<Answer, SinkError> {
        let mut body = without_pings(body);
        let mut file = payload.attachment.as_ref();
        loop {
            let sent = match file {
                Some((name, content)) => self.rest.upload(method.clone(), path, &body, (name, content)).await,
                None => self.rest.call(method.clone(), path, Some(&body)).await,
            };
            let error = match sent {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.refuses_replies() && remove(&mut body, "message_reference") {
                continue;
            }
            if matches!(error, RestError::Status { status: 403 | 413, .. }) && file.take().is_some() {
                remove(&mut body, "attachments");
                self.clothes().put_on(
                    &mut body,
                    &without_file(payload, &self.to.language),
                    &self.to.language,
                );
                continue;
            }
            if matches!(error, RestError::Status { status: 403, .. }) && self.clothes() == Clothes::Embed {
                self.quiet.note_lack_of_embeds(self.to.channel);
                self.clothes().put_on(
                    &mut body,
                    &without_file(payload, &self.to.language),
                    &self.to.language,
                );
                continue;
            }
            let error = refusal(&error);
            if error == SinkError::Forbidden {
                self.quiet.rest(self.to.channel);
            }
            return Err(error);
        }
    }

    /// The webhook, where edits go through it.
    fn webhook(&self) -> Option<&Webhook> {
        self.through.webhook().filter(|_| !self.is_closed.load(Ordering::Relaxed))
    }

    async fn edit(&self, id: u64, payload: &Payload) -> Result<Learned, SinkError> {
        if let Some(webhook) = self.webhook() {
            let edited = self.edit_at(&webhook.edit_path(id), id, payload).await;
            if edited != Err(SinkError::Gone) || self.through.until().is_some() {
                return edited;
            }
            // The token died before its time; the answer is a message of the channel all the same.
            self.is_closed.store(true, Ordering::Relaxed);
        }
        self.edit_at(&format!("channels/{}/messages/{id}", self.to.channel), id, payload).await
    }

    async fn edit_at(&self, path: &str, id: u64, payload: &Payload) -> Result<Learned, SinkError> {
        let clothes = self.clothes();
        let mut body = edit(&self.to, clothes, payload);
        if self.replaced == Some(id) {
            clothes.clear(&mut body);
        }
        Ok(self.write(Method::PATCH, path, payload, body).await?.learned)
    }
}

#[async_trait]
impl ReplySink for MessageSink {
    fn key(&self) -> RateKey {
        match self.webhook() {
            Some(webhook) => webhook.key(),
            None => RateKey(format!("channel:{}", self.to.channel)),
        }
    }

    fn pace(&self) -> Pace {
        self.webhook().map_or(Pace::Even, Webhook::pace)
    }

    fn limit(&self) -> usize {
        let limit = match self.style {
            ReplyStyle::Plain => MESSAGE_LIMIT,
            ReplyStyle::Embed => EMBED_LIMIT,
        };
        limit.saturating_sub(self.to.heading.as_ref().map_or(0, |heading| heading.encode_utf16().count() + 1))
    }

    fn until(&self) -> Option<Instant> {
        self.through.until()
    }

    async fn send(&self, index: usize, payload: &Payload) -> Result<Learned, SinkError> {
        let payload = &self.shown(index, payload);
        let mut made = self.made.lock().await;
        if made.len() <= index {
            made.resize(index + 1, Slot::default());
        }
        let before = made[index];
        if let Slot::Made(id) = before {
            drop(made);
            return self.edit(id, payload).await;
        }
        let answered = match index.checked_sub(1).map(|before| made[before]) {
            Some(Slot::Made(id)) => Some(id),
            Some(Slot::Free | Slot::Doubtful) | None => self.to.reference(),
        };
        // Noted before the request: whoever gives up waiting drops this future in the middle of it.
        made[index] = Slot::Doubtful;
        let (path, body) = if let Some(webhook) = self.through.follow_ups() {
            let mut body = edit(&self.to, self.clothes(), payload);
            body["flags"] = webhook.flags();
            (webhook.create_path(), body)
        } else {
            let path = format!("channels/{}/messages", self.to.channel);
            (path, create(&self.to, index, answered, self.clothes(), payload))
        };
        let sent = self.write(Method::POST, &path, payload, body).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => {
                if !matches!(error, SinkError::Transient { .. }) {
                    // A clear refusal made nothing; what an earlier attempt may have made is still in doubt.
                    made[index] = before;
                }
                return Err(error);
            }
        };
        let id = answer.body.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let id: u64 =
            id.ok_or_else(|| SinkError::Refused { problem: "a created message without an id".to_owned() })?;
        made[index] = Slot::Made(id);
        drop(made);
        self.newest.send_replace(Some(id));
        if before == Slot::Doubtful {
            // The nonce may have brought back the message of the earlier attempt, with the text of that time.
            self.edit(id, payload).await?;
        }
        // The headers of a create describe the bucket of creates: nothing that an edit could learn from.
        Ok(Learned::default())
    }

    async fn typing(&self) {
        // Discord says so by itself until a promised answer comes.
        if self.through.original().is_some() {
            return;
        }
        let path = format!("channels/{}/typing", self.to.channel);
        if let Err(error) = self.rest.call(Method::POST, &path, None).await {
            tracing::debug!(discord.channel = self.to.channel, error = %error, "Could not show typing");
        }
    }
}

/// How a message's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clothes {
    /// As content.
    Plain,
    /// As an embed.
    Embed,
    /// As content, although it was made for an embed.
    Cut,
}

/// Under an answer that was made for an embed and may not be one.
fn no_embeds(language: &Language) -> String {
    format!("\n-# {}", say!(language, "no-embeds"))
}

/// A finished message as an embed.
pub(super) fn embedded(text: &str) -> Value {
    json!({ "embeds": [{ "description": text, "color": COMPLETE }] })
}

impl Clothes {
    /// Takes away what is left of another answer: its files, and its text where that was written otherwise.
    fn clear(self, body: &mut Value) {
        if body.get("attachments").is_none() {
            body["attachments"] = json!([]);
        }
        match self {
            Self::Plain | Self::Cut => body["embeds"] = json!([]),
            Self::Embed => body["content"] = "".into(),
        }
    }

    fn put_on(self, body: &mut Value, payload: &Payload, language: &Language) {
        let colour = if payload.streaming { GROWING } else { COMPLETE };
        match self {
            Self::Plain => body["content"] = payload.text.clone().into(),
            Self::Embed => body["embeds"] = json!([{ "description": payload.text, "color": colour }]),
            Self::Cut => {
                let why = no_embeds(language);
                let room = MESSAGE_LIMIT - why.encode_utf16().count();
                body["content"] = (cut(&payload.text, room) + &why).into();
                body["embeds"] = json!([]);
            }
        }
    }
}

/// Attachments in the form of the "Uploading Files" section: index in the form, and name.
fn files(payload: &Payload) -> Option<Value> {
    payload.attachment.as_ref().map(|(name, _)| json!([{ "id": 0, "filename": name }]))
}

/// A message to create.
///
/// The nonce is made of the question's id, or a later click's: whoever answers the same question again within minutes, be it after a
/// duplicated event or a retry of a create whose answer was lost, gets the message that exists (D25). The first
/// message replies to the question, where that is in the same channel, and each later one to the message before it, so that a reply to any of them leads
/// back to the question, also after a restart.
fn create(
    to: &Destination,
    index: usize,
    answered: Option<u64>,
    clothes: Clothes,
    payload: &Payload,
) -> Value {
    let mut body = json!({
        "components": buttons(to, payload),
        "nonce": format!("{}-{index}", to.occasion),
        "enforce_nonce": true,
    });
    clothes.put_on(&mut body, payload, &to.language);
    if let Some(answered) = answered {
        body["message_reference"] =
            json!({ "message_id": answered.to_string(), "fail_if_not_exists": false });
    }
    if let Some(files) = files(payload) {
        body["attachments"] = files;
    }
    body
}

/// An edit of a message of ours.
fn edit(to: &Destination, clothes: Clothes, payload: &Payload) -> Value {
    let mut body = json!({ "components": buttons(to, payload) });
    clothes.put_on(&mut body, payload, &to.language);
    if let Some(files) = files(payload) {
        body["attachments"] = files;
    }
    body
}

/// What the pacer needs to know about a failed request.
fn refusal(error: &RestError) -> SinkError {
    match error {
        RestError::RateLimited { retry_after } => SinkError::RateLimited { retry_after: *retry_after },
        // Unknown channel and message; an interaction's token that died; the thread is archived.
        RestError::Status { status: 404, .. }
        | RestError::Status { code: 10003 | 10008 | 50027 | 50083, .. } => SinkError::Gone,
        RestError::Status { status: 403, .. } => SinkError::Forbidden,
        error if error.is_transient() => SinkError::Transient { problem: error.to_string() },
        RestError::Status { .. } | RestError::Unreachable(_) | RestError::Malformed => {
            SinkError::Refused { problem: error.to_string() }
        }
    }
}

#[cfg(test)]
mod tests;
