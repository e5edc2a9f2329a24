//! What each vendor wants done between a grant and the first chat.

mod code_assist_refusal;
mod google;
mod iflow;
pub(super) mod qwen;

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
        AfterGrant::IflowApiKey => iflow::api_key(exchange, provider, spec, access).await,
    }
}
