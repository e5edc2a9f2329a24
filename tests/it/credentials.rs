//! Credentials at rest, read: every dialect, every source, and what cannot be used.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    sync::Arc,
};

use cortana::{
    credential::{
        CredentialId, Dialect, ImportError, ImportMode, ImportedAs, Rejected, SameLogin, Saved, SourceSpec,
        Store,
    },
    provider::Catalog,
    secret::Secret,
};

use crate::support::{
    bench::{Bench, SIMPLE, WAIT, access, login, names, only, provider, refresh, renewed, rotated, write},
    samples::SAMPLES,
};

const GCLOUD: &str = r#"{"type":"authorized_user","client_id":"764086051850-FAKE.apps.googleusercontent.com","client_secret":"FAKE","refresh_token":"1//FAKE-R","quota_project_id":"fake-project-1","universe_domain":"googleapis.com","account":""}"#;
const ACCOUNTS: &str = r#"{"version":4,"accounts":[{"email":"a@example.com","refreshToken":"1//FAKE-R","projectId":"p","managedProjectId":"m","addedAt":1789996400000,"lastUsed":0,"enabled":true},{"email":"b@example.com","refreshToken":"1//FAKE-B","addedAt":1789996400000,"lastUsed":0,"enabled":false}],"activeIndex":0}"#;

#[test]
fn every_dialect_is_told_by_content_and_read() {
    for sample in SAMPLES {
        let bench = Bench::new();
        bench.put(sample.name, sample.text);
        let credential = bench.one();
        let found = login(&credential);
        assert_eq!(
            (credential.provider.as_str(), credential.dialect),
            (sample.provider, sample.dialect),
            "{}",
            sample.text
        );
        assert_eq!(access(found).trim_start_matches("ya29."), "FAKE-A");
        assert_eq!(refresh(found).trim_start_matches("1//"), "FAKE-R");
        assert_eq!(found.tokens.expires_at.map(|at| at.timestamp()), Some(1_790_000_000), "{}", sample.text);
        assert_eq!(found.facts.account.as_deref(), sample.account, "{}", sample.text);
        assert_eq!(found.facts.project_id.as_deref(), sample.project);
        assert_eq!(
            found.facts.api_key.as_ref().map(Secret::expose),
            sample.text.contains("sk-FAKE").then_some("sk-FAKE")
        );
        assert_eq!(found.client.is_some(), sample.text.contains("client_id"));
        assert_eq!(found.facts.resource_url.is_some(), sample.text.contains("resource_url"));
        assert_eq!(credential.disabled, None);
    }
}

#[test]
fn every_sample_in_the_documents_is_read_as_its_page_says() {
    let pages = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/credentials");
    let mut seen = 0;
    for (page, dialect) in [
        ("simple", Dialect::Simple),
        ("official-cli", Dialect::OfficialCli),
        ("cli-proxy-api", Dialect::CliProxyApi),
        ("key-proxy", Dialect::KeyProxy),
        ("gcli2api", Dialect::Gcli2Api),
        ("antigravity-manager", Dialect::AntigravityManager),
        ("antigravity-accounts", Dialect::AntigravityAccounts),
        ("gcloud", Dialect::Gcloud),
    ] {
        let text = fs::read_to_string(pages.join(format!("{page}.md"))).unwrap();
        for sample in text.lines().filter(|line| line.starts_with('{')) {
            let bench = Bench::new();
            // The simple form needs a name that tells the provider; the others may not mind one.
            bench.put("gemini-sample.json", sample);
            assert_eq!(bench.one().dialect, dialect, "{page}: {sample}");
            seen += 1;
        }
    }
    assert_eq!(seen, 16);
}

