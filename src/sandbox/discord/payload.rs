//! Objects as Discord writes them: every field that the documentation does not mark optional, and no other.

use serde_json::{Value, json};

use super::{
    ids::Id,
    interactions::Interaction,
    message::{Attachment, Message},
    reactions,
    state::State,
    threads,
    world::{Channel, Form, Guild, Kind, Member, Place, Role, User},
};

/// Flag: a thread was started from it.
const HAS_THREAD: u64 = 1 << 5;

/// How much of a message a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    Whole,
    /// Content, embeds, components and attachments are empty (Gateway, "Message Content Intent").
    Blank,
}

pub(crate) fn user(user: &User) -> Value {
    let mut object = json!({
        "id": user.id,
        "username": user.username,
        "avatar": null,
        "discriminator": "0",
        "public_flags": 0,
        "flags": 0,
        "banner": null,
        "accent_color": null,
        "global_name": user.global_name,
        "avatar_decoration_data": null,
        "collectibles": null,
        "primary_guild": null,
    });
    if user.kind == Kind::Bot {
        // Bots keep a discriminator.
        object["discriminator"] = json!("4242");
        object["bot"] = json!(true);
    }
    object
}

/// The bot as it sees itself.
pub(crate) fn current_user(bot: &User) -> Value {
    let mut object = user(bot);
    object["mfa_enabled"] = json!(true);
    object["locale"] = json!(bot.locale);
    object["verified"] = json!(true);
    object["email"] = json!(null);
    object
}

pub(crate) fn role(role: &Role) -> Value {
    json!({
        "id": role.id,
        "name": role.name,
        "permissions": role.permissions.to_string(),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
        "hoist": false,
        "managed": false,
        "mentionable": role.mentionable,
        "icon": null,
        "unicode_emoji": null,
        "flags": 0,
    })
}

/// A member without its user, as messages carry it.
pub(crate) fn partial_member(state: &State, member: &Member) -> Value {
    json!({
        "avatar": null,
        "banner": null,
        "communication_disabled_until": null,
        "flags": 0,
        "joined_at": state.time.iso(member.joined_at),
        "nick": member.nick,
        "pending": false,
        "premium_since": null,
        "roles": member.roles,
        "mute": false,
        "deaf": false,
    })
}

pub(crate) fn member(state: &State, user_id: Id, member: &Member) -> Value {
    let mut object = partial_member(state, member);
    if let Some(person) = state.world.users.get(&user_id) {
        object["user"] = user(person);
    }
    object
}

pub(crate) fn channel(state: &State, channel: &Channel) -> Value {
    match channel.place {
        Place::Direct { person } => json!({
            "id": channel.id,
            "type": 1,
            "last_message_id": channel.last_message,
            "flags": 0,
            "recipients": state.world.users.get(&person).map(user).into_iter().collect::<Vec<_>>(),
        }),
        Place::Guild(guild) => guild_channel(state, channel, guild),
    }
}

fn guild_channel(state: &State, channel: &Channel, guild: Id) -> Value {
    let mut object = json!({
            "id": channel.id,
            "type": channel.form.number(),
            "last_message_id": channel.last_message,
            "flags": 0,
            "guild_id": guild,
            "name": channel.name,
            "parent_id": null,
            "rate_limit_per_user": 0,
            "topic": channel.topic,
            "position": 0,
            "permission_overwrites": channel.overwrites.iter().map(|overwrite| json!({
                "id": overwrite.target,
                "type": i32::from(state.world.users.contains_key(&overwrite.target)),
                "allow": overwrite.allow.to_string(),
                "deny": overwrite.deny.to_string(),
            })).collect::<Vec<_>>(),
            "nsfw": false,
    });
    if channel.form == Form::Forum {
        object["available_tags"] = json!([]);
        object["default_reaction_emoji"] = Value::Null;
        object["default_sort_order"] = Value::Null;
        object["default_forum_layout"] = json!(0);
    }
    if let Some(thread) = &channel.thread {
        threads::describe(state, channel, thread, &mut object);
    }
    object
}

pub(crate) fn guild(guild: &Guild) -> Value {
    json!({
        "id": guild.id,
        "name": guild.name,
        "icon": null,
        "description": null,
        "home_header": null,
        "splash": null,
        "discovery_splash": null,
        "features": [],
        "banner": null,
        "owner_id": guild.owner,
        "application_id": null,
        "region": "deprecated",
        "afk_channel_id": null,
        "afk_timeout": 300,
        "system_channel_id": null,
        "system_channel_flags": 0,
        "widget_enabled": false,
        "widget_channel_id": null,
        "verification_level": 1,
        "roles": guild.roles.iter().map(role).collect::<Vec<_>>(),
        "default_message_notifications": 1,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_presences": null,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "vanity_url_code": null,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": guild.preferred_locale,
        "rules_channel_id": null,
        "safety_alerts_channel_id": null,
        "public_updates_channel_id": null,
        "premium_progress_bar_enabled": false,
        "premium_progress_bar_enabled_user_updated_at": null,
        "nsfw": false,
        "nsfw_level": 0,
        "emojis": [],
        "stickers": [],
        "incidents_data": null,
    })
}

