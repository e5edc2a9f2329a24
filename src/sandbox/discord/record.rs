//! What was asked and answered, in order, for whoever checks afterwards.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::Fetched;

/// One REST request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedRequest {
    /// When it had arrived, since the emulator started.
    pub at: Duration,
    /// How long the answer took, added latency included.
    pub took: Duration,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path below `/api/v10`, for example `/channels/1/messages`.
    pub path: String,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// The headers, names in lower case. The bot's own token is replaced by `<bot token>`; anything else stays, so that
    /// a secret that went astray is found.
    pub headers: BTreeMap<String, String>,
    /// The JSON body, `payload_json` for multipart.
    pub body: Value,
    /// Names and sizes of files.
    pub files: Vec<(String, usize)>,
    /// The status answered.
    pub status: u16,
    /// The JSON answered; null for none.
    pub answer: Value,
}

/// One thing that happened on a gateway connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GatewayEntry {
    /// Since the emulator started.
    pub at: Duration,
    /// Which connection, counted from 1.
    pub connection: u64,
    /// What happened.
    #[serde(flatten)]
    pub note: GatewayNote,
}

/// What can happen on a gateway connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum GatewayNote {
    /// A socket was opened.
    Opened,
    /// A new session began.
    Identified {
        /// Its id.
        session: String,
        /// The intents asked for.
        intents: u64,
        /// Shard and number of shards.
        shard: (u64, u64),
    },
    /// An old session went on.
    Resumed {
        /// Its id.
        session: String,
        /// How many events it had missed.
        replayed: usize,
    },
    /// A frame besides heartbeats, identify and resume.
    Received {
        /// The opcode.
        op: u64,
        /// Its payload.
        data: Value,
    },
    /// The client said goodbye.
    ClosedByClient {
        /// The close code; `None` when the connection just ended.
        code: Option<u16>,
    },
    /// The emulator ended the connection.
    ClosedByServer {
        /// The close code; `None` when the socket was cut.
        code: Option<u16>,
    },
}

/// One event that a session was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatched {
    /// For example `MESSAGE_CREATE`.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// The record.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) requests: Vec<RecordedRequest>,
    pub(crate) gateway: Vec<GatewayEntry>,
    /// Of attached files.
    pub(crate) fetched: Vec<Fetched>,
    /// Over all sessions, in order.
    pub(crate) dispatched: Vec<Dispatched>,
}