#[test]
fn p16_a_refresh_changes_the_bytes_of_its_own_values_and_no_others() {
    for sample in SAMPLES {
        let bench = Bench::new();
        let path = bench.put(sample.name, sample.text);
        let mut guard = bench.lock();
        let old = guard.read().unwrap();
        assert_eq!(guard.save(&rotated(&old)), Ok(Saved::InPlace));
        let mut expected = sample.text.replace("ya29.FAKE-A", "FAKE-A2").replace("1//FAKE-R", "FAKE-R2");
        expected = expected.replace("\"FAKE-A\"", "\"FAKE-A2\"").replace("\"FAKE-R\"", "\"FAKE-R2\"");
        for (old, new) in sample.changes {
            expected = expected.replace(old, new);
        }
        assert_eq!(fs::read_to_string(path).unwrap(), expected);
        assert_eq!(guard.read().unwrap().tokens.expires_at, rotated(&old).tokens.expires_at);
    }
}

#[test]
fn a_grant_without_a_refresh_token_keeps_the_old_one() {
    let bench = Bench::new();
    let path = bench.put("iflow.json", SIMPLE);
    let mut guard = bench.lock();
    let mut granted = renewed(&guard.read().unwrap());
    granted.tokens.refresh = None;
    guard.save(&granted).unwrap();
    assert!(fs::read_to_string(path).unwrap().contains("\"refresh_token\":\"FAKE-R\""));
}

#[test]
fn facts_go_where_the_notation_has_a_place_for_them() {
    let bench = Bench::new();
    let path = bench.put("qwen-1.json", SIMPLE);
    let mut guard = bench.lock();
    let mut learned = guard.read().unwrap();
    learned.facts.resource_url = Some("https://portal.qwen.ai/v1".parse().unwrap());
    assert_eq!(guard.save(&learned), Ok(Saved::InPlace));
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        SIMPLE.replace("1790000000.5}", "1790000000.5,\"resource_url\":\"portal.qwen.ai\"}")
    );
    drop(guard);
    let again = bench.one();
    assert_eq!((again.dialect, login(&again).facts.clone()), (Dialect::Simple, learned.facts));
}

#[test]
fn a_file_without_a_place_for_access_tokens_stays_as_it_is_and_its_token_is_found_again() {
    let bench = Bench::new();
    let path = bench.put("application_default_credentials.json", GCLOUD);
    let mut guard = bench.lock();
    let old = guard.read().unwrap();
    assert_eq!(guard.prove_writable(false), Ok(Saved::InState));
    let renewed = renewed(&old);
    assert_eq!(guard.save(&renewed), Ok(Saved::InState));
    assert_eq!(guard.save(&renewed), Ok(Saved::Unchanged), "P19");
    drop(guard);
    assert_eq!(fs::read_to_string(&path).unwrap(), GCLOUD);
    assert_eq!(bench.names(), ["application_default_credentials.json"]);
    let found = bench.one();
    assert_eq!((access(login(&found)), refresh(login(&found))), ("FAKE-A2", "1//FAKE-R"));
    assert_eq!(login(&found).tokens.expires_at, renewed.tokens.expires_at);
    let kept = bench.tokens().join(format!("{}.json", found.id));
    assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);

    // A new login in the file wins over what was kept for the old one.
    bench.put("application_default_credentials.json", &GCLOUD.replace("1//FAKE-R", "1//FAKE-N"));
    let found = bench.one();
    assert_eq!((access(login(&found)), refresh(login(&found))), ("", "1//FAKE-N"));
}

