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

    /// How long they last.
    pub(super) fn last(&self) -> Duration {
        Duration::from_millis(self.lasts.unsigned_abs())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        ("qwen_code".parse().unwrap(), u64::try_from(number).unwrap())
    }

    fn one() -> CredentialId {
        CredentialId::new("0123456789abcdef")
    }

    #[test]
    fn p38_sessions_are_bounded_and_those_used_last_stay() {
        let mut sessions = Sessions::lasting(Duration::from_mins(30));
        for number in 0..3 * KEPT {
            sessions.hold(key(0), one(), 0);
            sessions.hold(key(number), one(), 0);
            assert!(sessions.len() <= KEPT, "{}", sessions.len());
        }
        assert!(sessions.held(&key(0), 0).is_some(), "it was used all the time");
        assert!(sessions.held(&key(1), 0).is_none(), "it was used longest ago");
        let last = (3 * KEPT - KEPT / 2 + 1)..3 * KEPT;
        assert!(last.clone().all(|number| sessions.held(&key(number), 0).is_some()), "{last:?}");
    }

    #[test]
    fn p38_a_session_ends_a_while_after_its_last_use_and_not_when_the_clock_steps_back() {
        let mut sessions = Sessions::lasting(Duration::from_secs(10));
        sessions.hold(key(1), one(), 5_000);
        assert_eq!(sessions.held(&key(1), 14_999), Some(&one()));
        assert_eq!(sessions.held(&key(1), 15_000), None);
        assert_eq!(sessions.held(&key(1), -90_000), Some(&one()));
        sessions.hold(key(1), one(), 14_999);
        assert_eq!(sessions.held(&key(1), 20_000), Some(&one()), "it was used meanwhile");
    }
}
