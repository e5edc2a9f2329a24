//! opencode-antigravity-auth's `antigravity-accounts.json`: a list of accounts with refresh tokens only.

use super::layout::Layout;
use crate::credential::Dialect;

/// Access tokens have no place here and live in `STATE_DIR/tokens`; a rotated refresh token goes back into the list.
pub(crate) const LAYOUT: Layout = Layout {
    dialect: Dialect::AntigravityAccounts,
    list: Some("accounts"),
    refresh: &[&["refreshToken"]],
    account: &[&["email"]],
    project: &[&["projectId"], &["managedProjectId"]],
    on: &[&["enabled"]],
    ..Layout::EMPTY
};
