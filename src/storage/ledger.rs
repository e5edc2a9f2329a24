//! The ledger: what is remembered of each subject, merged on every write, read by what changed.
//!
//! A write is one transaction. It first moves the one row of `ledger_revision`, which makes writers wait for each other,
//! so revisions become visible in their order and a reader who asks for "later than mine" misses nothing.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Any, SqlSafeStr as _, Transaction};

use super::{Storage, StorageError};

/// Rows that one statement reads or writes: far below what either database takes as parameters.
const AT_ONCE: usize = 500;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub subject: String,
    /// Its kind.
    pub kind: String,
    /// Which of that kind.
    pub name: String,
    /// What is remembered, as its owner writes it.
    pub body: String,
    /// From when it may be forgotten, in milliseconds; `None`: with its subject.
    pub ends_at: Option<i64>,
}

/// What tells a row from the others: subject, kind, name.
type Key = (String, String, String);

impl Row {
    fn key(&self) -> Key {
        (self.subject.clone(), self.kind.clone(), self.name.clone())
    }
}

/// Changes of one process, applied all or none, and once however often they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Who writes.
    pub writer: String,
    /// Grows with each of its batches.
    pub serial: i64,
    /// When, in milliseconds.
    pub at: i64,
    /// What changed.
    pub rows: Vec<Row>,
}

/// What changed after a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The rows as they are now.
    pub rows: Vec<Row>,
    /// Ask for what is later than this. Less than was asked for: the database was restored from a copy.
    pub revision: i64,
    /// Which database this is: another one has another name.
    pub database: String,
}

/// How a change joins what stands there: the row there, and the change; `None` leaves it as it is.
pub type Merge = fn(&Row, &Row) -> Option<Row>;

impl Storage {
    /// The rows that changed after a revision; 0 asks for all.
    pub async fn ledger_after(&self, revision: i64) -> Result<Page, StorageError> {
        // Before the rows: what is written between the two is read again rather than missed. That the first step was
        // applied then, and took so many nanoseconds, is true of one database only.
        let (current, applied_at, took): (i64, String, i64) = sqlx::query_as(
            "SELECT revision, CAST(installed_on AS TEXT), execution_time FROM ledger_revision, _sqlx_migrations \
             WHERE id = 1 AND version = 1",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(|error| self.told(&error))?;
        let rows: Vec<(String, String, String, String, Option<i64>, i64)> = sqlx::query_as(
            "SELECT subject, kind, name, body, ends_at, revision FROM ledger WHERE revision > $1 ORDER BY revision",
        )
        .bind(revision)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.told(&error))?;
        let newest = rows.last().map_or(current, |row| row.5.max(current));
        let rows = rows
            .into_iter()
            .map(|(subject, kind, name, body, ends_at, _)| Row { subject, kind, name, body, ends_at })
            .collect();
        Ok(Page { rows, revision: newest, database: format!("{applied_at} {took}") })
    }

    /// Applies a batch; one that was applied before changes nothing.
    pub async fn write_ledger(&self, batch: &Batch, merge: Merge) -> Result<(), StorageError> {
        self.write(batch, merge).await.map_err(|error| self.told(&error))
    }

