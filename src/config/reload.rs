//! What changed between two readings of the configuration, by the names of variables, and which of it holds at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use toml::Table;

use super::Source;
use crate::fs::read_text;

/// Variables whose change holds for the next question; every other one needs a restart.
const AT_ONCE: &[&str] = &[
    "ALERT_MIN_HEALTHY",
    "ALERT_OPERATORS",
    "ALLOWED_CHANNEL_IDS",
    "ALLOWED_GUILD_IDS",
    "ALLOWED_ROLE_IDS",
    "ALLOWED_USER_IDS",
    "ALLOW_BOTS",
    "ALLOW_DMS",
    "AUTO_THREADS",
    "DEFAULT_LANGUAGE",
    "BLOCKED_CHANNEL_IDS",
    "BLOCKED_GUILD_IDS",
    "BLOCKED_ROLE_IDS",
    "BLOCKED_USER_IDS",
    "CONVERSATION_MESSAGES",
    "CONVERSATION_TTL_SECS",
    "DEFAULT_MODEL",
    "GUILD_MODELS",
    "OPERATOR_IDS",
    "PERSONAS_DIR",
    "PROVIDER_ORDER",
    "REPLY_STYLE",
    "REQUEST_DEADLINE_SECS",
    "ROTATION_STRATEGY",
    "STREAM_IDLE_SECS",
    "STREAM_MAX_SECS",
    "SYSTEM_PROMPT_FILE",
    "TIME_ZONE",
    "USER_MESSAGES_PER_HOUR",
    "USER_TOKENS_PER_DAY",
];

/// The same of every provider's variables, by what follows the prefix.
const AT_ONCE_OF_PROVIDERS: &[&str] =
    &["_API_BASE", "_API_KEY", "_MODELS", "_OAUTH_CREDENTIALS", "_USER_AGENT"];

/// Bytes of a file that a variable names: far more than a prompt or a secret has.
const LONGEST: u64 = 1 << 20;

/// The configuration as it was read once.
#[derive(Debug)]
pub struct Reading {
    source: Box<dyn Source>,
    /// What stood in the files that variables name, as a hash.
    contents: BTreeMap<String, u64>,
}

/// The names of what changed; never a value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// What holds from now on.
    pub applied: Vec<String>,
    /// What a restart is needed for.
    pub restart: Vec<String>,
}

impl Reading {
    /// This source, and the files that its variables name, as they are now.
    pub fn of(source: impl Source + 'static) -> Self {
        let named = source.names().into_iter().filter(|name| name.ends_with("_FILE"));
        let contents = named
            .filter_map(|name| {
                let path = source.get(&name)?;
                let mut hasher = DefaultHasher::new();
                read_text(Path::new(&path), LONGEST).ok().hash(&mut hasher);
                Some((name, hasher.finish()))
            })
            .collect();
        Self { source: Box::new(source), contents }
    }

    /// What is different since an earlier one.
    pub fn changes_since(&self, old: &Self) -> Changes {
        let mut changes = Changes::default();
        let names: BTreeSet<String> = old.source.names().into_iter().chain(self.source.names()).collect();
        let is_other = |name: &String| {
            old.source.get(name) != self.source.get(name) || old.contents.get(name) != self.contents.get(name)
        };
        for name in names.into_iter().filter(is_other) {
            if is_at_once(&name) { changes.applied.push(name) } else { changes.restart.push(name) }
        }
        let (old, new) = (tables(&*old.source), tables(&*self.source));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            let list = if ["pool", "fallbacks", "tools", "limits"].contains(&name.as_str()) {
                &mut changes.applied
            } else {
                &mut changes.restart
            };
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
pub fn is_at_once(name: &str) -> bool {
    let stem = name.strip_suffix("_FILE").filter(|_| name != "SYSTEM_PROMPT_FILE").unwrap_or(name);
    let numbered = stem.rsplit_once('_').filter(|(_, number)| number.parse::<u32>().is_ok());
    let stem = numbered.map_or(stem, |(stem, _)| stem);
    // Discord's own base is none of a provider's.
    let of_a_provider =
        || stem != "DISCORD_API_BASE" && AT_ONCE_OF_PROVIDERS.iter().any(|suffix| stem.ends_with(suffix));
    AT_ONCE.contains(&stem) || of_a_provider()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MapSource, variables::VARIABLES};

    #[test]
    fn d23_changes_are_told_by_name_and_by_what_they_need() {
        let folder = tempfile::tempdir().expect("a folder");
        let prompt = folder.path().join("prompt.txt");
        let source = || MapSource::new().with("SYSTEM_PROMPT_FILE", prompt.display().to_string());
        let old = Reading::of(source().with("GUILD_MODELS", "*").with("OPENAI_API_KEY_2", "sk-FAKE-1"));
        #[expect(clippy::disallowed_methods, reason = "a person writes a prompt")]
        std::fs::write(&prompt, "Be brief.").expect("a file");
        let new = Reading::of(
            source()
                .with("GUILD_MODELS", "openai")
                .with("OPENAI_API_KEY_2", "sk-FAKE-2")
                .with("OPENAI_CLIENT_ID", "x")
                .with("OPENAI_API_BASE", "http://127.0.0.1:9")
                .with("DISCORD_API_BASE", "http://127.0.0.1:9")
                .with_document("[pool]\nsticky_sessions = true\n[fallbacks]\n\"a/b\" = [\"c/d\"]\n[[limits]]\nrole = 1\n"),
        );
        let changes = new.changes_since(&old);
        let at_once = [
            "GUILD_MODELS",
            "OPENAI_API_BASE",
            "OPENAI_API_KEY_2",
            "SYSTEM_PROMPT_FILE",
            "[fallbacks] of cortana.toml",
            "[limits] of cortana.toml",
            "[pool] of cortana.toml",
        ];
        assert_eq!(changes.applied, at_once, "the prompt's text is another one");
        assert_eq!(changes.restart, ["DISCORD_API_BASE", "OPENAI_CLIENT_ID"]);
        assert_eq!(new.changes_since(&new), Changes::default());
    }

    #[test]
    fn what_holds_at_once_is_a_variable() {
        for name in AT_ONCE {
            assert!(VARIABLES.iter().any(|variable| variable.name == *name), "{name}");
        }
    }
}
