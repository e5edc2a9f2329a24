//! What else people do: react, start threads, choose from menus, fill modals in, attach files.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Sandbox, ScriptError,
    discord::{
        Access, Answered, Draft, Id, InteractionKind, NewThread, Upload, attachment_object, message_body,
        permission,
    },
    people::allowed,
    slash::{self, Typed},
};

/// A file that somebody attaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub filename: String,
    /// What it is, for example `text/plain`.
    pub content_type: Option<String>,
    /// Its content.
    pub bytes: Bytes,
}

/// Whether a reaction is put or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reacting {
    /// Put.
    Put,
    /// Taken back.
    Taken,
}

impl Sandbox {
    /// Somebody reacts to a message with an emoji, or takes that back.
    pub fn react(&self, user: Id, message: Id, emoji: &str, how: Reacting) -> Result<(), ScriptError> {
        self.discord().with(|state| {
            let found = state.message(message)?;
            let new = how == Reacting::Put && found.reactions.iter().all(|reaction| reaction.emoji != emoji);
            // Joining a reaction that is there needs no permission, as it needs none of the bot.
            let needed = if new { permission::ADD_REACTIONS } else { 0 };
            allowed(state, found.channel_id, user, needed | permission::READ_MESSAGE_HISTORY)?;
            match how {
                Reacting::Put => state.react(message, user, emoji)?,
                Reacting::Taken => state.unreact(message, user, emoji)?,
            }
            Ok(())
        })
    }

    /// Somebody starts a thread from a message; its id is the message's.
    pub fn start_thread(&self, user: Id, message: Id, name: &str) -> Result<Id, ScriptError> {
        self.discord().with(|state| {
            let parent = state.message(message)?.channel_id;
            allowed(state, parent, user, permission::CREATE_PUBLIC_THREADS)?;
            let name = name.chars().take(100).collect();
            let (starter, access) = (Some(message), Access::Public);
            let new = NewThread { parent, starter, access, owner: user, name, auto_archive_minutes: 4320 };
            Ok(state.start_thread(new)?)
        })
    }

    /// Somebody starts a private thread in a channel: who is mentioned in it is let in.
    pub fn start_private_thread(&self, user: Id, parent: Id, name: &str) -> Result<Id, ScriptError> {
        self.discord().with(|state| {
            allowed(state, parent, user, permission::CREATE_PRIVATE_THREADS)?;
            let name = name.chars().take(100).collect();
            let (starter, access) = (None, Access::Private);
            let new = NewThread { parent, starter, access, owner: user, name, auto_archive_minutes: 4320 };
            Ok(state.start_thread(new)?)
        })
    }

    /// Somebody posts in a forum; the thread and its first message share the id.
    pub fn post_in_forum(&self, user: Id, forum: Id, title: &str, text: &str) -> Result<Id, ScriptError> {
        self.discord().with(|state| {
            allowed(state, forum, user, permission::SEND_MESSAGES)?;
            let name = title.chars().take(100).collect();
            let (starter, access) = (None, Access::Public);
            let parent = forum;
            let new = NewThread { parent, starter, access, owner: user, name, auto_archive_minutes: 4320 };
            let body = message_body(&json!({"content": text}), "message.")?;
            Ok(state.post_in_forum(new, body, Vec::new())?)
        })
    }

    /// Somebody writes with files, as a reply when `reply_to` is given.
    pub fn say_with(
        &self,
        channel: Id,
        user: Id,
        text: &str,
        reply_to: Option<Id>,
        files: Vec<File>,
    ) -> Result<Id, ScriptError> {
        self.discord().with(|state| {
            let needed = if files.is_empty() { 0 } else { permission::ATTACH_FILES };
            allowed(state, channel, user, permission::SEND_MESSAGES | needed)?;
            let mut sent = json!({"content": text});
            if let Some(message) = reply_to {
                sent["message_reference"] = json!({"message_id": message});
            }
            let body = message_body(&sent, "")?;
            body.refuse_empty(files.len())?;
            let upload = |File { filename, content_type, bytes }| Upload {
                index: None,
                filename,
                content_type,
                bytes,
            };
            Ok(state.post(Draft {
                id: None,
                author: user,
                channel,
                kind: 0,
                interaction: None,
                visible_to: None,
                flags: 0,
                body,
                uploads: files.into_iter().map(upload).collect(),
            })?)
        })
    }

