//! Small scripted chat endpoints on real sockets, and a real `Llm` over a real pool led to them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    response::Response,
};
use cortana::{
    clock::{self, VirtualClock},
    config::{ChatSettings, CredentialValue, NamedCredential, PoolSettings, WatchMode},
    credential::{Store, StoreOptions},
    http::{Http, HttpOptions, Reach},
    llm::{ChatEvent, ChatFailure, ChatRequest, FailureClass, Finish, Llm, LlmParts, Message, Notice, Role},
    oauth::Refresh,
    pool::{Background, Pool, PoolParts, Snapshot},
    provider::{Catalog, Provider},
    secret::Secret,
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};
use futures::{StreamExt, stream};
use tempfile::TempDir;
use tokio::{net::TcpListener, time::Duration};

use super::vendors::exchange;

/// A request as an upstream saw it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The bearer.
    pub(crate) bearer: String,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) path: String,
}

/// A part of an answer's body.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Bytes(String),
    Wait(Duration),
    /// The connection breaks.
    Break,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) parts: Vec<Part>,
    /// Waited before the headers.
    pub(crate) delay: Duration,
}

impl Answer {
    pub(crate) fn refusal(status: u16, body: &str) -> Self {
        let parts = vec![Part::Bytes(body.to_owned())];
        Self { status, headers: Vec::new(), parts, delay: Duration::ZERO }
    }

    pub(crate) fn parts(parts: impl IntoIterator<Item = Part>) -> Self {
        let parts = parts.into_iter().collect();
        Self { status: 200, headers: Vec::new(), parts, delay: Duration::ZERO }
    }

    /// A whole stream that says this.
    pub(crate) fn text(text: &str) -> Self {
        Self::parts([content(text), finish()])
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// A chunk of visible text.
pub(crate) fn content(text: &str) -> Part {
    let chunk = serde_json::json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
    Part::Bytes(format!("data: {chunk}\n\n"))
}

/// A chunk of reasoning.
pub(crate) fn reasoning() -> Part {
    let chunk = serde_json::json!({ "choices": [{ "index": 0, "delta": { "reasoning_content": "hm" } }] });
    Part::Bytes(format!("data: {chunk}\n\n"))
}

/// The end of a whole stream.
pub(crate) fn finish() -> Part {
    let chunk = serde_json::json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    Part::Bytes(format!("data: {chunk}\n\ndata: [DONE]\n\n"))
}

/// An upstream: what it was asked, and how many answers are being sent.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) base: String,
    calls: Arc<Mutex<Vec<Call>>>,
    open: Arc<AtomicUsize>,
    /// Grows with everything that is received and sent.
    steps: Arc<AtomicUsize>,
}

impl Upstream {
    /// Serves answers by script until the life ends.
    pub(crate) async fn serve(
        life: &Shutdown,
        script: impl Fn(&Call) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let (calls, open) = (Arc::<Mutex<Vec<Call>>>::default(), Arc::<AtomicUsize>::default());
        let steps = Arc::<AtomicUsize>::default();
        let this = Self { base, calls: calls.clone(), open: open.clone(), steps: steps.clone() };
        let router = Router::new().fallback(move |request: Request| {
            let (calls, open, script) =
                (calls.clone(), Open::new(open.clone(), steps.clone()), script.clone());
            async move {
                let headers = request.headers().clone();
                let bearer = headers.get("authorization").and_then(|value| value.to_str().ok());
                let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
                let path = request.uri().to_string();
                let call = Call { bearer: bearer.to_owned(), headers, path };
                calls.lock().expect("no panic").push(call.clone());
                respond(script(&call), open).await
            }
        });
        let end = life.token().clone();
        drop(life.spawn(async move {
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served.expect("the server runs"),
                () = end.cancelled() => {}
            }
        }));
        this
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no panic").clone()
    }

    /// How often each bearer was used, in the order given.
    pub(crate) fn hits<const N: usize>(&self, bearers: [&str; N]) -> [usize; N] {
        let calls = self.calls();
        bearers.map(|bearer| calls.iter().filter(|call| call.bearer == bearer).count())
    }

