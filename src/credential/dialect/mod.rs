//! Dialects: which notation a document is in, and whose login it holds. Told by content, not by name.

mod antigravity_accounts;
mod antigravity_manager;
mod cli_proxy_api;
mod client_credentials;
mod endpoints;
mod gcli2api;
mod gcloud;
mod key_proxy;
mod layout;
mod official_cli;
mod service_account;
pub(super) mod simple;

use serde_json::{Map, Value};

pub(super) use endpoints::Foreign;
pub(crate) use layout::email_claim;
pub(super) use layout::{Layout, View, apply};

use super::document::Document;

/// What a document turned out to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detected {
    /// Its notation's table.
    pub(super) layout: &'static Layout,
    /// Whose it is, as far as the content tells.
    pub(super) hint: Hint,
}

/// What a document's content says about its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// This one.
    Provider(&'static str),
    /// A Google login: Gemini CLI's and Antigravity's tokens look alike.
    Google,
    /// A Google Cloud login made with gcloud's own client.
    GoogleCloud,
    /// Nothing.
    Nothing,
}

/// Why a document is no credential of ours: a sentence with what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(&'static str);

/// How a private key begins (RFC 7468, section 10).
const PKCS8: &str = "-----BEGIN PRIVATE KEY-----";
const GEMINI_CLIENT: &str = "681255809395";
const ANTIGRAVITY_CLIENT: &str = "1071006060591";
const GCLOUD_CLIENT: &str = "764086051850";

/// Tells notation and provider by content: `type`, then a nested `token`, then marks of one tool, then the keys.
pub(super) fn detect(document: &Document) -> Result<Detected, Refusal> {
    let Value::Object(object) = document.value() else {
        return Err(Refusal("it is JSON, but no object; a credential file is one"));
    };
    let found = |layout: &'static Layout, hint: Hint| Ok(Detected { layout, hint });
    match text(object, "type") {
        Some("authorized_user") => return found(&gcloud::LAYOUT, Hint::GoogleCloud),
        Some("client_credentials") => return found(&client_credentials::LAYOUT, Hint::Nothing),
        Some("gemini" | "gemini-cli") => return found(proxy_layout(object), Hint::Provider("gemini_cli")),
        Some("antigravity") => return found(proxy_layout(object), Hint::Provider("antigravity")),
        Some("qwen") => return found(proxy_layout(object), Hint::Provider("qwen_code")),
        Some("iflow") if object.contains_key("cookie") => return Err(COOKIE),
        Some("iflow") => return found(proxy_layout(object), Hint::Provider("iflow")),
        Some("service_account") if text(object, "client_email").is_none() => {
            return Err(Refusal(
                "it names no account (`client_email`); make a new key of the service account",
            ));
        }
        Some("service_account") if !text(object, "private_key").is_some_and(|key| key.contains(PKCS8)) => {
            return Err(Refusal(
                "its `private_key` is no PKCS #8 key in PEM; make a new JSON key of the service account",
            ));
        }
        Some("service_account") => return found(&service_account::LAYOUT, Hint::Provider("vertex")),
        Some("external_account" | "external_account_authorized_user") => {
            return Err(Refusal(
                "external accounts are refused: their files name the addresses that secrets are sent to; use a login or an API key",
            ));
        }
        Some("impersonated_service_account" | "gdch_service_account") => {
            return Err(Refusal(
                "this kind of Google credential is not supported; use a login or an API key",
            ));
        }
        Some("codex" | "claude" | "kimi" | "vertex" | "aistudio") => {
            return Err(Refusal(
                "CLIProxyAPI logins of this type are not supported; use an API key of that provider",
            ));
        }
        Some(_) | None => {}
    }
    if object.get("accounts").and_then(Value::as_array).is_some_and(|accounts| {
        accounts.iter().any(|account| account.get("refreshToken").is_some_and(Value::is_string))
    }) {
        return found(&antigravity_accounts::LAYOUT, Hint::Provider("antigravity"));
    }
    if let Some(Value::Object(token)) = object.get("token") {
        if token.contains_key("accessToken") || token.contains_key("refreshToken") {
            return found(&official_cli::KEYCHAIN, Hint::Provider("gemini_cli"));
        }
        if token.contains_key("expiry_timestamp") {
            return found(&antigravity_manager::LAYOUT, Hint::Provider("antigravity"));
        }
        if object.contains_key("auth_method") {
            return found(&official_cli::AGY, Hint::Provider("antigravity"));
        }
        if object.contains_key("project_id") || token.contains_key("client_id") {
            return found(&cli_proxy_api::GEMINI, hint(object, token));
        }
        if has_token(token) {
            return found(&official_cli::AGY, Hint::Provider("antigravity"));
        }
    }
    if object.contains_key("cookie") {
        return Err(COOKIE);
    }
    let nested = object.get("credential").and_then(Value::as_object);
    if object.contains_key("_proxy_metadata") || nested.is_some_and(has_token) {
        return found(&key_proxy::LAYOUT, hint(object, nested.unwrap_or(object)));
    }
    let refreshes = text(object, "refresh_token").is_some();
    if text(object, "token").is_some() && (refreshes || object.contains_key("client_id")) {
        return found(&gcli2api::LAYOUT, hint(object, object));
    }
    if !has_token(object) {
        return Err(what_else(object));
    }
    if object.contains_key("expiry_date") {
        let kept_with_client = object.contains_key("client_id") || object.contains_key("token_uri");
        let layout = if kept_with_client { &key_proxy::LAYOUT } else { &official_cli::FLAT };
        return found(layout, hint(object, object));
    }
    if object.contains_key("client_id") && text(object, "expiry").is_some() {
        return found(&gcli2api::LAYOUT, hint(object, object));
    }
    let official = !object.contains_key("expires_at")
        && (object.contains_key("apiKey") || object.contains_key("resource_url"));
    found(if official { &official_cli::FLAT } else { &simple::LAYOUT }, hint(object, object))
}