/// The server as `GUILD_CREATE` carries it.
pub(crate) fn guild_create(state: &State, server: &Guild) -> Value {
    let mut object = guild(server);
    let channels = state
        .world
        .channels
        .values()
        .filter(|channel| channel.place == Place::Guild(server.id) && channel.thread.is_none());
    let bot = state.world.identity.bot;
    let joined = server.members.get(&bot).map(|member| member.joined_at).unwrap_or_default();
    object["joined_at"] = json!(state.time.iso(joined));
    object["large"] = json!(false);
    object["unavailable"] = json!(false);
    object["member_count"] = json!(server.members.len());
    object["voice_states"] = json!([]);
    object["members"] =
        server.members.iter().map(|(user_id, one)| member(state, *user_id, one)).collect::<Vec<_>>().into();
    object["channels"] = channels.map(|one| channel(state, one)).collect::<Vec<_>>().into();
    object["threads"] =
        state.open_threads(server.id).into_iter().map(|one| channel(state, one)).collect::<Vec<_>>().into();
    object["presences"] = json!([]);
    object["stage_instances"] = json!([]);
    object["guild_scheduled_events"] = json!([]);
    object["soundboard_sounds"] = json!([]);
    object
}

pub(crate) fn application(state: &State) -> Value {
    let identity = &state.world.identity;
    let owner = state.world.users.get(&identity.owner).map(user);
    json!({
        "id": identity.application,
        "name": state.world.bot().shown_name(),
        "icon": null,
        "description": "",
        "type": null,
        "bot": user(state.world.bot()),
        "bot_public": true,
        "bot_require_code_grant": false,
        "integration_types_config": {"0": {"oauth2_install_params": {
            "scopes": ["applications.commands", "bot"], "permissions": "274878024704"
        }}},
        "verify_key": "0000000000000000000000000000000000000000000000000000000000000000",
        "flags": application_flags(state),
        "flags_new": application_flags(state).to_string(),
        "tags": [],
        "redirect_uris": [],
        "interactions_endpoint_url": null,
        "role_connections_verification_url": null,
        "owner": owner,
        "approximate_guild_count": state.world.guilds.len(),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "event_webhooks_url": null,
        "event_webhooks_status": 1,
        "event_webhooks_types": [],
        "explicit_content_filter": 0,
        "team": null,
        "eligible_oauth2_scopes": [],
    })
}

/// Limited flags of the privileged intents that are on, and the badge of registered commands.
pub(crate) fn application_flags(state: &State) -> u64 {
    let on = state.world.identity.privileged_intents;
    let limited = [(1 << 8, 1 << 13), (1 << 1, 1 << 15), (1 << 15, 1 << 19)];
    let intents: u64 = limited.iter().filter(|(intent, _)| on & intent != 0).map(|(_, flag)| flag).sum();
    intents | if state.commands.is_empty() { 0 } else { 1 << 23 }
}

/// A message as REST answers it.
pub(crate) fn message(state: &State, message: &Message, sight: Sight) -> Value {
    let mut object = basic_message(state, message, sight);
    if let Some(replied) = message.reply_to {
        let guild = guild_id(state, message.channel_id);
        let place = state.messages.get(&replied).map_or(message.channel_id, |found| found.channel_id);
        let mut reference = json!({"type": 0, "channel_id": place, "message_id": replied});
        if let Some(guild) = guild {
            reference["guild_id"] = json!(guild);
        }
        object["message_reference"] = reference;
        object["referenced_message"] = match state.message(replied) {
            Ok(original) => basic_message(state, original, sight),
            Err(_) => Value::Null,
        };
    }
    object
}

/// A message as the gateway sends it.
pub(crate) fn gateway_message(state: &State, one: &Message, sight: Sight) -> Value {
    let mut object = message(state, one, sight);
    object["channel_type"] = json!(i32::from(guild_id(state, one.channel_id).is_none()));
    let Some(guild) = guild_id(state, one.channel_id).and_then(|id| state.world.guilds.get(&id)) else {
        return object;
    };
    object["guild_id"] = json!(guild.id);
    if let Some(author) = guild.members.get(&one.author_id) {
        object["member"] = partial_member(state, author);
    }
    for mention in object["mentions"].as_array_mut().into_iter().flatten() {
        let id = mention.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        if let Some(mentioned) = id.and_then(|id: Id| guild.members.get(&id)) {
            mention["member"] = partial_member(state, mentioned);
        }
    }
    object
}