    /// Runs work under a paused clock while real sockets are in play. The timer skips time whenever nothing is ready, also
    /// while a socket is about to be: so it may skip a little only, more the longer nothing has happened here, and waits
    /// for the sockets in between.
    pub(crate) async fn on_virtual_time<T>(&self, work: impl Future<Output = T>) -> T {
        let brake = async {
            let (mut seen, mut step) = (usize::MAX, Duration::ZERO);
            loop {
                // The timer skips nothing while a blocking thread is at work.
                let moment = || std::thread::sleep(Duration::from_millis(10));
                tokio::task::spawn_blocking(moment).await.expect("it only sleeps");
                let steps = self.steps.load(Ordering::SeqCst);
                step = if steps == seen { step * 2 } else { Duration::from_millis(1) };
                seen = steps;
                tokio::time::sleep(step).await;
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = brake => unreachable!("it has no end"),
        }
    }

    /// Answers being sent now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// Counts an answer while it is alive, and its steps.
struct Open {
    count: Arc<AtomicUsize>,
    steps: Arc<AtomicUsize>,
}

impl Open {
    fn new(count: Arc<AtomicUsize>, steps: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        steps.fetch_add(1, Ordering::SeqCst);
        Self { count, steps }
    }

    fn step(&self) {
        self.steps.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        self.step();
    }
}

async fn respond(answer: Answer, open: Open) -> Response {
    if answer.delay > Duration::ZERO {
        tokio::time::sleep(answer.delay).await;
        open.step();
    }
    let body = stream::unfold((answer.parts.into_iter(), open), |(mut parts, open)| async move {
        loop {
            match parts.next()? {
                Part::Bytes(text) => {
                    open.step();
                    return Some((Ok(Bytes::from(text)), (parts, open)));
                }
                Part::Wait(wait) => tokio::time::sleep(wait).await,
                Part::Break => {
                    // What was sent before must leave the server first: it drops what it has not flushed.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    return Some((Err(std::io::Error::other("broken")), (parts, open)));
                }
            }
        }
    });
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from_stream(body)).expect("a response")
}

/// A row led to an upstream.
pub(crate) fn row(like: &str, id: &str, upstream: &Upstream) -> Provider {
    let mut row = Catalog::builtin().get(&like.parse().expect("id")).expect("row").clone();
    row.id = id.parse().expect("id");
    row.api_bases = vec![upstream.base.parse().expect("a URL")];
    row.api_base_overridden = true;
    row.terms_accepted = true;
    row
}

/// How a world is made.
pub(crate) struct Plan {
    pub(crate) rows: Vec<Provider>,
    /// Provider and API key.
    pub(crate) keys: Vec<(&'static str, &'static str)>,
    /// File name and content in the credentials folder.
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) chat: ChatSettings,
    pub(crate) refresh: Arc<dyn Refresh>,
}

impl Plan {
    pub(crate) fn new(rows: Vec<Provider>, keys: &[(&'static str, &'static str)]) -> Self {
        let chat = ChatSettings { deadline: Duration::from_secs(5), ..ChatSettings::default() };
        Self { rows, keys: keys.to_vec(), files: Vec::new(), chat, refresh: Arc::new(exchange()) }
    }
}

/// A real `Llm` over a real pool.
pub(crate) struct World {
    pub(crate) llm: Llm,
    pub(crate) pool: Pool,
    folder: TempDir,
    life: Shutdown,
}

