//! The pool beside a small model of it (P40): any order of requests, answers, refreshes, files and operators, on a virtual
//! clock and over real files. What the model says and what the pool says must agree after every step.
//!
//! The model knows logins, rests, what an operator or a service said, and nothing of how the pool does it. 401s and faults
//! without a hint are left to `pool::tests` and `pool_machine`. `PROPTEST_CASES` raises the number of cases.

mod known;
mod steps;

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use cortana::{
    fs::Step,
    oauth::RefreshError,
    pool::{CredentialView, Lease, LeaseError, PoolEvent, RefreshResult, Refused, Selector, State},
};
use proptest::prelude::*;
use serde_json::json;
use tokio::{
    sync::broadcast::Receiver,
    time::{sleep, timeout},
};

use self::{
    known::{Known, Rest},
    steps::{Answers, How, Op, Writes, how, op},
};
use crate::support::pool::{Process, World, qwen, unavailable};

const CREDENTIALS: usize = 3;

/// A lease that is out: whose, when it was taken, with which token.
struct Out {
    lease: Lease,
    of: usize,
    taken: u64,
    access: String,
}

/// The pool and the model side by side.
struct Pair {
    world: World,
    process: Process,
    news: Receiver<PoolEvent>,
    known: Vec<Known>,
    out: Vec<Out>,
    step: u64,
    answers: Answers,
    /// Requests of the endpoint that were looked at, and grants among them.
    heard: usize,
    granted: usize,
    logins: usize,
    /// Refresh tokens that were spent or refused.
    dead: HashSet<String>,
}

fn file(number: usize) -> String {
    format!("qwen_{number}.json")
}

fn write_login(world: &World, number: usize, name: &str, seconds: i64) -> (String, String, DateTime<Utc>) {
    let (access, refresh) = (format!("FAKE-access-{name}"), format!("FAKE-refresh-{name}"));
    let expires_at = world.now() + TimeDelta::seconds(seconds);
    let email = format!("{number}@example.com");
    let content = json!({ "access_token": access, "refresh_token": refresh, "expires_at": expires_at.timestamp(), "email": email });
    world.put(&file(number), &content);
    (access, refresh, expires_at)
}

impl Pair {
    async fn new() -> Self {
        let world = World::new();
        world.endpoint.set_latency(Duration::ZERO);
        let mut known = Vec::new();
        for (number, seconds) in [1800, 3000, 7200].into_iter().enumerate() {
            let (access, refresh, expires_at) = write_login(&world, number, &number.to_string(), seconds);
            known.push(Known {
                access,
                refresh,
                expires_at,
                refused_login: false,
                refused: false,
                disabled: false,
                whole: None,
                model: None,
                out: 0,
                told: State::Ready,
            });
        }
        let process = world.process().await;
        let news = process.pool.subscribe();
        let (out, dead) = (Vec::new(), HashSet::new());
        Self {
            world,
            process,
            news,
            known,
            out,
            step: 0,
            answers: Answers::Grants,
            heard: 0,
            granted: 0,
            logins: 0,
            dead,
        }
    }

    fn view(&self, number: usize) -> CredentialView {
        let views = self.process.pool.snapshot().credentials;
        views.into_iter().find(|view| view.place == file(number)).expect("it is loaded")
    }

