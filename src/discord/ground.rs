//! Where a message was written: its channel as a conversation, for what was chosen there, and as the model is told of it.

use std::sync::{Arc, PoisonError};

use poise::serenity_prelude as serenity;
use serde::Deserialize;
use serenity::GuildChannel;

use super::{
    choices::Spot,
    data::Bot,
    error::RestError,
    history::{Ground, Owner, Sight, Starter, Thread},
    languages::UNCHOSEN,
};
use crate::chat::Place;

/// Types of channels (resources, "Channel Types") that are threads, and whose threads are posts.
const PRIVATE_THREAD: u8 = 12;
const THREADS: [u8; 3] = [10, 11, PRIVATE_THREAD];
const FORUMS: [u8; 2] = [15, 16];

/// A channel, and the server that it is in; `None` in direct messages.
pub(super) type Spoken = (Option<serenity::GuildId>, serenity::ChannelId);

/// What a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// To a conversation.
    pub(super) ground: Ground,
    /// The channel that it, a thread, hangs on.
    parent: Option<u64>,
}

/// Where a message was written.
#[derive(Debug, Clone)]
pub(super) struct Where {
    /// As the model is told of it.
    pub(super) place: Place,
    /// For what was chosen there.
    pub(super) spot: Spot,
    /// The language of the server; `None`: its default, which nobody may have chosen.
    pub(super) locale: Option<String>,
    /// To a conversation.
    pub(super) ground: Ground,
    /// What the author may read there.
    pub(super) sight: Sight,
}

impl Found {
    /// A channel that is no thread, or is not known to be one.
    pub(super) fn channel() -> Self {
        Self { ground: Ground::Channel, parent: None }
    }

    fn thread(id: u64, kind: u8, owner: Option<u64>, parent: Option<(u64, Option<u8>)>, bot: u64) -> Self {
        let starter = match parent {
            None => Starter::Nowhere,
            Some(_) if kind == PRIVATE_THREAD => Starter::Nowhere,
            Some((_, Some(of))) if FORUMS.contains(&of) => Starter::Within,
            Some((above, _)) => Starter::Above(above),
        };
        let owner = if owner == Some(bot) { Owner::Bot } else { Owner::Other };
        Self { ground: Ground::Thread(Thread { id, owner, starter }), parent: parent.map(|(id, _)| id) }
    }

    /// Whether the bot opened it.
    pub(super) fn is_own_thread(&self) -> bool {
        matches!(&self.ground, Ground::Thread(thread) if thread.owner == Owner::Bot)
    }

    /// A channel, as far as the connection told. `None`: it did not.
    pub(super) fn known(cache: &serenity::Cache, (guild, channel): Spoken, bot: u64) -> Option<Self> {
        let Some(guild) = guild else {
            return Some(Self { ground: Ground::Direct, parent: None });
        };
        let guild = cache.guild(guild)?;
        if guild.channels.contains_key(&channel) {
            return Some(Self::channel());
        }
        let thread = guild.threads.iter().find(|thread| thread.id == channel)?;
        let parent = thread.parent_id.map(|id| {
            let kind = guild.channels.get(&id).map(|channel: &GuildChannel| u8::from(channel.kind));
            (id.get(), kind)
        });
        let owner = thread.owner_id.map(serenity::UserId::get);
        Some(Self::thread(thread.id.get(), u8::from(thread.kind), owner, parent, bot))
    }

    /// The same, asked of Discord: a thread that was closed when the connection began is not told of. Remembered.
    pub(super) async fn asked(bot: &Bot, channel: u64) -> Result<Self, RestError> {
        let known = bot.grounds.lock().unwrap_or_else(PoisonError::into_inner).get(&channel).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let wire: Wire = bot.rest.get(&format!("channels/{channel}")).await?;
        let found = if THREADS.contains(&wire.kind) {
            let parent = match wire.parent_id.as_deref().and_then(|id| id.parse::<u64>().ok()) {
                None => None,
                Some(id) => {
                    let above: Wire = bot.rest.get(&format!("channels/{id}")).await?;
                    Some((id, Some(above.kind)))
                }
            };
            let owner = wire.owner_id.and_then(|id| id.parse().ok());
            Self::thread(channel, wire.kind, owner, parent, bot.user)
        } else {
            Self::channel()
        };
        bot.grounds.lock().unwrap_or_else(PoisonError::into_inner).insert(channel, found.clone());
        Ok(found)
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: u8,
    parent_id: Option<String>,
    owner_id: Option<String>,
}

impl Where {
    /// Where a message was written, in such a channel.
    pub(super) fn of(cache: &Arc<serenity::Cache>, message: &serenity::Message, found: Found) -> Self {
        let parent = found.parent.map(serenity::ChannelId::new);
        let sight = sight(cache, message, parent.unwrap_or(message.channel_id));
        Self::seen(cache, (message.guild_id, message.channel_id), message.author.id, found, sight)
    }

