//! What people do in the sandbox: write, reply, delete, use commands, click, type.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Sandbox,
    discord::{
        Answered, ApiError, Draft, Form, Id, InteractionKind, Kind, MessageBody, Overwrite, Place, State,
        message_body, permission,
    },
    slash::{self, Typed},
};

/// Why somebody could not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// No such command is registered.
    #[error("there is no command /{name}; registered are: {known}")]
    UnknownCommand {
        /// What was typed.
        name: String,
        /// What there is.
        known: String,
    },
    /// The command is there, and what was typed does not fit it.
    #[error("{reason}")]
    BadCommand {
        /// What does not fit.
        reason: String,
    },
    /// The message has no such button, or it is disabled.
    #[error("there is no button {custom_id} to click on message {message}; there are: {known}")]
    NoButton {
        /// The message.
        message: Id,
        /// What was looked for.
        custom_id: String,
        /// What there is.
        known: String,
    },
    /// No such channel, message or person.
    #[error("there is no {what} {id}")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// Its id.
        id: Id,
    },
    /// The person may not do this here.
    #[error("this person may not do that in this channel")]
    NotAllowed,
    /// Discord refuses the message, for example because it is too long.
    #[error("Discord refuses this: {0}")]
    Refused(String),
    /// No choices came in time.
    #[error("no answer to the autocompletion within {} s", .0.as_secs())]
    NoChoices(Duration),
}

impl From<ApiError> for ScriptError {
    fn from(error: ApiError) -> Self {
        Self::Refused(error.answer().1.to_string())
    }
}

/// A choice that autocompletion offers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// What is shown.
    pub name: String,
    /// What is sent.
    pub value: Value,
}

/// How long Discord's client waits for choices.
const CHOICES_WITHIN: Duration = Duration::from_secs(3);

impl Sandbox {
    /// How the bot is mentioned.
    pub fn mention(&self) -> String {
        format!("<@{}>", self.discord.landmarks().bot)
    }

    /// Somebody writes in a channel, exactly this text.
    pub fn say(&self, channel: Id, user: Id, text: &str) -> Result<Id, ScriptError> {
        self.write(channel, user, text, None)
    }

    /// The owner asks the bot in the usual channel: the text with a mention before it.
    pub fn ask(&self, text: &str) -> Result<Id, ScriptError> {
        let landmarks = self.discord.landmarks();
        self.say(landmarks.channel, landmarks.owner, &format!("{} {text}", self.mention()))
    }

    /// Somebody writes to the bot in private.
    pub fn dm(&self, user: Id, text: &str) -> Result<Id, ScriptError> {
        let channel = self.direct_channel(user);
        self.say(channel, user, text)
    }

    /// The direct channel between a person and the bot.
    pub fn direct_channel(&self, user: Id) -> Id {
        self.discord.with(|state| state.direct_channel(user))
    }

    /// Somebody replies to a message, with the ping that Discord's client sends by default.
    pub fn reply_to(&self, message: Id, user: Id, text: &str) -> Result<Id, ScriptError> {
        let channel =
            self.message(message).ok_or(ScriptError::Unknown { what: "message", id: message })?.channel_id;
        self.write(channel, user, text, Some(message))
    }

    fn write(&self, channel: Id, user: Id, text: &str, reply_to: Option<Id>) -> Result<Id, ScriptError> {
        self.discord.with(|state| {
            allowed(state, channel, user, permission::SEND_MESSAGES)?;
            let mut sent = json!({"content": text});
            if let Some(message) = reply_to {
                sent["message_reference"] = json!({"message_id": message});
            }
            let body = message_body(&sent, "")?;
            body.refuse_empty(0)?;
            Ok(state.post(Draft {
                id: None,
                author: user,
                channel,
                kind: 0,
                interaction: None,
                visible_to: None,
                flags: 0,
                body,
                uploads: Vec::new(),
            })?)
        })
    }

    /// The author changes what they wrote.
    pub fn rewrite(&self, message: Id, text: &str) -> Result<(), ScriptError> {
        let body = MessageBody { content: Some(text.to_owned()), ..MessageBody::default() };
        Ok(self.discord.with(|state| state.edit(message, &body, Vec::new()))?)
    }

    /// A message is deleted, by its author or a moderator.
    pub fn remove(&self, message: Id) -> Result<(), ScriptError> {
        Ok(self.discord.with(|state| state.delete(message))?)
    }

    /// A moderator deletes several messages of a channel at once.
    pub fn remove_together(&self, channel: Id, messages: &[Id]) -> Result<(), ScriptError> {
        Ok(self.discord.with(|state| state.delete_together(channel, messages))?)
    }

