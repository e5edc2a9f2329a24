//! Chats with models: one request in, a stream of events out, failing over between credentials and providers.

mod attempt;
mod catalog;
pub mod classify;
mod error;
mod event;
mod failover;
mod floor;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod image;
mod listing;
mod request;
mod tally;
mod transport;
pub mod wire;

use std::sync::{Arc, PoisonError, RwLock};

use futures::stream::BoxStream;

pub use error::{ChatFailure, FailureClass};
pub use event::{ChatEvent, Finish, Notice, Usage};
pub use image::{Image, ImageFormat, Unseen};
pub use listing::ListError;
pub use request::{ChatRequest, Message, Role};

use self::floor::Floors;
use crate::{
    clock::Clock,
    config::ChatSettings,
    http::Http,
    pool::Pool,
    provider::{Catalog, ModelRef},
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};

/// What chats are run with.
#[derive(Clone)]
pub struct LlmParts {
    /// Models, order, time limits.
    pub settings: ChatSettings,
    /// The providers.
    pub providers: Arc<Catalog>,
    /// The credentials.
    pub pool: Pool,
    /// The client for chats.
    pub http: Http,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
    /// The life of its tasks.
    pub shutdown: Shutdown,
}

/// The events of one answer. Dropping it drops the upstream request.
pub type ChatStream = BoxStream<'static, Result<ChatEvent, ChatFailure>>;

/// Chats with whatever credential works. Cheap to clone.
#[derive(Clone)]
pub struct Llm {
    /// As they are now; a chat keeps those that it began with.
    parts: Arc<RwLock<Arc<LlmParts>>>,
    floors: Arc<Floors>,
}

impl Llm {
    /// Builds it.
    pub fn new(parts: LlmParts) -> Self {
        Self { parts: Arc::new(RwLock::new(Arc::new(parts))), floors: Arc::default() }
    }

    /// Runs chats with other settings from now on; those under way go on as they began.
    pub fn configure(&self, settings: ChatSettings, providers: Arc<Catalog>) {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        *parts = Arc::new(LlmParts { settings, providers, ..LlmParts::clone(&parts) });
        self.floors.lift();
    }

    /// Runs one chat. The stream ends after [`ChatEvent::Finished`] or after one failure.
    pub fn chat(&self, request: ChatRequest) -> ChatStream {
        failover::stream(self.parts(), Arc::clone(&self.floors), request)
    }

    /// The tokens that a model reads at most, question and history together; `None`: neither its row nor its provider's
    /// list says so.
    pub fn context_of(&self, model: &ModelRef) -> Option<u32> {
        self.parts().providers.get(&model.provider)?.model(&model.model)?.context
    }

    fn parts(&self) -> Arc<LlmParts> {
        Arc::clone(&self.parts.read().unwrap_or_else(PoisonError::into_inner))
    }
}
