//! The world that a fresh emulator starts with, and how it grows.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    Landmarks,
    ids::{Id, Ids},
    payload,
    sessions::{Needs, intent},
    state::State,
    timeline::Timeline,
    world::{Channel, Form, Guild, Identity, Kind, Member, Place, Role, User, World, permission},
};

/// A bot in one server with one channel, the person who owns both, and a guest with a role.
pub(crate) fn fresh(origin: String, time: Timeline) -> (State, Landmarks) {
    let mut ids = Ids::default();
    // Older than anything that follows, as in life: accounts come before messages.
    let long_ago = time.unix_ms().saturating_sub(365 * 24 * 3600 * 1000);
    let mut next = || ids.next(long_ago);
    let landmarks = Landmarks {
        application: next(),
        bot: next(),
        guild: next(),
        channel: next(),
        role: next(),
        owner: next(),
        guest: next(),
    };
    let person = |id: Id, username: &str, shown: &str, kind: Kind| User {
        id,
        username: username.to_owned(),
        global_name: (kind == Kind::Person).then(|| shown.to_owned()),
        kind,
        locale: "en-US".to_owned(),
    };
    let member = |roles: &[Id]| Member { nick: None, roles: roles.to_vec(), joined_at: Duration::ZERO };
    let bot_role = next();
    let role = |id: Id, name: &str, permissions: u64, position: i64| Role {
        id,
        name: name.to_owned(),
        permissions,
        position,
        mentionable: false,
    };
    let guild = Guild {
        id: landmarks.guild,
        name: "Sandbox".to_owned(),
        owner: landmarks.owner,
        roles: vec![
            role(landmarks.guild, "@everyone", permission::ORDINARY, 0),
            role(landmarks.role, "Crew", 0, 1),
            // With the permission to notify everyone, so that only `allowed_mentions` keeps the bot from it.
            role(bot_role, "Cortana", permission::ORDINARY | permission::MENTION_EVERYONE, 2),
        ],
        members: [
            (landmarks.owner, member(&[])),
            (landmarks.guest, member(&[landmarks.role])),
            (landmarks.bot, member(&[bot_role])),
        ]
        .into(),
        preferred_locale: "en-US".to_owned(),
    };
    let channel = Channel {
        id: landmarks.channel,
        place: Place::Guild(guild.id),
        form: Form::Text,
        name: "general".to_owned(),
        topic: None,
        overwrites: Vec::new(),
        last_message: None,
        thread: None,
    };
    let users = [
        person(landmarks.bot, "Cortana", "Cortana", Kind::Bot),
        person(landmarks.owner, "olivia", "Olivia", Kind::Person),
        person(landmarks.guest, "gus", "Gus", Kind::Person),
    ];
    let token =
        format!("{}.FAKE00.sandbox-token-of-no-real-bot", URL_SAFE_NO_PAD.encode(landmarks.bot.to_string()));
    let world = World {
        identity: Identity {
            application: landmarks.application,
            bot: landmarks.bot,
            owner: landmarks.owner,
            token,
            privileged_intents: intent::MESSAGE_CONTENT,
        },
        users: users.into_iter().map(|user| (user.id, user)).collect(),
        guilds: [(guild.id, guild)].into(),
        channels: BTreeMap::from([(channel.id, channel)]),
    };
    (State::new(origin, time, ids, world), landmarks)
}

impl State {
    /// A new person, not yet in any server.
    pub(crate) fn add_person(&mut self, username: &str) -> Id {
        let id = self.new_id();
        let user = User {
            id,
            username: username.to_lowercase(),
            global_name: Some(username.to_owned()),
            kind: Kind::Person,
            locale: "en-US".to_owned(),
        };
        self.world.users.insert(id, user);
        id
    }

    /// Puts somebody into a server.
    pub(crate) fn join(&mut self, guild: Id, user: Id) {
        let joined_at = self.time.now();
        if let Some(guild) = self.world.guilds.get_mut(&guild) {
            guild.members.insert(user, Member { nick: None, roles: Vec::new(), joined_at });
        }
    }

