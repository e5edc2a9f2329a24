//! The gateway over a websocket: hello, identify, heartbeats, resume, close codes (Gateway; Opcodes and Status Codes).

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep_until},
};

use super::{
    Discord,
    frames::Packing,
    record::{GatewayEntry, GatewayNote},
    sessions::{Outgoing, Session, intent},
    starts::Start,
    state::State,
};
use crate::clock;

/// Payloads that a client may send, and in which time (Gateway, "Rate Limiting").
const BUDGET: (usize, Duration) = (120, Duration::from_mins(1));

/// Servers that one shard may have.
const GUILDS: usize = 2500;

/// One socket, before and after it has a session.
#[derive(Debug)]
pub(crate) struct Connection {
    number: u64,
    session: Option<String>,
    sender: UnboundedSender<Outgoing>,
    packing: Packing,
    heartbeat: Duration,
    /// The last sign of life.
    heard_at: Instant,
    /// When the payloads of the last minute came.
    received: VecDeque<Duration>,
}

impl Connection {
    /// A connection without two heartbeats is dead: Discord does not say how long it waits.
    fn dead_at(&self) -> Instant {
        self.heard_at + 2 * self.heartbeat
    }
}

/// Serves one socket until either side ends it. `query` is what the address asked for.
pub(crate) async fn serve(discord: Discord, mut socket: WebSocket, query: HashMap<String, String>) {
    let ending = discord.shutdown().token().clone();
    let (sender, mut outgoing) = unbounded_channel();
    let (number, heartbeat) = discord.with(|state| {
        let number = state.sessions.new_connection();
        note(state, number, GatewayNote::Opened);
        (number, state.sessions.heartbeat)
    });
    let mut connection = Connection {
        number,
        session: None,
        sender,
        packing: Packing::asked(query.get("compress").map(String::as_str)),
        heartbeat,
        heard_at: clock::instant(),
        received: VecDeque::new(),
    };
    let code = if query.get("v").is_some_and(|version| version != "10") {
        drop(socket.send(close_frame(4012, "Invalid API version(s).")).await);
        GatewayNote::ClosedByServer { code: Some(4012) }
    } else {
        let interval = u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX);
        let hello =
            json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": interval, "_trace": []}});
        drop(connection.sender.send(Outgoing::Frame(hello)));
        tokio::select! {
            note = exchange(&discord, &mut socket, &mut connection, &mut outgoing) => note,
            () = ending.cancelled() => {
                drop(socket.send(close_frame(1001, "Going away")).await);
                GatewayNote::ClosedByServer { code: Some(1001) }
            }
        }
    };
    discord.with(|state| {
        // 1000 and 1001 from the client, and a session that timed out, are over; after anything else a session can be
        // resumed (Gateway, "Disconnecting"; Opcodes and Status Codes).
        let over = matches!(
            code,
            GatewayNote::ClosedByClient { code: Some(1000 | 1001) }
                | GatewayNote::ClosedByServer { code: Some(4009) }
        );
        if let Some(id) = &connection.session {
            if over {
                state.sessions.all.remove(id);
            } else if let Some(session) = state.sessions.all.get_mut(id) {
                session.detach(connection.number);
            }
        }
        note(state, connection.number, code);
    });
}

async fn exchange(
    discord: &Discord,
    socket: &mut WebSocket,
    connection: &mut Connection,
    outgoing: &mut UnboundedReceiver<Outgoing>,
) -> GatewayNote {
    loop {
        tokio::select! {
            biased;
            next = outgoing.recv() => match next {
                Some(Outgoing::Frame(payload)) => {
                    if socket.send(connection.packing.frame(&payload)).await.is_err() {
                        return GatewayNote::ClosedByClient { code: None };
                    }
                }
                Some(Outgoing::Close { code, reason }) => {
                    drop(socket.send(close_frame(code, reason)).await);
                    return GatewayNote::ClosedByServer { code: Some(code) };
                }
                Some(Outgoing::Cut) | None => return GatewayNote::ClosedByServer { code: None },
            },
            received = socket.recv() => match received {
                Some(Ok(Frame::Text(text))) => {
                    discord.with(|state| receive(state, connection, text.as_str()));
                }
                Some(Ok(Frame::Binary(bytes))) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    discord.with(|state| receive(state, connection, &text));
                }
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                Some(Ok(Frame::Close(frame))) => {
                    return GatewayNote::ClosedByClient { code: frame.map(|frame| frame.code) };
                }
                Some(Err(_)) | None => return GatewayNote::ClosedByClient { code: None },
            },
            () = sleep_until(connection.dead_at()) => {
                drop(socket.send(close_frame(4009, "Session timed out.")).await);
                return GatewayNote::ClosedByServer { code: Some(4009) };
            }
        }
    }
}

fn close_frame(code: u16, reason: &'static str) -> Frame {
    Frame::Close(Some(CloseFrame { code, reason: reason.into() }))
}

pub(crate) fn note(state: &mut State, connection: u64, note: GatewayNote) {
    let at = state.time.now();
    state.record.gateway.push(GatewayEntry { at, connection, note });
}

