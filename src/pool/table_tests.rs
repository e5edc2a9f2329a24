//! Fairness of the lease table (P39), what a pick costs (P37), and that it forgets what is over (P38).

use proptest::prelude::*;

use super::table::{Class, Found, Order, Outlook, Seat, Table, Until, Why};

const MODEL: &str = "a-model";

fn outlook(class: Class, used: u64) -> Outlook {
    Outlook { class, changes_at: None, used, models: Vec::new() }
}

fn until(at: i64) -> Until {
    Until { in_vain: false, at }
}

/// A table whose slots can all be lent.
fn ready(order: Order, seats: &[(u8, u8)]) -> Table {
    let seats: Vec<Seat> = seats.iter().map(|(tier, weight)| Seat { tier: *tier, weight: *weight }).collect();
    let mut table = Table::new(order, &seats);
    for slot in 0..seats.len() {
        table.update(slot, outlook(Class::Ready, 0));
    }
    table
}

fn equal(order: Order, count: usize) -> Table {
    ready(order, &vec![(1, 1); count])
}

fn lend(table: &mut Table) -> usize {
    match table.pick(MODEL, &[]) {
        Found::Lend(slot) => {
            table.lent(slot);
            slot
        }
        found @ (Found::Wait(_) | Found::Nothing(_)) => panic!("{found:?}"),
    }
}

/// How often each slot is lent in so many picks.
fn tally(table: &mut Table, slots: usize, picks: usize) -> Vec<usize> {
    let mut counts = vec![0; slots];
    for _ in 0..picks {
        counts[lend(table)] += 1;
    }
    counts
}

fn near(count: usize, share: usize) -> bool {
    count.abs_diff(share) <= 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn p39_in_turn_differs_by_at_most_one(count in 1_usize..200, warm in 0_usize..300, picks in 0_usize..600) {
        let mut table = equal(Order::InTurn, count);
        tally(&mut table, count, warm);
        let counts = tally(&mut table, count, picks);
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    }

    #[test]
    fn p39_over_one_turn_of_all_weights_each_gets_its_own(
        weights in proptest::collection::vec(prop_oneof![1_u8..5, 1_u8..=100], 1..12), warm in 0_usize..500,
    ) {
        let seats: Vec<(u8, u8)> = weights.iter().map(|weight| (1, *weight)).collect();
        let mut table = ready(Order::InTurn, &seats);
        tally(&mut table, seats.len(), warm);
        let total = weights.iter().map(|weight| usize::from(*weight)).sum();
        let counts = tally(&mut table, seats.len(), total);
        for (count, weight) in counts.iter().zip(&weights) {
            prop_assert!(near(*count, usize::from(*weight)), "{counts:?} of {weights:?}");
        }
    }

    #[test]
    fn p39_what_returns_from_a_rest_gets_no_burst(
        weights in proptest::collection::vec(1_u8..6, 2..9), missed in 1_usize..400, who in 0_usize..9,
    ) {
        let seats: Vec<(u8, u8)> = weights.iter().map(|weight| (1, *weight)).collect();
        let who = who % seats.len();
        let mut table = ready(Order::InTurn, &seats);
        tally(&mut table, seats.len(), 7);
        table.update(who, outlook(Class::Resting(until(9)), 0));
        let counts = tally(&mut table, seats.len(), missed);
        prop_assert_eq!(counts[who], 0);
        table.update(who, outlook(Class::Ready, 0));
        let total: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        let counts = tally(&mut table, seats.len(), total);
        prop_assert!(counts[who] <= usize::from(weights[who]) + 1, "{counts:?} of {weights:?}");
    }

    #[test]
    fn p39_a_tier_is_lent_only_when_none_before_it_can_be(
        tiers in proptest::collection::vec(1_u8..5, 1..100),
        resting in proptest::collection::vec((0_usize..100, any::<bool>()), 0..150),
        order in prop_oneof![Just(Order::InTurn), Just(Order::LeastUsed), Just(Order::First)],
    ) {
        let seats: Vec<(u8, u8)> = tiers.iter().map(|tier| (*tier, 1)).collect();
        let mut table = ready(order, &seats);
        let mut up = vec![true; tiers.len()];
        for (slot, is_up) in resting {
            let slot = slot % tiers.len();
            up[slot] = is_up;
            table.update(slot, outlook(if is_up { Class::Ready } else { Class::Barred }, 0));
            let best = tiers.iter().zip(&up).filter(|(_, up)| **up).map(|(tier, _)| *tier).min();
            match table.pick(MODEL, &[]) {
                Found::Lend(slot) => prop_assert_eq!((up[slot], Some(tiers[slot])), (true, best)),
                found @ (Found::Wait(_) | Found::Nothing(_)) => prop_assert_eq!(best, None, "{:?}", found),
            }
        }
    }

    #[test]
    fn p39_least_used_evens_out_a_head_start(
        start in proptest::collection::vec((0_u64..20, 1_u8..5), 1..10), resting in proptest::collection::vec(any::<bool>(), 10),
    ) {
        let seats: Vec<(u8, u8)> = start.iter().map(|(_, weight)| (1, *weight)).collect();
        let mut table = Table::new(Order::LeastUsed, &seats.iter().map(|(tier, weight)| Seat { tier: *tier, weight: *weight }).collect::<Vec<_>>());
        for (slot, (used, _)) in start.iter().enumerate() {
            let models = if resting[slot] { vec![("another-model".to_owned(), until(9))] } else { Vec::new() };
            table.update(slot, Outlook { models, ..outlook(Class::Ready, *used) });
        }
        let counts = tally(&mut table, start.len(), 800);
        let shares: Vec<f64> = counts.iter().zip(&start).map(|(count, (used, weight))| {
            (f64::from(u32::try_from(*count).unwrap()) + f64::from(u32::try_from(*used).unwrap())) / f64::from(*weight)
        }).collect();
        let (least, most) = shares.iter().fold((f64::MAX, 0.0_f64), |(least, most), share| (least.min(*share), most.max(*share)));
        prop_assert!(most - least <= 1.001, "{shares:?}");
        // The model that rests on some is lent by the others, the least used of them first.
        let found = table.pick("another-model", &[]);
        let free: Vec<usize> = (0..start.len()).filter(|slot| !resting[*slot]).collect();
        let fewest = free.iter().map(|slot| shares[*slot]).fold(f64::MAX, f64::min);
        match found {
            Found::Lend(slot) => prop_assert!(free.contains(&slot) && shares[slot] <= fewest + 0.001),
            Found::Wait(_) | Found::Nothing(_) => prop_assert!(free.is_empty(), "{found:?}"),
        }
    }
}

