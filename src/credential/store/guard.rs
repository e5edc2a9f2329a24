//! A credential's place, locked: read again, proven writable, written.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    super::{Credential, CredentialId, Facts, Fingerprint, Login, OAuthLogin, Place, StoreError, dialect},
    LockNotes, Saved, Store,
    notes::Notes,
    source::{self, Held, Source, Unread},
    state::{Reason, Wrote},
};
use crate::{
    fs::{self, FileLock, Holder, LockError, ReplaceError},
    provider::Provider,
};

/// The lock of one credential's place, held. Dropping it, or dying, frees it.
#[derive(Debug)]
pub struct Guard {
    store: Store,
    credential: Credential,
    /// The lock with the notes: beside the file, else in the state folder. An inode holds none, its content is a credential.
    lock: Option<FileLock>,
    /// Held for those who can lock nothing else.
    _inode: Option<FileLock>,
    notes: Notes,
    destination: Option<Destination>,
    /// The refresh token that stood in the file itself when it was last read, whatever a journal held.
    seen: Option<Fingerprint>,
}

/// Where a save goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    /// The file, by a temporary one that takes its name.
    Replace,
    /// The file, where it stands, behind a journal: it is a mount point, or its folder takes no new files (P17).
    WriteInPlace,
    /// `STATE_DIR/tokens`.
    State,
}

impl Guard {
    pub(super) fn acquire(
        store: &Store,
        credential: &Credential,
        wait: Duration,
    ) -> Result<Self, StoreError> {
        let label = credential.place.label();
        let failed = |error: LockError| match error {
            LockError::Held { notes, waited } => held(&label, &notes, waited),
            LockError::Io(error) => not_writable(&label, &error),
        };
        let (mut lock, inode) = match &credential.place {
            Place::File { target, .. } if !credential.dialect.is_read_only() => {
                if !target.exists() {
                    return Err(StoreError::Gone { path: label });
                }
                let locks = store.lock_file(target, wait).map_err(failed)?;
                (locks.sidecar, locks.inode)
            }
            Place::File { .. } | Place::Inline { .. } | Place::Key { .. } => (None, None),
        };
        if lock.is_none() {
            let path = store.state_lock(&credential.place, &credential.id);
            let taken = store
                .create_tokens_folder()
                .map_err(LockError::Io)
                .and_then(|()| FileLock::acquire(&store.disk, &path, Holder::Sidecar, wait));
            lock = match taken {
                Ok(lock) => Some(lock),
                // The inode alone, without notes.
                Err(LockError::Io(_)) if inode.is_some() => None,
                Err(error) => return Err(failed(error)),
            };
        }
        let notes = lock.as_mut().and_then(|lock| lock.notes().ok()).unwrap_or_default();
        let mut notes = Notes::parse(&notes);
        if let Place::File { target, .. } = &credential.place {
            // Of those who lock it by another file.
            notes = notes.with(store.notes_of(target));
        }
        let mut guard = Self {
            store: store.clone(),
            credential: credential.clone(),
            lock,
            _inode: inode,
            notes: notes.held_by(std::process::id()),
            destination: None,
            seen: None,
        };
        if let (Place::File { index, .. }, None) = (&credential.place, guard.account()) {
            guard.notes.set_id(*index, &credential.provider, &credential.id);
        }
        // Who holds the lock is a courtesy to those who wait.
        drop(guard.write_notes());
        Ok(guard)
    }

    /// The login as it stands in its place now, orphans adopted. Read under the lock before each refresh (P5).
    pub fn read(&mut self) -> Result<OAuthLogin, StoreError> {
        let (source, index) = self.source()?;
        self.seen = self.standing();
        let row = self.row()?.clone();
        let mut login = source
            .view(index)
            .login(&row)
            .map_err(|foreign| self.unreadable(format!("{foreign}; nothing was sent there")))?;
        self.store.add_state(&self.credential.id, &mut login, &row, Held::Lock);
        Ok(login)
    }

    /// What the lock file says.
    pub fn notes(&self) -> LockNotes {
        self.notes.get(&self.credential.id)
    }

    /// Writes the lock file's notes.
    pub fn set_notes(&mut self, notes: &LockNotes) -> Result<(), StoreError> {
        if self.notes.get(&self.credential.id) == *notes {
            return Ok(());
        }
        self.notes.set(&self.credential.id, notes);
        self.write_notes().map_err(|error| not_writable(&self.credential.place.label(), &error))
    }

