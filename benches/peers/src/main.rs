//! Ours beside the libraries that the registries have, in one process and one run: a cached token, a pick among N
//! credentials, a failover past a throttled key. Prints one JSON object a line: `{"subject", "peer", "n", "ns"}`.
//!
//! `peers upstream` serves the same upstream for the peers that are not Rust; `benches/peers/run` puts it all together.

use std::{
    collections::BTreeMap,
    env, fs,
    hint::black_box,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cortana::{
    clock::{self, SystemClock},
    config::{ChatSettings, CredentialValue, NamedCredential, PoolSettings, WatchMode},
    credential::{Store, StoreOptions},
    http::{Http, HttpOptions, Reach},
    llm::{ChatEvent, ChatRequest, Llm, LlmParts, Message, Role},
    oauth::HttpRefresh,
    pool::{Background, Forgetful, Outcome, Pool, PoolParts, Want},
    provider::Catalog,
    secret::Secret,
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};
use futures::StreamExt as _;
use gcp_auth::TokenProvider as _;
use serde_json::{Value, json};

/// The key that is throttled for ever, and the one that works.
const THROTTLED: &str = "sk-FAKE-throttled";
/// See [`THROTTLED`].
const WORKING: &str = "sk-FAKE-working";
/// How often the throttled key was turned away.
static HITS: AtomicU32 = AtomicU32::new(0);
/// Credentials in a pool.
const SIZES: [usize; 5] = [3, 30, 300, 1_000, 10_000];
/// Fresh pools that fail over once each.
const FAILOVERS: u32 = 100;

#[tokio::main]
async fn main() {
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("upstream"), None) => {
            println!("{}", serve().await);
            std::future::pending::<()>().await;
        }
        (Some("measure"), Some(account)) => measure(Path::new(&account)).await,
        _ => {
            eprintln!("usage: peers upstream | peers measure SERVICE_ACCOUNT.json");
            std::process::exit(2);
        }
    }
}

async fn measure(account: &Path) {
    let origin = serve().await;
    let account = account_at(account, &origin);
    cached_token(&account).await;
    for size in SIZES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keys: Vec<String> = (0..size).map(|index| format!("sk-FAKE-{index}")).collect();
        let pool = pool(&origin, &keys, folder.path()).await;
        let want = want("openai");
        let each = per_operation(|| lend(&pool, &want)).await;
        print("pick among N", "cortana", size, each);
    }
    failover(&origin).await;
}

/// One process's tokens that are known and good: what every chat asks for first.
async fn cached_token(account: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = json!({ "access_token": "FAKE-access", "refresh_token": "FAKE-refresh", "expires_at": 4_000_000_000.5_f64 });
    fs::create_dir(folder.path().join("credentials")).expect("a new folder");
    fs::write(folder.path().join("credentials/qwen.json"), file.to_string()).expect("a new file");
    let ours = pool("http://127.0.0.1:9", &[], folder.path()).await;
    let want = want("qwen_code");
    let each = per_operation(|| lend(&ours, &want)).await;
    print("cached token", "cortana", 1, each);

    let scopes = ["https://www.googleapis.com/auth/cloud-platform"];
    let key = yup_oauth2::parse_service_account_key(account).expect("a service account");
    let yup = yup_oauth2::ServiceAccountAuthenticator::builder(key).build().await.expect("an authenticator");
    let each = per_operation(|| async { yup.token(&scopes).await.expect("a cached token") }).await;
    print("cached token", "yup-oauth2", 1, each);

    let gcp = gcp_auth::CustomServiceAccount::from_json(account).expect("a service account");
    let each = per_operation(|| async { gcp.token(&scopes).await.expect("a cached token") }).await;
    print("cached token", "gcp_auth", 1, each);
}

/// A fresh pool of two keys, the first of which is throttled: how long one answer takes, beside one without a failover.
async fn failover(origin: &str) {
    for (subject, keys) in [
        ("one answer", [WORKING, "sk-FAKE-spare"]),
        ("one answer past a throttled key", [THROTTLED, WORKING]),
    ] {
        let mut all = Vec::new();
        for _ in 0..FAILOVERS {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (providers, http) = (Arc::new(catalog(origin)), http());
            let pool = pool(origin, &keys.map(str::to_owned), folder.path()).await;
            let llm = Llm::new(LlmParts {
                settings: ChatSettings::default(),
                providers,
                pool,
                http,
                clock: Arc::new(SystemClock),
                metrics: Metrics::default(),
                shutdown: Shutdown::new(),
            });
            // A new client each time, so that both sides pay for their first connection.
            let started = Instant::now();
            let mut said = String::new();
            let mut stream = llm.chat(question());
            while let Some(event) = stream.next().await {
                if let ChatEvent::Text(text) = event.expect("an answer") {
                    said.push_str(&text);
                }
            }
            all.push(started.elapsed());
            assert_eq!(said, "Hello");
        }
        all.sort_unstable();
        print(subject, "cortana", 2, all[all.len() / 2]);
    }
}

