//! Answers that are being written: where each stands, and until when its writer holds it. Never a text.
//!
//! A writer renews its hold while it lives. What nobody holds any more was left behind by a process that died, and is
//! whoever's that adopts it first.

use sqlx::{Row as _, any::AnyRow};

use super::{Storage, StorageError};

/// An answer that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Its exchange.
    pub exchange: String,
    /// The application that writes it: no other can change it.
    pub application: u64,
    /// The channel that it stands in.
    pub channel: u64,
    /// The newest of its messages that is known; before there is one, an id that all of them are later than.
    pub newest: u64,
    /// What its owner needs to end it, as the owner writes that.
    pub offer: String,
    /// When it began, in milliseconds.
    pub begun_at: i64,
}

/// An answer that nobody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    /// Which.
    pub answer: InFlight,
    /// How often somebody adopted it before.
    pub tries: i64,
    writer: String,
    held_until: i64,
}

impl Abandoned {
    fn read(row: &AnyRow, application: u64) -> Result<Self, sqlx::Error> {
        let id = |column| {
            let text: String = row.try_get(column)?;
            text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
        };
        let answer = InFlight {
            exchange: row.try_get("exchange")?,
            application,
            channel: id("channel")?,
            newest: id("newest")?,
            offer: row.try_get("offer")?,
            begun_at: row.try_get("begun_at")?,
        };
        let (writer, held_until) = (row.try_get("writer")?, row.try_get("held_until")?);
        Ok(Self { answer, tries: row.try_get("tries")?, writer, held_until })
    }
}

/// Whose an abandoned answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// This caller's, and nobody else's until the instant that was asked for.
    Here,
    /// Somebody else was faster, or it has ended.
    Elsewhere,
}

impl Storage {
    /// Notes that a writer begins an answer and holds it until an instant, in milliseconds.
    pub async fn hold(&self, answer: &InFlight, writer: &str, until: i64) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO inflight (exchange, application, channel, newest, offer, writer, begun_at, held_until, tries) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) ON CONFLICT DO NOTHING",
        )
        .bind(&answer.exchange)
        .bind(answer.application.to_string())
        .bind(answer.channel.to_string())
        .bind(answer.newest.to_string())
        .bind(&answer.offer)
        .bind(writer)
        .bind(answer.begun_at)
        .bind(until)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(|error| self.told(&error))
    }

    /// Notes the newest message of an answer and where it stands; one that has ended stays so.
    pub async fn note_newest(
        &self,
        exchange: &str,
        (channel, message): (u64, u64),
    ) -> Result<(), StorageError> {
        sqlx::query("UPDATE inflight SET channel = $1, newest = $2 WHERE exchange = $3")
            .bind(channel.to_string())
            .bind(message.to_string())
            .bind(exchange)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|error| self.told(&error))
    }

    /// A writer lives: it holds all of its answers until an instant, in milliseconds.
    pub async fn renew(&self, writer: &str, until: i64) -> Result<(), StorageError> {
        sqlx::query("UPDATE inflight SET held_until = $1 WHERE writer = $2")
            .bind(until)
            .bind(writer)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|error| self.told(&error))
    }

    /// An answer has ended, whoever wrote it.
    pub async fn release(&self, exchange: &str) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM inflight WHERE exchange = $1")
            .bind(exchange)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|error| self.told(&error))
    }

    /// What nobody holds at an instant, in milliseconds, the oldest first and `most` at once; of one application.
    pub async fn abandoned(
        &self,
        application: u64,
        now: i64,
        most: u16,
    ) -> Result<Vec<Abandoned>, StorageError> {
        let rows = sqlx::query(
            "SELECT exchange, channel, newest, offer, writer, begun_at, held_until, tries FROM inflight \
             WHERE application = $1 AND held_until <= $2 ORDER BY begun_at, exchange LIMIT $3",
        )
        .bind(application.to_string())
        .bind(now)
        .bind(i64::from(most))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.told(&error))?;
        let read = |row| Abandoned::read(row, application);
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| self.told(&error))
    }

    /// Takes an abandoned answer until an instant, in milliseconds: of several callers one gets it. From then on it has
    /// no writer, so nobody renews it.
    pub async fn adopt(&self, found: &Abandoned, until: i64) -> Result<Adopted, StorageError> {
        let taken = sqlx::query(
            "UPDATE inflight SET writer = '', held_until = $1, tries = tries + 1 \
             WHERE exchange = $2 AND writer = $3 AND held_until = $4 AND tries = $5",
        )
        .bind(until)
        .bind(&found.answer.exchange)
        .bind(&found.writer)
        .bind(found.held_until)
        .bind(found.tries)
        .execute(&self.pool)
        .await
        .map_err(|error| self.told(&error))?;
        Ok(if taken.rows_affected() == 1 { Adopted::Here } else { Adopted::Elsewhere })
    }

    /// Drops what began before an instant, in milliseconds, whoever held it.
    pub async fn forget_inflight_before(&self, instant: i64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM inflight WHERE begun_at < $1 AND held_until < $1")
            .bind(instant)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(|error| self.told(&error))
    }
}
