//! Documents that repeat what the code says are held to it.
#![expect(clippy::disallowed_methods, reason = "one test, run by hand, writes the documents")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::DateTime;
use cortana::{
    config::variables,
    credential::CredentialId,
    pool::{CoolingModel, CredentialView, LastRefresh, State},
    sandbox::scenario,
    telemetry::metrics,
};

const VARIABLES: (&str, &str) = ("<!-- variables -->\n", "<!-- /variables -->");
const METRICS: (&str, &str) = ("<!-- metrics -->\n", "<!-- /metrics -->");
const PAGE_OF_METRICS: &str = "docs/operating.md";
const COMMANDS: (&str, &str) = ("<!-- commands -->\n", "<!-- /commands -->");

const SCENARIOS: (&str, &str) = ("<!-- scenarios -->\n", "<!-- /scenarios -->");
const PAGE_OF_SCENARIOS: &str = "docs/sandbox.md";

/// The documents that have the table of variables.
const TABLES_OF_VARIABLES: [&str; 2] = ["docs/configuration.md", "README.md"];

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(document(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The text between two markers, and what stands before and behind it.
fn between<'a>(name: &str, text: &'a str, (begin, end): (&str, &str)) -> (&'a str, &'a str, &'a str) {
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{name} has no {begin}"));
    let (inside, behind) = rest.split_once(end).unwrap_or_else(|| panic!("{name} has no {end}"));
    (before, inside, behind)
}

const REMEDY: &str = "write it again: cargo test --test it docs_in_sync::write -- --ignored";

#[test]
fn env_example_has_every_variable_with_its_default_and_one_line() {
    assert!(read(".env.example") == variables::env_example(), ".env.example differs from the code; {REMEDY}");
}

#[test]
fn the_readme_and_the_page_on_configuration_have_every_variable() {
    for name in TABLES_OF_VARIABLES {
        let text = read(name);
        let (_, inside, _) = between(name, &text, VARIABLES);
        assert!(inside.trim() == variables::markdown().trim(), "{name} differs from the code; {REMEDY}");
    }
}

#[test]
fn the_page_on_configuration_names_what_holds_at_once() {
    let text = read("docs/configuration.md");
    let (_, inside, _) = between("docs/configuration.md", &text, ("<!-- at once -->", "<!-- /at once -->"));
    for variable in variables::VARIABLES {
        let is_named = inside.contains(&format!("`{}`", variable.name));
        assert_eq!(is_named, cortana::config::is_at_once(variable.name), "{}", variable.name);
    }
    for variable in variables::PROVIDER_VARIABLES {
        let is_named = inside.contains(&format!("`<PROVIDER>_{}`", variable.suffix));
        let is_at_once = cortana::config::is_at_once(&format!("OPENAI_{}", variable.suffix));
        assert_eq!(is_named, is_at_once, "{}", variable.suffix);
    }
}

/// The table of every metric.
fn table_of_metrics() -> String {
    let rows = metrics::ALL.iter().map(|metric| {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |\n", metric.name, metric.kind, labels.join(", "), metric.help)
    });
    let header = "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n".to_owned();
    std::iter::once(header).chain(rows).collect()
}

#[test]
fn p36_the_page_on_operating_has_every_metric() {
    let text = read(PAGE_OF_METRICS);
    let (_, inside, rules) = between(PAGE_OF_METRICS, &text, METRICS);
    assert!(inside == table_of_metrics(), "{PAGE_OF_METRICS} differs from the code; {REMEDY}");
    let is_of_a_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let named = rules.split(|c| !is_of_a_name(c)).filter(|word| word.starts_with("cortana_"));
    for name in named {
        assert!(
            metrics::ALL.iter().any(|metric| metric.name == name),
            "the rules name {name}, which is no metric"
        );
    }
}

#[test]
fn p32_every_field_of_the_status_is_documented() {
    let id = CredentialId::new("c0ffee");
    let view = CredentialView {
        cooling_models: vec![CoolingModel {
            model: String::new(),
            until: DateTime::UNIX_EPOCH,
            reason: String::new(),
        }],
        last_refresh: Some(LastRefresh { at: DateTime::UNIX_EPOCH, failure: None }),
        ..CredentialView::unknown(id, "gemini.json", State::Ready)
    };
    let text = read(PAGE_OF_METRICS);
    let view = serde_json::to_value(view).expect("JSON");
    let parts = [view.clone(), view["cooling_models"][0].clone(), view["last_refresh"].clone()];
    for part in parts {
        for field in part.as_object().expect("an object").keys() {
            assert!(text.contains(&format!("`{field}`")), "{PAGE_OF_METRICS} lacks {field}");
        }
    }
    for state in State::ALL {
        assert_eq!(serde_json::to_value(state).expect("JSON"), state.name());
    }
}

/// The table of every scenario that comes along.
fn table_of_scenarios() -> String {
    let rows = scenario::embedded().map(|(name, _)| {
        let title = scenario::find(name).expect("it comes along").title;
        format!("| `{name}` | {title} |\n")
    });
    std::iter::once("| name | what it shows |\n|---|---|\n".to_owned()).chain(rows).collect()
}

#[test]
fn the_page_on_the_sandbox_has_every_scenario() {
    let text = read(PAGE_OF_SCENARIOS);
    let (_, inside, _) = between(PAGE_OF_SCENARIOS, &text, SCENARIOS);
    assert!(inside == table_of_scenarios(), "{PAGE_OF_SCENARIOS} differs from the code; {REMEDY}");
}

#[test]
fn the_readme_names_every_command() {
    let text = read("README.md");
    let (_, inside, _) = between("README.md", &text, COMMANDS);
    let missing: Vec<_> = cortana::cli::subcommands()
        .into_iter()
        .filter(|command| !inside.contains(&format!("`cortana {command}")))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "README.md's table of commands lacks these");
}

#[test]
fn env_example_is_a_configuration() {
    // As it stands, and with every commented line switched on that has a value.
    for text in [variables::env_example(), variables::env_example().replace("\n# ", "\n")] {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let pairs = pairs
            .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || "_0123456789".contains(c)));
        let source: cortana::config::MapSource =
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let settings = cortana::config::load(&source).expect("the example is a good configuration");
        assert_eq!(settings.warnings, Vec::<String>::new());
    }
}

#[test]
#[ignore = "writes .env.example, README.md and pages of docs"]
fn write() {
    fs::write(document(".env.example"), variables::env_example()).expect("write .env.example");
    for name in TABLES_OF_VARIABLES {
        let text = read(name);
        let (before, _, behind) = between(name, &text, VARIABLES);
        let table = variables::markdown();
        let (begin, end) = VARIABLES;
        fs::write(document(name), format!("{before}{begin}{table}{end}{behind}")).expect("write the page");
    }
    let text = read(PAGE_OF_METRICS);
    let (before, _, behind) = between(PAGE_OF_METRICS, &text, METRICS);
    let (table, (begin, end)) = (table_of_metrics(), METRICS);
    fs::write(document(PAGE_OF_METRICS), format!("{before}{begin}{table}{end}{behind}"))
        .expect("write the page");
    let text = read(PAGE_OF_SCENARIOS);
    let (before, _, behind) = between(PAGE_OF_SCENARIOS, &text, SCENARIOS);
    let (table, (begin, end)) = (table_of_scenarios(), SCENARIOS);
    fs::write(document(PAGE_OF_SCENARIOS), format!("{before}{begin}{table}{end}{behind}"))
        .expect("write the page");
}
