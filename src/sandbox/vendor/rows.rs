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
    /// HTTP Basic or the form, never both (RFC 6749, section 2.3).
    Either,
}

/// Whether a code challenge (RFC 7636) must come with a login. One that comes is always held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pkce {
    Optional,
    Required,
}

/// An authorisation endpoint (RFC 6749, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authorize {
    /// Its path behind the provider's prefix.
    pub(super) path: &'static str,
    /// The parameter that carries the redirect address: iFlow has a name of its own for it.
    pub(super) redirect_parameter: &'static str,
    /// An address that is taken beside those on loopback: where a code is shown to be copied.
    pub(super) shown_at: Option<&'static str>,
    pub(super) pkce: Pkce,
    /// A refresh token comes with `access_type=offline` only, and again only after `prompt=consent`, as Google does.
    pub(super) offline_on_request: bool,
}

/// A device authorisation endpoint (RFC 8628).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    /// Its path behind the provider's prefix.
    pub(super) path: &'static str,
    /// The path of the page where a person types the code.
    pub(super) page: &'static str,
    pub(super) pkce: Pkce,
    /// The status of `slow_down`.
    pub(super) slow_down_status: u16,
    /// Whether the answer names the interval; otherwise it is the five seconds of RFC 8628.
    pub(super) names_interval: bool,
}

/// What becomes of a login whose single-use refresh token comes a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    /// The request is refused.
    Refuses,
    /// So is everything that was ever given to that login (RFC 9700, section 4.14.2).
    RevokesFamily,
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
    /// What a second use means, unless a test sets something else.
    pub(super) reuse: Reuse,
    /// What its access tokens begin with.
    pub(super) prefix: &'static str,
    /// What its refresh tokens begin with.
    pub(super) refresh_prefix: &'static str,
    /// Logins in a browser.
    pub(super) authorize: Option<Authorize>,
    /// Logins on another device.
    pub(super) device: Option<Device>,
    /// Whether the client may ask on its own behalf (RFC 6749, section 4.4).
    pub(super) client_credentials: bool,
    /// Where it says whose a token is.
    pub(super) user_info: Option<&'static str>,
    /// Where a token is given back (RFC 7009).
    pub(super) revoke: Option<&'static str>,
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
    /// Gemini's own API, with a key.
    Gemini,
    /// Anthropic's messages.
    Anthropic,
    /// Mistral: nothing beyond what it knows, reasoning as parts.
    Mistral,
    /// xAI: a wrong key is a 400, and errors are texts.
    Xai,
    /// Bedrock: reasoning in tags of its own within the text.
    Bedrock,
    /// A server on one's own machine that asks for no key.
    Keyless,
}

/// The shape of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// OpenAI's chat completions.
    Completions,
    /// Gemini's contents in Code Assist's envelope.
    CodeAssist,
    /// Gemini's contents as they are.
    Contents,
    /// Anthropic's messages.
    Messages,
}

impl Chat {
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::OpenAi
            | Self::OpenRouter
            | Self::DashScope
            | Self::Qwen
            | Self::Iflow
            | Self::Mistral
            | Self::Xai
            | Self::Bedrock
            | Self::Keyless => Protocol::Completions,
            Self::GeminiCli | Self::Antigravity => Protocol::CodeAssist,
            Self::Gemini => Protocol::Contents,
            Self::Anthropic => Protocol::Messages,
        }
    }
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

const GOOGLE: Tokens = Tokens {
    path: "/token",
    client_id: "",
    client_secret: None,
    client: Client::Form,
    single_use: false,
    reuse: Reuse::Refuses,
    prefix: "ya29.FAKE-",
    refresh_prefix: "1//FAKE-",
    authorize: Some(Authorize {
        path: "/o/oauth2/v2/auth",
        redirect_parameter: "redirect_uri",
        shown_at: Some("https://codeassist.google.com/authcode"),
        pkce: Pkce::Optional,
        offline_on_request: true,
    }),
    device: None,
    client_credentials: false,
    user_info: Some("/oauth2/v2/userinfo"),
    revoke: Some("/revoke"),
};

