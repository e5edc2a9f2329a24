//! The life of a credential as a table (P40): every event in every state, driven through the pool's own doors, and the
//! table in ARCHITECTURE.md held to what came of it.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use cortana::{
    fs::Step,
    oauth::RefreshError,
    pool::{
        CredentialView, Lease, Outcome, RefreshReport, RefreshResult, Refused, RetryHint, Selector, State,
    },
};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};

use crate::support::pool::{Answer, Process, World, qwen, unavailable};

const FILE: &str = "qwen_a.json";
const FIRST: &str = "FAKE-refresh-a";
/// How long the token that everything begins with lives, when its early window is open for certain, when it is over.
const LIFE: i64 = 1800;
const EARLY: i64 = 1300;
const OVER: i64 = 1900;
/// How long a refresh takes that is looked at while it is under way: less than the early window.
const FLIGHT: Duration = Duration::from_mins(2);
const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);

/// What can happen to a credential, as ARCHITECTURE.md says it.
const EVENTS: &[(&str, Event)] = &[
    ("a request is answered", Event::Returned(|| Outcome::Success)),
    ("a request is stopped", Event::Returned(|| Outcome::Neutral)),
    (
        "429, the credential's quota",
        Event::Returned(|| Outcome::CredentialCooling { hint: hint(), reason: code("HTTP 429") }),
    ),
    (
        "429, a model's quota",
        Event::Returned(|| Outcome::ModelCooling { hint: hint(), reason: code("QUOTA_EXHAUSTED") }),
    ),
    ("404, no such model", Event::Returned(|| Outcome::ModelUnavailable { reason: code("HTTP 404") })),
    ("401 after the forced refresh", Event::Returned(|| Outcome::Unauthorized)),
    ("403, the account", Event::Returned(|| Outcome::Refused { reason: code("TOS_VIOLATION"), link: None })),
    ("the third fault in a row", Event::ThirdFault),
    ("its early window opens", Event::Until(EARLY)),
    ("its token expires", Event::Until(OVER)),
    ("its rest ends", Event::RestEnds),
    ("a refresh begins", Event::RefreshBegins),
    ("the refresh succeeds", Event::Refreshed(|| Answer::Life(Some(Duration::from_hours(1))))),
    ("… but cannot be saved", Event::Unsaved),
    ("the refresh fails for now", Event::Refreshed(|| Answer::Fail(unavailable()))),
    ("the refresh token is refused", Event::Refreshed(|| Answer::Fail(invalid_grant()))),
    (
        "the client is refused",
        Event::Refreshed(|| Answer::Fail(RefreshError::ClientRefused { code: code("invalid_client") })),
    ),
    (
        "the account is refused at the refresh",
        Event::Refreshed(|| {
            Answer::Fail(RefreshError::Refused { reason: code("TOS_VIOLATION"), link: None })
        }),
    ),
    ("the grant names a foreign host", Event::Refreshed(|| Answer::Foreign("evil.example"))),
    ("another process refreshes it", Event::Written(FIRST)),
    ("a person logs in anew", Event::Written("FAKE-refresh-anew")),
    ("its file is removed", Event::Removed),
    (
        "an operator disables it",
        Event::ByHand(|life| life.process.pool.disable(&life.view.id, None).unwrap()),
    ),
    ("an operator enables it", Event::ByHand(|life| life.process.pool.enable(&life.view.id).unwrap())),
    (
        "an operator clears its cooldown",
        Event::ByHand(|life| life.process.pool.clear_cooldown(&life.view.id).unwrap()),
    ),
];

