//! One program: started, started again when it dies, and what it has.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    CallError, Needs,
    mcp::{self, Found, Session},
};
use crate::{clock, config::ToolServer, shutdown::Shutdown};

/// The pause before a program that died is started again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause; a program that ran for longer begins with the first again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A program that is kept running.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) settings: ToolServer,
    link: watch::Sender<Link>,
    end: CancellationToken,
}

/// How we are connected with it.
#[derive(Debug, Clone)]
enum Link {
    Starting,
    Up(Arc<Running>),
    Down(String),
}

/// A program that answers.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) session: Session,
    pub(super) found: Vec<Found>,
}

/// A program as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What `cortana.toml` calls it.
    pub server: String,
    /// How it is.
    pub condition: Condition,
    /// What it has, the allowed ones first.
    pub tools: Vec<ToolStanding>,
    /// What is allowed and not there.
    pub missing: Vec<String>,
}

/// How a program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It has not answered yet.
    Starting,
    /// It answers.
    Up,
    /// It does not run; why.
    Down(String),
}

/// One of its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolStanding {
    /// The program's own name for it.
    pub name: String,
    /// What it says about it.
    pub description: String,
    /// Whether models may call it.
    pub is_allowed: bool,
    /// What a call needs first.
    pub needs: Needs,
}

impl Server {
    /// Keeps it running from now on.
    pub(super) fn start(settings: &ToolServer, life: &Shutdown) -> Arc<Self> {
        let server = Arc::new(Self {
            settings: settings.clone(),
            link: watch::Sender::new(Link::Starting),
            end: life.token().child_token(),
        });
        drop(life.spawn(Arc::clone(&server).keep()));
        server
    }

    /// Ends it.
    pub(super) fn end(&self) {
        self.end.cancel();
    }

    async fn keep(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun_at = clock::instant();
            let up = |session, found: Vec<Found>| {
                tracing::info!(
                    tool.server = %self.settings.name,
                    tools = found.len(),
                    "A program with tools is ready"
                );
                self.link.send_replace(Link::Up(Arc::new(Running { session, found })));
            };
            let problem = tokio::select! {
                biased;
                () = self.end.cancelled() => break,
                problem = mcp::live(&self.settings, up) => problem,
            };
            self.link.send_replace(Link::Down(problem.to_string()));
            if begun_at.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(
                tool.server = %self.settings.name,
                reason = %problem,
                pause_secs = pause.as_secs(),
                "A program with tools does not run; it is started again after a pause. `cortana tools` shows more"
            );
            tokio::select! {
                () = self.end.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        self.link.send_replace(Link::Down("it was ended".to_owned()));
    }

    /// The program, while it answers.
    pub(super) fn running(&self) -> Option<Arc<Running>> {
        match &*self.link.borrow() {
            Link::Up(running) => Some(Arc::clone(running)),
            Link::Starting | Link::Down(_) => None,
        }
    }

    /// Waits until it has answered or failed.
    pub(super) async fn settled(&self) {
        let mut link = self.link.subscribe();
        // The sender lives as long as we do.
        drop(link.wait_for(|link| !matches!(link, Link::Starting)).await);
    }

    /// What a call of a tool needs: the operator's word, or the program's own that it changes something.
    pub(super) fn needs(&self, found: &Found) -> Needs {
        let is_marked = self.settings.writes.contains(&found.name);
        if is_marked || found.says_it_writes { Needs::Permission } else { Needs::Nothing }
    }

    /// Makes a call.
    pub(super) async fn call(
        &self,
        name: &str,
        arguments: serde_json::Map<String, serde_json::Value>,
    ) -> Result<String, CallError> {
        let running = self.running().ok_or(CallError::Away)?;
        let limit = self.settings.timeout;
        let answer = tokio::time::timeout(limit, running.session.call(name, arguments)).await;
        answer.unwrap_or(Err(CallError::TimedOut(limit)))
    }

    pub(super) fn standing(&self) -> Standing {
        let allow = &self.settings.allow;
        let running = self.running();
        let found = running.as_ref().map_or(&[][..], |running| running.found.as_slice());
        let mut tools: Vec<ToolStanding> = found
            .iter()
            .map(|found| ToolStanding {
                name: found.name.clone(),
                description: found.description.clone(),
                is_allowed: allow.contains(&found.name),
                needs: self.needs(found),
            })
            .collect();
        tools.sort_by_key(|tool| !tool.is_allowed);
        let is_missing =
            |name: &&String| running.is_some() && !found.iter().any(|found| found.name == **name);
        let condition = match &*self.link.borrow() {
            Link::Starting => Condition::Starting,
            Link::Up(_) => Condition::Up,
            Link::Down(why) => Condition::Down(why.clone()),
        };
        Standing {
            server: self.settings.name.clone(),
            condition,
            tools,
            missing: allow.iter().filter(is_missing).cloned().collect(),
        }
    }
}
