//! A database of one test's own on the server that `TEST_POSTGRES_URL` names, and statements of tests.
#![expect(clippy::print_stdout, reason = "a test that skips says so aloud")]

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{Connection as _, Executor as _, SqlSafeStr as _};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The address of a new, empty database; `None`, said aloud, where there is no server.
pub(crate) async fn fresh_database() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests may be told where a server is")]
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
        println!("SKIPPED on PostgreSQL: TEST_POSTGRES_URL names no server");
        return None;
    };
    sqlx::any::install_default_drivers();
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("cortana_test_{}_{number}", std::process::id());
    let mut connection = sqlx::AnyConnection::connect(&server).await.unwrap();
    for statement in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
        connection.execute(sqlx::AssertSqlSafe(statement).into_sql_str()).await.unwrap();
    }
    let mut address: url::Url = server.parse().unwrap();
    address.set_path(&name);
    Some(address.to_string())
}

/// Runs a statement on an SQLite file, as an operator's shell would.
pub(crate) async fn run_on_sqlite(path: &Path, statement: &'static str) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

/// Lets nobody who connects from now on write.
pub(crate) async fn make_read_only(address: &str) {
    let name = address.rsplit('/').next().unwrap();
    let mut connection = sqlx::AnyConnection::connect(address).await.unwrap();
    let statement = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    connection.execute(sqlx::AssertSqlSafe(statement).into_sql_str()).await.unwrap();
    connection.close().await.unwrap();
}

/// Moves a database's file, as an operator's shell would.
#[expect(clippy::disallowed_methods, reason = "an operator moves a file")]
pub(crate) fn move_away(path: &Path, to: &Path) {
    std::fs::rename(path, to).unwrap();
}
