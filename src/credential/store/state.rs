//! `STATE_DIR/tokens`: tokens whose source has no place for them, and the recovery journal.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    super::{
        CredentialId, Fingerprint, OAuthLogin, Place, Renewal,
        dialect::{self, View, simple},
        document::Document,
    },
    Store,
    source::{self, Held, Source, Unread},
};
use crate::{fs, provider::Provider};

/// A write that is not finished.
pub(super) struct Journal {
    /// The token it replaces.
    pub(super) replaces: Fingerprint,
    /// Whether the file is written where it stands, so that it may be found broken.
    pub(super) in_place: bool,
    /// The whole new text of the file.
    pub(super) text: String,
}

/// A journal as it is written.
#[derive(Serialize, Deserialize)]
struct JournalFile {
    /// The file's own name, for a person who finds the journal.
    file: String,
    replaces: String,
    in_place: bool,
    text: String,
}

impl Store {
    pub(super) fn tokens_folder(&self) -> PathBuf {
        self.options.state_dir.join("tokens")
    }

    /// Where a credential's tokens rest when they have no place of their own.
    pub(super) fn state_path(&self, id: &CredentialId) -> PathBuf {
        self.tokens_folder().join(format!("{id}.json"))
    }

    /// Makes the folder.
    pub(super) fn create_tokens_folder(&self) -> io::Result<()> {
        self.disk.create_folder(&self.tokens_folder())
    }

    /// Proves that the folder can take a token.
    pub(super) fn prove_state(&self, id: &CredentialId, bytes: usize) -> io::Result<()> {
        self.create_tokens_folder()?;
        self.disk.prove_writable(&source::probe(&self.state_path(id)), bytes)
    }

    /// The tokens kept for a source, unless the source changed since: then it wins.
    pub(super) fn read_state(&self, id: &CredentialId, origin: Fingerprint, held: Held) -> Option<Source> {
        let path = self.state_path(id);
        let kept = match self.read(&path, held) {
            Ok(kept) => kept,
            Err(Unread::Gone) => {
                // The very first write was cut: its temporary file is named by the source's own token.
                let orphan = source::temporary(&path, origin);
                let kept = source::read_plain(&orphan).ok()?;
                // Without the lock its writer may still be at work: what it holds counts, the file stays where it is.
                if held == Held::Lock && belongs_to(&kept, origin) && self.disk.rename(&orphan, &path).is_ok()
                {
                    tracing::info!(credential.id = %id, "Adopted the token of an interrupted write");
                }
                kept
            }
            Err(Unread::Unusable(problem)) => {
                tracing::warn!(credential.id = %id, problem, "The saved token cannot be read; the source counts");
                return None;
            }
        };
        belongs_to(&kept, origin).then_some(kept)
    }

    /// Keeps a login for a source. Says whether anything was written.
    pub(super) fn write_state(
        &self,
        id: &CredentialId,
        origin: Fingerprint,
        login: &OAuthLogin,
        provider: &Provider,
    ) -> io::Result<Wrote> {
        let login = &without_source_secret(login);
        let path = self.state_path(id);
        let standing = self.read(&path, Held::Lock).ok();
        let replaced = standing.as_ref().and_then(|standing| standing.token(0)).unwrap_or(origin);
        let fresh = || {
            // `expires_at` stands there from the start, so that the text is always told as the simple form.
            let text = json!({ "source": origin.to_string(), "token_type": "Bearer", "expires_at": 0.0 });
            Document::parse(text.to_string()).expect("written one line above")
        };
        let before = standing.filter(|kept| belongs_to(kept, origin)).map(|kept| kept.document);
        let mut document = before.clone().unwrap_or_else(fresh);
        dialect::apply(&mut document, &simple::LAYOUT, 0, login, provider, self.options.clock.now());
        if before.is_some_and(|before| before.text() == document.text()) {
            return Ok(Wrote::Nothing);
        }
        self.create_tokens_folder()?;
        self.disk.replace(&path, &source::temporary(&path, replaced), document.text().as_bytes())?;
        Ok(Wrote::File)
    }

    /// Forgets what was kept: the source holds it again.
    pub(super) fn remove_state(&self, id: &CredentialId) {
        let path = self.state_path(id);
        if path.exists()
            && let Err(error) = self.disk.remove(&path)
        {
            tracing::warn!(credential.id = %id, problem = %fs::problem(&error), "An old saved token could not be removed");
        }
    }

    /// The lock of a place beside which nothing can be put: by the file, so that all its accounts share one and its notes are
    /// found before an id is known; by the credential where there is no file.
    pub(super) fn state_lock(&self, place: &Place, id: &CredentialId) -> PathBuf {
        match place {
            Place::File { target, .. } => self.by_target(target, "lock"),
            Place::Inline { .. } | Place::Key { .. } => source::sidecar(&self.state_path(id)),
        }
    }

    /// By the target, not by a credential's id: a file that was cut in the middle tells no id.
    pub(super) fn by_target(&self, target: &Path, extension: &str) -> PathBuf {
        let key = Fingerprint::of_bytes(target.as_os_str().as_encoded_bytes());
        self.tokens_folder().join(format!("{key}.{extension}"))
    }

