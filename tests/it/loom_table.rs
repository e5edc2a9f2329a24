//! The lease table between threads, in every order that their critical sections can take (loom).
//!
//! The table itself is as the pool has it, by its file. The mutex around it, the clock and the threads are loom's. What
//! is true of a slot stands beside the table, as the pool's entries do, and is told to it in the same critical section.

#[path = "../../src/pool/table.rs"]
#[expect(dead_code, reason = "the pool uses more of it than these models")]
mod table;
#[path = "../../src/pool/uses.rs"]
mod uses;
#[path = "../../src/pool/veil.rs"]
mod veil;

use loom::{
    model::Builder,
    sync::{Arc, Mutex},
    thread,
};

use self::table::{Class, Found, Order, Outlook, Seat, Table, Until, Why};

const MODEL: &str = "a-model";

/// What is true of a slot.
#[derive(Debug, Clone, Default)]
struct Truth {
    /// Until when it rests; kept after its end, until a request was answered.
    rests_until: Option<i64>,
    /// One request tries what rested.
    is_tried: bool,
    out: u32,
    lent: u64,
}

impl Truth {
    fn outlook(&self, now: i64) -> Outlook {
        let until = |at| Until { in_vain: false, at };
        let (class, changes_at) = match self.rests_until {
            Some(at) if now < at => (Class::Resting(until(at)), Some(at)),
            Some(_) if self.is_tried => (Class::Resting(until(i64::MAX)), None),
            Some(_) | None => (Class::Ready, None),
        };
        Outlook { class, changes_at, used: self.lent, models: Vec::new() }
    }
}

struct World {
    now: i64,
    table: Table,
    truths: Vec<Truth>,
}

impl World {
    fn new(order: Order, slots: usize) -> Self {
        let mut world = Self { now: 0, table: Table::default(), truths: vec![Truth::default(); slots] };
        world.reload(order, slots);
        world
    }

    /// A reload: a table of its own, told everything anew.
    fn reload(&mut self, order: Order, slots: usize) {
        self.truths.resize(slots, Truth::default());
        let mut table = Table::new(order, &vec![Seat::default(); slots]);
        table.take_turns_of(&self.table);
        self.table = table;
        for slot in 0..slots {
            self.tell(slot);
        }
    }

    fn tell(&mut self, slot: usize) {
        self.table.update(slot, self.truths[slot].outlook(self.now));
    }

    fn lend(&mut self) -> Option<usize> {
        let now = self.now;
        while let Some(slot) = self.table.due(now) {
            self.tell(slot);
        }
        let slot = match self.table.pick(MODEL, &[]) {
            Found::Lend(slot) => slot,
            Found::Wait(_) => panic!("no slot here needs a flight"),
            Found::Nothing(why) => {
                let ready = self.truths.iter().any(|truth| truth.outlook(now).class == Class::Ready);
                assert!(!ready, "{why:?} although one is ready");
                assert!(matches!(why, Why::Resting(_)), "{why:?}");
                return None;
            }
        };
        let truth = &mut self.truths[slot];
        assert_eq!(truth.outlook(now).class, Class::Ready, "slot {slot} rests, or is being tried");
        truth.out += 1;
        truth.lent += 1;
        truth.is_tried = truth.rests_until.is_some();
        self.table.lent(slot);
        self.tell(slot);
        Some(slot)
    }

    /// A lease comes back: answered, or refused, so that the slot rests until an instant.
    fn take_back(&mut self, slot: usize, rests_until: Option<i64>) {
        let Some(truth) = self.truths.get_mut(slot) else { return };
        truth.out = truth.out.checked_sub(1).expect("never more returns than leases");
        truth.is_tried = false;
        truth.rests_until = rests_until;
        self.tell(slot);
    }
}

/// Runs this much on loom's threads, in every order of their critical sections with up to three changes of thread that
/// no thread waited for: more of them find nothing new between threads of two sections each, and take minutes.
fn explore(order: Order, slots: usize, threads: &'static [fn(&Mutex<World>)]) {
    let mut model = Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let world = Arc::new(Mutex::new(World::new(order, slots)));
        let (first, others) = threads.split_first().expect("threads");
        let running: Vec<_> = others
            .iter()
            .map(|run| {
                let world = Arc::clone(&world);
                thread::spawn(move || run(&world))
            })
            .collect();
        first(&world);
        for thread in running {
            thread.join().unwrap();
        }
        let mut world = world.lock().unwrap();
        assert!(world.truths.iter().all(|truth| truth.out == 0), "a return was lost: {:?}", world.truths);
        // Long after everything, each slot serves again.
        world.now = 1000;
        for _ in 0..world.truths.len() {
            let slot = world.lend().expect("everything has rested");
            world.take_back(slot, None);
        }
    });
}

fn answered(world: &Mutex<World>) {
    let lent = world.lock().unwrap().lend();
    if let Some(slot) = lent {
        world.lock().unwrap().take_back(slot, None);
    }
}

fn refused(world: &Mutex<World>) {
    let lent = world.lock().unwrap().lend();
    if let Some(slot) = lent {
        world.lock().unwrap().take_back(slot, Some(10));
    }
}

fn time_passes(world: &Mutex<World>) {
    world.lock().unwrap().now = 10;
    answered(world);
}

fn reloads(world: &Mutex<World>) {
    world.lock().unwrap().reload(Order::InTurn, 3);
}

#[test]
fn p39_what_rests_is_lent_to_nobody_and_tried_by_one_whatever_the_order_of_threads() {
    explore(Order::InTurn, 1, &[refused, answered, time_passes]);
    explore(Order::LeastUsed, 2, &[refused, refused, time_passes]);
}

#[test]
fn p35_no_lease_is_lost_when_a_reload_comes_between() {
    explore(Order::InTurn, 2, &[refused, answered, reloads]);
}
