//! What a dialect is, as data: where each thing stands. Reading and writing go by the same table, so that what is
//! read somewhere is written back there.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    super::{
        Dialect, Facts, OAuthLogin, Renewal, Tokens,
        document::{Document, Key},
        expiry::{self, Notation},
    },
    endpoints::{self, Foreign},
};
use crate::{
    provider::{OAuthClient, Provider},
    secret::Secret,
};

/// The names that lead to a value.
pub(crate) type Path = &'static [&'static str];

/// Where a thing may stand: the first that is there is read; all that are there are rewritten; where none is, the first is
/// added. Empty: the notation has no place for it.
pub(crate) type Field = &'static [Path];

/// A dialect's table.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Whose notation.
    pub(crate) dialect: Dialect,
    /// What `refresh` holds.
    pub(crate) renewal: Renewal,
    /// The array whose elements are the accounts; `None` where the file is one account.
    pub(crate) list: Option<&'static str>,
    pub(crate) access: Field,
    pub(crate) refresh: Field,
    pub(crate) expiry: Field,
    /// How the dialect's own program spells `expiry`, where the file does not show it.
    pub(crate) expiry_notation: Notation,
    /// Seconds of life, rewritten after a grant where they stand.
    pub(crate) lifetime: Field,
    /// Instants of the last grant, rewritten after one where they stand.
    pub(crate) issued: Field,
    pub(crate) account: Field,
    /// A JWT (RFC 7519) whose `email` claim names the account.
    pub(crate) id_token: Field,
    pub(crate) project: Field,
    pub(crate) resource_url: Field,
    pub(crate) api_key: Field,
    pub(crate) client_id: Field,
    pub(crate) client_secret: Field,
    /// Which of several keys `refresh` is.
    pub(crate) key_id: Field,
    pub(crate) token_uri: Field,
    /// Other addresses that a secret would follow: checked, never used.
    pub(crate) base_url: Field,
    /// Google's `universe_domain`: checked, never used.
    pub(crate) universe: Field,
    /// `true` in one of them means disabled.
    pub(crate) off: Field,
    /// `false` in one of them means disabled.
    pub(crate) on: Field,
}

impl Layout {
    /// A table without places.
    pub(crate) const EMPTY: Self = Self {
        dialect: Dialect::Simple,
        renewal: Renewal::RefreshToken,
        list: None,
        access: &[],
        refresh: &[],
        expiry: &[],
        expiry_notation: Notation::SECONDS_FLOAT,
        lifetime: &[],
        issued: &[],
        account: &[],
        id_token: &[],
        project: &[],
        resource_url: &[],
        api_key: &[],
        client_id: &[],
        client_secret: &[],
        key_id: &[],
        token_uri: &[&["token_uri"]],
        base_url: &[&["base_url"]],
        universe: &[&["universe_domain"]],
        off: &[],
        on: &[],
    };

    /// Whether an access token has a place here.
    pub(crate) fn keeps_access_tokens(&self) -> bool {
        !self.access.is_empty()
    }

    /// How many accounts a document holds.
    pub(crate) fn accounts(&self, document: &Document) -> usize {
        match self.list {
            None => 1,
            Some(list) => document.value().get(list).and_then(Value::as_array).map_or(0, Vec::len),
        }
    }
}

/// One account of a document, seen through its dialect's table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    document: &'a Document,
    layout: &'static Layout,
    index: usize,
}

impl<'a> View<'a> {
    /// The account at `index`.
    pub(crate) fn new(document: &'a Document, layout: &'static Layout, index: usize) -> Self {
        Self { document, layout, index }
    }

