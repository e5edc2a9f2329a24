//! A scenario as it is written: TOML to types, and each mistake with its line and what to do.

use std::{fmt, ops::Range, path::Path, time::Duration};

use chrono::TimeDelta;
use toml::Spanned;

use super::{
    super::{
        discord::{GatewayFault, RestAction, RestFault},
        vendor::Vendors,
    },
    Bounds, Credential, CredentialKind, Deed, Ending, Expectation, Said, Scenario, Speaker, Step, Target,
    Wait,
    raw::{
        Always, By, RawBounds, RawCount, RawCredential, RawDeed, RawExpectation, RawGatewayFault,
        RawRestAction, RawScenario, RawStep, RawTarget, Times,
    },
};

/// The variables that a scenario may set: how the bot behaves, never where it reads, writes or connects.
const SETTINGS: &[&str] = &[
    "ALERT_MIN_HEALTHY",
    "ALLOWED_GUILD_IDS",
    "ALLOW_DMS",
    "CONVERSATION_TTL_SECS",
    "CREDENTIALS_WATCH",
    "DEFAULT_MODEL",
    "OAUTH_REFRESH_EARLY_SECS",
    "PROVIDER_ORDER",
    "REQUEST_DEADLINE_SECS",
    "ROTATION_STRATEGY",
    "STREAM_IDLE_SECS",
    "STREAM_MAX_SECS",
    "USER_MESSAGES_PER_HOUR",
];

/// The states of a credential, as its JSON names them.
pub const STATES: &[&str] =
    &["ready", "early", "refreshing", "expired", "cooling", "needs_login", "refused", "disabled", "unusable"];

/// Ten years: further away, clocks overflow.
const FARTHEST_SECS: i64 = 10 * 365 * 24 * 60 * 60;

/// A crowd that a small machine still plays in seconds.
const LARGEST_CROWD: u32 = 50;

/// Why a file is no scenario: where, what, and the line itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    name: String,
    /// Counted from 1, and the line as it stands; `None` where the whole file is meant.
    line: Option<(usize, String)>,
    problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, line, problem } = self;
        match line {
            Some((number, text)) => {
                write!(f, "{name}:{number}: {problem}\n  {number} | {}", text.trim_end())?;
            }
            None => write!(f, "{name}: {problem}")?,
        }
        f.write_str("\ndocs/sandbox.md describes the keys of a scenario.")
    }
}

/// What is wrong, and where in the text.
struct Problem(Range<usize>, String);

impl Problem {
    fn in_file(self, name: &str, text: &str) -> Mistake {
        let before = text.get(..self.0.start).unwrap_or(text);
        let number = before.matches('\n').count() + 1;
        let line = text.lines().nth(number - 1).unwrap_or_default().to_owned();
        Mistake { name: name.to_owned(), line: Some((number, line)), problem: self.1 }
    }
}

/// One request where nothing is said.
fn times(said: Option<Times>) -> Option<u32> {
    match said {
        None => Some(1),
        Some(Times::Number(number)) => Some(number),
        Some(Times::Word(Always::Always)) => None,
    }
}

/// Reads and checks a scenario.
pub(super) fn read(name: &str, text: &str) -> Result<Scenario, Mistake> {
    let raw: RawScenario = toml::from_str(text).map_err(|error| match error.span() {
        Some(span) => Problem(span, error.message().to_owned()).in_file(name, text),
        None => Mistake { name: name.to_owned(), line: None, problem: error.message().to_owned() },
    })?;
    usable(raw).map_err(|problem| problem.in_file(name, text))
}

fn usable(raw: RawScenario) -> Result<Scenario, Problem> {
    let settings =
        raw.settings.into_iter().map(|(name, value)| setting(name, value)).collect::<Result<_, _>>()?;
    let mut names = Names::default();
    for credential in raw.credentials {
        names.add(credential)?;
    }
    let before = deeds(&names, raw.before)?;
    let mut steps: Vec<Step> = Vec::new();
    for raw in raw.steps {
        let span = raw.span();
        let step = names.step(raw)?;
        let asked = step.said.is_some() || steps.iter().any(|earlier| earlier.said.is_some());
        let waited = step.said.is_none() || step.wait != Wait::Nothing;
        if step.expect.iter().any(Expectation::is_about_answers) && !(asked && waited) {
            let problem =
                "an answer is expected where none can be: nothing was said yet, or it is not waited for";
            return Err(Problem(span, problem.to_owned()));
        }
        steps.push(step);
    }
    let Names { credentials } = names;
    Ok(Scenario {
        title: raw.title,
        about: raw.about.trim().to_owned(),
        settings,
        credentials,
        before,
        steps,
    })
}

