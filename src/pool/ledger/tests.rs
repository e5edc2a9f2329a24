//! What a look visits, and that nothing is missed by what it does not visit; what clocks that differ make of a rest.

use std::time::Duration;

use super::*;
use crate::{
    config::PoolSettings,
    credential::LockNotes,
    pool::{
        LeaseError, Outcome, RestCause, RetryHint, Want,
        line::Span,
        outcome::{Faults, Returned},
        samples::{at, id, load, provider},
        set::Choice,
    },
};

const MODEL: &str = "a-model";
const MINUTE: i64 = 60_000;

/// API keys, of which the ledger has seen all.
fn seen(count: usize) -> (Ledger, Set) {
    let (mut ledger, mut set) = unseen(count);
    ledger.look(&mut set, at(0));
    sent(&mut ledger);
    (ledger, set)
}

fn unseen(count: usize) -> (Ledger, Set) {
    let mut set = Set::new(&PoolSettings::default());
    load(&mut set, (0..count).map(|number| number * 3), at(0));
    (Ledger::new("writer".to_owned(), Presence::Told), set)
}

/// What is written now.
fn sent(ledger: &mut Ledger) -> Vec<Line> {
    let mut lines = Vec::new();
    while let Some(batch) = ledger.batch(at(0)) {
        lines.extend(batch.lines);
        ledger.written();
    }
    lines
}

/// Whom that is about, and which items.
fn items(lines: &[Line]) -> Vec<(CredentialId, Item)> {
    lines.iter().map(|line| (line.credential.clone(), line.item.clone())).collect()
}

fn changes(lines: impl IntoIterator<Item = (usize, Item, Value)>) -> Changes {
    let lines = lines.into_iter().map(|(number, item, value)| Line { credential: id(number), item, value });
    Changes { lines: lines.collect(), revision: 1, store: String::new() }
}

fn rest(from: DateTime<Utc>, seconds: i64) -> Value {
    let made_at = from.timestamp_millis();
    let span = Span {
        until: made_at + seconds * 1000,
        set_at: made_at,
        step: 0,
        probe_at: None,
        cause: RestCause::Quota,
        reason: "HTTP 429".to_owned(),
        made_at,
    };
    Value::Rests(Rests { cleared_at: 0, spans: vec![span] })
}

fn quota(seconds: u64) -> Outcome {
    let hint = RetryHint::After(Duration::from_secs(seconds));
    Outcome::CredentialCooling { hint, reason: "HTTP 429".to_owned() }
}

fn want() -> Want {
    Want::new(provider(), MODEL, crate::clock::instant())
}

/// One request, as the pool has it.
fn serve(set: &mut Set, slot: usize, outcome: Outcome, now: DateTime<Utc>) {
    let taken = set.next_mark();
    let lent = set.lend(slot, MODEL, taken, now).unwrap().lent.clone().unwrap();
    let mark = set.next_mark();
    let lease = Returned { model: MODEL, bearer: lent.fingerprint, taken, mark };
    set.get_back(&lent.credential, &outcome).unwrap().complete(lease, outcome, now);
}

#[test]
fn p37_a_look_visits_what_was_touched_and_a_few_in_turn() {
    let (mut ledger, mut set) = seen(1000);
    assert_eq!(ledger.visits, 1000, "at the start each is new");
    let mut visits = |set: &mut Set| {
        let before = ledger.visits;
        ledger.look(set, at(1));
        ledger.visits - before
    };
    let few = visits(&mut set);
    assert!(few <= 10, "nothing happened, and {few} were looked at");
    for _ in 0..50 {
        serve(&mut set, 700, Outcome::Success, at(1));
        serve(&mut set, 800, quota(60), at(1));
    }
    assert_eq!(visits(&mut set), few + 2);
    assert_eq!(visits(&mut set), few);
}

/// What happens, and what is to be written of it.
type Way<'a> = (&'a str, fn(&mut Set), &'a [Item]);

