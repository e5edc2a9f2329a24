//! `cortana provider check`: walks everything that a chat needs and says what was found at each step.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use serde::Serialize;

use super::{
    arguments::ProviderCommand,
    failure::Failure,
    one_shot,
    output::{print, print_json},
    verdict::Verdict,
};
use crate::{
    clock,
    config::{Settings, nearest},
    llm::{ChatEvent, ChatRequest, ListError, Llm, Message, Role},
    pool::{Pool, RefreshResult, Refused, Selector, State},
    provider::{Catalog, LoginKind, ModelRef, Provider, ProviderId},
    shutdown::Shutdown,
};

/// How long the list of models may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Characters of the answer that are shown.
const SHOWN: usize = 80;
/// Models that a line names at most.
const NAMED: usize = 5;

/// One step and what was found.
#[derive(Debug, Serialize)]
struct Step {
    /// A word that stays the same from version to version.
    #[serde(rename = "step")]
    word: &'static str,
    verdict: Verdict,
    found: String,
}

#[derive(Debug, Serialize)]
struct Walk {
    provider: ProviderId,
    steps: Vec<Step>,
}

impl Walk {
    fn add(&mut self, word: &'static str, verdict: Verdict, found: impl Into<String>) {
        self.steps.push(Step { word, verdict, found: found.into() });
    }

    fn failed(&self) -> bool {
        self.steps.iter().any(|step| step.verdict == Verdict::Fail)
    }
}

pub(super) async fn run(settings: &Settings, command: &ProviderCommand) -> Result<(), Failure> {
    let ProviderCommand::Check { which, model, json } = command;
    let Some(row) = settings.providers.get(which) else {
        return Err(Failure::Usage(unknown(settings, which)));
    };
    let model = model.as_deref().unwrap_or(&row.default_model);
    let walk = one_shot::with_pool(settings, async |pool| {
        let mut walk = Walk { provider: row.id.clone(), steps: Vec::new() };
        walk.add("provider", Verdict::Pass, described(row));
        if credentials(&mut walk, row, pool) {
            refresh(&mut walk, row, pool).await;
            let shutdown = Shutdown::new();
            // With this provider alone: nobody else stands in for it here.
            let alone = Arc::new(Catalog::new(vec![row.clone()]));
            let llm = one_shot::llm(settings, alone, pool, &shutdown)?;
            models(&mut walk, row, model, &llm).await;
            chat(&mut walk, row, model, &llm).await;
            shutdown.begin();
        }
        Ok(walk)
    })
    .await?;
    if *json {
        print_json(&walk)?;
    } else {
        show(&walk)?;
    }
    if walk.failed() { Err(Failure::Shown) } else { Ok(()) }
}

pub(super) fn unknown(settings: &Settings, which: &ProviderId) -> String {
    let ids: Vec<&str> = settings.providers.iter().map(|row| row.id.as_str()).collect();
    let near = nearest(which.as_str(), ids.iter().copied())
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("`{which}` is no provider; there are {}{near}", ids.join(", "))
}

fn described(row: &Provider) -> String {
    let base = row.api_bases.first().map_or_else(String::new, |base| format!(" at {base}"));
    let login = match &row.login {
        LoginKind::OAuth(spec) => format!("logins, tokens from {}", spec.token_endpoint),
        LoginKind::ApiKey if row.key_optional => "a key, or none".to_owned(),
        LoginKind::ApiKey => "keys".to_owned(),
    };
    format!("{}: {} model(s){base}; {login}", row.name, row.models.len())
}

/// The credentials there are; whether one can be asked.
fn credentials(walk: &mut Walk, row: &Provider, pool: &Pool) -> bool {
    let snapshot = pool.snapshot();
    let mut usable = false;
    let mut any = false;
    for view in snapshot.credentials.iter().filter(|view| view.provider.as_ref() == Some(&row.id)) {
        any = true;
        let reason = view.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let found = format!("{} {} ({}), {}{reason}", view.id, view.account, view.place, view.state.name());
        let verdict = match view.state {
            State::Disabled | State::Unusable | State::NeedsLogin | State::Refused => Verdict::Warn,
            State::Ready | State::Early | State::Refreshing | State::Expired | State::Cooling => {
                Verdict::Pass
            }
        };
        usable |= verdict == Verdict::Pass;
        walk.add("credential", verdict, found);
    }
    let prefix = row.id.variable_prefix();
    if !any {
        let remedy = match row.login {
            LoginKind::OAuth(_) => format!(
                "put a login's file into the credentials folder or name it in {prefix}_OAUTH_CREDENTIALS"
            ),
            LoginKind::ApiKey if row.key_optional => {
                format!("set {prefix}_API_BASE, and {prefix}_API_KEY where it wants one")
            }
            LoginKind::ApiKey => format!("set {prefix}_API_KEY"),
        };
        walk.add("credential", Verdict::Fail, format!("there is none; {remedy}"));
    } else if !usable {
        walk.add("credential", Verdict::Fail, "none of them can be asked; see `cortana doctor`");
    }
    usable
}

