//! Reactions: who put which emoji to what (Resources, "Reaction Object").
//!
//! Only Unicode emoji: the emulated servers have none of their own, so anything else is an unknown emoji.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    error::{ApiError, Known},
    ids::Id,
    payload,
    sessions::Needs,
    state::State,
};

/// Different emoji on one message.
const DIFFERENT: usize = 20;

/// One emoji on a message, and who put it there, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// Who reacted with it.
    pub users: Vec<Id>,
}

impl State {
    /// Somebody reacts; a second time changes nothing.
    pub(crate) fn react(&mut self, message: Id, user: Id, emoji: &str) -> Result<(), ApiError> {
        if !is_emoji(emoji) {
            return Err(Known::UnknownEmoji.into());
        }
        let found = self.open_message(message)?;
        let full = found.reactions.len() >= DIFFERENT;
        match found.reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
            Some(reaction) if reaction.users.contains(&user) => return Ok(()),
            Some(reaction) => reaction.users.push(user),
            None if full => return Err(Known::TooManyReactions.into()),
            None => found.reactions.push(Reaction { emoji: emoji.to_owned(), users: vec![user] }),
        }
        self.tell_reaction("MESSAGE_REACTION_ADD", message, user, emoji);
        Ok(())
    }

    /// Somebody takes a reaction back, or it is taken from them.
    pub(crate) fn unreact(&mut self, message: Id, user: Id, emoji: &str) -> Result<(), ApiError> {
        let found = self.open_message(message)?;
        let reaction = found.reactions.iter_mut().find(|reaction| reaction.emoji == emoji);
        let Some(reaction) = reaction.filter(|reaction| reaction.users.contains(&user)) else {
            return Err(Known::UnknownEmoji.into());
        };
        reaction.users.retain(|one| *one != user);
        found.reactions.retain(|reaction| !reaction.users.is_empty());
        self.tell_reaction("MESSAGE_REACTION_REMOVE", message, user, emoji);
        Ok(())
    }

    /// Every reaction goes, or every one with this emoji.
    pub(crate) fn clear_reactions(&mut self, message: Id, emoji: Option<&str>) -> Result<(), ApiError> {
        let found = self.open_message(message)?;
        found.reactions.retain(|reaction| emoji.is_some_and(|emoji| reaction.emoji != emoji));
        let mut data = json!({"channel_id": found.channel_id, "message_id": message});
        let name = match emoji {
            Some(emoji) => {
                data["emoji"] = shown(emoji);
                "MESSAGE_REACTION_REMOVE_EMOJI"
            }
            None => "MESSAGE_REACTION_REMOVE_ALL",
        };
        self.emit_reaction(name, message, data);
        Ok(())
    }

    /// A message that may be changed: `50083` in an archived thread.
    fn open_message(&mut self, id: Id) -> Result<&mut super::message::Message, ApiError> {
        let channel = self.message(id)?.channel_id;
        self.refuse_archived(channel)?;
        self.messages.get_mut(&id).ok_or_else(|| Known::UnknownMessage.into())
    }

    fn tell_reaction(&mut self, name: &str, message: Id, user: Id, emoji: &str) {
        let Some(found) = self.messages.get(&message) else { return };
        let mut data = json!({
            "user_id": user,
            "channel_id": found.channel_id,
            "message_id": message,
            "emoji": shown(emoji),
            "burst": false,
            "type": 0,
        });
        // Only the event of a new one says more (Gateway Events, "Message Reaction Add").
        if name == "MESSAGE_REACTION_ADD" {
            data["message_author_id"] = json!(found.author_id);
            let guild = payload::guild_id(self, found.channel_id).and_then(|id| self.world.guilds.get(&id));
            if let Some(member) = guild.and_then(|guild| guild.members.get(&user)) {
                data["member"] = payload::member(self, user, member);
            }
        }
        self.emit_reaction(name, message, data);
    }

    fn emit_reaction(&mut self, name: &str, message: Id, mut data: Value) {
        let Some(channel) = self.messages.get(&message).map(|message| message.channel_id) else { return };
        if !self.bot_sees(channel) {
            return;
        }
        let guild = payload::guild_id(self, channel);
        if let Some(guild) = guild {
            data["guild_id"] = json!(guild);
        }
        self.emit(name, guild, Needs::REACTIONS, &data);
    }
}

/// Whether a text can be an emoji: something beyond ASCII, no words, no name of a server's own emoji.
fn is_emoji(text: &str) -> bool {
    // Letters in boxes and circles, and the sign for information, are letters to Unicode and emoji to everybody.
    let is_lettered = |c: char| matches!(c, '\u{1F170}'..='\u{1F189}' | 'ℹ' | 'Ⓜ');
    let is_wordy = |c: char| (c.is_alphabetic() && !is_lettered(c)) || c.is_whitespace() || c == ':';
    !text.is_ascii() && !text.chars().any(is_wordy)
}

/// An emoji in the API's shape.
pub(crate) fn shown(emoji: &str) -> Value {
    json!({"id": null, "name": emoji})
}

/// The `reactions` of a message object, as the bot sees them.
pub(crate) fn summary(reactions: &[Reaction], bot: Id) -> Value {
    let one = |reaction: &Reaction| {
        json!({
            "emoji": shown(&reaction.emoji),
            "count": reaction.users.len(),
            "count_details": {"burst": 0, "normal": reaction.users.len()},
            "burst_colors": [],
            "me_burst": false,
            "burst_me": false,
            "me": reaction.users.contains(&bot),
            "burst_count": 0,
        })
    };
    reactions.iter().map(one).collect()
}
