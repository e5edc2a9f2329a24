//! Providers by API key, end to end over real sockets: configuration, pool, wire, emulated provider.

use std::{collections::BTreeSet, sync::Arc};

use cortana::{
    clock,
    config::MapSource,
    llm::{ChatEvent, ChatRequest, Finish, Message, Role, Usage},
    pool::State,
    provider::{Catalog, ModelRef},
    sandbox::vendor::{Act, Fault, Hint, Kind, Reply, Vendors},
};
use futures::StreamExt;
use serde_json::Value;

use crate::support::{
    talking::{self, put},
    vendors::Served,
};

/// A bot without Discord that has nothing but keys.
struct Bot(talking::Bot);

/// What came of one question.
#[derive(Debug, PartialEq)]
struct Said {
    text: String,
    finish: Finish,
    usage: Option<Usage>,
    reasoned: bool,
    model: ModelRef,
}

fn message(role: Role, text: &str) -> Message {
    Message::new(role, text)
}

impl Bot {
    async fn start(served: &Served, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut source = MapSource::new()
            .with("CREDENTIALS_DIR", folder.path().join("credentials").to_string_lossy())
            .with("STATE_DIR", folder.path().join("state").to_string_lossy());
        for (id, endpoints) in Vendors::endpoints(&served.origin) {
            source.set(format!("{}_API_BASE", id.to_uppercase()), endpoints.api_base);
        }
        for (name, value) in variables {
            source.set(*name, *value);
        }
        Self(talking::Bot::configured(source, Arc::new(folder)).await)
    }

    async fn ask(&self, model: &str) -> Result<Said, String> {
        let request = ChatRequest {
            id: "0badcafe".to_owned(),
            model: Some(model.parse().expect("a model")),
            system: "Be kind.".to_owned(),
            messages: vec![
                message(Role::User, "Hello"),
                message(Role::User, "there"),
                message(Role::Assistant, "Hi!"),
                message(Role::User, "What is 🦀?"),
            ],
            tools: Vec::new(),
            conversation: "channel-1".to_owned(),
            received_at: clock::instant(),
        };
        let mut events = self.0.llm().chat(request);
        let (mut text, mut reasoned) = (String::new(), false);
        while let Some(event) = events.next().await {
            match event {
                Ok(ChatEvent::Text(piece)) => text.push_str(&piece),
                Ok(ChatEvent::Reasoning) => reasoned = true,
                Ok(ChatEvent::Notice(_) | ChatEvent::Call(_)) => {}
                Ok(ChatEvent::Finished { finish, usage, model }) => {
                    return Ok(Said { text, finish, usage, reasoned, model });
                }
                Err(failure) => return Err(format!("{failure:?}")),
            }
        }
        Err("the stream ended without an end".to_owned())
    }

    fn states(&self) -> Vec<State> {
        self.0.snapshot().credentials.iter().map(|view| view.state).collect()
    }
}

/// Every provider by key: its variable and its default model.
fn by_key() -> Vec<(String, String)> {
    let rows = Catalog::builtin();
    let keyed = rows.iter().filter(|row| row.oauth().is_none());
    keyed.map(|row| (row.id.to_string(), format!("{}/{}", row.id, row.default_model))).collect()
}

#[tokio::test]
async fn every_provider_by_key_answers_on_its_own_wire() {
    let served = Served::start().await;
    for (id, model) in by_key() {
        let key = served.vendors.mint_key(&id);
        let base = Vendors::endpoints_of(&served.origin, &id).expect("emulated").api_base;
        let prefix = id.to_uppercase();
        let (key_name, base_name) = (format!("{prefix}_API_KEY_1"), format!("{prefix}_API_BASE"));
        let bot = Bot::start(&served, &[(&key_name, &key), (&base_name, &base)]).await;
        served.vendors.script(&id, vec![Reply::pieces(&["Grüß ", "Gott, ", "🦀"]).thinking(&["hm"])]);
        let said = bot.ask(&model).await.unwrap_or_else(|failure| panic!("{id}: {failure}"));
        assert_eq!((said.text.as_str(), &said.finish), ("Grüß Gott, 🦀", &Finish::Stop), "{id}");
        assert!(said.reasoned, "{id}: its reasoning is seen and hidden");
        let usage = said.usage.unwrap_or_else(|| panic!("{id} told no usage"));
        assert_eq!((usage.input, usage.output), (6 + system_words(&id), 3), "{id}");
        assert_eq!(said.model, model.parse().expect("a model"));
        assert_eq!(bot.states(), [State::Ready], "{id}");
    }
}

