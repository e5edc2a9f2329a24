//! Reading scenarios: those that come along, and every kind of mistake.

use super::*;

/// A file with these lines after its head.
fn file(lines: &str) -> String {
    format!(
        "title = \"t\"\nabout = \"a\"\n[[credentials]]\nprovider = \"gemini_cli\"\naccount = \"ada@example.com\"\n\
         [[credentials]]\nprovider = \"openai\"\n{lines}\n"
    )
}

fn refused(lines: &str) -> String {
    Scenario::read("my.toml", &file(lines)).expect_err("it is no scenario").to_string()
}

#[test]
fn every_scenario_that_comes_along_can_be_read_and_says_what_it_shows() {
    let mut titles = Vec::new();
    for (name, _) in embedded() {
        let scenario = find(name).expect("it is there");
        assert!(scenario.about.len() > 60, "{name} says too little: {}", scenario.about);
        assert!(
            scenario.steps.first().is_some_and(|step| step.tell.is_some()),
            "{name} begins without a word"
        );
        assert!(scenario.steps.iter().any(|step| step.expect.len() > 1), "{name} expects nothing");
        titles.push(scenario.title);
    }
    assert!(titles.len() >= 12, "{titles:?}");
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), embedded().count());
}

#[test]
fn every_file_of_the_folder_comes_along() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let name = name.trim_end_matches(".toml");
        assert!(embedded().any(|(known, _)| known == name), "{name} is not embedded");
    }
}

#[test]
fn a_step_is_read_in_full() {
    let text = file(
        r#"
[settings]
REQUEST_DEADLINE_SECS = 9
[[before]]
fault = { provider = "openai", at = "chat", times = "always", act = "hang" }
[[steps]]
tell = "One."
do = ["discord_clear", { throttle = { who = "ada@example.com", retry_after_secs = 7 } }, { gateway = "drop" }]
say = "hello"
people = 3
wait = "first_text"
expect = [{ chats = { who = "openai/key-1", at_least = 1, at_most = 2 } }]
[[steps]]
wait = "answer""#,
    );
    let scenario = Scenario::read("my.toml", &text).expect("a scenario");
    let ada = Target {
        provider: "gemini_cli".to_owned(),
        account: Some("ada@example.com".to_owned()),
        name: "ada@example.com".to_owned(),
    };
    let key = Target {
        provider: "openai".to_owned(),
        account: Some("key-1".to_owned()),
        name: "openai/key-1".to_owned(),
    };
    let all = Target { provider: "openai".to_owned(), account: None, name: "openai".to_owned() };
    assert_eq!(scenario.settings, [("REQUEST_DEADLINE_SECS".to_owned(), "9".to_owned())].into());
    assert_eq!(scenario.before, [Deed::Fault { of: all, at: Kind::Chat, times: None, act: Act::Hang }]);
    assert_eq!(
        scenario.steps,
        [
            Step {
                tell: Some("One.".to_owned()),
                deeds: vec![
                    Deed::DiscordClear,
                    Deed::Throttle { of: ada, retry_after_secs: 7, times: Some(1) },
                    Deed::Gateway(GatewayFault::Drop),
                ],
                said: Some(Said { text: "hello".to_owned(), by: Speaker::Crowd(3) }),
                wait: Wait::FirstText,
                expect: vec![Expectation::Chats(key, Bounds { least: 1, most: 2 })],
            },
            Step {
                tell: None,
                deeds: Vec::new(),
                said: None,
                wait: Wait::Answer,
                expect: vec![Expectation::Answer(Ending::Finished)],
            },
        ]
    );
}

#[test]
fn a_mistake_has_its_line_and_says_what_would_be_right() {
    let cases = [
        ("[[steps]]\nsya = \"hello\"", "my.toml:9: unknown field `sya`, expected one of `tell`, `do`, `say`"),
        ("[[steps]]\nsay = 3", "my.toml:9: invalid type: integer `3`, expected a string"),
        ("[[steps]]\ndo = [{ burn = 1 }]", "my.toml:9: unknown variant `burn`, expected one of `fault`"),
        ("[[steps]]\nsay = \"x", "my.toml:9: "),
        (
            "[[steps]]\nexpect = [{ state = { who = \"ada@example.com\", is = \"well\" } }]",
            "no state is called \"well\"; there are ready",
        ),
        (
            "[[steps]]\nexpect = [{ rests = \"bob\" }]",
            "my.toml:9: no credential is called \"bob\"; there are ada@example.com, openai/key-1",
        ),
        ("[[steps]]\ndo = [{ add = \"openai/key-1\" }]", "my.toml:9: openai/key-1 is a key in a variable"),
        (
            "[[steps]]\ndo = [{ clear = { who = \"ada@example.com\", provider = \"openai\" } }]",
            "say either `who`",
        ),
        (
            "[[steps]]\ndo = [{ clear = { provider = \"opnai\" } }]",
            "no provider \"opnai\" is emulated; there are",
        ),
        ("[[steps]]\nexpect = [{ messages = { exactly = 1, at_most = 2 } }]", "say `exactly`, or"),
        ("[[steps]]\nsay = \"x\"\npeople = 51", "`people` is a number from 1 to 50"),
        ("[[steps]]\nby = \"guest\"", "my.toml:8: `by` and `people` belong to a `say`"),
        (
            "[settings]\nSTATE_DIR = \"/\"\n[[steps]]",
            "my.toml:9: a scenario cannot set STATE_DIR; it can set ALERT",
        ),
        (
            "[settings]\nDEFAULT_MODEL = true\n[[steps]]",
            "my.toml:9: DEFAULT_MODEL is a text or a whole number",
        ),
        ("[[credentials]]\nprovider = \"openai\"\nfile = \"x.json\"\n[[steps]]", "openai has keys"),
        ("[[credentials]]\nprovider = \"iflow\"\n[[steps]]", "a login of iflow needs an account"),
        (
            "[[credentials]]\nprovider = \"iflow\"\naccount = \"ada@example.com\"\n[[steps]]",
            "two credentials are called ada@example.com",
        ),
        (
            "[[credentials]]\nprovider = \"iflow\"\naccount = \"x\"\nfile = \"../x.json\"\n[[steps]]",
            "file is a name that ends with .json",
        ),
        (
            "[[credentials]]\nprovider = \"gemini_cli\"\naccount = \"ada@example.org\"\n[[steps]]",
            "two logins have the file gemini_cli-ada.json",
        ),
        (
            "[[credentials]]\nprovider = \"iflow\"\naccount = \"x\"\nexpires_in_secs = 9223372036854775807\n[[steps]]",
            "`expires_in_secs` is a number from -315360000 to 315360000",
        ),
        ("[[steps]]\ndo = [{ advance_ms = 9223372036854775807 }]", "my.toml:9: `advance_ms` is at most"),
        ("[[steps]]\nexpect = [{ answer_contains = \"x\" }]", "my.toml:8: an answer is expected where none"),
        (
            "[[steps]]\nsay = \"x\"\nwait = \"nothing\"\nexpect = [{ answer = \"finished\" }]",
            "my.toml:8: an answer is expected where none",
        ),
    ];
    for (lines, expected) in cases {
        let mistake = refused(lines);
        assert!(mistake.contains(expected), "{lines}\n{expected}\n{mistake}");
        assert!(mistake.ends_with("docs/sandbox.md describes the keys of a scenario."), "{mistake}");
    }
    let missing = Scenario::read("my.toml", "title = \"t\"").expect_err("it is no scenario").to_string();
    assert!(missing.starts_with("my.toml") && missing.contains("missing field `about`"), "{missing}");
}
