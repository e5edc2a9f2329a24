//! Which seat each credential has: the tier and the weight that `cortana.toml` gives it.

use std::collections::{BTreeMap, HashMap};

use super::{entry::Entry, table::Seat};
use crate::config::SeatRule;

/// Gives every credential its seat. What a rule that gives none says about itself.
pub(super) fn seat(entries: &mut [Entry], rules: &[SeatRule]) -> Vec<String> {
    for entry in entries.iter_mut() {
        entry.seat = Seat::default();
    }
    if rules.is_empty() {
        return Vec::new();
    }
    let mut by_label: HashMap<String, Vec<usize>> = HashMap::new();
    let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
    for (slot, entry) in entries.iter().enumerate() {
        let (id, provider) = (&entry.credential.id, &entry.credential.provider);
        by_id.insert(id.to_string(), slot);
        // As `import` names its files.
        by_id.insert(format!("{provider}-{id}"), slot);
        by_label.entry(entry.credential.place.label()).or_default().push(slot);
    }
    let mut unused = Vec::new();
    for rule in rules {
        let labels = [rule.credential.clone(), format!("{}.json", rule.credential)];
        let named = labels.iter().find_map(|label| by_label.get(label)).cloned();
        let slots = named.unwrap_or_else(|| {
            let from = by_id.range(rule.credential.clone()..);
            from.take_while(|(id, _)| id.starts_with(&rule.credential)).map(|(_, slot)| *slot).collect()
        });
        let is_one_source = by_label.values().any(|all| *all == slots);
        match slots.as_slice() {
            [] => unused.push(format!(
                "cortana.toml gives a tier or weight to {}, but no credential has this id, file name or variable",
                rule.credential
            )),
            [_, _, ..] if !is_one_source => unused.push(format!(
                "cortana.toml gives a tier or weight to {}, but several credentials have an id that begins so; write more of it",
                rule.credential
            )),
            all => {
                for slot in all {
                    entries[*slot].seat = Seat { tier: rule.tier, weight: rule.weight };
                }
            }
        }
    }
    unused
}
