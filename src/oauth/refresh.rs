//! The refresh grant over HTTP: which client, which endpoint, one request, a capped reply.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, RETRY_AFTER, USER_AGENT},
};
use url::Url;
use zeroize::Zeroizing;

use super::{
    Grant, Refresh, RefreshError,
    reply::{self, Answer},
    vendor,
};
use crate::{
    clock::Clock,
    credential::{Facts, OAuthLogin},
    http::{Http, is_loopback},
    provider::{ClientAuth, OAuthClient, OAuthSpec, Provider},
    secret::Secret,
};

/// The largest reply that is read. Token replies have 1 to 4 kB, a Code Assist answer some 10 kB.
const LARGEST_REPLY: usize = 256 * 1024;

/// How long requests may take and how patiently a project is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one request, from connecting to the last byte of the reply.
    pub request: Duration,
    /// Between two looks at an onboarding that is not done.
    pub poll_every: Duration,
    /// How often an onboarding is looked at before it is called stuck.
    pub polls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: Duration::from_secs(15), poll_every: Duration::from_secs(5), polls: 6 }
    }
}

/// The real [`Refresh`].
#[derive(Debug, Clone)]
pub struct HttpRefresh {
    http: Http,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl HttpRefresh {
    /// Exchanges over this client; the clock reads a `Retry-After` that is a date.
    pub fn new(http: Http, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock, limits: Limits::default() }
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The limits.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Starts a request that carries a token or a client secret: over TLS or to this machine, nowhere else, whatever
    /// `ALLOW_HTTP_HOSTS` permits for chats with a local model.
    pub(super) fn request(
        &self,
        provider: &Provider,
        method: Method,
        url: &Url,
    ) -> Result<RequestBuilder, RefreshError> {
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(foreign(url));
        }
        let request =
            self.http.request(method, url)?.timeout(self.limits.request).header(ACCEPT, "application/json");
        Ok(match &provider.user_agent {
            Some(user_agent) => request.header(USER_AGENT, user_agent),
            None => request,
        })
    }

    /// Sends, and reads the reply up to the cap.
    pub(super) async fn send(&self, step: &str, request: RequestBuilder) -> Result<Answer, RefreshError> {
        let at_step = |error: RefreshError| match error {
            RefreshError::Transient { problem, retry_after } => {
                RefreshError::Transient { problem: format!("{step}{problem}"), retry_after }
            }
            error @ (RefreshError::InvalidGrant { .. }
            | RefreshError::ClientRefused { .. }
            | RefreshError::NoClient { .. }
            | RefreshError::NoRefreshToken
            | RefreshError::Unknown { .. }
            | RefreshError::ForeignEndpoint { .. }
            | RefreshError::Refused { .. }) => error,
        };
        let mut response = request.send().await.map_err(|error| at_step(error.into()))?;
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| reply::retry_after(value, self.clock.now()));
        let status = response.status().as_u16();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| at_step(error.into()))? {
            if body.len() + chunk.len() > LARGEST_REPLY {
                return Err(RefreshError::Unknown {
                    problem: format!("{step}HTTP {status}, a reply of more than {} kB", LARGEST_REPLY / 1024),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after, body })
    }
}

#[async_trait]
impl Refresh for HttpRefresh {
    async fn refresh(&self, provider: &Provider, login: &OAuthLogin) -> Result<Grant, RefreshError> {
        let Some(spec) = provider.oauth() else { return Err(RefreshError::NoRefreshToken) };
        let token = login
            .tokens
            .refresh
            .as_ref()
            .filter(|token| !token.is_blank())
            .ok_or(RefreshError::NoRefreshToken)?;
        let client = client(provider, spec, login)?;
        let endpoint = endpoint(provider, spec, login)?;

        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())];
        if spec.client_auth != ClientAuth::Basic {
            form.push(("client_id", client.id.as_str()));
        }
        let mut request = self.request(provider, Method::POST, endpoint)?;
        match (spec.client_auth, &client.secret) {
            // A secret that somebody configured for a public client is not sent: the row says how this endpoint wants it.
            (ClientAuth::Public, _)
            | (ClientAuth::Form | ClientAuth::BasicAndForm | ClientAuth::Basic, None) => {}
            (ClientAuth::Form, Some(secret)) => form.push(("client_secret", secret.expose())),
            (ClientAuth::BasicAndForm, Some(secret)) => {
                form.push(("client_secret", secret.expose()));
                request = request.basic_auth(&client.id, Some(secret.expose()));
            }
            // Form-encoded before they are joined (RFC 6749, section 2.3.1).
            (ClientAuth::Basic, Some(secret)) => {
                request = request.basic_auth(form_encoded(&client.id), Some(form_encoded(secret.expose())));
            }
        }
        let answer = self.send("", request.form(&form)).await?;
        reply::read(provider, &answer).map_err(|error| {
            let sent = [Some(token), client.secret.as_ref()];
            without(&sent, error, answer.status)
        })
    }

    async fn after_grant(
        &self,
        provider: &Provider,
        access: &Secret,
        known: &Facts,
    ) -> Result<Facts, RefreshError> {
        vendor::after_grant(self, provider, access, known).await
    }

    fn timeout(&self) -> Duration {
        self.limits.request
    }
}