fn setting(name: String, value: Spanned<toml::Value>) -> Result<(String, String), Problem> {
    let span = value.span();
    if !SETTINGS.contains(&name.as_str()) {
        let known = SETTINGS.join(", ");
        return Err(Problem(span, format!("a scenario cannot set {name}; it can set {known}")));
    }
    match value.into_inner() {
        toml::Value::String(text) => Ok((name, text)),
        toml::Value::Integer(number) => Ok((name, number.to_string())),
        toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => Err(Problem(span, format!("{name} is a text or a whole number"))),
    }
}

fn deeds(names: &Names, raw: Vec<Spanned<RawDeed>>) -> Result<Vec<Deed>, Problem> {
    raw.into_iter().map(|deed| names.deed(deed)).collect()
}

/// The credentials by what steps call them.
#[derive(Default)]
struct Names {
    credentials: Vec<Credential>,
}

impl Names {
    fn add(&mut self, raw: Spanned<RawCredential>) -> Result<(), Problem> {
        let span = raw.span();
        let wrong = |problem: String| Err(Problem(span.clone(), problem));
        let RawCredential { provider, account, file, notation, expires_in_secs, arrives } = raw.into_inner();
        known_provider(&provider, &span)?;
        let credential = if Vendors::client(&provider).is_some() {
            let Some(account) = account else {
                return wrong(format!("a login of {provider} needs an account, such as \"ada@example.com\""));
            };
            let short = account.split('@').next().unwrap_or_default();
            let file = file.unwrap_or_else(|| format!("{provider}-{short}.json"));
            if file.contains(['/', '\\']) || Path::new(&file).extension().is_none_or(|kind| kind != "json") {
                return wrong(format!("file is a name that ends with .json, not {file:?}"));
            }
            let same = |other: &Credential| matches!(&other.kind, CredentialKind::Login { file: taken, .. } if *taken == file);
            if self.credentials.iter().any(same) {
                return wrong(format!("two logins have the file {file}; give one a `file` of its own"));
            }
            if expires_in_secs.is_some_and(|secs| !(-FARTHEST_SECS..=FARTHEST_SECS).contains(&secs)) {
                return wrong(format!(
                    "`expires_in_secs` is a number from -{FARTHEST_SECS} to {FARTHEST_SECS}"
                ));
            }
            let kind = CredentialKind::Login {
                file,
                notation: notation.unwrap_or_default(),
                left: expires_in_secs.map(TimeDelta::seconds),
                arrives: arrives.unwrap_or_default(),
            };
            Credential { name: account.clone(), provider, account, kind }
        } else {
            if account.is_some()
                || file.is_some()
                || notation.is_some()
                || expires_in_secs.is_some()
                || arrives.is_some()
            {
                return wrong(format!("{provider} has keys: nothing but `provider` is said of one"));
            }
            // The emulator names keys in the order of minting.
            let number = self.credentials.iter().filter(|other| other.provider == provider).count() + 1;
            let account = format!("key-{number}");
            Credential { name: format!("{provider}/{account}"), provider, account, kind: CredentialKind::Key }
        };
        if self.credentials.iter().any(|other| other.name == credential.name) {
            return wrong(format!("two credentials are called {}", credential.name));
        }
        self.credentials.push(credential);
        Ok(())
    }

    fn find(&self, name: &str, span: &Range<usize>) -> Result<&Credential, Problem> {
        self.credentials.iter().find(|credential| credential.name == name).ok_or_else(|| {
            let known: Vec<&str> =
                self.credentials.iter().map(|credential| credential.name.as_str()).collect();
            Problem(span.clone(), format!("no credential is called {name:?}; there are {}", known.join(", ")))
        })
    }

    /// A login whose file is there or comes.
    fn login(&self, name: String, span: &Range<usize>) -> Result<String, Problem> {
        match self.find(&name, span)?.kind {
            CredentialKind::Login { .. } => Ok(name),
            CredentialKind::Key => {
                Err(Problem(span.clone(), format!("{name} is a key in a variable: it has no file")))
            }
        }
    }