    /// Notes what is known about the account and its place does not hold, for the next start.
    pub fn note_facts(&mut self, login: &OAuthLogin) -> Result<(), StoreError> {
        let Ok(held) = self.read() else { return Ok(()) };
        let id = &self.credential.id;
        // A grant knows what was known when it was asked for.
        let noted = match &self.credential.login {
            Login::OAuth(before) => self.notes.facts(id, source::fingerprint(before)),
            Login::ApiKey(_) => Facts::default(),
        };
        let missing = |known: &Option<String>, noted: Option<String>, held: Option<String>| {
            known.clone().or(noted).filter(|known| held.as_ref() != Some(known))
        };
        let facts = Facts {
            account: missing(&login.facts.account, noted.account, held.facts.account),
            project_id: missing(&login.facts.project_id, noted.project_id, held.facts.project_id),
            ..Facts::default()
        };
        if !self.notes.set_facts(&self.credential.id, source::fingerprint(login), &facts) {
            return Ok(());
        }
        self.write_notes().map_err(|error| not_writable(&self.credential.place.label(), &error))
    }

    /// Proves that a save will find a place (P13), before a token is spent. Says where.
    ///
    /// `rotates`: whether the refresh ends the old refresh token; the state folder then needs `ALLOW_STATE_WRITEBACK`
    /// for credentials that have a place of their own.
    pub fn prove_writable(&mut self, rotates: bool) -> Result<Saved, StoreError> {
        let destination = self.prove(rotates)?;
        self.destination = Some(destination);
        Ok(match destination {
            Destination::Replace | Destination::WriteInPlace => Saved::InPlace,
            Destination::State => Saved::InState,
        })
    }

    /// Writes the new login, merged into what stands there now: unknown keys, their order and others' changes
    /// survive (P16). Returns when the directory is on disk (P12). Where somebody wrote another login since the last
    /// [`Guard::read`], nothing is written.
    pub fn save(&mut self, login: &OAuthLogin) -> Result<Saved, StoreError> {
        let row = self.row()?.clone();
        let destination = match self.destination {
            Some(destination) => destination,
            None => *self.destination.insert(self.prove(row.oauth().is_some_and(|spec| spec.rotates))?),
        };
        let saved = match (destination, self.target()) {
            (Destination::State, _) | (_, None) => self.save_in_state(login, &row),
            (Destination::Replace | Destination::WriteInPlace, Some(target)) => {
                self.save_in_file(&target, login, &row, destination)
            }
        }?;
        if saved == Saved::Superseded {
            return Ok(saved);
        }
        self.seen = self.standing();
        if let Err(problem) = self.note_facts(login) {
            tracing::debug!(credential.id = %self.credential.id, reason = %problem, "What is known about an account could not be noted");
        }
        self.credential.login = Login::OAuth(Box::new(login.clone()));
        Ok(saved)
    }

