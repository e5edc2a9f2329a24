//! `cortana token`: a valid access token on standard output, and nothing else.

use std::time::Duration;

use super::{arguments::TokenOptions, failure::Failure, one_shot, output::print, select::select};
use crate::{clock, config::Settings, pool::LeaseError};

/// How long a refresh may be waited for: the token request's own limit, and a waiter's 5 s beyond it (P2).
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(settings: &Settings, options: &TokenOptions) -> Result<(), Failure> {
    let which = &options.which;
    let token = one_shot::with_pool(settings, async |pool| {
        let selector = select(settings, &pool.snapshot(), which)?;
        pool.access_token(&selector, clock::instant() + PATIENCE).await.map_err(|error| told(which, &error))
    })
    .await?;
    // The one place where a secret goes to standard output: it was asked for.
    print(token.token.expose())
}

fn told(which: &str, error: &LeaseError) -> Failure {
    let next = match error {
        LeaseError::NothingConfigured => "see docs/configuration.md",
        LeaseError::AllTried | LeaseError::Resting { .. } => "try again later, or see `cortana status`",
        LeaseError::NeedsOperator { .. } => "see `cortana status` or `cortana doctor`",
        LeaseError::Stale { .. } => "see `cortana refresh` for the cause",
    };
    Failure::Failed(anyhow::anyhow!("no access token for {which}: {error}; {next}"))
}
