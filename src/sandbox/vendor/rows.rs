//! What the emulator knows of each provider: paths, clients and the shape of its answers.
//!
//! Written from the vendors' protocols (docs/providers.md), not from the bot's own rows: where the two disagree, a test
//! shall fail.

/// How a client must identify itself to a token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// The id alone.
    Public,
    /// Id and secret in the form, and no Basic.
    Form,
    /// Both in the form, and HTTP Basic as well.
    BasicAndForm,
}

/// What a token endpoint is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens {
    /// Its path behind the provider's prefix.
    pub(super) path: &'static str,
    /// The client id of the vendor's own program.
    pub(super) client_id: &'static str,
    /// A fake secret for it, where the vendor has one.
    pub(super) client_secret: Option<&'static str>,
    /// How it wants the client.
    pub(super) client: Client,
    /// Whether a refresh token lives for one use.
    pub(super) single_use: bool,
    /// What its access tokens begin with.
    pub(super) prefix: &'static str,
}

/// Which chat protocol, and whose departures from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chat {
    /// OpenAI's own.
    OpenAi,
    /// OpenRouter: other error bodies, comments in the stream.
    OpenRouter,
    /// `DashScope` with a key.
    DashScope,
    /// Qwen Code's login.
    Qwen,
    /// iFlow: signed, `data:` without a space.
    Iflow,
    /// Code Assist in Gemini CLI's envelope.
    GeminiCli,
    /// Code Assist in Antigravity's envelope.
    Antigravity,
}

/// One provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Its id and its place in the path.
    pub(super) id: &'static str,
    /// Its name in default answers.
    pub(super) name: &'static str,
    /// The path of its chat base behind the prefix.
    pub(super) api: &'static str,
    /// Its token endpoint, where it has logins.
    pub(super) tokens: Option<Tokens>,
    /// Its chats.
    pub(super) chat: Chat,
}

/// All of them.
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "gemini_cli",
        name: "Gemini CLI",
        api: "/v1internal",
        tokens: Some(Tokens {
            path: "/token",
            client_id: "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com",
            client_secret: Some("fake-gemini-cli-client-secret"),
            client: Client::Form,
            single_use: false,
            prefix: "ya29.FAKE-",
        }),
        chat: Chat::GeminiCli,
    },
    Row {
        id: "qwen_code",
        name: "Qwen Code",
        api: "/v1",
        tokens: Some(Tokens {
            path: "/api/v1/oauth2/token",
            client_id: "f0304373b74a44d2b584a3fb70ca9e56",
            client_secret: None,
            client: Client::Public,
            single_use: true,
            prefix: "FAKE-qwen-",
        }),
        chat: Chat::Qwen,
    },
    Row {
        id: "antigravity",
        name: "Antigravity",
        api: "/v1internal",
        tokens: Some(Tokens {
            path: "/token",
            client_id: "1071006060591-tmhssin2h21lcre235vtolojh4g403ep.apps.googleusercontent.com",
            client_secret: Some("fake-antigravity-client-secret"),
            client: Client::Form,
            single_use: false,
            prefix: "ya29.FAKE-",
        }),
        chat: Chat::Antigravity,
    },
    Row {
        id: "iflow",
        name: "iFlow",
        api: "/v1",
        tokens: Some(Tokens {
            path: "/oauth/token",
            client_id: "10009311001",
            client_secret: Some("fake-iflow-client-secret"),
            client: Client::BasicAndForm,
            single_use: true,
            prefix: "FAKE-iflow-",
        }),
        chat: Chat::Iflow,
    },
    Row { id: "openai", name: "OpenAI", api: "/v1", tokens: None, chat: Chat::OpenAi },
    Row { id: "openrouter", name: "OpenRouter", api: "/v1", tokens: None, chat: Chat::OpenRouter },
    Row { id: "dashscope", name: "DashScope", api: "/v1", tokens: None, chat: Chat::DashScope },
];

/// The path of iFlow's user-info request behind its prefix.
pub(super) const IFLOW_USER_INFO: &str = "/api/oauth/getUserInfo";

/// The row of an id.
pub(super) fn row(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}
