//! Interactions: slash commands, clicks and autocompletion, from the event to every way of answering.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    error::{ApiError, FormErrors, Known},
    ids::Id,
    message::LOADING,
    payload::{self, Sight},
    posting::{Draft, Upload},
    rules,
    sessions::Needs,
    state::State,
};

/// How long the first answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How long the token lives.
const TOKEN_LIVES: Duration = Duration::from_mins(15);

/// What kind of interaction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractionKind {
    /// A slash command or a context-menu command.
    Command,
    /// A click on a button.
    Component,
    /// A question for choices while somebody types.
    Autocomplete,
    /// A modal that somebody filled in.
    ModalSubmit,
}

impl InteractionKind {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Command => 2,
            Self::Component => 3,
            Self::Autocomplete => 4,
            Self::ModalSubmit => 5,
        }
    }
}

/// How far an interaction has been answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Answered {
    /// Not at all.
    NotYet,
    /// Acknowledged without a message of its own (a deferred update of the clicked message).
    Acknowledged,
    /// With a message, or a promise of one: see `original`.
    WithMessage,
    /// With choices.
    WithChoices {
        /// As they were sent.
        choices: Vec<Value>,
    },
    /// With a modal.
    WithModal {
        /// As it was sent.
        modal: Value,
    },
}

/// An interaction and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interaction {
    /// Its id.
    pub id: Id,
    /// The secret in its webhook's address.
    #[serde(skip)]
    pub token: String,
    /// What kind.
    pub kind: InteractionKind,
    /// Who acted.
    pub user: Id,
    /// Where.
    pub channel: Id,
    /// When, since the emulator started.
    pub created_at: Duration,
    /// `data` of the event.
    pub data: Value,
    /// The message whose component was clicked.
    pub source_message: Option<Id>,
    /// The interaction that was answered with the modal which was filled in.
    pub modal_of: Option<Id>,
    /// How far it is answered.
    pub answered: Answered,
    /// When it was first answered.
    pub answered_at: Option<Duration>,
    /// `@original`.
    pub original: Option<Id>,
}

impl Interaction {
    /// The command with its subcommands, for commands.
    pub fn command_name(&self) -> Option<String> {
        if matches!(self.kind, InteractionKind::Component | InteractionKind::ModalSubmit) {
            return None;
        }
        let mut words = vec![self.data.get("name")?.as_str()?.to_owned()];
        let mut node = &self.data;
        while let Some(option) = node.pointer("/options/0") {
            if !matches!(option.get("type").and_then(Value::as_u64), Some(1 | 2)) {
                break;
            }
            words.extend(option.get("name").and_then(Value::as_str).map(str::to_owned));
            node = option;
        }
        Some(words.join(" "))
    }
}

impl Interaction {
    /// 1 for slash commands, 3 for those in the menu of a message.
    pub(crate) fn command_type(&self) -> u64 {
        self.data.get("type").and_then(Value::as_u64).unwrap_or(1)
    }
}

/// What a callback leads to.
#[derive(Debug)]
pub(crate) struct Callback {
    pub(crate) kind: u64,
    pub(crate) interaction: Id,
    pub(crate) message: Option<Id>,
}

impl State {
    /// Somebody acts: the event goes out.
    pub(crate) fn interact(
        &mut self,
        kind: InteractionKind,
        user: Id,
        channel: Id,
        source_message: Option<Id>,
        data: Value,
    ) -> Id {
        let id = self.new_id();
        let token = format!("aW50ZXJhY3Rpb24{id}.{}", uuid::Uuid::new_v4().simple());
        self.interactions.insert(
            id,
            Interaction {
                id,
                token,
                kind,
                user,
                channel,
                created_at: self.time.now(),
                data,
                source_message,
                modal_of: None,
                answered: Answered::NotYet,
                answered_at: None,
                original: None,
            },
        );
        let event = self.interaction_event(id);
        let guild = payload::guild_id(self, channel);
        self.emit("INTERACTION_CREATE", guild, Needs::NOTHING, &event);
        id
    }

