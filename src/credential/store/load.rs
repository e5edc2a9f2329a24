//! A look at every source.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
};

use super::{
    super::{Credential, CredentialId, Dialect, Fingerprint, Login, OAuthLogin, Place, Renewal},
    Inventory, LockNotes, Rejected, SameLogin, SourceSpec, Store,
    identity::{self, Owner},
    notes::Notes,
    source::{self, Held, Source, Unread},
    state,
};
use crate::{
    fs,
    provider::{Provider, ProviderId},
    secret::Secret,
};

/// The one credential file that its tool writes without an extension.
const AGY_FILE: &str = "antigravity-oauth-token";

/// One load: what was found so far, and what it is compared with.
pub(super) struct Loader<'a> {
    store: &'a Store,
    inventory: Inventory,
    places: HashMap<(PathBuf, usize), CredentialId>,
    tokens: HashMap<Fingerprint, CredentialId>,
    ids: BTreeSet<CredentialId>,
    watch: BTreeSet<PathBuf>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self {
            store,
            inventory: Inventory::default(),
            places: HashMap::new(),
            tokens: HashMap::new(),
            ids: BTreeSet::new(),
            watch: BTreeSet::new(),
        }
    }

    /// Named sources first, then folders, each in its order.
    pub(super) fn run(mut self, sources: &[SourceSpec]) -> Inventory {
        for spec in sources {
            match spec {
                SourceSpec::Folder(_) => {}
                SourceSpec::File { variable, provider, path } => self.named_file(variable, provider, path),
                SourceSpec::Inline { variable, provider, json } => self.inline(variable, provider, json),
                SourceSpec::Key { variable, provider, key } => self.key(variable, provider, key),
            }
        }
        for spec in sources {
            if let SourceSpec::Folder(folder) = spec {
                self.folder(folder);
            }
        }
        self.inventory.watch = self.watch.into_iter().collect();
        self.inventory
    }

    fn folder(&mut self, folder: &Path) {
        self.watch.insert(folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()));
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                let folder = folder.display();
                self.inventory.warnings.push(if error.kind() == io::ErrorKind::NotFound {
                    format!("the credentials folder `{folder}` does not exist; create it (`mkdir -p {folder}`) and drop credential files there")
                } else {
                    format!("the credentials folder `{folder}` cannot be read ({}); give it to this process's user", fs::problem(&error))
                });
                return;
            }
        };
        let mut paths: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_candidate(path)).collect();
        paths.sort();
        for path in paths {
            // A file in a subfolder, a pipe or a socket is none of ours; a link to nothing is reported.
            if std::fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
                continue;
            }
            self.tighten(&path);
            let found = self.store.read_file(&path, None, &mut self.inventory.warnings);
            self.take(&path, found);
        }
    }

    fn named_file(&mut self, variable: &str, provider: &ProviderId, path: &Path) {
        let parent = fs::folder_of(path);
        self.watch.insert(parent.canonicalize().unwrap_or(parent));
        self.tighten(path);
        let found = self.store.read_file(path, Some(provider), &mut self.inventory.warnings);
        let found = found
            .map_err(|rejected| Rejected { reason: format!("{} ({variable})", rejected.reason), ..rejected });
        self.take(path, found);
    }

    /// Takes others' rights away from a file (P18).
    fn tighten(&mut self, path: &Path) {
        let label = fs::file_name(path);
        match self.store.disk.tighten(path) {
            Ok(true) => {
                self.inventory.warnings.push(format!("{label} was readable by others; its mode is 0600 now"));
            }
            Ok(false) => {}
            // Why it cannot even be looked at is told by its reading.
            Err(_) if !path.is_file() => {}
            Err(error) => self.inventory.warnings.push(format!(
                "{label} is readable by others and cannot be changed ({}); run `chmod 600` on it",
                fs::problem(&error)
            )),
        }
    }

    /// Takes what a file held, or the reason why it held nothing.
    fn take(&mut self, path: &Path, found: Result<(Vec<Credential>, Notes), Rejected>) {
        if let Ok(target) = path.canonicalize() {
            self.watch.insert(fs::folder_of(&target));
        }
        match found {
            Ok((credentials, notes)) => {
                for credential in credentials {
                    self.admit(credential, &notes);
                }
            }
            Err(rejected) => self.inventory.rejected.push(rejected),
        }
    }

    fn inline(&mut self, variable: &str, provider: &ProviderId, json: &Secret) {
        let texts = &self.store.inline;
        texts.lock().expect("no holder panics").insert(variable.to_owned(), json.clone());
        let place = || Place::Inline { variable: variable.to_owned() };
        let warnings = &mut self.inventory.warnings;
        let found = Source::parse(json.expose().to_owned())
            .map_err(|problem| (Some(provider.clone()), problem))
            .and_then(|source| {
                self.store.accounts(
                    &source,
                    Some(provider),
                    None,
                    &Notes::default(),
                    warnings,
                    variable,
                    |_| place(),
                )
            });
        match found {
            Ok(credentials) => {
                for credential in credentials {
                    let notes = source::notes_at(&self.store.state_lock(&credential.place, &credential.id));
                    self.admit(credential, &notes);
                }
            }
            Err((provider, problem)) => {
                self.inventory.rejected.push(Rejected {
                    label: variable.to_owned(),
                    provider,
                    reason: problem,
                    gone: false,
                });
            }
        }
    }

    fn key(&mut self, variable: &str, provider: &ProviderId, key: &Secret) {
        let reason = if self.store.options.providers.get(provider).is_none() {
            format!("no provider `{provider}` is known")
        } else if key.is_blank() {
            "the key is empty; paste it, or remove the variable".to_owned()
        } else {
            let credential = Credential {
                id: identity::of_key(provider, key),
                provider: provider.clone(),
                dialect: Dialect::ApiKey,
                place: Place::Key { variable: variable.to_owned() },
                login: Login::ApiKey(key.clone()),
                disabled: None,
            };
            self.admit(credential, &Notes::default());
            return;
        };
        self.inventory.rejected.push(Rejected {
            label: variable.to_owned(),
            provider: Some(provider.clone()),
            reason,
            gone: false,
        });
    }

    /// Adds a credential, unless it is a login that is there already, with what its lock file says.
    fn admit(&mut self, mut credential: Credential, notes: &Notes) {
        let label = credential.place.label();
        let (target, index) = match &credential.place {
            Place::File { target, index, .. } => (Some((target.clone(), *index)), *index),
            Place::Inline { .. } | Place::Key { .. } => (None, 0),
        };
        let token = match &credential.login {
            Login::OAuth(login) => match login.renewal {
                Renewal::RefreshToken => source::fingerprint(login),
                // One client may serve several providers.
                Renewal::ClientCredentials | Renewal::ServiceAccount => {
                    Fingerprint::of_bytes(credential.id.as_str().as_bytes())
                }
            },
            Login::ApiKey(key) => Fingerprint::of(key),
        };
        let known =
            target.as_ref().and_then(|place| self.places.get(place)).or_else(|| self.tokens.get(&token));
        if let Some(known) = known {
            self.inventory.same_login.push(SameLogin { label, credential: known.clone() });
            return;
        }
        while !self.ids.insert(credential.id.clone()) {
            credential.id = identity::of_place(&credential.id, &label, index);
        }
        if let Some(place) = target {
            self.places.insert(place, credential.id.clone());
        }
        self.tokens.insert(token, credential.id.clone());
        if let Login::OAuth(login) = &mut credential.login {
            let known = notes.facts(&credential.id, source::fingerprint(login));
            let facts = &mut login.facts;
            facts.account = facts.account.take().or(known.account);
            facts.project_id = facts.project_id.take().or(known.project_id);
        }
        let told = notes.get(&credential.id);
        if told != LockNotes::default() {
            self.inventory.notes.insert(credential.id.clone(), told);
        }
        self.inventory.credentials.push(credential);
    }
}

