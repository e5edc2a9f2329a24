//! The configuration: every variable, every mistake at once, and where secrets may go.
#![expect(clippy::disallowed_methods, reason = "the tests write the files that the program reads")]

use std::{fs, path::PathBuf, time::Duration};

use cortana::{
    config::{
        Allowance, Audience, Bound, CredentialValue, GuildPolicy, Limits, MapSource, Mistakes, Settings,
        Strategy, WatchMode, environment, load, variables,
    },
    provider::{Provider, ProviderId},
};

fn source<const N: usize>(pairs: [(&str, &str); N]) -> MapSource {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn settings<const N: usize>(pairs: [(&str, &str); N]) -> Settings {
    load(&source(pairs)).expect("a good configuration")
}

fn mistakes<const N: usize>(pairs: [(&str, &str); N]) -> Mistakes {
    load(&source(pairs)).expect_err("a bad configuration")
}

fn id(text: &str) -> ProviderId {
    text.parse().expect("an id")
}

fn row<'a>(settings: &'a Settings, provider: &str) -> &'a Provider {
    settings.providers.get(&id(provider)).expect("a row")
}

/// The variables that a configuration complains about.
fn named(mistakes: &Mistakes) -> Vec<&str> {
    mistakes.0.iter().map(|mistake| mistake.variable.as_str()).collect()
}

#[test]
fn nothing_set_is_a_configuration() {
    let settings = settings([]);
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert!(settings.discord.token.is_none());
    assert_eq!(settings.discord.guilds, GuildPolicy::OperatorManaged);
    assert_eq!(settings.discord.direct_messages, Audience::Operators);
    assert_eq!(settings.pool.credentials_dir, PathBuf::from("credentials"));
    assert_eq!(settings.pool.early, Duration::from_mins(10));
    assert_eq!(settings.chat.deadline, Duration::from_mins(1));
    assert_eq!(settings.chat.provider_order.first(), Some(&id("gemini_cli")));
}

#[test]
fn the_defaults_of_the_table_are_the_defaults_of_the_code() {
    let written: MapSource = variables::VARIABLES
        .iter()
        .map(|variable| (variable.name.to_owned(), variable.default.to_owned()))
        .collect();
    let written = load(&written).expect("defaults are no mistakes");
    assert_eq!(format!("{written:?}"), format!("{:?}", settings([])));
}

