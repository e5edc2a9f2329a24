//! Gateway sessions: who is connected, which events go to whom, and what is replayed on a resume.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    ids::Id,
    payload::{self, Sight},
    record::{Dispatched, Record},
    starts::Starts,
    state::State,
};

/// Intent bits (Gateway, "List of Intents").
pub mod intent {
    /// Servers, roles, channels.
    pub const GUILDS: u64 = 1;
    /// Privileged: members come and go.
    pub const GUILD_MEMBERS: u64 = 1 << 1;
    /// Privileged: presences.
    pub const GUILD_PRESENCES: u64 = 1 << 8;
    /// Messages in servers.
    pub const GUILD_MESSAGES: u64 = 1 << 9;
    /// Reactions in servers.
    pub const GUILD_MESSAGE_REACTIONS: u64 = 1 << 10;
    /// Typing in servers.
    pub const GUILD_MESSAGE_TYPING: u64 = 1 << 11;
    /// Direct messages.
    pub const DIRECT_MESSAGES: u64 = 1 << 12;
    /// Reactions in direct channels.
    pub const DIRECT_MESSAGE_REACTIONS: u64 = 1 << 13;
    /// Typing in direct channels.
    pub const DIRECT_MESSAGE_TYPING: u64 = 1 << 14;
    /// Privileged: the content of messages.
    pub const MESSAGE_CONTENT: u64 = 1 << 15;
    /// The three that need a switch in the developer portal.
    pub const PRIVILEGED: u64 = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT;
    /// Every bit that is defined: 0 to 16, automatic moderation, polls.
    pub const DEFINED: u64 = ((1 << 17) - 1) | (0b11 << 20) | (0b11 << 24);
}

/// How many events of a session can be replayed.
const REPLAYABLE: usize = 10_000;

/// What goes out on a gateway socket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outgoing {
    /// A payload.
    Frame(Value),
    /// A close frame, then the end.
    Close { code: u16, reason: &'static str },
    /// The end without a word.
    Cut,
}

/// One session; it outlives its socket until it is invalidated.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) intents: u64,
    pub(crate) shard: (u64, u64),
    pub(crate) seq: u64,
    /// Sent events, for replay.
    log: VecDeque<(u64, Value)>,
    /// Kept back to come in another order.
    held: Vec<(String, Value)>,
    /// The connection and its sender while one is attached.
    socket: Option<(u64, UnboundedSender<Outgoing>)>,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) all: BTreeMap<String, Session>,
    pub(crate) starts: Starts,
    /// What the hello of new connections says.
    pub(crate) heartbeat: Duration,
    connections: u64,
}

/// Between heartbeats; Discord's usual figure.
const HEARTBEAT: Duration = Duration::from_millis(41_250);

impl Default for Sessions {
    fn default() -> Self {
        Self { all: BTreeMap::new(), starts: Starts::default(), heartbeat: HEARTBEAT, connections: 0 }
    }
}

impl Session {
    pub(crate) fn new(intents: u64, shard: (u64, u64)) -> Self {
        Self { intents, shard, seq: 0, log: VecDeque::new(), held: Vec::new(), socket: None }
    }

    /// Whether a socket is attached.
    pub(crate) fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Attaches a socket; a second one on the same session ends the first.
    pub(crate) fn attach(&mut self, connection: u64, sender: UnboundedSender<Outgoing>) {
        self.send(Outgoing::Cut);
        self.socket = Some((connection, sender));
    }

    /// Detaches a socket, if it is still the attached one.
    pub(crate) fn detach(&mut self, connection: u64) {
        if self.socket.as_ref().is_some_and(|(attached, _)| *attached == connection) {
            self.socket = None;
        }
    }

    /// Sends something that is no event.
    pub(crate) fn send(&self, outgoing: Outgoing) {
        if let Some((_, sender)) = &self.socket {
            // A receiver that is gone means a socket that ended: the session keeps the event for a resume.
            drop(sender.send(outgoing));
        }
    }

