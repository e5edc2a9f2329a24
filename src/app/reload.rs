//! Reading the configuration again: on SIGHUP, when `.env` or `cortana.toml` changed, and when `cortana reload` asks.
//!
//! A configuration with a mistake changes nothing, and says so. What cannot change under a running bot is named.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, timeout};

use crate::{
    clock,
    config::{self, Mistake, Mistakes, Reading, Settings},
    shutdown::{self, Shutdown},
    storage::{Setting, Shared, StorageError, Subject},
};

/// How often files and requests are looked at. A change is taken up at the second look that finds it the same: an editor
/// may still be writing at the first.
const LOOK: Duration = Duration::from_secs(1);
/// How seldom a database that fails is asked for requests.
const SELDOM: Duration = Duration::from_mins(1);
/// How often a request is made again that another one may have replaced.
const AGAIN: Duration = Duration::from_millis(1500);

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

    fn read(&self) -> Result<(Reading, Settings), Mistakes> {
        let source = config::environment(self.dotenv.as_deref())?;
        let settings = config::load(&source)?;
        Ok((Reading::of(source), settings))
    }

    /// The same, where what was there before (`settled`) is still there: without its file a bot would fall back to the
    /// defaults, which protect nobody.
    fn read_again(&self, settled: &Stamps) -> Result<(Reading, Settings), Mistakes> {
        let gone = |(file, stamp): (PathBuf, &Option<Stamp>)| {
            (stamp.is_some() && self::stamp(&file).is_none()).then(|| Mistake {
                variable: file.display().to_string(),
                value: None,
                expected: "the file is gone; put it back, or restart the bot to go on without it".to_owned(),
            })
        };
        let gone: Vec<Mistake> = self.files().into_iter().zip(settled).filter_map(gone).collect();
        if gone.is_empty() { self.read() } else { Err(Mistakes(gone)) }
    }

    fn files(&self) -> [PathBuf; 2] {
        let dotenv = self.dotenv.clone().unwrap_or_else(|| PathBuf::from(".env"));
        let document = dotenv.with_file_name("cortana.toml");
        [dotenv, document]
    }

    fn stamps(&self) -> Stamps {
        self.files().map(|file| stamp(&file))
    }
}

/// What tells that the files changed; `None`: one is not there.
type Stamps = [Option<Stamp>; 2];
type Stamp = (Option<SystemTime>, u64);

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok(), found.len()))
}

/// What became of a request to read the configuration again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The variables that hold from now on.
    pub applied: Vec<String>,
    /// The variables that a restart is needed for.
    pub restart: Vec<String>,
    /// The file that variables are read from; `None`: the bot has none, and only a restart changes its variables.
    pub file: Option<String>,
    /// Why nothing changed: every mistake, a line each.
    pub refused: Option<String>,
}