/// A file. Each time that it is read its address is fresh.
pub(crate) fn attachment(state: &State, attachment: &Attachment) -> Value {
    let url = state.signed(&attachment.url);
    let mut object = json!({
        "id": attachment.id,
        "filename": attachment.filename,
        "size": attachment.size,
        "url": url,
        "proxy_url": url,
    });
    if let Some(content_type) = &attachment.content_type {
        object["content_type"] = json!(content_type);
    }
    if let Some(description) = &attachment.description {
        object["description"] = json!(description);
    }
    object
}

fn basic_message(state: &State, message: &Message, sight: Sight) -> Value {
    let bot = state.world.identity.bot;
    let seen = match sight {
        Sight::Whole => Sight::Whole,
        Sight::Blank if message.author_id == bot || message.mentions.contains(&bot) => Sight::Whole,
        Sight::Blank => Sight::Blank,
    };
    let known = |id: &Id| state.world.users.get(id).map(user);
    let attachments: Vec<Value> = message
        .attachments
        .iter()
        .map(|found| {
            let mut object = attachment(state, found);
            if message.is_ephemeral() {
                object["ephemeral"] = json!(true);
            }
            object
        })
        .collect();
    let whole = seen == Sight::Whole;
    let mut object = json!({
        "type": message.kind,
        "content": if whole { message.content.as_str() } else { "" },
        "mentions": message.mentions.iter().filter_map(known).collect::<Vec<_>>(),
        "mention_roles": message.mention_roles,
        "attachments": if whole { attachments } else { Vec::new() },
        "embeds": if whole { message.embeds.clone() } else { Vec::new() },
        "timestamp": state.time.iso(message.created_at),
        "edited_timestamp": message.edited_at.map(|at| state.time.iso(at)),
        "flags": message.flags,
        "components": if whole { message.components.clone() } else { Vec::new() },
        "id": message.id,
        "channel_id": message.channel_id,
        "author": known(&message.author_id),
        "pinned": false,
        "mention_everyone": message.mention_everyone,
        "tts": false,
    });
    if !message.reactions.is_empty() {
        object["reactions"] = reactions::summary(&message.reactions, bot);
    }
    // The first message of a forum's post has the thread's id as well, and is in it.
    let thread = state.world.channels.get(&message.id).filter(|thread| thread.id != message.channel_id);
    if let Some(thread) = thread {
        object["thread"] = channel(state, thread);
        object["flags"] = json!(message.flags | HAS_THREAD);
    }
    if let Some(nonce) = &message.nonce {
        object["nonce"] = nonce.clone();
    }
    if let Some(interaction) = message.interaction_id.and_then(|id| state.interactions.get(&id)) {
        object["webhook_id"] = json!(state.world.identity.application);
        object["application_id"] = json!(state.world.identity.application);
        if let Some(name) = interaction.command_name() {
            let by = known(&interaction.user);
            object["interaction"] = json!({"id": interaction.id, "type": 2, "name": name, "user": by});
        }
        object["interaction_metadata"] = interaction_metadata(state, interaction);
    }
    object
}

/// What a message tells about the interaction that it answers; a modal's also tells what it was opened by.
fn interaction_metadata(state: &State, interaction: &Interaction) -> Value {
    let mut metadata = json!({
        "id": interaction.id,
        "type": interaction.kind.number(),
        "user": state.world.users.get(&interaction.user).map(user),
        "authorizing_integration_owners": owners(state, interaction.channel),
    });
    if let Some(name) = interaction.command_name() {
        metadata["name"] = json!(name);
        metadata["command_type"] = json!(interaction.command_type());
        if let Some(target) = interaction.data.get("target_id") {
            metadata["target_message_id"] = target.clone();
        }
    }
    match interaction.modal_of.and_then(|id| state.interactions.get(&id)) {
        Some(opened_by) => {
            metadata["triggering_interaction_metadata"] = interaction_metadata(state, opened_by);
        }
        None => {
            if let Some(source) = interaction.source_message {
                metadata["interacted_message_id"] = json!(source);
            }
        }
    }
    metadata
}

/// `authorizing_integration_owners`: the server it was installed in, `0` in a direct channel with the bot.
pub(crate) fn owners(state: &State, channel: Id) -> Value {
    json!({"0": guild_id(state, channel).unwrap_or(Id(0))})
}

/// The server of a channel.
pub(crate) fn guild_id(state: &State, channel: Id) -> Option<Id> {
    match state.world.channels.get(&channel)?.place {
        Place::Guild(guild) => Some(guild),
        Place::Direct { .. } => None,
    }
}
