//! Links under which the owner of a refused account verifies or appeals, kept for the next start: a refused account is not
//! asked again, so that nobody would say the link a second time. Bound to the account, and kept as a token is.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    super::{CredentialId, Fingerprint},
    Store, source,
};
use crate::{fs, secret::Secret};

/// A link has a kilobyte at most.
const SIZE_LIMIT: u64 = 16 << 10;

#[derive(Serialize, Deserialize)]
struct Kept {
    /// The token that the refusal holds for, by fingerprint.
    token: String,
    link: String,
}

impl Store {
    fn link_path(&self, id: &CredentialId) -> PathBuf {
        self.tokens_folder().join(format!("{id}.link"))
    }

    /// Keeps the link of a refusal of this token.
    pub fn keep_link(&self, id: &CredentialId, token: Fingerprint, link: &Secret) -> io::Result<()> {
        let kept = Kept { token: token.to_string(), link: link.expose().to_owned() };
        let text = serde_json::to_string(&kept)?;
        self.create_tokens_folder()?;
        let path = self.link_path(id);
        self.disk.replace(&path, &source::temporary(&path, token), text.as_bytes())?;
        Ok(())
    }

    /// The link that was kept for this token.
    pub fn kept_link(&self, id: &CredentialId, token: Fingerprint) -> Option<Secret> {
        let text = fs::read_text(&self.link_path(id), SIZE_LIMIT).ok()?;
        let kept: Kept = serde_json::from_str(&text).ok()?;
        (kept.token == token.to_string()).then(|| Secret::new(kept.link))
    }

    /// Forgets the link of a credential.
    pub fn forget_link(&self, id: &CredentialId) -> io::Result<()> {
        let path = self.link_path(id);
        if path.exists() { self.disk.remove(&path) } else { Ok(()) }
    }
}
