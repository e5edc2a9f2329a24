//! `DISCORD_*`, operators, and who is served where.

use std::collections::BTreeSet;

use url::Url;

use crate::secret::Secret;

/// Who may use something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Audience {
    /// Operators only.
    #[default]
    Operators,
    /// Everyone.
    Everyone,
    /// Nobody.
    Nobody,
}

/// Which guilds are served (`ALLOWED_GUILD_IDS`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum GuildPolicy {
    /// `*`.
    All,
    /// These.
    Listed(BTreeSet<u64>),
    /// Unset: guilds in which an operator holds Manage Server.
    #[default]
    OperatorManaged,
}

/// Discord's side of the settings.
#[derive(Debug, Clone, Default)]
pub struct DiscordSettings {
    /// `DISCORD_TOKEN`; `None` is a mistake for `run` only.
    pub token: Option<Secret>,
    /// `DISCORD_API_BASE`: another Discord origin, without a path.
    pub api_base: Option<Url>,
    /// `OPERATOR_IDS`, added to the application's owner and team.
    pub operator_ids: BTreeSet<u64>,
    /// `ALLOWED_GUILD_IDS`.
    pub guilds: GuildPolicy,
    /// `ALLOW_DMS`.
    pub direct_messages: Audience,
    /// `ALLOWED_CHANNEL_IDS`; empty allows all.
    pub allowed_channel_ids: BTreeSet<u64>,
    /// `ALLOWED_ROLE_IDS`; empty allows all.
    pub allowed_role_ids: BTreeSet<u64>,
    /// `BLOCKED_USER_IDS`.
    pub blocked_user_ids: BTreeSet<u64>,
    /// `USER_MESSAGES_PER_HOUR`; 0 is unlimited.
    pub user_messages_per_hour: u32,
}
