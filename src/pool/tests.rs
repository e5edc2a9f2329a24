//! The state machine of one credential under any order of events, on a clock that only moves when told (P40).

use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::{
    Outcome, RefreshCause, Refused, RetryHint, State,
    entry::{Entry, Origin},
    flight::Decision,
    line::SwitchedOff,
    outcome::Returned,
    refresher::{Ended, Errand, take_in},
    samples::{at, login, outcome},
    standing::Readiness,
    window::{Phase, after},
};
use crate::{
    credential::{
        Credential, CredentialId, Dialect, Fingerprint, LockNotes, LockedFailure, Login, Place, Tokens,
    },
    oauth::RefreshError,
    provider::{Catalog, OAuthClient},
    secret::Secret,
};

const MODEL: &str = "a-model";

fn entry(login: Login, now: DateTime<Utc>) -> Entry {
    let catalog = Catalog::builtin();
    let provider = catalog.get(&"qwen_code".parse().unwrap()).unwrap();
    let credential = Credential {
        id: CredentialId::new("0123456789abcdef"),
        provider: provider.id.clone(),
        dialect: Dialect::Simple,
        place: Place::Inline { variable: "QWEN_CODE_OAUTH_CREDENTIALS".to_owned() },
        login,
        disabled: None,
    };
    Entry::new(credential, provider, Duration::from_mins(10), 0.5, now)
}

fn oauth(expires_in: i64) -> Entry {
    entry(Login::OAuth(Box::new(login(0, at(expires_in), None))), at(0))
}

fn print(text: &str) -> Fingerprint {
    Fingerprint::of(&Secret::new(text))
}

fn decide(entry: &Entry, cause: RefreshCause, notes: &LockNotes, second: i64) -> Decision {
    entry.decide((cause, Refused::Keep, entry.bearer().map(|(_, print)| *print)), None, notes, at(second))
}

#[test]
fn p4_a_refused_fingerprint_in_the_lock_file_holds_for_that_token_alone() {
    let refused = |token| LockNotes { refused: Some(print(token)), ..LockNotes::default() };
    let entry = oauth(-60);
    let before = Decision::RefusedBefore(print("FAKE-refresh-0"));
    assert_eq!(decide(&entry, RefreshCause::Demand, &refused("FAKE-refresh-0"), 0), before);
    assert_eq!(decide(&entry, RefreshCause::Operator, &refused("FAKE-refresh-0"), 0), before);
    assert_eq!(decide(&entry, RefreshCause::Demand, &refused("FAKE-refresh-other"), 0), Decision::Ask);
    let confirmed = (RefreshCause::Operator, Refused::TryOnce, None);
    assert_eq!(entry.decide(confirmed, None, &refused("FAKE-refresh-0"), at(0)), Decision::Ask);
}

#[test]
fn p3_a_failure_in_the_lock_file_holds_until_its_instant_unless_a_clock_lied() {
    let failed = |at_second, until_second| LockNotes {
        failure: Some(LockedFailure {
            at: at(at_second),
            class: "transient".to_owned(),
            until: at(until_second),
        }),
        ..LockNotes::default()
    };
    let entry = oauth(-60);
    let waits =
        |notes, second| matches!(decide(&entry, RefreshCause::Demand, &notes, second), Decision::Wait { .. });
    assert!(waits(failed(0, 30), 29));
    assert!(!waits(failed(0, 30), 30));
    assert!(!waits(failed(500, 530), 0), "noted before the clock stepped back");
    assert!(!waits(failed(0, 999_999), 10), "no hold of ours lasts that long");
    assert_eq!(decide(&entry, RefreshCause::Operator, &failed(0, 30), 10), Decision::Ask, "a person may");
}