    /// Somebody uses a slash command with a file as the value of an option.
    pub fn slash_with(
        &self,
        user: Id,
        channel: Id,
        line: &str,
        (option, file): (&str, File),
    ) -> Result<Id, ScriptError> {
        self.discord().with(|state| {
            allowed(state, channel, user, permission::USE_APPLICATION_COMMANDS)?;
            let File { filename, content_type, bytes } = file;
            let upload = Upload { index: None, filename, content_type, bytes };
            let stored = state.store(channel, vec![upload], &[])?;
            let Some(attachment) = stored.first() else { return Err(ScriptError::NotAllowed) };
            let line = format!("{line} {option}:{}", attachment.id);
            let mut data = slash::parse(state, channel, &line, Typed::Whole)?;
            let mut object = attachment_object(state, attachment);
            object["ephemeral"] = json!(true);
            data["resolved"] = json!({"attachments": {attachment.id.to_string(): object}});
            Ok(state.interact(InteractionKind::Command, user, channel, None, data))
        })
    }

    /// The modal that an interaction was answered with, as it is read: its title, and a line for each input.
    pub fn form(&self, interaction: Id) -> Option<String> {
        self.discord().read(|state| {
            let Answered::WithModal { modal } = &state.interactions.get(&interaction)?.answered else {
                return None;
            };
            let text = |value: &Value, key: &str| {
                value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let rows = modal.get("components").and_then(Value::as_array).into_iter().flatten();
            let inputs = rows.filter_map(|row| row.get("components")?.as_array()).flatten();
            let lines = inputs.map(|input| {
                let value = [text(input, "value"), text(input, "placeholder")];
                let value = value.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
                format!("{}: [{value}]", text(input, "label"))
            });
            Some(std::iter::once(text(modal, "title")).chain(lines).collect::<Vec<_>>().join("\n"))
        })
    }

    /// Somebody fills a modal in and sends it: values by the inputs' `custom_id`; an input without one keeps its own.
    pub fn submit(&self, user: Id, modal: Id, values: &BTreeMap<String, String>) -> Result<Id, ScriptError> {
        self.discord().with(|state| {
            let unknown = ScriptError::Unknown { what: "modal", id: modal };
            let asked = state.interactions.get(&modal).filter(|asked| asked.user == user);
            let Some(asked) = asked.cloned() else { return Err(unknown) };
            let Answered::WithModal { modal } = &asked.answered else { return Err(unknown) };
            let rows = modal.get("components").and_then(Value::as_array).into_iter().flatten();
            let rows: Vec<Value> = rows
                .enumerate()
                .map(|(row, one)| {
                    let inputs = one.get("components").and_then(Value::as_array).into_iter().flatten();
                    let inputs = inputs.map(|input| {
                        let text = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or_default();
                        let id = text("custom_id");
                        let value = values.get(id).map_or_else(|| text("value"), String::as_str);
                        json!({"type": 4, "id": row * 2 + 2, "custom_id": id, "value": value})
                    });
                    json!({"type": 1, "id": row * 2 + 1, "components": inputs.collect::<Vec<_>>()})
                })
                .collect();
            let data = json!({"custom_id": modal.get("custom_id"), "components": rows});
            let kind = InteractionKind::ModalSubmit;
            let id = state.interact(kind, user, asked.channel, asked.source_message, data);
            if let Some(submitted) = state.interactions.get_mut(&id) {
                submitted.modal_of = Some(asked.id);
            }
            Ok(id)
        })
    }
}
