//! The row of one provider and the closed enums of protocols that it chooses from.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Consent, Lifecycle, Model, Quirks, Terms};
use crate::secret::Secret;

/// A provider's id: lower case, digits and `_`, for example `gemini_cli`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId(Arc<str>);

impl ProviderId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prefix of its variables: `gemini_cli` becomes `GEMINI_CLI`.
    pub fn variable_prefix(&self) -> String {
        self.0.to_ascii_uppercase()
    }
}

/// The text is no provider id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no provider id: lower-case letters, digits and `_`, starting with a letter, 32 at most")]
pub struct InvalidProviderId(pub(super) String);

impl FromStr for ProviderId {
    type Err = InvalidProviderId;

    /// Accepts `-` for `_` and capitals, as people type them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = text.trim().to_ascii_lowercase().replace('-', "_");
        let well_formed = id.len() <= 32
            && id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if well_formed { Ok(Self(id.into())) } else { Err(InvalidProviderId(text.to_owned())) }
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ProviderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for ProviderId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProviderId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The protocol spoken to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// `POST {base}/chat/completions` (OpenAI's chat completions and everything shaped after it).
    OpenaiChat,
    /// `POST {base}:streamGenerateContent` in Google's Code Assist envelope.
    CodeAssist,
    /// `POST {base}/models/{model}:streamGenerateContent` (Gemini's own API).
    Gemini,
    /// `POST {base}/messages` (Anthropic's messages).
    AnthropicMessages,
}

/// How the client identifies itself to the token endpoint (RFC 6749, section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// `client_id` alone in the form: a public client.
    Public,
    /// `client_id` and `client_secret` in the form.
    Form,
    /// HTTP Basic, and both in the form as well.
    BasicAndForm,
    /// HTTP Basic alone, which every server that follows the RFC takes.
    Basic,
    /// HTTP Basic where there is a secret, `client_id` in the form where there is none.
    BasicOrPublic,
}

/// What a new access token is asked for with, where a credential does not say so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// The refresh token of a person's login (RFC 6749, section 6).
    #[default]
    RefreshToken,
    /// The client's own id and secret, from variables: nobody logs in (RFC 6749, section 4.4).
    ClientCredentials,
}

/// What authorises a chat request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatAuth {
    /// `Authorization: Bearer` with the access token, or the API key where the login is a key.
    Bearer,
    /// iFlow: the API key that came with the grant as bearer, and an HMAC-SHA256 signature trio.
    IflowSignature,
    /// `x-goog-api-key` with the key.
    GoogApiKey,
    /// `x-api-key` with the key.
    XApiKey,
}

/// What happens between a grant and the first chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterGrant {
    /// Nothing.
    Nothing,
    /// Discover or onboard the Code Assist project.
    CodeAssistProject,
    /// Fetch the API key that authorises chats.
    IflowApiKey,
    /// Adopt the reply's `resource_url` as chat base.
    QwenResourceUrl,
    /// Hold a credential for which neither its file nor the operator names a project: nothing can find one.
    VertexProject,
}

/// Whose Code Assist envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// Gemini CLI's: `model`, `project`, `user_prompt_id`, `request`.
    #[default]
    GeminiCli,
    /// Antigravity's: with `userAgent`, `requestType`, `requestId` and a session id.
    Antigravity,
}

/// How the provider words its errors; chooses the classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorStyle {
    /// `google.rpc.Status` with details.
    Google,
    /// `{error:{message,type,code}}`.
    Openai,
    /// OpenAI's shape with Qwen's codes.
    Qwen,
    /// `{status,msg,body}`, also under HTTP 200.
    Iflow,
    /// `{type:"error",error:{type,message}}`.
    Anthropic,
}

/// Whom a 429 without any detail concerns (P21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitScope {
    /// The request: one other credential is tried, none is cooled.
    Request,
    /// The credential: it cools.
    #[default]
    Credential,
}

/// How a credential of this provider is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginKind {
    /// An OAuth login.
    OAuth(Box<OAuthSpec>),
    /// A key that is pasted and never refreshed.
    ApiKey,
}

