//! Reading the configuration again: on SIGHUP, when `.env` or `cortana.toml` changed, and when `cortana reload` asks.
//!
//! A configuration with a mistake changes nothing, and says so. What cannot change under a running bot is named.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use crate::{
    config::{self, Changes, Environment, Mistakes, Settings},
    shutdown::{self, Shutdown},
    storage::{Setting, Shared, StorageError, Subject},
};

/// How often files and requests are looked at. A change is taken up at the second look that finds it the same: an editor
/// may still be writing at the first.
const LOOK: Duration = Duration::from_secs(1);

/// Where `cortana reload` and the bot meet.
const SCOPE: &str = "process";
const ASKED: &str = "reload";
const ANSWERED: &str = "reloaded";

/// Where the configuration is read again.
#[derive(Debug, Clone)]
pub struct Origin {
    dotenv: Option<PathBuf>,
}

impl Origin {
    /// The process's environment over this file, or over `.env`.
    pub fn new(dotenv: Option<&Path>) -> Self {
        Self { dotenv: dotenv.map(Path::to_owned) }
    }

    fn read(&self) -> Result<(Environment, Settings), Mistakes> {
        let source = config::environment(self.dotenv.as_deref())?;
        let settings = config::load(&source)?;
        Ok((source, settings))
    }

    fn files(&self) -> [PathBuf; 2] {
        let dotenv = self.dotenv.clone().unwrap_or_else(|| PathBuf::from(".env"));
        let document = dotenv.with_file_name("cortana.toml");
        [dotenv, document]
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.files().iter().map(|file| stamp(file)).collect()
    }
}

/// What tells that a file changed; `None`: it is not there.
type Stamp = (Option<SystemTime>, u64);

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok(), found.len()))
}

/// What became of a request to read the configuration again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Which request it answers.
    request: String,
    /// The variables that hold from now on.
    pub applied: Vec<String>,
    /// The variables that a restart is needed for.
    pub restart: Vec<String>,
    /// Why nothing changed: every mistake, a line each.
    pub refused: Option<String>,
}

/// Reads the configuration again whenever it is to be, and hands what is good to `apply`, until the end.
pub(super) async fn run(origin: Origin, storage: Arc<Shared>, life: Shutdown, apply: impl AsyncFn(Settings)) {
    // The first reading is the one that the bot started with, up to what changed in between.
    let mut source = origin.read().ok().map(|(source, _)| source);
    let mut hangups = shutdown::Hangups::listen();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut settled = origin.stamps();
    let mut seen = settled.clone();
    let mut answered = asked(&storage).await.ok().flatten();
    loop {
        let (why, request) = tokio::select! {
            () = life.token().cancelled() => return,
            () = hangups.next() => ("SIGHUP", None),
            _ = looks.tick() => {
                let now = origin.stamps();
                let changed = now != settled && now == seen;
                seen.clone_from(&now);
                // A store that cannot be read is the pool's to complain about.
                let request = asked(&storage).await.ok().flatten().filter(|request| answered.as_ref() != Some(request));
                match (changed, request) {
                    (_, Some(request)) => ("cortana reload", Some(request)),
                    (true, None) => ("a file changed", None),
                    (false, None) => continue,
                }
            }
        };
        settled = origin.stamps();
        let mut reloaded = Reloaded {
            request: request.clone().unwrap_or_default(),
            applied: Vec::new(),
            restart: Vec::new(),
            refused: None,
        };
        match origin.read() {
            Ok((new, settings)) => {
                let changes = source.as_ref().map(|old| Changes::between(old, &new)).unwrap_or_default();
                source = Some(new);
                for warning in &settings.warnings {
                    tracing::warn!("{warning}");
                }
                apply(settings).await;
                tracing::info!(
                    why,
                    applied = changes.applied.join(", "),
                    restart_needed_for = changes.restart.join(", "),
                    "Read the configuration again"
                );
                (reloaded.applied, reloaded.restart) = (changes.applied, changes.restart);
            }
            Err(mistakes) => {
                tracing::error!(
                    why,
                    "The configuration was not taken over, the old one stays in force: {mistakes}"
                );
                reloaded.refused = Some(mistakes.to_string());
            }
        }
        if let Some(request) = request {
            if let Err(error) = answer(&storage, &reloaded).await {
                tracing::warn!(reason = %error, "`cortana reload` could not be told what became of it");
            }
            answered = Some(request);
        }
    }
}

fn meeting() -> Subject {
    Subject { scope: SCOPE, id: "bot".to_owned() }
}

/// The newest request.
async fn asked(storage: &Shared) -> Result<Option<String>, StorageError> {
    read(storage, ASKED).await
}

async fn read(storage: &Shared, name: &str) -> Result<Option<String>, StorageError> {
    let found = storage.open().await?.settings(name, &[meeting()]).await?;
    Ok(found.into_iter().next().map(|(_, value)| value))
}

async fn write(storage: &Shared, name: &'static str, value: String) -> Result<(), StorageError> {
    let setting = Setting { name, value, set_by: SCOPE.to_owned(), set_at: 0 };
    storage.open().await?.set(&meeting(), &setting).await
}

async fn answer(storage: &Shared, reloaded: &Reloaded) -> Result<(), StorageError> {
    // Names and sentences: nothing in them can fail.
    let text = serde_json::to_string(reloaded).unwrap_or_default();
    write(storage, ANSWERED, text).await
}

/// Asks the running bots over this database to read their configuration again, and waits for the first answer. `None`:
/// nobody answered in time.
pub async fn ask_to_reload(storage: &Shared, patience: Duration) -> Result<Option<Reloaded>, StorageError> {
    let request = uuid::Uuid::new_v4().to_string();
    write(storage, ASKED, request.clone()).await?;
    let answer = async {
        loop {
            let text = read(storage, ANSWERED).await?;
            let reloaded = text.and_then(|text| serde_json::from_str::<Reloaded>(&text).ok());
            if let Some(reloaded) = reloaded.filter(|reloaded| reloaded.request == request) {
                return Ok(reloaded);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(patience, answer).await.ok().transpose()
}
