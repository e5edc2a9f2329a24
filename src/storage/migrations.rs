//! The steps that bring a database up to date, in the program itself.

use sqlx::{
    AnyPool, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// Version, what it is for, the statements. Never changed once released: their hashes are kept in the database.
const STEPS: &[(i64, &str, &str)] = &[
    (1, "ledger", include_str!("../../migrations/0001_ledger.sql")),
    (2, "settings", include_str!("../../migrations/0002_settings.sql")),
    (3, "conversations", include_str!("../../migrations/0003_conversations.sql")),
    (4, "inflight", include_str!("../../migrations/0004_inflight.sql")),
    (5, "usage", include_str!("../../migrations/0005_usage.sql")),
];

/// Applies what is missing. PostgreSQL takes an advisory lock meanwhile; for SQLite the caller holds one.
pub(super) async fn run(pool: &AnyPool) -> Result<(), sqlx::migrate::MigrateError> {
    let steps = STEPS.iter().map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    Migrator::with_migrations(steps.collect()).run(pool).await
}

/// Whether all are applied, and no other: such a database can be used even where it cannot be changed.
pub(super) async fn are_applied(pool: &AnyPool) -> bool {
    let applied: Result<Vec<(i64,)>, sqlx::Error> =
        sqlx::query_as("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(pool).await;
    applied.is_ok_and(|applied| applied.into_iter().map(|row| row.0).eq(STEPS.iter().map(|step| step.0)))
}