    fn value(&self, field: Field) -> Option<&'a Value> {
        let found = |path: &Path| self.document.get(&full(self.layout, self.index, path));
        field.iter().find_map(|path| found(path).filter(|value| !value.is_null()))
    }

    /// A text that is not blank.
    fn text(&self, field: Field) -> Option<&'a str> {
        self.value(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }

    fn secret(&self, field: Field) -> Option<Secret> {
        self.text(field).map(Secret::new)
    }

    pub(crate) fn access(&self) -> Option<Secret> {
        self.secret(self.layout.access)
    }

    pub(crate) fn refresh(&self) -> Option<Secret> {
        self.secret(self.layout.refresh)
    }

    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        let usual = self.layout.expiry_notation;
        let written = self.value(self.layout.expiry).and_then(|value| expiry::read(value, usual).0);
        written.or_else(|| {
            // CLIProxyAPI's Antigravity files: seconds of life after an instant in milliseconds.
            let issued = self.value(self.layout.issued)?;
            let issued = expiry::read(issued, Notation::MILLIS).0?;
            let lifetime = self.value(self.layout.lifetime)?.as_u64()?;
            issued.checked_add_signed(chrono::TimeDelta::from_std(Duration::from_secs(lifetime)).ok()?)
        })
    }

    pub(crate) fn account(&self) -> Option<String> {
        self.text(self.layout.account)
            .map(|account| account.trim().to_owned())
            .or_else(|| email_claim(self.text(self.layout.id_token)?))
    }

    /// The first project: historic CLIProxyAPI files hold a comma-separated list.
    fn project(&self) -> Option<&'a str> {
        let first = self.text(self.layout.project)?.split(',').next()?.trim();
        (!first.is_empty()).then_some(first)
    }

    /// Whether the file itself says that this account is off.
    pub(crate) fn is_disabled(&self) -> bool {
        let says = |field: Field, word: bool| {
            field.iter().any(|path| {
                let value = self.document.get(&full(self.layout, self.index, path));
                value.and_then(Value::as_bool) == Some(word)
            })
        };
        says(self.layout.off, true) || says(self.layout.on, false)
    }

    /// The login, its addresses checked against the provider's row ("where secrets may go").
    pub(crate) fn login(&self, provider: &Provider) -> Result<OAuthLogin, Foreign> {
        if let Some(base) = self.text(self.layout.base_url) {
            endpoints::check(base, provider)?;
        }
        if let Some(domain) = self.text(self.layout.universe) {
            endpoints::check(domain, provider)?;
        }
        let token_endpoint = match self.text(self.layout.token_uri) {
            Some(text) => endpoints::token_endpoint(text, provider)?,
            None => None,
        };
        let resource_url = match self.text(self.layout.resource_url) {
            Some(text) => endpoints::resource_url(text, provider)?,
            None => None,
        };
        Ok(OAuthLogin {
            tokens: Tokens {
                access: self.access(),
                refresh: self.refresh(),
                expires_at: self.expires_at(),
                lifetime: None,
            },
            renewal: self.layout.renewal,
            key_id: self.text(self.layout.key_id).map(str::to_owned),
            client: self.client(provider),
            token_endpoint,
            facts: Facts {
                account: self.account(),
                project_id: self.project().map(str::to_owned),
                resource_url,
                api_key: self.secret(self.layout.api_key),
            },
        })
    }

    /// The file's own client. An id alone that is the row's own says nothing new: the configured secret belongs to it.
    fn client(&self, provider: &Provider) -> Option<OAuthClient> {
        let id = self.text(self.layout.client_id)?.to_owned();
        let secret = self.secret(self.layout.client_secret);
        let known = provider.oauth().and_then(|spec| spec.client_id.as_ref()) == Some(&id);
        (secret.is_some() || !known).then_some(OAuthClient { id, secret })
    }
}

