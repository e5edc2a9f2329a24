//! Credentials and outcomes for the pool's own tests.

use std::{sync::LazyLock, time::Duration};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::{Outcome, RetryHint, set::Set};
use crate::{
    credential::{Credential, CredentialId, Dialect, Inventory, Login, OAuthLogin, Place, Tokens},
    provider::{Catalog, ProviderId},
    secret::Secret,
};

/// Made once: reading it takes longer than most tests.
static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

/// So many seconds after the instant at which tests begin.
pub(super) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

pub(super) fn provider() -> ProviderId {
    "qwen_code".parse().unwrap()
}

pub(super) fn id(number: usize) -> CredentialId {
    CredentialId::new(&format!("{number:016x}"))
}

pub(super) fn login(number: usize, expires_at: DateTime<Utc>, lifetime: Option<Duration>) -> OAuthLogin {
    OAuthLogin {
        tokens: Tokens {
            access: Some(Secret::new(format!("FAKE-access-{number}"))),
            refresh: Some(Secret::new(format!("FAKE-refresh-{number}"))),
            expires_at: Some(expires_at),
            lifetime,
        },
        ..OAuthLogin::default()
    }
}

/// Every third is an API key; the others expire one after the other.
pub(super) fn credential(number: usize) -> Credential {
    let login = if number.is_multiple_of(3) {
        Login::ApiKey(Secret::new(format!("sk-FAKE-{number}")))
    } else {
        let life = i64::try_from(number).unwrap() * 700;
        Login::OAuth(Box::new(login(number, at(life), None)))
    };
    Credential {
        id: id(number),
        provider: provider(),
        dialect: Dialect::Simple,
        place: Place::Inline { variable: format!("QWEN_CODE_OAUTH_CREDENTIALS_{number}") },
        login,
        disabled: None,
    }
}

/// A look at the sources finds these.
pub(super) fn load(set: &mut Set, numbers: impl IntoIterator<Item = usize>, now: DateTime<Utc>) {
    let inventory =
        Inventory { credentials: numbers.into_iter().map(credential).collect(), ..Inventory::default() };
    set.apply(inventory, &[], &CATALOG, Duration::from_mins(10), now);
}

/// Any end of a request, with such hints.
pub(super) fn outcome(hint: impl Strategy<Value = RetryHint> + Clone) -> impl Strategy<Value = Outcome> {
    let reason = || "HTTP 429".to_owned();
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Neutral),
        Just(Outcome::Unauthorized),
        hint.clone().prop_map(move |hint| Outcome::ModelCooling { hint, reason: reason() }),
        hint.prop_map(move |hint| Outcome::CredentialCooling { hint, reason: reason() }),
        Just(Outcome::ModelUnavailable { reason: "HTTP 404".to_owned() }),
        Just(Outcome::Refused { reason: "TOS_VIOLATION".to_owned(), link: None }),
        Just(Outcome::ProviderFault { reason: "HTTP 503".to_owned() }),
    ]
}
