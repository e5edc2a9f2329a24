//! The emulated Discord: REST, gateway and files, shaped after Discord's documentation and after nothing else.
//!
//! It judges: what Discord refuses is refused with Discord's codes. It remembers: every request, every message's
//! visible past, and who would have been notified. The state is one value behind one lock; requests and gateway
//! frames change it through `Discord::with`, which wakes whoever waits for a change.

mod commands;
mod error;
mod faults;
mod files;
mod founding;
mod frames;
mod gateway;
mod ids;
mod interactions;
mod limits;
mod mentions;
mod message;
mod payload;
mod posting;
mod reactions;
mod record;
mod rest;
mod rules;
mod sessions;
mod starts;
mod state;
mod threads;
mod timeline;
mod world;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Query, State as Extracted, WebSocketUpgrade},
    response::Response,
    routing::{any, get},
};
use tokio::sync::watch;

pub use faults::{GatewayFault, RestAction, RestFault, Scope};
pub use files::Fetched;
pub use ids::Id;
pub use interactions::{Answered, Interaction, InteractionKind};
pub use message::{Attachment, Button, Message, Notified, Revision};
pub use reactions::Reaction;
pub use record::{Dispatched, GatewayEntry, GatewayNote, RecordedRequest};
pub use sessions::intent;
pub use threads::{Access, Thread};
pub use world::{Channel, Form, Guild, Kind, Member, Overwrite, Place, Role, User, permission};

pub(crate) use commands::Command;
pub(crate) use error::ApiError;
pub(crate) use faults::Faults;
pub(crate) use payload::attachment as attachment_object;
pub(crate) use posting::{Draft, Upload};
pub(crate) use rules::{MessageBody, message as message_body};
pub(crate) use sessions::Outgoing;
pub(crate) use state::State;
pub(crate) use threads::NewThread;

use crate::{clock::SystemClock, shutdown::Shutdown};

/// The ids that a fresh emulator starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Landmarks {
    /// The application.
    pub application: Id,
    /// The bot's user.
    pub bot: Id,
    /// The server.
    pub guild: Id,
    /// The channel where people write.
    pub channel: Id,
    /// A role that the second person has and nobody may notify without the permission.
    pub role: Id,
    /// The person who owns the application and the server.
    pub owner: Id,
    /// A person who owns nothing.
    pub guest: Id,
}

/// A handle to the emulated Discord; clones share it.
#[derive(Debug, Clone)]
pub struct Discord {
    state: Arc<Mutex<State>>,
    changes: watch::Sender<u64>,
    shutdown: Shutdown,
    landmarks: Landmarks,
}

impl Discord {
    /// A fresh world that will be reachable at `origin`, for example `http://127.0.0.1:8787`.
    pub(crate) fn new(origin: String, shutdown: &Shutdown) -> Self {
        let (state, landmarks) = founding::fresh(origin, timeline::Timeline::starting_now(&SystemClock));
        Self {
            state: Arc::new(Mutex::new(state)),
            changes: watch::Sender::new(0),
            shutdown: shutdown.clone(),
            landmarks,
        }
    }

    /// Who and what is there from the start.
    pub fn landmarks(&self) -> Landmarks {
        self.landmarks
    }

    /// Runs `change` on the state and wakes whoever waits for a change.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let outcome = self.read(change);
        self.changes.send_modify(|count| *count += 1);
        outcome
    }

    /// Reads the state without waking anybody.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        // A panic inside (a test's assertion) leaves plain data that is still good to look at.
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        read(&mut state)
    }

    /// Counts changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Time since the emulator started.
    pub fn now(&self) -> Duration {
        self.read(|state| state.time.now())
    }

    /// REST below `/api`, `/gateway`, and attached files below `/attachments`.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/api/{*path}", any(rest::answer))
            .route("/gateway", get(upgrade))
            .route("/gateway/", get(upgrade))
            .route("/attachments/{channel}/{id}/{name}", get(files::answer))
            .layer(DefaultBodyLimit::disable())
            .with_state(self.clone())
    }

    /// The same with the gateway at the root as well, where `gateway.discord.gg` has it.
    pub(crate) fn router_by_names(&self) -> Router {
        Router::new().route("/", get(upgrade)).with_state(self.clone()).merge(self.router())
    }
}

async fn upgrade(
    Extracted(discord): Extracted<Discord>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| gateway::serve(discord, socket, query))
}

impl State {
    fn new(origin: String, time: timeline::Timeline, ids: ids::Ids, world: world::World) -> Self {
        Self {
            time,
            ids,
            files_origin: origin.clone(),
            origin,
            world,
            messages: BTreeMap::new(),
            files: BTreeMap::new(),
            files_key: uuid::Uuid::new_v4().to_string(),
            interactions: BTreeMap::new(),
            commands: Vec::new(),
            commands_created: 0,
            sessions: sessions::Sessions::default(),
            limits: limits::Limits::default(),
            record: record::Record::default(),
            faults: Faults::default(),
            typing: Vec::new(),
        }
    }
}