    fn interaction_event(&self, id: Id) -> Value {
        let Some(interaction) = self.interactions.get(&id) else { return Value::Null };
        let bot = self.world.identity.bot;
        let Some(channel) = self.world.channels.get(&interaction.channel) else { return Value::Null };
        let permissions = |who: Id| self.world.permissions(who, channel).to_string();
        let locale = self.world.users.get(&interaction.user).map_or("en-US", |user| user.locale.as_str());
        let mut place = payload::channel(self, channel);
        place["permissions"] = json!(permissions(interaction.user));
        let mut event = json!({
            "id": id,
            "application_id": self.world.identity.application,
            "type": interaction.kind.number(),
            "data": interaction.data,
            "channel": place,
            "channel_id": channel.id,
            "token": interaction.token,
            "version": 1,
            "app_permissions": permissions(bot),
            "locale": locale,
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": payload::owners(self, channel.id),
            "context": 1,
            "attachment_size_limit": 10_485_760,
        });
        let person = self.world.users.get(&interaction.user).map(payload::user);
        match self.world.guild_of(channel) {
            Some(guild) => {
                event["context"] = json!(0);
                event["guild_id"] = json!(guild.id);
                event["guild_locale"] = json!(guild.preferred_locale);
                event["guild"] = json!({"id": guild.id, "locale": guild.preferred_locale, "features": []});
                if let Some(member) = guild.members.get(&interaction.user) {
                    event["member"] = payload::member(self, interaction.user, member);
                    event["member"]["permissions"] = json!(permissions(interaction.user));
                }
            }
            None => event["user"] = json!(person),
        }
        if let Some(source) = interaction.source_message.and_then(|id| self.messages.get(&id)) {
            event["message"] = payload::message(self, source, Sight::Whole);
        }
        event
    }

    /// `POST /interactions/{id}/{token}/callback`.
    pub(crate) fn callback(
        &mut self,
        id: Id,
        token: &str,
        body: &Value,
        uploads: Vec<Upload>,
    ) -> Result<Callback, ApiError> {
        let now = self.time.now();
        let interaction = self
            .interactions
            .get(&id)
            .filter(|interaction| interaction.token == token)
            .ok_or(Known::UnknownInteraction)?;
        if interaction.answered != Answered::NotYet {
            return Err(Known::AlreadyAcknowledged.into());
        }
        if now.saturating_sub(interaction.created_at) > ANSWER_WITHIN {
            return Err(Known::UnknownInteraction.into());
        }
        let interaction = interaction.clone();
        let data = body.get("data").cloned().unwrap_or_else(|| json!({}));
        let kind = body.get("type").and_then(Value::as_u64).unwrap_or(0);
        let from_modal = interaction.kind == InteractionKind::ModalSubmit;
        let component = interaction.kind == InteractionKind::Component
            || (from_modal && interaction.source_message.is_some());
        let autocomplete = interaction.kind == InteractionKind::Autocomplete;
        let (answered, original) = match kind {
            4 if !autocomplete => {
                let body = rules::message(&data, "data.")?;
                body.refuse_empty(uploads.len())?;
                let flags = body.flags.unwrap_or(0);
                let original = self.post(self.answer_draft(&interaction, flags, 0, body, uploads))?;
                (Answered::WithMessage, Some(original))
            }
            5 if !autocomplete => {
                let body = rules::message(&data, "data.")?;
                let flags = body.flags.unwrap_or(0);
                let blank = rules::MessageBody::default();
                let original =
                    self.post(self.answer_draft(&interaction, flags, LOADING, blank, Vec::new()))?;
                (Answered::WithMessage, Some(original))
            }
            6 if component => (Answered::Acknowledged, interaction.source_message),
            7 if component => {
                let body = rules::message(&data, "data.")?;
                if let Some(source) = interaction.source_message {
                    self.edit(source, &body, uploads)?;
                }
                (Answered::WithMessage, interaction.source_message)
            }
            8 if autocomplete => (Answered::WithChoices { choices: choices(&data)? }, None),
            9 if !autocomplete && !from_modal => (Answered::WithModal { modal: modal(&data)? }, None),
            _ => {
                return Err(FormErrors::one(
                    "type",
                    "INTERACTION_APPLICATION_COMMAND_CALLBACK_TYPE_INVALID",
                    "The specified callback type is invalid for this interaction.",
                ));
            }
        };
        if let Some(interaction) = self.interactions.get_mut(&id) {
            interaction.answered = answered;
            interaction.answered_at = Some(now);
            interaction.original = original;
        }
        Ok(Callback { kind, interaction: id, message: original })
    }

    fn answer_draft(
        &self,
        interaction: &Interaction,
        asked_flags: u64,
        flags: u64,
        body: rules::MessageBody,
        uploads: Vec<Upload>,
    ) -> Draft {
        let ephemeral = asked_flags & super::message::EPHEMERAL != 0;
        Draft {
            id: None,
            author: self.world.identity.bot,
            channel: interaction.channel,
            kind: match (interaction.kind, interaction.command_type()) {
                (InteractionKind::Command, 3) => 23,
                (InteractionKind::Command, _) => 20,
                (
                    InteractionKind::Component | InteractionKind::Autocomplete | InteractionKind::ModalSubmit,
                    _,
                ) => 0,
            },
            interaction: Some(interaction.id),
            visible_to: ephemeral.then_some(interaction.user),
            flags,
            body,
            uploads,
        }
    }