    pub(super) fn journal_path(&self, target: &Path) -> PathBuf {
        self.by_target(target, "journal")
    }

    pub(super) fn has_journal(&self, target: &Path) -> bool {
        self.journal_path(target).exists()
    }

    /// A journal that was written and had not yet taken its name, by the token that it replaces: from its last byte on, it
    /// is as good as one that had.
    pub(super) fn orphaned_journal(&self, target: &Path, replaces: Fingerprint) -> PathBuf {
        source::temporary(&self.journal_path(target), replaces)
    }

    /// Gives an orphaned journal its name. The caller holds the target's lock. One that does not parse was cut before it was
    /// complete; the next has its name.
    pub(super) fn adopt_journal(&self, target: &Path, replaces: Fingerprint) {
        let orphan = self.orphaned_journal(target, replaces);
        if read_journal(&orphan).is_some()
            && let Err(error) = self.disk.rename(&orphan, &self.journal_path(target))
        {
            tracing::warn!(file = %fs::file_name(target), problem = %fs::problem(&error), "An unfinished recovery journal stays as it is");
        }
    }

    /// The unfinished write of a target.
    pub(super) fn journal(&self, target: &Path) -> Option<Journal> {
        read_journal(&self.journal_path(target))
    }

    /// Notes a write that is to follow, or that failed, durably. Says where.
    pub(super) fn write_journal(
        &self,
        target: &Path,
        replaces: Fingerprint,
        text: &str,
        reason: Reason,
    ) -> io::Result<PathBuf> {
        let in_place = match reason {
            Reason::InPlace => true,
            Reason::Failed => false,
        };
        let journal = JournalFile {
            file: fs::file_name(target),
            replaces: replaces.to_string(),
            in_place,
            text: text.to_owned(),
        };
        let line = serde_json::to_string(&journal)?;
        self.create_tokens_folder()?;
        let path = self.journal_path(target);
        self.disk.replace(&path, &source::temporary(&path, replaces), line.as_bytes())?;
        Ok(path)
    }

    /// Keeps a write that failed. The journal of a write in place stays as it is: the file may be cut in the middle.
    pub(super) fn keep_journal(
        &self,
        target: &Path,
        replaces: Fingerprint,
        text: &str,
    ) -> io::Result<PathBuf> {
        match self.journal(target) {
            Some(journal) if journal.text == text => Ok(self.journal_path(target)),
            Some(_) | None => self.write_journal(target, replaces, text, Reason::Failed),
        }
    }

    /// Forgets the unfinished write of a target over this token.
    pub(super) fn remove_journal(&self, target: &Path, replaced: Fingerprint) -> io::Result<()> {
        for path in [self.journal_path(target), self.orphaned_journal(target, replaced)] {
            if path.exists() {
                self.disk.remove(&path)?;
            }
        }
        Ok(())
    }
}

/// Whether a state file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    File,
    Nothing,
}

/// Why a journal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The file is about to be written where it stands.
    InPlace,
    /// The file could not be written.
    Failed,
}

fn read_journal(path: &Path) -> Option<Journal> {
    let text = std::fs::read_to_string(path).ok()?;
    let JournalFile { replaces, in_place, text, .. } = serde_json::from_str(&text).ok()?;
    Some(Journal { replaces: Fingerprint::parse(&replaces)?, in_place, text })
}

fn belongs_to(kept: &Source, origin: Fingerprint) -> bool {
    kept.document.value().get("source").and_then(serde_json::Value::as_str)
        == Some(origin.to_string().as_str())
}

/// The login without what stays in its source: a client's secret is no token, and nobody needs a second copy of it.
fn without_source_secret(login: &OAuthLogin) -> OAuthLogin {
    let mut kept = login.clone();
    match login.renewal {
        Renewal::RefreshToken => {}
        Renewal::ClientCredentials | Renewal::ServiceAccount => kept.tokens.refresh = None,
    }
    kept
}

/// What was kept, over what the source says.
pub(super) fn overlay(login: &mut OAuthLogin, kept: &Source, provider: &Provider) {
    // An address that is foreign by now is no reason to lose the token: such a state file is as good as none.
    let Ok(kept) = View::new(&kept.document, &simple::LAYOUT, 0).login(provider) else { return };
    let rotated = kept.tokens.refresh.is_some() && kept.tokens.refresh != login.tokens.refresh;
    if rotated || login.tokens.access.is_none() || kept.tokens.expires_at > login.tokens.expires_at {
        let refresh = kept.tokens.refresh.clone().or_else(|| login.tokens.refresh.clone());
        login.tokens = super::super::Tokens { refresh, ..kept.tokens };
    }
    let (facts, known) = (&mut login.facts, kept.facts);
    facts.account = facts.account.take().or(known.account);
    facts.project_id = facts.project_id.take().or(known.project_id);
    facts.resource_url = known.resource_url.or_else(|| facts.resource_url.take());
    facts.api_key = known.api_key.or_else(|| facts.api_key.take());
}
