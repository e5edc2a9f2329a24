//! Google Cloud's credentials on Vertex AI, and stored logins of Hugging Face: from a file to an answer over real sockets. The
//! token endpoint holds an assertion to RFC 7523 and to the account's public key.

use std::{
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use cortana::{
    clock::{Clock, SystemClock},
    config::{MapSource, load},
    pool::{Snapshot, State as Shown},
    sandbox::vendor::{Kind, Reply, Vendors},
    shutdown::Shutdown,
};
use futures::future::join_all;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::{
    talking::{Bot, put},
    vendors::Served,
};

const ACCOUNT: &str = "bot@fake-project-1.iam.gserviceaccount.com";
const MODEL: &str = "vertex/gemini-2.5-flash";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const CHUNK: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Good evening."}]},"finishReason":"STOP","index":0}]}"#;

/// What came to a Google that knows one service account and one person.
#[derive(Default)]
struct Seen {
    endpoint: String,
    public_key: Vec<u8>,
    tokens: usize,
    refusals: Vec<&'static str>,
    chats: Vec<String>,
}

type Google = Arc<Mutex<Seen>>;

/// A throw-away key; `None` without `openssl`.
#[expect(clippy::print_stdout, reason = "a test that skips says so aloud")]
fn key() -> Option<String> {
    let arguments = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let made = Command::new("openssl").args(arguments).output().ok().filter(|made| made.status.success());
    if made.is_none() {
        println!("SKIPPED: there is no openssl to make a key with");
    }
    made.map(|made| String::from_utf8(made.stdout).expect("PEM"))
}

fn public_key(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(body).expect("base64")).expect("a key");
    pair.public().as_ref().to_vec()
}

/// Serves until the life ends; the origin.
async fn serve(google: &Google, life: &Shutdown) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    google.lock().expect("whole").endpoint = format!("{origin}/token");
    let router = Router::new()
        .route("/token", post(token))
        .route("/v1/{*path}", post(chat))
        .with_state(google.clone());
    let end = life.token().clone();
    drop(life.spawn(async move {
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served.expect("the server runs"),
            () = end.cancelled() => {}
        }
    }));
    origin
}

async fn token(State(google): State<Google>, body: String) -> Response {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let mut seen = google.lock().expect("whole");
    seen.tokens += 1;
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let refusal = match field("grant_type") {
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
            judge(&seen, field("assertion").unwrap_or_default()).err()
        }
        Some("refresh_token") if field("client_secret") == Some("FAKE-gcloud-secret") => None,
        Some(_) | None => Some("the grant"),
    };
    let Some(refusal) = refusal else {
        let body = json!({"access_token": "ya29.FAKE", "expires_in": 3599, "token_type": "Bearer"});
        return Json(body).into_response();
    };
    seen.refusals.push(refusal);
    (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response()
}