    fn prove(&self, rotates: bool) -> Result<Destination, StoreError> {
        let label = self.credential.place.label();
        let Login::OAuth(_) = self.credential.login else {
            return Err(self.unreadable("an API key has nothing to save".to_owned()));
        };
        let (source, _) = self.source()?;
        let bytes = source.document.text().len();
        let state = || {
            self.store.prove_state(&self.credential.id, bytes).map_err(|error| StoreError::NotWritable {
                path: label.clone(),
                problem: fs::problem(&error),
                remedy: "make its folder or STATE_DIR writable for this process; the old token is kept and no new one was asked for".to_owned(),
            })
        };
        let Some(target) = self.target().filter(|_| source.layout.keeps_access_tokens()) else {
            return state().map(|()| Destination::State);
        };
        let disk = &self.store.disk;
        let mounted = fs::is_mount_point(&target);
        let replace = if mounted {
            Err(io::ErrorKind::ResourceBusy.into())
        } else {
            disk.prove_writable(&source::probe(&target), bytes)
        };
        let Err(error) = replace else { return Ok(Destination::Replace) };
        let in_place = matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::PermissionDenied);
        if in_place && disk.prove_openable(&target).is_ok() && state().is_ok() {
            return Ok(Destination::WriteInPlace);
        }
        if rotates && !self.store.options.allow_state_writeback {
            return Err(StoreError::NotWritable {
                path: label.clone(),
                problem: fs::problem(&error),
                remedy: "make it writable for this process, or set ALLOW_STATE_WRITEBACK=1 if nobody else uses this login: a refresh ends the token in the file".to_owned(),
            });
        }
        state().map(|()| Destination::State)
    }

    fn save_in_file(
        &self,
        target: &Path,
        login: &OAuthLogin,
        row: &Provider,
        destination: Destination,
    ) -> Result<Saved, StoreError> {
        let lost = |problem: String| StoreError::NotSaved {
            path: self.credential.place.label(),
            problem,
            journal: None,
        };
        // Not `Store::read`: what is written over is the file itself, whatever a journal holds.
        let standing = source::read_plain(target).map_err(|unread| match unread {
            Unread::Gone => lost("the file is gone".to_owned()),
            Unread::Unusable(problem) => lost(problem),
        })?;
        let index =
            self.find(&standing).ok_or_else(|| lost("the account is no longer in the file".to_owned()))?;
        if self.is_superseded(&standing, index, login) {
            return Ok(Saved::Superseded);
        }
        let replaced = standing.token(index).unwrap_or_else(|| Fingerprint::of_bytes(b""));
        let mut document = standing.document.clone();
        dialect::apply(&mut document, standing.layout, index, login, row, self.store.options.clock.now());
        let text = document.text();
        if text == standing.document.text() {
            return Ok(Saved::Unchanged);
        }
        let temporary = source::temporary(target, replaced);
        let written = match destination {
            Destination::WriteInPlace => self.write_in_place(target, replaced, text),
            Destination::Replace | Destination::State => {
                match self.store.disk.replace(target, &temporary, text.as_bytes()) {
                    Ok(_) => Ok(()),
                    Err(ReplaceError::NotRenamed(error)) if error.kind() == io::ErrorKind::ResourceBusy => {
                        let written = self.write_in_place(target, replaced, text);
                        written.and_then(|()| self.store.disk.remove(&temporary))
                    }
                    Err(error) => Err(error.into()),
                }
            }
        };
        if let Err(error) = written {
            return Err(StoreError::NotSaved {
                path: self.credential.place.label(),
                problem: fs::problem(&error),
                journal: self.store.keep_journal(target, replaced, text).ok(),
            });
        }
        // What an earlier failure left is in the file now, or older than it.
        if let Err(error) = self.store.remove_journal(target, replaced) {
            tracing::warn!(file = %fs::file_name(target), problem = %fs::problem(&error), "An old recovery journal could not be removed");
        }
        self.store.remove_state(&self.credential.id);
        self.store.sweep(target);
        Ok(Saved::InPlace)
    }

    fn write_in_place(&self, target: &Path, replaced: Fingerprint, text: &str) -> io::Result<()> {
        self.store.write_journal(target, replaced, text, Reason::InPlace)?;
        self.store.disk.write_in_place(target, text.as_bytes())?;
        self.store.remove_journal(target, replaced)
    }

    fn save_in_state(&self, login: &OAuthLogin, row: &Provider) -> Result<Saved, StoreError> {
        let (source, index) = self.source()?;
        if let Some(plain) = self.target().and_then(|target| source::read_plain(&target).ok())
            && let Some(index) = self.find(&plain)
            && self.is_superseded(&plain, index, login)
        {
            return Ok(Saved::Superseded);
        }
        let origin = source.token(index).unwrap_or_else(|| Fingerprint::of_bytes(b""));
        let id = &self.credential.id;
        let failed = |error: io::Error| StoreError::NotSaved {
            path: self.credential.place.label(),
            problem: fs::problem(&error),
            journal: None,
        };
        let wrote = self.store.write_state(id, origin, login, row).map_err(failed)?;
        // An account list takes a rotated refresh token; the state file is then kept for that one.
        if let (Some(target), Some(_)) = (self.target(), source.layout.list) {
            match self.save_in_file_of_list(&target, &source, index, login, row) {
                Ok(Some(origin)) => {
                    self.store.write_state(id, origin, login, row).map_err(failed)?;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(
                    credential.id = %id, problem = %fs::problem(&error),
                    "The account list could not be written; its new token is kept in the state folder"
                ),
            }
        }
        Ok(match wrote {
            Wrote::File => Saved::InState,
            Wrote::Nothing => Saved::Unchanged,
        })
    }

    /// Writes what an account list has a place for. Says the account's new origin when its token changed.
    fn save_in_file_of_list(
        &self,
        target: &Path,
        source: &Source,
        index: usize,
        login: &OAuthLogin,
        row: &Provider,
    ) -> io::Result<Option<Fingerprint>> {
        let mut changed = source.clone();
        dialect::apply(
            &mut changed.document,
            source.layout,
            index,
            login,
            row,
            self.store.options.clock.now(),
        );
        let text = changed.document.text();
        let (Some(old), Some(new)) = (source.token(index), changed.token(index)) else { return Ok(None) };
        if text != source.document.text() {
            self.store.disk.replace(target, &source::temporary(target, old), text.as_bytes())?;
        }
        Ok((old != new).then_some(new))
    }

    /// What the refresh token in the file itself is known by.
    fn standing(&self) -> Option<Fingerprint> {
        let plain = source::read_plain(&self.target()?).ok()?;
        let index = self.find(&plain)?;
        plain.view(index).refresh().as_ref().map(Fingerprint::of)
    }

    /// Whether the file holds neither the refresh token that was read nor the one to save: a login of somebody who takes
    /// no lock.
    fn is_superseded(&self, plain: &Source, index: usize, login: &OAuthLogin) -> bool {
        let standing = plain.view(index).refresh().as_ref().map(Fingerprint::of);
        let saving = login.tokens.refresh.as_ref().map(Fingerprint::of);
        self.seen.is_some() && standing.is_some() && standing != self.seen && standing != saving
    }

    /// The document as it counts now, and the account's index in it.
    fn source(&self) -> Result<(Source, usize), StoreError> {
        let path = self.credential.place.label();
        let source = match &self.credential.place {
            Place::File { target, .. } => {
                self.store.read(target, Held::Lock).map_err(|unread| match unread {
                    Unread::Gone => StoreError::Gone { path: path.clone() },
                    Unread::Unusable(problem) => StoreError::Unreadable { path: path.clone(), problem },
                })?
            }
            Place::Inline { .. } | Place::Key { .. } => self.inline()?,
        };
        let index = self.find(&source).ok_or(StoreError::Gone { path })?;
        Ok((source, index))
    }

    fn inline(&self) -> Result<Source, StoreError> {
        let label = self.credential.place.label();
        let text = self.store.inline.lock().expect("no holder panics").get(&label).cloned();
        let text = text.ok_or_else(|| StoreError::Gone { path: label.clone() })?;
        Source::parse(text.expose().to_owned())
            .map_err(|problem| StoreError::Unreadable { path: label, problem })
    }

    /// Which account of a document this credential is: in a list by name, then by token, then by position.
    fn find(&self, source: &Source) -> Option<usize> {
        let at = match &self.credential.place {
            Place::File { index, .. } => *index,
            Place::Inline { .. } | Place::Key { .. } => 0,
        };
        if source.layout.list.is_none() {
            return Some(0);
        }
        let accounts = || 0..source.accounts();
        if let Some(account) = self.account() {
            let named = |index: &usize| source.view(*index).account();
            if let Some(index) = accounts().find(|index| named(index).as_deref() == Some(account)) {
                return Some(index);
            }
            // Its name may have been learned from the provider and not stand there.
            if accounts().all(|index| named(&index).is_some()) {
                return None;
            }
        }
        let Login::OAuth(login) = &self.credential.login else { return None };
        let token = source::fingerprint(login);
        let by_token = accounts().find(|index| source.token(*index) == Some(token));
        by_token.or_else(|| accounts().find(|index| *index == at))
    }

    fn account(&self) -> Option<&str> {
        match &self.credential.login {
            Login::OAuth(login) => login.facts.account.as_deref(),
            Login::ApiKey(_) => None,
        }
    }

    /// Whose lock it is.
    pub(super) fn id(&self) -> &CredentialId {
        &self.credential.id
    }

    /// Where it rests.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn target(&self) -> Option<PathBuf> {
        match &self.credential.place {
            Place::File { target, .. } => Some(target.clone()),
            Place::Inline { .. } | Place::Key { .. } => None,
        }
    }

    fn row(&self) -> Result<&Provider, StoreError> {
        let provider = &self.credential.provider;
        let row = self.store.options.providers.get(provider);
        row.ok_or_else(|| self.unreadable(format!("no provider `{provider}` is known")))
    }

    fn unreadable(&self, problem: String) -> StoreError {
        StoreError::Unreadable { path: self.credential.place.label(), problem }
    }

    fn write_notes(&mut self) -> io::Result<()> {
        let line = self.notes.line();
        self.lock.as_mut().map_or(Ok(()), |lock| lock.set_notes(&line))
    }
}

fn held(label: &str, notes: &str, waited: Duration) -> StoreError {
    let holder = Notes::parse(notes.lines().next().unwrap_or_default()).holder();
    StoreError::Locked { path: label.to_owned(), holder, waited }
}

fn not_writable(label: &str, error: &io::Error) -> StoreError {
    StoreError::NotWritable {
        path: label.to_owned(),
        problem: fs::problem(error),
        remedy: "make its folder or STATE_DIR writable for this process".to_owned(),
    }
}