/// All of them.
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "gemini_cli",
        name: "Gemini CLI",
        api: "/v1internal",
        tokens: Some(Tokens {
            client_id: "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com",
            client_secret: Some("fake-gemini-cli-client-secret"),
            ..GOOGLE
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
            reuse: Reuse::Refuses,
            prefix: "FAKE-qwen-",
            refresh_prefix: "FAKE-refresh-",
            authorize: None,
            device: Some(Device {
                path: "/api/v1/oauth2/device/code",
                page: "/authorize",
                pkce: Pkce::Required,
                slow_down_status: 429,
                names_interval: false,
            }),
            client_credentials: false,
            user_info: None,
            revoke: None,
        }),
        chat: Chat::Qwen,
    },
    Row {
        id: "antigravity",
        name: "Antigravity",
        api: "/v1internal",
        tokens: Some(Tokens {
            client_id: "1071006060591-tmhssin2h21lcre235vtolojh4g403ep.apps.googleusercontent.com",
            client_secret: Some("fake-antigravity-client-secret"),
            ..GOOGLE
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
            reuse: Reuse::Refuses,
            prefix: "FAKE-iflow-",
            refresh_prefix: "FAKE-refresh-",
            authorize: Some(Authorize {
                path: "/oauth",
                redirect_parameter: "redirect",
                shown_at: None,
                pkce: Pkce::Optional,
                offline_on_request: false,
            }),
            device: None,
            client_credentials: false,
            user_info: Some("/api/oauth/getUserInfo"),
            revoke: None,
        }),
        chat: Chat::Iflow,
    },
    // Nobody's in particular: every grant, as the RFCs have it and as strictly as they allow.
    Row {
        id: "acme",
        name: "Acme",
        api: "/v1",
        tokens: Some(Tokens {
            path: "/oauth2/token",
            client_id: "acme-client",
            client_secret: Some("fake-acme-client-secret"),
            client: Client::Either,
            single_use: true,
            reuse: Reuse::RevokesFamily,
            prefix: "FAKE-acme-",
            refresh_prefix: "FAKE-refresh-",
            authorize: Some(Authorize {
                path: "/oauth2/authorize",
                redirect_parameter: "redirect_uri",
                shown_at: None,
                pkce: Pkce::Required,
                offline_on_request: false,
            }),
            device: Some(Device {
                path: "/oauth2/device",
                page: "/device",
                pkce: Pkce::Optional,
                slow_down_status: 400,
                names_interval: true,
            }),
            client_credentials: true,
            user_info: Some("/oauth2/userinfo"),
            revoke: Some("/oauth2/revoke"),
        }),
        chat: Chat::OpenAi,
    },
    key("openai", "OpenAI", "/v1", Chat::OpenAi),
    key("openrouter", "OpenRouter", "/v1", Chat::OpenRouter),
    key("dashscope", "DashScope", "/v1", Chat::DashScope),
    key("gemini", "Gemini API", "/v1beta", Chat::Gemini),
    key("anthropic", "Anthropic", "/v1", Chat::Anthropic),
    key("mistral", "Mistral", "/v1", Chat::Mistral),
    key("groq", "Groq", "/openai/v1", Chat::OpenAi),
    key("deepseek", "DeepSeek", "/v1", Chat::OpenAi),
    key("xai", "xAI", "/v1", Chat::Xai),
    // A public client of the operator's own, beside keys.
    Row {
        id: "huggingface",
        name: "Hugging Face",
        api: "/v1",
        tokens: Some(Tokens {
            path: "/oauth/token",
            client_id: "fake-huggingface-client",
            client_secret: None,
            client: Client::Public,
            single_use: true,
            reuse: Reuse::Refuses,
            prefix: "hf_oauth_FAKE-",
            refresh_prefix: "FAKE-refresh-",
            authorize: Some(Authorize {
                path: "/oauth/authorize",
                redirect_parameter: "redirect_uri",
                shown_at: None,
                pkce: Pkce::Required,
                offline_on_request: false,
            }),
            device: Some(Device {
                path: "/oauth/device",
                page: "/device",
                pkce: Pkce::Optional,
                slow_down_status: 400,
                names_interval: true,
            }),
            client_credentials: false,
            user_info: Some("/oauth/userinfo"),
            revoke: None,
        }),
        chat: Chat::OpenAi,
    },
    key("bedrock", "Amazon Bedrock", "/openai/v1", Chat::Bedrock),
    key("local", "Local", "/v1", Chat::Keyless),
];

/// A provider whose credentials are keys.
const fn key(id: &'static str, name: &'static str, api: &'static str, chat: Chat) -> Row {
    Row { id, name, api, tokens: None, chat }
}

/// The row of an id.
pub(super) fn row(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}