/// Reads the configuration again whenever it is to be, and hands what is good to `apply`, until the end.
pub(super) async fn run(origin: Origin, storage: Arc<Shared>, life: Shutdown, apply: impl AsyncFn(Settings)) {
    let mut hangups = shutdown::Hangups::listen();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut requests = Requests::new(storage).await;
    // What the bot started with, up to what changed in between; and where it stands now.
    let mut good = origin.stamps();
    let begun = origin.read().ok().map(|(reading, _)| reading);
    let mut last: Option<Reading> = None;
    let (mut settled, mut seen) = (good, good);
    loop {
        let (why, request) = tokio::select! {
            () = life.token().cancelled() => return,
            () = hangups.next() => ("SIGHUP", None),
            _ = looks.tick() => {
                let now = origin.stamps();
                let has_changed = now != settled && now == seen;
                seen = now;
                match (requests.next().await, has_changed) {
                    (Some(request), _) => ("cortana reload", Some(request)),
                    (None, true) => ("a file changed", None),
                    (None, false) => continue,
                }
            }
        };
        settled = origin.stamps();
        let file = settled.first().and_then(Option::as_ref).map(|_| origin.files()[0].display().to_string());
        let mut reloaded = Reloaded { applied: Vec::new(), restart: Vec::new(), file, refused: None };
        match origin.read_again(&good) {
            Ok((reading, settings)) => {
                good = settled;
                if let Some(begun) = &begun {
                    reloaded.restart = reading.changes_since(begun).restart;
                    reloaded.applied = reading.changes_since(last.as_ref().unwrap_or(begun)).applied;
                }
                last = Some(reading);
                for warning in &settings.warnings {
                    tracing::warn!("{warning}");
                }
                apply(settings).await;
                tracing::info!(
                    why,
                    applied = reloaded.applied.join(", "),
                    restart_needed_for = reloaded.restart.join(", "),
                    "Read the configuration again"
                );
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
            requests.answer(&request, &reloaded).await;
        }
    }
}

/// The requests of `cortana reload`, one after the other.
struct Requests {
    storage: Arc<Shared>,
    /// Those that were there before, or are answered.
    known: Option<String>,
    again_at: Instant,
    pause: Duration,
}

impl Requests {
    async fn new(storage: Arc<Shared>) -> Self {
        let known = timeout(LOOK, asked(&storage)).await.ok().and_then(Result::ok).flatten();
        Self { storage, known, again_at: clock::instant(), pause: LOOK }
    }

    /// A new one. A database that fails is asked less and less often; the pool complains about it.
    async fn next(&mut self) -> Option<String> {
        if clock::instant() < self.again_at {
            return None;
        }
        let Ok(Ok(request)) = timeout(LOOK, asked(&self.storage)).await else {
            self.again_at = clock::instant() + self.pause;
            self.pause = (self.pause * 2).min(SELDOM);
            return None;
        };
        self.pause = LOOK;
        let request = request.filter(|request| self.known.as_ref() != Some(request))?;
        self.known = Some(request.clone());
        Some(request)
    }

    async fn answer(&self, request: &str, reloaded: &Reloaded) {
        // Names and sentences: nothing in them can fail.
        let text = serde_json::to_string(reloaded).unwrap_or_default();
        if let Err(error) = write(&self.storage, &meeting(request), ANSWERED, text).await {
            tracing::warn!(reason = %error, "`cortana reload` could not be told what became of it");
        }
    }
}

/// Where requests are left, or the answer to one.
fn meeting(id: &str) -> Subject {
    Subject { scope: SCOPE, id: id.to_owned() }
}

/// Where the newest request is left.
fn newest() -> Subject {
    meeting("bot")
}

async fn asked(storage: &Shared) -> Result<Option<String>, StorageError> {
    read(storage, newest(), ASKED).await
}

async fn read(storage: &Shared, subject: Subject, name: &str) -> Result<Option<String>, StorageError> {
    let found = storage.open().await?.settings(name, &[subject]).await?;
    Ok(found.into_iter().next().map(|(_, value)| value))
}

async fn write(
    storage: &Shared,
    subject: &Subject,
    name: &'static str,
    value: String,
) -> Result<(), StorageError> {
    let setting = Setting { name, value, set_by: SCOPE.to_owned(), set_at: 0 };
    storage.open().await?.set(subject, &setting).await
}

/// Asks the running bots over this database to read their configuration again, and waits for an answer. `None`: nobody
/// answered in time.
pub async fn ask_to_reload(storage: &Shared, patience: Duration) -> Result<Option<Reloaded>, StorageError> {
    let request = uuid::Uuid::new_v4().to_string();
    let ask = async || write(storage, &newest(), ASKED, request.clone()).await;
    ask().await?;
    let mut again_at = clock::instant() + AGAIN;
    let answer = async {
        loop {
            let text = read(storage, meeting(&request), ANSWERED).await?;
            if let Some(reloaded) = text.and_then(|text| serde_json::from_str::<Reloaded>(&text).ok()) {
                storage.open().await?.unset(&meeting(&request), ANSWERED).await?;
                return Ok(reloaded);
            }
            if clock::instant() >= again_at {
                // Somebody else's request may have taken its place.
                ask().await?;
                again_at = clock::instant() + AGAIN;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(patience, answer).await.ok().transpose()
}
