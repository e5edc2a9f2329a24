//! Where the bot keeps what must outlive a process.

use std::{fmt, path::PathBuf};

use url::Url;

use super::reader::Reader;
use crate::secret::Secret;

/// The variable.
const NAME: &str = "DATABASE_URL";

/// What may stand behind the `?` of a server's address. The library logs what it does not know with its value.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

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
    let url = text.parse::<Url>().ok().filter(|_| is_postgres);
    let Some(url) = url else {
        return Err("expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE".to_owned());
    };
    if let Some((key, _)) = url.query_pairs().find(|(key, _)| !is_parameter(key)) {
        // A password with a `?` in it would make anything a key.
        let is_name = key.len() <= 40 && key.chars().all(|c| c.is_ascii_lowercase() || "_-".contains(c));
        let key = if is_name { format!("`{key}`") } else { "one".to_owned() };
        return Err(format!("{key} is no parameter; expected some of {}", PARAMETERS.join(", ")));
    }
    if !cfg!(feature = "postgres") {
        return Err("this build speaks to SQLite only: build it with `--features postgres`".to_owned());
    }
    Ok(Database::Postgres(address.clone()))
}

fn is_parameter(key: &str) -> bool {
    PARAMETERS.contains(&key) || (key.starts_with("options[") && key.ends_with(']'))
}
