//! A bot without Discord, configured as an operator would, that is asked and answers.

use std::{path::Path, sync::Arc, time::Duration};

use cortana::{
    app::build_pool,
    clock::{self, SystemClock},
    config::{MapSource, Settings, load},
    http::{Http, Reach},
    llm::{ChatEvent, ChatRequest, Llm, LlmParts, Message, Role},
    pool::{Background, Pool, Snapshot},
    provider::ModelRef,
    sandbox::vendor::Vendors,
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};
use futures::StreamExt;
use serde_json::Value;

use super::vendors::Served;

/// A bot without Discord over one credentials folder.
pub(crate) struct Bot {
    llm: Llm,
    pool: Pool,
    shutdown: Shutdown,
    folder: Arc<tempfile::TempDir>,
}

impl Drop for Bot {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl Bot {
    /// Configured as an operator would, with `overrides` beside the endpoints; nothing beyond this machine is reachable.
    pub(crate) async fn start(served: &Served, files: &[(&str, Value)], without: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let credentials = folder.path().join("credentials");
        std::fs::create_dir(&credentials).expect("a folder");
        for (name, content) in files {
            put(&credentials.join(name), content);
        }
        let mut source = MapSource::new()
            .with("CREDENTIALS_DIR", credentials.to_string_lossy())
            .with("STATE_DIR", folder.path().join("state").to_string_lossy())
            .with("ACCEPT_PROVIDER_TERMS", "gemini_cli,antigravity");
        for (id, endpoints) in Vendors::endpoints(&served.origin) {
            let prefix = id.to_uppercase();
            if let Some(endpoint) = endpoints.token_endpoint {
                source.set(format!("{prefix}_TOKEN_ENDPOINT"), endpoint);
            }
            source.set(format!("{prefix}_API_BASE"), endpoints.api_base);
            if let Some((_, Some(secret))) = Vendors::client(&id) {
                source.set(format!("{prefix}_CLIENT_SECRET"), secret);
            }
        }
        source.set(without, "");
        Self::configured(source, folder).await
    }

    /// Configured by these variables alone; `folder` is its world.
    pub(crate) async fn configured(source: MapSource, folder: Arc<tempfile::TempDir>) -> Self {
        let mut settings: Settings = load(&source).expect("a good configuration");
        settings.http.reach = Reach::LoopbackOnly;
        let shutdown = Shutdown::new();
        let pool =
            build_pool(&settings, Background::Off, &Metrics::default(), &shutdown).await.expect("a pool");
        let llm = Llm::new(LlmParts {
            settings: settings.chat.clone(),
            providers: Arc::clone(&settings.providers),
            pool: pool.clone(),
            http: Http::new(&settings.http).expect("a client"),
            clock: Arc::new(SystemClock),
            metrics: Metrics::default(),
            shutdown: shutdown.clone(),
        });
        Self { llm, pool, shutdown, folder }
    }

    /// Asks a model and waits for the whole answer.
    pub(crate) async fn ask(&self, model: &str) -> Result<String, String> {
        let request = ChatRequest {
            id: "0badcafe".to_owned(),
            model: Some(model.parse::<ModelRef>().expect("a model")),
            system: "Be kind.".to_owned(),
            messages: vec![Message::new(Role::User, "hello")],
            tools: Vec::new(),
            conversation: "channel-1".to_owned(),
            received_at: clock::instant(),
        };
        let mut events = self.llm.chat(request);
        let mut text = String::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(ChatEvent::Text(piece)) => text.push_str(&piece),
                Ok(ChatEvent::Notice(_) | ChatEvent::Reasoning | ChatEvent::Call(_)) => {}
                Ok(ChatEvent::Finished { .. }) => return Ok(text),
                Err(failure) => return Err(format!("{failure:?}")),
            }
        }
        Err("the stream ended without an end".to_owned())
    }

    /// The models.
    pub(crate) fn llm(&self) -> &Llm {
        &self.llm
    }

    /// The pool, as status shows it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.pool.snapshot()
    }

    /// What a file of the state folder's `tokens` holds, by name, once everything under way has ended.
    pub(crate) async fn kept(&self) -> Vec<(String, String)> {
        assert!(self.shutdown.drain(Duration::from_secs(10)).await, "the refresh ends");
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("state/tokens")) else {
            return Vec::new();
        };
        let read = |path: std::path::PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("text"))
        };
        entries.flatten().map(|entry| read(entry.path())).collect()
    }

    /// What a file holds once everything under way has ended: facts are saved beside the chat, not before it.
    pub(crate) async fn file(&self, name: &str) -> String {
        assert!(self.shutdown.drain(Duration::from_secs(10)).await, "the refresh ends");
        std::fs::read_to_string(self.folder.path().join("credentials").join(name)).expect("the file")
    }
}

#[expect(clippy::disallowed_methods, reason = "the vendor's own program writes this file, not the bot")]
pub(crate) fn put(path: &Path, content: &Value) {
    std::fs::write(path, content.to_string()).expect("written");
}