/// How an event is brought about.
#[derive(Clone, Copy)]
enum Event {
    Returned(fn() -> Outcome),
    ThirdFault,
    /// Until so many seconds after the start.
    Until(i64),
    RestEnds,
    RefreshBegins,
    Refreshed(fn() -> Answer),
    Unsaved,
    /// The file gets a new access token, with this refresh token.
    Written(&'static str),
    Removed,
    ByHand(fn(&Life)),
}

fn hint() -> RetryHint {
    RetryHint::After(DAY)
}

fn code(text: &str) -> String {
    text.to_owned()
}

fn fault() -> Outcome {
    Outcome::ProviderFault { reason: code("HTTP 503") }
}

fn invalid_grant() -> RefreshError {
    RefreshError::InvalidGrant { code: code("invalid_grant") }
}

/// One credential that was brought into a state, with requests that were begun before.
struct Life {
    world: World,
    process: Process,
    view: CredentialView,
    leases: Vec<Lease>,
    flight: Option<JoinHandle<Vec<RefreshReport>>>,
    started_at: DateTime<Utc>,
}

impl Life {
    /// Brings a credential into a state by the shortest way. Where the event is one that the pool sees by itself, it works by
    /// itself.
    async fn in_state(state: State, event: Event) -> Self {
        let world = World::new();
        // With a name, by which it is known whatever its tokens are.
        world.put(FILE, &login("FAKE-access-a", FIRST, world.now().timestamp() + LIFE));
        let process = match event {
            Event::Written(_) | Event::Removed => world.bot().await,
            Event::Returned(_)
            | Event::ThirdFault
            | Event::Until(_)
            | Event::RestEnds
            | Event::RefreshBegins
            | Event::Refreshed(_)
            | Event::Unsaved
            | Event::ByHand(_) => world.process().await,
        };
        if matches!(event, Event::ThirdFault) {
            // One after the other: a burst counts as one.
            qwen(&process).await.unwrap().complete(fault());
            qwen(&process).await.unwrap().complete(fault());
        }
        let mut leases = Vec::new();
        for _ in 0..2 {
            leases.push(qwen(&process).await.unwrap());
        }
        let started_at = world.now();
        let view = process.pool.snapshot().credentials[0].clone();
        let mut life = Self { world, process, view, leases, flight: None, started_at };
        let rest = if matches!(event, Event::RestEnds) { MINUTE } else { DAY };
        let flight =
            if matches!(event, Event::Until(_) | Event::Written(_) | Event::Removed) { DAY } else { FLIGHT };
        life.settle_in(state, rest, flight).await;
        assert_eq!(life.state(), Some(state), "the way into it");
        life
    }

    async fn settle_in(&mut self, state: State, rest: Duration, flight: Duration) {
        match state {
            State::Ready => {}
            State::Early => {
                self.world.endpoint.down(unavailable());
                self.pass(EARLY).await;
            }
            State::Refreshing => {
                self.world.endpoint.set_latency(flight);
                self.pass(EARLY).await;
                // Where the pool works by itself, it began by itself.
                if self.world.endpoint.calls() == 0 {
                    self.refresh().await;
                }
            }
            State::Expired => self.stale(|endpoint| endpoint.down(unavailable())).await,
            State::NeedsLogin => self.stale(|endpoint| endpoint.down(invalid_grant())).await,
            State::Unusable => self.stale(|endpoint| endpoint.next(Answer::Foreign("evil.example"))).await,
            State::Cooling => {
                let hint = RetryHint::After(rest);
                self.give_back(Outcome::CredentialCooling { hint, reason: code("HTTP 429") });
            }
            State::Refused => self.give_back(Outcome::Refused { reason: code("TOS_VIOLATION"), link: None }),
            State::Disabled => self.process.pool.disable(&self.view.id, None).unwrap(),
        }
    }

    /// The token expires, and somebody asks for another.
    async fn stale(&self, answer: impl FnOnce(&crate::support::pool::Endpoint)) {
        answer(&self.world.endpoint);
        self.pass(OVER).await;
        assert!(qwen(&self.process).await.is_err());
    }

    async fn pass(&self, until: i64) {
        let passed = (self.world.now() - self.started_at).to_std().unwrap();
        sleep(Duration::from_secs(until.unsigned_abs()).saturating_sub(passed)).await;
    }

    fn give_back(&mut self, outcome: Outcome) {
        self.leases.pop().unwrap().complete(outcome);
    }

    /// Begins a refresh by hand; whether one is under way then.
    async fn refresh(&mut self) -> bool {
        let (pool, id) = (self.process.pool.clone(), self.view.id.clone());
        let refresh = async move { pool.refresh(&Selector::Credential(id), Refused::TryOnce).await };
        let flight = self.process.shutdown.spawn(refresh);
        sleep(Duration::from_millis(100)).await;
        let flies = !flight.is_finished();
        self.flight = Some(flight);
        flies
    }

