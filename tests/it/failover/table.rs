//! The table of causes, for one credential of three and for all three. What is expected stands in docs/credential-pool.md,
//! where operators read it: a change of behaviour changes the document, or fails here.
//!
//! Every request asks for a stream; what varies instead is whether it fails before the first event, before visible text or
//! after it, and P26 is shown for plain JSON answers too.

use std::{collections::HashMap, path::Path, sync::Arc};

use async_trait::async_trait;
use cortana::{
    chat::sentence::{self, Reader},
    config::ChatSettings,
    credential::{Facts, OAuthLogin},
    language::Language,
    llm::ChatFailure,
    oauth::{Grant, Refresh, RefreshError},
    pool::{CredentialView, State},
    provider::Provider,
    secret::Secret,
    shutdown::Shutdown,
};
use tokio::time::Duration;

use super::causes::{CAUSES, Cause, Kind};
use crate::support::upstream::{Answer, Call, Part, Plan, Said, Upstream, World, row};

const PAGE: &str = "docs/credential-pool.md";
const MARKS: (&str, &str) = ("<!-- causes -->\n", "<!-- /causes -->");
const HEAD: &str = "\
| Cause | Requests: to it + to others | Then the person has | That credential | Asked again in 6 chats | All three: requests | Then the person has |
|---|---|---|---|---|---|---|
";
const KEYS: [&str; 3] = ["sk-FAKE-0", "sk-FAKE-1", "sk-FAKE-2"];
const FILES: [&str; 3] = ["qwen_0.json", "qwen_1.json", "qwen_2.json"];

/// A refresh of `FAKE-access-1` brings `FAKE-access-1-again`.
struct Again;

#[async_trait]
impl Refresh for Again {
    async fn refresh(&self, _: &Provider, login: &OAuthLogin) -> Result<Grant, RefreshError> {
        let again = |token: &Option<Secret>| {
            let token = token.as_ref().expect("both are there");
            Secret::new(format!("{}-again", token.expose()))
        };
        Ok(Grant {
            access: again(&login.tokens.access),
            refresh: Some(again(&login.tokens.refresh)),
            lifetime: Some(Duration::from_hours(1)),
            facts: Facts::default(),
            foreign_host: None,
        })
    }

    async fn after_grant(&self, _: &Provider, _: &Secret, known: &Facts) -> Result<Facts, RefreshError> {
        Ok(known.clone())
    }
}

/// Which of the three credentials a request came with.
fn number(call: &Call) -> usize {
    call.bearer
        .chars()
        .find_map(|c| c.to_digit(10))
        .and_then(|digit| usize::try_from(digit).ok())
        .expect("a digit")
}

fn good(provider: &str) -> Answer {
    match provider {
        "gemini_cli" | "antigravity" => {
            let candidate =
                serde_json::json!({ "content": { "parts": [{ "text": "Hello" }] }, "finishReason": "STOP" });
            let chunk = serde_json::json!({ "response": { "candidates": [candidate] } });
            Answer::parts([Part::Bytes(format!("data: {chunk}\n\n"))])
        }
        _ => Answer::text("Hello"),
    }
}

/// A world of three credentials, of which these meet the cause.
async fn world(cause: Cause, bad: Vec<usize>) -> (World, Upstream) {
    let life = Shutdown::new();
    let upstream = Upstream::serve(&life, move |call| {
        if bad.contains(&number(call)) { (cause.answer)(call) } else { good(cause.provider) }
    })
    .await;
    let keys: Vec<_> = match cause.kind {
        Kind::Keys => KEYS.iter().map(|key| (cause.provider, *key)).collect(),
        Kind::Logins => Vec::new(),
    };
    let mut plan = Plan::new(vec![row(cause.provider, cause.provider, &upstream)], &keys);
    plan.chat = ChatSettings::default();
    plan.refresh = Arc::new(Again);
    if cause.kind == Kind::Logins {
        let file = |number: usize| {
            serde_json::json!({ "access_token": format!("FAKE-access-{number}"), "token_type": "Bearer",
                "refresh_token": format!("FAKE-refresh-{number}"), "expires_at": 4_000_000_000.5 })
        };
        plan.files = FILES.iter().enumerate().map(|(at, name)| (*name, file(at).to_string())).collect();
    }
    (World::start(&life, plan).await, upstream)
}

/// One of three meets the cause: the cells of the document after its name.
async fn one_of_three(cause: Cause, this: usize) -> [String; 4] {
    let (world, upstream) = world(cause, vec![this]).await;
    for _ in 0..this {
        upstream.on_virtual_time(world.ask()).await.answer();
    }
    let before = upstream.calls().len();
    let said = upstream.on_virtual_time(world.ask()).await;
    let hits = |from: usize| {
        let calls = upstream.calls();
        let to_it = calls.iter().skip(from).filter(|call| number(call) == this).count();
        (to_it, calls.len() - from - to_it)
    };
    let (to_it, to_others) = hits(before);
    let snapshot = world.snapshot();
    let standing = standing(snapshot.credentials.get(this).expect("three"), snapshot.taken_at);
    let before = upstream.calls().len();
    for _ in 0..6 {
        upstream.on_virtual_time(world.ask()).await;
    }
    let (again, _) = hits(before);
    let others = snapshot.credentials.iter().enumerate().filter(|(at, _)| *at != this);
    for (at, view) in others {
        assert!(is_ready(view), "{}: {at} is blamed for what {this} did: {view:?}", cause.name);
    }
    [format!("{to_it} + {to_others}"), reading(&said), standing, again.to_string()]
}

