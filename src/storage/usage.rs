//! Usage: how much of each kind a subject used in each slot of time. A writer's rows are its own: written twice they count
//! once, and several processes never wait for each other's sums.

use sqlx::SqlSafeStr as _;

use super::{Storage, StorageError};

/// Rows that one statement writes: far below what either database takes as parameters.
const AT_ONCE: usize = 200;

/// What one writer counted of a subject in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Who used it.
    pub subject: String,
    /// What.
    pub kind: &'static str,
    /// When the slot begins, in milliseconds.
    pub slot: i64,
    /// Who counted.
    pub writer: String,
    /// How much, all in all.
    pub amount: i64,
    /// From when it counts no more, in milliseconds.
    pub ends_at: i64,
}

/// What others counted of a subject in a slot, all together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedElsewhere {
    /// What.
    pub kind: String,
    /// When the slot begins, in milliseconds.
    pub slot: i64,
    /// How much.
    pub amount: i64,
}

impl Storage {
    /// Keeps what was counted, each in the place of what its writer wrote of the slot before. No two are of one subject,
    /// kind, slot and writer.
    pub async fn put_usage(&self, used: &[Used]) -> Result<(), StorageError> {
        const COLUMNS: usize = 6;
        for rows in used.chunks(AT_ONCE) {
            let row = |row: usize| {
                let places: Vec<String> =
                    (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
                format!("({})", places.join(", "))
            };
            let text = format!(
                "INSERT INTO usage_slots (subject, kind, slot, writer, amount, ends_at) VALUES {} \
                 ON CONFLICT (subject, kind, slot, writer) DO UPDATE SET amount = excluded.amount",
                (0..rows.len()).map(row).collect::<Vec<_>>().join(", ")
            );
            // Nothing but numbered places stands in the text.
            let mut query = sqlx::query(sqlx::AssertSqlSafe(text).into_sql_str());
            for row in rows {
                query = query
                    .bind(row.subject.clone())
                    .bind(row.kind)
                    .bind(row.slot)
                    .bind(row.writer.clone())
                    .bind(row.amount)
                    .bind(row.ends_at);
            }
            query.execute(&self.pool).await.map_err(|error| self.told(&error))?;
        }
        Ok(())
    }

    /// What everybody but this writer counted of a subject, as far as it counts at `now`, in milliseconds.
    pub async fn usage_of(
        &self,
        subject: &str,
        writer: &str,
        now: i64,
    ) -> Result<Vec<UsedElsewhere>, StorageError> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT kind, slot, CAST(SUM(amount) AS BIGINT) FROM usage_slots \
             WHERE subject = $1 AND writer <> $2 AND ends_at > $3 GROUP BY kind, slot",
        )
        .bind(subject.to_owned())
        .bind(writer.to_owned())
        .bind(now)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.told(&error))?;
        Ok(rows.into_iter().map(|(kind, slot, amount)| UsedElsewhere { kind, slot, amount }).collect())
    }

    /// Forgets what counts no more at `now`, in milliseconds.
    pub async fn forget_usage(&self, now: i64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM usage_slots WHERE ends_at <= $1")
            .bind(now)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|error| self.told(&error))
    }
}