    /// The end of the refresh under way, or of one that begins now. `None`: there can be none.
    async fn refreshed(&mut self, answer: Answer) -> Option<()> {
        self.world.endpoint.up();
        self.world.endpoint.next(answer);
        if self.flight.is_none() {
            self.refresh().await;
        }
        let reports = self.flight.take()?.await.unwrap();
        let refused = matches!(reports[0].result, RefreshResult::Disabled { .. });
        (!refused).then_some(())
    }

    /// What an event leads to. `None`: it cannot happen here.
    async fn meet(&mut self, event: Event) -> Option<()> {
        match event {
            Event::Returned(outcome) => self.give_back(outcome()),
            Event::ThirdFault => self.give_back(fault()),
            Event::Until(second) => self.pass(second).await,
            Event::RestEnds => {
                self.now()?.cooling_until?;
                sleep(MINUTE).await;
            }
            Event::RefreshBegins => {
                self.world.endpoint.set_latency(FLIGHT);
                return self.refresh().await.then_some(());
            }
            Event::Refreshed(answer) => return self.refreshed(answer()).await,
            Event::Unsaved => {
                self.world.steps.refuse(Some(Step::Rename));
                self.refreshed(Answer::Life(Some(Duration::from_hours(1)))).await?;
                assert!(self.now()?.unsaved, "the flag beside the state");
            }
            Event::Written(refresh) => {
                let expires_at = self.world.now().timestamp() + 7200;
                self.world.put(FILE, &login("FAKE-access-anew", refresh, expires_at));
                sleep(Duration::from_secs(3)).await;
            }
            Event::Removed => {
                std::fs::remove_file(self.world.path(FILE)).unwrap();
                sleep(Duration::from_secs(3)).await;
            }
            Event::ByHand(act) => act(self),
        }
        Some(())
    }

    fn now(&self) -> Option<CredentialView> {
        self.process.pool.snapshot().credentials.into_iter().find(|view| view.id == self.view.id)
    }

    fn state(&self) -> Option<State> {
        self.now().map(|view| view.state)
    }
}

fn login(access: &str, refresh: &str, expires_at: i64) -> Value {
    json!({ "access_token": access, "refresh_token": refresh, "expires_at": expires_at, "email": "a@example.com" })
}

fn name(state: State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::Early => "early",
        State::Refreshing => "refreshing",
        State::Expired => "expired",
        State::Cooling => "cooling",
        State::NeedsLogin => "needs login",
        State::Refused => "refused",
        State::Disabled => "disabled",
        State::Unusable => "unusable",
    }
}

/// What became of a state: a dot where nothing did, a dash where the event cannot happen.
async fn cell(state: State, event: Event) -> &'static str {
    let mut life = Life::in_state(state, event).await;
    if life.meet(event).await.is_none() {
        return "—";
    }
    match life.state() {
        Some(after) if after == state => "·",
        Some(after) => name(after),
        None => "gone",
    }
}

/// The rows of the table in the document: event, then a cell a state; the last column says why.
fn documented() -> BTreeMap<String, Vec<String>> {
    let page = include_str!("../../ARCHITECTURE.md");
    let mut header: Vec<&str> = vec!["event"];
    header.extend(State::ALL.map(name));
    let rows = page.lines().map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    rows.skip_while(|row| !row.starts_with(&header))
        .skip(2)
        .take_while(|row| row.len() == header.len() + 1)
        .map(|row| {
            let mut cells = row.into_iter().map(str::to_owned);
            (cells.next().unwrap_or_default(), cells.take(State::ALL.len()).collect())
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn p40_every_event_in_every_state_leads_where_the_table_says() {
    let mut documented = documented();
    let mut wrong = Vec::new();
    for (text, event) in EVENTS {
        let row = join_all(State::ALL.map(|state| cell(state, *event))).await;
        let row: Vec<String> = row.into_iter().map(str::to_owned).collect();
        if documented.remove(*text).as_ref() != Some(&row) {
            wrong.push(format!("| {text} | {} |", row.join(" | ")));
        }
    }
    wrong.extend(documented.keys().map(|text| format!("{text}: no such event")));
    assert!(wrong.is_empty(), "ARCHITECTURE.md should say\n{}", wrong.join("\n"));
}
