//! What a lock file says: who holds it, and how refreshes went, without any secret (P3, P4, P9).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    super::{CredentialId, Facts, Fingerprint},
    LockNotes, LockedFailure, OtherClient,
};
use crate::provider::ProviderId;

/// The line of a lock file. One file may hold several accounts, so the notes are by credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Notes {
    /// Who holds the lock, or held it last.
    pid: u32,
    /// The ids of logins without a name, by their index in the file: such an id comes from the first token, which is
    /// gone after the first rotation.
    ids: BTreeMap<usize, Remembered>,
    credentials: BTreeMap<String, Entry>,
}

/// An id, and whose login it was given to: another provider's file may be put in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    provider: ProviderId,
    id: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    succeeded_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_client: Option<Mismatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<ToldOf>,
}

/// What a provider told about an account and its file has no place for. Holds for one refresh token, by fingerprint:
/// another one may be another account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ToldOf {
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
}

/// Both sides by fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mismatch {
    token: String,
    client: String,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    at: DateTime<Utc>,
    class: String,
    until: DateTime<Utc>,
}

impl Notes {
    /// Reads a line; what cannot be read is no notes.
    pub(super) fn parse(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_default()
    }

    /// The notes as their new holder leaves them.
    pub(super) fn held_by(self, pid: u32) -> Self {
        Self { pid, ..self }
    }

    /// The line.
    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).expect("text, numbers and instants are always JSON")
    }

    /// These notes and those of another lock of the same place; of one credential the later ones count.
    pub(super) fn with(mut self, other: Self) -> Self {
        for (id, theirs) in other.credentials {
            match self.credentials.get(&id) {
                Some(ours) if ours.written_at() >= theirs.written_at() => {}
                ours @ (Some(_) | None) => {
                    let told = theirs.told.clone().or_else(|| ours.and_then(|ours| ours.told.clone()));
                    self.credentials.insert(id, Entry { told, ..theirs });
                }
            }
        }
        for (index, remembered) in other.ids {
            self.ids.entry(index).or_insert(remembered);
        }
        self
    }

    /// Who holds the lock, for people.
    pub(super) fn holder(&self) -> String {
        if self.pid == 0 { "another process".to_owned() } else { format!("process {}", self.pid) }
    }

    /// The id that a nameless login of this provider was given when it was first met.
    pub(super) fn id(&self, index: usize, provider: &ProviderId) -> Option<CredentialId> {
        let remembered = self.ids.get(&index).filter(|remembered| remembered.provider == *provider)?;
        Some(CredentialId::new(&remembered.id))
    }

    /// Remembers the id of a nameless login.
    pub(super) fn set_id(&mut self, index: usize, provider: &ProviderId, id: &CredentialId) {
        let remembered = Remembered { provider: provider.clone(), id: id.as_str().to_owned() };
        self.ids.insert(index, remembered);
    }

    pub(super) fn get(&self, id: &CredentialId) -> LockNotes {
        let Some(entry) = self.credentials.get(id.as_str()) else { return LockNotes::default() };
        LockNotes {
            refused: entry.refused.as_deref().and_then(Fingerprint::parse),
            failure: entry.failure.clone().map(|Failure { at, class, until }| LockedFailure {
                at,
                class,
                until,
            }),
            failures: entry.failures,
            succeeded_at: entry.succeeded_at,
            other_client: entry.other_client.as_ref().and_then(|Mismatch { token, client, code }| {
                let (token, client) = (Fingerprint::parse(token)?, Fingerprint::parse(client)?);
                Some(OtherClient { token, client, code: code.clone() })
            }),
        }
    }

    /// What was told about the account of a login with this token.
    pub(super) fn facts(&self, id: &CredentialId, token: Fingerprint) -> Facts {
        let told = self.credentials.get(id.as_str()).and_then(|entry| entry.told.as_ref());
        told.filter(|told| told.token == token.to_string()).map_or_else(Facts::default, |told| Facts {
            account: told.account.clone(),
            project_id: told.project.clone(),
            ..Facts::default()
        })
    }

    /// Notes what was told about an account; whether that was news.
    pub(super) fn set_facts(&mut self, id: &CredentialId, token: Fingerprint, facts: &Facts) -> bool {
        let says = facts.account.is_some() || facts.project_id.is_some();
        let told = says.then(|| ToldOf {
            token: token.to_string(),
            account: facts.account.clone(),
            project: facts.project_id.clone(),
        });
        if self.credentials.get(id.as_str()).and_then(|entry| entry.told.as_ref()) == told.as_ref() {
            return false;
        }
        self.credentials.entry(id.as_str().to_owned()).or_default().told = told;
        true
    }

    pub(super) fn set(&mut self, id: &CredentialId, notes: &LockNotes) {
        let told = self.credentials.get(id.as_str()).and_then(|entry| entry.told.clone());
        let entry =
            Entry {
                told,
                refused: notes.refused.map(|fingerprint| fingerprint.to_string()),
                failure: notes.failure.clone().map(|LockedFailure { at, class, until }| Failure {
                    at,
                    class,
                    until,
                }),
                failures: notes.failures,
                succeeded_at: notes.succeeded_at,
                other_client: notes.other_client.as_ref().map(|OtherClient { token, client, code }| {
                    Mismatch { token: token.to_string(), client: client.to_string(), code: code.clone() }
                }),
            };
        self.credentials.insert(id.as_str().to_owned(), entry);
    }
}

