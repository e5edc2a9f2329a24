//! Who asks a token endpoint, and how it shows that (RFC 6749, section 2.3).

use reqwest::RequestBuilder;

use super::RefreshError;
use crate::{
    credential::OAuthLogin,
    provider::{ClientAuth, OAuthClient, OAuthSpec, Provider},
    secret::Secret,
};

/// The client to identify as: the one inside the file, since a token works only with its own; else the configured one.
pub(super) fn of_login(
    provider: &Provider,
    spec: &OAuthSpec,
    login: &OAuthLogin,
) -> Result<OAuthClient, RefreshError> {
    let Some(mut client) = login.client.clone() else { return configured(provider, spec) };
    let has_secret = client.secret.as_ref().is_some_and(|secret| !secret.is_blank());
    if has_secret {
        return Ok(client);
    }
    // A file that names the configured client without repeating its secret.
    client.secret = spec.client_secret.clone().filter(|_| spec.client_id.as_ref() == Some(&client.id));
    if client.secret.is_some() || !demands_secret(spec.client_auth) {
        return Ok(client);
    }
    let prefix = provider.id.variable_prefix();
    let variables =
        format!("{prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET to the client that the file names");
    Err(RefreshError::NoClient { variables })
}

/// The client to log in with: that of the provider's row and the operator's variables.
///
/// # Errors
/// [`RefreshError::NoClient`] with the variables to set.
pub fn client_of(provider: &Provider) -> Result<OAuthClient, RefreshError> {
    let spec = provider.oauth().ok_or(RefreshError::NoRefreshToken)?;
    configured(provider, spec)
}

/// The client of the provider's row and the operator's variables.
pub(super) fn configured(provider: &Provider, spec: &OAuthSpec) -> Result<OAuthClient, RefreshError> {
    spec.client().ok_or_else(|| {
        let prefix = provider.id.variable_prefix();
        let id = spec.client_id.is_none().then(|| format!("{prefix}_CLIENT_ID"));
        let wants_secret = demands_secret(spec.client_auth) && spec.client_secret.is_none();
        let secret = wants_secret.then(|| format!("{prefix}_CLIENT_SECRET"));
        let variables = id.into_iter().chain(secret).collect::<Vec<_>>().join(" and ");
        RefreshError::NoClient { variables }
    })
}

fn demands_secret(auth: ClientAuth) -> bool {
    match auth {
        ClientAuth::Public | ClientAuth::BasicOrPublic => false,
        ClientAuth::Form | ClientAuth::BasicAndForm | ClientAuth::Basic => true,
    }
}

/// Puts the client into the form or the header, as the row says that this endpoint wants it.
pub(super) fn identify<'a>(
    request: RequestBuilder,
    form: &mut Vec<(&'a str, &'a str)>,
    auth: ClientAuth,
    client: &'a OAuthClient,
) -> RequestBuilder {
    let id = ("client_id", client.id.as_str());
    let Some(secret) = client.secret.as_ref().map(Secret::expose) else {
        form.push(id);
        return request;
    };
    match auth {
        // A secret that somebody configured for a public client is not sent.
        ClientAuth::Public => form.push(id),
        ClientAuth::Form => form.extend([id, ("client_secret", secret)]),
        ClientAuth::BasicAndForm => {
            form.extend([id, ("client_secret", secret)]);
            return request.basic_auth(&client.id, Some(secret));
        }
        // Form-encoded before they are joined (RFC 6749, section 2.3.1).
        ClientAuth::Basic | ClientAuth::BasicOrPublic => {
            return request.basic_auth(form_encoded(&client.id), Some(form_encoded(secret)));
        }
    }
    request
}

/// A text as a form has it.
fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