#[test]
fn p9_a_success_a_moment_ago_is_not_followed_by_another_request() {
    let notes = LockNotes { succeeded_at: Some(at(0)), ..LockNotes::default() };
    assert!(matches!(decide(&oauth(-60), RefreshCause::Demand, &notes, 29), Decision::Wait { .. }));
    assert_eq!(decide(&oauth(-60), RefreshCause::Demand, &notes, 30), Decision::Ask);
    assert_eq!(decide(&oauth(7200), RefreshCause::Unauthorized, &notes, 10), Decision::Hopeless);
    assert_eq!(decide(&oauth(7200), RefreshCause::Unauthorized, &notes, 40), Decision::Ask);
}

#[test]
fn p5_what_is_newer_and_what_is_an_old_copy() {
    let mut entry = oauth(3600);
    let ours = entry.login().unwrap().tokens.clone();
    assert!(!entry.is_newer(&ours));
    assert!(entry.is_newer(&login(9, at(-5), None).tokens), "another refresh token, whatever the expiry");
    let other_access = |expires: i64| Tokens {
        access: Some(Secret::new("FAKE-access-other")),
        expires_at: Some(at(expires)),
        ..ours.clone()
    };
    assert!(entry.is_newer(&other_access(3601)));
    assert!(!entry.is_newer(&other_access(3599)));
    entry.adopt(login(1, at(7200), None), Origin::Grant, at(0));
    assert!(!entry.is_newer(&ours), "a reader that looked before our write brings nothing back");
}

#[test]
fn p6_a_login_without_a_refresh_token_serves_until_it_expires() {
    let mut bare = login(0, at(3600), None);
    bare.tokens.refresh = None;
    let entry = entry(Login::OAuth(Box::new(bare)), at(0));
    assert_eq!((entry.state(at(10)), entry.readiness(MODEL, at(10))), (State::Ready, Readiness::Ready));
    assert_eq!(entry.state(at(3500)), State::Early);
    assert!(entry.reason(at(3500)).unwrap().contains("no refresh token"));
    assert_eq!(
        (entry.state(at(3600)), entry.readiness(MODEL, at(3600))),
        (State::NeedsLogin, Readiness::Blocked)
    );
}

#[test]
fn p31_a_401_while_the_refresh_is_failing_waits_for_the_refresh_to_decide() {
    let mut entry = oauth(7200);
    entry.failed(RefreshError::Unknown { problem: "HTTP 500".to_owned() }, at(60));
    let bearer = entry.bearer().unwrap().1;
    entry.complete(Returned { model: MODEL, bearer, taken: 1, mark: 2 }, Outcome::Unauthorized, at(0));
    assert_eq!((entry.state(at(1)), entry.readiness(MODEL, at(1))), (State::Expired, Readiness::Failing));
    entry.adopt(login(1, at(7200), None), Origin::Grant, at(60));
    assert_eq!(entry.readiness(MODEL, at(60)), Readiness::Ready);
}

#[test]
fn p4_a_verdict_on_the_old_token_holds_nothing_against_the_one_that_came_meanwhile() {
    let errand = Errand::refresh(RefreshCause::Demand);
    let refused = || Ended::Failed {
        error: RefreshError::InvalidGrant { code: "invalid_grant".to_owned() },
        until: at(30),
        judged: Some(print("FAKE-refresh-0")),
    };
    for ended in [refused(), Ended::RefusedBefore(print("FAKE-refresh-0"))] {
        let mut entry = oauth(-60);
        entry.adopt(login(1, at(-5), None), Origin::File, at(0));
        take_in(&mut entry, &errand, &ended, at(1));
        assert_eq!((entry.state(at(1)), entry.readiness(MODEL, at(1))), (State::Expired, Readiness::Stale));
    }
    let mut entry = oauth(-60);
    take_in(&mut entry, &errand, &refused(), at(1));
    assert_eq!(entry.state(at(1)), State::NeedsLogin);
}