    /// The answered interaction behind a webhook address: `10015` before it is answered, `50027` when its token died.
    pub(crate) fn webhook(&self, application: &str, token: &str) -> Result<&Interaction, ApiError> {
        let known = application == self.world.identity.application.to_string();
        let interaction = self
            .interactions
            .values()
            .find(|interaction| known && interaction.token == token)
            .ok_or(Known::UnknownWebhook)?;
        if self.time.now().saturating_sub(interaction.created_at) > TOKEN_LIVES {
            return Err(Known::InvalidWebhookToken.into());
        }
        if interaction.answered == Answered::NotYet {
            return Err(Known::UnknownWebhook.into());
        }
        Ok(interaction)
    }

    /// A message of an interaction: `@original`, or a follow-up by id.
    pub(crate) fn webhook_message(
        &self,
        application: &str,
        token: &str,
        which: &str,
    ) -> Result<Id, ApiError> {
        let interaction = self.webhook(application, token)?;
        let id = if which == "@original" {
            interaction.original.ok_or(Known::UnknownMessage)?
        } else {
            which.parse().map_err(|_| Known::UnknownMessage)?
        };
        let message = self.message(id)?;
        let own = message.interaction_id == Some(interaction.id) || Some(id) == interaction.original;
        if own { Ok(id) } else { Err(Known::UnknownMessage.into()) }
    }

    /// `POST /webhooks/{application}/{token}`: a follow-up; the first after a defer is the deferred message itself.
    pub(crate) fn follow_up(
        &mut self,
        application: &str,
        token: &str,
        body: &Value,
        uploads: Vec<Upload>,
    ) -> Result<Id, ApiError> {
        let interaction = self.webhook(application, token)?.clone();
        let body = rules::message(body, "")?;
        body.refuse_empty(uploads.len())?;
        let deferred = interaction
            .original
            .filter(|id| self.message(*id).is_ok_and(super::message::Message::is_loading));
        if let Some(original) = deferred {
            self.edit_answer(original, &body, uploads)?;
            return Ok(original);
        }
        let flags = body.flags.unwrap_or(0);
        let mut draft = self.answer_draft(&interaction, flags, 0, body, uploads);
        draft.kind = 0;
        self.post(draft)
    }

    /// Edits a message of an interaction; it no longer says "thinking".
    pub(crate) fn edit_answer(
        &mut self,
        id: Id,
        body: &rules::MessageBody,
        uploads: Vec<Upload>,
    ) -> Result<(), ApiError> {
        let was = self.message(id)?.flags;
        if let Some(message) = self.messages.get_mut(&id) {
            message.flags &= !LOADING;
        }
        self.edit(id, body, uploads).inspect_err(|_| {
            if let Some(message) = self.messages.get_mut(&id) {
                message.flags = was;
            }
        })
    }
}

fn choices(data: &Value) -> Result<Vec<Value>, ApiError> {
    let mut errors = FormErrors::default();
    let list = data.get("choices").and_then(Value::as_array).cloned().unwrap_or_default();
    if list.len() > 25 {
        errors.add("data.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
    }
    for (at, choice) in list.iter().enumerate() {
        match choice.get("name").and_then(Value::as_str) {
            Some(name) => rules::between_one_and(name, 100, &format!("data.choices.{at}.name"), &mut errors),
            None => rules::required(&format!("data.choices.{at}.name"), &mut errors),
        }
        match choice.get("value") {
            Some(Value::String(value)) => {
                rules::between_one_and(value, 100, &format!("data.choices.{at}.value"), &mut errors);
            }
            Some(Value::Number(_)) => {}
            Some(_) | None => rules::required(&format!("data.choices.{at}.value"), &mut errors),
        }
    }
    errors.into_result()?;
    Ok(list)
}

fn modal(data: &Value) -> Result<Value, ApiError> {
    let mut errors = FormErrors::default();
    for (key, limit) in [("title", 45), ("custom_id", 100)] {
        match data.get(key).and_then(Value::as_str) {
            Some(text) => rules::between_one_and(text, limit, &format!("data.{key}"), &mut errors),
            None => rules::required(&format!("data.{key}"), &mut errors),
        }
    }
    let rows = data.get("components").and_then(Value::as_array).map_or(0, Vec::len);
    if rows == 0 || rows > 5 {
        errors.add("data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
    }
    errors.into_result()?;
    Ok(data.clone())
}
