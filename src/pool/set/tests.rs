//! The lease table against the truth: a scan of every credential, after any order of events (P37), and fairness over
//! whole sets (P39).

use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::{prelude::*, strategy::Strategy};

use super::*;
use crate::{
    config::Strategy as Rotation,
    oauth::RefreshError,
    pool::{
        RetryHint,
        cooldown::Mark,
        entry::Origin,
        line::SwitchedOff,
        outcome::Returned,
        samples::{at, id, load, login, outcome, provider},
        window::after,
    },
};

const MODELS: [&str; 3] = ["a-model", "b-model", "c-model"];

fn want(model: &str, exclude: Vec<CredentialId>) -> Want {
    Want { exclude, ..Want::new(provider(), model, crate::clock::instant()) }
}

/// What a scan of every credential says: the tier to lend from, the tier to stale for, the error.
fn scan(set: &Set, want: &Want, now: DateTime<Utc>) -> (Vec<usize>, Vec<usize>, Vec<LeaseError>) {
    let (mut lend, mut stale) = (Vec::new(), Vec::new());
    let (mut tried, mut excluded) = (false, false);
    let (mut rests, mut failing, mut blocked) = (Vec::new(), Vec::new(), Vec::new());
    for (slot, entry) in set.entries.iter().enumerate() {
        let readiness = entry.readiness(&want.model, now);
        if let Readiness::Resting(until, cause) = &readiness {
            rests.push((!cause.passes(), *until, *cause));
        }
        if want.exclude.contains(&entry.credential.id) {
            excluded = true;
            tried |= matches!(readiness, Readiness::Ready | Readiness::Early);
            continue;
        }
        let reason = || entry.reason(now).unwrap_or_else(|| SEE_STATUS.to_owned());
        match readiness {
            Readiness::Ready | Readiness::Early => lend.push(slot),
            Readiness::Stale => stale.push(slot),
            Readiness::Resting(..) => {}
            Readiness::Failing => failing.push(LeaseError::Stale { reason: reason() }),
            Readiness::Blocked => blocked.push(LeaseError::NeedsOperator { reason: reason() }),
        }
    }
    let tiers = |mut slots: Vec<usize>| {
        let best = slots.iter().map(|slot| set.entries[*slot].seat.tier).min();
        slots.retain(|slot| Some(set.entries[*slot].seat.tier) == best);
        slots
    };
    let first = rests.iter().map(|(in_vain, until, _)| (*in_vain, *until)).min();
    rests.retain(|(in_vain, until, _)| Some((*in_vain, *until)) == first);
    let errors = match first {
        _ if tried => vec![LeaseError::AllTried],
        Some((_, until)) => {
            rests.iter().map(|(.., cause)| LeaseError::Resting { until, cause: *cause }).collect()
        }
        None if !failing.is_empty() => failing,
        None if excluded => vec![LeaseError::AllTried],
        None if !blocked.is_empty() => blocked,
        None => vec![LeaseError::NothingConfigured],
    };
    (tiers(lend), tiers(stale), errors)
}

