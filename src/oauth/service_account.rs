//! A service account's assertion (RFC 7523, section 2.1): a JWT signed with the key of its file.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::RefreshError;
use crate::{
    credential::OAuthLogin,
    provider::{Provider, ProviderId},
    secret::Secret,
};

/// The grant's name (RFC 7523, section 8.1).
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long an assertion is good for, in seconds: what Google takes at most. It is sent once, at once.
const LIFE_SECS: i64 = 3600;

/// An assertion for this token endpoint.
pub(super) fn assertion(
    provider: &Provider,
    login: &OAuthLogin,
    key: &Secret,
    endpoint: &Url,
    now: DateTime<Utc>,
) -> Result<Secret, RefreshError> {
    let account = login.client.as_ref().map_or("", |client| &client.id);
    let scopes = provider.oauth().map(|spec| spec.scopes.join(" ")).unwrap_or_default();
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let (Value::Object(header), Some(id)) = (&mut header, &login.key_id) {
        header.insert("kid".to_owned(), json!(id));
    }
    let issued_at = now.timestamp();
    let claims = json!({
        "iss": account,
        "scope": scopes,
        "aud": endpoint.as_str(),
        "iat": issued_at,
        "exp": issued_at + LIFE_SECS,
    });
    let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = sign(key, message.as_bytes()).ok_or_else(|| unreadable(&provider.id))?;
    Ok(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3); `None` when the key is none that can do so.
fn sign(key: &Secret, message: &[u8]) -> Option<Vec<u8>> {
    let lines = key.expose().lines().map(str::trim);
    let body = Zeroizing::new(lines.filter(|line| !line.starts_with("-----")).collect::<String>());
    let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
    let pair = RsaKeyPair::from_pkcs8(&der).ok()?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
    Some(signature)
}

fn unreadable(provider: &ProviderId) -> RefreshError {
    tracing::debug!(%provider, "A service account's private key is no RSA key of 2048 to 4096 bits in PKCS #8");
    RefreshError::ClientRefused { code: "unreadable_key".to_owned() }
}