    /// Sends an event with the next sequence number and keeps it for a resume.
    pub(crate) fn dispatch(&mut self, name: &str, data: Value, record: &mut Record) {
        record.dispatched.push(Dispatched { name: name.to_owned(), data: data.clone() });
        self.seq += 1;
        let frame = json!({"op": 0, "s": self.seq, "t": name, "d": data});
        self.log.push_back((self.seq, frame.clone()));
        if self.log.len() > REPLAYABLE {
            self.log.pop_front();
        }
        self.send(Outgoing::Frame(frame));
    }

    /// Sends again everything after `seq`; how much that was.
    pub(crate) fn replay(&self, seq: u64) -> usize {
        let missed = self.log.iter().filter(|(number, _)| *number > seq);
        missed.map(|(_, frame)| self.send(Outgoing::Frame(frame.clone()))).count()
    }

    /// Whether events of this place come here.
    fn sees(&self, guild: Option<Id>) -> bool {
        concerns(self.shard, guild)
    }
}

/// A shard sees its servers only; direct messages are shard 0's.
fn concerns((shard, count): (u64, u64), guild: Option<Id>) -> bool {
    guild.map_or(shard == 0, |guild| (guild.0 >> 22) % count.max(1) == shard)
}

impl Sessions {
    /// A number for a new connection.
    pub(crate) fn new_connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }
}

/// Which intents an event needs, in a server and in a direct channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    in_guild: u64,
    direct: u64,
}

impl Needs {
    pub(crate) const NOTHING: Self = Self { in_guild: 0, direct: 0 };
    pub(crate) const MESSAGES: Self =
        Self { in_guild: intent::GUILD_MESSAGES, direct: intent::DIRECT_MESSAGES };
    pub(crate) const REACTIONS: Self =
        Self { in_guild: intent::GUILD_MESSAGE_REACTIONS, direct: intent::DIRECT_MESSAGE_REACTIONS };
    pub(crate) const TYPING: Self =
        Self { in_guild: intent::GUILD_MESSAGE_TYPING, direct: intent::DIRECT_MESSAGE_TYPING };
    pub(crate) const GUILDS: Self = Self { in_guild: intent::GUILDS, direct: 0 };
}

impl State {
    /// Sends an event to every session that may see it.
    pub(crate) fn emit(&mut self, name: &str, guild: Option<Id>, needs: Needs, data: &Value) {
        self.emit_each(name, guild, needs, |_| data.clone());
    }

    /// Sends `MESSAGE_CREATE` or `MESSAGE_UPDATE`, blanked for sessions without the content intent.
    pub(crate) fn emit_message(&mut self, name: &str, id: Id) {
        let Some(message) = self.messages.get(&id).filter(|message| !message.is_ephemeral()) else { return };
        if !self.bot_sees(message.channel_id) {
            return;
        }
        let guild = payload::guild_id(self, message.channel_id);
        let whole = payload::gateway_message(self, message, Sight::Whole);
        let blank = payload::gateway_message(self, message, Sight::Blank);
        self.emit_each(name, guild, Needs::MESSAGES, |session| {
            let sees_content = guild.is_none() || session.intents & intent::MESSAGE_CONTENT != 0;
            if sees_content { whole.clone() } else { blank.clone() }
        });
    }

    fn emit_each(&mut self, name: &str, guild: Option<Id>, needs: Needs, data: impl Fn(&Session) -> Value) {
        let times = if self.faults.duplicate_events > 0 {
            self.faults.duplicate_events -= 1;
            2
        } else {
            1
        };
        let held = self.faults.reorder_events > 0;
        self.faults.reorder_events = self.faults.reorder_events.saturating_sub(1);
        let wanted = if guild.is_some() { needs.in_guild } else { needs.direct };
        for session in self.sessions.all.values_mut() {
            if session.sees(guild) && session.intents & wanted == wanted {
                let data = data(session);
                if held {
                    session.held.push((name.to_owned(), data));
                    continue;
                }
                for _ in 0..times {
                    session.dispatch(name, data.clone(), &mut self.record);
                }
                for (name, data) in std::mem::take(&mut session.held).into_iter().rev() {
                    session.dispatch(&name, data, &mut self.record);
                }
            }
        }
    }

