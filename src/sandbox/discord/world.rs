//! Who and what is there: people, roles, servers, channels, and who may do what.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::{
    ids::Id,
    threads::{Access, Thread},
};

/// Permission bits (Topics, "Permissions").
pub mod permission {
    /// Everything.
    pub const ADMINISTRATOR: u64 = 1 << 3;
    /// Change the server; holders choose the server's own settings.
    pub const MANAGE_GUILD: u64 = 1 << 5;
    /// See a channel and its messages.
    pub const VIEW_CHANNEL: u64 = 1 << 10;
    /// Write in a channel.
    pub const SEND_MESSAGES: u64 = 1 << 11;
    /// Delete and pin what others wrote.
    pub const MANAGE_MESSAGES: u64 = 1 << 13;
    /// React with an emoji that is not there yet.
    pub const ADD_REACTIONS: u64 = 1 << 6;
    /// Have embeds shown; without it they are dropped silently.
    pub const EMBED_LINKS: u64 = 1 << 14;
    /// Attach files.
    pub const ATTACH_FILES: u64 = 1 << 15;
    /// Read what was written before.
    pub const READ_MESSAGE_HISTORY: u64 = 1 << 16;
    /// Notify everyone, and roles that are not mentionable.
    pub const MENTION_EVERYONE: u64 = 1 << 17;
    /// Use slash commands.
    pub const USE_APPLICATION_COMMANDS: u64 = 1 << 31;
    /// Close, open, rename and delete threads of others.
    pub const MANAGE_THREADS: u64 = 1 << 34;
    /// Start threads.
    pub const CREATE_PUBLIC_THREADS: u64 = 1 << 35;
    /// Start threads that only those who were invited see.
    pub const CREATE_PRIVATE_THREADS: u64 = 1 << 36;
    /// Write in threads.
    pub const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;
    /// What an ordinary member has.
    pub const ORDINARY: u64 = VIEW_CHANNEL
        | SEND_MESSAGES
        | EMBED_LINKS
        | ATTACH_FILES
        | READ_MESSAGE_HISTORY
        | USE_APPLICATION_COMMANDS
        | ADD_REACTIONS
        | CREATE_PUBLIC_THREADS
        | CREATE_PRIVATE_THREADS
        | SEND_MESSAGES_IN_THREADS;
    /// All of the above.
    pub const ALL: u64 =
        ORDINARY | ADMINISTRATOR | MANAGE_GUILD | MANAGE_MESSAGES | MENTION_EVERYONE | MANAGE_THREADS;
}

/// Whether an account is a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody.
    Person,
    /// An application's user.
    Bot,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: Id,
    /// The unique name.
    pub username: String,
    /// The name shown.
    pub global_name: Option<String>,
    /// Person or bot.
    pub kind: Kind,
    /// The language of their client.
    pub locale: String,
}

impl User {
    /// The name that others see.
    pub fn shown_name(&self) -> &str {
        self.global_name.as_deref().unwrap_or(&self.username)
    }
}

/// A role of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its id; the role that everyone has shares the server's.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// Permission bits.
    pub permissions: u64,
    /// Higher is mightier.
    pub position: i64,
    /// Whether anybody may notify it.
    pub mentionable: bool,
}

/// Somebody in a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name shown in this server only.
    pub nick: Option<String>,
    /// Roles besides the one that everyone has.
    pub roles: Vec<Id>,
    /// When they joined, since the emulator started.
    pub joined_at: Duration,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guild {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner: Id,
    /// Its roles; the first is everyone's.
    pub roles: Vec<Role>,
    /// Who is in it.
    pub members: BTreeMap<Id, Member>,
    /// The language that its owner chose; Discord's default is `en-US`.
    pub preferred_locale: String,
}

impl Guild {
    /// The permission bits of `user` in the whole server.
    pub(crate) fn permissions(&self, user: Id) -> u64 {
        if self.owner == user {
            return permission::ALL;
        }
        let Some(member) = self.members.get(&user) else { return 0 };
        self.roles
            .iter()
            .filter(|role| role.id == self.id || member.roles.contains(&role.id))
            .fold(0, |bits, role| bits | role.permissions)
    }
}

/// Where a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a server.
    Guild(Id),
    /// Between the bot and one person.
    Direct {
        /// The person.
        person: Id,
    },
}

