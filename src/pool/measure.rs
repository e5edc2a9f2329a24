//! What the pool measures as it goes; what stands still is read from a snapshot at each scrape.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Inner, Outcome, RefreshCause, refresher::Ended};
use crate::{
    credential::{Facts, OAuthLogin},
    oauth::{Allowance, Grant, Refresh, RefreshError},
    provider::{Provider, ProviderId},
    secret::Secret,
    telemetry::metrics::{self, Metrics},
};

/// The exchange, with its requests counted.
pub(super) struct Counted {
    refresh: Arc<dyn Refresh>,
    metrics: Metrics,
}

impl Counted {
    /// Counts the requests of an exchange.
    pub(super) fn new(refresh: Arc<dyn Refresh>, metrics: Metrics) -> Self {
        Self { refresh, metrics }
    }
}

#[async_trait]
impl Refresh for Counted {
    async fn refresh(&self, provider: &Provider, login: &OAuthLogin) -> Result<Grant, RefreshError> {
        let result = self.refresh.refresh(provider, login).await;
        let outcome = match &result {
            Ok(_) => Some("granted"),
            Err(error) => answer(error),
        };
        if let Some(outcome) = outcome {
            self.metrics.count(&metrics::TOKEN_REQUESTS, [provider.id.as_str(), outcome]);
        }
        result
    }

    async fn after_grant(
        &self,
        provider: &Provider,
        access: &Secret,
        known: &Facts,
    ) -> Result<Facts, RefreshError> {
        self.refresh.after_grant(provider, access, known).await
    }

    async fn account(&self, provider: &Provider, access: &Secret) -> Result<Option<String>, RefreshError> {
        self.refresh.account(provider, access).await
    }

    async fn quota(
        &self,
        provider: &Provider,
        access: &Secret,
        project: Option<&str>,
    ) -> Result<Option<Vec<Allowance>>, RefreshError> {
        self.refresh.quota(provider, access, project).await
    }

    fn timeout(&self) -> Duration {
        self.refresh.timeout()
    }
}

/// What a token endpoint answered, in a word; `None` where nothing was sent.
fn answer(error: &RefreshError) -> Option<&'static str> {
    match error {
        RefreshError::InvalidGrant { .. } => Some("invalid_grant"),
        RefreshError::ClientRefused { .. } => Some("client_refused"),
        RefreshError::Transient { .. } => Some("unavailable"),
        RefreshError::Unknown { .. } => Some("not_understood"),
        RefreshError::Refused { .. } => Some("account_refused"),
        RefreshError::NoClient { .. }
        | RefreshError::NoRefreshToken
        | RefreshError::ForeignEndpoint { .. } => None,
    }
}

impl Ended {
    /// How a refresh ended, in a word.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Adopted => "adopted",
            Self::Nothing => "not_needed",
            Self::RefusedBefore(_) => "refused_before",
            Self::Waiting { .. } => "held_back",
            Self::Failed { error, .. } => match error {
                RefreshError::NoClient { .. } => "no_client",
                RefreshError::NoRefreshToken => "no_refresh_token",
                RefreshError::ForeignEndpoint { .. } => "foreign_endpoint",
                RefreshError::InvalidGrant { .. }
                | RefreshError::ClientRefused { .. }
                | RefreshError::Transient { .. }
                | RefreshError::Unknown { .. }
                | RefreshError::Refused { .. } => answer(error).unwrap_or("failed"),
            },
            Self::Hopeless => "hopeless",
            Self::Store(_) => "file",
            Self::Gone => "gone",
        }
    }
}

impl Inner {
    /// A refresh ended.
    pub(super) fn measure_refresh(
        &self,
        provider: &ProviderId,
        cause: RefreshCause,
        ended: &Ended,
        begun_at: Instant,
    ) {
        let (metrics, outcome) = (&self.parts.metrics, ended.outcome());
        metrics.count(&metrics::REFRESHES, [provider.as_str(), cause.name(), outcome]);
        metrics.observe(&metrics::REFRESH_SECONDS, [outcome], begun_at.elapsed());
    }
}

/// Why a rest begins with an outcome, in a word; `None` where none does.
pub(super) fn reason_to_rest(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Success | Outcome::Neutral | Outcome::Refused { .. } => None,
        Outcome::ModelCooling { .. } => Some("model_quota"),
        Outcome::CredentialCooling { .. } => Some("credential_quota"),
        Outcome::ModelUnavailable { .. } => Some("model_unavailable"),
        Outcome::ProviderFault { .. } => Some("provider_fault"),
        Outcome::Unauthorized => Some("unauthorized"),
    }
}
