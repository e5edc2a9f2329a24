//! Where credentials come from and how they rotate.

use std::{path::PathBuf, time::Duration};

use super::{file::Section, providers, reader::Reader};
use crate::{
    provider::{Catalog, ProviderId},
    secret::Secret,
};

/// Which credential is picked next (`ROTATION_STRATEGY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Each in turn; differs by at most one (P39).
    #[default]
    RoundRobin,
    /// The one with the fewest requests.
    LeastUsed,
    /// The first until it rests, then the next.
    FillFirst,
}

/// How `CREDENTIALS_DIR` is watched (`CREDENTIALS_WATCH`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WatchMode {
    /// notify, and a comparison every 1.5 s beside it.
    #[default]
    Auto,
    /// The comparison only.
    Poll,
    /// Not at all.
    Off,
}

/// A credential that a variable names.
#[derive(Debug, Clone)]
pub struct NamedCredential {
    /// The variable, for messages: `GEMINI_CLI_OAUTH_CREDENTIALS_2`.
    pub variable: String,
    /// Whose it is, by the variable's prefix.
    pub provider: ProviderId,
    /// What it holds.
    pub value: CredentialValue,
}

/// What a credential variable holds.
#[derive(Debug, Clone)]
pub enum CredentialValue {
    /// A path to a file.
    Path(PathBuf),
    /// The JSON itself.
    Inline(Secret),
    /// An API key.
    ApiKey(Secret),
}

/// How often a credential is lent (`[pool.credentials.…]` of `cortana.toml`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatRule {
    /// Its id or a beginning of that, the name of its file, or its variable.
    pub credential: String,
    /// Lower tiers go first, the next only when none of this one can be lent; 1 to 100.
    pub tier: u8,
    /// Its share of the requests within its tier; 1 to 100.
    pub weight: u8,
}

/// The pool's settings.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// `CREDENTIALS_DIR`.
    pub credentials_dir: PathBuf,
    /// `CREDENTIALS_WATCH`.
    pub watch: WatchMode,
    /// Credentials named by variables.
    pub named: Vec<NamedCredential>,
    /// `ROTATION_STRATEGY`.
    pub strategy: Strategy,
    /// `OAUTH_REFRESH_EARLY_SECS`.
    pub early: Duration,
    /// `ALLOW_STATE_WRITEBACK`.
    pub allow_state_writeback: bool,
    /// `STATE_DIR`.
    pub state_dir: PathBuf,
    /// `ALERT_MIN_HEALTHY`: fewer credentials that can be lent are an alert.
    pub alert_min_healthy: usize,
    /// `[pool.credentials.…]` of `cortana.toml`; what none names has tier 1 and weight 1.
    pub seats: Vec<SeatRule>,
    /// How long after its last use a conversation stays with its credential (`sticky_sessions` and `sticky_seconds` of
    /// `[pool]`); `None`: it does not.
    pub sticky: Option<Duration>,
}

impl SeatRule {
    fn read(reader: &mut Reader<'_>, credential: String, mut seat: Section) -> Self {
        let rule = Self {
            credential,
            tier: seat.number(reader, "tier", 1, 1..=100),
            weight: seat.number(reader, "weight", 1, 1..=100),
        };
        seat.finish(reader);
        rule
    }
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            credentials_dir: PathBuf::from("credentials"),
            watch: WatchMode::default(),
            named: Vec::new(),
            strategy: Strategy::default(),
            early: Duration::from_mins(10),
            allow_state_writeback: false,
            state_dir: PathBuf::from("data"),
            alert_min_healthy: 1,
            seats: Vec::new(),
            sticky: None,
        }
    }
}

impl PoolSettings {
    pub(super) fn read(reader: &mut Reader<'_>, catalog: &Catalog, file: &mut Section) -> Self {
        let default = Self::default();
        let mut pool = file.section(reader, "pool");
        let is_sticky = pool.flag(reader, "sticky_sessions");
        let sticky_seconds = pool.number(reader, "sticky_seconds", 1800, 1..=86_400);
        let seats = pool.section(reader, "credentials").sections(reader);
        pool.finish(reader);
        Self {
            credentials_dir: reader.path("CREDENTIALS_DIR", default.credentials_dir),
            watch: reader.choice(
                "CREDENTIALS_WATCH",
                default.watch,
                &[("auto", WatchMode::Auto), ("poll", WatchMode::Poll), ("off", WatchMode::Off)],
            ),
            named: providers::named_credentials(reader, catalog),
            strategy: reader.choice(
                "ROTATION_STRATEGY",
                default.strategy,
                &[
                    ("round_robin", Strategy::RoundRobin),
                    ("least_used", Strategy::LeastUsed),
                    ("fill_first", Strategy::FillFirst),
                ],
            ),
            early: reader.seconds("OAUTH_REFRESH_EARLY_SECS", default.early, 0..=86_400),
            allow_state_writeback: reader.flag("ALLOW_STATE_WRITEBACK"),
            state_dir: reader.path("STATE_DIR", default.state_dir),
            alert_min_healthy: reader.number("ALERT_MIN_HEALTHY", default.alert_min_healthy, 0..=1000),
            seats: seats
                .into_iter()
                .map(|(credential, seat)| SeatRule::read(reader, credential, seat))
                .collect(),
            sticky: is_sticky.then(|| Duration::from_secs(sticky_seconds)),
        }
    }
}