#[test]
fn a_login_of_another_client_is_held_until_something_about_it_changes() {
    let catalog = Catalog::builtin();
    let provider = catalog.get(&"qwen_code".parse().unwrap()).unwrap();
    let mismatched = || {
        let mut entry = oauth(-60);
        let ended = Ended::Failed {
            error: RefreshError::ClientRefused { code: "unauthorized_client".to_owned() },
            until: at(30),
            judged: entry.refresh_print(),
        };
        take_in(&mut entry, &Errand::refresh(RefreshCause::Demand), &ended, at(0));
        assert_eq!((entry.readiness(MODEL, at(60)), entry.is_due(at(60))), (Readiness::Blocked, false));
        assert!(entry.reason(at(60)).unwrap().contains("another client (unauthorized_client)"));
        entry
    };
    let mut other_token = mismatched();
    other_token.adopt(login(1, at(-5), None), Origin::File, at(60));
    assert!(other_token.is_due(at(60)));
    let mut granted = mismatched();
    let mut kept = login(1, at(61), None);
    kept.tokens.refresh = granted.login().unwrap().tokens.refresh.clone();
    granted.adopt(kept, Origin::Grant, at(60));
    assert!(granted.is_due(at(120)), "it worked: the next refresh is asked for as ever");
    let mut other_client = mismatched();
    let mut found = other_client.login().unwrap().clone();
    assert!(!other_client.amend(&found, provider, at(60)));
    assert!(!other_client.is_due(at(60)), "the same file again changes nothing");
    found.client = Some(OAuthClient { id: "FAKE-client".to_owned(), secret: None });
    assert!(other_client.amend(&found, provider, at(60)));
    assert!(other_client.is_due(at(60)));
}

#[derive(Debug, Clone)]
enum Event {
    Pass(i64),
    Step(i64),
    Lend,
    Return(usize, Outcome),
    Granted(u64),
    Failed(RefreshError),
    FileIsNewer(i64),
    SwitchedOff,
    Enabled,
    Cleared,
}

fn hint() -> impl Strategy<Value = RetryHint> + Clone {
    prop_oneof![
        (0_u64..100_000).prop_map(|seconds| RetryHint::After(Duration::from_secs(seconds))),
        (-1000_i64..100_000).prop_map(|second| RetryHint::At(at(second))),
        Just(RetryHint::None),
    ]
}

fn failure() -> impl Strategy<Value = RefreshError> {
    prop_oneof![
        Just(RefreshError::Transient { problem: "HTTP 503".to_owned(), retry_after: None }),
        Just(RefreshError::Unknown { problem: "not JSON".to_owned() }),
        Just(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() }),
        Just(RefreshError::ClientRefused { code: "unauthorized_client".to_owned() }),
        Just(RefreshError::NoClient { variables: "QWEN_CODE_CLIENT_ID".to_owned() }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_i64..4000).prop_map(Event::Pass),
        1 => (-90_000_i64..90_000).prop_map(Event::Step),
        6 => Just(Event::Lend),
        6 => (0_usize..8, outcome(hint())).prop_map(|(which, outcome)| Event::Return(which, outcome)),
        3 => (1_u64..10_000).prop_map(Event::Granted),
        3 => failure().prop_map(Event::Failed),
        1 => (-100_i64..10_000).prop_map(Event::FileIsNewer),
        1 => Just(Event::SwitchedOff),
        2 => Just(Event::Enabled),
        1 => Just(Event::Cleared),
    ]
}

/// What must hold whatever happened.
fn check(entry: &Entry, now: DateTime<Utc>, out: usize) -> Result<(), TestCaseError> {
    let (state, readiness) = (entry.state(now), entry.readiness(MODEL, now));
    prop_assert_eq!(usize::try_from(entry.in_flight).unwrap(), out);
    let is_well = state == State::Ready && !entry.is_login_refused();
    prop_assert_eq!(entry.reason(now).is_none(), is_well, "{:?} has its reason", state);
    match &readiness {
        Readiness::Ready | Readiness::Early => {
            prop_assert!(entry.bearer().is_some() && entry.phase(now) != Phase::Hard);
            prop_assert!(!matches!(
                state,
                State::Disabled | State::Refused | State::NeedsLogin | State::Unusable
            ));
        }
        Readiness::Stale => prop_assert!(!entry.is_backing_off(now)),
        Readiness::Failing => prop_assert!(entry.is_backing_off(now)),
        Readiness::Resting(until, _) => prop_assert!(*until > now),
        Readiness::Blocked => prop_assert!(!state.is_usable(), "{state:?}"),
    }
    if entry.is_due(now) {
        prop_assert!(entry.can_refresh() && !entry.is_backing_off(now) && entry.disabled().is_none());
    }
    if state == State::NeedsLogin {
        prop_assert!(!entry.can_refresh());
    }
    Ok(())
}