#[test]
fn every_variable_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let prompt = folder.path().join("prompt.txt");
    fs::write(&prompt, "Be brief.\n").expect("write");
    let settings = settings([
        ("DISCORD_TOKEN", "FAKE.FAKE.FAKE"),
        ("DISCORD_API_BASE", "http://127.0.0.1:8787"),
        ("OPERATOR_IDS", "1, 2"),
        ("ALLOWED_GUILD_IDS", "3 4"),
        ("ALLOW_DMS", "Everyone"),
        ("ALLOWED_CHANNEL_IDS", "5"),
        ("ALLOWED_ROLE_IDS", "6"),
        ("ALLOWED_USER_IDS", "8"),
        ("BLOCKED_USER_IDS", "7"),
        ("BLOCKED_ROLE_IDS", "9"),
        ("BLOCKED_CHANNEL_IDS", "10 11"),
        ("BLOCKED_GUILD_IDS", "12"),
        ("USER_MESSAGES_PER_HOUR", "0"),
        ("USER_TOKENS_PER_DAY", "5000"),
        ("CREDENTIALS_DIR", "~/logins"),
        ("HOME", "/home/op"),
        ("CREDENTIALS_WATCH", "poll"),
        ("ROTATION_STRATEGY", "fill_first"),
        ("OAUTH_REFRESH_EARLY_SECS", "300"),
        ("ALLOW_STATE_WRITEBACK", "yes"),
        ("ACCEPT_PROVIDER_TERMS", "gemini-cli"),
        ("PROVIDER_ORDER", "openai,qwen_code"),
        ("DEFAULT_MODEL", "openai/gpt-5"),
        ("SYSTEM_PROMPT_FILE", prompt.to_str().expect("UTF-8")),
        ("CONVERSATION_TTL_SECS", "60"),
        ("REQUEST_DEADLINE_SECS", "30"),
        ("STREAM_IDLE_SECS", "20"),
        ("STREAM_MAX_SECS", "100"),
        ("HTTPS_PROXY", "http://proxy.example:3128"),
        ("STATE_DIR", "/var/lib/cortana"),
        ("ADMIN_ADDR", "[::1]:1"),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "debug"),
    ]);
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert_eq!(settings.require_discord_token().expect("set").expose(), "FAKE.FAKE.FAKE");
    assert_eq!(settings.discord.api_base.as_ref().map(url::Url::as_str), Some("http://127.0.0.1:8787/"));
    assert_eq!(settings.discord.operator_ids, [1, 2].into());
    assert_eq!(settings.discord.guilds, GuildPolicy::Listed([3, 4].into()));
    assert_eq!(settings.discord.direct_messages, Audience::Everyone);
    assert_eq!(settings.discord.allowed_channel_ids, [5].into());
    assert_eq!(settings.discord.allowed_role_ids, [6].into());
    assert_eq!(settings.discord.blocked_user_ids, [7].into());
    assert_eq!(settings.discord.allowed_user_ids, [8].into());
    assert_eq!(settings.discord.blocked_role_ids, [9].into());
    assert_eq!(settings.discord.blocked_channel_ids, [10, 11].into());
    assert_eq!(settings.discord.blocked_guild_ids, [12].into());
    let allowed = Allowance { messages_per_hour: Bound::Unlimited, tokens_per_day: Bound::AtMost(5000) };
    assert_eq!(settings.discord.limits, Limits::for_everybody(allowed));
    assert_eq!(settings.pool.credentials_dir, PathBuf::from("/home/op/logins"));
    assert_eq!(settings.pool.watch, WatchMode::Poll);
    assert_eq!(settings.pool.strategy, Strategy::FillFirst);
    assert_eq!(settings.pool.early, Duration::from_mins(5));
    assert!(settings.pool.allow_state_writeback);
    assert_eq!(settings.pool.state_dir, PathBuf::from("/var/lib/cortana"));
    assert!(row(&settings, "gemini_cli").terms_accepted);
    assert!(!row(&settings, "antigravity").terms_accepted);
    assert_eq!(settings.chat.provider_order.get(..2), Some(&[id("openai"), id("qwen_code")][..]));
    assert_eq!(settings.chat.default_model.map(|model| model.to_string()), Some("openai/gpt-5".to_owned()));
    assert_eq!(settings.chat.system_prompt, "Be brief.");
    assert_eq!(settings.chat.conversation_ttl, Duration::from_mins(1));
    assert_eq!(settings.chat.deadline, Duration::from_secs(30));
    assert_eq!(settings.chat.stream_idle, Duration::from_secs(20));
    assert_eq!(settings.chat.stream_max, Duration::from_secs(100));
    assert!(settings.http.proxy.is_some());
    assert_eq!(settings.telemetry.admin_addr, "[::1]:1".parse().expect("an address"));
    assert_eq!(settings.telemetry.log_format, cortana::telemetry::LogFormat::Json);
    assert_eq!(settings.telemetry.directives, "debug");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let mistakes = mistakes([
        ("ADMIN_ADDR", "9464"),
        ("ALLOW_DMS", "everybody"),
        ("CREDENTIALS_WATCH", "pol"),
        ("DEFAULT_MODEL", "openai/gpt5"),
        ("DISCORD_API_BASE", "http://127.0.0.1:1/api"),
        ("OPERATOR_IDS", "1,me"),
        ("PROVIDER_ORDER", "qwen"),
        ("REQUEST_DEADLINE_SECS", "soon"),
        ("SYSTEM_PROMPT_FILE", "/nowhere/prompt.txt"),
    ]);
    insta::assert_snapshot!(mistakes.to_string(), @r"
    9 mistakes in the configuration:
      PROVIDER_ORDER=qwen: expected providers among gemini_cli, qwen_code, antigravity, iflow, gemini, vertex, openai, anthropic, openrouter, dashscope, mistral, groq, deepseek, xai, huggingface, bedrock, azure, local; did you mean `qwen_code`?
      DISCORD_API_BASE=http://127.0.0.1:1/api: expected an origin without a path, such as http://127.0.0.1:8787
      OPERATOR_IDS=me: expected Discord ids (digits only), separated by commas; turn on Developer Mode in Discord and choose Copy ID
      ALLOW_DMS=everybody: expected one of operators, everyone, nobody; did you mean `everyone`?
      CREDENTIALS_WATCH=pol: expected one of auto, poll, off; did you mean `poll`?
      DEFAULT_MODEL=openai/gpt5: openai offers gpt-5-mini, gpt-5, gpt-4.1; did you mean `gpt-5`? (a model that it has beyond these goes into OPENAI_MODELS)
      REQUEST_DEADLINE_SECS=soon: expected a whole number from 5 to 900
      SYSTEM_PROMPT_FILE=/nowhere/prompt.txt: the file cannot be read (there is no such file)
      ADMIN_ADDR=9464: expected an address and a port, such as 127.0.0.1:9464, or 0.0.0.0:9464 to be reached from elsewhere
    ");
}