/// A client that the operator registered, or a tool's public one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthClient {
    /// The client id.
    pub id: String,
    /// Its secret, where it has one.
    pub secret: Option<Secret>,
}

/// The OAuth side of a provider's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthSpec {
    /// Token endpoint: code, refresh and device grants.
    pub token_endpoint: Url,
    /// Whether `<PROVIDER>_TOKEN_ENDPOINT` set it: it then beats a credential file's `token_uri`.
    pub token_endpoint_overridden: bool,
    /// Addresses that the endpoint had before and that old credential files still name: they mean today's.
    pub former_token_endpoints: Vec<Url>,
    /// Authorisation endpoint of the code grant.
    pub authorize_endpoint: Option<Url>,
    /// Device authorisation endpoint (RFC 8628).
    pub device_endpoint: Option<Url>,
    /// Where an after-grant step asks who the account is (iFlow's key, Google's e-mail).
    pub userinfo_endpoint: Option<Url>,
    /// Where a token is given back (RFC 7009).
    pub revoke_endpoint: Option<Url>,
    /// How a person's consent is asked for.
    pub consent: Consent,
    /// What a new token is asked for with.
    pub grant: GrantKind,
    /// How the client identifies itself.
    pub client_auth: ClientAuth,
    /// Public client id of the vendor's own tool, unless the operator configured another. `None`: must be configured.
    pub client_id: Option<String>,
    /// Secret of that client. Never shipped: from `<PROVIDER>_CLIENT_SECRET` only.
    pub client_secret: Option<Secret>,
    /// Scopes asked for at login, or with each grant of client credentials.
    pub scopes: Vec<String>,
    /// Whether a refresh ends the life of the refresh token it used.
    pub rotates: bool,
    /// What follows a grant.
    pub after_grant: AfterGrant,
}

impl OAuthSpec {
    /// The configured client; `None` when the id is missing, or the secret where the endpoint demands one.
    pub fn client(&self) -> Option<OAuthClient> {
        let id = self.client_id.clone()?;
        match self.client_auth {
            ClientAuth::Public | ClientAuth::BasicOrPublic => {
                Some(OAuthClient { id, secret: self.client_secret.clone() })
            }
            ClientAuth::Form | ClientAuth::BasicAndForm | ClientAuth::Basic => {
                self.client_secret.clone().map(|secret| OAuthClient { id, secret: Some(secret) })
            }
        }
    }

    /// Moves the token endpoint, and with it every other endpoint on the same origin: they belong to the same
    /// server, and a secret must not go to the built-in host once the operator named another.
    ///
    /// What stands before the built-in token path in the new address is kept for the others:
    /// `http://127.0.0.1:9/iflow/oauth/token` moves `https://iflow.cn/api/oauth/getUserInfo` to
    /// `http://127.0.0.1:9/iflow/api/oauth/getUserInfo`. An address that does not end with the built-in path lends
    /// its origin alone.
    ///
    /// Endpoints of another origin stay, unless the new address is on this machine: what an emulator grants must not be
    /// shown to the real service, and a person must not log in there for it.
    pub fn override_token_endpoint(&mut self, endpoint: Url) {
        let built_in = std::mem::replace(&mut self.token_endpoint, endpoint);
        self.token_endpoint_overridden = true;
        let prefix = self.token_endpoint.path().strip_suffix(built_in.path()).unwrap_or_default().to_owned();
        let neighbours = [
            &mut self.authorize_endpoint,
            &mut self.device_endpoint,
            &mut self.userinfo_endpoint,
            &mut self.revoke_endpoint,
        ];
        for neighbour in neighbours.into_iter().flatten() {
            if neighbour.origin() == built_in.origin() || crate::http::is_loopback(&self.token_endpoint) {
                let mut moved = self.token_endpoint.clone();
                moved.set_path(&format!("{prefix}{}", neighbour.path()));
                moved.set_query(neighbour.query());
                *neighbour = moved;
            }
        }
    }
}

