//! Settings: one text a name, for whatever its owner calls a scope and a subject.

use sqlx::SqlSafeStr as _;

use super::{Storage, StorageError};

/// Whom or what a setting is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The kind: a server, a channel, a person.
    pub scope: &'static str,
    /// Which one.
    pub id: String,
}

/// One setting, as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// What is set.
    pub name: &'static str,
    /// To what.
    pub value: String,
    /// Who did.
    pub set_by: String,
    /// When, in milliseconds since 1970.
    pub set_at: i64,
}

impl Storage {
    /// The values of one setting for these subjects, at most a handful; those that have none are left out.
    pub async fn settings(
        &self,
        name: &str,
        subjects: &[Subject],
    ) -> Result<Vec<(Subject, String)>, StorageError> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (0..subjects.len())
            .map(|at| format!("(scope = ${} AND subject = ${})", 2 * at + 2, 2 * at + 3))
            .collect();
        let text = format!(
            "SELECT scope, subject, value FROM settings WHERE name = $1 AND ({})",
            places.join(" OR ")
        );
        // Nothing but numbered places stands in the text.
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text).into_sql_str()).bind(name.to_owned());
        for subject in subjects {
            query = query.bind(subject.scope).bind(subject.id.clone());
        }
        let rows: Vec<(String, String, String)> =
            query.fetch_all(&self.pool).await.map_err(|error| self.told(&error))?;
        let of = |subject: &Subject| {
            rows.iter().find(|row| row.0 == subject.scope && row.1 == subject.id).map(|row| row.2.clone())
        };
        Ok(subjects.iter().filter_map(|subject| Some((subject.clone(), of(subject)?))).collect())
    }

    /// Sets it; what was set before is replaced.
    pub async fn set(&self, subject: &Subject, setting: &Setting) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO settings (scope, subject, name, value, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (scope, subject, name) DO UPDATE SET \
             value = excluded.value, set_by = excluded.set_by, set_at = excluded.set_at",
        )
        .bind(subject.scope)
        .bind(&subject.id)
        .bind(setting.name)
        .bind(&setting.value)
        .bind(&setting.set_by)
        .bind(setting.set_at)
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(|error| self.told(&error))
    }

    /// Takes it back; whether it was set.
    pub async fn unset(&self, subject: &Subject, name: &str) -> Result<bool, StorageError> {
        sqlx::query("DELETE FROM settings WHERE scope = $1 AND subject = $2 AND name = $3")
            .bind(subject.scope)
            .bind(&subject.id)
            .bind(name)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(|error| self.told(&error))
    }
}