    async fn take(&mut self, op: &Op) {
        self.step += 1;
        match op {
            Op::Pass(seconds) => sleep(Duration::from_secs(u64::from(*seconds))).await,
            Op::Endpoint(answers) => {
                self.answers = *answers;
                match answers {
                    Answers::Grants => self.world.endpoint.up(),
                    Answers::Fails => self.world.endpoint.down(unavailable()),
                    Answers::Refuses => {
                        self.world
                            .endpoint
                            .down(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() });
                    }
                }
            }
            Op::Saves(Writes::Succeed) => self.world.steps.refuse(None),
            Op::Saves(Writes::Fail) => self.world.steps.refuse(Some(Step::Rename)),
            Op::Lend => {
                let lent = qwen(&self.process).await;
                self.lent(lent);
            }
            Op::Leave => {
                self.world.endpoint.set_latency(Duration::from_millis(200));
                let asked = timeout(Duration::from_millis(50), qwen(&self.process)).await;
                sleep(Duration::from_secs(1)).await;
                self.world.endpoint.set_latency(Duration::ZERO);
                match asked {
                    Ok(lent) => self.lent(lent),
                    Err(_) => self.listen(),
                }
            }
            Op::Return(which, how) if !self.out.is_empty() => {
                let out = self.out.swap_remove(which % self.out.len());
                self.returned(out, *how);
            }
            Op::Refresh(number) => self.refresh(*number).await,
            Op::LogIn(number) if !self.known[*number].disabled => self.log_in(*number).await,
            Op::Return(..) | Op::LogIn(_) => {}
            Op::Disable(number) => {
                self.process.pool.disable(&self.view(*number).id, None).unwrap();
                self.known[*number].disabled = true;
                self.told(*number);
            }
            Op::Enable(number) => {
                self.process.pool.enable(&self.view(*number).id).unwrap();
                self.known[*number].disabled = false;
                self.known[*number].refused = false;
                self.told(*number);
            }
            Op::Clear(number) => {
                self.process.pool.clear_cooldown(&self.view(*number).id).unwrap();
                self.known[*number].whole = None;
                self.known[*number].model = None;
                self.told(*number);
            }
        }
    }

    /// What was asked of the token endpoint since the last look: nothing that is dead, and what became of it.
    fn listen(&mut self) {
        let sent = self.world.endpoint.sent();
        for token in sent.iter().skip(self.heard) {
            assert!(!self.dead.contains(token), "{token} was spent or refused, and is sent again");
            let known =
                self.known.iter_mut().find(|known| known.refresh == *token).expect("a token that is current");
            match self.answers {
                Answers::Fails => {}
                Answers::Refuses => {
                    self.dead.insert(token.clone());
                    known.refused_login = true;
                }
                Answers::Grants => {
                    self.dead.insert(token.clone());
                    self.granted += 1;
                    known.access = format!("FAKE-access-granted-{}", self.granted);
                    known.refresh = format!("FAKE-refresh-granted-{}", self.granted);
                    known.expires_at = self.world.now() + TimeDelta::hours(1);
                    known.refused_login = false;
                }
            }
        }
        self.heard = sent.len();
    }

    fn lent(&mut self, lent: Result<Lease, LeaseError>) {
        self.listen();
        let now = self.world.now();
        let lease = match lent {
            Ok(lease) => lease,
            Err(error) => {
                assert!(!self.known.iter().any(|known| known.is_spotless(now)), "{error:?}");
                return;
            }
        };
        let of = (0..CREDENTIALS).find(|number| self.view(*number).id == lease.credential).unwrap();
        let known = &mut self.known[of];
        assert_eq!(lease.bearer.expose(), known.access);
        assert!(!known.disabled && !known.refused && known.expires_at > now, "{known:?}");
        for rest in [known.whole, known.model].into_iter().flatten().filter(|rest| rest.is_running(now)) {
            assert!(rest.tried_at.is_some_and(|at| at <= now), "lent while it rests: {known:?}");
        }
        known.out += 1;
        self.out.push(Out { lease, of, taken: self.step, access: known.access.clone() });
    }

    fn returned(&mut self, out: Out, how: How) {
        let now = self.world.now();
        let (step, taken) = (self.step, out.taken);
        out.lease.complete(how.outcome());
        let known = &mut self.known[out.of];
        known.out -= 1;
        match how {
            How::Answered => {
                known.whole = known.whole.filter(|rest| taken < rest.since);
                known.model = known.model.filter(|rest| taken < rest.since);
            }
            How::Stopped => {}
            How::Quota(wait) => known.whole = Some(Rest::hit(known.whole, wait, taken, step, now)),
            How::ModelQuota(wait) => known.model = Some(Rest::hit(known.model, wait, taken, step, now)),
            How::AccountRefused => known.refused |= out.access == known.access,
        }
        self.told(out.of);
    }

    async fn refresh(&mut self, number: usize) {
        let selector = Selector::Credential(self.view(number).id);
        let reports = self.process.pool.refresh(&selector, Refused::Keep).await;
        self.listen();
        match reports[0].result {
            // Nothing was done: what time alone changed at this very instant is told in the pool's own time.
            RefreshResult::TooSoon { .. } => return,
            RefreshResult::Refreshed { .. } | RefreshResult::Adopted { .. } => {
                self.known[number].refused = false;
            }
            RefreshResult::NothingToRefresh
            | RefreshResult::Disabled { .. }
            | RefreshResult::RefusedBefore
            | RefreshResult::Failed(_)
            | RefreshResult::Store(_) => {}
        }
        self.told(number);
    }

    /// A person logs in anew with the provider's own program, and has it looked at.
    async fn log_in(&mut self, number: usize) {
        sleep(Duration::from_secs(61)).await;
        self.logins += 1;
        let name = format!("anew-{}", self.logins);
        let (access, refresh, expires_at) = write_login(&self.world, number, &name, 7200);
        let known = &mut self.known[number];
        (known.access, known.refresh, known.expires_at) = (access, refresh, expires_at);
        (known.refused_login, known.refused) = (false, false);
        self.refresh(number).await;
    }

    /// Hears the news; what was told last of this credential is what it is now.
    fn told(&mut self, number: usize) {
        self.hear();
        assert_eq!(self.known[number].told, self.view(number).state, "told of every change");
    }

    fn hear(&mut self) {
        let ids: Vec<_> = (0..CREDENTIALS).map(|number| self.view(number).id).collect();
        while let Ok(event) = self.news.try_recv() {
            assert!(!format!("{event:?}").contains("FAKE-"), "a secret in {event:?}");
            if let PoolEvent::StateChanged { credential, from, to, .. } = event {
                let number = ids.iter().position(|id| *id == credential).expect("one of ours");
                assert_ne!(from, to, "no news without a change");
                assert_eq!(from, self.known[number].told, "each change follows on the one before");
                self.known[number].told = to;
            }
        }
    }

    /// What must hold after every step.
    fn check(&mut self) {
        self.hear();
        let now = self.world.now();
        let snapshot = self.process.pool.snapshot();
        let shown = format!("{snapshot:?} {}", serde_json::to_string(&snapshot).unwrap());
        assert!(!shown.contains("FAKE-"), "a secret in {shown}");
        for (number, known) in self.known.iter().enumerate() {
            let view = self.view(number);
            let states = known.states(now);
            assert!(states.contains(&view.state), "{:?}, not {states:?}: {known:?}", view.state);
            assert_eq!(view.in_flight, known.out);
            if view.state == State::Cooling {
                assert_eq!(view.cooling_until, known.whole.map(|rest| rest.until), "kept to the second");
            }
            let models: Vec<_> = view.cooling_models.iter().map(|model| model.until).collect();
            let resting = known.model.filter(|rest| rest.is_running(now));
            assert_eq!(models, resting.into_iter().map(|rest| rest.until).collect::<Vec<_>>());
        }
    }
}

