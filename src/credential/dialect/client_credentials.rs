//! A client that asks on its own behalf (RFC 6749, section 4.4). Variables are put into this form; a file may have it too.

use super::layout::Layout;
use crate::credential::{Dialect, Renewal};

/// `type` is `client_credentials`. The access token lives in `STATE_DIR/tokens`, and the file is never written.
pub(crate) const LAYOUT: Layout = Layout {
    dialect: Dialect::ClientCredentials,
    renewal: Renewal::ClientCredentials,
    refresh: &[&["client_secret"]],
    account: &[&["client_id"]],
    client_id: &[&["client_id"]],
    client_secret: &[&["client_secret"]],
    ..Layout::EMPTY
};