impl Store {
    /// Reads the accounts of one file, and the notes of its locks; what an operator should know goes to `warnings`.
    pub(super) fn read_file(
        &self,
        path: &Path,
        explicit: Option<&ProviderId>,
        warnings: &mut Vec<String>,
    ) -> Result<(Vec<Credential>, Notes), Rejected> {
        let label = fs::file_name(path);
        let rejected = |provider: Option<ProviderId>, reason: String| Rejected {
            label: label.clone(),
            provider,
            reason,
            gone: false,
        };
        let missing = |provider: Option<ProviderId>, reason: &str| Rejected {
            gone: true,
            ..rejected(provider, reason.to_owned())
        };
        let gone = || {
            if path.is_symlink() {
                "it is a link to nothing; remove it or log in again"
            } else {
                "there is no such file"
            }
        };
        let target = path.canonicalize().map_err(|_| missing(explicit.cloned(), gone()))?;
        let named = identity::by_name(path, &target, &self.options.providers);
        let guess = explicit.cloned().or_else(|| named.clone());
        if !target.is_file() {
            return Err(rejected(guess, "it is no regular file".to_owned()));
        }
        let source = self.read(&target, Held::Nothing).map_err(|unread| match unread {
            Unread::Gone => missing(guess.clone(), gone()),
            Unread::Unusable(problem) => rejected(guess.clone(), format!("{problem}; it is left as it is")),
        })?;
        let notes = self.notes_of(&target);
        let place = |index| Place::File { path: path.to_path_buf(), target: target.clone(), index };
        self.accounts(&source, explicit, named, &notes, warnings, &label, place)
            .map(|credentials| (credentials, notes))
            .map_err(|(provider, reason)| rejected(provider.or(guess), reason))
    }

