//! What outlives a process: one database, SQLite in a file or a PostgreSQL server, behind portable SQL.
//!
//! This room keeps rows and knows the meaning of none: whoever owns them says how two versions of one become one. Every
//! statement stands for both databases (`$1` for parameters; text, whole numbers, `ON CONFLICT`), times are
//! milliseconds since 1970 in UTC. Errors carry codes, never the address or a row.

mod conversations;
mod error;
mod file;
mod inflight;
mod ledger;
mod migrations;
mod personas;
mod settings;
mod shared;
mod usage;

use std::{path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    AnyPool, ConnectOptions as _, Connection as _, Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
};

pub use conversations::{Beginning, Kept, Stretch};
pub use error::StorageError;
pub use inflight::{Abandoned, Adopted, InFlight};
pub use ledger::{Batch, Merge, Page, Row};
pub use personas::Named;
pub use settings::{Setting, Subject};
pub use shared::Shared;
pub use usage::{Used, UsedElsewhere};

use crate::config::{Database, StorageSettings};

/// Connections at once: the ledger's task and whoever else asks.
const CONNECTIONS: u32 = 4;
/// How long a connection is waited for.
const CONNECT: Duration = Duration::from_secs(5);
/// What each connection to SQLite begins with: readers beside the one writer, and a wait where two write.
const SQLITE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON";
/// The same for PostgreSQL: nobody waits for ever.
const POSTGRES: &str = "SET statement_timeout = '10s'";

/// Which database it is: their error codes differ.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Sqlite(PathBuf),
    Postgres,
}

impl Kind {
    /// What each connection begins with.
    fn hello(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => SQLITE,
            Self::Postgres => POSTGRES,
        }
    }

    /// Its name, for people.
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// What becomes of a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDamage {
    /// It is renamed and made anew: what it held can be learnt again, and nothing may keep the bot from starting.
    PutAside,
    /// It stays, and is an error: a command that looks once decides nothing about it.
    Report,
}

/// An open database, with every migration applied.
#[derive(Debug, Clone)]
pub struct Storage {
    pool: AnyPool,
    kind: Kind,
    /// Which file it is.
    identity: Option<(u64, u64)>,
}

/// What a look at a database found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `SQLite` or `PostgreSQL`.
    pub kind: &'static str,
    /// The newest migration that is applied.
    pub version: i64,
}

impl Storage {
    /// Opens the database, makes it where it is a file that is missing (0600), and brings it up to date.
    pub async fn open(settings: &StorageSettings, on_damage: OnDamage) -> Result<Self, StorageError> {
        match &settings.database {
            Database::Postgres(address) => Self::connect(address.expose(), Kind::Postgres).await,
            Database::Sqlite(path) => {
                // Held until the end: two processes that begin together make one file and migrate it once.
                let (_lock, path) = file::prepare(path.clone()).await?;
                match Self::connect(&file::address(&path)?, Kind::Sqlite(path.clone())).await {
                    Err(StorageError::Damaged { problem }) if on_damage == OnDamage::PutAside => {
                        let aside = file::put_aside(path.clone()).await?;
                        tracing::warn!(
                            file = %path.display(),
                            %aside,
                            problem,
                            "The database is damaged; it was renamed and a new one is made"
                        );
                        Self::connect(&file::address(&path)?, Kind::Sqlite(path)).await
                    }
                    opened => opened,
                }
            }
        }
    }

    async fn connect(address: &str, kind: Kind) -> Result<Self, StorageError> {
        sqlx::any::install_default_drivers();
        let options = AnyConnectOptions::from_str(address)
            .map_err(|error| StorageError::of(&error, &kind))?
            .disable_statement_logging();
        let hello = kind.hello();
        // A pool would hide a failure of the first connection behind a timeout.
        let first = tokio::time::timeout(CONNECT, check(&options, &kind)).await;
        match first {
            Ok(Ok(Verdict::Sound)) => {}
            Ok(Ok(Verdict::Damaged)) => {
                return Err(StorageError::Damaged { problem: "quick_check".to_owned() });
            }
            Ok(Err(error)) => return Err(StorageError::of(&error, &kind)),
            Err(_) => return Err(StorageError::Unreachable { problem: "no answer in time".to_owned() }),
        }
        let connect = async || {
            let pool = AnyPoolOptions::new()
                .max_connections(CONNECTIONS)
                .acquire_timeout(CONNECT)
                .after_connect(move |connection, _| {
                    Box::pin(async move { connection.execute(hello).await.map(drop) })
                })
                .connect_with(options.clone());
            pool.await.map_err(|error| StorageError::of(&error, &kind))
        };
        let mut pool = connect().await?;
        if let Err(error) = migrations::run(&pool).await {
            // A run that failed holds its lock for as long as its connection lives.
            pool.close().await;
            let error = StorageError::of_migration(&error, &kind);
            if !matches!(error, StorageError::NotWritable { .. }) {
                return Err(error);
            }
            pool = connect().await?;
            if !migrations::are_applied(&pool).await {
                pool.close().await;
                return Err(error);
            }
        }
        let identity = match &kind {
            Kind::Sqlite(path) => file::identity(path.clone()).await,
            Kind::Postgres => None,
        };
        Ok(Self { pool, kind, identity })
    }

    /// Whether its file was removed or another put in its place: what is written here would reach nobody.
    pub async fn is_orphaned(&self) -> bool {
        match &self.kind {
            Kind::Sqlite(path) => file::identity(path.clone()).await != self.identity,
            Kind::Postgres => false,
        }
    }

    /// Whether the database answers and can be written, and how new it is.
    pub async fn health(&self) -> Result<Health, StorageError> {
        let mut transaction = self.pool.begin().await.map_err(|error| self.told(&error))?;
        let touch = sqlx::query("UPDATE ledger_revision SET revision = revision WHERE id = 1");
        touch.execute(&mut *transaction).await.map_err(|error| self.told(&error))?;
        transaction.rollback().await.map_err(|error| self.told(&error))?;
        let (version,): (i64,) =
            sqlx::query_as("SELECT version FROM _sqlx_migrations ORDER BY version DESC LIMIT 1")
                .fetch_one(&self.pool)
                .await
                .map_err(|error| self.told(&error))?;
        Ok(Health { kind: self.kind.name(), version })
    }

    /// Closes every connection; SQLite folds its log into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    fn told(&self, error: &sqlx::Error) -> StorageError {
        StorageError::of(error, &self.kind)
    }
}

/// What a first look at a database says.
enum Verdict {
    Sound,
    Damaged,
}

/// Connects once. Whether SQLite finds its file sound; PostgreSQL looks after itself.
async fn check(options: &AnyConnectOptions, kind: &Kind) -> Result<Verdict, sqlx::Error> {
    let mut connection = options.connect().await?;
    connection.execute(kind.hello()).await?;
    let verdict = match kind {
        Kind::Postgres => Verdict::Sound,
        Kind::Sqlite(_) => {
            let check = sqlx::query_as("PRAGMA quick_check(1)");
            let (found,): (String,) = check.fetch_one(&mut connection).await?;
            if found == "ok" { Verdict::Sound } else { Verdict::Damaged }
        }
    };
    connection.close().await?;
    Ok(verdict)
}
