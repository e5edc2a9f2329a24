//! `cortana hf`: searches Hugging Face's hub for GGUF models, and fetches their files.
//!
//! A build without the feature `hub` has the command too, and says how to get one with it.

#[cfg(feature = "hub")]
mod pull;
#[cfg(feature = "hub")]
mod search;

use super::{arguments::HfCommand, failure::Failure};
use crate::config::Settings;
#[cfg(feature = "hub")]
use crate::hub::{Hub, HubError};

#[cfg(feature = "hub")]
pub(super) async fn run(settings: &Settings, command: &HfCommand) -> Result<(), Failure> {
    super::one_shot::quiet_logs(settings);
    let hub = Hub::new(&settings.hub, &settings.http).map_err(failed)?;
    match command {
        HfCommand::Search(options) => search::search(&hub, options).await,
        HfCommand::Pull(options) => pull::pull(&hub, options).await,
    }
}

#[cfg(not(feature = "hub"))]
#[expect(clippy::unused_async, reason = "as in a build with the hub")]
pub(super) async fn run(_: &Settings, _: &HfCommand) -> Result<(), Failure> {
    Err(Failure::Usage(
        "this build has no client for Hugging Face's hub; build it with `cargo build --release --features hub`, or \
         `cargo install --path . --features hub`"
            .to_owned(),
    ))
}

#[cfg(feature = "hub")]
fn failed(error: HubError) -> Failure {
    match error {
        HubError::NoName { .. } => Failure::Usage(error.to_string()),
        HubError::Gated { .. }
        | HubError::NotFound { .. }
        | HubError::TokenRefused
        | HubError::UnknownFile { .. }
        | HubError::NoRoom { .. }
        | HubError::OtherContent { .. }
        | HubError::InUse { .. }
        | HubError::WrongContent { .. }
        | HubError::Busy { .. }
        | HubError::Unreachable { .. }
        | HubError::Faulty { .. }
        | HubError::Malformed { .. }
        | HubError::Disk { .. } => Failure::Failed(anyhow::Error::new(error)),
    }
}
