//! Why a database cannot be used: what is to be done about it, and a code.

use sqlx::error::DatabaseError;

use super::Kind;

/// Why a database cannot be used. Never its address, never a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// There is no way to it.
    #[error("the database cannot be reached ({problem}); check that it runs and that DATABASE_URL is right")]
    Unreachable {
        /// A code, or the operating system's word.
        problem: String,
    },
    /// It can be found, but not written.
    #[error(
        "the database cannot be written ({problem}); make its folder writable for this user and leave space on the disk, \
         or name another place in DATABASE_URL"
    )]
    NotWritable {
        /// A code, or the operating system's word.
        problem: String,
    },
    /// Its content is broken.
    #[error("the database is damaged ({problem}); move its file away, and the next start makes a new one")]
    Damaged {
        /// A code.
        problem: String,
    },
    /// A later version of this program has changed it.
    #[error(
        "the database was made by a later version of this program (it has migration {version}); run that version, or name \
         another database in DATABASE_URL"
    )]
    Newer {
        /// The first migration that is not known here.
        version: i64,
    },
    /// Others keep it busy; the next try may go through.
    #[error("the database is busy ({problem}); it is tried again")]
    Busy {
        /// A code.
        problem: String,
    },
    /// Anything else.
    #[error("the database refused a statement ({problem})")]
    Failed {
        /// A code.
        problem: String,
    },
}

impl StorageError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that may grow")]
    pub(super) fn of(error: &sqlx::Error, kind: &Kind) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_code(error.as_ref(), kind),
            sqlx::Error::Io(error) => Self::Unreachable { problem: error.kind().to_string() },
            sqlx::Error::PoolTimedOut => Self::Unreachable { problem: "no answer in time".to_owned() },
            sqlx::Error::PoolClosed => Self::Busy { problem: "it is being closed".to_owned() },
            sqlx::Error::Tls(_) => Self::Unreachable { problem: "TLS".to_owned() },
            sqlx::Error::Configuration(_) => {
                Self::Unreachable { problem: "the address is not understood".to_owned() }
            }
            sqlx::Error::Migrate(error) => Self::of_migration(error, kind),
            other => Self::Failed { problem: variant(other).to_owned() },
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that may grow")]
    pub(super) fn of_migration(error: &sqlx::migrate::MigrateError, kind: &Kind) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(version) => Self::Newer { version: *version },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::of(error, kind),
            other => Self::Failed { problem: format!("migration: {}", migration(other)) },
        }
    }

    fn of_code(error: &dyn DatabaseError, kind: &Kind) -> Self {
        let code = error.code().unwrap_or_default().into_owned();
        match kind {
            // https://www.sqlite.org/rescode.html: the low byte is the primary code.
            Kind::Sqlite(_) => {
                let problem = format!("SQLite code {code}");
                match code.parse::<i32>().map(|code| code & 0xff) {
                    Ok(5 | 6) => Self::Busy { problem },
                    Ok(11 | 26) => Self::Damaged { problem },
                    Ok(3 | 8 | 10 | 13 | 14 | 23) => Self::NotWritable { problem },
                    Ok(_) | Err(_) => Self::Failed { problem },
                }
            }
            // https://www.postgresql.org/docs/current/errcodes-appendix.html: the first two characters are the class.
            Kind::Postgres => {
                let problem = format!("SQLSTATE {code}");
                let class: String = code.chars().take(2).collect();
                match class.as_str() {
                    "08" | "28" | "3D" | "57" | "53" => Self::Unreachable { problem },
                    "25" | "42" => Self::NotWritable { problem },
                    "40" | "55" => Self::Busy { problem },
                    "XX" => Self::Damaged { problem },
                    _ => Self::Failed { problem },
                }
            }
        }
    }
}

/// What kind of failure it is: the text of some would quote a row.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that may grow")]
fn variant(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::RowNotFound => "a row is missing",
        sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => "a column is missing",
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => "a value of another type",
        sqlx::Error::Protocol(_) => "a broken protocol",
        sqlx::Error::WorkerCrashed => "the connection's thread ended",
        _ => "an unexpected answer",
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that may grow")]
fn migration(error: &sqlx::migrate::MigrateError) -> String {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::VersionMismatch(version) => format!("{version} was another when it was applied"),
        MigrateError::Dirty(version) => format!("{version} was left half applied"),
        _ => "it could not be applied".to_owned(),
    }
}
