//! Every variable by name, with its default and one line: code, `.env.example` and docs/configuration.md are held
//! together by a test over this table.

mod documents;

pub use documents::{env_example, markdown};

use crate::provider::{AfterGrant, LoginKind, Provider};

/// Whether a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// May be shown.
    Plain,
    /// Never shown; also read from the file that `NAME_FILE` names.
    Secret,
}

/// A variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its default as one would write it; empty for none.
    pub default: &'static str,
    /// What it is for, in one line.
    pub line: &'static str,
    kind: Kind,
    section: Section,
}

/// A variable that every provider of some kind has: the provider's id in capitals, `_`, the suffix.
#[derive(Debug)]
pub struct ProviderVariable {
    /// What follows the prefix: `API_KEY`.
    pub suffix: &'static str,
    /// What it is for, in one line.
    pub line: &'static str,
    kind: Kind,
    of: Of,
    count: Count,
    /// The prefix of its line in `.env.example`.
    example: &'static str,
}

/// Which providers have a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Every provider.
    Every,
    /// Those with an OAuth login.
    Logins,
    /// Those whose chats are authorised by a key.
    Keys,
    /// Those whose chats name a Google Cloud project.
    Projects,
    /// Those that are resources of the operator's own at Azure.
    Azure,
    /// Those that run where the operator wants them.
    Vertex,
}

/// How often a variable occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    One,
    /// Also with `_1`, `_2`, …
    Numbered,
}

/// The part of `.env.example` that a variable stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Discord,
    Credentials,
    Chat,
    Network,
    Hub,
    Operation,
    Compose,
}

impl Section {
    /// In the order of the document.
    const ALL: [Self; 7] = [
        Self::Discord,
        Self::Credentials,
        Self::Chat,
        Self::Network,
        Self::Hub,
        Self::Operation,
        Self::Compose,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Discord => "Discord",
            Self::Credentials => "Credentials",
            Self::Chat => "Chats",
            Self::Network => "Where secrets may go",
            Self::Hub => "Hugging Face's hub, in a build with the feature hub",
            Self::Operation => "Operation",
            Self::Compose => "Docker Compose only",
        }
    }
}

impl Variable {
    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

impl ProviderVariable {
    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// Whether `_1`, `_2`, … may follow.
    pub fn is_numbered(&self) -> bool {
        self.count == Count::Numbered
    }