/// Holds an assertion to what Google holds it to (RFC 7523, section 3).
fn judge(seen: &Seen, assertion: &str) -> Result<(), &'static str> {
    let (message, signature) = assertion.rsplit_once('.').ok_or("no JWT")?;
    let (header, claims) = message.split_once('.').ok_or("no JWT")?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "no base64");
    let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).map_err(|_| "no JSON");
    let (header, claims) = (read(header)?, read(claims)?);
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &seen.public_key)
        .verify(message.as_bytes(), &decoded(signature)?)
        .map_err(|_| "the signature")?;
    let of = |claim: &str| claims.get(claim).and_then(Value::as_i64).ok_or("an instant");
    let (issued, expires, now) = (of("iat")?, of("exp")?, SystemClock.now().timestamp());
    let in_time = (now - 60..=now + 60).contains(&issued) && expires > issued && expires - issued <= 3600;
    let checks = [
        (header == json!({"alg": "RS256", "typ": "JWT", "kid": "fake-key-1"}), "the header"),
        (claims["iss"] == ACCOUNT, "the issuer"),
        (claims["aud"] == seen.endpoint.as_str(), "the audience"),
        (claims["scope"] == SCOPE, "the scope"),
        (in_time, "the life"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
}

async fn chat(
    State(google): State<Google>,
    Path(path): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if bearer != Some("Bearer ya29.FAKE") || query != [("alt".to_owned(), "sse".to_owned())] {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    google.lock().expect("whole").chats.push(path);
    ([(header::CONTENT_TYPE, "text/event-stream")], format!("data: {CHUNK}\n\n")).into_response()
}

/// A credentials folder with one file in it, and its variables.
fn folder_with(name: &str, file: &Value) -> (MapSource, Arc<TempDir>) {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let credentials = folder.path().join("credentials");
    std::fs::create_dir(&credentials).expect("a folder");
    put(&credentials.join(name), file);
    let source = MapSource::new()
        .with("CREDENTIALS_DIR", credentials.to_string_lossy())
        .with("STATE_DIR", folder.path().join("state").to_string_lossy());
    (source, folder)
}

/// The same, with Vertex AI led to `origin`.
fn vertex(origin: &str, name: &str, file: &Value) -> (MapSource, Arc<TempDir>) {
    let (source, folder) = folder_with(name, file);
    let source = source
        .with("VERTEX_TOKEN_ENDPOINT", format!("{origin}/token"))
        .with("VERTEX_API_BASE", format!("{origin}/v1"))
        .with("VERTEX_LOCATION", "europe-west4");
    (source, folder)
}

fn service_account(pem: &str) -> Value {
    json!({
        "type": "service_account", "project_id": "fake-project-1", "private_key_id": "fake-key-1",
        "private_key": pem, "client_email": ACCOUNT, "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "googleapis.com",
    })
}

fn gcloud(project: Option<&str>) -> Value {
    let mut file = json!({
        "type": "authorized_user", "client_id": "764086051850-FAKE.apps.googleusercontent.com",
        "client_secret": "FAKE-gcloud-secret", "refresh_token": "1//FAKE", "account": "",
    });
    if let Some(project) = project {
        file["quota_project_id"] = json!(project);
    }
    file
}

fn shown(snapshot: &Snapshot) -> (Shown, &'static str, String) {
    let view = snapshot.credentials.first().expect("a credential");
    (view.state, view.dialect, view.reason.clone().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_a_service_account_signs_once_for_fifty_chats_in_two_processes() {
    let Some(pem) = key() else { return };
    let (google, life) = (Google::default(), Shutdown::new());
    google.lock().expect("whole").public_key = public_key(&pem);
    let origin = serve(&google, &life).await;
    let (source, folder) = vertex(&origin, "key.json", &service_account(&pem));
    let one = Bot::configured(source.clone(), folder.clone()).await;
    let other = Bot::configured(source, folder.clone()).await;
    let asked = (0..50).map(|at| if at % 2 == 0 { one.ask(MODEL) } else { other.ask(MODEL) });
    for answer in join_all(asked).await {
        assert_eq!(answer.as_deref(), Ok("Good evening."));
    }
    let (state, dialect, _) = shown(&one.snapshot());
    assert_eq!((state, dialect), (Shown::Ready, "service account"));
    let secret = pem.lines().nth(1).expect("a line of the key");
    for (name, text) in one.kept().await {
        assert!(!text.contains(secret), "{name}: the key stays where it was");
    }
    {
        let seen = google.lock().expect("whole");
        assert_eq!((seen.tokens, seen.refusals.len(), seen.chats.len()), (1, 0, 50), "{:?}", seen.refusals);
        let models = "projects/fake-project-1/locations/europe-west4/publishers/google/models";
        let path = format!("{models}/gemini-2.5-flash:streamGenerateContent");
        assert_eq!(seen.chats.first(), Some(&path));
    }
    life.begin();
}

#[tokio::test]
async fn p4_a_refused_key_is_not_tried_again_and_its_reason_names_file_and_clock() {
    let (Some(pem), Some(other)) = (key(), key()) else { return };
    let (google, life) = (Google::default(), Shutdown::new());
    google.lock().expect("whole").public_key = public_key(&other);
    let origin = serve(&google, &life).await;
    let (source, folder) = vertex(&origin, "key.json", &service_account(&pem));
    let bot = Bot::configured(source, folder).await;
    for _ in 0..3 {
        bot.ask(MODEL).await.expect_err("nobody can answer");
    }
    assert_eq!(google.lock().expect("whole").refusals, ["the signature"]);
    let (_, _, reason) = shown(&bot.snapshot());
    assert!(reason.contains("key.json") && reason.contains("clock"), "{reason}");
    life.begin();
}

#[tokio::test]
async fn gclouds_login_chats_on_vertex_with_its_own_client_and_the_operators_project_wins() {
    const NAME: &str = "application_default_credentials.json";
    let (google, life) = (Google::default(), Shutdown::new());
    let origin = serve(&google, &life).await;
    for (file, chosen, project) in [
        (gcloud(Some("fake-quota-1")), "", "fake-quota-1"),
        (gcloud(Some("fake-quota-1")), "fake-chosen-1", "fake-chosen-1"),
        (gcloud(None), "fake-chosen-1", "fake-chosen-1"),
    ] {
        let (source, folder) = vertex(&origin, NAME, &file);
        let bot = Bot::configured(source.with("VERTEX_PROJECT", chosen), folder).await;
        assert_eq!(bot.ask(MODEL).await.as_deref(), Ok("Good evening."));
        let last = google.lock().expect("whole").chats.pop().expect("a chat");
        assert!(last.starts_with(&format!("projects/{project}/")), "{last}");
    }
    let (source, folder) = vertex(&origin, NAME, &gcloud(None));
    let bot = Bot::configured(source, folder).await;
    bot.ask(MODEL).await.expect_err("nobody knows whom to bill");
    let (state, _, reason) = shown(&bot.snapshot());
    assert!(state == Shown::Refused && reason.contains("VERTEX_PROJECT"), "{state:?}: {reason}");
    assert_eq!(google.lock().expect("whole").chats, [] as [String; 0]);
    life.begin();
}

#[test]
fn a_location_leads_to_its_own_host_and_nowhere_else() {
    let base = |location: &str| {
        let source = MapSource::new().with("VERTEX_LOCATION", location);
        let settings = load(&source).map_err(|mistakes| mistakes.to_string())?;
        let row = settings.providers.get(&"vertex".parse().expect("an id")).expect("a row");
        Ok::<_, String>(row.api_bases.first().expect("a base").to_string())
    };
    assert_eq!(base("global").as_deref(), Ok("https://aiplatform.googleapis.com/v1"));
    assert_eq!(base("europe-west4").as_deref(), Ok("https://europe-west4-aiplatform.googleapis.com/v1"));
    assert_eq!(base("eu").as_deref(), Ok("https://aiplatform.eu.rep.googleapis.com/v1"));
    for wrong in ["evil.example/", "evil.example#", "Europe", "-x", "a@b"] {
        assert!(base(wrong).expect_err("a mistake").contains("VERTEX_LOCATION"), "{wrong}");
    }
}

#[tokio::test]
async fn a_stored_login_of_hugging_face_is_refreshed_and_answers_and_a_key_stands_beside_it() {
    let served = Served::start().await;
    let endpoints = Vendors::endpoints_of(&served.origin, "acme").expect("emulated");
    let login = served.vendors.mint("acme", "ada@example.com");
    served.vendors.expire_access("acme", "ada@example.com");
    served.vendors.script("acme", vec![Reply::text("Good evening.")]);
    let mut file = login.simple_file();
    file["expires_at"] = json!(1_700_000_000);
    let (source, folder) = folder_with("huggingface-ada.json", &file);
    let (client, secret) = Vendors::client("acme").expect("a client");
    let source = source
        .with("HUGGINGFACE_CLIENT_ID", client)
        .with("HUGGINGFACE_CLIENT_SECRET", secret.expect("a secret"))
        .with("HUGGINGFACE_API_KEY", "hf_FAKE")
        .with("HUGGINGFACE_TOKEN_ENDPOINT", endpoints.token_endpoint.expect("one"))
        .with("HUGGINGFACE_API_BASE", endpoints.api_base);
    let bot = Bot::configured(source, folder).await;
    assert_eq!(bot.snapshot().credentials.len(), 2, "a login and a key");
    // The key is nobody's there: whoever has its turn first, the login answers in the end.
    assert_eq!(bot.ask("huggingface/openai/gpt-oss-120b").await.as_deref(), Ok("Good evening."));
    let requests = served.vendors.requests();
    let token = requests.iter().find(|request| request.kind == Kind::Token).expect("a refresh");
    assert_eq!(token.body.get("client_secret"), None, "the secret goes by Basic");
    assert!(token.headers.contains_key("authorization"));
    assert!(
        !bot.file("huggingface-ada.json").await.contains(&login.refresh),
        "the rotated token is in the file"
    );
}
