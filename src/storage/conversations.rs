//! What is left of the beginning of long conversations: one text a branch, under the newest message that went into it.

use sqlx::SqlSafeStr as _;

use super::{Storage, StorageError};

/// Rows of one channel that are kept, the newest ones.
const OF_A_CHANNEL: i64 = 50;
/// Rows that one statement writes.
const AT_ONCE: usize = 100;

/// What is read of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The channel.
    pub channel: u64,
    /// The id with which somebody began afresh there; 0 for what everybody reads.
    pub since: u64,
}

/// What is left of the beginning of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The newest message that went into it.
    pub newest: u64,
    /// The text.
    pub summary: String,
}

/// What became of a beginning that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept.
    Whole,
    /// It is not: the one that went into it is forgotten.
    Outdated,
}

impl Storage {
    /// The beginnings of a stretch that end with one of these messages, at most some hundreds, and were written at an instant
    /// or later, in milliseconds.
    pub async fn beginnings(
        &self,
        of: Stretch,
        ends: &[u64],
        written_since: i64,
    ) -> Result<Vec<Beginning>, StorageError> {
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (0..ends.len()).map(|at| format!("${}", at + 4)).collect();
        let text = format!(
            "SELECT newest, summary FROM conversations WHERE channel = $1 AND since = $2 AND written_at >= $3 \
             AND newest IN ({})",
            places.join(", ")
        );
        // Nothing but numbered places stands in the text.
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text).into_sql_str())
            .bind(of.channel.to_string())
            .bind(of.since.to_string())
            .bind(written_since);
        for end in ends {
            query = query.bind(end.to_string());
        }
        let rows: Vec<(String, String)> =
            query.fetch_all(&self.pool).await.map_err(|error| self.told(&error))?;
        let beginning =
            |(newest, summary): (String, String)| Some(Beginning { newest: newest.parse().ok()?, summary });
        Ok(rows.into_iter().filter_map(beginning).collect())
    }

    /// Keeps one, into which these messages went, and whatever went into an earlier one, unless that is forgotten
    /// meanwhile; `now` in milliseconds.
    pub async fn keep_beginning(
        &self,
        of: Stretch,
        beginning: &Beginning,
        messages: &[u64],
        earlier: Option<u64>,
        now: i64,
    ) -> Result<Kept, StorageError> {
        let (channel, since) = (of.channel.to_string(), of.since.to_string());
        let newest = beginning.newest.to_string();
        let keep = async {
            let mut transaction = self.pool.begin().await?;
            sqlx::query(
                "INSERT INTO conversations (channel, since, newest, summary, written_at) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (channel, since, newest) DO UPDATE SET summary = excluded.summary, written_at = excluded.written_at",
            )
            .bind(&channel)
            .bind(&since)
            .bind(&newest)
            .bind(&beginning.summary)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            for messages in messages.chunks(AT_ONCE) {
                let places: Vec<String> =
                    (0..messages.len()).map(|at| format!("(${}, $1, $2, $3)", at + 4)).collect();
                let text = format!(
                    "INSERT INTO conversation_messages (message, channel, since, newest) VALUES {} ON CONFLICT DO NOTHING",
                    places.join(", ")
                );
                let mut query = sqlx::query(sqlx::AssertSqlSafe(text).into_sql_str())
                    .bind(&channel)
                    .bind(&since)
                    .bind(&newest);
                for message in messages {
                    query = query.bind(message.to_string());
                }
                query.execute(&mut *transaction).await?;
            }
            if let Some(earlier) = earlier {
                let earlier = earlier.to_string();
                // Changes nothing, but tells whether it is there, and in PostgreSQL keeps it there until the end.
                let held = sqlx::query(
                    "UPDATE conversations SET written_at = written_at WHERE channel = $1 AND since = $2 AND newest = $3",
                )
                .bind(&channel)
                .bind(&since)
                .bind(&earlier)
                .execute(&mut *transaction)
                .await?;
                if held.rows_affected() == 0 {
                    transaction.rollback().await?;
                    return Ok(Kept::Outdated);
                }
                sqlx::query(
                    "INSERT INTO conversation_messages (message, channel, since, newest) \
                     SELECT message, channel, since, $1 FROM conversation_messages \
                     WHERE channel = $2 AND since = $3 AND newest = $4 ON CONFLICT DO NOTHING",
                )
                .bind(&newest)
                .bind(&channel)
                .bind(&since)
                .bind(&earlier)
                .execute(&mut *transaction)
                .await?;
            }
            sqlx::query(
                "DELETE FROM conversations WHERE channel = $1 AND NOT EXISTS (SELECT 1 FROM (SELECT since, newest \
                 FROM conversations WHERE channel = $2 ORDER BY written_at DESC, newest DESC LIMIT $3) AS kept \
                 WHERE kept.since = conversations.since AND kept.newest = conversations.newest)",
            )
            .bind(&channel)
            .bind(&channel)
            .bind(OF_A_CHANNEL)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(Kept::Whole)
        };
        keep.await.map_err(|error: sqlx::Error| self.told(&error))
    }

    /// The messages that went into one.
    pub async fn messages_of(&self, of: Stretch, newest: u64) -> Result<Vec<u64>, StorageError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT message FROM conversation_messages WHERE channel = $1 AND since = $2 AND newest = $3",
        )
        .bind(of.channel.to_string())
        .bind(of.since.to_string())
        .bind(newest.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.told(&error))?;
        Ok(rows.into_iter().filter_map(|(message,)| message.parse().ok()).collect())
    }

    /// Forgets every beginning that a message went into; how many.
    pub async fn forget_message(&self, message: u64) -> Result<u64, StorageError> {
        let dropped = sqlx::query(
            "DELETE FROM conversations WHERE EXISTS (SELECT 1 FROM conversation_messages AS part WHERE part.message = $1 \
             AND part.channel = conversations.channel AND part.since = conversations.since \
             AND part.newest = conversations.newest)",
        )
        .bind(message.to_string())
        .execute(&self.pool)
        .await
        .map(|done| done.rows_affected())
        .map_err(|error| self.told(&error))?;
        if dropped > 0 {
            self.drop_loose_messages().await?;
        }
        Ok(dropped)
    }

    /// Forgets those that were written before an instant, in milliseconds.
    pub async fn forget_beginnings_before(&self, instant: i64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM conversations WHERE written_at < $1")
            .bind(instant)
            .execute(&self.pool)
            .await
            .map_err(|error| self.told(&error))?;
        self.drop_loose_messages().await
    }

    /// Drops the messages of beginnings that are gone.
    async fn drop_loose_messages(&self) -> Result<(), StorageError> {
        sqlx::query(
            "DELETE FROM conversation_messages WHERE NOT EXISTS (SELECT 1 FROM conversations WHERE \
             conversations.channel = conversation_messages.channel AND conversations.since = conversation_messages.since \
             AND conversations.newest = conversation_messages.newest)",
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(|error| self.told(&error))
    }
}
