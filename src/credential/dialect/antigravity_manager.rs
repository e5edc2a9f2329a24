//! Antigravity-Manager's account files.

use super::{super::expiry::Notation, layout::Layout};
use crate::credential::Dialect;

/// `expiry_timestamp` is in whole seconds. Three flags of its own can take an account out of use.
pub(crate) const LAYOUT: Layout = Layout {
    dialect: Dialect::AntigravityManager,
    access: &[&["token", "access_token"]],
    refresh: &[&["token", "refresh_token"]],
    expiry: &[&["token", "expiry_timestamp"]],
    expiry_notation: Notation::SECONDS,
    lifetime: &[&["token", "expires_in"]],
    account: &[&["email"], &["token", "email"]],
    project: &[&["token", "project_id"]],
    off: &[&["disabled"], &["proxy_disabled"], &["validation_blocked"]],
    ..Layout::EMPTY
};
