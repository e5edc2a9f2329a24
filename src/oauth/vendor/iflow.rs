//! iFlow: chats are authorised by an API key that is asked for with the access token after every grant.

use reqwest::Method;
use serde_json::Value;

use crate::{
    credential::Facts,
    oauth::{HttpRefresh, RefreshError, reply::code_word},
    provider::{OAuthSpec, Provider},
    secret::Secret,
};

const STEP: &str = "getUserInfo: ";

/// `GET {userinfo}?accessToken=…` → `{success, data: {apiKey, email, phone}}`. An empty key is a failure.
///
/// The vendor wants the token in the query. No error here carries the address: `http` drops it.
pub(super) async fn api_key(
    exchange: &HttpRefresh,
    provider: &Provider,
    spec: &OAuthSpec,
    access: &Secret,
) -> Result<Facts, RefreshError> {
    let unknown = |problem: String| RefreshError::Unknown { problem: format!("{STEP}{problem}") };
    let endpoint = spec
        .userinfo_endpoint
        .as_ref()
        .ok_or_else(|| unknown("the provider's row names no endpoint".to_owned()))?;
    let request =
        exchange.request(provider, Method::GET, endpoint)?.query(&[("accessToken", access.expose())]);
    let answer = exchange.send(STEP, request).await?;
    if let Some(later) = answer.later(STEP) {
        return Err(later);
    }
    let status = answer.status;
    let reply = answer.object().ok_or_else(|| unknown(format!("HTTP {status}, not JSON")))?;
    if !answer.is_success() || reply.get("success") == Some(&Value::Bool(false)) {
        let code = reply.get("code").or_else(|| reply.get("error")).and_then(code_word);
        return Err(unknown(match code {
            Some(code) => format!("HTTP {status} {code}"),
            None => format!("HTTP {status}, refused"),
        }));
    }
    let data = reply.get("data").and_then(Value::as_object).unwrap_or(&reply);
    let field =
        |name: &str| data.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let key = field("apiKey").ok_or_else(|| unknown("no API key in the reply".to_owned()))?;
    let account = field("email").or_else(|| field("phone")).map(str::to_owned);
    Ok(Facts { api_key: Some(Secret::new(key)), account, ..Facts::default() })
}
