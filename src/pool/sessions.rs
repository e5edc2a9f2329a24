//! Sticky sessions: which credential a conversation was lent last, so that it gets the same again (P38).
//!
//! Two generations of bounded maps: whoever is asked for moves into the young one, and when that is full the old one is
//! forgotten. So every step is O(1), the sessions used last are the ones that stay, and there are never more than
//! [`KEPT`] of them.

use std::{collections::HashMap, time::Duration};

use crate::{credential::CredentialId, provider::ProviderId};

/// Sessions kept at most; half of them are sure to be those that were used last.
pub(super) const KEPT: usize = 10_000;

/// A conversation with a provider.
type Key = (ProviderId, u64);

/// Who was lent to whom.
#[derive(Debug)]
pub(super) struct Sessions {
    /// How many milliseconds after its last use a session ends.
    lasts: i64,
    young: HashMap<Key, Held>,
    old: HashMap<Key, Held>,
}

#[derive(Debug)]
struct Held {
    credential: CredentialId,
    used_at: i64,
}

impl Sessions {
    /// Sessions that end this long after their last use.
    pub(super) fn lasting(lasts: Duration) -> Self {
        let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        Self { lasts, young: HashMap::new(), old: HashMap::new() }
    }

    /// What this session was lent last, at this millisecond.
    pub(super) fn held(&self, key: &Key, now: i64) -> Option<&CredentialId> {
        let held = self.young.get(key).or_else(|| self.old.get(key))?;
        (now.saturating_sub(held.used_at) < self.lasts).then_some(&held.credential)
    }

    /// It is lent this one now.
    pub(super) fn hold(&mut self, key: Key, credential: CredentialId, now: i64) {
        if self.young.len() >= KEPT / 2 && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, Held { credential, used_at: now });
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
