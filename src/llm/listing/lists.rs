//! The lists that are known, and the rows with what they add.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::provider::{Catalog, Model, Provider, ProviderId};

/// How long a list counts as fresh, at most.
const DAY: TimeDelta = TimeDelta::days(1);
/// By how much earlier it may be asked for again, so that many do not ask at once.
const JITTER_SECS: f64 = 3.0 * 3600.0;
/// How long nobody asks again after a failure; after each further one twice as long, a day at most.
const PAUSE: TimeDelta = TimeDelta::minutes(15);

/// What is known of a provider's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct List {
    /// The API base that was asked: another one's list is another list.
    base: String,
    /// When it may be asked for again.
    pub(super) next_at: DateTime<Utc>,
    /// Failures since it was read last.
    #[serde(default)]
    failures: u32,
    /// When it was read.
    pub(super) fetched_at: Option<DateTime<Utc>>,
    #[serde(default)]
    models: Vec<Listed>,
}

/// A model as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    images: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tools: Option<bool>,
}

impl List {
    /// Nothing is known yet, and it may be asked for.
    fn unknown(row: &Provider) -> Self {
        Self {
            base: base(row),
            next_at: DateTime::<Utc>::MIN_UTC,
            failures: 0,
            fetched_at: None,
            models: Vec::new(),
        }
    }

    /// It was read. `jitter` is from 0 to 1.
    fn read(row: &Provider, models: Vec<Model>, now: DateTime<Utc>, jitter: f64) -> Self {
        let listed = |Model { id, context, images, tools, family: _ }| Listed { id, context, images, tools };
        Self {
            next_at: now + DAY - seconds(jitter * JITTER_SECS),
            fetched_at: Some(now),
            models: models.into_iter().map(listed).collect(),
            ..Self::unknown(row)
        }
    }

    /// It could not be read: what was known stays. `jitter` is from 0 to 1.
    fn failed(self, now: DateTime<Utc>, jitter: f64) -> Self {
        let times = 1_i32 << self.failures.min(7);
        let pause = (PAUSE * times).min(DAY);
        let next_at = now + pause + seconds(jitter * 60.0);
        Self { next_at, failures: self.failures.saturating_add(1), ..self }
    }

    /// Whether it may be asked for now. An instant beyond every pause was noted by a clock that ran ahead.
    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.next_at <= now || self.next_at > now + DAY + TimeDelta::minutes(1)
    }
}

fn seconds(number: f64) -> TimeDelta {
    #[expect(clippy::cast_possible_truncation, reason = "hours at most")]
    TimeDelta::seconds(number as i64)
}

fn base(row: &Provider) -> String {
    row.api_bases.first().map_or_else(String::new, ToString::to_string)
}

/// The rows as they are configured, and the lists that are known.
#[derive(Debug, Clone)]
pub(in crate::llm) struct Lists {
    /// The rows without what the lists add.
    pub(in crate::llm) configured: Arc<Catalog>,
    known: HashMap<ProviderId, List>,
}

impl Lists {
    /// None is known.
    pub(in crate::llm) fn new(configured: Arc<Catalog>) -> Self {
        Self { configured, known: HashMap::new() }
    }

    /// The list of a provider as it is configured now.
    pub(super) fn get(&self, row: &Provider) -> Option<&List> {
        self.known.get(&row.id).filter(|list| list.base == base(row))
    }

    /// A list that somebody else keeps, unless a newer one is known.
    pub(super) fn adopt(&mut self, provider: &ProviderId, list: List) {
        let Some(row) = self.configured.get(provider) else { return };
        if list.base == base(row) && self.get(row).is_none_or(|known| known.next_at < list.next_at) {
            self.known.insert(provider.clone(), list);
        }
    }

    /// What came of asking; `None`: nothing. The list as it is to be kept.
    pub(super) fn note(
        &mut self,
        row: &Provider,
        models: Option<Vec<Model>>,
        now: DateTime<Utc>,
        jitter: f64,
    ) -> List {
        let before = self.get(row).cloned().unwrap_or_else(|| List::unknown(row));
        let list = match models {
            Some(models) => List::read(row, models, now, jitter),
            None => before.failed(now, jitter),
        };
        self.known.insert(row.id.clone(), list.clone());
        list
    }

    /// How often a provider's list could not be read since it was.
    pub(super) fn failures(&self, row: &Provider) -> u32 {
        self.get(row).map_or(0, |list| list.failures)
    }

    /// Where a model of a row comes from.
    pub(in crate::llm) fn origin(&self, row: &Provider, model: &str) -> Origin {
        let list = self.get(row);
        let is_listed = list.is_some_and(|list| list.models.iter().any(|listed| listed.id == model));
        match list.and_then(|list| list.fetched_at) {
            Some(at) if is_listed => Origin::Listed(at),
            Some(_) | None => Origin::Configured,
        }
    }

    /// The rows with what the lists add: of a model that a row names, what the row does not say; and the models that it does
    /// not name, behind the others, unless the operator named them all.
    pub(in crate::llm) fn joined(&self) -> Arc<Catalog> {
        let has_any = |row: &Provider| self.get(row).is_some_and(|list| !list.models.is_empty());
        if !self.configured.iter().any(has_any) {
            return Arc::clone(&self.configured);
        }
        let rows = self.configured.iter().cloned().map(|mut row| {
            if let Some(list) = self.get(&row) {
                join(&mut row, &list.models);
            }
            row
        });
        Arc::new(Catalog::new(rows.collect()))
    }
}

