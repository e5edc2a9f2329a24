//! Secrets: a string that never shows itself, and the masking of account names.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A token, key or password: no `Display`, nothing in `Debug`, wiped from memory when the last copy goes.
///
/// Clones share one allocation, so handing a token to a request copies no secret bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes ownership of the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// The text itself. Every call of this is a place where a secret may leave: a header, a form, its own file.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty or blank.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// An account name that is safe to show: `alice@example.com` becomes `al…@example.com`.
///
/// At most two characters of the local part survive; a name without `@` keeps its first two.
pub fn mask_account(account: &str) -> String {
    let (local, domain) =
        account.rsplit_once('@').map_or((account, None), |(local, domain)| (local, Some(domain)));
    let shown = if local.chars().count() > 2 { 2 } else { 1 };
    let head: String = local.chars().take(shown).collect();
    match domain {
        Some(domain) => format!("{head}…@{domain}"),
        None => format!("{head}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p33_debug_shows_nothing() {
        let secret = Secret::new("canary-token");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(…) Some(Secret(…))");
    }

    #[test]
    fn accounts_are_masked_by_characters() {
        assert_eq!(mask_account("alice@example.com"), "al…@example.com");
        assert_eq!(mask_account("ab@example.com"), "a…@example.com");
        assert_eq!(mask_account("日本語の名前"), "日本…");
        assert_eq!(mask_account(""), "…");
    }
}
