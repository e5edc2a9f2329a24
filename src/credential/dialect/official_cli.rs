//! The files of the providers' own command-line tools.
//!
//! Gemini CLI, Qwen Code and iFlow share a flat form with `expiry_date` in milliseconds; Antigravity's `agy` nests a Go
//! token; Gemini CLI's encrypted storage decrypts to a camel-cased blob.

use super::{super::expiry::Notation, layout::Layout};
use crate::credential::Dialect;

/// `~/.gemini/oauth_creds.json`, `~/.qwen/oauth_creds.json`, `~/.iflow/oauth_creds.json`. Gemini's has no place for a
/// project, and none of them for an e-mail address but the one in Google's `id_token`.
pub(crate) const FLAT: Layout = Layout {
    dialect: Dialect::OfficialCli,
    access: &[&["access_token"]],
    refresh: &[&["refresh_token"]],
    expiry: &[&["expiry_date"]],
    expiry_notation: Notation::MILLIS,
    lifetime: &[&["expires_in"]],
    id_token: &[&["id_token"]],
    resource_url: &[&["resource_url"]],
    api_key: &[&["apiKey"], &["api_key"]],
    ..Layout::EMPTY
};

/// `~/.gemini/antigravity-cli/antigravity-oauth-token`.
pub(crate) const AGY: Layout = Layout {
    dialect: Dialect::OfficialCli,
    access: &[&["token", "access_token"]],
    refresh: &[&["token", "refresh_token"]],
    expiry: &[&["token", "expiry"], &["token", "expired"], &["token", "expires_at"]],
    expiry_notation: Notation::ZULU,
    lifetime: &[&["token", "expires_in"]],
    id_token: &[&["token", "id_token"], &["id_token"]],
    ..Layout::EMPTY
};

/// The blob in the keychain entry `gemini-cli-oauth`, exported to a file.
pub(crate) const KEYCHAIN: Layout = Layout {
    dialect: Dialect::OfficialCli,
    access: &[&["token", "accessToken"]],
    refresh: &[&["token", "refreshToken"]],
    expiry: &[&["token", "expiresAt"]],
    expiry_notation: Notation::MILLIS,
    issued: &[&["updatedAt"]],
    ..Layout::EMPTY
};