#[test]
fn an_account_list_is_one_credential_each_and_takes_rotated_refresh_tokens() {
    let bench = Bench::new();
    let path = bench.put("antigravity-accounts.json", ACCOUNTS);
    let inventory = bench.load();
    let [first, second] = inventory.credentials.as_slice() else { panic!("two accounts") };
    assert_ne!(first.id, second.id);
    assert_eq!((first.disabled.as_deref(), second.disabled.as_deref()), (None, Some("disabled in its file")));

    let store = bench.store();
    let mut guard = store.lock(first, WAIT).unwrap();
    let old = guard.read().unwrap();
    assert_eq!((access(&old), refresh(&old)), ("", "1//FAKE-R"));
    assert_eq!(guard.prove_writable(false), Ok(Saved::InState));
    assert_eq!(guard.save(&renewed(&old)), Ok(Saved::InState));
    assert_eq!(fs::read_to_string(&path).unwrap(), ACCOUNTS);
    assert!(store.lock(second, WAIT).is_err(), "one lock for one file");
    assert_eq!(guard.save(&rotated(&old)), Ok(Saved::InState));
    assert_eq!(fs::read_to_string(&path).unwrap(), ACCOUNTS.replace("1//FAKE-R", "FAKE-R2"));
    drop(guard);
    let again = bench.load();
    let found = again.credentials.first().unwrap();
    assert_eq!((&found.id, access(login(found)), refresh(login(found))), (&first.id, "FAKE-A2", "FAKE-R2"));

    // Accounts are found by name when the list is in another order.
    let mut list: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    list["accounts"].as_array_mut().unwrap().reverse();
    bench.put("antigravity-accounts.json", &list.to_string());
    assert_eq!(refresh(&store.lock(second, WAIT).unwrap().read().unwrap()), "1//FAKE-B");
}