    /// The first two events of a new session.
    pub(crate) fn greet(&mut self, session_id: &str) {
        let Some(session) = self.sessions.all.get(session_id) else { return };
        let (shard, intents) = (session.shard, session.intents);
        let guilds = self.guilds_of(shard);
        let ready = json!({
            "v": 10,
            "user": payload::current_user(self.world.bot()),
            "guilds": guilds.iter().map(|id| json!({"id": id, "unavailable": true})).collect::<Vec<_>>(),
            "session_id": session_id,
            "session_type": "normal",
            "resume_gateway_url": self.gateway_url(),
            "shard": [shard.0, shard.1],
            "application": {
                "id": self.world.identity.application,
                "flags": payload::application_flags(self),
            },
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "user_settings": {},
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
            "_trace": [],
        });
        let creates: Vec<Value> = guilds
            .iter()
            .filter(|_| intents & intent::GUILDS != 0)
            .filter_map(|id| self.world.guilds.get(id))
            .map(|guild| payload::guild_create(self, guild))
            .collect();
        if let Some(session) = self.sessions.all.get_mut(session_id) {
            session.dispatch("READY", ready, &mut self.record);
            for create in creates {
                session.dispatch("GUILD_CREATE", create, &mut self.record);
            }
        }
    }

    /// The servers of a shard.
    pub(crate) fn guilds_of(&self, shard: (u64, u64)) -> Vec<Id> {
        self.world.guilds.keys().copied().filter(|id| concerns(shard, Some(*id))).collect()
    }

    /// Opcode 8: members of a server, by id or by the beginning of a name (Gateway, "Request Guild Members").
    pub(crate) fn send_members(&mut self, session_id: &str, asked: &Value) {
        let Some(guild) = asked.get("guild_id").and_then(Id::sent).and_then(|id| self.world.guilds.get(&id))
        else {
            return;
        };
        let ids = match asked.get("user_ids") {
            Some(Value::Array(list)) => Some(list.iter().filter_map(Id::sent).collect::<Vec<_>>()),
            Some(one) => Id::sent(one).map(|id| vec![id]),
            None => None,
        };
        let query = asked.get("query").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let limit = asked.get("limit").and_then(Value::as_u64).filter(|limit| *limit > 0);
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let named = |id: &Id| {
            self.world.users.get(id).is_some_and(|user| user.shown_name().to_lowercase().starts_with(&query))
        };
        let wanted = |id: &Id| ids.as_ref().map_or_else(|| named(id), |ids| ids.contains(id));
        let members: Vec<Value> = guild
            .members
            .iter()
            .filter(|(id, _)| wanted(id))
            .take(limit)
            .map(|(id, member)| payload::member(self, *id, member))
            .collect();
        let unknown = ids.iter().flatten().filter(|id| !guild.members.contains_key(id)).collect::<Vec<_>>();
        let mut data = json!({
            "guild_id": guild.id,
            "members": members,
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": unknown,
        });
        if let Some(nonce) = asked.get("nonce") {
            data["nonce"] = nonce.clone();
        }
        if let Some(session) = self.sessions.all.get_mut(session_id) {
            session.dispatch("GUILD_MEMBERS_CHUNK", data, &mut self.record);
        }
    }

    /// The day's identifies are used up: every session ends, and the token is another one from now on.
    pub(crate) fn reset_token(&mut self) {
        for session in std::mem::take(&mut self.sessions.all).into_values() {
            session.send(Outgoing::Close { code: 4004, reason: "Authentication failed." });
        }
        self.world.identity.token = format!("reset.{}", self.world.identity.token);
    }

    /// Where clients connect to.
    pub(crate) fn gateway_url(&self) -> String {
        format!("{}/gateway", self.origin.replacen("http", "ws", 1))
    }
}
