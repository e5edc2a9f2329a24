//! The single flight under a scheduler that tries orders of steps (P1, P3, P7): the code that the pool runs, with the
//! pool's mutex, tasks and callers played by shuttle's. A lost wake-up shows as a deadlock, which shuttle reports together
//! with the schedule that leads to it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use shuttle::{check_pct, check_random, future, rand::Rng, sync::Mutex, thread};
use tokio::sync::watch;

use super::*;

/// How many orders of steps are tried, each way.
const ORDERS: usize = 500;
/// How often the scheduler that looks for rare orders changes its mind.
const DEPTH: usize = 3;

/// What a flight brought.
type Token = u32;

/// What the callers share: as in the pool, one mutex around the token and the place of its flight.
#[derive(Default)]
struct Shared {
    token: Option<Token>,
    place: Option<Flight<(), Result<Token, Broken>>>,
    /// Exchanges that were begun, that are under way, and landings.
    exchanges: u32,
    under_way: u32,
    landings: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken;

type End = Result<Token, Broken>;

#[derive(Default, Clone)]
struct World(Arc<Mutex<Shared>>);

impl Landing<End> for World {
    fn land(&self, ended: &End) {
        let mut shared = self.0.lock().unwrap();
        assert!(shared.place.take().is_some(), "a flight lands once, in its own place");
        shared.landings += 1;
        assert_eq!(ended.is_err(), shared.token.is_none());
    }

    fn broken_off(&self) -> End {
        Err(Broken)
    }
}

/// How a flight goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Good,
    /// It panics under way.
    Panics,
    /// Its task is dropped under way, as a runtime that ends does.
    Dropped,
    /// Its task is dropped before it ran, by the very call that should start it.
    Grounded,
}

impl World {
    /// Joins or starts the flight, unless there is a token.
    fn board(&self, course: Course) -> Result<watch::Receiver<Progress<End>>, Token> {
        let mut shared = self.0.lock().unwrap();
        if let Some(token) = shared.token {
            return Err(token);
        }
        let (progress, pilot) = board(&mut shared.place, (), self.clone());
        if let Some(pilot) = pilot {
            match course {
                // With the mutex held, as the pool holds it when it spawns.
                Course::Grounded => drop(pilot),
                Course::Good | Course::Panics | Course::Dropped => {
                    drop(future::spawn(self.clone().fly(pilot, course)));
                }
            }
        }
        Ok(progress)
    }

    async fn fly(self, mut pilot: Pilot<End, Self>, course: Course) {
        pilot.take_off();
        {
            let mut shared = self.0.lock().unwrap();
            shared.exchanges += 1;
            shared.under_way += 1;
            assert_eq!(shared.under_way, 1, "two exchanges at once");
        }
        future::yield_now().await;
        let token = {
            let mut shared = self.0.lock().unwrap();
            shared.under_way -= 1;
            shared.exchanges
        };
        match course {
            Course::Good | Course::Grounded => {}
            Course::Panics => {
                let broke = catch_unwind(AssertUnwindSafe(move || {
                    let _pilot = pilot;
                    // Without the hook, which would print.
                    resume_unwind(Box::new(()));
                }));
                assert!(broke.is_err());
                return;
            }
            Course::Dropped => return,
        }
        self.0.lock().unwrap().token = Some(token);
        pilot.published();
        future::yield_now().await;
        pilot.end(Ok(token));
    }

    /// Asks until there is a token; how often it was told of a flight's end.
    async fn get(&self, first: Course) -> (Token, u32) {
        let (mut course, mut told) = (first, 0);
        loop {
            let progress = match self.board(course) {
                Ok(progress) => progress,
                Err(token) => return (token, told),
            };
            match ended(progress).await {
                Some(Ok(token)) => return (token, told + 1),
                Some(Err(Broken)) => told += 1,
                None => assert_eq!(course, Course::Grounded, "only a flight that never took off has no end"),
            }
            course = Course::Good;
        }
    }

    /// What holds when everybody is done.
    fn at_rest(&self, exchanges: u32) {
        let shared = self.0.lock().unwrap();
        assert_eq!((shared.exchanges, shared.landings, shared.under_way), (exchanges, exchanges, 0));
        assert!(shared.place.is_none(), "nothing stays under way");
    }
}

