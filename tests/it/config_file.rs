//! `cortana.toml`: what it sets, every mistake in it at once, and where it is looked for.

use std::{fs, time::Duration};

use cortana::config::{MapSource, SeatRule, Settings, environment, load};

fn settings(document: &str) -> Settings {
    load(&MapSource::new().with_document(document)).expect("a good configuration")
}

fn mistakes(document: &str) -> String {
    load(&MapSource::new().with_document(document)).expect_err("mistakes").to_string()
}

#[test]
fn tiers_weights_and_sticky_sessions_are_read() {
    let pool = settings(
        r#"
        [pool]
        sticky_sessions = true
        sticky_seconds = 60
        [pool.credentials."gemini_cli-1a2b3c4d"]
        tier = 2
        weight = 3
        [pool.credentials.OPENAI_API_KEY_1]
        weight = 100
        "#,
    )
    .pool;
    let rule = |credential: &str, tier, weight| SeatRule { credential: credential.to_owned(), tier, weight };
    assert_eq!(pool.seats, [rule("OPENAI_API_KEY_1", 1, 100), rule("gemini_cli-1a2b3c4d", 2, 3)]);
    assert_eq!(pool.sticky, Some(Duration::from_mins(1)));
    let pool = settings("[pool]\nsticky_seconds = 60").pool;
    assert_eq!((pool.seats.as_slice(), pool.sticky), (&[][..], None), "off unless it is asked for");
}

#[test]
fn every_mistake_in_the_file_is_told_with_its_key() {
    let told = mistakes(
        r#"
        pol = 1
        [pool]
        sticky_sessions = "yes"
        sticky_seconds = 0
        strategy = "round_robin"
        [pool.credentials]
        loose = 3
        [pool.credentials."a b"]
        tier = 101
        wieght = 2
        weight = "3"
        "#,
    );
    for expected in [
        "8 mistakes",
        "cortana.toml: pol: no such key; there are providers, limits, pool",
        "cortana.toml: pool.sticky_sessions=\"yes\": expected true or false",
        "cortana.toml: pool.sticky_seconds=0: expected a whole number from 1 to 86400",
        "cortana.toml: pool.strategy: no such key; there are sticky_sessions, sticky_seconds, credentials",
        "cortana.toml: pool.credentials.loose=3: expected a table of keys",
        "cortana.toml: pool.credentials.\"a b\".tier=101: expected a whole number from 1 to 100",
        "cortana.toml: pool.credentials.\"a b\".weight=\"3\": expected a whole number from 1 to 100",
        "cortana.toml: pool.credentials.\"a b\".wieght: no such key; there are tier, weight; did you mean `weight`?",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn what_is_no_toml_is_told_by_its_line_and_never_quoted() {
    let told = mistakes("[pool]\nsticky_sessions = true\nthis canary is no key\n");
    assert!(told.contains("cortana.toml, line 3") && !told.contains("canary"), "{told}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an operator writes the files")]
fn the_file_is_looked_for_beside_the_dotenv() {
    let folder = tempfile::tempdir().expect("a folder");
    let dotenv = folder.path().join("my.env");
    fs::write(&dotenv, "OPERATOR_IDS=1\n").expect("write");
    let read = || load(&environment(Some(&dotenv)).expect("good lines"));
    assert_eq!(read().expect("no file is no mistake").pool.sticky, None);
    fs::write(folder.path().join("cortana.toml"), "[pool]\nsticky_sessions = true\n").expect("write");
    assert_eq!(read().expect("a good file").pool.sticky, Some(Duration::from_mins(30)));
    fs::write(folder.path().join("cortana.toml"), [0xFF, 0xFE]).expect("write");
    assert!(read().expect_err("not UTF-8").to_string().contains("cortana.toml: the file cannot be read"));
}