/// Where a model of the catalogue comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Its provider's list, read at this instant, names it.
    Listed(DateTime<Utc>),
    /// A row or a variable alone names it.
    Configured,
}

fn join(row: &mut Provider, listed: &[Listed]) {
    let by_id: HashMap<&str, &Listed> = listed.iter().map(|model| (model.id.as_str(), model)).collect();
    for model in &mut row.models {
        if let Some(said) = by_id.get(model.id.as_str()) {
            model.context = model.context.or(said.context);
            model.images = model.images.or(said.images);
            model.tools = model.tools.or(said.tools);
        }
    }
    if row.models_named {
        return;
    }
    let is_new = |model: &&Listed| row.model(&model.id).is_none();
    let new: Vec<Model> = listed
        .iter()
        .filter(is_new)
        .map(|Listed { id, context, images, tools }| Model {
            context: *context,
            images: *images,
            tools: *tools,
            ..Model::named(id.clone())
        })
        .collect();
    row.models.extend(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).expect("a date") + TimeDelta::hours(hours)
    }

    fn listed() -> Vec<Model> {
        let whole =
            |id| Model { context: Some(400_000), tools: Some(true), images: Some(false), ..Model::named(id) };
        vec![whole("gpt-5"), whole("gpt-6")]
    }

    fn openai(catalog: &Catalog) -> &Provider {
        catalog.get(&"openai".parse().expect("an id")).expect("a row")
    }

    #[test]
    fn a_list_adds_models_and_what_a_row_does_not_say() {
        let mut lists = Lists::new(Arc::new(Catalog::builtin()));
        assert!(Arc::ptr_eq(&lists.joined(), &lists.configured), "nothing is copied for nothing");
        let row = openai(&lists.configured).clone();
        lists.note(&row, Some(listed()), at(0), 0.0);
        let joined = lists.joined();
        let ids: Vec<&str> = openai(&joined).models.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(ids, ["gpt-5-mini", "gpt-5", "gpt-4.1", "gpt-6"], "the row's own come first");
        let model = openai(&joined).model("gpt-5").expect("a model");
        assert_eq!((model.context, model.tools), (Some(400_000), Some(true)));
        assert_eq!(model.images, Some(true), "the row knows better");
        assert_eq!(lists.origin(&row, "gpt-6"), Origin::Listed(at(0)));
        assert_eq!(lists.origin(&row, "gpt-4.1"), Origin::Configured);
        assert_eq!(openai(&joined).default_model, row.default_model);
    }

    #[test]
    fn what_an_operator_names_is_all_that_is_offered() {
        let mut catalog = Catalog::builtin();
        let row = catalog.get_mut(&"openai".parse().expect("an id")).expect("a row");
        row.models = vec![Model::named("gpt-5")];
        row.models_named = true;
        let mut lists = Lists::new(Arc::new(catalog));
        let row = openai(&lists.configured).clone();
        lists.note(&row, Some(listed()), at(0), 0.0);
        let joined = lists.joined();
        assert_eq!(openai(&joined).models.len(), 1);
        assert_eq!(openai(&joined).models.first().and_then(|model| model.context), Some(400_000));
    }

    #[test]
    fn a_list_is_asked_for_daily_and_after_failures_less_and_less_often() {
        let mut lists = Lists::new(Arc::new(Catalog::builtin()));
        let row = openai(&lists.configured).clone();
        assert!(lists.get(&row).is_none());
        let read = lists.note(&row, Some(listed()), at(0), 0.0);
        assert!(!read.is_due(at(23)) && read.is_due(at(24)));
        let early = lists.note(&row, Some(listed()), at(0), 1.0);
        assert!(!early.is_due(at(20)) && early.is_due(at(21)), "three hours of jitter at most");
        let mut now = at(24);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let failed = lists.note(&row, None, now, 0.0);
            pauses.push((failed.next_at - now).num_minutes());
            now = failed.next_at;
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
        assert_eq!(
            lists.origin(&row, "gpt-6"),
            Origin::Listed(at(0)),
            "a failing list leaves what was known"
        );
        let read = lists.note(&row, Some(listed()), now, 0.0);
        assert_eq!((read.failures, read.fetched_at), (0, Some(now)));
        assert!(read.is_due(at(0)), "a clock that was set back does not hold a list for ever");
    }

    #[test]
    fn a_list_of_another_base_does_not_count() {
        let mut lists = Lists::new(Arc::new(Catalog::builtin()));
        let row = openai(&lists.configured).clone();
        let list = lists.note(&row, Some(listed()), at(0), 0.0);
        let mut catalog = Catalog::builtin();
        let moved = catalog.get_mut(&row.id).expect("a row");
        moved.api_bases = vec!["https://proxy.example/v1".parse().expect("a URL")];
        lists.configured = Arc::new(catalog);
        assert!(lists.get(openai(&lists.configured)).is_none());
        assert_eq!(openai(&lists.joined()).models.len(), 3);
        lists.adopt(&row.id, list);
        assert!(lists.get(openai(&lists.configured)).is_none(), "nor one that was kept");
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let mut lists = Lists::new(Arc::new(Catalog::builtin()));
        let row = openai(&lists.configured).clone();
        let list = lists.note(&row, Some(listed()), at(0), 0.5);
        let text = serde_json::to_string(&list).expect("JSON");
        assert_eq!(serde_json::from_str::<List>(&text).expect("a list"), list);
    }
}