/// Tries a world in many orders of steps: at random, and by priorities that change rarely.
fn in_many_orders(world: impl Fn() + Send + Sync + Clone + 'static) {
    check_random(world.clone(), ORDERS);
    check_pct(world, ORDERS, DEPTH);
}

/// Callers in threads of their own, as on a runtime with several workers.
fn callers<T: Send + 'static>(
    world: &World,
    count: u32,
    caller: impl Fn(u32, World) -> T + Send + Sync + Clone + 'static,
) -> Vec<T> {
    let started: Vec<_> = (0..count)
        .map(|number| {
            let (world, caller) = (world.clone(), caller.clone());
            thread::spawn(move || caller(number, world))
        })
        .collect();
    started.into_iter().map(|caller| caller.join().unwrap()).collect()
}

/// Waits until nothing is under way.
fn settle(world: &World) {
    let progress = world.0.lock().unwrap().place.as_ref().map(|flight| flight.progress.clone());
    if let Some(progress) = progress {
        future::block_on(ended(progress));
    }
}

#[test]
fn p1_one_exchange_serves_all_who_wait_in_every_order() {
    in_many_orders(|| {
        let world = World::default();
        let got = callers(&world, 3, |_, world| future::block_on(world.get(Course::Good)));
        for (token, told) in got {
            assert_eq!(token, 1);
            assert!(told <= 1);
        }
        settle(&world);
        world.at_rest(1);
    });
}

#[test]
fn p3_the_end_of_a_flight_that_breaks_off_reaches_each_waiter_once_and_the_next_flight_starts() {
    for course in [Course::Panics, Course::Dropped] {
        in_many_orders(move || {
            let world = World::default();
            // Only the first flight breaks off: whoever starts the second knows of the first, or came after it.
            let got = callers(&world, 3, move |_, world| {
                let first = if world.0.lock().unwrap().landings == 0 { course } else { Course::Good };
                future::block_on(world.get(first))
            });
            settle(&world);
            let landings = world.0.lock().unwrap().landings;
            assert!((2..=4).contains(&landings), "{landings}");
            for (token, told) in got {
                assert_eq!(token, landings, "the one good flight");
                assert!(told <= landings, "told once a flight");
            }
            world.at_rest(landings);
        });
    }
}

#[test]
fn p7_a_caller_that_leaves_takes_no_flight_along() {
    in_many_orders(|| {
        let world = World::default();
        callers(&world, 2, |number, world| {
            if number == 0 {
                // Boards, perhaps starts the flight, looks once, and leaves.
                if let Ok(progress) = world.board(Course::Good)
                    && shuttle::rand::thread_rng().gen_bool(0.5)
                {
                    drop(progress.has_changed());
                }
            } else {
                let (token, told) = future::block_on(world.get(Course::Good));
                assert!(token == 1 && told <= 1);
            }
        });
        settle(&world);
        world.at_rest(1);
    });
}

#[test]
fn p1_a_flight_that_never_took_off_is_in_nobodys_way() {
    in_many_orders(|| {
        let world = World::default();
        let got = callers(&world, 3, |number, world| {
            let first = if number == 0 { Course::Grounded } else { Course::Good };
            future::block_on(world.get(first))
        });
        assert!(got.iter().all(|(token, told)| *token == 1 && *told <= 1));
        settle(&world);
        world.at_rest(1);
    });
}

#[test]
fn p1_news_that_came_before_boarding_wakes_nobody_and_later_news_does() {
    in_many_orders(|| {
        let world = World::default();
        let progress = world.board(Course::Good).unwrap();
        let waiter = thread::spawn({
            let world = world.clone();
            move || {
                let mut shared = world.0.lock().unwrap();
                let (mut progress, pilot) = board(&mut shared.place, (), world.clone());
                if pilot.is_some() {
                    // It was over already; this one stays on the ground.
                    return;
                }
                let published = shared.token.is_some();
                drop(shared);
                future::block_on(progress.changed()).unwrap();
                let news = progress.borrow_and_update().clone();
                assert!(news != Progress::Flying);
                if published && news == Progress::Published {
                    // The token was there, the news was not yet.
                    future::block_on(progress.changed()).unwrap();
                }
            }
        });
        assert_eq!(future::block_on(ended(progress)), Some(Ok(1)));
        waiter.join().unwrap();
    });
}