/// Chat completions count the system prompt among the messages here; the others have it apart.
fn system_words(id: &str) -> u64 {
    if matches!(id, "gemini" | "anthropic") { 0 } else { 2 }
}

/// Role and text of what a provider was asked, in the words of all wires.
fn asked(body: &Value) -> (String, Vec<(String, String)>) {
    let contents = body.get("request").unwrap_or(body);
    let text = |content: &Value| {
        let whole = content.get("content").and_then(Value::as_str);
        let part = || content.pointer("/parts/0/text").or_else(|| content.pointer("/content/0/text"));
        whole.or_else(|| part().and_then(Value::as_str)).expect("a text").to_owned()
    };
    let turns = contents.get("contents").or_else(|| body.get("messages")).and_then(Value::as_array);
    let mut turns: Vec<(String, String)> = turns
        .expect("turns")
        .iter()
        .map(|turn| {
            let role = turn["role"].as_str().expect("a role").replace("assistant", "model");
            (role, text(turn))
        })
        .collect();
    let system = match (body.get("system"), contents.get("systemInstruction")) {
        (Some(system), _) => system.as_str().expect("a text").to_owned(),
        (None, Some(instruction)) => text(instruction),
        (None, None) => turns.remove(0).1,
    };
    (system, turns)
}

#[tokio::test]
async fn one_conversation_is_asked_alike_on_all_four_wires() {
    let served = Served::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let login = served.vendors.mint("gemini_cli", "a@example.com");
    let file = folder.path().join("gemini.json");
    put(&file, &login.official_file());
    let token_endpoint = format!("{}/vendors/gemini_cli/token", served.origin);
    let keys = ["openai", "gemini", "anthropic"].map(|id| served.vendors.mint_key(id));
    let bot = Bot::start(
        &served,
        &[
            ("OPENAI_API_KEY", &keys[0]),
            ("GEMINI_API_KEY", &keys[1]),
            ("ANTHROPIC_API_KEY", &keys[2]),
            ("GEMINI_CLI_OAUTH_CREDENTIALS", &file.to_string_lossy()),
            ("GEMINI_CLI_TOKEN_ENDPOINT", &token_endpoint),
            ("GEMINI_CLI_CLIENT_SECRET", login.client_secret.as_deref().expect("a secret")),
            ("ACCEPT_PROVIDER_TERMS", "gemini_cli"),
        ],
    )
    .await;
    let models = [
        "openai/gpt-5-mini",
        "gemini_cli/gemini-2.5-pro",
        "gemini/gemini-flash-latest",
        "anthropic/claude-sonnet-5",
    ];
    for model in models {
        let provider = model.split('/').next().expect("a provider");
        served.vendors.script(provider, vec![Reply::text("A crab.")]);
        let said = bot.ask(model).await.unwrap_or_else(|failure| panic!("{model}: {failure}"));
        assert_eq!((said.text.as_str(), said.finish), ("A crab.", Finish::Stop), "{model}");
    }
    let chats = served.vendors.requests().into_iter().filter(|request| request.kind == Kind::Chat);
    let asked: Vec<_> = chats.map(|chat| asked(&chat.body)).collect();
    let turn = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    let expected = vec![turn("user", "Hello\n\nthere"), turn("model", "Hi!"), turn("user", "What is 🦀?")];
    assert_eq!(asked, vec![("Be kind.".to_owned(), expected); 4]);
}

