//! Giving a login back (RFC 7009).

use reqwest::Method;

use super::{HttpRefresh, RefreshError, client, reply};
use crate::{
    credential::{OAuthLogin, Renewal},
    provider::Provider,
};

const STEP: &str = "revocation: ";

/// What became of a login at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It ended now.
    Now,
    /// The provider knew of no such login any more.
    Before,
    /// The provider has no endpoint for it: it ends by itself, or on the account's page.
    NotOffered,
}

impl HttpRefresh {
    /// Gives a login's refresh token back, or its access token where it has none. With a refresh token everything ends that
    /// was made of it (RFC 7009, section 2.1).
    ///
    /// # Errors
    /// When the endpoint does not answer, or refuses for another reason than that the token is dead.
    pub async fn revoke(&self, provider: &Provider, login: &OAuthLogin) -> Result<Revoked, RefreshError> {
        // What such a login renews itself with is a client's secret or a private key, which no provider is to be sent.
        if login.renewal != Renewal::RefreshToken {
            return Ok(Revoked::NotOffered);
        }
        let Some(spec) = provider.oauth() else { return Ok(Revoked::NotOffered) };
        let Some(endpoint) = &spec.revoke_endpoint else { return Ok(Revoked::NotOffered) };
        let (token, hint) = match (&login.tokens.refresh, &login.tokens.access) {
            (Some(refresh), _) if !refresh.is_blank() => (refresh, "refresh_token"),
            (_, Some(access)) => (access, "access_token"),
            (_, None) => return Ok(Revoked::Before),
        };
        // Without a client the token goes alone: many take it, and who does not says so.
        let client = client::of_login(provider, spec, login).ok();
        let mut form = vec![("token", token.expose()), ("token_type_hint", hint)];
        let request = self.request(provider, Method::POST, endpoint)?;
        let request = match &client {
            Some(client) => client::identify(request, &mut form, spec.client_auth, client),
            None => request,
        };
        let answer = self.send(STEP, request.form(&form)).await?;
        if answer.is_success() {
            return Ok(Revoked::Now);
        }
        if let Some(later) = answer.later(STEP) {
            return Err(later);
        }
        let code = answer.object().and_then(|object| reply::code_word(object.get("error")?));
        match code.as_deref() {
            // Google says so of a token that is dead; the standard wants a success there.
            Some("invalid_token" | "invalid_grant") => Ok(Revoked::Before),
            Some(code @ ("invalid_client" | "unauthorized_client")) => {
                Err(RefreshError::ClientRefused { code: code.to_owned() })
            }
            code => {
                let code = code.map_or_else(String::new, |code| format!(" {code}"));
                let problem = format!("{STEP}HTTP {}{code}", answer.status);
                let sent: Vec<_> =
                    client.iter().filter_map(|client| client.secret.as_ref()).chain([token]).collect();
                Err(reply::without(&sent, RefreshError::Unknown { problem }, answer.status))
            }
        }
    }
}
