//! The key file of a Google service account, as the Cloud console and `gcloud iam service-accounts keys create` write it.

use super::layout::Layout;
use crate::credential::{Dialect, Renewal};

/// `type` is `service_account`. The access token lives in `STATE_DIR/tokens`, and the file is never written.
pub(crate) const LAYOUT: Layout = Layout {
    dialect: Dialect::ServiceAccount,
    renewal: Renewal::ServiceAccount,
    refresh: &[&["private_key"]],
    account: &[&["client_email"]],
    project: &[&["project_id"]],
    client_id: &[&["client_email"]],
    key_id: &[&["private_key_id"]],
    ..Layout::EMPTY
};
