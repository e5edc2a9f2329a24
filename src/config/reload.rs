//! What changed between two readings of the configuration, by the names of variables, and which of it holds at once.

use std::collections::BTreeSet;

use toml::Table;

use super::Source;

/// Variables whose change holds for the next question; every other one needs a restart.
const AT_ONCE: &[&str] = &[
    "ALERT_MIN_HEALTHY",
    "ALLOWED_CHANNEL_IDS",
    "ALLOWED_GUILD_IDS",
    "ALLOWED_ROLE_IDS",
    "ALLOW_DMS",
    "BLOCKED_USER_IDS",
    "CONVERSATION_TTL_SECS",
    "DEFAULT_MODEL",
    "GUILD_MODELS",
    "OPERATOR_IDS",
    "PROVIDER_ORDER",
    "REQUEST_DEADLINE_SECS",
    "ROTATION_STRATEGY",
    "STREAM_IDLE_SECS",
    "STREAM_MAX_SECS",
    "SYSTEM_PROMPT_FILE",
    "USER_MESSAGES_PER_HOUR",
];

/// The same of every provider's variables, by what follows the prefix.
const AT_ONCE_OF_PROVIDERS: &[&str] =
    &["_API_BASE", "_API_KEY", "_MODELS", "_OAUTH_CREDENTIALS", "_USER_AGENT"];

/// The names of what changed; never a value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// What holds from now on.
    pub applied: Vec<String>,
    /// What a restart is needed for.
    pub restart: Vec<String>,
}

impl Changes {
    /// What differs between two sources.
    pub fn between(old: &dyn Source, new: &dyn Source) -> Self {
        let mut changes = Self::default();
        let names: BTreeSet<String> = old.names().into_iter().chain(new.names()).collect();
        for name in names.into_iter().filter(|name| old.get(name) != new.get(name)) {
            if is_at_once(&name) { changes.applied.push(name) } else { changes.restart.push(name) }
        }
        let (old, new) = (tables(old), tables(new));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            let list = if name == "pool" { &mut changes.applied } else { &mut changes.restart };
            list.push(format!("[{name}] of cortana.toml"));
        }
        changes
    }
}

/// What stands in `cortana.toml`, by its first keys; nothing where it cannot be read.
fn tables(source: &dyn Source) -> Table {
    let text = source.document().and_then(|document| document.text.ok());
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Whether a change of this variable holds at once.
pub fn is_at_once<'a>(name: &'a str) -> bool {
    let stem = name.strip_suffix("_FILE").filter(|_| name != "SYSTEM_PROMPT_FILE").unwrap_or(name);
    let numbered = |(stem, number): (&'a str, &str)| number.parse::<u32>().is_ok().then_some(stem);
    let stem = stem.rsplit_once('_').and_then(numbered).unwrap_or(stem);
    // Discord's own base is none of a provider's.
    let of_a_provider =
        || name != "DISCORD_API_BASE" && AT_ONCE_OF_PROVIDERS.iter().any(|suffix| stem.ends_with(suffix));
    AT_ONCE.contains(&stem) || (stem != "GUILD_MODELS" && of_a_provider())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MapSource, variables::VARIABLES};

    #[test]
    fn d23_changes_are_told_by_name_and_by_what_they_need() {
        let old = MapSource::new().with("GUILD_MODELS", "*").with("OPENAI_API_KEY_2", "sk-FAKE-1");
        let new = MapSource::new()
            .with("GUILD_MODELS", "openai")
            .with("OPENAI_API_KEY_2", "sk-FAKE-2")
            .with("OPENAI_CLIENT_ID", "x")
            .with("OPENAI_API_BASE", "http://127.0.0.1:9")
            .with("DISCORD_API_BASE", "http://127.0.0.1:9")
            .with_document("[pool]\nsticky_sessions = true\n");
        let changes = Changes::between(&old, &new);
        let pool = "[pool] of cortana.toml";
        assert_eq!(changes.applied, ["GUILD_MODELS", "OPENAI_API_BASE", "OPENAI_API_KEY_2", pool]);
        assert_eq!(changes.restart, ["DISCORD_API_BASE", "OPENAI_CLIENT_ID"]);
        assert_eq!(Changes::between(&new, &new), Changes::default());
    }

    #[test]
    fn what_holds_at_once_is_a_variable() {
        for name in AT_ONCE {
            assert!(VARIABLES.iter().any(|variable| variable.name == *name), "{name}");
        }
    }
}
