//! The ledger: what is remembered of each subject, merged on every write, read by what changed.
//!
//! A write is one transaction. It first moves the one row of `ledger_revision`, which makes writers wait for each other,
//! so revisions become visible in their order and a reader who asks for "later than mine" misses nothing.

use super::{Storage, StorageError};

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
    /// Ask for what is later than this.
    pub revision: i64,
}

/// How a change joins what stands there: the row there, and the change; `None` leaves it as it is.
pub type Merge = fn(&Row, &Row) -> Option<Row>;

impl Storage {
    /// The rows that changed after a revision; 0 asks for all.
    pub async fn ledger_after(&self, revision: i64) -> Result<Page, StorageError> {
        let rows: Vec<(String, String, String, String, Option<i64>, i64)> = sqlx::query_as(
            "SELECT subject, kind, name, body, ends_at, revision FROM ledger WHERE revision > $1 ORDER BY revision",
        )
        .bind(revision)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.told(&error))?;
        let newest = rows.last().map_or(revision, |row| row.5);
        let rows = rows
            .into_iter()
            .map(|(subject, kind, name, body, ends_at, _)| Row { subject, kind, name, body, ends_at })
            .collect();
        Ok(Page { rows, revision: newest })
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
        for change in &batch.rows {
            let there: Option<(String, Option<i64>)> = sqlx::query_as(
                "SELECT body, ends_at FROM ledger WHERE subject = $1 AND kind = $2 AND name = $3",
            )
            .bind(&change.subject)
            .bind(&change.kind)
            .bind(&change.name)
            .fetch_optional(&mut *transaction)
            .await?;
            let row = match there {
                None => Some(change.clone()),
                Some((body, ends_at)) => merge(&Row { body, ends_at, ..change.clone() }, change),
            };
            let Some(row) = row else { continue };
            sqlx::query(
                "INSERT INTO ledger (subject, kind, name, body, revision, written_at, ends_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) \
                 ON CONFLICT (subject, kind, name) DO UPDATE SET body = excluded.body, revision = excluded.revision, \
                 written_at = excluded.written_at, ends_at = excluded.ends_at",
            )
            .bind(row.subject)
            .bind(row.kind)
            .bind(row.name)
            .bind(row.body)
            .bind(revision)
            .bind(batch.at)
            .bind(row.ends_at)
            .execute(&mut *transaction)
            .await?;
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