    /// Whether a provider has it.
    pub fn concerns(&self, provider: &Provider) -> bool {
        match self.of {
            Of::Every => true,
            Of::Logins => provider.oauth().is_some(),
            Of::Keys => match provider.login {
                LoginKind::ApiKey => true,
                LoginKind::OAuth(_) => provider.takes_keys,
            },
            Of::Azure => provider.quirks.azure_api_version.is_some(),
            Of::Vertex => provider.quirks.vertex_location.is_some(),
            Of::Projects => provider.oauth().is_some_and(|spec| match spec.after_grant {
                AfterGrant::CodeAssistProject | AfterGrant::VertexProject => true,
                AfterGrant::Nothing | AfterGrant::IflowApiKey | AfterGrant::QwenResourceUrl => false,
            }),
        }
    }
}

const fn plain(section: Section, name: &'static str, default: &'static str, line: &'static str) -> Variable {
    Variable { name, default, line, kind: Kind::Plain, section }
}

const fn secret(section: Section, name: &'static str, line: &'static str) -> Variable {
    Variable { name, default: "", line, kind: Kind::Secret, section }
}

/// Every variable but those of a provider.
pub const VARIABLES: &[Variable] = &[
    secret(Section::Discord, "DISCORD_TOKEN", "The bot's token; needed by `cortana run`"),
    plain(
        Section::Discord,
        "OPERATOR_IDS",
        "",
        "Discord user ids of operators, besides the application's owner and team",
    ),
    plain(
        Section::Discord,
        "ALLOWED_GUILD_IDS",
        "",
        "`*`, or guild ids; empty: guilds in which an operator holds Manage Server",
    ),
    plain(
        Section::Discord,
        "ALLOW_DMS",
        "operators",
        "Who may write direct messages: operators, everyone, nobody",
    ),
    plain(Section::Discord, "BLOCKED_GUILD_IDS", "", "Nobody is answered in these guilds"),
    plain(
        Section::Discord,
        "ALLOWED_CHANNEL_IDS",
        "",
        "Only these channels are answered, and the threads in them; a category stands for its channels; empty: all",
    ),
    plain(
        Section::Discord,
        "BLOCKED_CHANNEL_IDS",
        "",
        "These channels, and what is in them, are not answered",
    ),
    plain(
        Section::Discord,
        "ALLOWED_ROLE_IDS",
        "",
        "Only people with one of these roles, or of ALLOWED_USER_IDS, are answered; empty: all",
    ),
    plain(
        Section::Discord,
        "BLOCKED_ROLE_IDS",
        "",
        "Whoever has one of these roles is not answered, operators aside",
    ),
    plain(Section::Discord, "ALLOWED_USER_IDS", "", "Only these people are answered; empty: all"),
    plain(Section::Discord, "BLOCKED_USER_IDS", "", "These people are never answered, operators aside"),
    plain(
        Section::Discord,
        "USER_MESSAGES_PER_HOUR",
        "60",
        "Answers a person may have in an hour; 0: no limit",
    ),
    plain(
        Section::Discord,
        "USER_TOKENS_PER_DAY",
        "0",
        "Tokens that a person's questions may cost in a day, answers and summaries included; 0: no limit",
    ),
    plain(
        Section::Discord,
        "ALLOW_BOTS",
        "0",
        "So many messages of other bots in a row are answered; 0: none",
    ),
    plain(
        Section::Discord,
        "AUTO_THREADS",
        "0",
        "1: a mention in a channel opens a thread, and the answer stands there; threads of the bot need no mentions",
    ),
    plain(
        Section::Discord,
        "REPLY_STYLE",
        "plain",
        "plain: ordinary messages; embed: frames with a coloured edge, which hold twice the text",
    ),
    plain(
        Section::Discord,
        "DEFAULT_LANGUAGE",
        "en",
        "Spoken where nobody's language is known: en or de. People hear theirs in commands, servers theirs in chats",
    ),
    plain(
        Section::Discord,
        "DISCORD_API_BASE",
        "",
        "Another Discord origin without a path, such as http://127.0.0.1:8787 (an emulator)",
    ),
    plain(
        Section::Credentials,
        "CREDENTIALS_DIR",
        "credentials",
        "The folder that is scanned for credential files",
    ),
    plain(
        Section::Credentials,
        "CREDENTIALS_WATCH",
        "auto",
        "How that folder is watched: auto, poll (network mounts), off",
    ),
    plain(
        Section::Credentials,
        "ROTATION_STRATEGY",
        "round_robin",
        "Which credential is next: round_robin, least_used, fill_first",
    ),
    plain(
        Section::Credentials,
        "OAUTH_REFRESH_EARLY_SECS",
        "600",
        "How long before its expiry a token is refreshed in the background",
    ),
    plain(
        Section::Credentials,
        "ALLOW_STATE_WRITEBACK",
        "0",
        "1: tokens of read-only files whose refresh token rotates may live in STATE_DIR (logs other programs out)",
    ),
    plain(
        Section::Credentials,
        "ACCEPT_PROVIDER_TERMS",
        "",
        "Providers whose terms you have read and accept: gemini_cli, antigravity",
    ),
    plain(Section::Chat, "PROVIDER_ORDER", "", "Providers to try first, in this order; the others follow"),
    plain(
        Section::Chat,
        "DEFAULT_MODEL",
        "",
        "`provider/model`; empty: the default model of the first usable provider",
    ),
    plain(
        Section::Chat,
        "GUILD_MODELS",
        "*",
        "What servers and people may choose with `/settings`: `provider/model`, or `provider` for all of its models",
    ),
    plain(
        Section::Chat,
        "SYSTEM_PROMPT_FILE",
        "",
        "A text file with the system prompt; empty: a short built-in one",
    ),
    plain(
        Section::Chat,
        "PERSONAS_DIR",
        "personas",
        "A folder of Markdown files, each a persona to choose with `/settings persona` (docs/conversation.md)",
    ),
    plain(Section::Chat, "TIME_ZONE", "UTC", "What the model is told the time in, such as Europe/Berlin"),
    plain(
        Section::Chat,
        "CONVERSATION_TTL_SECS",
        "1800",
        "After this silence a conversation starts afresh; a reply continues it all the same",
    ),
    plain(
        Section::Chat,
        "CONVERSATION_MESSAGES",
        "100",
        "Messages of a conversation that are read from Discord, the question among them",
    ),
    plain(
        Section::Chat,
        "REQUEST_DEADLINE_SECS",
        "60",
        "From a message to the first sign of its answer, through waits and failover",
    ),
    plain(Section::Chat, "STREAM_IDLE_SECS", "45", "The longest silence within an answer"),
    plain(Section::Chat, "STREAM_MAX_SECS", "840", "The longest time an answer may take"),
    plain(
        Section::Network,
        "ALLOW_HTTP_HOSTS",
        "",
        "Hosts that API keys (never OAuth tokens) may reach without TLS, such as a model server beside the container",
    ),
    secret(
        Section::Network,
        "HTTPS_PROXY",
        "The proxy for every https connection; http to this machine or to ALLOW_HTTP_HOSTS is direct; it may carry a password",
    ),
    secret(
        Section::Hub,
        "HF_TOKEN",
        "A token of https://huggingface.co/settings/tokens that may read: for gated and private models of `cortana hf`",
    ),
    plain(Section::Hub, "HF_ENDPOINT", "", "Another hub, such as a mirror; empty: https://huggingface.co"),
    plain(Section::Operation, "STATE_DIR", "data", "The folder for the bot's own state; made when missing"),
    secret(
        Section::Operation,
        "DATABASE_URL",
        "sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE; empty: sqlite://STATE_DIR/cortana.db, made when missing",
    ),
    plain(
        Section::Operation,
        "ADMIN_ADDR",
        "127.0.0.1:9464",
        "Where /live, /ready and /metrics are served, and what `cortana health` asks",
    ),
    plain(
        Section::Operation,
        "ALERT_MIN_HEALTHY",
        "1",
        "Fewer credentials than this that can be lent raise an alert; 0 for never",
    ),
    plain(
        Section::Operation,
        "ALERT_OPERATORS",
        "dm",
        "dm: the bot tells its operators of alerts in direct messages; off: the log has them alone",
    ),
    plain(Section::Operation, "LOG_FORMAT", "pretty", "pretty, or json: one object a line"),
    plain(
        Section::Operation,
        "RUST_LOG",
        "info",
        "How much is logged: error, warn, info, debug, trace, or cortana::ROOM=LEVEL; other crates stay at warn",
    ),
    plain(Section::Compose, "CORTANA_UID", "1000", "Whose files the container reads and rewrites: `id -u`"),
    plain(Section::Compose, "CORTANA_GID", "1000", "The group of the same: `id -g`"),
];

/// The variables of each provider.
pub const PROVIDER_VARIABLES: &[ProviderVariable] = &[
    ProviderVariable {
        suffix: "OAUTH_CREDENTIALS",
        line: "A login: the path of its file, or the JSON itself; more with _1, _2, …",
        kind: Kind::Secret,
        of: Of::Logins,
        count: Count::Numbered,
        example: "GEMINI_CLI",
    },
    ProviderVariable {
        suffix: "API_KEY",
        line: "An API key; more with _1, _2, …",
        kind: Kind::Secret,
        of: Of::Keys,
        count: Count::Numbered,
        example: "OPENAI",
    },
    ProviderVariable {
        suffix: "CLIENT_ID",
        line: "The OAuth client that minted the login, where it is not the vendor's own; AZURE asks as this client, without a login",
        kind: Kind::Plain,
        of: Of::Logins,
        count: Count::One,
        example: "GEMINI_CLI",
    },
    ProviderVariable {
        suffix: "CLIENT_SECRET",
        line: "That client's secret; none is shipped, and GEMINI_CLI, ANTIGRAVITY and IFLOW need one",
        kind: Kind::Secret,
        of: Of::Logins,
        count: Count::One,
        example: "GEMINI_CLI",
    },
    ProviderVariable {
        suffix: "SCOPE",
        line: "Scopes that are asked for, separated by spaces: at a login made here, or with each grant of a client",
        kind: Kind::Plain,
        of: Of::Logins,
        count: Count::One,
        example: "GEMINI_CLI",
    },
    ProviderVariable {
        suffix: "PROJECT",
        line: "The Google Cloud project that a Code Assist licence needs, or that VERTEX bills instead of the file's",
        kind: Kind::Plain,
        of: Of::Projects,
        count: Count::One,
        example: "GEMINI_CLI",
    },
    ProviderVariable {
        suffix: "LOCATION",
        line: "Where Vertex AI runs the models: global (where it is not set), us, eu, or a region such as europe-west4",
        kind: Kind::Plain,
        of: Of::Vertex,
        count: Count::One,
        example: "VERTEX",
    },
    ProviderVariable {
        suffix: "OPENAI_ENDPOINT",
        line: "The address of your Azure OpenAI resource: https://NAME.openai.azure.com",
        kind: Kind::Plain,
        of: Of::Azure,
        count: Count::One,
        example: "AZURE",
    },
    ProviderVariable {
        suffix: "API_VERSION",
        line: "The version of Azure OpenAI's API; 2024-10-21 where it is not set",
        kind: Kind::Plain,
        of: Of::Azure,
        count: Count::One,
        example: "AZURE",
    },
    ProviderVariable {
        suffix: "TOKEN_ENDPOINT",
        line: "Another token endpoint; AZURE needs its tenant's: https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
        kind: Kind::Plain,
        of: Of::Logins,
        count: Count::One,
        example: "GEMINI_CLI",
    },
    ProviderVariable {
        suffix: "API_BASE",
        line: "Another base address of the chat API; it also beats the one in a credential's file. LOCAL's may need no key",
        kind: Kind::Plain,
        of: Of::Every,
        count: Count::One,
        example: "OPENAI",
    },
    ProviderVariable {
        suffix: "USER_AGENT",
        line: "What the bot calls itself there, instead of cortana/VERSION; you answer for it",
        kind: Kind::Plain,
        of: Of::Every,
        count: Count::One,
        example: "OPENAI",
    },
    ProviderVariable {
        suffix: "MODELS",
        line: "All models on offer, best first, instead of the built-in list and whatever else the provider lists",
        kind: Kind::Plain,
        of: Of::Every,
        count: Count::One,
        example: "OPENAI",
    },
];

/// Variables that belong to later versions: recognised, so that setting one is never silently without effect.
const OF_A_LATER_VERSION: &[&str] = &[
    "ALERT_CHANNEL_ID",
    "ALERT_WEBHOOK_URL",
    "CREDENTIALS_IDENTITY_FILE",
    "CREDENTIALS_PASSPHRASE_FILE",
    "DISCORD_SHARDS",
];

/// Whether a name is known, but to a later version only.
pub(super) fn is_of_a_later_version(name: &str) -> bool {
    let stem = name.strip_suffix("_FILE").unwrap_or(name);
    OF_A_LATER_VERSION.contains(&name) || OF_A_LATER_VERSION.contains(&stem)
}