/// Acts on one payload from the client.
fn receive(state: &mut State, connection: &mut Connection, text: &str) {
    let sender = connection.sender.clone();
    let answer = |outgoing: Outgoing| drop(sender.send(outgoing));
    if over_budget(&mut connection.received, state.time.now()) {
        return answer(Outgoing::Close { code: 4008, reason: "Rate limited." });
    }
    let Ok(payload) = serde_json::from_str::<Value>(text) else {
        return answer(Outgoing::Close { code: 4002, reason: "Error while decoding payload." });
    };
    let data = payload.get("d").cloned().unwrap_or_default();
    match payload.get("op").and_then(Value::as_u64) {
        Some(1) => {
            connection.heard_at = clock::instant();
            if state.faults.withheld_acks > 0 {
                state.faults.withheld_acks -= 1;
            } else {
                answer(Outgoing::Frame(json!({"op": 11, "s": null, "t": null, "d": null})));
            }
        }
        Some(2 | 6) if connection.session.is_some() => {
            answer(Outgoing::Close { code: 4005, reason: "Already authenticated." });
        }
        Some(2) => identify(state, connection, &data),
        Some(6) => resume(state, connection, &data),
        Some(_) if connection.session.is_none() => {
            answer(Outgoing::Close { code: 4003, reason: "Not authenticated." });
        }
        Some(8) => state.send_members(connection.session.as_deref().unwrap_or_default(), &data),
        Some(op @ (3 | 4 | 31)) => note(state, connection.number, GatewayNote::Received { op, data }),
        Some(_) | None => answer(Outgoing::Close { code: 4001, reason: "Unknown opcode." }),
    }
}

/// Whether this payload is one too many in its minute.
fn over_budget(received: &mut VecDeque<Duration>, now: Duration) -> bool {
    let (limit, window) = BUDGET;
    received.push_back(now);
    while received.front().is_some_and(|at| now.saturating_sub(*at) >= window) {
        received.pop_front();
    }
    received.len() > limit
}

fn identify(state: &mut State, connection: &mut Connection, data: &Value) {
    let sender = connection.sender.clone();
    let refuse = |code, reason| drop(sender.send(Outgoing::Close { code, reason }));
    if !token_matches(state, data) {
        return refuse(4004, "Authentication failed.");
    }
    let number = |pointer: &str| data.pointer(pointer).and_then(Value::as_u64);
    let shard = match data.get("shard") {
        None | Some(Value::Null) => (0, 1),
        Some(_) => match (number("/shard/0"), number("/shard/1")) {
            (Some(shard), Some(count)) if shard < count => (shard, count),
            _ => return refuse(4010, "Invalid shard."),
        },
    };
    let intents = match number("/intents") {
        Some(intents) if intents & !intent::DEFINED == 0 => intents,
        Some(_) | None => return refuse(4013, "Invalid intent(s)."),
    };
    if intents & intent::PRIVILEGED & !state.world.identity.privileged_intents != 0 {
        return refuse(4014, "Disallowed intent(s).");
    }
    if state.guilds_of(shard).len() > GUILDS {
        return refuse(4011, "Sharding required.");
    }
    match state.sessions.starts.take(shard.0, state.time.now()) {
        Start::Granted => {}
        Start::TooSoon => return drop(sender.send(Outgoing::Frame(invalid_session()))),
        Start::UsedUp => {
            state.reset_token();
            return refuse(4004, "Authentication failed.");
        }
    }
    if data.get("compress") == Some(&Value::Bool(true)) {
        connection.packing.compress_payloads();
    }
    let id = format!("{:032x}", state.new_id().0);
    let mut session = Session::new(intents, shard);
    session.attach(connection.number, connection.sender.clone());
    state.sessions.all.insert(id.clone(), session);
    connection.session = Some(id.clone());
    note(state, connection.number, GatewayNote::Identified { session: id.clone(), intents, shard });
    state.greet(&id);
}

fn resume(state: &mut State, connection: &mut Connection, data: &Value) {
    if !token_matches(state, data) {
        drop(connection.sender.send(Outgoing::Close { code: 4004, reason: "Authentication failed." }));
        return;
    }
    let id = data.get("session_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let seq = data.get("seq").and_then(Value::as_u64).unwrap_or(0);
    let Some(session) = state.sessions.all.get_mut(&id) else {
        drop(connection.sender.send(Outgoing::Frame(invalid_session())));
        return;
    };
    if seq > session.seq {
        drop(connection.sender.send(Outgoing::Close { code: 4007, reason: "Invalid seq." }));
        return;
    }
    session.attach(connection.number, connection.sender.clone());
    let replayed = session.replay(seq);
    session.dispatch("RESUMED", json!({"_trace": []}), &mut state.record);
    connection.session = Some(id.clone());
    note(state, connection.number, GatewayNote::Resumed { session: id, replayed });
}

/// Opcode 9 for a session that cannot be resumed.
fn invalid_session() -> Value {
    json!({"op": 9, "s": null, "t": null, "d": false})
}

fn token_matches(state: &State, data: &Value) -> bool {
    let token = data.get("token").and_then(Value::as_str).unwrap_or_default();
    token.strip_prefix("Bot ").unwrap_or(token) == state.world.identity.token
}