#[test]
fn what_cannot_be_used_is_named_with_a_remedy_and_left_alone() {
    for (name, text, reason) in [
        ("qwen.json", "", "an empty file at line 1; it is left as it is"),
        (
            "qwen.json",
            "{\n\"access_token\": \"canary",
            "JSON that ends too early at line 2; it is left as it is",
        ),
        (
            "x.json",
            r#"{"hello":1}"#,
            "it is of no known kind; docs/credentials lists those that are read; it is left as it is",
        ),
        ("x.json", "[1]", "it is JSON, but no object; a credential file is one; it is left as it is"),
        (
            "x.json",
            SIMPLE,
            "it does not say whose login it is; name it after its provider, for example `qwen_code-1.json`",
        ),
        (
            "iflow.json",
            r#"{"cookie":"BXAuth=FAKE;","api_key":"sk-FAKE","name":"n","expire_time":"2026-09-28 12:00","_proxy_metadata":{"credential_type":"cookie"}}"#,
            "iFlow cookie logins are not supported; use iFlow's OAuth login (`~/.iflow/oauth_creds.json`) or an API key; it is left as it is",
        ),
        (
            "openai.json",
            r#"{"access_token":"FAKE-A","expires_at":1}"#,
            "OpenAI takes API keys, no logins; set OPENAI_API_KEY",
        ),
        (
            "qwen.json",
            r#"{"access_token":"FAKE-A","refresh_token":"FAKE-R","resource_url":"evil.example","expiry_date":1}"#,
            "foreign endpoint evil.example; nothing was sent there",
        ),
        (
            "gemini.json",
            r#"{"token":"ya29.FAKE-A","refresh_token":"1//FAKE-R","client_id":"x","token_uri":"https://evil.example/t","expiry":"2026-09-21T14:13:20"}"#,
            "foreign endpoint evil.example; nothing was sent there",
        ),
        (
            "antigravity.json",
            r#"{"type":"antigravity","access_token":"ya29.FAKE-A","base_url":"http://10.0.0.1/"}"#,
            "foreign endpoint 10.0.0.1; nothing was sent there",
        ),
        (
            "gemini.json",
            r#"{"type":"authorized_user","client_id":"x","refresh_token":"1//FAKE-R","universe_domain":"evil.example"}"#,
            "foreign endpoint evil.example; nothing was sent there",
        ),
    ] {
        let bench = Bench::new();
        let path = bench.put(name, text);
        bench.put("iflow-good.json", &SIMPLE.replace("FAKE-R", "FAKE-GOOD"));
        let inventory = bench.load();
        let [Rejected { label, reason: found, .. }] = inventory.rejected.as_slice() else {
            panic!("{text} is rejected")
        };
        assert_eq!((label.as_str(), found.as_str()), (name, reason));
        assert_eq!(fs::read_to_string(path).unwrap(), text);
        assert_eq!(inventory.credentials.len(), 1, "the rest works");
    }
    for kind in [
        "service_account",
        "external_account",
        "external_account_authorized_user",
        "impersonated_service_account",
        "codex",
    ] {
        let bench = Bench::new();
        bench.put(
            "gemini.json",
            &format!(r#"{{"type":"{kind}","refresh_token":"FAKE","access_token":"FAKE"}}"#),
        );
        assert_eq!(bench.load().rejected.len(), 1, "{kind} is refused");
    }
}

#[test]
fn p20_an_inline_credential_that_rotated_is_found_again_and_a_new_one_wins() {
    let bench = Bench::new();
    let inline = |json: &str| {
        [SourceSpec::Inline {
            variable: "QWEN_CODE_OAUTH_CREDENTIALS".to_owned(),
            provider: provider("qwen_code"),
            json: Secret::new(json),
        }]
    };
    let store = bench.store();
    let credential = only(&store.load(&inline(SIMPLE)));
    let mut guard = store.lock(&credential, WAIT).unwrap();
    let old = guard.read().unwrap();
    assert_eq!(guard.prove_writable(true), Ok(Saved::InState), "it has no other place");
    assert_eq!(guard.save(&rotated(&old)), Ok(Saved::InState));
    assert_eq!(refresh(&guard.read().unwrap()), "FAKE-R2");
    drop(guard);

    let again = only(&bench.store().load(&inline(SIMPLE)));
    assert_eq!(
        (&again.id, access(login(&again)), refresh(login(&again))),
        (&credential.id, "FAKE-A2", "FAKE-R2")
    );
    // Rotated twice: the state file is written over, by the token that stands in it.
    let mut guard = store.lock(&credential, WAIT).unwrap();
    let mut third = rotated(&guard.read().unwrap());
    third.tokens.refresh = Some(Secret::new("FAKE-R3"));
    guard.save(&third).unwrap();
    drop(guard);
    let new = only(&bench.store().load(&inline(SIMPLE)));
    assert_eq!(refresh(login(&new)), "FAKE-R3");
    assert_eq!(names(&bench.tokens()), [format!("{}.json", credential.id)]);

    let other = only(&bench.store().load(&inline(&SIMPLE.replace("FAKE-R", "FAKE-NEW"))));
    assert_eq!(refresh(login(&other)), "FAKE-NEW");
}

#[test]
fn one_login_is_loaded_once_and_named_sources_come_first() {
    let bench = Bench::new();
    let path = bench.put("qwen-1.json", SIMPLE);
    bench.put("qwen-2.json", SIMPLE);
    symlink(&path, bench.credentials().join("qwen-0.json")).unwrap();
    let inventory = bench.store().load(&[
        SourceSpec::Folder(bench.credentials()),
        SourceSpec::File {
            variable: "IFLOW_OAUTH_CREDENTIALS".to_owned(),
            provider: provider("iflow"),
            path,
        },
        SourceSpec::Key {
            variable: "OPENAI_API_KEY".to_owned(),
            provider: provider("openai"),
            key: Secret::new("sk-FAKE"),
        },
        SourceSpec::Key {
            variable: "OPENAI_API_KEY_1".to_owned(),
            provider: provider("openai"),
            key: Secret::new("sk-FAKE"),
        },
    ]);
    let [file, key] = inventory.credentials.as_slice() else { panic!("two credentials") };
    assert_eq!((file.provider.as_str(), key.dialect), ("iflow", Dialect::ApiKey));
    let same = |label: &str, id: &CredentialId| SameLogin { label: label.to_owned(), credential: id.clone() };
    assert_eq!(
        inventory.same_login,
        [
            same("OPENAI_API_KEY_1", &key.id),
            same("qwen-0.json", &file.id),
            same("qwen-1.json", &file.id),
            same("qwen-2.json", &file.id)
        ]
    );
    assert!(inventory.watch.contains(&bench.credentials().canonicalize().unwrap()));
}

#[test]
fn the_scan_passes_over_what_is_no_credential() {
    let bench = Bench::new();
    for name in
        [".hidden.json", ".qwen.json.0000000000000000.new", "qwen.json.lock", "README.md", "notes.txt"]
    {
        bench.put(name, SIMPLE);
    }
    fs::create_dir(bench.credentials().join("sub.json")).unwrap();
    let inventory = bench.load();
    assert!(inventory.credentials.is_empty() && inventory.rejected.is_empty());

    symlink("nowhere.json", bench.credentials().join("link.json")).unwrap();
    let rejected = bench.load().rejected;
    assert_eq!(rejected.first().unwrap().reason, "it is a link to nothing; remove it or log in again");
}

#[test]
fn a_missing_folder_is_a_warning_that_says_what_to_do() {
    let bench = Bench::new();
    let inventory = bench.store().load(&[SourceSpec::Folder(PathBuf::from("/nowhere/credentials"))]);
    assert!(inventory.credentials.is_empty() && inventory.rejected.is_empty());
    assert!(
        inventory.warnings.first().unwrap().contains("mkdir -p /nowhere/credentials"),
        "{:?}",
        inventory.warnings
    );
}

#[test]
fn unaccepted_terms_disable_and_say_which_line_to_set() {
    let bench = Bench::new();
    bench.put("gemini-a.json", SAMPLES[1].text);
    let mut options = bench.options();
    options.providers = Arc::new(Catalog::builtin());
    let inventory = Store::new(options).load(&[SourceSpec::Folder(bench.credentials())]);
    assert_eq!(
        only(&inventory).disabled.as_deref(),
        Some("terms not accepted: set ACCEPT_PROVIDER_TERMS=gemini_cli")
    );
}

#[test]
fn a_file_without_a_refresh_token_loads_with_a_warning() {
    let bench = Bench::new();
    bench.put("qwen.json", r#"{"access_token":"FAKE-A","expires_at":1790000000}"#);
    let inventory = bench.load();
    assert_eq!(login(&only(&inventory)).tokens.refresh, None);
    assert_eq!(
        inventory.warnings,
        ["qwen.json has no refresh token: log in again when its access token expires"]
    );
}

#[test]
fn two_logins_of_one_account_have_two_ids() {
    let bench = Bench::new();
    let sample = r#"{"type":"qwen","access_token":"A1","refresh_token":"R1","email":"a@example.com","expired":"2026-09-21T14:13:20Z"}"#;
    bench.put("qwen-1.json", sample);
    bench.put("qwen-2.json", &sample.replace("R1", "R2"));
    let ids: Vec<_> = bench.load().credentials.into_iter().map(|credential| credential.id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    let again: Vec<_> = bench.load().credentials.into_iter().map(|credential| credential.id).collect();
    assert_eq!(ids, again);
}

#[test]
fn an_import_links_rotating_logins_copies_others_and_never_overwrites() {
    let bench = Bench::new();
    let folder = bench.credentials();
    let original = bench.root().join("oauth_creds.json");
    write(&original, SAMPLES[2].text);
    let store = bench.store();
    let imported = store.import(&original, None, &folder, ImportMode::Auto).unwrap();
    assert_eq!(imported.how, ImportedAs::Link);
    assert_eq!(fs::read_link(&imported.path).unwrap(), original.canonicalize().unwrap());
    let name = imported.path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("qwen_code-") && name.len() == "qwen_code-.json".len() + 8, "{name}");
    assert_eq!(
        store.import(&original, None, &folder, ImportMode::Copy),
        Err(ImportError::AlreadyThere { label: name })
    );

    write(&original, SAMPLES[1].text);
    fs::remove_file(&imported.path).unwrap();
    let imported = store.import(&original, None, &folder, ImportMode::Auto).unwrap();
    assert_eq!(imported.how, ImportedAs::Copy, "Google rotates nothing");
    assert_eq!(fs::read_to_string(&imported.path).unwrap(), SAMPLES[1].text);
    assert_eq!(fs::metadata(&imported.path).unwrap().permissions().mode() & 0o777, 0o600);

    write(&original, "{}");
    assert!(matches!(
        store.import(&original, None, &folder, ImportMode::Auto),
        Err(ImportError::Rejected(_))
    ));
}