/// The mean of one operation: rounds until one takes a fifth of a second, the best of three of that length.
async fn per_operation<T, F: Future<Output = T>>(mut operation: impl FnMut() -> F) -> Duration {
    let mut rounds = 64_u32;
    loop {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let started = Instant::now();
            for _ in 0..rounds {
                black_box(operation().await);
            }
            best = best.min(started.elapsed());
        }
        if best > Duration::from_millis(200) {
            return best / rounds;
        }
        rounds *= 4;
    }
}

async fn lend(pool: &Pool, want: &Want) {
    let lease = pool.lease(want).await.expect("one that works");
    black_box(&lease.bearer);
    lease.complete(Outcome::Success);
}

fn print(subject: &str, peer: &str, size: usize, each: Duration) {
    println!("{}", json!({ "subject": subject, "peer": peer, "n": size, "ns": each.as_nanos() }));
}

fn want(provider: &str) -> Want {
    let provider = provider.parse().expect("a built-in provider");
    Want::new(provider, "a-model", clock::instant() + Duration::from_secs(3600))
}

fn question() -> ChatRequest {
    ChatRequest {
        id: "00000000".to_owned(),
        model: Some("openai/a-model".parse().expect("a model")),
        system: String::new(),
        messages: vec![Message { role: Role::User, text: "hello".to_owned() }],
        tools: Vec::new(),
        conversation: "bench".to_owned(),
        received_at: clock::instant(),
    }
}

fn catalog(origin: &str) -> Catalog {
    let mut providers = Catalog::builtin();
    let row = providers.get_mut(&"openai".parse().expect("an id")).expect("a built-in row");
    row.api_bases = vec![format!("{origin}/v1").parse().expect("a base")];
    row.api_base_overridden = true;
    providers
}

fn http() -> Http {
    Http::new(&HttpOptions { proxy: None, reach: Reach::LoopbackOnly }).expect("a client")
}

async fn pool(origin: &str, keys: &[String], folder: &Path) -> Pool {
    let providers = Arc::new(catalog(origin));
    let clock = Arc::new(SystemClock);
    let named = keys.iter().enumerate().map(|(index, key)| NamedCredential {
        variable: format!("OPENAI_API_KEY_{index}"),
        provider: "openai".parse().expect("an id"),
        value: CredentialValue::ApiKey(Secret::new(key.clone())),
    });
    let settings = PoolSettings {
        credentials_dir: folder.join("credentials"),
        state_dir: folder.join("state"),
        watch: WatchMode::Off,
        named: named.collect(),
        ..PoolSettings::default()
    };
    let store = Store::new(StoreOptions {
        state_dir: settings.state_dir.clone(),
        allow_state_writeback: false,
        providers: Arc::clone(&providers),
        clock: clock.clone(),
    });
    Pool::start(PoolParts {
        settings,
        providers,
        store: Arc::new(store),
        refresh: Arc::new(HttpRefresh::new(http(), clock.clone())),
        state: Arc::new(Forgetful),
        clock,
        metrics: Metrics::default(),
        shutdown: Shutdown::new(),
        background: Background::Off,
    })
    .await
}

/// A service account whose token endpoint is ours.
fn account_at(path: &Path, origin: &str) -> String {
    let text = fs::read_to_string(path).expect("the service account is readable");
    let mut account: BTreeMap<String, Value> =
        serde_json::from_str(&text).expect("the service account is JSON");
    account.insert("token_uri".to_owned(), format!("{origin}/token").into());
    json!(account).to_string()
}

/// A token endpoint, and a model in OpenAI's notation that throttles one key; its origin.
async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new()
        .route(
            "/token",
            post(|| async {
                Json(json!({ "access_token": "FAKE-access", "expires_in": 3600, "token_type": "Bearer" }))
            }),
        )
        .route("/v1/chat/completions", post(chat))
        .route("/throttled", get(|| async { HITS.load(Ordering::SeqCst).to_string() }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

async fn chat(headers: HeaderMap, Json(asked): Json<Value>) -> Response {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if key.ends_with(THROTTLED) {
        HITS.fetch_add(1, Ordering::SeqCst);
        let error =
            json!({ "error": { "code": "rate_limit_exceeded", "message": "slow down", "type": "requests" } });
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")], Json(error)).into_response();
    }
    if asked["stream"] != true {
        let message = json!({ "role": "assistant", "content": "Hello" });
        let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
        return Json(json!({ "id": "x", "object": "chat.completion", "created": 1, "model": "a-model", "choices": [choice] }))
            .into_response();
    }
    let chunk = |choice: Value| {
        let chunk = json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "a-model", "choices": [choice] });
        format!("data: {chunk}\n\n")
    };
    let body = chunk(json!({ "index": 0, "delta": { "role": "assistant", "content": "Hello" } }))
        + &chunk(json!({ "index": 0, "delta": {}, "finish_reason": "stop" }))
        + "data: [DONE]\n\n";
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}
