//! The keys of a scenario's file, as serde reads them. A key that is not here is refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{
    super::{
        discord::Scope,
        vendor::{Act, Kind},
    },
    Arrival, Ending, Notation, Wait,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScenario {
    pub(super) title: String,
    pub(super) about: String,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) credentials: Vec<Spanned<RawCredential>>,
    #[serde(default)]
    pub(super) before: Vec<Spanned<RawDeed>>,
    pub(super) steps: Vec<Spanned<RawStep>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCredential {
    pub(super) provider: String,
    pub(super) account: Option<String>,
    pub(super) file: Option<String>,
    pub(super) notation: Option<Notation>,
    pub(super) expires_in_secs: Option<i64>,
    pub(super) arrives: Option<Arrival>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub(super) tell: Option<String>,
    #[serde(default, rename = "do")]
    pub(super) deeds: Vec<Spanned<RawDeed>>,
    pub(super) say: Option<String>,
    pub(super) by: Option<By>,
    pub(super) people: Option<u32>,
    pub(super) wait: Option<Wait>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<RawExpectation>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    Owner,
    Guest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    pub(super) who: Option<String>,
    pub(super) provider: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawDeed {
    Fault { who: Option<String>, provider: Option<String>, at: Kind, times: Option<Times>, act: Act },
    Throttle { who: Option<String>, provider: Option<String>, retry_after_secs: u64, times: Option<Times> },
    Clear(RawTarget),
    Expire(RawTarget),
    Revoke(RawTarget),
    Script { provider: String, text: String, pace_ms: Option<u64> },
    Discord { method: Option<String>, path: Option<String>, times: Option<u32>, act: RawRestAction },
    DiscordLatencyMs(u64),
    DiscordClear,
    Gateway(RawGatewayFault),
    AdvanceMs(u64),
    Add(String),
    Rotate(String),
    Remove(String),
    PauseMs(u64),
}

/// How many requests a fault hits: a number, or `"always"`.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected a number of requests, or \"always\"")]
pub(super) enum Times {
    Number(u32),
    Word(Always),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Always {
    Always,
}

/// `RestAction` as TOML writes enums, so that a mistake inside has its line.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawRestAction {
    Status(u16),
    DoneButStatus(u16),
    RateLimited { scope: Scope, retry_after_ms: u64 },
    Hang,
}

/// The same of `GatewayFault`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawGatewayFault {
    Drop,
    Close { code: u16 },
    Reconnect,
    Invalidate { resumable: bool },
    Duplicate { events: u32 },
    WithholdAcks { heartbeats: u32 },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBounds {
    pub(super) at_least: Option<u64>,
    pub(super) at_most: Option<u64>,
    pub(super) exactly: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCount {
    pub(super) who: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) at_least: Option<u64>,
    pub(super) at_most: Option<u64>,
    pub(super) exactly: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RawExpectation {
    AnswerContains(String),
    AnswerLacks(String),
    Answer(Ending),
    AnsweredBy(String),
    Messages(RawBounds),
    TokenRequests(RawCount),
    Chats(RawCount),
    RateLimited(RawBounds),
    Resumed(RawBounds),
    State { who: String, is: String },
    Rests(String),
    Told(String),
}