#[test]
fn a_missing_token_says_how_to_get_one_and_what_works_without() {
    let text = settings([]).require_discord_token().expect_err("unset").to_string();
    for part in
        ["DISCORD_TOKEN", "discord.com/developers", "Reset Token", "DISCORD_TOKEN_FILE", "cortana sandbox"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn secrets_come_from_files_too_but_not_from_both() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    fs::write(&path, "a.b.c\n").expect("write");
    let path = path.to_str().expect("UTF-8");
    let settings = settings([("DISCORD_TOKEN_FILE", path), ("OPENAI_API_KEY_2_FILE", path)]);
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert_eq!(settings.discord.token.as_ref().map(cortana::secret::Secret::expose), Some("a.b.c"));
    assert_eq!(settings.pool.named.len(), 1);
    let both = mistakes([
        ("DISCORD_TOKEN", "canary-token"),
        ("DISCORD_TOKEN_FILE", path),
        ("OPENAI_API_KEY_FILE", "/nowhere/key"),
    ]);
    assert_eq!(named(&both), ["DISCORD_TOKEN", "OPENAI_API_KEY_FILE"]);
    assert!(both.to_string().contains("/nowhere/key") && !both.to_string().contains("canary"), "{both}");
}

#[test]
fn credentials_are_found_by_number_in_their_order() {
    let settings = settings([
        ("OPENAI_API_KEY_10", "sk-FAKE-10"),
        ("OPENAI_API_KEY_2", "sk-FAKE-2"),
        ("OPENAI_API_KEY", "sk-FAKE"),
        ("QWEN_CODE_OAUTH_CREDENTIALS", "{\"access_token\": \"FAKE\"}"),
        ("GEMINI_CLI_OAUTH_CREDENTIALS_1", "~/.gemini/oauth_creds.json"),
        ("HOME", "/home/op"),
        ("IFLOW_API_KEY", "sk-FAKE"),
    ]);
    assert_eq!(settings.warnings, Vec::<String>::new());
    let found: Vec<_> = settings
        .pool
        .named
        .iter()
        .map(|named| {
            let value = match &named.value {
                CredentialValue::Path(path) => path.display().to_string(),
                CredentialValue::Inline(json) => format!("inline {}", json.expose().len()),
                CredentialValue::ApiKey(key) => key.expose().to_owned(),
            };
            (named.variable.as_str(), named.provider.as_str(), value)
        })
        .collect();
    let expected = [
        ("GEMINI_CLI_OAUTH_CREDENTIALS_1", "gemini_cli", "/home/op/.gemini/oauth_creds.json"),
        ("QWEN_CODE_OAUTH_CREDENTIALS", "qwen_code", "inline 24"),
        ("IFLOW_API_KEY", "iflow", "sk-FAKE"),
        ("OPENAI_API_KEY", "openai", "sk-FAKE"),
        ("OPENAI_API_KEY_2", "openai", "sk-FAKE-2"),
        ("OPENAI_API_KEY_10", "openai", "sk-FAKE-10"),
    ];
    assert_eq!(found, expected.map(|(variable, provider, value)| (variable, provider, value.to_owned())));
}

#[test]
fn p33_a_token_in_the_place_of_a_path_is_not_repeated() {
    let mistakes =
        mistakes([("GEMINI_CLI_OAUTH_CREDENTIALS", "1//canary-refresh"), ("DISCORD_TOKEN", "Bot canary")]);
    assert_eq!(named(&mistakes), ["DISCORD_TOKEN", "GEMINI_CLI_OAUTH_CREDENTIALS"]);
    assert!(!format!("{mistakes} {mistakes:?}").contains("canary"), "{mistakes}");
}

#[test]
fn p33_settings_show_no_secret() {
    let settings = settings([
        ("DISCORD_TOKEN", "canary.canary.canary"),
        ("OPENAI_API_KEY", "sk-canary"),
        ("QWEN_CODE_OAUTH_CREDENTIALS", "{\"refresh_token\": \"canary\"}"),
        ("GEMINI_CLIENT_SECRET", "canary"),
        ("HTTPS_PROXY", "http://user:canary@proxy.example:1"),
    ]);
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn a_client_has_two_names_for_two_providers_and_one_value() {
    let settings = settings([
        ("GEMINI_CLIENT_ID", "id-a"),
        ("GEMINI_CLIENT_SECRET", "FAKE"),
        ("QWEN_CLIENT_ID", "id-b"),
    ]);
    let client = |provider| {
        row(&settings, provider)
            .oauth()
            .and_then(cortana::provider::OAuthSpec::client)
            .map(|client| client.id)
    };
    assert_eq!(client("gemini_cli").as_deref(), Some("id-a"));
    assert_eq!(client("qwen_code").as_deref(), Some("id-b"));
    assert_eq!(client("antigravity"), None, "no secret, no client");
    let differing = mistakes([
        ("GEMINI_CLIENT_SECRET", "canary-1"),
        ("GEMINI_CLI_CLIENT_SECRET", "canary-2"),
        ("QWEN_CLIENT_ID", "same"),
        ("QWEN_CODE_CLIENT_ID", "same"),
    ]);
    assert_eq!(named(&differing), ["GEMINI_CLIENT_SECRET"]);
    assert!(!differing.to_string().contains("canary"));
}

#[test]
fn a_row_can_be_overridden() {
    let settings = settings([
        ("GEMINI_CLI_API_BASE", "http://127.0.0.1:9/v1internal/"),
        ("GEMINI_CLI_TOKEN_ENDPOINT", "http://127.0.0.1:9/token"),
        ("GEMINI_CLI_USER_AGENT", "My Agent/1"),
        ("GEMINI_CLI_PROJECT", "my-project"),
        ("GEMINI_CLI_SCOPE", "one two"),
        ("GEMINI_CLI_MODELS", "gemini-9, gemini-2.5-flash"),
        ("OPENAI_API_BASE", "http://ollama:11434/v1"),
        ("ALLOW_HTTP_HOSTS", "ollama"),
    ]);
    let gemini = row(&settings, "gemini_cli");
    let bases: Vec<_> = gemini.api_bases.iter().map(url::Url::as_str).collect();
    assert_eq!(bases, ["http://127.0.0.1:9/v1internal"]);
    assert!(gemini.api_base_overridden);
    assert_eq!(gemini.user_agent.as_deref(), Some("My Agent/1"));
    assert_eq!(gemini.project.as_deref(), Some("my-project"));
    let spec = gemini.oauth().expect("a login");
    assert_eq!(spec.token_endpoint.as_str(), "http://127.0.0.1:9/token");
    assert_eq!(spec.scopes, ["one", "two"]);
    assert_eq!(gemini.default_model, "gemini-9");
    let families: Vec<_> =
        gemini.models.iter().map(|model| (model.id.as_str(), model.family.as_deref())).collect();
    assert_eq!(families, [("gemini-9", None), ("gemini-2.5-flash", Some("gemini-flash"))]);
    let openai = row(&settings, "openai");
    assert_eq!(openai.api_bases.iter().map(url::Url::as_str).collect::<Vec<_>>(), ["http://ollama:11434/v1"]);
}

#[test]
fn tokens_never_go_over_http_beyond_this_machine() {
    let mistakes = mistakes([
        ("ALLOW_HTTP_HOSTS", "proxy,discord"),
        ("DISCORD_API_BASE", "http://discord:1"),
        ("IFLOW_TOKEN_ENDPOINT", "http://proxy/oauth/token"),
        ("QWEN_CODE_API_BASE", "http://proxy/v1"),
        ("OPENAI_API_BASE", "https://user:canary@models.example/v1"),
    ]);
    assert_eq!(
        named(&mistakes),
        ["QWEN_CODE_API_BASE", "IFLOW_TOKEN_ENDPOINT", "OPENAI_API_BASE", "DISCORD_API_BASE"]
    );
    assert!(!mistakes.to_string().contains("canary"), "{mistakes}");
}

#[test]
fn what_nobody_reads_is_said() {
    let settings = settings([
        ("ALERT_WEBHOOK_URL", "https://canary@example.com/x"),
        ("DISCORD_TOKN", "canary"),
        ("DISCORD_COLOUR", "blue"),
        ("OPENAI_API_KY_2", "canary"),
        ("ALLOW_DM", "everyone"),
        ("ALLOW_WHATEVER", "1"),
        ("USER_NAME", "op"),
        ("PATH", "/bin"),
        ("CORTANA_UID", "1000"),
        ("CREDENTIALS_PASSPHRASE_FILE", ""),
    ]);
    assert_eq!(
        settings.warnings,
        [
            "ALERT_WEBHOOK_URL is set, but is not used by this version",
            "ALLOW_DM is not a variable of Cortana; did you mean ALLOW_DMS?",
            "DISCORD_COLOUR is not a variable of Cortana and has no effect",
            "DISCORD_TOKN is not a variable of Cortana; did you mean DISCORD_TOKEN?",
            "OPENAI_API_KY_2 is not a variable of Cortana; did you mean OPENAI_API_KEY?",
        ]
    );
}

#[test]
fn terms_are_accepted_by_name() {
    let settings = settings([("ACCEPT_PROVIDER_TERMS", "qwen_code")]);
    assert_eq!(settings.warnings, ["ACCEPT_PROVIDER_TERMS names qwen_code, which has no terms to accept"]);
    let mistakes = mistakes([("ACCEPT_PROVIDER_TERMS", "gemini_clі")]);
    assert_eq!(named(&mistakes), ["ACCEPT_PROVIDER_TERMS"]);
}

#[test]
fn a_dotenv_file_lies_below_the_process_environment_and_its_broken_lines_are_numbered() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(".env");
    fs::write(&path, "OPERATOR_IDS=1\nPATH=shadowed\n").expect("write");
    let source = environment(Some(&path)).expect("two good lines");
    let settings = load(&source).expect("a good configuration");
    assert_eq!(settings.discord.operator_ids, [1].into());
    assert_ne!(cortana::config::Source::get(&source, "PATH").as_deref(), Some("shadowed"));

    fs::write(&path, "OPERATOR_IDS=1\nthis canary is no variable\n").expect("write");
    let text = environment(Some(&path)).expect_err("a bad line").to_string();
    assert!(text.contains(".env, line 2") && !text.contains("canary"), "{text}");

    let both = "OPERATOR_IDS=1, 2\nSTREAM_IDLE_SECS=canary-word\n";
    #[expect(clippy::disallowed_methods, reason = "an operator writes the file")]
    fs::write(&path, both).expect("a file");
    let text = environment(Some(&path)).expect_err("two bad lines").to_string();
    assert!(text.contains("line 1 (OPERATOR_IDS)") && text.contains("STREAM_IDLE_SECS"), "{text}");

    let absent = environment(Some(&folder.path().join("absent"))).expect_err("asked for").to_string();
    assert!(absent.contains("no such file"), "{absent}");
}

/// The library logs a parameter that it does not know with its value.
#[test]
fn p33_a_parameter_of_the_database_that_nobody_knows_is_refused_by_name() {
    let address = |query: &str| format!("postgres://user:FAKE-canary@127.0.0.1/base?{query}");
    settings([("DATABASE_URL", &address("sslmode=require&options[search_path]=x"))]);
    for (query, named) in [("sslmod=canary", "`sslmod`"), ("connect_timeout=5&x=canary", "`connect_timeout`")]
    {
        let text = mistakes([("DATABASE_URL", &address(query))]).to_string();
        assert!(text.contains(named) && !text.contains("canary"), "{text}");
    }
    let text = mistakes([("DATABASE_URL", "postgres://user:12?canary-2@127.0.0.1/base")]).to_string();
    assert!(text.contains("DATABASE_URL") && !text.contains("canary"), "{text}");
}

#[test]
fn the_models_on_offer_name_known_providers() {
    let settings = settings([("GUILD_MODELS", "qwen_code, gemini_cli/gemini-2.5-pro, openrouter/*")]);
    let allows = |model: &str| settings.chat.allowed_models.allows(&model.parse().expect("a model"));
    assert!(allows("qwen_code/coder-model") && allows("gemini_cli/gemini-2.5-pro"));
    assert!(allows("openrouter/google/gemini-2.5-pro"));
    assert!(!allows("gemini_cli/gemini-2.5-flash") && !allows("openai/gpt-5"));
    let mistakes = mistakes([("GUILD_MODELS", "qwen_cod/x")]);
    assert_eq!(named(&mistakes), ["GUILD_MODELS"]);
    assert!(mistakes.to_string().contains("did you mean `qwen_code`?"), "{mistakes}");
}