/// What a channel changes about the permissions of a role or a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overwrite {
    /// The role or the member.
    pub target: Id,
    /// Bits given.
    pub allow: u64,
    /// Bits taken.
    pub deny: u64,
}

/// What can be in a channel of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Messages.
    #[default]
    Text,
    /// Posts only, each of them a thread.
    Forum,
}

impl Form {
    /// The channel type on the wire.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Forum => 15,
        }
    }
}

/// A text channel, a forum, a thread or a direct channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: Id,
    /// Where it is.
    pub place: Place,
    /// What can be in it.
    pub form: Form,
    /// Its name; empty for direct ones.
    pub name: String,
    /// Its topic.
    pub topic: Option<String>,
    /// Changed permissions.
    pub overwrites: Vec<Overwrite>,
    /// The newest message.
    pub last_message: Option<Id>,
    /// What makes it a thread, if it is one.
    pub thread: Option<Thread>,
}

/// Who the application is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) application: Id,
    pub(crate) bot: Id,
    pub(crate) owner: Id,
    pub(crate) token: String,
    /// Privileged intents that are switched on for the application.
    pub(crate) privileged_intents: u64,
}

/// Everything that is there.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) identity: Identity,
    pub(crate) users: BTreeMap<Id, User>,
    pub(crate) guilds: BTreeMap<Id, Guild>,
    pub(crate) channels: BTreeMap<Id, Channel>,
}

impl World {
    pub(crate) fn bot(&self) -> &User {
        self.users
            .get(&self.identity.bot)
            .expect("the bot is put there at the start and nobody removes users")
    }

    /// The permission bits of `user` in `channel` (Topics, "Permission Overwrites").
    pub(crate) fn permissions(&self, user: Id, channel: &Channel) -> u64 {
        if let Some(thread) = &channel.thread {
            // A thread has its parent's permissions, with one of its own for writing.
            let bits = self.channels.get(&thread.parent).map_or(0, |parent| self.permissions(user, parent));
            let invited = thread.access == Access::Public
                || thread.members.contains_key(&user)
                || bits & permission::MANAGE_THREADS != 0;
            if !invited {
                return 0;
            }
            let writes = bits & permission::SEND_MESSAGES_IN_THREADS != 0;
            let sends = if writes { permission::SEND_MESSAGES } else { 0 };
            return (bits & !permission::SEND_MESSAGES) | sends;
        }
        let guild = match channel.place {
            Place::Direct { person } if person == user || user == self.identity.bot => {
                return permission::ORDINARY;
            }
            Place::Direct { .. } => return 0,
            Place::Guild(id) => self.guilds.get(&id),
        };
        let Some(guild) = guild else { return 0 };
        let Some(member) = guild.members.get(&user) else { return 0 };
        let bits = guild.permissions(user);
        if bits & permission::ADMINISTRATOR != 0 {
            return permission::ALL;
        }
        let mut bits = bits;
        let mut apply = |wanted: &dyn Fn(Id) -> bool| {
            let (mut allow, mut deny) = (0, 0);
            for overwrite in channel.overwrites.iter().filter(|overwrite| wanted(overwrite.target)) {
                allow |= overwrite.allow;
                deny |= overwrite.deny;
            }
            bits = (bits & !deny) | allow;
        };
        apply(&|target| target == guild.id);
        apply(&|target| member.roles.contains(&target));
        apply(&|target| target == user);
        bits
    }

    /// The server that a channel is in.
    pub(crate) fn guild_of(&self, channel: &Channel) -> Option<&Guild> {
        match channel.place {
            Place::Guild(id) => self.guilds.get(&id),
            Place::Direct { .. } => None,
        }
    }

    /// Everybody who can see a channel.
    pub(crate) fn audience(&self, channel: &Channel) -> Vec<Id> {
        match channel.place {
            Place::Direct { person } => vec![person, self.identity.bot],
            Place::Guild(id) => self.guilds.get(&id).map_or_else(Vec::new, |guild| {
                guild
                    .members
                    .keys()
                    .copied()
                    .filter(|user| self.permissions(*user, channel) & permission::VIEW_CHANNEL != 0)
                    .collect()
            }),
        }
    }
}
