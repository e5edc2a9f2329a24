//! Creating, editing and deleting messages: one way for bots, interactions and people.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    error::{ApiError, FormErrors, Known},
    ids::Id,
    mentions,
    message::{Attachment, EPHEMERAL, Message, Revision, SETTABLE, visible_text},
    payload,
    rules::MessageBody,
    sessions::Needs,
    state::State,
    world::{Form, permission},
};

/// A file that came with a body.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// `n` of `files[n]`.
    pub(crate) index: Option<u64>,
    pub(crate) filename: String,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Bytes,
}

/// Largest file, in bytes (Reference, "Uploading Files").
const FILE_LIMIT: usize = 10 * 1024 * 1024;

/// The type of a message that a thread begins with, which shows the one that it was started from.
pub(crate) const THREAD_STARTER: u8 = 21;

/// A message about to be created.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The id that it must have: the first message of a forum's post shares the thread's.
    pub(crate) id: Option<Id>,
    pub(crate) author: Id,
    pub(crate) channel: Id,
    /// 0, or the number of a special kind: 18 and 21 of threads, 20 for the answer to an interaction.
    pub(crate) kind: u8,
    pub(crate) interaction: Option<Id>,
    pub(crate) visible_to: Option<Id>,
    /// Flags beyond those that the body may set.
    pub(crate) flags: u64,
    pub(crate) body: MessageBody,
    pub(crate) uploads: Vec<Upload>,
}

impl State {
    /// Creates a message and tells every session.
    pub(crate) fn post(&mut self, draft: Draft) -> Result<Id, ApiError> {
        let Draft { id, author, channel, kind, interaction, visible_to, flags, body, uploads } = draft;
        if self.world.channels.get(&channel).is_some_and(|place| place.form == Form::Forum) {
            return Err(Known::NotText.into());
        }
        self.enter_thread(channel, author)?;
        self.invite_mentioned(channel, author, body.content.as_deref().unwrap_or_default());
        // A thread has the id of the message that it was started from, and begins with a reference to it.
        let reply_to =
            if kind == THREAD_STARTER { Some(channel) } else { self.reply_target(channel, &body)? };
        if body.enforce_nonce
            && let Some(nonce) = &body.nonce
            && let Some(twin) = self.messages.values().rev().find(|other| {
                other.author_id == author
                    && other.channel_id == channel
                    && other.nonce.as_ref() == Some(nonce)
            })
        {
            return Ok(twin.id);
        }
        let id = id.unwrap_or_else(|| self.new_id());
        let attachments = self.store(channel, uploads, body.attachments.as_deref().unwrap_or_default())?;
        let at = self.time.now();
        let ephemeral = if visible_to.is_some() { EPHEMERAL } else { 0 };
        let settable = body.flags.unwrap_or(0) & SETTABLE & !EPHEMERAL;
        let mut message = Message {
            id,
            channel_id: channel,
            author_id: author,
            kind: if kind == 0 && reply_to.is_some() { 19 } else { kind },
            content: body.content.clone().unwrap_or_default(),
            embeds: body.embeds.clone().unwrap_or_default(),
            components: body.components.clone().unwrap_or_default(),
            attachments,
            flags: flags | ephemeral | settable,
            nonce: body.nonce.clone(),
            reply_to,
            interaction_id: interaction,
            visible_to,
            created_at: at,
            edited_at: None,
            deleted_at: None,
            mentions: [].into(),
            mention_roles: [].into(),
            mention_everyone: false,
            reactions: Vec::new(),
            timeline: Vec::new(),
        };
        self.revise(&mut message, &body);
        if let Some(channel) = self.world.channels.get_mut(&channel).filter(|_| visible_to.is_none()) {
            channel.last_message = Some(id);
        }
        self.typing.retain(|(place, person, _)| !(*place == channel && *person == author));
        self.messages.insert(id, message);
        self.emit_message("MESSAGE_CREATE", id);
        Ok(id)
    }

    /// Changes a message and tells every session.
    pub(crate) fn edit(&mut self, id: Id, body: &MessageBody, uploads: Vec<Upload>) -> Result<(), ApiError> {
        let mut message = self.message(id)?.clone();
        self.refuse_archived(message.channel_id)?;
        let mut kept = message.attachments.clone();
        if let Some(listed) = &body.attachments {
            let stays = |id: Id| listed.iter().any(|entry| entry.get("id").and_then(Id::sent) == Some(id));
            kept.retain(|attachment| stays(attachment.id));
        }
        kept.extend(self.store(
            message.channel_id,
            uploads,
            body.attachments.as_deref().unwrap_or_default(),
        )?);
        message.attachments = kept;
        if let Some(content) = &body.content {
            message.content.clone_from(content);
        }
        if let Some(embeds) = &body.embeds {
            message.embeds.clone_from(embeds);
        }
        if let Some(components) = &body.components {
            message.components.clone_from(components);
        }
        let nothing = message.content.is_empty()
            && message.embeds.is_empty()
            && message.components.is_empty()
            && message.attachments.is_empty();
        if nothing {
            return Err(Known::EmptyMessage.into());
        }
        message.edited_at = Some(self.time.now());
        self.revise(&mut message, body);
        self.messages.insert(id, message);
        self.emit_message("MESSAGE_UPDATE", id);
        Ok(())
    }

