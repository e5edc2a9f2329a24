//! The simple form: a bare token response with `expires_at`, as `requests-oauthlib` and Authlib keep it. Also the form
//! in which `STATE_DIR/tokens` holds tokens without a place of their own.

use super::{super::expiry::Notation, layout::Layout};
use crate::credential::Dialect;

/// Carries no provider marker. What a provider tells about the account is added beside the tokens: the form is an open
/// token response.
pub(crate) const LAYOUT: Layout = Layout {
    dialect: Dialect::Simple,
    access: &[&["access_token"]],
    refresh: &[&["refresh_token"]],
    expiry: &[
        &["expires_at"],
        &["expiry"],
        &["expired"],
        &["expires"],
        &["expire"],
        &["expiresAt"],
        &["token_expiry"],
    ],
    expiry_notation: Notation::SECONDS_FLOAT,
    lifetime: &[&["expires_in"]],
    issued: &[&["timestamp"]],
    account: &[&["email"]],
    id_token: &[&["id_token"]],
    project: &[&["project_id"]],
    resource_url: &[&["resource_url"]],
    api_key: &[&["api_key"], &["apiKey"]],
    client_id: &[&["client_id"]],
    client_secret: &[&["client_secret"]],
    ..Layout::EMPTY
};
