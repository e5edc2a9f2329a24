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
mod tool;
mod transport;
pub mod wire;

use std::sync::{Arc, PoisonError, RwLock};

use futures::stream::BoxStream;

pub use error::{ChatFailure, FailureClass};
pub use event::{ChatEvent, Finish, Notice, Usage};
pub use image::{Image, ImageFormat, Unseen};
pub use listing::{ListError, Origin};
pub use request::{ChatRequest, Message, Role};
pub use tool::{Tool, ToolCall, ToolResult};

use self::{
    floor::Floors,
    listing::{Lists, Shelf},
};
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
    state: Arc<RwLock<State>>,
    floors: Arc<Floors>,
}

struct State {
    /// As they are now, the rows with what lists add; a chat keeps those that it began with.
    parts: Arc<LlmParts>,
    /// What providers list.
    lists: Lists,
    /// Where lists are kept; `None`: nowhere.
    shelf: Option<Shelf>,
}

impl Llm {
    /// Builds it.
    pub fn new(parts: LlmParts) -> Self {
        let lists = Lists::new(Arc::clone(&parts.providers));
        let state = State { parts: Arc::new(parts), lists, shelf: None };
        Self { state: Arc::new(RwLock::new(state)), floors: Arc::default() }
    }

    /// Runs chats with other settings from now on; those under way go on as they began.
    pub fn configure(&self, settings: ChatSettings, providers: Arc<Catalog>) {
        self.change(|state| {
            state.lists.configured = Arc::clone(&providers);
            state.parts = Arc::new(LlmParts { settings, providers, ..LlmParts::clone(&state.parts) });
        });
        self.floors.lift();
    }

    /// The providers, their rows with what their lists add.
    pub fn providers(&self) -> Arc<Catalog> {
        Arc::clone(&self.parts().providers)
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
        self.look(|state| Arc::clone(&state.parts))
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes what the rows are joined from, and joins them anew.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let providers = state.lists.joined();
        if !Arc::ptr_eq(&providers, &state.parts.providers) {
            state.parts = Arc::new(LlmParts { providers, ..LlmParts::clone(&state.parts) });
        }
        result
    }
}