    async fn write(&self, batch: &Batch, merge: Merge) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let next = sqlx::query("UPDATE ledger_revision SET revision = revision + 1 WHERE id = 1");
        next.execute(&mut *transaction).await?;
        let (revision,): (i64,) = sqlx::query_as("SELECT revision FROM ledger_revision WHERE id = 1")
            .fetch_one(&mut *transaction)
            .await?;
        let signed = sqlx::query(
            "INSERT INTO ledger_writers (writer, serial, written_at) VALUES ($1, $2, $3) \
             ON CONFLICT (writer) DO UPDATE SET serial = excluded.serial, written_at = excluded.written_at \
             WHERE ledger_writers.serial < excluded.serial",
        )
        .bind(&batch.writer)
        .bind(batch.serial)
        .bind(batch.at)
        .execute(&mut *transaction)
        .await?;
        if signed.rows_affected() == 0 {
            return transaction.rollback().await;
        }
        for changes in batch.rows.chunks(AT_ONCE) {
            let mut rows = there(&mut transaction, changes).await?;
            let mut joined = BTreeMap::new();
            for change in changes {
                let row = match rows.get(&change.key()) {
                    None => Some(change.clone()),
                    Some(row) => merge(row, change),
                };
                if let Some(row) = row {
                    joined.insert(row.key(), row.clone());
                    rows.insert(row.key(), row);
                }
            }
            put(&mut transaction, joined.into_values(), revision, batch.at).await?;
        }
        transaction.commit().await
    }

    /// Forgets rows that have ended, subjects of which nothing was written since `unseen_since`, and writers that are as
    /// old. All in milliseconds.
    pub async fn prune_ledger(&self, now: i64, unseen_since: i64) -> Result<(), StorageError> {
        let prune = async {
            let mut transaction = self.pool.begin().await?;
            sqlx::query("DELETE FROM ledger WHERE ends_at IS NOT NULL AND ends_at < $1")
                .bind(now)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "DELETE FROM ledger WHERE subject IN \
                 (SELECT subject FROM ledger GROUP BY subject HAVING MAX(written_at) < $1)",
            )
            .bind(unseen_since)
            .execute(&mut *transaction)
            .await?;
            sqlx::query("DELETE FROM ledger_writers WHERE written_at < $1")
                .bind(unseen_since)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        prune.await.map_err(|error: sqlx::Error| self.told(&error))
    }
}

/// What stands there of the subjects that these rows are about.
async fn there(
    transaction: &mut Transaction<'_, Any>,
    changes: &[Row],
) -> Result<BTreeMap<Key, Row>, sqlx::Error> {
    let subjects: BTreeSet<&str> = changes.iter().map(|row| row.subject.as_str()).collect();
    let places: Vec<String> = (1..=subjects.len()).map(|place| format!("${place}")).collect();
    let text = format!(
        "SELECT subject, kind, name, body, ends_at FROM ledger WHERE subject IN ({})",
        places.join(", ")
    );
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text).into_sql_str());
    for subject in subjects {
        query = query.bind(subject.to_owned());
    }
    let rows: Vec<(String, String, String, String, Option<i64>)> =
        query.fetch_all(&mut **transaction).await?;
    let rows = rows.into_iter().map(|(subject, kind, name, body, ends_at)| {
        let row = Row { subject, kind, name, body, ends_at };
        (row.key(), row)
    });
    Ok(rows.collect())
}

/// Puts rows in the place of those that have their keys, which differ.
async fn put(
    transaction: &mut Transaction<'_, Any>,
    rows: impl ExactSizeIterator<Item = Row>,
    revision: i64,
    at: i64,
) -> Result<(), sqlx::Error> {
    const COLUMNS: usize = 7;
    if rows.len() == 0 {
        return Ok(());
    }
    let places: Vec<String> = (0..rows.len())
        .map(|row| {
            let places: Vec<String> =
                (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
            format!("({})", places.join(", "))
        })
        .collect();
    let text = format!(
        "INSERT INTO ledger (subject, kind, name, body, revision, written_at, ends_at) VALUES {} \
         ON CONFLICT (subject, kind, name) DO UPDATE SET body = excluded.body, revision = excluded.revision, \
         written_at = excluded.written_at, ends_at = excluded.ends_at",
        places.join(", ")
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(text).into_sql_str());
    for row in rows {
        query = query
            .bind(row.subject)
            .bind(row.kind)
            .bind(row.name)
            .bind(row.body)
            .bind(revision)
            .bind(at)
            .bind(row.ends_at);
    }
    query.execute(&mut **transaction).await.map(drop)
}