/// How what stands for a missing key begins.
const NO_KEY: &str = "no key for ";

/// One provider, with the operator's overrides applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its name for people.
    pub name: String,
    /// How a credential is had.
    pub login: LoginKind,
    /// The protocol of its chats.
    pub wire: Wire,
    /// Bases of its chat API, preferred first, without a trailing slash. Never empty.
    pub api_bases: Vec<Url>,
    /// Whether `<PROVIDER>_API_BASE` set `api_bases`: it then beats a file's or reply's `resource_url`.
    pub api_base_overridden: bool,
    /// What authorises a chat.
    pub chat_auth: ChatAuth,
    /// Whether API keys serve beside logins. Providers without logins take nothing else.
    pub takes_keys: bool,
    /// Whether it can be asked without a key, as servers on one's own machine can.
    pub key_optional: bool,
    /// Fixed headers on chats.
    pub headers: Vec<(String, String)>,
    /// Another User-Agent, set by the operator.
    pub user_agent: Option<String>,
    /// The project that Code Assist licences and Vertex need, from `<PROVIDER>_PROJECT`.
    pub project: Option<String>,
    /// Hosts that a URL in a credential file or a token reply may name, exactly. https only, but for loopback when
    /// the token endpoint is on loopback itself.
    pub hosts: Vec<String>,
    /// Known models, the order being the order of preference.
    pub models: Vec<Model>,
    /// Whether the operator named them: then they are all that is offered, whatever the provider lists.
    pub models_named: bool,
    /// The model when nobody chose one.
    pub default_model: String,
    /// How it words errors.
    pub errors: ErrorStyle,
    /// Whom a bare 429 concerns.
    pub bare_429: RateLimitScope,
    /// How long before expiry a refresh starts, where not `OAUTH_REFRESH_EARLY_SECS`.
    pub early: Option<Duration>,
    /// Departures from the wire.
    pub quirks: Quirks,
    /// What became of it.
    pub lifecycle: Option<Lifecycle>,
    /// Terms to accept before its logins are used.
    pub terms: Option<Terms>,
    /// Whether the operator accepted them (or there are none).
    pub terms_accepted: bool,
}

impl Provider {
    /// What stands for a key where there is none: never sent, and another one for each provider, so that no two of them
    /// look like one login.
    pub fn no_key(&self) -> Secret {
        Secret::new(format!("{NO_KEY}{}", self.id))
    }

    /// Whether this stands for a key where there is none.
    pub fn is_no_key(secret: &Secret) -> bool {
        secret.expose().starts_with(NO_KEY)
    }

    /// The project that a chat names: Code Assist's is the account's own, which the operator's choice only led to; Vertex AI
    /// takes any that the account has a right to, so that the operator's choice beats the file's.
    pub fn project_of<'a>(&'a self, known: Option<&'a str>) -> Option<&'a str> {
        let chosen = self.project.as_deref();
        if self.quirks.vertex_location.is_some() { chosen.or(known) } else { known.or(chosen) }
    }

    /// Moves Vertex AI's location, and with it the host (cloud.google.com/vertex-ai/docs/general/locations), unless the
    /// operator set the base.
    pub fn set_vertex_location(&mut self, location: &str) {
        self.quirks.vertex_location = Some(location.to_owned());
        let host = match location {
            "global" => "aiplatform.googleapis.com".to_owned(),
            "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
            region => format!("{region}-aiplatform.googleapis.com"),
        };
        if !self.api_base_overridden
            && let Ok(base) = Url::parse(&format!("https://{host}/v1"))
        {
            self.api_bases = vec![base];
        }
    }

    /// The OAuth side of the row, where it has one.
    pub fn oauth(&self) -> Option<&OAuthSpec> {
        match &self.login {
            LoginKind::OAuth(spec) => Some(spec),
            LoginKind::ApiKey => None,
        }
    }

