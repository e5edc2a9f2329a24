//! The catalogue of models: what providers list, joined with the rows, kept, and shown where models are chosen.

use std::{sync::Arc, time::Duration};

use cortana::{
    clock,
    config::MapSource,
    llm::{ListError, Origin},
    pool::State,
    provider::{ModelRef, ProviderId},
    sandbox::vendor::{Act, Fault, Kind, Recorded, Vendors},
};

use crate::support::{
    bot::{Bot, SOON, World},
    talking,
    vendors::Served,
};

/// A bot with an OpenAI key.
async fn world() -> World {
    let world = World::new().await;
    let key = world.vendors().mint_key("openai");
    world.with("OPENAI_API_KEY", &key).with("ALLOWED_GUILD_IDS", "*")
}

/// How often a provider was asked for its list.
fn lists(vendors: &Vendors, provider: &str) -> usize {
    let all = vendors.requests();
    all.iter().filter(|request| request.provider == provider && request.kind == Kind::Models).count()
}

/// What `/settings models` shows, once it shows this.
async fn shows(bot: &Bot, line: &str, what: &str) -> String {
    let until = clock::instant() + SOON;
    loop {
        let text = bot.slash(line).await[0].text();
        if text.contains(what) {
            return text;
        }
        assert!(clock::instant() < until, "{what} is not shown: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn offered(bot: &Bot, typed: &str) -> Vec<String> {
    let marks = bot.sandbox().discord().landmarks();
    let choices = bot.sandbox().autocomplete(marks.guest, marks.channel, typed).await.expect("choices");
    choices.into_iter().map(|choice| choice.value.as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn what_a_provider_lists_can_be_chosen_and_is_asked_for_once() {
    let bot = world().await.connect().await;
    let all = shows(&bot, "/settings models", "`openai/emulated-small` ✅ ready · listed").await;
    assert!(all.contains("`openai/gpt-5` ✅ ready · sees images · tools · configured"), "{all}");
    assert!(all.contains("-# **openai** listed them <t:"), "{all}");
    assert!(!all.contains("embedding"), "what is not for chats is left out: {all}");
    assert_eq!(offered(&bot, "/settings model model:emulated").await.len(), 2);
    let said = bot.slash("/settings model model:openai/emulated-small").await[0].text();
    assert_eq!(said, "✅ Chose `openai/emulated-small` for you. It answers you here from now on.");
    assert!(bot.ask("who are you?").await[0].text().contains("emulated-small"));
    let refused = bot.slash("/settings model model:openai/emulated-smal").await[0].text();
    assert!(refused.contains("Did you mean `openai/emulated-small`?"), "{refused}");
    assert_eq!(lists(bot.sandbox().vendors(), "openai"), 1, "neither commands nor autocomplete ask");
}

#[tokio::test]
async fn a_restart_keeps_the_list_while_the_endpoint_is_down() {
    let bot = world().await.connect().await;
    shows(&bot, "/settings models", "emulated-large").await;
    bot.slash("/settings model model:openai/emulated-large").await;
    bot.shutdown.begin();
    let world = bot.ended().await.0;
    world.vendors().fault("openai", Fault { at: Kind::Models, ..Fault::chat(Act::Hang).always() });
    let bot = world.connect().await;
    assert_eq!(
        offered(&bot, "/settings model model:emulated-l").await,
        ["openai/emulated-large"],
        "from memory"
    );
    assert!(bot.ask("who are you?").await[0].text().contains("emulated-large"), "the choice holds");
    assert_eq!(lists(bot.sandbox().vendors(), "openai"), 1, "what is known is not asked for again");
}

#[tokio::test]
async fn a_list_that_fails_leaves_the_rows_and_is_not_asked_for_again_soon() {
    let world = world().await;
    world.vendors().fault("openai", Fault { at: Kind::Models, ..Fault::chat(Act::web_page(404)).always() });
    let bot = world.connect().await;
    let asked =
        bot.sandbox().wait_for(SOON, |sandbox| (lists(sandbox.vendors(), "openai") == 1).then_some(()));
    asked.await.expect("it is asked");
    let all = bot.slash("/settings models").await[0].text();
    assert!(all.contains("`openai/gpt-5` ✅ ready · sees images · tools · configured"), "{all}");
    assert!(bot.ask("who are you?").await[0].text().contains("gpt-5-mini"));
    let status = bot.slash("/settings oauth-status").await[0].text();
    assert!(status.contains("✅ Valid"), "a list's own 404 is not the credential's: {status}");
    bot.shutdown.begin();
    let bot = bot.ended().await.0.connect().await;
    assert_eq!(offered(&bot, "/settings model model:gpt-5-m").await, ["openai/gpt-5-mini"]);
    assert_eq!(lists(bot.sandbox().vendors(), "openai"), 1, "not even after a restart");
}

#[tokio::test]
async fn only_what_operators_offer_is_offered() {
    let bot = world().await.with("GUILD_MODELS", "openai/gpt-5,openai/emulated-small").connect().await;
    shows(&bot, "/settings models", "openai/emulated-small").await;
    assert_eq!(
        offered(&bot, "/settings model model:openai").await,
        ["openai/gpt-5", "openai/emulated-small"]
    );
    let refused = bot.slash("/settings model model:openai/emulated-large").await[0].text();
    assert!(refused.starts_with("❌ There is no model"), "{refused}");
}

#[tokio::test]
async fn a_credential_that_is_added_later_brings_its_providers_list() {
    let bot = World::new().await.connect().await;
    assert_eq!(lists(bot.sandbox().vendors(), "qwen_code"), 0, "nobody can be asked");
    bot.add_login("qwen_code", "bob");
    shows(&bot, "/settings models", "`qwen_code/emulated-small` ✅ ready · listed").await;
    assert_eq!(lists(bot.sandbox().vendors(), "qwen_code"), 1);
}

/// A bot without Discord with a key of each of these.
async fn keyed(served: &Served, providers: &[&str], more: &[(&str, &str)]) -> talking::Bot {
    keyed_by(served, providers, more, "").await
}

/// The same, with this `cortana.toml`.
async fn keyed_by(
    served: &Served,
    providers: &[&str],
    more: &[(&str, &str)],
    document: &str,
) -> talking::Bot {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let mut source = MapSource::new()
        .with("CREDENTIALS_DIR", path("credentials"))
        .with("STATE_DIR", path("state"))
        .with_document(document);
    for id in providers {
        let prefix = id.to_uppercase();
        let base = Vendors::endpoints_of(&served.origin, id).expect("emulated").api_base;
        source.set(format!("{prefix}_API_BASE"), base);
        source.set(format!("{prefix}_API_KEY"), served.vendors.mint_key(id));
    }
    for (name, value) in more {
        source.set(*name, *value);
    }
    talking::Bot::configured(source, Arc::new(folder)).await
}

fn model(text: &str) -> ModelRef {
    text.parse().expect("a model")
}

#[tokio::test]
async fn every_shape_of_a_list_tells_limits_over_a_socket() {
    let served = Served::start().await;
    let providers = ["openai", "openrouter", "mistral", "gemini", "anthropic", "groq", "huggingface", "xai"];
    let bot = keyed(&served, &providers, &[]).await;
    for id in providers {
        let provider: ProviderId = id.parse().expect("an id");
        let until = clock::instant() + SOON;
        let count =
            bot.llm().refresh_list(&provider, until).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(count, 2, "{id}: what is not for chats is left out");
        let limit = bot.llm().context_of(&model(&format!("{id}/emulated-large")));
        let expected = (!matches!(id, "openai" | "xai")).then_some(1_048_576);
        assert_eq!(limit, expected, "{id}");
        let rows = bot.llm().providers();
        let row = rows.get(&provider).expect("a row");
        assert!(matches!(bot.llm().origin_of(row, "emulated-small"), Origin::Listed(_)), "{id}");
        assert_eq!(bot.llm().origin_of(row, &row.default_model), Origin::Configured, "{id}");
    }
    let sees = |id: &str| {
        let rows = bot.llm().providers();
        let row = rows.get(&id.parse().expect("an id")).expect("a row");
        row.model("emulated-small").map(|model| (model.images, model.tools))
    };
    assert_eq!(sees("openrouter"), Some((Some(false), Some(false))));
    assert_eq!(sees("anthropic"), Some((Some(false), None)));
    assert_eq!(sees("openai"), Some((None, None)));
}

#[tokio::test]
async fn what_is_named_by_an_operator_is_completed_not_extended() {
    let served = Served::start().await;
    let bot = keyed(&served, &["openrouter"], &[("OPENROUTER_MODELS", "emulated-small")]).await;
    let provider: ProviderId = "openrouter".parse().expect("an id");
    bot.llm().refresh_list(&provider, clock::instant() + SOON).await.expect("a list");
    let rows = bot.llm().providers();
    let names: Vec<&str> =
        rows.get(&provider).expect("a row").models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(names, ["emulated-small"]);
    assert_eq!(bot.llm().context_of(&model("openrouter/emulated-small")), Some(131_072));
}

#[tokio::test]
async fn googles_logins_tell_their_models_in_their_own_way() {
    let served = Served::start().await;
    for id in ["gemini_cli", "antigravity"] {
        let login = served.vendors.mint(id, "a@example.com");
        let bot = talking::Bot::start(&served, &[("login.json", login.official_file())], "").await;
        let provider: ProviderId = id.parse().expect("an id");
        let listed = bot.llm().models_of(&provider, clock::instant() + SOON).await;
        let listed = listed.unwrap_or_else(|error| panic!("{id}: {error}"));
        assert!(listed.iter().any(|model| model.id == "gemini-2.5-pro"), "{id}: {listed:?}");
        assert_eq!(listed.iter().any(|model| model.context == Some(1_048_576)), id == "antigravity");
    }
}

#[tokio::test]
async fn a_refused_list_says_a_code_and_blames_nobody() {
    let served = Served::start().await;
    let bot = keyed(&served, &["openai"], &[]).await;
    let provider: ProviderId = "openai".parse().expect("an id");
    for (act, expected) in [
        (Act::openai_quota(Some("30")), None),
        (Act::web_page(404), None),
        (Act::web_page(200), Some(ListError::Malformed)),
    ] {
        served.vendors.fault("openai", Fault { at: Kind::Models, ..Fault::chat(act) });
        let error = bot.llm().models_of(&provider, clock::instant() + SOON).await.expect_err("no list");
        match expected {
            Some(expected) => assert_eq!(error, expected),
            None => assert!(matches!(error, ListError::Refused(_)), "{error:?}"),
        }
        let states: Vec<State> = bot.snapshot().credentials.iter().map(|view| view.state).collect();
        assert_eq!(states, [State::Ready]);
    }
    let nobody = keyed(&served, &[], &[]).await;
    let error = nobody.llm().models_of(&provider, clock::instant() + SOON).await.expect_err("no list");
    assert!(matches!(error, ListError::Lease(_)), "{error:?}");
    let azure = nobody.llm().models_of(&"azure".parse().expect("an id"), clock::instant()).await;
    assert_eq!(azure, Err(ListError::NotListed));
}

#[tokio::test]
async fn an_exhausted_model_is_followed_by_its_fallbacks_and_then_by_the_order() {
    let served = Served::start().await;
    let document = "[fallbacks]\n\"openai/gpt-5\" = [\"openai/gpt-4.1\", \"anthropic/claude-opus-5\"]\n";
    let order = [("PROVIDER_ORDER", "gemini,openai,anthropic")];
    let bot = keyed_by(&served, &["openai", "anthropic", "gemini"], &order, document).await;
    let asked = async |model: &str| {
        served.vendors.clear_requests();
        bot.ask(model).await.expect("an answer");
        let chats = served.vendors.requests().into_iter().filter(|request| request.kind == Kind::Chat);
        chats.map(|chat| format!("{} {}", chat.provider, named(&chat))).collect::<Vec<_>>()
    };
    let missing = serde_json::json!({"error": {"message": "x", "type": "invalid_request_error", "code": "model_not_found"}});
    let missing = Act::Respond { status: 404, headers: Vec::new(), body: missing.to_string() };
    served.vendors.fault("openai", Fault::chat(missing));
    assert_eq!(
        asked("openai/gpt-5").await,
        ["openai gpt-5", "openai gpt-4.1"],
        "another model of the same provider"
    );
    served.vendors.fault("openai", Fault::chat(Act::openai_quota(Some("600"))));
    assert_eq!(
        asked("openai/gpt-5").await,
        ["openai gpt-4.1", "anthropic claude-opus-5"],
        "the first still rests"
    );
    assert_eq!(
        asked("openai/gpt-4.1").await,
        ["gemini gemini-flash-latest"],
        "an entry is for its own model"
    );
    let overloaded = Act::anthropic(529, "overloaded_error", "x", None);
    served.vendors.fault("anthropic", Fault::chat(overloaded));
    assert_eq!(
        asked("openai/gpt-5").await,
        ["anthropic claude-opus-5", "gemini gemini-flash-latest"],
        "what is left is the order's"
    );
}

/// The model that a chat names.
fn named(chat: &Recorded) -> String {
    let in_path = || chat.path.rsplit_once("/models/").and_then(|(_, rest)| rest.split(':').next());
    chat.body.get("model").and_then(|model| model.as_str()).or_else(in_path).expect("a model").to_owned()
}
