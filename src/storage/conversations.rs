//! What is left of the beginning of long conversations: one text a branch, under the newest message that went into it.

use sqlx::SqlSafeStr as _;

use super::{Storage, StorageError};

/// Rows of one channel that are kept, the newest ones.
const OF_A_CHANNEL: i64 = 50;
/// Rows that one statement writes.
const AT_ONCE: usize = 100;

/// What is left of the beginning of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The newest message that went into it.
    pub newest: u64,
    /// The text.
    pub summary: String,
}

impl Storage {
    /// The beginnings in a channel that end with one of these messages, at most some hundreds.
    pub async fn beginnings(&self, channel: u64, ends: &[u64]) -> Result<Vec<Beginning>, StorageError> {
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (0..ends.len()).map(|at| format!("${}", at + 2)).collect();
        let text = format!(
            "SELECT newest, summary FROM conversations WHERE channel = $1 AND newest IN ({})",
            places.join(", ")
        );
        // Nothing but numbered places stands in the text.
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text).into_sql_str()).bind(channel.to_string());
        for end in ends {
            query = query.bind(end.to_string());
        }
        let rows: Vec<(String, String)> =
            query.fetch_all(&self.pool).await.map_err(|error| self.told(&error))?;
        let beginning =
            |(newest, summary): (String, String)| Some(Beginning { newest: newest.parse().ok()?, summary });
        Ok(rows.into_iter().filter_map(beginning).collect())
    }

    /// Keeps one, into which these messages went, and whatever went into an earlier one; `now` in milliseconds.
    pub async fn keep_beginning(
        &self,
        channel: u64,
        beginning: &Beginning,
        messages: &[u64],
        earlier: Option<u64>,
        now: i64,
    ) -> Result<(), StorageError> {
        let (channel, newest) = (channel.to_string(), beginning.newest.to_string());
        let keep = async {
            let mut transaction = self.pool.begin().await?;
            sqlx::query(
                "INSERT INTO conversations (channel, newest, summary, written_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (channel, newest) DO UPDATE SET summary = excluded.summary, written_at = excluded.written_at",
            )
            .bind(&channel)
            .bind(&newest)
            .bind(&beginning.summary)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            for messages in messages.chunks(AT_ONCE) {
                let places: Vec<String> =
                    (0..messages.len()).map(|at| format!("(${}, $1, $2)", at + 3)).collect();
                let text = format!(
                    "INSERT INTO conversation_messages (message, channel, newest) VALUES {} ON CONFLICT DO NOTHING",
                    places.join(", ")
                );
                let mut query =
                    sqlx::query(sqlx::AssertSqlSafe(text).into_sql_str()).bind(&channel).bind(&newest);
                for message in messages {
                    query = query.bind(message.to_string());
                }
                query.execute(&mut *transaction).await?;
            }
            if let Some(earlier) = earlier {
                sqlx::query(
                    "INSERT INTO conversation_messages (message, channel, newest) \
                     SELECT message, channel, $1 FROM conversation_messages WHERE channel = $2 AND newest = $3 \
                     ON CONFLICT DO NOTHING",
                )
                .bind(&newest)
                .bind(&channel)
                .bind(earlier.to_string())
                .execute(&mut *transaction)
                .await?;
            }
            sqlx::query(
                "DELETE FROM conversations WHERE channel = $1 AND newest NOT IN \
                 (SELECT newest FROM conversations WHERE channel = $2 ORDER BY written_at DESC, newest DESC LIMIT $3)",
            )
            .bind(&channel)
            .bind(&channel)
            .bind(OF_A_CHANNEL)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await
        };
        keep.await.map_err(|error: sqlx::Error| self.told(&error))
    }

    /// Forgets every beginning that a message went into; how many.
    pub async fn forget_message(&self, message: u64) -> Result<u64, StorageError> {
        let dropped = sqlx::query(
            "DELETE FROM conversations WHERE EXISTS (SELECT 1 FROM conversation_messages AS part WHERE part.message = $1 \
             AND part.channel = conversations.channel AND part.newest = conversations.newest)",
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
             conversations.channel = conversation_messages.channel AND conversations.newest = conversation_messages.newest)",
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(|error| self.told(&error))
    }
}
