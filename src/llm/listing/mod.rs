//! Which models a provider says that it has: asked for with a leased credential, kept, and joined with the rows.

mod background;
mod lists;
mod reading;
mod shelf;

use std::path::Path;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::time::Instant;

pub(super) use lists::Lists;
pub use lists::Origin;
pub(super) use shelf::Shelf;

use super::{
    Llm, LlmParts,
    classify::{self, ErrorAnswer},
    transport,
    wire::Call,
};
use crate::{
    credential::CredentialId,
    http::HttpError,
    pool::{Lease, LeaseError, Outcome, State, Want},
    provider::{Envelope, Model, Provider, ProviderId, Wire},
    telemetry::metrics,
};

/// The folder of the lists in `STATE_DIR`.
const FOLDER: &str = "models";

/// Why there is no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// There is no such provider.
    #[error("there is no such provider")]
    NoProvider,
    /// What it lists is not what can be asked.
    #[error("a provider of this kind lists no models that can be asked")]
    NotListed,
    /// No credential could be had.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Not in time.
    #[error("no answer in time")]
    TimedOut,
    /// Refused, with a code as chats have it; never the provider's prose.
    #[error("refused ({0})")]
    Refused(String),
    /// The answer is no list.
    #[error("the answer is no list of models")]
    Malformed,
}

impl Llm {
    /// The chat models that a provider lists, asked with one of its credentials, one that is ready where there is one. What
    /// it says about that credential is not held against it: only chats are.
    ///
    /// # Errors
    /// When nobody can be asked until then, or the answer is no list.
    pub async fn models_of(&self, provider: &ProviderId, until: Instant) -> Result<Vec<Model>, ListError> {
        let parts = self.parts();
        let row = parts.providers.get(provider).ok_or(ListError::NoProvider)?;
        if !is_listed(row) {
            return Err(ListError::NotListed);
        }
        // After a failure another one is asked: the first may be the only one that hears nothing.
        let ready = ready(&parts, provider);
        let failures = self.look(|state| state.lists.failures(row));
        let turn = usize::try_from(failures).ok().and_then(|failures| failures.checked_rem(ready.len()));
        let only = turn.and_then(|turn| ready.get(turn).cloned());
        let want = Want { only, ..Want::new(provider.clone(), &row.default_model, until) };
        let lease = parts.pool.lease(&want).await?;
        let call = call(row, &lease);
        let asked = transport::fetch(&parts.http, parts.clock.as_ref(), row, &lease, &call);
        let answer = tokio::time::timeout_at(until, asked).await;
        let read = match answer {
            Err(_) => Err(ListError::TimedOut),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok((status, headers, body))) if (200..300).contains(&status) => {
                reading::read(&body).ok_or_else(|| refusal_or_malformed(status, &headers, &body, row, &parts))
            }
            Ok(Ok((status, headers, body))) => Err(refused(status, &headers, &body, row, &parts)),
        };
        lease.complete(Outcome::Neutral);
        let outcome = if read.is_ok() { "listed" } else { "failed" };
        parts.metrics.count(&metrics::LISTS, [provider.as_str(), outcome]);
        read
    }

    /// The same, and keeps what came of it: the list counts from now on, or nobody asks again for a while. How many models
    /// it has.
    ///
    /// # Errors
    /// As [`Llm::models_of`].
    pub async fn refresh_list(&self, provider: &ProviderId, until: Instant) -> Result<usize, ListError> {
        let read = self.models_of(provider, until).await;
        let now = self.parts().clock.now();
        let (count, models) = match read {
            Ok(models) => (Ok(models.len()), Some(models)),
            Err(error @ (ListError::NoProvider | ListError::NotListed)) => return Err(error),
            Err(error) => (Err(error), None),
        };
        let noted = self.change(|state| {
            let row = state.lists.configured.get(provider)?.clone();
            let list = state.lists.note(&row, models, now, rand::random_range(0.0..1.0));
            Some((list, state.shelf.clone()?))
        });
        if let Some((list, shelf)) = noted {
            shelf.keep(provider, &list).await;
        }
        count
    }

    /// Takes up the lists that are kept in the state folder, and keeps there what is read from now on.
    pub async fn load_lists(&self, state_dir: &Path) {
        let place = Shelf::new(state_dir.join(FOLDER));
        let ids: Vec<ProviderId> = self.providers().iter().map(|row| row.id.clone()).collect();
        let mut kept = Vec::new();
        for id in ids {
            kept.extend(place.read(&id).await.map(|list| (id, list)));
        }
        self.change(|state| {
            state.shelf = Some(place);
            for (id, list) in kept {
                state.lists.adopt(&id, list);
            }
        });
    }

    /// Asks for the lists of providers that have a credential ready: once, and then once a day, until the end.
    pub fn list_in_background(&self) {
        let (llm, life) = (self.clone(), self.parts().shutdown.clone());
        let ending = life.clone();
        life.keep("lists of models", move || background::run(llm.clone(), ending.clone()));
    }

    /// Where a model of a provider's row comes from.
    pub fn origin_of(&self, row: &Provider, model: &str) -> Origin {
        self.look(|state| state.lists.origin(row, model))
    }
}

/// The credentials of a provider that can be lent without waiting.
fn ready(parts: &LlmParts, provider: &ProviderId) -> Vec<CredentialId> {
    let views = parts.pool.snapshot().credentials.into_iter();
    let ready = views.filter(|view| match view.state {
        State::Ready | State::Early => true,
        State::Refreshing
        | State::Expired
        | State::Cooling
        | State::NeedsLogin
        | State::Refused
        | State::Disabled
        | State::Unusable => false,
    });
    ready.filter(|view| view.provider.as_ref() == Some(provider)).map(|view| view.id).collect()
}

/// Whether a provider can be asked for its models. Azure and Vertex AI list what there is in the world, not the
/// deployments and the models of the operator's own.
fn is_listed(row: &Provider) -> bool {
    row.quirks.azure_api_version.is_none() && row.quirks.vertex_location.is_none()
}

/// How a provider is asked for its models.
fn call(row: &Provider, lease: &Lease) -> Call {
    let project = || row.project_of(lease.facts.project_id.as_deref());
    let (suffix, body) = match (row.wire, row.quirks.envelope) {
        (Wire::OpenaiChat, _) => ("/models", Value::Null),
        (Wire::Gemini, _) => ("/models?pageSize=1000", Value::Null),
        (Wire::AnthropicMessages, _) => ("/models?limit=1000", Value::Null),
        (Wire::CodeAssist, Envelope::Antigravity) => {
            (":fetchAvailableModels", json!({ "project": project() }))
        }
        // Gemini CLI has no list; what is left of an account's quota names the models that it may ask.
        (Wire::CodeAssist, Envelope::GeminiCli) => (":retrieveUserQuota", json!({ "project": project() })),
    };
    Call { suffix: suffix.into(), body }
}

fn refused(status: u16, headers: &HeaderMap, body: &Value, row: &Provider, parts: &LlmParts) -> ListError {
    let fault = classify::classify(row, ErrorAnswer { status, headers, body }, parts.clock.now());
    ListError::Refused(fault.code)
}

/// An error under a good status, or something else altogether.
fn refusal_or_malformed(
    status: u16,
    headers: &HeaderMap,
    body: &Value,
    row: &Provider,
    parts: &LlmParts,
) -> ListError {
    let is_error = ["error", "msg"].iter().any(|key| body.get(key).is_some());
    if is_error { refused(status, headers, body, row, parts) } else { ListError::Malformed }
}
