//! `DISCORD_*`, operators, and who is served where.

use std::{collections::BTreeSet, path::PathBuf};

use url::Url;

use super::{Limits, file::Section, reader::Reader, urls::discord_origin};
use crate::{
    language::{Language, Languages},
    secret::Secret,
};

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

/// Whether a mention in a channel opens a thread (`AUTO_THREADS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoThreads {
    /// Answers stand in the channel.
    #[default]
    Off,
    /// Each conversation has a thread of its own.
    On,
}

/// What an answer looks like (`REPLY_STYLE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyStyle {
    /// Ordinary messages.
    #[default]
    Plain,
    /// Embeds: a frame with a coloured edge, and twice the text in one message.
    Embed,
}

/// Whether operators hear of alerts in a direct message (`ALERT_OPERATORS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AlertOperators {
    /// Each in theirs.
    #[default]
    DirectMessage,
    /// The log has them alone.
    Off,
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
    /// `BLOCKED_GUILD_IDS`.
    pub blocked_guild_ids: BTreeSet<u64>,
    /// `ALLOWED_CHANNEL_IDS`: channels, threads or categories; empty allows all.
    pub allowed_channel_ids: BTreeSet<u64>,
    /// `BLOCKED_CHANNEL_IDS`: the same.
    pub blocked_channel_ids: BTreeSet<u64>,
    /// `ALLOWED_ROLE_IDS`; empty, as `ALLOWED_USER_IDS` is, allows all.
    pub allowed_role_ids: BTreeSet<u64>,
    /// `BLOCKED_ROLE_IDS`.
    pub blocked_role_ids: BTreeSet<u64>,
    /// `ALLOWED_USER_IDS`: whoever has none of the roles is allowed by it too.
    pub allowed_user_ids: BTreeSet<u64>,
    /// `BLOCKED_USER_IDS`.
    pub blocked_user_ids: BTreeSet<u64>,
    /// `USER_MESSAGES_PER_HOUR`, `USER_TOKENS_PER_DAY`, and `[[limits]]` of `cortana.toml`.
    pub limits: Limits,
    /// `ALLOW_BOTS`: so many turns of bots in a row are answered; 0 answers none.
    pub allow_bots: usize,
    /// `AUTO_THREADS`.
    pub auto_threads: AutoThreads,
    /// `REPLY_STYLE`.
    pub reply_style: ReplyStyle,
    /// `DEFAULT_LANGUAGE`: for people and places whose language is not known, or not spoken.
    pub default_language: Language,
    /// `ALERT_OPERATORS`.
    pub alert_operators: AlertOperators,
    /// The program that reads PDFs, called with `pdf-text`: this one, as whoever starts the bot knows it. `None`: none are
    /// read.
    pub pdf_reader: Option<PathBuf>,
}

impl DiscordSettings {
    pub(super) fn read(reader: &mut Reader<'_>, file: &mut Section) -> Self {
        Self {
            token: token(reader),
            api_base: discord_origin(reader, "DISCORD_API_BASE"),
            operator_ids: reader.ids("OPERATOR_IDS"),
            guilds: guilds(reader),
            direct_messages: reader.choice(
                "ALLOW_DMS",
                Audience::default(),
                &[
                    ("operators", Audience::Operators),
                    ("everyone", Audience::Everyone),
                    ("nobody", Audience::Nobody),
                ],
            ),
            blocked_guild_ids: reader.ids("BLOCKED_GUILD_IDS"),
            allowed_channel_ids: reader.ids("ALLOWED_CHANNEL_IDS"),
            blocked_channel_ids: reader.ids("BLOCKED_CHANNEL_IDS"),
            allowed_role_ids: reader.ids("ALLOWED_ROLE_IDS"),
            blocked_role_ids: reader.ids("BLOCKED_ROLE_IDS"),
            allowed_user_ids: reader.ids("ALLOWED_USER_IDS"),
            blocked_user_ids: reader.ids("BLOCKED_USER_IDS"),
            limits: Limits::read(reader, file),
            allow_bots: reader.number("ALLOW_BOTS", 0, 0..=20),
            auto_threads: if reader.flag("AUTO_THREADS") { AutoThreads::On } else { AutoThreads::Off },
            reply_style: reader.choice(
                "REPLY_STYLE",
                ReplyStyle::default(),
                &[("plain", ReplyStyle::Plain), ("embed", ReplyStyle::Embed)],
            ),
            default_language: default_language(reader),
            alert_operators: reader.choice(
                "ALERT_OPERATORS",
                AlertOperators::default(),
                &[("dm", AlertOperators::DirectMessage), ("off", AlertOperators::Off)],
            ),
            pdf_reader: None,
        }
    }
}

fn default_language(reader: &mut Reader<'_>) -> Language {
    const NAME: &str = "DEFAULT_LANGUAGE";
    let Some(text) = reader.text(NAME) else { return Language::default() };
    let languages = Languages::built_in();
    languages.of(&text).unwrap_or_else(|| {
        let known: Vec<&str> = languages.names().collect();
        reader.mistake(NAME, &text, format!("expected one of {}", known.join(", ")));
        Language::default()
    })
}

fn token(reader: &mut Reader<'_>) -> Option<Secret> {
    const NAME: &str = "DISCORD_TOKEN";
    let token = reader.secret(NAME)?;
    let text = token.expose();
    if text.starts_with("Bot ") || text.contains(char::is_whitespace) || !text.is_ascii() {
        reader.secret_mistake(NAME, "expected the token alone, without `Bot `, quotes or space in it");
        return None;
    }
    if text.split('.').count() != 3 {
        reader.warn(
            "DISCORD_TOKEN has not the three parts of a bot token (is it the client secret or the public key?)",
        );
    }
    Some(token)
}

fn guilds(reader: &mut Reader<'_>) -> GuildPolicy {
    const NAME: &str = "ALLOWED_GUILD_IDS";
    match reader.text(NAME).as_deref() {
        None => GuildPolicy::OperatorManaged,
        Some("*") => GuildPolicy::All,
        Some(_) => GuildPolicy::Listed(reader.ids(NAME)),
    }
}