    /// A new channel in a server; connected sessions are told.
    pub(crate) fn add_channel(&mut self, guild: Id, form: Form, name: &str) -> Id {
        let id = self.new_id();
        let channel = Channel {
            id,
            place: Place::Guild(guild),
            form,
            name: name.to_owned(),
            topic: None,
            overwrites: Vec::new(),
            last_message: None,
            thread: None,
        };
        self.world.channels.insert(id, channel.clone());
        let data = payload::channel(self, &channel);
        self.emit("CHANNEL_CREATE", Some(guild), Needs::GUILDS, &data);
        id
    }

    /// A new server with one channel, owned by `owner`, with the bot in it; connected sessions are told.
    pub(crate) fn add_guild(&mut self, name: &str, owner: Id) -> (Id, Id) {
        let (id, bot) = (self.new_id(), self.world.identity.bot);
        let everyone = Role {
            id,
            name: "@everyone".to_owned(),
            permissions: permission::ORDINARY,
            position: 0,
            mentionable: false,
        };
        let guild = Guild {
            id,
            name: name.to_owned(),
            owner,
            roles: vec![everyone],
            members: BTreeMap::new(),
            preferred_locale: "en-US".to_owned(),
        };
        self.world.guilds.insert(id, guild);
        self.join(id, owner);
        self.join(id, bot);
        let channel = self.add_channel(id, Form::Text, "general");
        if let Some(guild) = self.world.guilds.get(&id) {
            let data = payload::guild_create(self, guild);
            self.emit("GUILD_CREATE", Some(id), Needs::GUILDS, &data);
        }
        (id, channel)
    }

    /// A server's owner chooses its language; sessions that begin later know it.
    pub(crate) fn set_server_language(&mut self, id: Id, locale: &str) {
        if let Some(guild) = self.world.guilds.get_mut(&id) {
            locale.clone_into(&mut guild.preferred_locale);
        }
    }

    /// The direct channel with a person, opened when there is none.
    pub(crate) fn direct_channel(&mut self, person: Id) -> Id {
        let place = Place::Direct { person };
        if let Some(channel) = self.world.channels.values().find(|channel| channel.place == place) {
            return channel.id;
        }
        let id = self.new_id();
        let channel = Channel {
            id,
            place,
            form: Form::Text,
            name: String::new(),
            topic: None,
            overwrites: Vec::new(),
            last_message: None,
            thread: None,
        };
        self.world.channels.insert(id, channel);
        id
    }

    /// Changes what a role or member may do in a channel; connected sessions are told.
    pub(crate) fn overwrite(&mut self, channel: Id, overwrite: super::world::Overwrite) {
        let Some(entry) = self.world.channels.get_mut(&channel) else { return };
        entry.overwrites.retain(|other| other.target != overwrite.target);
        entry.overwrites.push(overwrite);
        let entry = entry.clone();
        let data = payload::channel(self, &entry);
        let guild = payload::guild_id(self, channel);
        self.emit("CHANNEL_UPDATE", guild, Needs::GUILDS, &data);
    }

    /// The world in brief, for the control API.
    pub(crate) fn outline(&self) -> serde_json::Value {
        let name = |id: &Id| self.world.users.get(id).map_or("?", |user| user.shown_name());
        json!({
            "users": self.world.users.values().map(|user| json!({
                "id": user.id, "name": user.shown_name(), "bot": user.kind == Kind::Bot,
            })).collect::<Vec<_>>(),
            "guilds": self.world.guilds.values().map(|guild| json!({
                "id": guild.id, "name": guild.name, "owner_id": guild.owner,
                "members": guild.members.keys().collect::<Vec<_>>(),
                "roles": guild.roles.iter().map(|role| json!({"id": role.id, "name": role.name})).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "channels": self.world.channels.values().map(|channel| match channel.place {
                Place::Guild(guild) => json!({"id": channel.id, "guild_id": guild, "name": channel.name}),
                Place::Direct { person } => json!({"id": channel.id, "direct_with": person, "name": name(&person)}),
            }).collect::<Vec<_>>(),
            "commands": self.commands.iter().map(super::commands::Command::name).collect::<Vec<_>>(),
        })
    }
}
