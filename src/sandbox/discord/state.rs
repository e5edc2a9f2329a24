//! Everything the emulated Discord knows, behind one lock.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde_json::Value;

use super::{
    commands::Command, error::ApiError, error::Known, faults::Faults, ids::Id, ids::Ids,
    interactions::Interaction, limits::Limits, message::Message, payload, payload::Sight, record::Record,
    sessions::Sessions, timeline::Timeline, world::Channel, world::World, world::permission,
};

/// The whole state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) time: Timeline,
    pub(crate) ids: Ids,
    /// Where this emulator listens, without a path.
    pub(crate) origin: String,
    /// Where attached files are found, without a path: the same, or Discord's CDN by name.
    pub(crate) files_origin: String,
    pub(crate) world: World,
    pub(crate) messages: BTreeMap<Id, Message>,
    pub(crate) files: BTreeMap<Id, Bytes>,
    /// What their addresses are signed with.
    pub(crate) files_key: String,
    pub(crate) interactions: BTreeMap<Id, Interaction>,
    pub(crate) commands: Vec<Command>,
    /// Commands that were new, today.
    pub(crate) commands_created: usize,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) record: Record,
    pub(crate) faults: Faults,
    /// Who is typing where since when, newest last.
    pub(crate) typing: Vec<(Id, Id, Duration)>,
}

impl State {
    /// A new id, made now.
    pub(crate) fn new_id(&mut self) -> Id {
        self.ids.next(self.time.unix_ms())
    }

    /// A message that was not deleted.
    pub(crate) fn message(&self, id: Id) -> Result<&Message, ApiError> {
        self.messages.get(&id).filter(|message| message.exists()).ok_or(Known::UnknownMessage.into())
    }

    /// A channel, if the bot has `needed` in it: `10003`, `50001` or `50013` otherwise.
    pub(crate) fn channel_for_bot(&self, id: Id, needed: u64) -> Result<&Channel, ApiError> {
        let channel = self.world.channels.get(&id).ok_or(Known::UnknownChannel)?;
        let bits = self.world.permissions(self.world.identity.bot, channel);
        if bits & permission::VIEW_CHANNEL == 0 {
            Err(Known::MissingAccess.into())
        } else if bits & needed != needed {
            Err(Known::MissingPermissions.into())
        } else {
            Ok(channel)
        }
    }

    /// A message as REST shows it.
    pub(crate) fn rendered(&self, id: Id) -> Option<Value> {
        Some(payload::message(self, self.message(id).ok()?, Sight::Whole))
    }
}
