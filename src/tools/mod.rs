//! Tools that models may call, through the Model Context Protocol: the operator's programs, what of theirs is allowed, and
//! what comes of a call. There are none unless `cortana.toml` names some.
//!
//! A program is started with the bot, in an environment that holds what `cortana.toml` names and nothing else, and in a process
//! group of its own, which ends with the bot. One that dies is started again after a pause.

#[cfg(feature = "tools")]
mod mcp;
#[cfg(not(feature = "tools"))]
#[path = "without_mcp.rs"]
mod mcp;
mod offer;
mod server;
#[cfg(feature = "tools")]
mod stderr;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use offer::Offer;
pub use server::{Condition, Standing, ToolStanding};

use self::server::Server;
use crate::{config::ToolSettings, llm::Tool, shutdown::Shutdown};

/// What a model may call in one exchange.
#[async_trait]
pub trait Toolbox: Send + Sync {
    /// What it is offered.
    fn tools(&self) -> Vec<Tool>;

    /// What a call needs first; `None`: there is no such tool.
    fn needs(&self, name: &str) -> Option<Needs>;

    /// Makes a call; dropping the future takes it back. What comes of it was written by others.
    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<String, CallError>;
}

/// What a call needs before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it only looks.
    Nothing,
    /// A person's permission: it changes something.
    Permission,
}

/// Why nothing came of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It is not offered.
    #[error("there is no such tool")]
    Unknown,
    /// Its program is not there at the moment.
    #[error("the tool is not available at the moment")]
    Away,
    /// It took longer than it may.
    #[error("the tool did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The program refused the call as it was made; its words.
    #[error("the tool refused the call")]
    Refused(String),
    /// The tool says that it failed; its words.
    #[error("the tool failed")]
    Failed(String),
}

/// How far a model may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often in one answer it may call tools and go on with what came of it.
    pub steps: u32,
    /// Bytes of a result that it reads.
    pub bytes: usize,
}

/// The programs that run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tools {
    life: Shutdown,
    state: Arc<RwLock<State>>,
}

#[derive(Debug)]
struct State {
    servers: Vec<Arc<Server>>,
    limits: Limits,
}

impl Tools {
    /// Starts the programs; they end with this life.
    pub fn start(settings: &ToolSettings, life: &Shutdown) -> Self {
        let state = State { servers: Vec::new(), limits: limits(settings) };
        let tools = Self { life: life.clone(), state: Arc::new(RwLock::new(state)) };
        tools.configure(settings);
        tools
    }

    /// Goes on with other settings: a program whose entry is as it was keeps running.
    pub fn configure(&self, settings: &ToolSettings) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut state.servers);
        for server in &settings.servers {
            let same = before.iter().find(|other| other.settings == *server);
            state.servers.push(same.map_or_else(|| Server::start(server, &self.life), Arc::clone));
        }
        for server in before.iter().filter(|server| !settings.servers.contains(&server.settings)) {
            server.end();
        }
        state.limits = limits(settings);
    }

    /// Whether no program is configured.
    pub fn is_empty(&self) -> bool {
        self.servers().is_empty()
    }

    /// How far a model may go.
    pub fn limits(&self) -> Limits {
        self.state.read().unwrap_or_else(PoisonError::into_inner).limits
    }

    /// What can be called now.
    pub fn offer(&self) -> Offer {
        Offer::of(&self.servers())
    }

    /// Every program, and what it has.
    pub fn standings(&self) -> Vec<Standing> {
        self.servers().iter().map(|server| server.standing()).collect()
    }

    /// Waits until every program has answered or failed once, `limit` at most.
    pub async fn settled(&self, limit: Duration) {
        let servers = self.servers();
        let all = futures::future::join_all(servers.iter().map(|server| server.settled()));
        drop(tokio::time::timeout(limit, all).await);
    }

    fn servers(&self) -> Vec<Arc<Server>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).servers.clone()
    }
}

fn limits(settings: &ToolSettings) -> Limits {
    Limits { steps: settings.most_steps, bytes: settings.most_bytes }
}