    /// Whether secrets may go to this URL, found in a credential file or a token reply ("where secrets may go").
    ///
    /// https and an exact host of the row; a loopback host only when the token endpoint is on loopback itself.
    pub fn allows_url(&self, url: &Url) -> bool {
        if !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        if crate::http::is_loopback(url) {
            return self.oauth().is_some_and(|spec| crate::http::is_loopback(&spec.token_endpoint));
        }
        url.scheme() == "https"
            && url.port_or_known_default() == Some(443)
            && url
                .host_str()
                .is_some_and(|host| self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)))
    }

    /// A model of the row.
    pub fn model(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.id == id)
    }

    /// Whether a model is shown pictures: as its row says, and where none says so, as that of the default model does.
    pub fn sees_images(&self, model: &str) -> bool {
        let said = |id: &str| self.model(id).and_then(|model| model.images);
        said(model).or_else(|| said(&self.default_model)).unwrap_or(false)
    }

    /// Whether a model is offered tools: as its row says, and where none says so, as that of the default model does.
    pub fn calls_tools(&self, model: &str) -> bool {
        let said = |id: &str| self.model(id).and_then(|model| model.tools);
        said(model).or_else(|| said(&self.default_model)).unwrap_or(false)
    }

    /// The model of this provider that stands for `model` of another: the same id, or one of the same family.
    pub fn equivalent(&self, model: &str, family: Option<&str>) -> Option<&Model> {
        self.model(model).or_else(|| {
            let family = family?;
            self.models.iter().find(|known| known.family.as_deref() == Some(family))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Catalog;

    fn spec(id: &str) -> OAuthSpec {
        let catalog = Catalog::builtin();
        catalog.get(&id.parse().expect("id")).and_then(Provider::oauth).expect("an OAuth row").clone()
    }

    fn moved(id: &str, to: &str) -> OAuthSpec {
        let mut spec = spec(id);
        spec.override_token_endpoint(to.parse().expect("url"));
        assert_eq!(spec.token_endpoint.as_str(), to);
        assert!(spec.token_endpoint_overridden);
        spec
    }

    fn text(url: Option<&Url>) -> &str {
        url.map_or("none", Url::as_str)
    }

    #[test]
    fn an_override_moves_the_endpoints_of_the_same_origin() {
        let iflow = moved("iflow", "http://127.0.0.1:9/iflow/oauth/token");
        assert_eq!(text(iflow.userinfo_endpoint.as_ref()), "http://127.0.0.1:9/iflow/api/oauth/getUserInfo");
        let qwen = moved("qwen_code", "http://127.0.0.1:9/api/v1/oauth2/token");
        assert_eq!(text(qwen.device_endpoint.as_ref()), "http://127.0.0.1:9/api/v1/oauth2/device/code");
    }

    #[test]
    fn an_override_of_another_shape_lends_its_origin_alone() {
        let iflow = moved("iflow", "https://proxy.example/exchange?tenant=1");
        assert_eq!(text(iflow.userinfo_endpoint.as_ref()), "https://proxy.example/api/oauth/getUserInfo");
    }

    #[test]
    fn endpoints_of_another_origin_stay_unless_all_is_emulated() {
        let gemini = moved("gemini_cli", "https://proxy.example/google/token");
        assert_eq!(text(gemini.userinfo_endpoint.as_ref()), "https://www.googleapis.com/oauth2/v2/userinfo");
        assert_eq!(text(gemini.authorize_endpoint.as_ref()), "https://accounts.google.com/o/oauth2/v2/auth");
        let gemini = moved("gemini_cli", "http://127.0.0.1:9/vendors/gemini_cli/token");
        let emulated = "http://127.0.0.1:9/vendors/gemini_cli";
        assert_eq!(text(gemini.userinfo_endpoint.as_ref()), format!("{emulated}/oauth2/v2/userinfo"));
        assert_eq!(text(gemini.revoke_endpoint.as_ref()), format!("{emulated}/revoke"));
        assert_eq!(text(gemini.authorize_endpoint.as_ref()), format!("{emulated}/o/oauth2/v2/auth"));
    }
}
