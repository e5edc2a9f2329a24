//! The gateway, as a test arranges it: what it allows, and what goes wrong on it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{
    Sandbox,
    discord::{GatewayFault, Outgoing, State},
};

/// What the gateway tells and allows; what is left out stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySettings {
    /// Milliseconds between heartbeats, for new connections. Without two of them a connection is closed with 4009.
    pub heartbeat_ms: Option<u64>,
    /// How many shards may identify in five seconds.
    pub max_concurrency: Option<u64>,
    /// How many shards are recommended.
    pub shards: Option<u64>,
    /// How many identifies are left for today.
    pub session_starts_left: Option<u64>,
}

impl Sandbox {
    /// Changes what the gateway tells and allows.
    pub fn set_gateway(&self, settings: GatewaySettings) {
        let GatewaySettings { heartbeat_ms, max_concurrency, shards, session_starts_left } = settings;
        self.discord.with(|state| {
            let sessions = &mut state.sessions;
            if let Some(ms) = heartbeat_ms {
                sessions.heartbeat = Duration::from_millis(ms);
            }
            let starts = &mut sessions.starts;
            starts.max_concurrency = max_concurrency.unwrap_or(starts.max_concurrency);
            starts.shards = shards.unwrap_or(starts.shards);
            if let Some(left) = session_starts_left {
                starts.leave(left);
            }
        });
    }

    /// Makes the gateway go wrong.
    pub fn gateway_fault(&self, fault: GatewayFault) {
        self.discord.with(|state| {
            let send = |outgoing: Outgoing, state: &mut State| {
                for session in state.sessions.all.values() {
                    session.send(outgoing.clone());
                }
            };
            let bare = |op: u8, data: serde_json::Value| {
                Outgoing::Frame(json!({"op": op, "s": null, "t": null, "d": data}))
            };
            match fault {
                GatewayFault::Drop => send(Outgoing::Cut, state),
                GatewayFault::Close { code } => {
                    send(Outgoing::Close { code, reason: "A scripted fault." }, state);
                }
                GatewayFault::Reconnect => send(bare(7, json!(null)), state),
                GatewayFault::Invalidate { resumable } => {
                    send(bare(9, json!(resumable)), state);
                    if !resumable {
                        state.sessions.all.clear();
                    }
                }
                GatewayFault::Duplicate { events } => state.faults.duplicate_events = events,
                GatewayFault::Reorder { events } => state.faults.reorder_events = events,
                GatewayFault::AskHeartbeat => send(bare(1, json!(null)), state),
                GatewayFault::WithholdAcks { heartbeats } => state.faults.withheld_acks = heartbeats,
            }
        });
    }
}
