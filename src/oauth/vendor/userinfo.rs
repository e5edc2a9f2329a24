//! Whose a token is, from the provider's userinfo endpoint (`OpenID` Connect Core, section 5.3; Google's
//! `oauth2/v2/userinfo` answers in the same words).

use reqwest::Method;
use serde_json::Value;

use crate::{
    oauth::{HttpRefresh, RefreshError},
    provider::{AfterGrant, Provider},
    secret::Secret,
};

const STEP: &str = "userinfo: ";

/// Longer than any address or name; what is longer is none.
const LONGEST: usize = 254;

/// The account's e-mail address, else its name; `None` where the row has no such endpoint, or it names nobody.
///
/// iFlow's wants the token in its query and brings a key: that is a step of its own after each grant.
pub(in crate::oauth) async fn account(
    exchange: &HttpRefresh,
    provider: &Provider,
    access: &Secret,
) -> Result<Option<String>, RefreshError> {
    let Some(spec) = provider.oauth() else { return Ok(None) };
    let endpoint = match (spec.after_grant, &spec.userinfo_endpoint) {
        (AfterGrant::IflowApiKey, _) | (_, None) => return Ok(None),
        (
            AfterGrant::Nothing
            | AfterGrant::CodeAssistProject
            | AfterGrant::QwenResourceUrl
            | AfterGrant::VertexProject,
            Some(endpoint),
        ) => endpoint,
    };
    let request = exchange.request(provider, Method::GET, endpoint)?.bearer_auth(access.expose());
    let answer = exchange.send(STEP, request).await?;
    if let Some(later) = answer.later(STEP) {
        return Err(later);
    }
    let unknown = |problem: String| RefreshError::Unknown { problem: format!("{STEP}{problem}") };
    let status = answer.status;
    if !answer.is_success() {
        return Err(unknown(format!("HTTP {status}")));
    }
    let reply = answer.object().ok_or_else(|| unknown(format!("HTTP {status}, not JSON")))?;
    let field = |name: &str| reply.get(name).and_then(Value::as_str).map(str::trim).filter(|it| is_name(it));
    Ok(field("email").or_else(|| field("preferred_username")).or_else(|| field("name")).map(str::to_owned))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}
