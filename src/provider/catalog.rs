//! The built-in rows, and how they are read.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use url::Url;

use super::{
    AfterGrant, ChatAuth, ClientAuth, Consent, ErrorStyle, GrantKind, Lifecycle, LoginKind, Model, OAuthSpec,
    Provider, ProviderId, Quirks, RateLimitScope, Terms, Wire,
};

const BUILTIN: &str = include_str!("builtin.toml");

/// A row that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file is not TOML of the expected shape.
    #[error("the provider file cannot be read: {0}")]
    Syntax(String),
    /// A row contradicts itself.
    #[error("provider `{id}`: {problem}")]
    Row {
        /// Which row.
        id: String,
        /// What is wrong and what is expected.
        problem: String,
    },
}

/// All providers, in the order in which they are tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    rows: Vec<Provider>,
}

impl Catalog {
    /// The rows that come with the program.
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).expect("builtin.toml is read by a test")
    }

    /// Reads rows; their order in the text is their order.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let file: File =
            toml::from_str(text).map_err(|error| CatalogError::Syntax(error.message().to_owned()))?;
        let rows = file.provider.into_iter().map(Row::into_provider).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { rows })
    }

    /// A catalog of these rows.
    pub fn new(rows: Vec<Provider>) -> Self {
        Self { rows }
    }

    /// The row of a provider.
    pub fn get(&self, id: &ProviderId) -> Option<&Provider> {
        self.rows.iter().find(|row| row.id == *id)
    }

    /// The row of a provider, to override parts of it.
    pub fn get_mut(&mut self, id: &ProviderId) -> Option<&mut Provider> {
        self.rows.iter_mut().find(|row| row.id == *id)
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.rows.iter()
    }

    /// Puts the named providers first, in the order given.
    pub fn order(&mut self, first: &[ProviderId]) {
        let rank = |row: &Provider| first.iter().position(|id| *id == row.id).unwrap_or(usize::MAX);
        self.rows.sort_by_key(rank);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: Vec<Row>,
}

/// A row as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: ProviderId,
    name: String,
    wire: Wire,
    api_bases: Vec<Url>,
    #[serde(default = "bearer")]
    chat_auth: ChatAuth,
    #[serde(default)]
    takes_keys: bool,
    #[serde(default)]
    key_optional: bool,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    hosts: Vec<String>,
    models: Vec<Model>,
    default_model: String,
    #[serde(default = "openai_errors")]
    errors: ErrorStyle,
    #[serde(default)]
    bare_429: RateLimitScope,
    #[serde(default)]
    early_secs: Option<u64>,
    #[serde(default)]
    quirks: Quirks,
    #[serde(default)]
    lifecycle: Option<Lifecycle>,
    #[serde(default)]
    terms: Option<Terms>,
    #[serde(default)]
    oauth: Option<OAuthRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OAuthRow {
    token_endpoint: Url,
    #[serde(default)]
    former_token_endpoints: Vec<Url>,
    #[serde(default)]
    authorize_endpoint: Option<Url>,
    #[serde(default)]
    device_endpoint: Option<Url>,
    #[serde(default)]
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    revoke_endpoint: Option<Url>,
    #[serde(default)]
    consent: Consent,
    #[serde(default)]
    grant: GrantKind,
    client_auth: ClientAuth,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    rotates: bool,
    #[serde(default = "nothing")]
    after_grant: AfterGrant,
}

fn bearer() -> ChatAuth {
    ChatAuth::Bearer
}

fn openai_errors() -> ErrorStyle {
    ErrorStyle::Openai
}

fn nothing() -> AfterGrant {
    AfterGrant::Nothing
}

impl Row {
    fn into_provider(self) -> Result<Provider, CatalogError> {
        let problem =
            |problem: &str| CatalogError::Row { id: self.id.to_string(), problem: problem.to_owned() };
        if self.api_bases.is_empty() {
            return Err(problem("`api_bases` is empty; give at least one https address"));
        }
        if !self.models.iter().any(|model| model.id == self.default_model) {
            return Err(problem("`default_model` is not among `models`"));
        }
        let login = match self.oauth {
            None => LoginKind::ApiKey,
            Some(row) => LoginKind::OAuth(Box::new(OAuthSpec {
                token_endpoint: row.token_endpoint,
                token_endpoint_overridden: false,
                former_token_endpoints: row.former_token_endpoints,
                authorize_endpoint: row.authorize_endpoint,
                device_endpoint: row.device_endpoint,
                userinfo_endpoint: row.userinfo_endpoint,
                revoke_endpoint: row.revoke_endpoint,
                consent: row.consent,
                grant: row.grant,
                client_auth: row.client_auth,
                client_id: row.client_id,
                client_secret: None,
                scopes: row.scopes,
                rotates: row.rotates,
                after_grant: row.after_grant,
            })),
        };
        Ok(Provider {
            id: self.id,
            name: self.name,
            login,
            wire: self.wire,
            api_bases: self.api_bases,
            api_base_overridden: false,
            chat_auth: self.chat_auth,
            takes_keys: self.takes_keys,
            key_optional: self.key_optional,
            headers: self.headers.into_iter().collect(),
            user_agent: None,
            project: None,
            hosts: self.hosts,
            models: self.models,
            models_named: false,
            default_model: self.default_model,
            errors: self.errors,
            bare_429: self.bare_429,
            early: self.early_secs.map(Duration::from_secs),
            quirks: self.quirks,
            lifecycle: self.lifecycle,
            terms_accepted: self.terms.is_none(),
            terms: self.terms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_rows_are_well_formed() {
        let catalog = Catalog::parse(BUILTIN).expect("builtin.toml");
        let ids: Vec<_> = catalog.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "gemini_cli",
                "qwen_code",
                "antigravity",
                "iflow",
                "gemini",
                "vertex",
                "openai",
                "anthropic",
                "openrouter",
                "dashscope",
                "mistral",
                "groq",
                "deepseek",
                "xai",
                "huggingface",
                "bedrock",
                "azure",
                "local",
            ]
        );
        for row in catalog.iter() {
            let is_safe = |base: &Url| base.scheme() == "https" || crate::http::is_loopback(base);
            assert!(row.api_bases.iter().all(is_safe), "{}", row.id);
            assert_eq!(row.oauth().map_or(Ok(()), |spec| spec.consent.check()), Ok(()), "{}", row.id);
            assert!(
                row.oauth().is_none_or(|spec| spec.client_secret.is_none()),
                "{}: no secret ships",
                row.id
            );
            let userinfo = row.oauth().and_then(|spec| spec.userinfo_endpoint.as_ref());
            assert!(userinfo.is_none_or(|url| row.allows_url(url)), "{}: it is sent a token", row.id);
        }
    }

    #[test]
    fn urls_from_elsewhere_need_the_exact_host_over_tls() {
        let catalog = Catalog::builtin();
        let qwen = catalog.get(&"qwen_code".parse().expect("id")).expect("row");
        let allowed = |text: &str| qwen.allows_url(&text.parse().expect("url"));
        assert!(allowed("https://portal.qwen.ai/v1"));
        assert!(!allowed("http://portal.qwen.ai/v1"));
        assert!(!allowed("https://portal.qwen.ai.evil.example/v1"));
        assert!(!allowed("https://portal.qwen.ai@evil.example/v1"));
        assert!(!allowed("https://portal.qwen.ai:8443/v1"));
        assert!(!allowed("http://127.0.0.1:9/v1"));
    }
}
