//! gcli2api's files: google-auth's authorised user with a project, the access token under `token` or `access_token`.

use super::{super::expiry::Notation, layout::Layout};
use crate::credential::Dialect;

/// `expiry` is without a zone and means UTC.
pub(crate) const LAYOUT: Layout = Layout {
    dialect: Dialect::Gcli2Api,
    access: &[&["token"], &["access_token"]],
    refresh: &[&["refresh_token"]],
    expiry: &[&["expiry"]],
    expiry_notation: Notation::NAIVE,
    account: &[&["email"], &["user_email"], &["account"]],
    project: &[&["project_id"]],
    client_id: &[&["client_id"]],
    client_secret: &[&["client_secret"]],
    off: &[&["disabled"]],
    ..Layout::EMPTY
};