/// All three meet the cause: the last cells of the document.
async fn all_three(cause: Cause) -> [String; 2] {
    let (world, upstream) = world(cause, vec![0, 1, 2]).await;
    let said = upstream.on_virtual_time(world.ask()).await;
    [upstream.calls().len().to_string(), reading(&said)]
}

fn is_ready(view: &CredentialView) -> bool {
    view.state == State::Ready && view.cooling_models.is_empty()
}

/// How a credential stands, in a few words.
fn standing(view: &CredentialView, now: chrono::DateTime<chrono::Utc>) -> String {
    let rests = |until: chrono::DateTime<chrono::Utc>| {
        let halves = u64::try_from((until - now).num_milliseconds()).expect("it is to come").div_ceil(500);
        match halves {
            0..240 if halves % 2 == 1 => format!("{}.5 s", halves / 2),
            0..240 => format!("{} s", halves / 2),
            240..14_400 => format!("{} min", halves / 120),
            14_400.. => format!("{} h", halves / 7_200),
        }
    };
    match (view.state, view.cooling_until, view.cooling_models.as_slice()) {
        (State::Ready, _, []) => "ready".to_owned(),
        (State::Ready, _, [model]) => format!("this model rests {}", rests(model.until)),
        (State::Cooling, Some(until), []) => format!("rests {}", rests(until)),
        (State::Refused, _, []) => "refused".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What the person has, and when.
fn reading(said: &Said) -> String {
    // What sockets take is left out; what is waited for is counted in quarters of a second.
    let quarters = said.took.as_millis() / 250;
    let when = match (quarters / 4, quarters % 4 * 25) {
        (0, 0) if said.took < Duration::from_millis(50) => "at once".to_owned(),
        (0, 0) => format!("after {:?}", said.took),
        (seconds, 0) => format!("after {seconds} s"),
        (seconds, hundredths) => format!("after {seconds}.{hundredths} s"),
    };
    match &said.failure {
        None => format!("the answer {when}"),
        Some(failure) if said.text.is_empty() => format!("{} {when}", sentence(failure)),
        Some(failure) => format!("the text so far, {} {when}", sentence(failure)),
    }
}

/// The first words of the visible sentence, and its reason code.
fn sentence(failure: &ChatFailure) -> String {
    let text = sentence::failure(&Language::english(), failure, Reader::Person);
    let (line, print) = text.split_once('\n').expect("a sentence and its small print");
    let words = line.trim_start_matches("⚠️ ").split(['.', ';', ',']).next().unwrap_or_default();
    let code = print.split(" · ").nth(1).unwrap_or_default();
    format!("“{words}” (`{code}`)")
}

/// The cells of each row of the document, by cause.
fn document() -> HashMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = std::fs::read_to_string(path).expect("the page is readable");
    let (_, inside) = text.split_once(MARKS.0).expect("the page has the table");
    let (table, _) = inside.split_once(MARKS.1).expect("the table has an end");
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    table.lines().skip(2).map(cells).map(|mut row| (row.remove(0), row)).collect()
}

/// Compares what was measured with a part of each row, and shows it.
#[expect(clippy::print_stdout, reason = "to be read with --nocapture")]
fn compare(measured: Vec<(&'static str, Vec<String>)>, part: std::ops::Range<usize>) {
    let document = document();
    assert_eq!(document.len(), CAUSES.len(), "a row for each cause, a cause for each row");
    let mut wrong = Vec::new();
    for (name, cells) in measured {
        println!("{name}: {}", cells.join(" | "));
        let written = document.get(name).and_then(|row| row.get(part.clone())).unwrap_or_default();
        if written != cells.as_slice() {
            wrong.push(format!(
                "{name}\n  written  {}\n  measured {}",
                written.join(" | "),
                cells.join(" | ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{PAGE} says otherwise:\n{}", wrong.join("\n"));
}

async fn compare_one(this: usize) {
    let mut measured = Vec::new();
    for cause in CAUSES {
        measured.push((cause.name, one_of_three(*cause, this).await.to_vec()));
    }
    compare(measured, 0..4);
}

#[tokio::test(start_paused = true)]
async fn p21_to_p31_every_cause_at_the_first_of_three_credentials() {
    compare_one(0).await;
}

#[tokio::test(start_paused = true)]
async fn p21_to_p31_every_cause_at_the_middle_of_three_credentials() {
    compare_one(1).await;
}

#[tokio::test(start_paused = true)]
async fn p21_to_p31_every_cause_at_the_last_of_three_credentials() {
    compare_one(2).await;
}

#[tokio::test(start_paused = true)]
async fn p21_to_p31_every_cause_at_all_three_credentials() {
    let mut measured = Vec::new();
    for cause in CAUSES {
        measured.push((cause.name, all_three(*cause).await.to_vec()));
    }
    compare(measured, 4..6);
}

#[tokio::test(start_paused = true)]
#[ignore = "writes docs/credential-pool.md"]
#[expect(clippy::disallowed_methods, reason = "run by hand, it writes the document")]
async fn write() {
    let mut rows = vec![HEAD.to_owned()];
    for cause in CAUSES {
        let (one, all) = (one_of_three(*cause, 0).await, all_three(*cause).await);
        rows.push(format!("| {} | {} | {} |\n", cause.name, one.join(" | "), all.join(" | ")));
    }
    let table = rows.concat();
    print!("{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = std::fs::read_to_string(&path).expect("the page is readable");
    let (before, rest) = text.split_once(MARKS.0).expect("the page has the table");
    let (_, behind) = rest.split_once(MARKS.1).expect("the table has an end");
    std::fs::write(path, format!("{before}{}{table}{}{behind}", MARKS.0, MARKS.1)).expect("written");
}
