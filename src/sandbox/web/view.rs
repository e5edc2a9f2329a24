//! What one person sees, in the page's own words: the world once, messages one by one.

use serde_json::{Map, Value, json};

use super::super::discord::{
    Answered, Channel, Id, Interaction, InteractionKind, Kind, Message, Place, State, permission,
};

/// Whether a person sees a channel.
pub(super) fn sees(state: &State, person: Id, channel: &Channel) -> bool {
    match channel.place {
        Place::Direct { person: owner } => owner == person,
        Place::Guild(_) => state.world.permissions(person, channel) & permission::VIEW_CHANNEL != 0,
    }
}

/// Everybody and everything that has a name.
pub(super) fn world(state: &State, person: Id) -> Value {
    let owner = state.world.identity.owner;
    let users: Map<String, Value> = state
        .world
        .users
        .values()
        .map(|user| {
            let bot = matches!(user.kind, Kind::Bot);
            let entry =
                json!({"id": user.id, "name": user.shown_name(), "bot": bot, "owner": user.id == owner});
            (user.id.to_string(), entry)
        })
        .collect();
    let bot = state.world.bot().shown_name();
    let channels: Map<String, Value> = state
        .world
        .channels
        .values()
        .filter(|channel| sees(state, person, channel))
        .map(|channel| {
            let direct = matches!(channel.place, Place::Direct { .. });
            let name = if direct { bot } else { &channel.name };
            let parent = channel.thread.as_ref().map(|thread| thread.parent);
            let kind = match (direct, parent) {
                (true, _) => "direct",
                (false, Some(_)) => "thread",
                (false, None) => "text",
            };
            let entry = json!({"id": channel.id, "name": name, "direct": direct, "kind": kind, "parent": parent, "topic": channel.topic});
            (channel.id.to_string(), entry)
        })
        .collect();
    let roles: Map<String, Value> = state
        .world
        .guilds
        .values()
        .flat_map(|guild| &guild.roles)
        .map(|role| (role.id.to_string(), json!({"name": role.name})))
        .collect();
    json!({
        "guild": state.world.guilds.values().next().map(|guild| &guild.name),
        "users": users,
        "channels": channels,
        "roles": roles,
        "commands": state.commands.iter().map(|command| &command.object).collect::<Vec<_>>(),
    })
}

/// A message, as the person sees it; `None` when they do not.
pub(super) fn message(state: &State, message: &Message, person: Id) -> Option<Value> {
    let channel = state.world.channels.get(&message.channel_id)?;
    if !sees(state, person, channel) || message.visible_to.is_some_and(|only| only != person) {
        return None;
    }
    if !message.exists() {
        return Some(json!({"id": message.id, "channel": channel.id, "deleted": true}));
    }
    let instant = |at| state.time.wall_at(at).timestamp_millis();
    let command = message
        .interaction_id
        .and_then(|id| state.interactions.get(&id))
        .and_then(|interaction| Some(json!({"name": interaction.command_name()?, "user": interaction.user})));
    Some(json!({
        "id": message.id,
        "channel": channel.id,
        "author": message.author_id,
        "content": message.content,
        "embeds": message.embeds,
        "components": message.components,
        "attachments": message.attachments,
        "reply_to": message.reply_to,
        "mentions": message.mentions,
        "ephemeral": message.is_ephemeral(),
        "loading": message.is_loading(),
        "created": instant(message.created_at),
        "edited": message.edited_at.map(instant),
        "command": command,
        "reactions": message.reactions,
        "thread": state.world.channels.get(&message.id).map(|thread| thread.id),
        "starter": (message.kind == 21).then_some(message.reply_to),
        "opened": message.kind == 18,
    }))
}

/// What an interaction shows besides messages: a modal, or that nobody answered.
pub(super) fn interaction(interaction: &Interaction, overdue: Overdue) -> Option<Value> {
    let asked = !matches!(interaction.kind, InteractionKind::Autocomplete);
    match (&interaction.answered, overdue) {
        (Answered::WithModal { modal }, _) => Some(json!({"id": interaction.id, "modal": modal})),
        (Answered::NotYet, Overdue::Yes) if asked => Some(json!({
            "id": interaction.id,
            "failed": true,
            "channel": interaction.channel,
            "name": interaction.command_name().map_or_else(|| "a button".to_owned(), |name| format!("/{name}")),
        })),
        (
            Answered::NotYet | Answered::Acknowledged | Answered::WithMessage | Answered::WithChoices { .. },
            _,
        ) => None,
    }
}

/// Whether the three seconds of an interaction are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Nobody may answer any more.
    Yes,
    /// There is time.
    NotYet,
}