    /// Where a command was used, in such a channel: it tells what its person may do there.
    pub(super) fn of_command(
        cache: &Arc<serenity::Cache>,
        command: &serenity::CommandInteraction,
        found: Found,
    ) -> Self {
        let permissions = command.member.as_ref().and_then(|member| member.permissions);
        let may = permissions.is_some_and(|all| all.read_message_history() || all.administrator());
        let sight = if may || command.guild_id.is_none() { Sight::Whole } else { Sight::Now };
        Self::seen(cache, (command.guild_id, command.channel_id), command.user.id, found, sight)
    }

    fn seen(
        cache: &Arc<serenity::Cache>,
        (guild, channel): Spoken,
        person: serenity::UserId,
        found: Found,
        sight: Sight,
    ) -> Self {
        let parent = found.parent.map(serenity::ChannelId::new);
        Self {
            place: place(cache, (guild, channel)),
            locale: locale(cache, guild),
            spot: Spot::new(person, guild, channel, parent),
            sight,
            ground: found.ground,
        }
    }
}

fn place(cache: &serenity::Cache, (guild, id): Spoken) -> Place {
    let Some(guild) = guild else { return Place::Direct };
    let Some(guild) = cache.guild(guild) else {
        return Place::Channel { server: String::new(), channel: String::new(), topic: None };
    };
    let thread = guild.threads.iter().find(|thread| thread.id == id);
    let channel = guild.channels.get(&id).or(thread);
    Place::Channel {
        server: guild.name.clone(),
        channel: channel.map(|channel| channel.name.clone()).unwrap_or_default(),
        topic: channel.and_then(|channel| channel.topic.clone()),
    }
}

fn locale(cache: &serenity::Cache, guild: Option<serenity::GuildId>) -> Option<String> {
    let guild = cache.guild(guild?)?;
    (guild.preferred_locale != UNCHOSEN).then(|| guild.preferred_locale.clone())
}

/// Whether the author may read back in a channel; a thread has its channel's permissions. What is not known is not
/// allowed (D18).
fn sight(cache: &serenity::Cache, message: &serenity::Message, channel: serenity::ChannelId) -> Sight {
    let Some(id) = message.guild_id else { return Sight::Whole };
    let may = || {
        let guild = cache.guild(id)?;
        let mut member = message.member.as_deref()?.clone();
        // The library panics where it is another one's; in messages there is none.
        member.user = None;
        let all =
            guild.partial_member_permissions_in(guild.channels.get(&channel)?, message.author.id, &member);
        Some(all.read_message_history() || all.administrator())
    };
    if may().unwrap_or(false) { Sight::Whole } else { Sight::Now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d13_where_the_starter_of_a_thread_stands() {
        let starter = |kind, parent| {
            let Ground::Thread(thread) = Found::thread(3, kind, Some(1), parent, 1).ground else {
                panic!("a thread")
            };
            assert_eq!(thread.owner, Owner::Bot);
            thread.starter
        };
        let (text, forum) = (u8::from(serenity::ChannelType::Text), u8::from(serenity::ChannelType::Forum));
        assert_eq!(starter(11, Some((7, Some(text)))), Starter::Above(7));
        assert_eq!(starter(10, Some((7, None))), Starter::Above(7));
        assert_eq!(starter(11, Some((7, Some(forum)))), Starter::Within);
        assert_eq!(starter(12, Some((7, Some(text)))), Starter::Nowhere);
        assert_eq!(starter(11, None), Starter::Nowhere);
        let other = Found::thread(3, 11, Some(2), Some((7, None)), 1);
        assert!(!other.is_own_thread() && Found::thread(3, 11, Some(1), None, 1).is_own_thread());
    }
}