impl World {
    pub(crate) async fn start(life: &Shutdown, plan: Plan) -> Self {
        let folder = TempDir::new().expect("a folder");
        let credentials_dir = folder.path().join("credentials");
        std::fs::create_dir(&credentials_dir).expect("a folder");
        for (name, content) in &plan.files {
            use std::io::Write;
            let mut file = tempfile::NamedTempFile::new_in(&credentials_dir).expect("a file");
            file.write_all(content.as_bytes()).expect("written");
            file.persist(credentials_dir.join(name)).expect("named");
        }
        let named = plan.keys.iter().enumerate().map(|(at, (provider, key))| NamedCredential {
            variable: format!("{}_API_KEY_{at}", provider.to_ascii_uppercase()),
            provider: provider.parse().expect("id"),
            value: CredentialValue::ApiKey(Secret::new(*key)),
        });
        let named = named.collect();
        let state_dir = folder.path().join("state");
        let providers = Arc::new(Catalog::new(plan.rows));
        // It follows the timer: on a paused one time passes as it does for whoever sleeps.
        let epoch = chrono::DateTime::from_timestamp(1_790_000_000, 0).expect("an instant");
        let clock = Arc::new(VirtualClock::starting_at(epoch));
        let store = Store::new(StoreOptions {
            state_dir: state_dir.clone(),
            allow_state_writeback: false,
            providers: providers.clone(),
            clock: clock.clone(),
        });
        let settings = PoolSettings {
            credentials_dir,
            state_dir,
            named,
            watch: WatchMode::Off,
            ..PoolSettings::default()
        };
        let pool = Pool::start(PoolParts {
            settings,
            providers: providers.clone(),
            store: Arc::new(store),
            refresh: plan.refresh,
            state: Arc::new(cortana::pool::Forgetful),
            clock: clock.clone(),
            shutdown: life.clone(),
            metrics: Metrics::default(),
            background: Background::Off,
        })
        .await;
        let options = HttpOptions { reach: Reach::LoopbackOnly, ..HttpOptions::default() };
        let llm = Llm::new(LlmParts {
            settings: plan.chat,
            providers,
            pool: pool.clone(),
            http: Http::new(&options).expect("a client"),
            clock,
            metrics: Metrics::default(),
            shutdown: life.clone(),
        });
        Self { llm, pool, folder, life: life.clone() }
    }

    /// A question, with the model where one is chosen.
    pub(crate) fn question(model: Option<&str>) -> ChatRequest {
        ChatRequest {
            id: "0badcafe".to_owned(),
            model: model.map(|model| model.parse().expect("a model")),
            system: "Be brief.".to_owned(),
            messages: vec![Message::new(Role::User, "Hello")],
            tools: Vec::new(),
            conversation: "test".to_owned(),
            received_at: clock::instant(),
        }
    }

    /// Asks and waits for the end.
    pub(crate) async fn ask(&self) -> Said {
        self.ask_for(None).await
    }

    pub(crate) async fn ask_for(&self, model: Option<&str>) -> Said {
        let started_at = clock::instant();
        let mut said = Said::default();
        let mut events = self.llm.chat(Self::question(model));
        while let Some(event) = events.next().await {
            match event {
                Ok(ChatEvent::Notice(notice)) => {
                    said.noticed_after.get_or_insert_with(|| started_at.elapsed());
                    said.notices.push(notice);
                }
                Ok(ChatEvent::Reasoning) => said.reasoned = true,
                Ok(ChatEvent::Call(_)) => {}
                Ok(ChatEvent::Text(text)) => said.text.push_str(&text),
                Ok(ChatEvent::Finished { finish, model, .. }) => {
                    said.finished = Some((finish, model.to_string()));
                }
                Err(failure) => said.failure = Some(failure),
            }
        }
        assert!(said.finished.is_some() != said.failure.is_some(), "one end, and no more: {said:?}");
        said.took = started_at.elapsed();
        said
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.pool.snapshot()
    }

    /// A file of the credentials folder as it is now.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("credentials").join(name)).expect("readable")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.life.begin();
    }
}

/// What a person got.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) notices: Vec<Notice>,
    /// When the first notice came.
    pub(crate) noticed_after: Option<Duration>,
    pub(crate) reasoned: bool,
    pub(crate) finished: Option<(Finish, String)>,
    pub(crate) failure: Option<ChatFailure>,
    pub(crate) took: Duration,
}

impl Said {
    /// The text of an answer that ended well.
    pub(crate) fn answer(&self) -> &str {
        assert_eq!(self.failure, None, "{self:?}");
        &self.text
    }

    /// Class and code of the failure.
    pub(crate) fn failed(&self) -> (FailureClass, &str) {
        let failure = self.failure.as_ref().expect("a failure");
        (failure.class.clone(), &failure.code)
    }
}
