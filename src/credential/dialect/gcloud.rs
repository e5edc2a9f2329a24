//! gcloud's `application_default_credentials.json` of type `authorized_user`: a client and a refresh token.

use super::layout::Layout;
use crate::credential::Dialect;

/// Has no place for an access token; it lives in `STATE_DIR/tokens`, and the file is never written.
pub(crate) const LAYOUT: Layout = Layout {
    dialect: Dialect::Gcloud,
    refresh: &[&["refresh_token"]],
    account: &[&["account"]],
    project: &[&["quota_project_id"]],
    client_id: &[&["client_id"]],
    client_secret: &[&["client_secret"]],
    ..Layout::EMPTY
};
