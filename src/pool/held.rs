//! What a credential has from its first instant because it had it before: disabled by an operator, refused by the service.
//!
//! The ledger looks at a new credential a moment after it was loaded, or much later while the store is in trouble. It may
//! not be lent meanwhile as if nothing were known of it.

use super::{
    entry::{Entry, Refusal, RefusalKind},
    line::{RefusalLine, SwitchedOff},
};
use crate::credential::Fingerprint;

/// What is held against a credential, whether it is here or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Held {
    /// Disabled by an operator.
    pub(super) switched_off: Option<SwitchedOff>,
    /// The service refuses it.
    pub(super) refusal: Option<RefusalLine>,
}

impl Held {
    /// What is held against an entry that goes; a refusal of another token than its own stays known.
    pub(super) fn of(entry: &Entry, known: Option<&Self>) -> Self {
        let of_another = || known.and_then(|held| held.refusal.clone()).filter(|line| !judged(entry, line));
        let refusal = refusal_line(entry).or_else(of_another);
        Self { switched_off: entry.switched_off.clone(), refusal }
    }

    /// Holds it against an entry that comes.
    pub(super) fn put(&self, entry: &mut Entry) {
        entry.switched_off.clone_from(&self.switched_off);
        entry.refusal = self.refusal.as_ref().filter(|line| judged(entry, line)).map(refusal_of);
    }
}

/// The token that a refusal holds for: the account's is its refresh token, which lives longest.
fn judged_token(entry: &Entry, kind: RefusalKind) -> Option<Fingerprint> {
    let bearer = entry.bearer().map(|(_, token)| *token);
    match kind {
        RefusalKind::Account => entry.refresh_print().or(bearer),
        RefusalKind::Token => bearer,
    }
}

/// The refusal that an entry has, as it is remembered.
pub(super) fn refusal_line(entry: &Entry) -> Option<RefusalLine> {
    let refusal = entry.refusal.as_ref()?;
    let token = judged_token(entry, refusal.kind)?.to_string();
    let account = refusal.kind == RefusalKind::Account;
    Some(RefusalLine { token, account, reason: refusal.reason.clone() })
}

fn kind(line: &RefusalLine) -> RefusalKind {
    if line.account { RefusalKind::Account } else { RefusalKind::Token }
}

/// A remembered refusal, as an entry has it.
pub(super) fn refusal_of(line: &RefusalLine) -> Refusal {
    Refusal { reason: line.reason.clone(), kind: kind(line), link: None }
}

/// Whether a refusal is of the token that the entry has.
pub(super) fn judged(entry: &Entry, line: &RefusalLine) -> bool {
    judged_token(entry, kind(line)).is_some_and(|token| token.to_string() == line.token)
}