#[tokio::test]
async fn numbered_keys_rotate_and_a_throttled_one_rests() {
    let served = Served::start().await;
    for (id, quota) in [
        ("gemini", Act::google_quota(&Hint::RetryInfo("30s".to_owned()))),
        ("anthropic", Act::anthropic(429, "rate_limit_error", "slower", Some(("retry-after", "30")))),
        ("groq", Act::openai_quota(Some("30"))),
    ] {
        let keys = [(); 3].map(|()| served.vendors.mint_key(id));
        let names = ["", "_1", "_2"].map(|number| format!("{}_API_KEY{number}", id.to_uppercase()));
        let variables: Vec<(&str, &str)> =
            names.iter().zip(&keys).map(|(name, key)| (name.as_str(), key.as_str())).collect();
        let bot = Bot::start(&served, &variables).await;
        served.vendors.fault(id, Fault::chat(quota).on("key-2").always());
        let model = by_key().into_iter().find(|(known, _)| known == id).expect("a row").1;
        for _ in 0..6 {
            bot.ask(&model).await.unwrap_or_else(|failure| panic!("{id}: {failure}"));
        }
        let counts = served.vendors.counts_of(id);
        let chats = |key: &str| counts.accounts.get(key).map_or(0, |own| own.chats);
        assert_eq!(counts.chats, 7, "{id}: six answers and one refusal");
        assert_eq!(chats("key-2"), 1, "{id}: it rests after its refusal");
        assert_eq!((chats("key-1"), chats("key-3")), (3, 3), "{id}: the others take turns");
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_shown_and_the_next_one_answers() {
    let served = Served::start().await;
    for id in ["gemini", "anthropic", "xai", "mistral"] {
        let key = served.vendors.mint_key(id);
        let prefix = id.to_uppercase();
        let (first, second) = (format!("{prefix}_API_KEY_1"), format!("{prefix}_API_KEY_2"));
        let bot = Bot::start(&served, &[(&first, "sk-FAKE-revoked"), (&second, &key)]).await;
        let model = by_key().into_iter().find(|(known, _)| known == id).expect("a row").1;
        for _ in 0..3 {
            bot.ask(&model).await.unwrap_or_else(|failure| panic!("{id}: {failure}"));
        }
        let states: BTreeSet<String> = bot.states().iter().map(|state| format!("{state:?}")).collect();
        assert_eq!(states.len(), 2, "{id}: {states:?}");
        assert_eq!(served.vendors.counts_of(id).chats, 4, "{id}: the refused key is asked once");
        assert_eq!(served.vendors.counts_of(id).answered, 3, "{id}");
    }
}

#[tokio::test]
async fn a_server_of_ones_own_is_asked_without_a_key_once_it_is_named() {
    let served = Served::start().await;
    let base = Vendors::endpoints_of(&served.origin, "local").expect("emulated").api_base;
    let bot = Bot::start(&served, &[("LOCAL_API_BASE", &base), ("LOCAL_MODELS", "qwen3:4b")]).await;
    served.vendors.script("local", vec![Reply::text("Good evening.")]);
    let said = bot.ask("local/qwen3:4b").await.expect("an answer");
    assert_eq!(said.text, "Good evening.");
    let request = served.vendors.requests().into_iter().next_back().expect("a request");
    assert_eq!(request.headers.get("authorization"), None, "{request:?}");
    assert_eq!(bot.states(), [State::Ready]);
    let nobody = Bot::start(&served, &[]).await;
    assert_eq!(nobody.states(), [], "without its address it is not there");
}

#[tokio::test]
async fn an_overload_in_the_middle_of_nothing_goes_on_with_another_provider() {
    let served = Served::start().await;
    let keys = ["anthropic", "gemini"].map(|id| served.vendors.mint_key(id));
    let variables = [("ANTHROPIC_API_KEY", keys[0].as_str()), ("GEMINI_API_KEY", keys[1].as_str())];
    let bot = Bot::start(&served, &variables).await;
    served.vendors.script("gemini", vec![Reply::text("Good evening.")]);
    let overloaded =
        serde_json::json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}});
    served.vendors.fault("anthropic", Fault::chat(Act::ErrorInside { after: 0, body: overloaded }));
    let said = bot.ask("anthropic/claude-sonnet-5").await.expect("an answer");
    assert_eq!((said.text.as_str(), said.model.provider.as_str()), ("Good evening.", "gemini"));
    assert_eq!(bot.states(), [State::Ready, State::Ready], "nobody's account is blamed");
}

#[tokio::test]
async fn answers_in_crumbs_and_plain_json_are_read_on_every_wire() {
    let served = Served::start().await;
    for id in ["openai", "gemini", "anthropic"] {
        let key = served.vendors.mint_key(id);
        let name = format!("{}_API_KEY", id.to_uppercase());
        let bot = Bot::start(&served, &[(&name, &key)]).await;
        let model = by_key().into_iter().find(|(known, _)| known == id).expect("a row").1;
        for act in [
            Act::Crumble { bytes: 7 },
            Act::Unstreamed,
            Act::Mislabel { content_type: "text/plain".to_owned() },
            Act::Stall { after: 1, millis: 5 },
        ] {
            served.vendors.script(id, vec![Reply::pieces(&["Grüße, ", "🦀!"])]);
            served.vendors.fault(id, Fault::chat(act.clone()));
            let said = bot.ask(&model).await.unwrap_or_else(|failure| panic!("{id} {act:?}: {failure}"));
            assert_eq!(said.text, "Grüße, 🦀!", "{id} {act:?}");
        }
    }
}
