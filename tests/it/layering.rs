//! The direction of imports, `//!` on every file, and 500 lines at most.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const LEAVES: &[&str] = &["secret", "clock", "fs", "http", "language", "shutdown", "telemetry"];

/// What each room may import besides the leaves (ARCHITECTURE.md).
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("provider", &[]),
    ("config", &["provider"]),
    ("credential", &["provider"]),
    ("oauth", &["credential", "config", "provider"]),
    ("storage", &["config"]),
    ("pool", &["oauth", "credential", "config", "provider"]),
    ("llm", &["pool", "provider", "config", "credential", "oauth"]),
    ("hub", &["pool", "config"]),
    ("admin", &["pool", "config"]),
    ("tools", &["llm", "config"]),
    ("chat", &["tools", "llm", "config", "provider"]),
    (
        "discord",
        &["chat", "tools", "llm", "hub", "pool", "oauth", "credential", "provider", "storage", "config"],
    ),
    (
        "app",
        &[
            "discord",
            "chat",
            "tools",
            "llm",
            "hub",
            "admin",
            "storage",
            "pool",
            "oauth",
            "credential",
            "provider",
            "config",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "discord",
            "chat",
            "tools",
            "llm",
            "hub",
            "admin",
            "storage",
            "pool",
            "oauth",
            "credential",
            "provider",
            "config",
            "sandbox",
        ],
    ),
    ("sandbox", &[]),
    ("main", &["cli"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                found.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches"] {
        if root.join(folder).is_dir() {
            walk(&root.join(folder), &mut found);
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).to_string_lossy().into_owned()
}

/// The room of a source file: the first part of its path below `src`.
fn room(path: &Path) -> Option<String> {
    let relative = relative(path);
    let inside = relative.strip_prefix("src/")?;
    Some(inside.split('/').next()?.trim_end_matches(".rs").to_owned())
}

/// The rooms that a text names as `crate::ROOM`, also inside `use crate::{a::…, b::…}`.
fn imported(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for prefix in ["crate::", "cortana::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = code.get(at + prefix.len()..).unwrap_or_default();
            if let Some(group) = rest.strip_prefix('{') {
                let mut depth = 0usize;
                let mut word = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(std::mem::take(&mut word)),
                        _ if depth == 0 => word.push(c),
                        _ => {}
                    }
                }
                found.push(word);
            } else {
                found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    found
        .into_iter()
        .map(|word| word.trim().split("::").next().unwrap_or_default().trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn imports_run_one_way() {
    let rules: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let Some(room) = room(&path) else { continue };
        if room == "lib" {
            continue;
        }
        for import in imported(&text) {
            let is_leaf = LEAVES.contains(&import.as_str());
            let is_room = rules.contains_key(import.as_str());
            let allowed = if LEAVES.contains(&room.as_str()) {
                // `provider` asks `http` and `telemetry` is asked by `config`; leaves know nothing of ours but leaves.
                is_leaf || !is_room
            } else {
                is_leaf
                    || !is_room
                    || import == room
                    || rules.get(room.as_str()).is_some_and(|allowed| allowed.contains(&import.as_str()))
            };
            if !allowed {
                broken.push(format!("{}: `{room}` may not import `{import}`", relative(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") {
            broken.push(format!("{}: begins without `//!`", relative(&path)));
        }
        let lines = text.lines().count();
        if lines > 500 {
            broken
                .push(format!("{}: {lines} lines; 500 at most, split it by what it knows", relative(&path)));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn libraries_stay_in_their_rooms() {
    let only = [
        ("serenity::", &["discord"][..]),
        ("poise::", &["discord"]),
        ("std::env::", &["config"]),
        ("fs2::", &["fs"]),
        ("notify::", &["pool"]),
        ("clap::", &["cli"]),
        ("metrics_exporter_prometheus::", &["telemetry"]),
        ("sqlx::", &["storage"]),
        ("hf_hub::", &["hub"]),
        ("indicatif::", &["cli"]),
        ("rmcp::", &["tools"]),
    ];
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let Some(room) = room(&path) else { continue };
        for (name, rooms) in only {
            let names_it =
                text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(name));
            if names_it && !rooms.contains(&room.as_str()) {
                broken.push(format!("{}: `{name}` belongs to {rooms:?} alone", relative(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
