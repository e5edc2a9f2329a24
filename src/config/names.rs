//! Names near to a misspelt one, and the warnings about variables that nobody reads.

use std::collections::BTreeSet;

use super::{Source, providers, variables};
use crate::provider::Catalog;

/// Prefixes that nobody else uses: every unknown name below them is worth a warning.
const OWN_PREFIXES: &[&str] = &["DISCORD_", "OAUTH_", "CREDENTIALS_", "ALERT_"];

/// Prefixes that others use too: a name below them is worth a warning only when it is nearly one of ours.
const SHARED_PREFIXES: &[&str] = &[
    "ACCEPT_",
    "ADMIN_",
    "ALLOW_",
    "ALLOWED_",
    "BLOCKED_",
    "CONVERSATION_",
    "DEFAULT_",
    "LOG_",
    "OPERATOR_",
    "PROVIDER_",
    "REQUEST_",
    "ROTATION_",
    "STATE_",
    "STREAM_",
    "SYSTEM_PROMPT_",
    "USER_",
];

/// Letters that may differ between a misspelt name and the one that was meant.
const NEAR: usize = 3;

/// The nearest of the candidates, if it is near enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = NEAR.min(name.chars().count() / 2);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The nearest candidate, or else the first that goes on where the name ends: `qwen` for `qwen_code`.
fn meant<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    nearest(name, candidates.clone()).or_else(|| {
        candidates.into_iter().find(|candidate| name.chars().count() > 2 && candidate.starts_with(name))
    })
}

/// `; did you mean …?`, or nothing.
pub(super) fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    meant(name, candidates).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Letters to insert, remove, replace or swap with their neighbour to get from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().flat_map(char::to_lowercase).collect();
    let to: Vec<char> = to.chars().flat_map(char::to_lowercase).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && from[i - 1] == *b && to[j - 1] == *a;
            if swapped {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

/// One warning for every variable that is set and read by nobody: of a later version, or misspelt.
pub(super) fn unread(source: &dyn Source, catalog: &Catalog) -> Vec<String> {
    let known = known_names(catalog);
    let prefixes: Vec<String> = catalog.iter().map(|row| format!("{}_", row.id.variable_prefix())).collect();
    let mut names = source.names();
    names.sort();
    names
        .into_iter()
        .filter(|name| source.get(name).is_some_and(|value| !value.trim().is_empty()))
        .filter(|name| !known.contains(without_number(name).as_str()))
        .filter_map(|name| {
            if variables::is_of_a_later_version(&name) {
                return Some(format!("{name} is set, but is not used by this version"));
            }
            let own = OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                || prefixes.iter().any(|prefix| name.starts_with(prefix));
            let shared = SHARED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            match nearest(&name, known.iter().map(String::as_str)) {
                Some(near) if own || shared => {
                    Some(format!("{name} is not a variable of Cortana; did you mean {near}?"))
                }
                None if own => Some(format!("{name} is not a variable of Cortana and has no effect")),
                Some(_) | None => None,
            }
        })
        .collect()
}

/// Every name that is read, without the number of numbered ones.
fn known_names(catalog: &Catalog) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for variable in variables::VARIABLES {
        known.insert(variable.name.to_owned());
        if variable.is_secret() {
            known.insert(format!("{}_FILE", variable.name));
        }
    }
    for row in catalog.iter() {
        for variable in variables::PROVIDER_VARIABLES.iter().filter(|variable| variable.concerns(row)) {
            for prefix in providers::prefixes(row, variable.suffix) {
                known.insert(format!("{prefix}_{}", variable.suffix));
                if variable.is_secret() {
                    known.insert(format!("{prefix}_{}_FILE", variable.suffix));
                }
            }
        }
    }
    known
}

/// `X_API_KEY_2` becomes `X_API_KEY`, `X_API_KEY_2_FILE` becomes `X_API_KEY_FILE`, where the name is of a numbered kind.
fn without_number(name: &str) -> String {
    let (stem, file) = name.strip_suffix("_FILE").map_or((name, ""), |stem| (stem, "_FILE"));
    if let Some((base, number)) = stem.rsplit_once('_')
        && number.parse::<u32>().is_ok()
        && variables::PROVIDER_VARIABLES
            .iter()
            .any(|variable| variable.is_numbered() && base.ends_with(variable.suffix))
    {
        return format!("{base}{file}");
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters_and_swaps() {
        assert_eq!(distance("DISCORD_TOKEN", "DISCORD_TOKEN"), 0);
        assert_eq!(distance("DISCORD_TOEKN", "DISCORD_TOKEN"), 1);
        assert_eq!(distance("DISCORD_TOKE", "DISCORD_TOKEN"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn short_names_are_not_near_to_everything() {
        assert_eq!(nearest("ab", ["xy"]), None);
        assert_eq!(nearest("polll", ["auto", "poll", "off"]), Some("poll"));
    }
}