    /// Somebody uses a slash command: `/settings oauth-status provider:gemini_cli`, or values by position. The id is the
    /// interaction's; what answers it is found with [`Sandbox::answers`].
    pub fn slash(&self, user: Id, channel: Id, line: &str) -> Result<Id, ScriptError> {
        self.command(user, channel, line, Typed::Whole, InteractionKind::Command)
    }

    fn command(
        &self,
        user: Id,
        channel: Id,
        line: &str,
        typed: Typed,
        kind: InteractionKind,
    ) -> Result<Id, ScriptError> {
        self.discord.with(|state| {
            allowed(state, channel, user, permission::USE_APPLICATION_COMMANDS)?;
            let data = slash::parse(state, channel, line, typed)?;
            Ok(state.interact(kind, user, channel, None, data))
        })
    }

    /// Somebody uses a context-menu command on a message.
    pub fn context_command(&self, user: Id, message: Id, name: &str) -> Result<Id, ScriptError> {
        self.discord.with(|state| {
            let channel = state
                .message(message)
                .map_err(|_| ScriptError::Unknown { what: "message", id: message })?
                .channel_id;
            let data = slash::on_message(state, message, name)?;
            Ok(state.interact(InteractionKind::Command, user, channel, None, data))
        })
    }

    /// Somebody types a command and looks at what is offered for its last option.
    pub async fn autocomplete(&self, user: Id, channel: Id, line: &str) -> Result<Vec<Choice>, ScriptError> {
        let id = self.command(user, channel, line, Typed::Unfinished, InteractionKind::Autocomplete)?;
        let found = |sandbox: &Self| match sandbox.interaction(id)?.answered {
            Answered::WithChoices { choices } => Some(choices),
            Answered::NotYet
            | Answered::Acknowledged
            | Answered::WithMessage
            | Answered::WithModal { .. } => None,
        };
        let choices =
            self.wait_for(CHOICES_WITHIN, found).await.map_err(|_| ScriptError::NoChoices(CHOICES_WITHIN))?;
        let text = |choice: &Value, key: &str| {
            choice.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Ok(choices
            .iter()
            .map(|choice| Choice {
                name: text(choice, "name"),
                value: choice.get("value").cloned().unwrap_or_default(),
            })
            .collect())
    }

    /// Somebody clicks the button whose `custom_id` starts with `custom_id`.
    pub fn click(&self, user: Id, message: Id, custom_id: &str) -> Result<Id, ScriptError> {
        self.discord.with(|state| {
            let unknown = ScriptError::Unknown { what: "message", id: message };
            let found = state.message(message).map_err(|_| unknown)?;
            if found.visible_to.is_some_and(|person| person != user) {
                return Err(ScriptError::NotAllowed);
            }
            let (channel, buttons) = (found.channel_id, found.buttons());
            let clickable = || {
                buttons.iter().filter(|button| button.enabled).filter_map(|button| button.custom_id.clone())
            };
            let Some(custom_id) = clickable().find(|known| known.starts_with(custom_id)) else {
                let known = clickable().collect::<Vec<_>>().join(", ");
                return Err(ScriptError::NoButton { message, custom_id: custom_id.to_owned(), known });
            };
            allowed(state, channel, user, 0)?;
            let data = json!({"custom_id": custom_id, "component_type": 2, "id": 1});
            Ok(state.interact(InteractionKind::Component, user, channel, Some(message), data))
        })
    }

    /// A click as no client of Discord's would send it: whoever, on whatever, with any `custom_id`.
    pub fn forge_click(&self, user: Id, message: Id, custom_id: &str) -> Id {
        let channel = self.discord.landmarks().channel;
        let data = json!({"custom_id": custom_id, "component_type": 2, "id": 1});
        self.discord
            .with(|state| state.interact(InteractionKind::Component, user, channel, Some(message), data))
    }

    /// Somebody picks values of the menu whose `custom_id` starts with `custom_id`.
    pub fn choose<V: AsRef<str>>(
        &self,
        user: Id,
        message: Id,
        custom_id: &str,
        values: &[V],
    ) -> Result<Id, ScriptError> {
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        self.discord.with(|state| {
            let unknown = ScriptError::Unknown { what: "message", id: message };
            let found = state.message(message).map_err(|_| unknown)?;
            if found.visible_to.is_some_and(|person| person != user) {
                return Err(ScriptError::NotAllowed);
            }
            let (channel, menus) = (found.channel_id, found.menus());
            let menu =
                menus.iter().filter(|menu| menu.enabled).find(|menu| menu.custom_id.starts_with(custom_id));
            let Some(menu) = menu
                .filter(|menu| menu.takes.contains(&values.len()))
                .filter(|menu| values.iter().all(|value| menu.values.iter().any(|known| known == value)))
            else {
                let known = menus.iter().flat_map(|menu| menu.values.iter().cloned());
                let known = known.collect::<Vec<_>>().join(", ");
                return Err(ScriptError::NoButton {
                    message,
                    custom_id: format!("{custom_id} {}", values.join(", ")),
                    known,
                });
            };
            allowed(state, channel, user, 0)?;
            let data = json!({"custom_id": menu.custom_id, "component_type": 3, "id": 1, "values": values});
            Ok(state.interact(InteractionKind::Component, user, channel, Some(message), data))
        })
    }

    /// A new person in the first server.
    pub fn add_person(&self, name: &str) -> Id {
        let guild = self.discord.landmarks().guild;
        self.discord.with(|state| {
            let id = state.add_person(name);
            state.join(guild, id);
            id
        })
    }

    /// Somebody sets their client to a language, as Discord names it (`de`, `pt-BR`).
    pub fn set_language(&self, person: Id, locale: &str) {
        self.discord.with(|state| {
            if let Some(user) = state.world.users.get_mut(&person) {
                locale.clone_into(&mut user.locale);
            }
        });
    }

    /// The people there are, and the first server, speak a language from now on.
    pub fn speak(&self, locale: &str) {
        let landmarks = self.discord.landmarks();
        self.set_language(landmarks.owner, locale);
        self.set_language(landmarks.guest, locale);
        self.set_server_language(landmarks.guild, locale);
    }

    /// A server's owner sets it to a language; a bot that connects afterwards knows it.
    pub fn set_server_language(&self, server: Id, locale: &str) {
        self.discord.with(|state| state.set_server_language(server, locale));
    }

    /// Another bot in the first server. It writes as people do; nothing else of it is emulated.
    pub fn add_bot(&self, name: &str) -> Id {
        let id = self.add_person(name);
        self.discord.with(|state| {
            if let Some(user) = state.world.users.get_mut(&id) {
                user.kind = Kind::Bot;
            }
        });
        id
    }

    /// A new text channel in the first server.
    pub fn add_channel(&self, name: &str) -> Id {
        let guild = self.discord.landmarks().guild;
        self.discord.with(|state| state.add_channel(guild, Form::Text, name))
    }

    /// A new forum in the first server.
    pub fn add_forum(&self, name: &str) -> Id {
        let guild = self.discord.landmarks().guild;
        self.discord.with(|state| state.add_channel(guild, Form::Forum, name))
    }

    /// A new server that the bot was invited to, with one channel.
    pub fn add_guild(&self, name: &str, owner: Id) -> (Id, Id) {
        self.discord.with(|state| state.add_guild(name, owner))
    }

    /// Takes permissions of a role or member away in a channel, for example the bot's `SEND_MESSAGES`.
    pub fn deny(&self, channel: Id, target: Id, bits: u64) {
        self.discord.with(|state| state.overwrite(channel, Overwrite { target, allow: 0, deny: bits }));
    }

    /// Gives a role or member permissions in a channel, for example the bot `MANAGE_MESSAGES`.
    pub fn allow(&self, channel: Id, target: Id, bits: u64) {
        self.discord.with(|state| state.overwrite(channel, Overwrite { target, allow: bits, deny: 0 }));
    }

    /// Switches privileged intents of the application on or off (see [`super::discord::intent`]).
    pub fn set_privileged_intents(&self, bits: u64) {
        self.discord.with(|state| state.world.identity.privileged_intents = bits);
    }
}

/// Refuses what a person may not do.
pub(super) fn allowed(state: &State, channel: Id, user: Id, needed: u64) -> Result<(), ScriptError> {
    let entry =
        state.world.channels.get(&channel).ok_or(ScriptError::Unknown { what: "channel", id: channel })?;
    if !state.world.users.contains_key(&user) {
        return Err(ScriptError::Unknown { what: "person", id: user });
    }
    if user == state.world.identity.bot {
        return Err(ScriptError::NotAllowed);
    }
    let own = matches!(entry.place, Place::Direct { person } if person == user);
    let needed = needed | permission::VIEW_CHANNEL;
    let bits = state.world.permissions(user, entry);
    if own || bits & needed == needed { Ok(()) } else { Err(ScriptError::NotAllowed) }
}