    /// Deletes a message and tells every session.
    pub(crate) fn delete(&mut self, id: Id) -> Result<(), ApiError> {
        self.message(id)?;
        let at = self.time.now();
        let Some(message) = self.messages.get_mut(&id) else { return Err(Known::UnknownMessage.into()) };
        message.deleted_at = Some(at);
        let (channel, ephemeral) = (message.channel_id, message.is_ephemeral());
        if !ephemeral && self.bot_sees(channel) {
            let guild = payload::guild_id(self, channel);
            let mut data = json!({"id": id, "channel_id": channel});
            if let Some(guild) = guild {
                data["guild_id"] = json!(guild);
            }
            self.emit("MESSAGE_DELETE", guild, Needs::MESSAGES, &data);
        }
        Ok(())
    }

    /// Deletes several messages of a channel and tells every session once.
    pub(crate) fn delete_together(&mut self, channel: Id, ids: &[Id]) -> Result<(), ApiError> {
        for id in ids {
            if self.message(*id)?.channel_id != channel {
                return Err(Known::UnknownMessage.into());
            }
        }
        let at = self.time.now();
        for id in ids {
            if let Some(message) = self.messages.get_mut(id) {
                message.deleted_at = Some(at);
            }
        }
        if self.bot_sees(channel) {
            let guild = payload::guild_id(self, channel);
            let mut data = json!({"ids": ids, "channel_id": channel});
            if let Some(guild) = guild {
                data["guild_id"] = json!(guild);
            }
            self.emit("MESSAGE_DELETE_BULK", guild, Needs::MESSAGES, &data);
        }
        Ok(())
    }

    /// Recomputes mentions and appends to the timeline.
    fn revise(&self, message: &mut Message, body: &MessageBody) {
        let Some(channel) = self.world.channels.get(&message.channel_id) else { return };
        // A ping for a reply belongs to the create; an edit of a reply parses its text only.
        let first = message.timeline.is_empty();
        let replied = message
            .reply_to
            .filter(|_| first && message.kind != THREAD_STARTER)
            .and_then(|id| self.messages.get(&id));
        let touches_text = first || body.content.is_some();
        let mut notified = super::message::Notified::default();
        if touches_text {
            let (shown, who) = mentions::resolve(
                &self.world,
                channel,
                message.author_id,
                &message.content,
                replied.map(|message| message.author_id),
                &body.allowed,
            );
            message.mentions = shown.users;
            message.mention_roles = shown.roles;
            message.mention_everyone = shown.everyone;
            notified = who;
        }
        if let Some(person) = message.visible_to {
            notified.everyone = false;
            notified.roles.clear();
            notified.users.retain(|user| *user == person);
        }
        message.timeline.push(Revision {
            at: self.time.now(),
            text: visible_text(&message.content, &message.embeds),
            components: message.components.clone(),
            notified,
        });
    }

    fn reply_target(&self, channel: Id, body: &MessageBody) -> Result<Option<Id>, ApiError> {
        let Some(reference) = body.reference else { return Ok(None) };
        let found = self.message(reference.message).is_ok_and(|message| message.channel_id == channel);
        if reference.channel.is_some_and(|other| other != channel) {
            return Err(FormErrors::one(
                "message_reference",
                "MESSAGE_REFERENCE_CANNOT_REPLY_WITHOUT_READ_MESSAGE_HISTORY",
                "Cannot reply to a message of another channel",
            ));
        }
        match (found, reference.required) {
            (true, _) => Ok(Some(reference.message)),
            (false, false) => Ok(None),
            (false, true) => {
                Err(FormErrors::one("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message"))
            }
        }
    }

    /// Keeps files, with what a body says about them.
    pub(crate) fn store(
        &mut self,
        channel: Id,
        uploads: Vec<Upload>,
        described: &[Value],
    ) -> Result<Vec<Attachment>, ApiError> {
        if uploads.len() > 10 {
            return Err(FormErrors::one("files", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length."));
        }
        if uploads.iter().any(|upload| upload.bytes.len() > FILE_LIMIT) {
            return Err(Known::RequestTooLarge.into());
        }
        let mut stored = Vec::new();
        for upload in uploads {
            let id = self.new_id();
            let entry = described.iter().find(|entry| {
                let named =
                    entry.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
                named.is_some() && named == upload.index.map(|index| index.to_string())
            });
            let text =
                |key: &str| entry.and_then(|entry| entry.get(key)).and_then(Value::as_str).map(str::to_owned);
            let filename = text("filename").unwrap_or(upload.filename);
            stored.push(Attachment {
                id,
                size: upload.bytes.len(),
                content_type: upload.content_type,
                description: text("description"),
                url: self.signed(&format!(
                    "{}/attachments/{channel}/{id}/{}",
                    self.files_origin,
                    urlish(&filename)
                )),
                filename,
            });
            self.files.insert(id, upload.bytes);
        }
        Ok(stored)
    }

    /// Someone starts to type.
    pub(crate) fn type_in(&mut self, channel: Id, user: Id) {
        let at = self.time.now();
        self.typing.push((channel, user, at));
        if !self.bot_sees(channel) {
            return;
        }
        let guild = payload::guild_id(self, channel);
        let mut data = json!({
            "channel_id": channel,
            "user_id": user,
            "timestamp": self.time.wall_at(at).timestamp(),
        });
        if let Some(server) = guild.and_then(|id| self.world.guilds.get(&id)) {
            data["guild_id"] = json!(server.id);
            if let Some(member) = server.members.get(&user) {
                data["member"] = payload::member(self, user, member);
            }
        }
        self.emit("TYPING_START", guild, Needs::TYPING, &data);
    }
}

/// The permissions that a bot's body needs in a channel of a server.
pub(crate) fn needed(uploads: &[Upload]) -> u64 {
    permission::SEND_MESSAGES | if uploads.is_empty() { 0 } else { permission::ATTACH_FILES }
}

/// A file name with everything unusual replaced, as Discord does in addresses.
fn urlish(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}