const COOKIE: Refusal = Refusal(
    "iFlow cookie logins are not supported; use iFlow's OAuth login (`~/.iflow/oauth_creds.json`) or an API key",
);

fn proxy_layout(object: &Map<String, Value>) -> &'static Layout {
    if object.get("token").is_some_and(Value::is_object) {
        &cli_proxy_api::GEMINI
    } else {
        &cli_proxy_api::FLAT
    }
}

/// Whose a login is, by what only one provider's files have. `token` is the object that holds the tokens.
fn hint(object: &Map<String, Value>, token: &Map<String, Value>) -> Hint {
    let client = text(token, "client_id").or_else(|| text(object, "client_id")).unwrap_or_default();
    let scope = [text(token, "scope"), text(object, "scope")].into_iter().flatten().collect::<String>();
    let scopes = token.get("scopes").or_else(|| object.get("scopes")).map(Value::to_string);
    let scope = scope + &scopes.unwrap_or_default();
    if client.starts_with(GEMINI_CLIENT) {
        Hint::Provider("gemini_cli")
    } else if client.starts_with(ANTIGRAVITY_CLIENT)
        || scope.contains("auth/cclog")
        || scope.contains("auth/experimentsandconfigs")
    {
        Hint::Provider("antigravity")
    } else if client.starts_with(GCLOUD_CLIENT) {
        Hint::GoogleCloud
    } else if object.contains_key("resource_url") {
        Hint::Provider("qwen_code")
    } else if object.contains_key("apiKey") || object.contains_key("api_key") {
        Hint::Provider("iflow")
    } else if text(token, "refresh_token").is_some_and(|token| token.starts_with("1//"))
        || text(token, "access_token")
            .or_else(|| text(token, "token"))
            .is_some_and(|t| t.starts_with("ya29."))
    {
        Hint::Google
    } else {
        Hint::Nothing
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

fn has_token(object: &Map<String, Value>) -> bool {
    text(object, "access_token").is_some() || text(object, "refresh_token").is_some()
}

/// Names the files that stand beside credentials and are taken for them.
fn what_else(object: &Map<String, Value>) -> Refusal {
    let has = |key: &str| object.contains_key(key);
    if has("installed") || has("web") {
        Refusal(
            "it describes an OAuth client, not a login; set its id and secret as <PROVIDER>_CLIENT_ID and <PROVIDER>_CLIENT_SECRET",
        )
    } else if has("active") && has("old") {
        Refusal("it only lists account names; the login is in the `oauth_creds.json` beside it")
    } else if has("selectedAuthType") || has("iflowApiKey") {
        Refusal("it holds settings, no login; the login is in the `oauth_creds.json` beside it")
    } else if has("access_token") || has("refresh_token") || has("expiry_date") || has("expires_at") {
        Refusal("it holds no token; log in again with the tool that wrote it")
    } else {
        Refusal("it is of no known kind; docs/credentials lists those that are read")
    }
}
