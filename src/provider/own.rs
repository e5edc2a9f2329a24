//! An operator's own provider, as `[providers.NAME]` of `cortana.toml` describes it.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use toml::Table;
use url::Url;

use super::{
    AfterGrant, Catalog, ChatAuth, ClientAuth, Consent, ErrorStyle, GrantKind, LoginKind, Model, OAuthSpec,
    Provider, ProviderId, Quirks, RateLimitScope, Wire,
};

/// Names whose variables mean something else.
const RESERVED: &[&str] =
    &["discord", "oauth", "alert", "admin", "database", "credentials", "allow", "default"];

/// The version that Anthropic's messages are written for.
const ANTHROPIC_VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// The longest early window: a day.
const LONGEST_EARLY: u64 = 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnRow {
    name: Option<String>,
    wire: Wire,
    api_base: Url,
    models: Vec<OwnModel>,
    default_model: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    chat_auth: Option<OwnAuth>,
    #[serde(default)]
    key_optional: bool,
    errors: Option<ErrorStyle>,
    #[serde(default)]
    bare_429: RateLimitScope,
    early_secs: Option<u64>,
    stream_usage: Option<bool>,
    max_tokens: Option<u32>,
    oauth: Option<OwnOAuth>,
}

/// The ways to authorise a chat that are nobody's in particular.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OwnAuth {
    Bearer,
    XApiKey,
    GoogApiKey,
}

/// A model's name alone, or with its family.
#[derive(Deserialize)]
#[serde(untagged)]
enum OwnModel {
    Name(String),
    Whole(Model),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnOAuth {
    token_endpoint: Url,
    authorize_endpoint: Option<Url>,
    device_endpoint: Option<Url>,
    userinfo_endpoint: Option<Url>,
    revoke_endpoint: Option<Url>,
    #[serde(default)]
    consent: Consent,
    #[serde(default)]
    grant: GrantKind,
    client_auth: ClientAuth,
    client_id: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    rotates: bool,
}

/// Reads the table of a provider; `name` is its key.
///
/// # Errors
/// One sentence about the first thing in it that is missing, unknown or cannot be.
pub fn own(name: &str, table: Table) -> Result<Provider, String> {
    let id: ProviderId = name.parse().map_err(|error: super::spec::InvalidProviderId| error.to_string())?;
    if id.as_str() != name {
        return Err(format!("write its id in lower case and with `_`: providers.{id}"));
    }
    if RESERVED.contains(&name) {
        return Err("its variables would mean something else; choose another name".to_owned());
    }
    if Catalog::builtin().get(&id).is_some() {
        return Err(format!(
            "this provider is built in: change it with {}_API_BASE and its other variables, or choose another name",
            id.variable_prefix()
        ));
    }
    let row: OwnRow =
        toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    row.into_provider(id)
}

impl OwnRow {
    fn into_provider(self, id: ProviderId) -> Result<Provider, String> {
        let (chat_auth, errors) = match self.wire {
            Wire::OpenaiChat => (ChatAuth::Bearer, ErrorStyle::Openai),
            Wire::Gemini if self.oauth.is_some() => (ChatAuth::Bearer, ErrorStyle::Google),
            Wire::Gemini => (ChatAuth::GoogApiKey, ErrorStyle::Google),
            Wire::AnthropicMessages => (ChatAuth::XApiKey, ErrorStyle::Anthropic),
            Wire::CodeAssist => {
                return Err(
                    "wire: code_assist is spoken by Google's own logins alone; there are openai_chat, \
                            gemini, anthropic_messages"
                        .to_owned(),
                );
            }
        };
        let chat_auth = match self.chat_auth {
            None => chat_auth,
            Some(OwnAuth::Bearer) => ChatAuth::Bearer,
            Some(OwnAuth::XApiKey) => ChatAuth::XApiKey,
            Some(OwnAuth::GoogApiKey) => ChatAuth::GoogApiKey,
        };
        self.oauth
            .as_ref()
            .map_or(Ok(()), |oauth| oauth.consent.check())
            .map_err(|told| format!("oauth.{told}"))?;
        let models: Vec<Model> = self.models.into_iter().map(OwnModel::into_model).collect();
        let Some(first) = models.first() else {
            return Err("models is empty; name at least one, the default first".to_owned());
        };
        let default_model = self.default_model.unwrap_or_else(|| first.id.clone());
        if !models.iter().any(|model| model.id == default_model) {
            return Err("default_model is not among models".to_owned());
        }
        if self.early_secs.is_some_and(|seconds| seconds > LONGEST_EARLY) {
            return Err(format!("early_secs: expected a whole number from 0 to {LONGEST_EARLY}"));
        }
        let mut headers: Vec<(String, String)> = self.headers.into_iter().collect();
        for (name, value) in &headers {
            check_header(name, value)?;
        }
        let (version, dated) = ANTHROPIC_VERSION;
        let names_one = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(version));
        if self.wire == Wire::AnthropicMessages && !names_one {
            headers.push((version.to_owned(), dated.to_owned()));
        }
        let host = |url: &Url| url.host_str().unwrap_or_default().to_owned();
        let mut hosts = vec![host(&self.api_base)];
        hosts.extend(self.oauth.as_ref().map(|oauth| host(&oauth.token_endpoint)));
        Ok(Provider {
            name: self.name.unwrap_or_else(|| id.to_string()),
            id,
            login: self.oauth.map_or(LoginKind::ApiKey, OwnOAuth::into_login),
            wire: self.wire,
            api_bases: vec![self.api_base],
            // The operator named it: no address of a file or a reply beats it.
            api_base_overridden: true,
            chat_auth,
            takes_keys: false,
            key_optional: self.key_optional,
            headers,
            user_agent: None,
            project: None,
            hosts,
            models,
            models_named: true,
            default_model,
            errors: self.errors.unwrap_or(errors),
            bare_429: self.bare_429,
            early: self.early_secs.map(Duration::from_secs),
            quirks: Quirks {
                stream_usage: self.stream_usage.unwrap_or(true),
                max_tokens: self.max_tokens,
                ..Quirks::default()
            },
            lifecycle: None,
            terms: None,
            terms_accepted: true,
        })
    }
}