async fn refresh(walk: &mut Walk, row: &Provider, pool: &Pool) {
    if row.oauth().is_none() {
        return;
    }
    for report in pool.refresh(&Selector::Provider(row.id.clone()), Refused::Keep).await {
        let who = &report.credential;
        let (verdict, found) = match report.result {
            RefreshResult::Refreshed { .. } => (Verdict::Pass, format!("{who}: refreshed and saved")),
            RefreshResult::Adopted { .. } => {
                (Verdict::Pass, format!("{who}: another program had refreshed it already"))
            }
            RefreshResult::NothingToRefresh => continue,
            RefreshResult::Disabled { reason } => (Verdict::Warn, format!("{who}: disabled: {reason}")),
            RefreshResult::TooSoon { .. } => {
                (Verdict::Warn, format!("{who}: refreshed by hand less than a minute ago; not repeated"))
            }
            RefreshResult::RefusedBefore => {
                (Verdict::Fail, format!("{who}: its refresh token was refused before; log in again"))
            }
            RefreshResult::Failed(error) => (Verdict::Fail, format!("{who}: {error}")),
            RefreshResult::Store(error) => (Verdict::Fail, format!("{who}: {error}")),
        };
        walk.add("refresh", verdict, found);
    }
}

async fn models(walk: &mut Walk, row: &Provider, model: &str, llm: &Llm) {
    let listed = match llm.models_of(&row.id, clock::instant() + PATIENCE).await {
        Ok(listed) => listed,
        Err(ListError::NotListed) => {
            return walk.add("models", Verdict::Pass, "not asked: it lists none that can be asked");
        }
        // Some that answer chats have no list.
        Err(error) => return walk.add("models", Verdict::Warn, format!("{error}")),
    };
    let has = |name: &str| listed.iter().any(|listed| listed.id == name);
    let missing: Vec<&str> =
        row.models.iter().map(|model| model.id.as_str()).filter(|name| !has(name)).collect();
    let named = |names: &[&str]| {
        let rest = names.len().saturating_sub(NAMED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{}{more}", names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
    };
    let all: Vec<&str> = listed.iter().map(|model| model.id.as_str()).collect();
    let prefix = row.id.variable_prefix();
    let found = format!("{} listed: {}", listed.len(), named(&all));
    if missing.is_empty() {
        walk.add("models", Verdict::Pass, found);
    } else {
        let not = named(&missing);
        walk.add(
            "models",
            Verdict::Warn,
            format!("{found}; not listed: {not} ({prefix}_MODELS replaces the list)"),
        );
    }
    if !has(model) && !listed.is_empty() {
        walk.add("models", Verdict::Warn, format!("{model}, which is asked now, is not among them"));
    }
}

async fn chat(walk: &mut Walk, row: &Provider, model: &str, llm: &Llm) {
    let begun = clock::instant();
    let request = ChatRequest {
        id: "c4ec4ec4".to_owned(),
        model: Some(ModelRef { provider: row.id.clone(), model: model.to_owned() }),
        system: "Answer in one short sentence.".to_owned(),
        messages: vec![Message::new(Role::User, "Say hello.")],
        tools: Vec::new(),
        conversation: "provider check".to_owned(),
        received_at: begun,
    };
    let mut events = llm.chat(request);
    let mut text = String::new();
    let mut first = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(ChatEvent::Text(piece)) => text.push_str(&piece),
            Ok(ChatEvent::Notice(_) | ChatEvent::Reasoning | ChatEvent::Call(_)) => {}
            Ok(ChatEvent::Finished { usage, .. }) => {
                let first: Duration = first.unwrap_or_else(|| begun.elapsed());
                let line: String =
                    text.trim().chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
                let usage = usage.map_or_else(
                    || "no usage told".to_owned(),
                    |usage| format!("{} tokens in, {} out", usage.input, usage.output),
                );
                let waited = first.as_secs_f64();
                let found = format!("{model} answered after {waited:.1} s: “{line}” ({usage})");
                return walk.add("chat", Verdict::Pass, found);
            }
            Err(failure) => {
                let class = failure.class.code();
                return walk.add("chat", Verdict::Fail, format!("{model}: {class} ({})", failure.code));
            }
        }
        first.get_or_insert_with(|| begun.elapsed());
    }
    walk.add("chat", Verdict::Fail, format!("{model}: the answer had no end"));
}

fn show(walk: &Walk) -> Result<(), Failure> {
    for Step { word, verdict, found } in &walk.steps {
        // The sign of a warning is drawn over the space behind it.
        let space = if *verdict == Verdict::Warn { "  " } else { " " };
        print(&format!("{}{space}{word:<10} {found}", verdict.sign()))?;
    }
    Ok(())
}