fn agree(set: &mut Set, want: &Want, now: DateTime<Utc>) -> Result<(), TestCaseError> {
    let (lend, stale, errors) = scan(set, want, now);
    let any = set.has_ready_besides(&want.provider, &want.model, &want.exclude, now);
    prop_assert_eq!(any, !lend.is_empty() || !stale.is_empty());
    match set.choose(want, now) {
        Choice::Lend(slot) => prop_assert!(lend.contains(&slot), "{slot} is none of {lend:?}"),
        Choice::Wait(slot) => {
            prop_assert!(lend.is_empty(), "{lend:?} could be lent");
            prop_assert!(stale.contains(&slot), "{slot} is none of {stale:?}");
        }
        Choice::Nothing(error) => {
            prop_assert!(lend.is_empty() && stale.is_empty(), "{error:?} but {lend:?} {stale:?}");
            prop_assert!(errors.contains(&error), "{error:?} is none of {errors:?}");
        }
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum Event {
    Pass(i64),
    Step(i64),
    Lend,
    Return(usize, Outcome),
    Granted(usize, u64),
    Failed(usize, RefreshError),
    SwitchedOff(usize),
    Cleared(usize),
    ClientRefused,
    ClientAccepted,
    Reloaded(usize),
}

fn hint() -> impl Strategy<Value = RetryHint> + Clone {
    prop_oneof![
        (0_u64..2_000_000).prop_map(|milliseconds| RetryHint::After(Duration::from_millis(milliseconds))),
        Just(RetryHint::None),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let failure = prop_oneof![
        Just(RefreshError::Transient { problem: "HTTP 503".to_owned(), retry_after: None }),
        Just(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() }),
    ];
    prop_oneof![
        6 => (0_i64..900_000).prop_map(Event::Pass),
        1 => (-9_000_000_i64..0).prop_map(Event::Step),
        12 => Just(Event::Lend),
        12 => (0_usize..8, outcome(hint())).prop_map(|(which, outcome)| Event::Return(which, outcome)),
        2 => (0_usize..150, 1_u64..10_000).prop_map(|(which, life)| Event::Granted(which, life)),
        2 => (0_usize..150, failure).prop_map(|(which, failure)| Event::Failed(which, failure)),
        2 => (0_usize..150).prop_map(Event::SwitchedOff),
        1 => (0_usize..150).prop_map(Event::Cleared),
        1 => Just(Event::ClientRefused),
        1 => Just(Event::ClientAccepted),
        1 => (1_usize..150).prop_map(Event::Reloaded),
    ]
}

/// What a request was lent: which, for which model, by which bearer, at which mark.
type Out = (CredentialId, &'static str, crate::credential::Fingerprint, Mark);

fn happen(set: &mut Set, event: Event, now: &mut DateTime<Utc>, turn: usize, out: &mut Vec<Out>) {
    let count = set.entries.len();
    let id = |set: &Set, which: usize| set.entries[which % count].credential.id.clone();
    match event {
        Event::Pass(milliseconds) | Event::Step(milliseconds) => {
            *now += TimeDelta::milliseconds(milliseconds);
        }
        Event::Lend => {
            let model = MODELS[turn % MODELS.len()];
            if let Choice::Lend(slot) = set.choose(&want(model, Vec::new()), *now) {
                let mark = set.next_mark();
                let lent = set.lend(slot, model, mark, *now).unwrap().lent.clone().expect("it has a bearer");
                out.push((lent.credential.clone(), model, lent.fingerprint, mark));
            }
        }
        Event::Return(which, outcome) if !out.is_empty() => {
            let (id, model, bearer, taken) = out.remove(which % out.len());
            let mark = set.next_mark();
            if let Some(entry) = set.get_back(&id, &outcome) {
                entry.complete(Returned { model, bearer, taken, mark }, outcome, *now);
            }
        }
        Event::Return(..) => {}
        Event::Granted(which, life) => {
            let id = id(set, which);
            let expires_at = after(*now, Duration::from_secs(life));
            set.get_mut(&id).unwrap().adopt(login(turn + 1000, expires_at, None), Origin::Grant, *now);
        }
        Event::Failed(which, error) => {
            let id = id(set, which);
            let entry = set.get_mut(&id).unwrap();
            if matches!(error, RefreshError::InvalidGrant { .. }) {
                entry.refused_login = entry.refresh_print();
            }
            entry.failed(error, after(*now, Duration::from_secs(30)));
        }
        Event::SwitchedOff(which) => {
            let id = id(set, which);
            let entry = set.get_mut(&id).unwrap();
            entry.switched_off = entry.switched_off.is_none().then_some(SwitchedOff { reason: None });
        }
        Event::Cleared(which) => {
            let id = id(set, which);
            let entry = set.get_mut(&id).unwrap();
            entry.rest = None;
            entry.refusal = None;
            entry.models.clear();
        }
        Event::ClientRefused => {
            if let Some(client) = set.entries.iter().find_map(|entry| entry.client.clone()) {
                set.refuse_client(&client, "invalid_client");
            }
        }
        Event::ClientAccepted => {
            if let Some(client) = set.entries.iter().find_map(|entry| entry.client.clone()) {
                set.accept_client(&client);
            }
        }
        Event::Reloaded(count) => load(set, 0..count, *now),
    }
}

fn rotation() -> impl Strategy<Value = Rotation> {
    prop_oneof![Just(Rotation::RoundRobin), Just(Rotation::LeastUsed), Just(Rotation::FillFirst)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn p37_the_table_and_a_scan_of_every_credential_agree(
        rotation in rotation(),
        count in prop_oneof![1_usize..8, 60_usize..140],
        seats in proptest::collection::vec((1_u8..4, 1_u8..4), 1..7),
        events in proptest::collection::vec(event(), 0..120),
        tried in proptest::collection::vec(0_usize..140, 0..4),
    ) {
        let mut now = at(0);
        let mut set = Set::new(&PoolSettings { strategy: rotation, ..PoolSettings::default() });
        load(&mut set, 0..count, now);
        let mut out = Vec::new();
        for (turn, event) in events.into_iter().enumerate() {
            if turn == 1 {
                for (slot, entry) in set.entries.iter_mut().enumerate() {
                    let (tier, weight) = seats[slot % seats.len()];
                    entry.seat = Seat { tier, weight };
                }
                set.index();
            }
            happen(&mut set, event, &mut now, turn, &mut out);
            let exclude = tried.iter().map(|number| id(*number)).collect();
            for wanted in [want(MODELS[turn % 3], Vec::new()), want(MODELS[0], exclude)] {
                agree(&mut set, &wanted, now)?;
            }
        }
    }
}

fn sticky(count: usize) -> Set {
    let mut set =
        Set::new(&PoolSettings { sticky: Some(Duration::from_mins(30)), ..PoolSettings::default() });
    load(&mut set, (0..count).map(|number| number * 3), at(0));
    set
}

fn lent(set: &mut Set, session: Option<u64>, exclude: Vec<CredentialId>, second: i64) -> CredentialId {
    match set.choose(&Want { session, ..want(MODELS[0], exclude) }, at(second)) {
        Choice::Lend(slot) => set.entries[slot].credential.id.clone(),
        other @ (Choice::Wait(_) | Choice::Nothing(_)) => panic!("{other:?}"),
    }
}

#[test]
fn p38_a_session_stays_with_its_credential_while_that_can_be_lent() {
    let mut set = sticky(5);
    let first = lent(&mut set, Some(7), Vec::new(), 0);
    let others: Vec<CredentialId> = (0..5).map(|_| lent(&mut set, None, Vec::new(), 1)).collect();
    assert!(
        (1..5).all(|at| others[at] != others[at - 1]),
        "without a session each gets its turn: {others:?}"
    );
    assert!((2..9).all(|second| lent(&mut set, Some(7), Vec::new(), second) == first));
    let second = lent(&mut set, Some(7), vec![first.clone()], 10);
    assert_ne!(second, first, "what the request tried is not asked again");
    assert_eq!(lent(&mut set, Some(7), Vec::new(), 11), second, "the session moved");
    set.get_mut(&second).unwrap().switched_off = Some(SwitchedOff { reason: None });
    assert_ne!(lent(&mut set, Some(7), Vec::new(), 12), second, "nobody waits for it");
    let mut roundabout = sticky(5);
    let first = lent(&mut roundabout, Some(7), Vec::new(), 0);
    assert_ne!(lent(&mut roundabout, Some(7), Vec::new(), 1800), first, "half an hour without a word");
}

#[test]
fn without_sticky_sessions_a_session_changes_nothing() {
    let mut set = Set::default();
    load(&mut set, [0, 3, 6], at(0));
    let lent: Vec<CredentialId> = (0..3).map(|_| lent(&mut set, Some(7), Vec::new(), 0)).collect();
    assert_eq!(lent.iter().collect::<HashSet<_>>().len(), 3);
}

#[test]
fn only_the_credential_that_is_wanted_will_do() {
    let mut set = Set::default();
    load(&mut set, [0, 3, 6], at(0));
    let only = Want { only: Some(id(3)), ..want(MODELS[0], Vec::new()) };
    assert_eq!([set.choose(&only, at(0)), set.choose(&only, at(0))], [Choice::Lend(1), Choice::Lend(1)]);
    let gone = Want { only: Some(CredentialId::new("gone")), ..only };
    assert_eq!(set.choose(&gone, at(0)), Choice::Nothing(LeaseError::NothingConfigured));
}

#[test]
fn a_rule_finds_its_credential_by_id_file_name_or_variable_and_says_when_it_finds_none() {
    let rule = |credential: &str, tier| SeatRule { credential: credential.to_owned(), tier, weight: 2 };
    let rules = [
        rule("QWEN_CODE_OAUTH_CREDENTIALS_3", 3),
        rule("qwen_code-0000000000000006", 4),
        rule("0000000000000009", 5),
        rule("00000000", 6),
        rule("gemini.json", 7),
    ];
    let mut set = Set::new(&PoolSettings { seats: rules.to_vec(), ..PoolSettings::default() });
    load(&mut set, [0, 3, 6, 9], at(0));
    let tiers: Vec<u8> = set.entries.iter().map(|entry| entry.seat.tier).collect();
    assert_eq!(tiers, [1, 3, 4, 5]);
    let [several, none] = set.unused_seats() else { panic!("{:?}", set.unused_seats()) };
    assert!(several.contains("00000000, but several") && none.contains("gemini.json, but no"));
}