impl Entry {
    /// When it was last written; `None` sorts before every instant.
    fn written_at(&self) -> Option<DateTime<Utc>> {
        self.succeeded_at.max(self.failure.as_ref().map(|failure| failure.at))
    }
}

/// Reads any line, and what it writes for it again.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(line: &str) {
    let notes = Notes::parse(line);
    assert_eq!(Notes::parse(&notes.line()), notes);
    let mut copy = Notes::default();
    for id in notes.credentials.keys().map(|id| CredentialId::new(id)) {
        copy.set(&id, &notes.get(&id));
        assert_eq!(copy.get(&id), notes.get(&id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p3_notes_survive_their_line_and_a_torn_line_is_none() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let told = LockNotes {
            refused: Some(Fingerprint::of_bytes(b"x")),
            failure: Some(LockedFailure { at, class: "transient".to_owned(), until: at }),
            failures: 3,
            succeeded_at: Some(at),
            other_client: Some(OtherClient {
                token: Fingerprint::of_bytes(b"t"),
                client: Fingerprint::of_bytes(b"c"),
                code: "unauthorized_client".to_owned(),
            }),
        };
        let mut notes = Notes { pid: 7, ..Notes::default() };
        let id = CredentialId::new("abc");
        let (token, other) = (Fingerprint::of_bytes(b"token"), Fingerprint::of_bytes(b"other"));
        let facts = Facts {
            account: Some("a@example.com".to_owned()),
            project_id: Some("fake-project-1".to_owned()),
            ..Facts::default()
        };
        assert!(notes.set_facts(&id, token, &facts));
        notes.set(&id, &told);
        assert!(!notes.set_facts(&id, token, &facts), "it stands there, also after other notes");
        let qwen: ProviderId = "qwen_code".parse().unwrap();
        notes.set_id(2, &qwen, &id);
        let again = Notes::parse(&notes.line());
        assert_eq!(again, notes);
        assert_eq!(again.get(&id), told);
        assert_eq!(again.facts(&id, token), facts);
        assert_eq!(again.facts(&id, other), Facts::default(), "another login in the same file");
        assert_eq!(again.id(2, &qwen), Some(id));
        assert_eq!(again.id(2, &"gemini_cli".parse().unwrap()), None, "another provider's file in its place");
        let torn: String = notes.line().chars().take(20).collect();
        assert_eq!(Notes::parse(&torn), Notes::default());
    }
}
