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
    #[error(
        "the database is damaged ({problem}); the bot puts its file aside when it starts and makes a new one, or move it \
         away yourself"
    )]
    Damaged {
        /// A code.
        problem: String,
    },
    /// A server says that its content is broken.
    #[error(
        "the database server reports damaged data ({problem}); restore the database from a copy, or name another in \
         DATABASE_URL"
    )]
    DamagedServer {
        /// A code.
        problem: String,
    },
    /// The file is something else, or has lost its beginning.
    #[error(
        "the file that DATABASE_URL names does not begin as an SQLite database and is left alone; name another file, or \
         move this one away"
    )]
    Foreign,
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
            Kind::Postgres => Self::of_state(&code),
        }
    }

    /// Of a server's code. <https://www.postgresql.org/docs/current/errcodes-appendix.html>: its first two characters are
    /// the class.
    fn of_state(code: &str) -> Self {
        let problem = format!("SQLSTATE {code}");
        let class: String = code.chars().take(2).collect();
        match (class.as_str(), code) {
            ("08" | "28" | "3D" | "57" | "53", _) => Self::Unreachable { problem },
            ("25" | "42", _) => Self::NotWritable { problem },
            ("40" | "55", _) => Self::Busy { problem },
            // XX000 says nothing of data: poolers use it for their own troubles.
            (_, "XX001" | "XX002") => Self::DamagedServer { problem },
            _ => Self::Failed { problem },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p30_only_what_a_server_calls_damage_is_damage() {
        let problem = |code: &str| format!("SQLSTATE {code}");
        for code in ["XX001", "XX002"] {
            assert_eq!(StorageError::of_state(code), StorageError::DamagedServer { problem: problem(code) });
        }
        // What a pooler says when it has no server to give.
        assert_eq!(StorageError::of_state("XX000"), StorageError::Failed { problem: problem("XX000") });
        let read_only = StorageError::NotWritable { problem: problem("25006") };
        assert_eq!(StorageError::of_state("25006"), read_only);
    }
}
