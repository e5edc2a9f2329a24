//! CLIProxyAPI's auth files: `type` names the provider. The historic Gemini form nests the token.

use super::{super::expiry::Notation, layout::Layout};
use crate::credential::Dialect;

const FLAT_EXPIRY: &[&[&str]] =
    &[&["expired"], &["expire"], &["expires_at"], &["expiresAt"], &["expiry"], &["expires"]];

/// `antigravity-….json`, `qwen-….json`, `iflow-….json`. `timestamp` and `last_refresh` note the last grant.
pub(crate) const FLAT: Layout = Layout {
    dialect: Dialect::CliProxyApi,
    access: &[&["access_token"]],
    refresh: &[&["refresh_token"]],
    expiry: FLAT_EXPIRY,
    expiry_notation: Notation::ZULU,
    lifetime: &[&["expires_in"]],
    issued: &[&["timestamp"], &["last_refresh"]],
    account: &[&["email"]],
    project: &[&["project_id"]],
    resource_url: &[&["resource_url"]],
    api_key: &[&["api_key"]],
    off: &[&["disabled"]],
    ..Layout::EMPTY
};

/// `gemini-….json`: a Go `oauth2.Token` under `token`. `project_id` may be a comma-separated list, which stays as it is
/// while its first entry is the project in use.
pub(crate) const GEMINI: Layout = Layout {
    dialect: Dialect::CliProxyApi,
    access: &[&["token", "access_token"]],
    refresh: &[&["token", "refresh_token"]],
    expiry: &[&["token", "expiry"], &["token", "expired"], &["token", "expires_at"]],
    expiry_notation: Notation::ZULU,
    lifetime: &[&["token", "expires_in"]],
    account: &[&["email"]],
    project: &[&["project_id"]],
    client_id: &[&["token", "client_id"]],
    client_secret: &[&["token", "client_secret"]],
    token_uri: &[&["token", "token_uri"]],
    universe: &[&["token", "universe_domain"]],
    off: &[&["disabled"]],
    ..Layout::EMPTY
};