fn on_a_virtual_clock<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// Fewer than usual: each runs over real files.
fn cases(share: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: (usual.cases / share).max(1), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(cases(6))]

    #[test]
    fn p40_the_pool_and_its_model_agree_after_every_step(ops in prop::collection::vec(op(), 1..60)) {
        on_a_virtual_clock(async {
            let mut pair = Pair::new().await;
            for op in &ops {
                pair.take(op).await;
                pair.check();
            }
            for out in std::mem::take(&mut pair.out) {
                pair.returned(out, How::Stopped);
            }
            pair.check();
            assert!(pair.known.iter().all(|known| known.out == 0));
        });
    }

    #[test]
    fn p28_the_order_in_which_a_burst_comes_back_does_not_matter(
        ends in prop::collection::vec(how(), 1..8), turn in 0_usize..8,
    ) {
        let after = |ends: &[How]| on_a_virtual_clock(async {
            let world = World::new();
            world.login("a", 7200);
            let process = world.process().await;
            let mut leases = Vec::new();
            for _ in ends {
                leases.push(qwen(&process).await.unwrap());
            }
            for (lease, end) in leases.into_iter().zip(ends) {
                lease.complete(end.outcome());
            }
            let view = crate::support::pool::only(&process);
            let models: Vec<_> = view.cooling_models.into_iter().map(|model| model.until).collect();
            (view.state, view.cooling_until, models)
        });
        let mut turned = ends.clone();
        turned.rotate_left(turn % ends.len());
        let reversed: Vec<How> = ends.iter().rev().copied().collect();
        prop_assert_eq!(after(&ends), after(&turned));
        prop_assert_eq!(after(&ends), after(&reversed));
    }
}