#[test]
fn first_stays_with_the_first_until_it_rests() {
    let mut table = equal(Order::First, 3);
    assert_eq!(tally(&mut table, 3, 5), [5, 0, 0]);
    table.update(0, outlook(Class::Resting(until(9)), 5));
    assert_eq!(tally(&mut table, 3, 5), [0, 5, 0]);
    table.update(0, outlook(Class::Ready, 5));
    assert_eq!(lend(&mut table), 0);
}

#[test]
fn another_that_is_ready_comes_before_a_wait_and_waits_take_turns() {
    let mut table = equal(Order::InTurn, 3);
    table.update(0, outlook(Class::Stale, 0));
    table.update(1, outlook(Class::Stale, 0));
    assert_eq!(table.pick(MODEL, &[]), Found::Lend(2));
    table.update(2, outlook(Class::Failing, 0));
    assert_eq!(table.pick(MODEL, &[]), Found::Wait(0));
    assert_eq!(table.pick(MODEL, &[]), Found::Wait(1), "the next one waits for the next");
    assert_eq!(table.pick(MODEL, &[0, 1]), Found::Nothing(Why::Failing(2)));
}

#[test]
fn p37_a_pick_reads_one_word_in_turn_and_each_word_once_or_twice_at_worst() {
    for count in [1, 3, 64, 300, 10_000] {
        let mut table = equal(Order::InTurn, count);
        let mut worst = 0;
        for _ in 0..2 * count {
            let before = table.words_read;
            lend(&mut table);
            worst = worst.max(table.words_read - before);
        }
        assert!(worst <= 2, "{worst} words for one of {count} that are all ready");
        let words = count.div_ceil(64);
        for slot in 1..count {
            table.update(slot, outlook(Class::Resting(until(9)), 0));
        }
        let before = table.words_read;
        assert_eq!(lend(&mut table), 0);
        assert!(table.words_read - before <= words + 1, "all but one of {count} rest");
        table.update(0, outlook(Class::Resting(until(8)), 0));
        let before = table.words_read;
        assert_eq!(table.pick(MODEL, &[]), Found::Nothing(Why::Resting(0)));
        assert!(table.words_read - before <= 2 * (words + 1), "all of {count} rest");
    }
}

#[test]
fn p37_a_model_that_rests_on_all_but_one_costs_no_more() {
    let count = 10_000;
    let mut table = equal(Order::InTurn, count);
    for slot in 0..count - 1 {
        let models = vec![(MODEL.to_owned(), until(9))];
        table.update(slot, Outlook { models, ..outlook(Class::Ready, 0) });
    }
    let before = table.words_read;
    assert_eq!([lend(&mut table), lend(&mut table)], [count - 1; 2]);
    assert!(table.words_read - before <= 2 * count.div_ceil(64) + 2);
    assert!(matches!(table.pick("another-model", &[]), Found::Lend(0)), "it rests for that model alone");
}

#[test]
fn p38_a_model_is_forgotten_when_it_rests_nowhere() {
    let mut table = equal(Order::InTurn, 3);
    for number in 0..100 {
        let models = vec![(format!("model-{number}"), until(9))];
        table.update(1, Outlook { models, ..outlook(Class::Ready, 0) });
        assert_eq!(table.resting_models(), 1);
    }
    table.update(1, outlook(Class::Ready, 0));
    assert_eq!(table.resting_models(), 0);
}

#[test]
fn whose_turn_it_is_survives_a_reload() {
    let mut table = equal(Order::InTurn, 5);
    assert_eq!([lend(&mut table), lend(&mut table)], [0, 1]);
    let mut next = equal(Order::InTurn, 6);
    next.take_turns_of(&table);
    assert_eq!(
        [lend(&mut next), lend(&mut next), lend(&mut next), lend(&mut next), lend(&mut next)],
        [2, 3, 4, 5, 0]
    );
}
