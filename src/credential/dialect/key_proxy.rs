//! LLM-API-Key-Proxy's files: the raw token response with `expiry_date`, the client, and `_proxy_metadata`.
//!
//! `expiry_date` is a float of milliseconds, but a date in its iFlow files.

use super::{super::expiry::Notation, layout::Layout};
use crate::credential::Dialect;

/// `{gemini_cli|antigravity|qwen_code|iflow}_oauth_N.json`. The gcloud-like form that it also accepts nests everything
/// under `credential`.
pub(crate) const LAYOUT: Layout = Layout {
    dialect: Dialect::KeyProxy,
    access: &[&["access_token"], &["credential", "access_token"]],
    refresh: &[&["refresh_token"], &["credential", "refresh_token"]],
    expiry: &[
        &["expiry_date"],
        &["token_expiry"],
        &["credential", "expiry_date"],
        &["credential", "token_expiry"],
    ],
    expiry_notation: Notation::Number {
        unit: super::super::expiry::Unit::Millis,
        form: super::super::expiry::Form::Float,
        quoted: false,
    },
    lifetime: &[&["expires_in"]],
    account: &[&["_proxy_metadata", "email"], &["email"]],
    id_token: &[&["id_token"], &["credential", "id_token"]],
    project: &[&["_proxy_metadata", "project_id"]],
    resource_url: &[&["resource_url"]],
    api_key: &[&["api_key"]],
    client_id: &[&["client_id"], &["credential", "client_id"]],
    client_secret: &[&["client_secret"], &["credential", "client_secret"]],
    token_uri: &[&["token_uri"], &["credential", "token_uri"]],
    universe: &[&["universe_domain"], &["credential", "universe_domain"]],
    ..Layout::EMPTY
};