/// Each happens to a credential whose turn it is not.
#[test]
fn p30_whatever_befalls_a_credential_is_in_the_next_batch() {
    const SLOT: usize = 50;
    let own = |set: &mut Set, change: fn(&mut Entry)| change(set.get_mut(&id(SLOT * 3)).unwrap());
    let ways: [Way<'_>; 5] = [
        ("served", |set| serve(set, SLOT, Outcome::Success, at(1)), &[Item::Counts]),
        ("rests", |set| serve(set, SLOT, quota(60), at(1)), &[Item::Rest, Item::Counts]),
        (
            "a model rests",
            |set| serve(set, SLOT, Outcome::ModelUnavailable { reason: String::new() }, at(1)),
            &[Item::ModelRest(MODEL.to_owned()), Item::Counts],
        ),
        (
            "refused",
            |set| serve(set, SLOT, Outcome::Refused { reason: String::new(), link: None }, at(1)),
            &[Item::Refusal, Item::Counts],
        ),
        ("lent only", |set| assert!(set.lend(SLOT, MODEL, 1, at(1)).is_some()), &[Item::Counts]),
    ];
    for (what, happen, expected) in ways {
        let (mut ledger, mut set) = seen(100);
        happen(&mut set);
        ledger.look(&mut set, at(1));
        let expected: Vec<_> = expected.iter().map(|item| (id(SLOT * 3), item.clone())).collect();
        assert_eq!(items(&sent(&mut ledger)), expected, "{what}");
    }
    let (mut ledger, mut set) = seen(100);
    let bearer = set.lend(SLOT, MODEL, 1, at(1)).unwrap().bearer().unwrap().1;
    ledger.look(&mut set, at(1));
    sent(&mut ledger);
    let lease = Returned { model: MODEL, bearer, taken: 1, mark: 2 };
    set.get_back(&id(SLOT * 3), &quota(60)).unwrap().complete(lease, quota(60), at(2));
    ledger.look(&mut set, at(2));
    let expected = [(id(SLOT * 3), Item::Rest), (id(SLOT * 3), Item::Counts)];
    assert_eq!(items(&sent(&mut ledger)), expected, "a request that took its time");
    let (mut ledger, mut set) = seen(100);
    own(&mut set, |entry| entry.switched_off = Some(SwitchedOff { reason: None }));
    ledger.look(&mut set, at(1));
    assert_eq!(items(&sent(&mut ledger)), [(id(SLOT * 3), Item::Switch)], "an operator's decision");
    serve(&mut set, SLOT, quota(60), at(2));
    ledger.look(&mut set, at(2));
    sent(&mut ledger);
    own(&mut set, |entry| (entry.rest, entry.faults) = (None, Faults::default()));
    ledger.look(&mut set, at(3));
    assert_eq!(items(&sent(&mut ledger)), [(id(SLOT * 3), Item::Rest)], "its end");
}

#[test]
fn p30_what_the_store_says_of_an_untouched_credential_reaches_the_lease_table() {
    let (mut ledger, mut set) = seen(1);
    assert_eq!(set.choose(&want(), at(1)), Choice::Lend(0));
    let heard = ledger.take_in(&mut set, changes([(0, Item::Rest, rest(at(1), 60))]), at(2));
    assert!(heard.more_than_counts && heard.whose.contains(&id(0)));
    let resting = LeaseError::Resting { until: at(61), cause: RestCause::Quota };
    assert_eq!(set.choose(&want(), at(2)), Choice::Nothing(resting));
    assert_eq!(set.choose(&want(), at(61)), Choice::Lend(0), "and its end, which time alone brings");
    ledger.look(&mut set, at(61));
    assert!(sent(&mut ledger).is_empty(), "nothing is to be said of either");
}

#[test]
fn p30_a_credential_that_a_reload_brings_has_what_is_known_of_it_at_the_next_look() {
    let (mut ledger, mut set) = seen(100);
    let known = [(3 * 100, Item::Rest, rest(at(0), 60))];
    ledger.take_in(&mut set, changes(known), at(1));
    load(&mut set, [300], at(1));
    assert_eq!(set.choose(&want(), at(2)), Choice::Lend(0), "it was not looked at yet");
    ledger.look(&mut set, at(2));
    assert!(matches!(set.choose(&want(), at(2)), Choice::Nothing(LeaseError::Resting { .. })));
}

#[test]
fn p4_a_refused_token_that_returns_is_held_back_at_the_next_look() {
    let mut set = Set::new(&PoolSettings::default());
    load(&mut set, [100], at(0));
    let entry = set.get_mut(&id(100)).unwrap();
    let token = entry.refresh_print().unwrap();
    entry.recall(&LockNotes { refused: Some(token), ..LockNotes::default() }, at(0));
    let mut ledger = Ledger::new("writer".to_owned(), Presence::Told);
    ledger.look(&mut set, at(0));
    ledger.look(&mut set, at(1));
    assert!(items(&sent(&mut ledger)).contains(&(id(100), Item::RefusedToken(token))));
    load(&mut set, [], at(2));
    load(&mut set, [100], at(3));
    assert!(!set.get(&id(100)).unwrap().is_login_refused());
    ledger.look(&mut set, at(3));
    assert!(set.get(&id(100)).unwrap().is_login_refused());
}

#[test]
fn p30_another_store_is_told_what_rests_without_a_visit() {
    let (mut ledger, mut set) = seen(1000);
    serve(&mut set, 700, quota(60), at(1));
    set.get_mut(&id(3 * 800)).unwrap().switched_off = Some(SwitchedOff { reason: None });
    ledger.look(&mut set, at(1));
    assert_eq!(sent(&mut ledger).len(), 3);
    ledger.take_in(&mut set, Changes { revision: 9, ..Changes::default() }, at(2));
    let another = Changes { store: "another".to_owned(), revision: 9, ..Changes::default() };
    assert!(ledger.is_another(&another));
    ledger.begin_anew();
    ledger.take_in(&mut set, another, at(3));
    let mut told = items(&sent(&mut ledger));
    told.sort();
    assert_eq!(told, [(id(3 * 700), Item::Rest), (id(3 * 800), Item::Switch)]);
}

