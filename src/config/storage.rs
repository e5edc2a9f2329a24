//! Where the bot keeps what must outlive a process.

use std::{fmt, path::PathBuf};

use url::Url;

use super::reader::Reader;
use crate::secret::Secret;

/// The variable.
const NAME: &str = "DATABASE_URL";

/// `DATABASE_URL`, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite's, made when missing.
    Sqlite(PathBuf),
    /// A PostgreSQL server; the address may carry a password.
    Postgres(Secret),
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite(_) => "Sqlite(…)",
            Self::Postgres(_) => "Postgres(…)",
        })
    }
}

/// Where the bot keeps what must outlive a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSettings {
    /// `DATABASE_URL`.
    pub database: Database,
}

impl StorageSettings {
    /// SQLite in a file of the state folder, as without `DATABASE_URL`.
    pub fn in_folder(state_dir: &std::path::Path) -> Self {
        Self { database: Database::Sqlite(state_dir.join("cortana.db")) }
    }

    pub(super) fn read(reader: &mut Reader<'_>, state_dir: &std::path::Path) -> Self {
        let default = Self::in_folder(state_dir);
        let Some(address) = reader.secret(NAME) else { return default };
        match parse(reader, &address) {
            Ok(database) => Self { database },
            Err(expected) => {
                reader.secret_mistake(NAME, expected);
                default
            }
        }
    }
}

fn parse(reader: &Reader<'_>, address: &Secret) -> Result<Database, String> {
    let text = address.expose();
    if let Some(rest) = text.strip_prefix("sqlite:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        return if path.is_empty() || path.contains(['?', '#']) || path == ":memory:" {
            Err("expected sqlite:// and the path of a file, without parameters: sqlite://data/cortana.db"
                .to_owned())
        } else {
            Ok(Database::Sqlite(reader.expand(path)))
        };
    }
    let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    if !is_postgres || text.parse::<Url>().is_err() {
        return Err("expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE".to_owned());
    }
    if !cfg!(feature = "postgres") {
        return Err("this build speaks to SQLite only: build it with `--features postgres`".to_owned());
    }
    Ok(Database::Postgres(address.clone()))
}