    /// The accounts of a source as credentials.
    #[expect(
        clippy::too_many_arguments,
        reason = "files and inline JSON come together here, and nowhere else"
    )]
    fn accounts(
        &self,
        source: &Source,
        explicit: Option<&ProviderId>,
        named: Option<ProviderId>,
        notes: &Notes,
        warnings: &mut Vec<String>,
        label: &str,
        place: impl Fn(usize) -> Place,
    ) -> Result<Vec<Credential>, (Option<ProviderId>, String)> {
        let Some(Owner { provider, clash }) =
            identity::owner(explicit, source.hint, named, &self.options.providers)
        else {
            return Err((None, "it does not say whose login it is; name it after its provider, for example `qwen_code-1.json`".to_owned()));
        };
        warnings.extend(clash.map(|clash| format!("{label}: {clash}")));
        let fail = |reason: String| (Some(provider.clone()), reason);
        let Some(row) = self.options.providers.get(&provider) else {
            return Err(fail(format!("no provider `{provider}` is known")));
        };
        if row.oauth().is_none() {
            let variable = format!("{}_API_KEY", provider.variable_prefix());
            return Err(fail(format!("{} takes API keys, no logins; set {variable}", row.name)));
        }
        let mut found = Vec::new();
        for index in 0..source.accounts() {
            let mut credential = self
                .account(source, index, row, notes.id(index, &row.id), place(index))
                .map_err(|foreign| fail(format!("{foreign}; nothing was sent there")))?;
            let Login::OAuth(login) = &credential.login else { continue };
            if login.tokens.access.is_none() && login.tokens.refresh.is_none() {
                continue;
            }
            if login.tokens.refresh.is_none() {
                warnings.push(format!(
                    "{label} has no refresh token: log in again when its access token expires"
                ));
            }
            if source.view(index).is_disabled() {
                credential.disabled = Some("disabled in its file".to_owned());
            } else if !row.terms_accepted {
                credential.disabled =
                    Some(format!("terms not accepted: set ACCEPT_PROVIDER_TERMS={provider}"));
            }
            found.push(credential);
        }
        if found.is_empty() {
            return Err(fail("it holds no token; log in again with the tool that wrote it".to_owned()));
        }
        Ok(found)
    }

    /// One account as a credential, with what `STATE_DIR/tokens` keeps for it.
    fn account(
        &self,
        source: &Source,
        index: usize,
        row: &Provider,
        remembered: Option<CredentialId>,
        place: Place,
    ) -> Result<Credential, super::super::dialect::Foreign> {
        let mut login = source.view(index).login(row)?;
        let id = match (login.renewal, remembered, &login.facts.account) {
            (Renewal::ClientCredentials | Renewal::ServiceAccount, _, _) => identity::of_client(row, &login),
            (Renewal::RefreshToken, Some(remembered), _) => remembered,
            (Renewal::RefreshToken, None, Some(account)) => identity::of_account(&row.id, account),
            (Renewal::RefreshToken, None, None) => identity::of_tokens(&row.id, &login),
        };
        self.add_state(&id, &mut login, row, Held::Nothing);
        Ok(Credential {
            id,
            provider: row.id.clone(),
            dialect: source.layout.dialect,
            place,
            login: Login::OAuth(Box::new(login)),
            disabled: None,
        })
    }

    /// Puts what `STATE_DIR/tokens` keeps for a login over it.
    pub(super) fn add_state(&self, id: &CredentialId, login: &mut OAuthLogin, row: &Provider, held: Held) {
        if let Some(kept) = self.read_state(id, source::fingerprint(login), held) {
            state::overlay(login, &kept, row);
        }
    }
}

/// Whether a name in the credentials folder is a credential's.
fn is_candidate(path: &Path) -> bool {
    let name = fs::file_name(path);
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    !name.starts_with('.') && (is_json || name == AGY_FILE)
}
