//! Personas: texts by name, each somebody's. The names of one owner differ.

use super::{Storage, StorageError, Subject};

/// A text and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The text.
    pub body: String,
}

impl Storage {
    /// The personas of an owner, by name.
    pub async fn personas(&self, owner: &Subject) -> Result<Vec<Named>, StorageError> {
        let query =
            sqlx::query_as("SELECT name, body FROM personas WHERE scope = $1 AND owner = $2 ORDER BY name");
        let rows: Vec<(String, String)> = query
            .bind(owner.scope)
            .bind(&owner.id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.told(&error))?;
        Ok(rows.into_iter().map(|(name, body)| Named { name, body }).collect())
    }

    /// Keeps one of an owner's, in the place of an earlier one of that name.
    pub async fn keep_persona(
        &self,
        owner: &Subject,
        persona: &Named,
        set_by: &str,
        set_at: i64,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO personas (scope, owner, name, body, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (scope, owner, name) DO UPDATE SET \
             body = excluded.body, set_by = excluded.set_by, set_at = excluded.set_at",
        )
        .bind(owner.scope)
        .bind(&owner.id)
        .bind(&persona.name)
        .bind(&persona.body)
        .bind(set_by)
        .bind(set_at)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(|error| self.told(&error))
    }

    /// Drops one; whether there was such a one.
    pub async fn drop_persona(&self, owner: &Subject, name: &str) -> Result<bool, StorageError> {
        sqlx::query("DELETE FROM personas WHERE scope = $1 AND owner = $2 AND name = $3")
            .bind(owner.scope)
            .bind(&owner.id)
            .bind(name)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(|error| self.told(&error))
    }
}