    fn target(
        &self,
        who: Option<String>,
        provider: Option<String>,
        span: &Range<usize>,
    ) -> Result<Target, Problem> {
        match (who, provider) {
            (Some(who), None) => {
                let Credential { name, provider, account, .. } = self.find(&who, span)?.clone();
                Ok(Target { provider, account: Some(account), name })
            }
            (None, Some(provider)) => {
                known_provider(&provider, span)?;
                Ok(Target { name: provider.clone(), provider, account: None })
            }
            (Some(_), Some(_)) | (None, None) => Err(Problem(
                span.clone(),
                "say either `who` (a credential) or `provider` (all of its credentials)".to_owned(),
            )),
        }
    }

    fn deed(&self, raw: Spanned<RawDeed>) -> Result<Deed, Problem> {
        let span = raw.span();
        let target = |RawTarget { who, provider }| self.target(who, provider, &span);
        Ok(match raw.into_inner() {
            RawDeed::Fault { who, provider, at, times: said, act } => {
                Deed::Fault { of: self.target(who, provider, &span)?, at, times: times(said), act }
            }
            RawDeed::Throttle { who, provider, retry_after_secs, times: said } => Deed::Throttle {
                of: self.target(who, provider, &span)?,
                retry_after_secs,
                times: times(said),
            },
            RawDeed::Clear(raw) => Deed::Clear(target(raw)?),
            RawDeed::Expire(raw) => Deed::Expire(target(raw)?),
            RawDeed::Revoke(raw) => Deed::Revoke(target(raw)?),
            RawDeed::Script { provider, text, pace_ms } => {
                known_provider(&provider, &span)?;
                Deed::Script { provider, text, pace: pace_ms.map(Duration::from_millis) }
            }
            RawDeed::Discord { method, path, times, act } => {
                let action = match act {
                    RawRestAction::Status(status) => RestAction::Status { status },
                    RawRestAction::DoneButStatus(status) => RestAction::DoneButStatus { status },
                    RawRestAction::RateLimited { scope, retry_after_ms } => {
                        RestAction::RateLimited { scope, retry_after_ms }
                    }
                    RawRestAction::Hang => RestAction::Hang,
                };
                Deed::Discord(RestFault { method, path, times: times.unwrap_or(1), action })
            }
            RawDeed::DiscordLatencyMs(ms) => Deed::DiscordLatency(Duration::from_millis(ms)),
            RawDeed::DiscordClear => Deed::DiscordClear,
            RawDeed::Gateway(fault) => Deed::Gateway(match fault {
                RawGatewayFault::Drop => GatewayFault::Drop,
                RawGatewayFault::Close { code } => GatewayFault::Close { code },
                RawGatewayFault::Reconnect => GatewayFault::Reconnect,
                RawGatewayFault::Invalidate { resumable } => GatewayFault::Invalidate { resumable },
                RawGatewayFault::Duplicate { events } => GatewayFault::Duplicate { events },
                RawGatewayFault::WithholdAcks { heartbeats } => GatewayFault::WithholdAcks { heartbeats },
            }),
            RawDeed::AdvanceMs(ms) if ms / 1000 > FARTHEST_SECS.unsigned_abs() => {
                return Err(Problem(span, format!("`advance_ms` is at most {FARTHEST_SECS}000")));
            }
            RawDeed::AdvanceMs(ms) => Deed::Advance(Duration::from_millis(ms)),
            RawDeed::Add(name) => Deed::Add(self.login(name, &span)?),
            RawDeed::Rotate(name) => Deed::Rotate(self.login(name, &span)?),
            RawDeed::Remove(name) => Deed::Remove(self.login(name, &span)?),
            RawDeed::PauseMs(ms) => Deed::Pause(Duration::from_millis(ms)),
        })
    }