/// The client to identify as: the one inside the file, since a token works only with its own; else the configured one.
fn client(provider: &Provider, spec: &OAuthSpec, login: &OAuthLogin) -> Result<OAuthClient, RefreshError> {
    let mut client = match (&login.client, spec.client()) {
        (Some(own), _) => own.clone(),
        (None, Some(configured)) => return Ok(configured),
        (None, None) => {
            let prefix = provider.id.variable_prefix();
            let id = spec.client_id.is_none().then(|| format!("{prefix}_CLIENT_ID"));
            let secret = match spec.client_auth {
                ClientAuth::Public => None,
                ClientAuth::Form | ClientAuth::BasicAndForm | ClientAuth::Basic => {
                    spec.client_secret.is_none().then(|| format!("{prefix}_CLIENT_SECRET"))
                }
            };
            let variables = id.into_iter().chain(secret).collect::<Vec<_>>().join(" and ");
            return Err(RefreshError::NoClient { variables });
        }
    };
    let has_secret = client.secret.as_ref().is_some_and(|secret| !secret.is_blank());
    match spec.client_auth {
        ClientAuth::Public => Ok(client),
        ClientAuth::Form | ClientAuth::BasicAndForm | ClientAuth::Basic if has_secret => Ok(client),
        ClientAuth::Form | ClientAuth::BasicAndForm | ClientAuth::Basic => {
            // A file that names the configured client without repeating its secret.
            client.secret =
                spec.client_secret.clone().filter(|_| spec.client_id.as_ref() == Some(&client.id));
            if client.secret.is_some() {
                return Ok(client);
            }
            let prefix = provider.id.variable_prefix();
            Err(RefreshError::NoClient {
                variables: format!(
                    "{prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET to the client that the file names"
                ),
            })
        }
    }
}

/// A text as a form has it.
fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Where the refresh token goes: the operator's override, else the file's own endpoint if it is one of the
/// provider's, else the row's.
fn endpoint<'a>(
    provider: &Provider,
    spec: &'a OAuthSpec,
    login: &'a OAuthLogin,
) -> Result<&'a Url, RefreshError> {
    match &login.token_endpoint {
        Some(own) if !spec.token_endpoint_overridden => {
            if provider.allows_url(own) {
                Ok(own)
            } else {
                Err(foreign(own))
            }
        }
        Some(_) | None => Ok(&spec.token_endpoint),
    }
}

/// The error that names the host of an address where nothing is sent.
pub(super) fn foreign(url: &Url) -> RefreshError {
    RefreshError::ForeignEndpoint { host: url.host_str().unwrap_or("no host").to_owned() }
}

/// The error, unless its code repeats something that was sent: a code is free text of the endpoint, after all.
fn without(sent: &[Option<&Secret>], error: RefreshError, status: u16) -> RefreshError {
    let word = match &error {
        RefreshError::InvalidGrant { code } | RefreshError::ClientRefused { code } => code,
        RefreshError::Unknown { problem } | RefreshError::Transient { problem, .. } => problem,
        RefreshError::NoClient { .. }
        | RefreshError::NoRefreshToken
        | RefreshError::ForeignEndpoint { .. }
        | RefreshError::Refused { .. } => return error,
    };
    let repeats = |secret: &&Secret| !secret.is_blank() && word.contains(secret.expose());
    if sent.iter().flatten().any(repeats) {
        return RefreshError::Unknown { problem: format!("HTTP {status}, an error that repeats a secret") };
    }
    error
}
