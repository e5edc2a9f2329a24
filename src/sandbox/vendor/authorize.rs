//! Logins in a browser: the authorisation endpoint and its codes (RFC 6749, section 4.1; RFC 7636; RFC 8252).

use std::net::IpAddr;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use url::{Host, Url};
use uuid::Uuid;

use super::{
    oauth::{Asked, dead, refuse},
    request::Seen,
    rows::{Authorize, Pkce, Tokens},
    state::Provider,
    stream::Answer,
};

/// How long a code lives: ten minutes are the most that RFC 6749 (section 4.1.2) recommends.
const CODE_LIFE: TimeDelta = TimeDelta::minutes(10);

/// Who sits at the browser, and what they say when they are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Browser {
    /// This account is signed in and consents.
    Consents(String),
    /// Somebody says no.
    Denies,
}

/// A `code_challenge` with its method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge(String);

/// A code that was given out.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) account: String,
    client_id: String,
    redirect: String,
    challenge: Option<Challenge>,
    expires_at: DateTime<Utc>,
    /// Whether a refresh token comes with it.
    offline: bool,
    /// The login that was made of it, once it was used.
    pub(super) login: Option<u64>,
}

impl Challenge {
    /// The challenge of a request: S256 alone, and one where the endpoint demands one.
    pub(super) fn of(
        pkce: Pkce,
        challenge: Option<&str>,
        method: Option<&str>,
    ) -> Result<Option<Self>, &'static str> {
        match (challenge, method, pkce) {
            (None, _, Pkce::Optional) => Ok(None),
            (None, _, Pkce::Required) => Err("code_challenge is required"),
            (Some(text), Some("S256"), _) if text.chars().count() == 43 => Ok(Some(Self(text.to_owned()))),
            (Some(_), Some("S256"), _) => Err("code_challenge must have 43 characters"),
            // Without a method it would be `plain`, which proves nothing to somebody who can read the request.
            (Some(_), _, _) => Err("transform algorithm not supported"),
        }
    }

    /// Whether the verifier is the one it was made of (RFC 7636, section 4.6).
    pub(super) fn is_met_by(&self, verifier: Option<&str>) -> bool {
        let unreserved = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        verifier.is_some_and(|verifier| {
            (43..=128).contains(&verifier.chars().count())
                && verifier.chars().all(unreserved)
                && BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == self.0
        })
    }
}

/// Answers the browser: back to the client with a code or an error, or a page where the client cannot be trusted.
pub(super) fn authorize(
    provider: &mut Provider,
    endpoint: Authorize,
    seen: &Seen,
    now: DateTime<Utc>,
) -> Answer {
    // Neither an unknown client nor a strange address is sent anything (RFC 6749, section 4.1.2.1).
    let Some(client_id) = seen.query("client_id").filter(|id| provider.clients.contains_key(*id)) else {
        return Answer::page(401, "Error 401: invalid_client. The OAuth client was not found.");
    };
    let redirect = seen.query(endpoint.redirect_parameter).and_then(|text| text.parse::<Url>().ok());
    let Some(redirect) = redirect.filter(|url| is_redirect(url, endpoint)) else {
        return Answer::page(400, "Error 400: redirect_uri_mismatch");
    };
    let state = seen.query("state");
    let back = |parameters: &[(&str, &str)]| {
        let mut url = redirect.clone();
        url.query_pairs_mut()
            .extend_pairs(parameters.iter().copied().chain(state.map(|state| ("state", state))));
        Answer::redirect(url.as_str())
    };
    let is_iflow = endpoint.redirect_parameter != "redirect_uri";
    if !is_iflow && seen.query("response_type") != Some("code") {
        return back(&[("error", "unsupported_response_type")]);
    }
    let challenge = (seen.query("code_challenge"), seen.query("code_challenge_method"));
    let challenge = match Challenge::of(endpoint.pkce, challenge.0, challenge.1) {
        Ok(challenge) => challenge,
        Err(problem) => return back(&[("error", "invalid_request"), ("error_description", problem)]),
    };
    let account = match provider.browser.clone() {
        Browser::Consents(account) => account,
        Browser::Denies => return back(&[("error", "access_denied")]),
    };
    let consent = (account.clone(), client_id.to_owned());
    let is_new = provider.consents.insert(consent);
    let asks_again =
        seen.query("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "consent"));
    let offline = !endpoint.offline_on_request
        || (seen.query("access_type") == Some("offline") && (is_new || asks_again));
    let prefix = if endpoint.offline_on_request { "4/0FAKE-" } else { "FAKE-code-" };
    let code = format!("{prefix}{}", Uuid::new_v4().simple());
    let entry = Code {
        account,
        client_id: client_id.to_owned(),
        redirect: seen.query(endpoint.redirect_parameter).unwrap_or_default().to_owned(),
        challenge,
        expires_at: now + CODE_LIFE,
        offline,
        login: None,
    };
    provider.codes.insert(code.clone(), entry);
    back(&[("code", &code)])
}

/// Installed programs are sent back to any port of the machine they run on (RFC 8252, section 7.3).
fn is_redirect(url: &Url, endpoint: Authorize) -> bool {
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let is_plain = url.fragment().is_none() && url.username().is_empty();
    (url.scheme() == "http" && is_here && is_plain) || endpoint.shown_at == Some(url.as_str())
}

/// Takes a code in exchange for a login (RFC 6749, section 4.1.3).
pub(super) fn redeem(
    provider: &mut Provider,
    tokens: Tokens,
    seen: &Seen,
    client_id: &str,
    now: DateTime<Utc>,
) -> Result<Asked, Answer> {
    if tokens.authorize.is_none() {
        return Err(refuse(400, "unsupported_grant_type", "Invalid grant_type."));
    }
    let Some(presented) = seen.field("code").filter(|code| !code.is_empty()) else {
        return Err(refuse(400, "invalid_request", "Missing required parameter: code"));
    };
    let Some(code) = provider.codes.get(presented).cloned() else { return Err(dead(provider.row.chat)) };
    // Somebody else has it too: what was made of it ends as well (RFC 6749, section 4.1.2).
    if let Some(login) = code.login {
        provider.revoke_login(login);
        provider.counts.reused += 1;
        return Err(dead(provider.row.chat));
    }
    if code.client_id != client_id || code.expires_at <= now {
        return Err(dead(provider.row.chat));
    }
    if seen.field("redirect_uri") != Some(code.redirect.as_str()) {
        return Err(refuse(400, "redirect_uri_mismatch", "Bad Request"));
    }
    let verifier = seen.field("code_verifier");
    match &code.challenge {
        Some(challenge) if !challenge.is_met_by(verifier) => {
            return Err(refuse(400, "invalid_grant", "Invalid code verifier."));
        }
        // Else somebody who replaces the code could strip the challenge (RFC 9700, section 2.1.1).
        None if verifier.is_some() => {
            return Err(refuse(400, "invalid_grant", "code_verifier or verifier is not needed."));
        }
        Some(_) | None => {}
    }
    let login = provider.new_login();
    if let Some(code) = provider.codes.get_mut(presented) {
        code.login = Some(login);
    }
    let Code { account, offline, .. } = code;
    Ok(Asked { account, client_id: client_id.to_owned(), login, offline })
}