/// Writes a login over the account at `index`. What is `None` changes nothing: a grant without a refresh token must never
/// wipe the old one. `now` goes where the dialect notes the instant of the last grant.
pub(crate) fn apply(
    document: &mut Document,
    layout: &'static Layout,
    index: usize,
    login: &OAuthLogin,
    provider: &Provider,
    now: DateTime<Utc>,
) {
    let view = View::new(document, layout, index);
    let (access, refresh, expires_at) = (view.access(), view.refresh(), view.expires_at());
    let (account, project) = (view.account(), view.project().map(str::to_owned));
    let resource_url = view
        .text(layout.resource_url)
        .and_then(|text| endpoints::resource_url(text, provider).ok().flatten());
    let api_key = view.secret(layout.api_key);

    let tokens = &login.tokens;
    let changed = |new: Option<&Secret>, old: Option<&Secret>| new.is_some() && new != old;
    let granted = changed(tokens.access.as_ref(), access.as_ref())
        || changed(tokens.refresh.as_ref(), refresh.as_ref());
    let mut editor = Editor { document, layout, index };
    if let Some(new) = tokens.access.as_ref().filter(|new| access.as_ref() != Some(*new)) {
        editor.put(layout.access, &Value::from(new.expose()));
    }
    if let Some(new) = tokens.refresh.as_ref().filter(|new| refresh.as_ref() != Some(*new)) {
        editor.put(layout.refresh, &Value::from(new.expose()));
    }
    if let Some(new) = tokens.expires_at.filter(|new| expires_at != Some(*new)) {
        let usual = layout.expiry_notation;
        if !editor.rewrite(layout.expiry, |old| expiry::write(new, expiry::read(old, usual).1)) {
            editor.add(layout.expiry, &expiry::write(new, usual));
        }
    }
    if granted {
        let lifetime = tokens
            .lifetime
            .or_else(|| (tokens.expires_at? - now).to_std().ok())
            .map(|lifetime| Value::from(lifetime.as_secs()));
        if let Some(lifetime) = lifetime {
            editor.rewrite(layout.lifetime, |_| lifetime.clone());
        }
        editor.rewrite(layout.issued, |old| {
            let usual = if old.is_number() { Notation::MILLIS } else { Notation::ZULU };
            expiry::write(now, expiry::read(old, usual).1)
        });
    }
    let facts = &login.facts;
    if let Some(new) = facts.account.as_deref().filter(|_| account.is_none()) {
        editor.put(layout.account, &Value::from(new));
    }
    if let Some(new) = facts.project_id.as_deref().filter(|new| project.as_deref() != Some(*new)) {
        editor.put(layout.project, &Value::from(new));
    }
    if let Some(new) = facts.resource_url.as_ref().filter(|new| resource_url.as_ref() != Some(*new)) {
        editor.put(layout.resource_url, &Value::from(endpoints::as_resource_url(new)));
    }
    if let Some(new) = facts.api_key.as_ref().filter(|new| api_key.as_ref() != Some(*new)) {
        editor.put(layout.api_key, &Value::from(new.expose()));
    }
}

struct Editor<'a> {
    document: &'a mut Document,
    layout: &'static Layout,
    index: usize,
}

impl Editor<'_> {
    /// Rewrites every place where the field stands; says whether there was one.
    fn rewrite(&mut self, field: Field, new: impl Fn(&Value) -> Value) -> bool {
        let mut stands = false;
        for path in field {
            let path = full(self.layout, self.index, path);
            if let Some(value) = self.document.get(&path).map(&new) {
                self.document.set(&path, &value);
                stands = true;
            }
        }
        stands
    }

    fn add(&mut self, field: Field, value: &Value) {
        if let Some(path) = field.first() {
            self.document.set(&full(self.layout, self.index, path), value);
        }
    }

    fn put(&mut self, field: Field, value: &Value) {
        if !self.rewrite(field, |_| value.clone()) {
            self.add(field, value);
        }
    }
}

fn full(layout: &Layout, index: usize, path: &Path) -> Vec<Key> {
    let list = layout.list.map(|list| [Key::Name(list), Key::Index(index)]);
    list.into_iter().flatten().chain(path.iter().map(|name| Key::Name(name))).collect()
}

/// The `email` claim of a JWT (RFC 7519), unverified: it only names the account to its owner.
pub(crate) fn email_claim(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let email = claims.get("email")?.as_str()?.trim();
    (!email.is_empty()).then(|| email.to_owned())
}