    fn step(&self, raw: Spanned<RawStep>) -> Result<Step, Problem> {
        let span = raw.span();
        let wrong = |problem: &str| Err(Problem(span.clone(), problem.to_owned()));
        let RawStep { tell, deeds: done, say, by, people, wait, expect } = raw.into_inner();
        let said = match (say, by, people) {
            (None, None, None) => None,
            (None, _, _) => return wrong("`by` and `people` belong to a `say`"),
            (Some(_), Some(_), Some(_)) => return wrong("say either `by` or `people`"),
            (Some(text), None | Some(By::Owner), None) => Some(Said { text, by: Speaker::Owner }),
            (Some(text), Some(By::Guest), None) => Some(Said { text, by: Speaker::Guest }),
            (Some(_), None, Some(number)) if !(1..=LARGEST_CROWD).contains(&number) => {
                return wrong("`people` is a number from 1 to 50");
            }
            (Some(text), None, Some(number)) => Some(Said { text, by: Speaker::Crowd(number) }),
        };
        let wait = wait.unwrap_or(if said.is_some() { Wait::Answer } else { Wait::Nothing });
        let mut expect: Vec<Expectation> =
            expect.into_iter().map(|one| self.expectation(one)).collect::<Result<_, _>>()?;
        // An answer that fails unnoticed would make any scenario hold.
        let says_how = expect.iter().any(|one| matches!(one, Expectation::Answer(_)));
        if wait == Wait::Answer && !says_how {
            expect.insert(0, Expectation::Answer(Ending::Finished));
        }
        Ok(Step { tell, deeds: deeds(self, done)?, said, wait, expect })
    }

    fn expectation(&self, raw: Spanned<RawExpectation>) -> Result<Expectation, Problem> {
        let span = raw.span();
        let bounds = |RawBounds { at_least, at_most, exactly }| bounds(at_least, at_most, exactly, &span);
        Ok(match raw.into_inner() {
            RawExpectation::AnswerContains(text) => Expectation::AnswerContains(text),
            RawExpectation::AnswerLacks(text) => Expectation::AnswerLacks(text),
            RawExpectation::Answer(how) => Expectation::Answer(how),
            RawExpectation::AnsweredBy(who) => {
                Expectation::AnsweredBy(self.target(Some(who), None, &span)?)
            }
            RawExpectation::Messages(raw) => Expectation::Messages(bounds(raw)?),
            RawExpectation::TokenRequests(raw) => {
                let (of, within) = self.count(raw, &span)?;
                Expectation::TokenRequests(of, within)
            }
            RawExpectation::Chats(raw) => {
                let (of, within) = self.count(raw, &span)?;
                Expectation::Chats(of, within)
            }
            RawExpectation::RateLimited(raw) => Expectation::RateLimited(bounds(raw)?),
            RawExpectation::Resumed(raw) => Expectation::Resumed(bounds(raw)?),
            RawExpectation::State { is, .. } if !STATES.contains(&is.as_str()) => {
                return Err(Problem(
                    span,
                    format!("no state is called {is:?}; there are {}", STATES.join(", ")),
                ));
            }
            RawExpectation::State { who, is } => {
                Expectation::State { name: self.find(&who, &span)?.name.clone(), is }
            }
            RawExpectation::Rests(who) => Expectation::Rests(self.find(&who, &span)?.name.clone()),
            RawExpectation::Told(text) => Expectation::Told(text),
        })
    }

    fn count(&self, raw: RawCount, span: &Range<usize>) -> Result<(Target, Bounds), Problem> {
        let RawCount { who, provider, at_least, at_most, exactly } = raw;
        Ok((self.target(who, provider, span)?, bounds(at_least, at_most, exactly, span)?))
    }
}

fn bounds(
    least: Option<u64>,
    most: Option<u64>,
    exactly: Option<u64>,
    span: &Range<usize>,
) -> Result<Bounds, Problem> {
    match (least, most, exactly) {
        (None, None, Some(number)) => Ok(Bounds { least: number, most: number }),
        (None, None, None) | (_, _, Some(_)) => {
            Err(Problem(span.clone(), "say `exactly`, or `at_least`, `at_most` or both of them".to_owned()))
        }
        (least, most, None) => Ok(Bounds { least: least.unwrap_or(0), most: most.unwrap_or(u64::MAX) }),
    }
}

fn known_provider(provider: &str, span: &Range<usize>) -> Result<(), Problem> {
    if Vendors::knows(provider) {
        return Ok(());
    }
    let known: Vec<String> = Vendors::endpoints("").into_keys().collect();
    Err(Problem(
        span.clone(),
        format!("no provider {provider:?} is emulated; there are {}", known.join(", ")),
    ))
}