/// A store that is down takes nothing: what was touched meanwhile is not forgotten with the look that saw it.
#[test]
fn p30_what_was_looked_at_while_the_store_was_down_is_written_when_it_is_back() {
    let (mut ledger, mut set) = seen(100);
    serve(&mut set, 50, Outcome::Success, at(1));
    ledger.look(&mut set, at(1));
    let lost = ledger.batch(at(1)).unwrap();
    serve(&mut set, 51, Outcome::Success, at(2));
    ledger.look(&mut set, at(2));
    ledger.look(&mut set, at(3));
    assert_eq!(ledger.batch(at(3)), Some(lost), "as it was, since it may have arrived");
    let all = items(&sent(&mut ledger));
    assert_eq!(all, [(id(150), Item::Counts), (id(153), Item::Counts)]);
}

#[test]
fn p30_a_credential_that_nobody_uses_is_said_to_be_here_once_a_day() {
    let (mut ledger, mut set) = seen(100);
    let mut told = Vec::new();
    for second in 0..3 * 86_400_i64 {
        if second % 600 < 13 {
            ledger.look(&mut set, at(second));
            told.extend(items(&sent(&mut ledger)));
        }
    }
    for number in 0..100 {
        let count = told.iter().filter(|(id, _)| *id == self::id(number * 3)).count();
        assert!((2..=3).contains(&count), "{number}: {count} times in three days");
    }
}

/// The other host's clock is a day ahead.
#[test]
fn p30_a_rest_from_a_host_whose_clock_is_ahead_lasts_as_long_as_it_said() {
    let (mut ledger, mut set) = seen(1);
    let theirs = changes([(0, Item::Rest, rest(at(86_400), 600))]);
    ledger.take_in(&mut set, theirs.clone(), at(5));
    assert_eq!(set.entries()[0].rest.as_ref().unwrap().until, at(605));
    ledger.take_in(&mut set, theirs, at(305));
    assert_eq!(set.entries()[0].rest.as_ref().unwrap().until, at(605), "hearing of it again changes nothing");
    assert!(sent(&mut ledger).is_empty(), "and it is not undone where it was made");
    serve(&mut set, 0, Outcome::Success, at(606));
    ledger.look(&mut set, at(606));
    let lines = sent(&mut ledger);
    let Some(Line { value: Value::Rests(ended), .. }) = lines.iter().find(|line| line.item == Item::Rest)
    else {
        panic!("{lines:?}")
    };
    let Value::Rests(raw) = rest(at(86_400), 600) else { unreachable!() };
    assert_eq!(raw.join(ended).current(), None, "a success ends it for everybody");
}

#[test]
fn p10_a_rest_from_before_the_clock_was_set_back_lasts_as_long_as_it_said() {
    const DAY: i64 = 86_400;
    let (mut ledger, mut set) = seen(100);
    ledger.look(&mut set, at(DAY));
    serve(&mut set, 50, quota(600), at(DAY));
    serve(&mut set, 60, Outcome::ModelUnavailable { reason: String::new() }, at(DAY));
    ledger.look(&mut set, at(DAY));
    sent(&mut ledger);
    // One more in the moment before the clock is set.
    serve(&mut set, 70, quota(300), at(DAY));
    ledger.look(&mut set, at(10));
    let until = |slot: usize| set.entries()[slot].rest.as_ref().map(|rest| rest.until);
    assert_eq!((until(50), until(70)), (Some(at(610)), Some(at(310))));
    assert_eq!(set.entries()[60].models[MODEL].until, at(10 + 6 * 3600));
    for second in [11, 12] {
        ledger.look(&mut set, at(second));
    }
    assert_eq!(set.entries()[50].rest.as_ref().unwrap().until, at(610), "once");
    ledger.look(&mut set, at(10) - Duration::from_secs(30));
    assert_eq!(set.entries()[50].rest.as_ref().unwrap().until, at(610), "half a minute is nothing");
}

#[test]
fn p10_uses_and_refreshes_in_the_future_are_not_shown() {
    let (mut ledger, mut set) = seen(1);
    let told = |ahead: i64| {
        let instant = at(1).timestamp_millis() + ahead;
        let last_refresh = Some(RefreshLine { at: instant, failure: None });
        let (last_used_at, by_hand_at) = (Some(instant), Some(instant));
        changes([(
            0,
            Item::Counts,
            Value::Counts(Counts { last_used_at, last_refresh, by_hand_at, ..Counts::default() }),
        )])
    };
    let shown = |set: &Set| {
        let entry = &set.entries()[0];
        [entry.last_used_at, entry.by_hand_at, entry.last_refresh.as_ref().map(|last| last.at)]
    };
    ledger.take_in(&mut set, told(2 * MINUTE), at(1));
    assert_eq!(shown(&set), [None; 3]);
    ledger.take_in(&mut set, told(MINUTE / 2), at(1));
    assert_eq!(shown(&set), [Some(at(31)); 3], "clocks differ a little");
}
