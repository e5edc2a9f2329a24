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
    Allowance, Grant, Refresh, RefreshError, client,
    reply::{self, Answer},
    service_account, vendor,
};
use crate::{
    clock::Clock,
    credential::{Facts, OAuthLogin, Renewal},
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

    /// Asks a token endpoint: one request, the client shown as the row says, the reply checked. `sent` are secrets in the
    /// form that an error must not repeat.
    pub(super) async fn grant<'a>(
        &self,
        provider: &Provider,
        endpoint: &Url,
        client: Option<(ClientAuth, &'a OAuthClient)>,
        form: Vec<(&'a str, &'a str)>,
        sent: &[&Secret],
    ) -> Result<Grant, RefreshError> {
        let answer = self.ask(provider, endpoint, client, form).await?;
        let secret = client.and_then(|(_, client)| client.secret.as_ref());
        reply::read(provider, &answer).map_err(|error| {
            let sent: Vec<&Secret> = sent.iter().copied().chain(secret).collect();
            reply::without(&sent, error, answer.status)
        })
    }

    /// The one request of a grant, and its answer unread.
    pub(super) async fn ask<'a>(
        &self,
        provider: &Provider,
        endpoint: &Url,
        client: Option<(ClientAuth, &'a OAuthClient)>,
        mut form: Vec<(&'a str, &'a str)>,
    ) -> Result<Answer, RefreshError> {
        let request = self.request(provider, Method::POST, endpoint)?;
        let request = match client {
            Some((auth, client)) => client::identify(request, &mut form, auth, client),
            None => request,
        };
        self.send("", request.form(&form)).await
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
        let endpoint = endpoint(provider, spec, login)?;
        let scopes = spec.scopes.join(" ");
        let grant = match login.renewal {
            Renewal::RefreshToken => {
                let form = vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())];
                let client = client::of_login(provider, spec, login)?;
                return self
                    .grant(provider, endpoint, Some((spec.client_auth, &client)), form, &[token])
                    .await;
            }
            Renewal::ClientCredentials => {
                let scope = Some(("scope", scopes.as_str())).filter(|(_, scopes)| !scopes.is_empty());
                let form = [("grant_type", "client_credentials")].into_iter().chain(scope).collect();
                let client = client::of_login(provider, spec, login)?;
                self.grant(provider, endpoint, Some((spec.client_auth, &client)), form, &[token]).await
            }
            Renewal::ServiceAccount => {
                let now = self.clock.now();
                let assertion = service_account::assertion(provider, login, token, endpoint, now)?;
                let form = vec![("grant_type", service_account::GRANT), ("assertion", assertion.expose())];
                self.grant(provider, endpoint, None, form, &[token, &assertion]).await
            }
        };
        grant.map(without_refresh_token).map_err(of_the_client)
    }

    async fn after_grant(
        &self,
        provider: &Provider,
        access: &Secret,
        known: &Facts,
    ) -> Result<Facts, RefreshError> {
        vendor::after_grant(self, provider, access, known).await
    }

    async fn account(&self, provider: &Provider, access: &Secret) -> Result<Option<String>, RefreshError> {
        vendor::userinfo::account(self, provider, access).await
    }

    async fn quota(
        &self,
        provider: &Provider,
        access: &Secret,
        project: Option<&str>,
    ) -> Result<Option<Vec<Allowance>>, RefreshError> {
        vendor::quota::read(self, provider, access, project).await
    }

    fn timeout(&self) -> Duration {
        self.limits.request
    }
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

/// A client's grant: no refresh token belongs to it (RFC 6749, section 4.4.3), and one that came would take the place of
/// the client's secret.
fn without_refresh_token(grant: Grant) -> Grant {
    Grant { refresh: None, ..grant }
}

/// Nobody logged in, so that whatever is refused is the client.
fn of_the_client(error: RefreshError) -> RefreshError {
    match error {
        RefreshError::InvalidGrant { code } => RefreshError::ClientRefused { code },
        RefreshError::ClientRefused { .. }
        | RefreshError::NoClient { .. }
        | RefreshError::NoRefreshToken
        | RefreshError::Transient { .. }
        | RefreshError::Unknown { .. }
        | RefreshError::ForeignEndpoint { .. }
        | RefreshError::Refused { .. } => error,
    }
}

/// The error that names the host of an address where nothing is sent.
pub(super) fn foreign(url: &Url) -> RefreshError {
    RefreshError::ForeignEndpoint { host: url.host_str().unwrap_or("no host").to_owned() }
}
