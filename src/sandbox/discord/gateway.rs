//! The gateway over a websocket: hello, identify, heartbeats, resume, close codes (Gateway; Opcodes and Status Codes).

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    Discord,
    record::{GatewayEntry, GatewayNote},
    sessions::{Outgoing, Session, intent},
    state::State,
};

/// Milliseconds between heartbeats; Discord's usual figure.
const HEARTBEAT_MS: u64 = 41_250;

/// One socket, before and after it has a session.
#[derive(Debug)]
pub(crate) struct Connection {
    number: u64,
    session: Option<String>,
    sender: UnboundedSender<Outgoing>,
}

/// Serves one socket until either side ends it.
pub(crate) async fn serve(discord: Discord, mut socket: WebSocket, version: Option<String>) {
    let ending = discord.shutdown().token().clone();
    let (sender, mut outgoing) = unbounded_channel();
    let number = discord.with(|state| {
        let number = state.sessions.new_connection();
        note(state, number, GatewayNote::Opened);
        number
    });
    let mut connection = Connection { number, session: None, sender };
    let code = if version.is_some_and(|version| version != "10") {
        drop(socket.send(close_frame(4012, "Invalid API version(s).")).await);
        GatewayNote::ClosedByServer { code: Some(4012) }
    } else {
        let hello =
            json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": HEARTBEAT_MS, "_trace": []}});
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
        // 1000 and 1001 end the session; after anything else it can be resumed (Gateway, "Disconnecting").
        let over = matches!(code, GatewayNote::ClosedByClient { code: Some(1000 | 1001) });
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
                Some(Outgoing::Frame(frame)) => {
                    if socket.send(Frame::Text(frame.to_string().into())).await.is_err() {
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
    let answer = |outgoing: Outgoing| drop(connection.sender.send(outgoing));
    let Ok(payload) = serde_json::from_str::<Value>(text) else {
        return answer(Outgoing::Close { code: 4002, reason: "Error while decoding payload." });
    };
    let data = payload.get("d").cloned().unwrap_or_default();
    match payload.get("op").and_then(Value::as_u64) {
        Some(1) => {
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
        Some(op @ (3 | 4 | 8 | 31)) => note(state, connection.number, GatewayNote::Received { op, data }),
        Some(_) | None => answer(Outgoing::Close { code: 4001, reason: "Unknown opcode." }),
    }
}

fn identify(state: &mut State, connection: &mut Connection, data: &Value) {
    let refuse = |code, reason| drop(connection.sender.send(Outgoing::Close { code, reason }));
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
        drop(connection.sender.send(Outgoing::Frame(json!({"op": 9, "s": null, "t": null, "d": false}))));
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

fn token_matches(state: &State, data: &Value) -> bool {
    let token = data.get("token").and_then(Value::as_str).unwrap_or_default();
    token.strip_prefix("Bot ").unwrap_or(token) == state.world.identity.token
}
