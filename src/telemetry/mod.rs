//! Logs and metrics. Of logs: one subscriber, with foreign crates kept quiet because several of them print what they carry.

pub mod metrics;
mod panics;

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For a person at a terminal.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Crates that log payloads, headers or request bodies below `warn`; capped there whatever `RUST_LOG` says (P33).
///
/// serenity instruments requests with their routes at INFO, tungstenite logs whole frames (identify carries the
/// bot token) at TRACE, hyper and reqwest log headers and addresses.
const CAPPED: &[&str] = &[
    "serenity",
    "poise",
    "tungstenite",
    "tokio_tungstenite",
    "hyper",
    "hyper_util",
    "reqwest",
    "h2",
    "rustls",
    "tokio_rustls",
    "axum",
    "tower",
    "tower_http",
    "notify",
    "mio",
];

/// A crate that logs values of its connection's address at `warn`; capped at `error` (P33).
const HUSHED: &str = "sqlx";

/// Crates that log signed addresses even at `error`; whoever calls them reports what went wrong (P33).
const SILENCED: &[&str] = &["hf_hub", "xet"];

/// Starts logging to standard error, panics among it. A second call in one process does nothing.
///
/// `directives` is `RUST_LOG`; what cannot be parsed is ignored and reported as the return value.
pub fn init(format: LogFormat, directives: &str) -> Option<String> {
    let (filter, mistake) = filter(directives);
    let registry = tracing_subscriber::registry().with(filter);
    let result = match format {
        LogFormat::Pretty => {
            let colours = std::io::stderr().is_terminal();
            let layer = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colours);
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
        }
    };
    // Err: another subscriber stands already, which a test binary may have installed.
    if result.is_ok() {
        panics::log_them();
    }
    mistake
}

/// The filter for `RUST_LOG`, with the caps applied last so that nothing overrides them.
fn filter(directives: &str) -> (EnvFilter, Option<String>) {
    // Only our own crate's directives count below `warn`: a bare level is applied to `cortana`, the rest of the
    // world stays at `warn`.
    let mut ours = Vec::new();
    let mut mistake = None;
    for directive in directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        if directive.parse::<tracing_subscriber::filter::Directive>().is_err() {
            mistake = Some(directive.to_owned());
        } else if directive.starts_with(HUSHED) && directive.to_ascii_lowercase().ends_with("=warn") {
            // As loud as the rest of the world, but for what it says there.
        } else if SILENCED.iter().any(|target| directive.starts_with(target)) {
            // Nothing makes them speak.
        } else if is_level(directive) {
            ours.push(format!("cortana={directive}"));
        } else if directive.starts_with("cortana") || is_quiet(directive) {
            ours.push(directive.to_owned());
        } else if !directive.contains('=') {
            // Taken for the name of a target, as which nobody meant `verbose`.
            mistake = Some(directive.to_owned());
        }
    }
    if ours.is_empty() {
        ours.push("cortana=info".to_owned());
    }
    let mut text = vec!["warn".to_owned()];
    text.extend(CAPPED.iter().map(|target| format!("{target}=warn")));
    text.push(format!("{HUSHED}=error"));
    text.extend(SILENCED.iter().map(|target| format!("{target}=off")));
    text.extend(ours);
    (EnvFilter::new(text.join(",")), mistake)
}

fn is_level(directive: &str) -> bool {
    ["off", "error", "warn", "info", "debug", "trace"].contains(&directive.to_ascii_lowercase().as_str())
}

/// A directive for a foreign target that makes it no louder than `warn`.
fn is_quiet(directive: &str) -> bool {
    directive
        .rsplit_once('=')
        .is_some_and(|(_, level)| ["off", "error", "warn"].contains(&level.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p33_foreign_targets_cannot_be_made_loud() {
        let (filter, mistake) = filter("trace,serenity=trace,tungstenite::protocol=trace,hyper=error");
        let text = filter.to_string();
        assert_eq!(mistake, None);
        assert!(text.contains("cortana=trace"), "{text}");
        assert!(text.contains("serenity=warn") && !text.contains("serenity=trace"), "{text}");
        assert!(!text.contains("protocol=trace"), "{text}");
        assert!(text.contains("hyper=error"), "{text}");
        let text = super::filter("sqlx=warn,sqlx_postgres::options=WARN,sqlx_core=trace").0.to_string();
        assert!(text.contains("sqlx=error") && text.matches("sqlx").count() == 1, "{text}");
        let text = super::filter("hf_hub=error,hf_hub=warn,xet_client=error").0.to_string();
        assert!(text.contains("hf_hub=off") && text.matches("hf_hub").count() == 1, "{text}");
    }

    #[test]
    fn a_word_that_is_no_level_is_a_mistake() {
        for text in ["verbose", "info,loud", "cortana=verbose"] {
            assert!(filter(text).1.is_some(), "{text}");
        }
        assert_eq!(filter("debug,cortana::http=trace,serenity=debug,hyper=off").1, None);
    }

    #[test]
    fn nothing_said_means_info() {
        assert!(filter("").0.to_string().contains("cortana=info"));
    }
}