impl OwnModel {
    fn into_model(self) -> Model {
        match self {
            Self::Name(id) => Model::named(id),
            Self::Whole(model) => model,
        }
    }
}

impl OwnOAuth {
    fn into_login(self) -> LoginKind {
        LoginKind::OAuth(Box::new(OAuthSpec {
            token_endpoint: self.token_endpoint,
            token_endpoint_overridden: true,
            former_token_endpoints: Vec::new(),
            authorize_endpoint: self.authorize_endpoint,
            device_endpoint: self.device_endpoint,
            userinfo_endpoint: self.userinfo_endpoint,
            revoke_endpoint: self.revoke_endpoint,
            consent: self.consent,
            grant: self.grant,
            client_auth: self.client_auth,
            client_id: self.client_id,
            client_secret: None,
            scopes: self.scopes,
            rotates: self.rotates,
            after_grant: AfterGrant::Nothing,
        }))
    }
}

/// A header that may be sent, and that says nothing which the bot says itself. Its value is not repeated.
fn check_header(name: &str, value: &str) -> Result<(), String> {
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let is_value = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if !is_name || !is_value {
        return Err(
            "headers: expected names of letters, digits and `-`, and values of printable ASCII".to_owned()
        );
    }
    let own = [
        "authorization",
        "x-api-key",
        "x-goog-api-key",
        "user-agent",
        "host",
        "content-type",
        "content-length",
    ];
    if own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Err(format!(
            "headers: {name} is the bot's to set; a key belongs into a variable, a name into _USER_AGENT"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Provider, String> {
        own(name, text.parse().expect("TOML"))
    }

    const ACME: &str = r#"
        wire = "openai_chat"
        api_base = "https://llm.acme.example/v1"
        models = ["acme-large", { id = "acme-small", family = "small" }]
    "#;

    #[test]
    fn three_lines_are_a_provider() {
        let row = read("acme", ACME).expect("a provider");
        assert_eq!(
            (row.id.as_str(), row.name.as_str(), row.default_model.as_str()),
            ("acme", "acme", "acme-large")
        );
        assert_eq!(
            (row.chat_auth, row.errors, &row.login),
            (ChatAuth::Bearer, ErrorStyle::Openai, &LoginKind::ApiKey)
        );
        assert_eq!(row.hosts, ["llm.acme.example"]);
        assert!(row.quirks.stream_usage && row.terms_accepted && !row.key_optional);
        let family = row.models.last().and_then(|model| model.family.as_deref());
        assert_eq!(family, Some("small"));
    }

    #[test]
    fn a_wire_brings_its_own_key_version_and_errors() {
        let claude =
            read("claude_proxy", &ACME.replace("openai_chat", "anthropic_messages")).expect("a provider");
        assert_eq!((claude.chat_auth, claude.errors), (ChatAuth::XApiKey, ErrorStyle::Anthropic));
        assert_eq!(claude.headers, [("anthropic-version".to_owned(), "2023-06-01".to_owned())]);
        let gemini = read("gemini_proxy", &ACME.replace("openai_chat", "gemini")).expect("a provider");
        assert_eq!((gemini.chat_auth, gemini.errors), (ChatAuth::GoogApiKey, ErrorStyle::Google));
    }

    #[test]
    fn what_cannot_be_is_said_in_a_sentence() {
        let with = |line: &str| read("acme", &format!("{ACME}\n{line}")).expect_err("a mistake");
        for (line, expected) in [
            ("colour = \"blue\"", "unknown field `colour`"),
            ("default_model = \"acme-tiny\"", "default_model is not among models"),
            ("early_secs = 100000", "early_secs"),
            ("headers = { Authorization = \"canary\" }", "is the bot's to set"),
            ("headers = { X-Key = \"caf\u{e9}\" }", "printable ASCII"),
            ("[oauth]\ntoken_endpoint = \"https://id.example/token\"", "missing field `client_auth`"),
            (
                "[oauth]\ntoken_endpoint = \"https://id.example/token\"\nclient_auth = \"form\"\nconsent.redirect = \"https://id.example/\"",
                "oauth.consent.redirect",
            ),
            (
                "[oauth]\ntoken_endpoint = \"https://id.example/token\"\nclient_auth = \"form\"\nclient_secret = \"canary\"",
                "unknown field `client_secret`",
            ),
        ] {
            let told = with(line);
            assert!(told.contains(expected) && !told.contains("canary"), "{line}: {told}");
        }
        let reading = |name: &str| read(name, ACME).expect_err("a mistake");
        assert!(reading("openai").contains("OPENAI_API_BASE"));
        assert!(reading("discord").contains("choose another name"));
        assert!(reading("Acme-1").contains("providers.acme_1"));
        assert!(
            read("acme", &ACME.replace("openai_chat", "code_assist")).expect_err("x").contains("there are")
        );
        assert!(
            read("acme", "wire = \"openai_chat\"\napi_base = \"https://x.example\"\nmodels = []").is_err()
        );
    }
}