proptest! {
    #[test]
    fn p40_the_state_machine_keeps_its_invariants(
        is_key in any::<bool>(), expires_in in -100_i64..10_000, events in proptest::collection::vec(event(), 0..60),
    ) {
        let mut now = at(0);
        let start = if is_key {
            Login::ApiKey(Secret::new("sk-FAKE"))
        } else {
            Login::OAuth(Box::new(login(0, at(expires_in), None)))
        };
        let mut entry = entry(start, now);
        let errand = Errand::refresh(RefreshCause::Early);
        let mut out: Vec<(Fingerprint, u64)> = Vec::new();
        let (mut mark, mut number) = (0_u64, 0_usize);
        for event in events {
            mark += 1;
            let was_ready = matches!(entry.readiness(MODEL, now), Readiness::Ready | Readiness::Early);
            match event {
                Event::Pass(seconds) | Event::Step(seconds) => now += chrono::TimeDelta::seconds(seconds),
                Event::Lend if was_ready => {
                    out.push((entry.bearer().unwrap().1, mark));
                    entry.lend(MODEL, mark, now);
                }
                Event::Return(which, outcome) if !out.is_empty() => {
                    let (bearer, taken) = out.remove(which % out.len());
                    entry.complete(Returned { model: MODEL, bearer, taken, mark }, outcome, now);
                }
                Event::Granted(life) if entry.can_refresh() => {
                    number += 1;
                    let old = entry.login().unwrap().tokens.clone();
                    let life = Duration::from_secs(life);
                    entry.adopt(login(number, after(now, life), Some(life)), Origin::Grant, now);
                    take_in(&mut entry, &errand, &Ended::Refreshed, now);
                    prop_assert!(!entry.is_newer(&old), "what was replaced never comes back");
                    prop_assert!(entry.trouble.is_none());
                }
                Event::Failed(error) if entry.can_refresh() => {
                    let until = after(now, Duration::from_secs(30));
                    let judged = matches!(error, RefreshError::InvalidGrant { .. } | RefreshError::ClientRefused { .. }).then(|| entry.refresh_print()).flatten();
                    take_in(&mut entry, &errand, &Ended::Failed { error, until, judged }, now);
                    let is_ready = matches!(entry.readiness(MODEL, now), Readiness::Ready | Readiness::Early);
                    prop_assert_eq!(is_ready, was_ready, "P6: a failing refresh changes nothing about a live token");
                }
                Event::FileIsNewer(life) if !is_key => {
                    number += 1;
                    let found = login(number, now + chrono::TimeDelta::seconds(life), None);
                    prop_assert!(entry.is_newer(&found.tokens));
                    entry.adopt(found, Origin::File, now);
                    prop_assert!(entry.can_refresh() && entry.refusal.is_none(), "P4: another token lifts it");
                }
                Event::SwitchedOff => entry.switched_off = Some(SwitchedOff::default()),
                Event::Enabled => {
                    entry.switched_off = None;
                    entry.refusal = None;
                }
                Event::Cleared => {
                    entry.rest = None;
                    entry.models.clear();
                }
                Event::Lend | Event::Return(..) | Event::Granted(_) | Event::Failed(_) | Event::FileIsNewer(_) => {}
            }
            check(&entry, now, out.len())?;
        }
    }
}
