//! What each vendor wants done between a grant and the first chat.

mod code_assist_refusal;
mod google;
mod iflow;
pub(super) mod quota;
pub(super) mod qwen;
pub(super) mod userinfo;

use super::{HttpRefresh, RefreshError};
use crate::{
    credential::Facts,
    provider::{AfterGrant, Provider},
    secret::Secret,
};

/// Runs the step of the provider's row. Returns what is new; fields that are `None` change nothing.
pub(super) async fn after_grant(
    exchange: &HttpRefresh,
    provider: &Provider,
    access: &Secret,
    known: &Facts,
) -> Result<Facts, RefreshError> {
    let Some(spec) = provider.oauth() else { return Ok(Facts::default()) };
    match spec.after_grant {
        // Qwen's address comes with the grant itself.
        AfterGrant::Nothing | AfterGrant::QwenResourceUrl => Ok(Facts::default()),
        AfterGrant::CodeAssistProject => google::project(exchange, provider, access, known).await,
        AfterGrant::VertexProject => needs_project(provider, known),
        AfterGrant::IflowApiKey => iflow::api_key(exchange, provider, spec, access).await,
    }
}

/// Nothing to find out: a credential without a project is held until somebody names one.
fn needs_project(provider: &Provider, known: &Facts) -> Result<Facts, RefreshError> {
    if provider.project_of(known.project_id.as_deref()).is_some() {
        return Ok(Facts::default());
    }
    let prefix = provider.id.variable_prefix();
    let reason = format!("NO_PROJECT; set {prefix}_PROJECT to the id of the project to bill");
    Err(RefreshError::Refused { reason, link: None })
}
