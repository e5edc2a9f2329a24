//! What is measured: every metric by name, in one list, and the registry that keeps the numbers.
//!
//! A registry is handed to the rooms that count instead of being installed for the process, so that two bots in one process
//! keep their own numbers. Labels are of bounded cardinality: ids of credentials and providers, and words of our own; never
//! an account, a model or a word that a provider sent. What is counted by credential is filled in at each scrape, so that the
//! series of a removed credential vanish with it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use metrics::{Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The upper bounds of every histogram's buckets, in seconds.
const BUCKETS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0];
/// Samples wait unsorted until somebody scrapes; after this many they are sorted in, since nobody may (P38).
const UPKEEP: u32 = 256;

/// A metric as it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// Its name, with the unit and, for counters, `_total`.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means, in one line.
    pub help: &'static str,
}

/// A number that only grows, by `N` labels.
#[derive(Debug)]
pub struct Counter<const N: usize>(Declared);

/// A number that goes up and down, by `N` labels.
#[derive(Debug)]
pub struct Gauge<const N: usize>(Declared);

/// Durations in buckets, by `N` labels.
#[derive(Debug)]
pub struct Histogram<const N: usize>(Declared);

/// Declares every metric, and makes the list of all of them.
macro_rules! declare {
    ($($kind:ident $constant:ident = $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: $kind<{ <[&str]>::len(&[$($label),*]) }> = $kind(Declared {
                name: $name,
                kind: declare!(@word $kind),
                labels: &[$($label),*],
                help: $help,
            });
        )*

        /// Every metric, in the order of the documents.
        pub const ALL: &[Declared] = &[$($constant.0),*];
    };
    (@word Counter) => { "counter" };
    (@word Gauge) => { "gauge" };
    (@word Histogram) => { "histogram" };
}

declare! {
    Gauge CREDENTIALS = "cortana_credentials" ["state"]
        "Credentials in each state of the table of states; a state that nobody is in counts 0.";
    Gauge USABLE = "cortana_credential_usable" ["credential", "provider"]
        "1 when the credential may be lent now (valid, expiring or refreshing), else 0.";
    Gauge EXPIRES_IN = "cortana_credential_expires_in_seconds" ["credential", "provider"]
        "Seconds until the access token expires; negative once it has. Not there for API keys.";
    Gauge IN_FLIGHT = "cortana_credential_leases_in_flight" ["credential", "provider"]
        "Leases that are out now.";
    Gauge UNSAVED = "cortana_credential_unsaved" ["credential", "provider"]
        "1 when the last write of the credential failed and its token lives in memory, else 0.";
    Counter LEASES = "cortana_credential_leases_total" ["credential", "provider"]
        "Leases granted.";
    Counter REQUESTS = "cortana_requests_total" ["provider", "outcome"]
        "Chat requests sent to a provider, by how they ended: success, cancelled, or whom the failure concerned.";
    Counter FAILOVERS = "cortana_failovers_total" ["provider", "cause"]
        "Times that a chat went on to another credential or provider, by the provider that failed and whom the failure concerned.";
    Counter HOST_FALLBACKS = "cortana_host_fallbacks_total" ["provider"]
        "Chat requests that were sent to a provider's next host, since the one before did not answer or failed.";
    Counter CHATS = "cortana_chats_total" ["outcome"]
        "Chats by how they ended for the person: answered, or the class of the failure.";
    Histogram FIRST_EVENT = "cortana_first_event_seconds" ["provider"]
        "From the message to the first event of the answer, by the provider that answered.";
    Counter LISTS = "cortana_model_lists_total" ["provider", "outcome"]
        "Requests for a provider's list of models: listed or failed.";
    Counter COOLDOWNS = "cortana_cooldowns_total" ["provider", "reason"]
        "Rests that began or were extended, by what the answer was.";
    Counter REFRESHES = "cortana_refreshes_total" ["provider", "cause", "outcome"]
        "Refreshes by what caused them and how they ended.";
    Histogram REFRESH_SECONDS = "cortana_refresh_duration_seconds" ["outcome"]
        "How long a refresh took, with its wait for the lock and the write.";
    Counter TOKEN_REQUESTS = "cortana_token_requests_total" ["provider", "outcome"]
        "Requests to token endpoints, by answer.";
    Counter SAVES_FAILED = "cortana_credential_saves_failed_total" ["provider"]
        "Writes of a new token that failed.";
    Counter ALERTS = "cortana_alerts_total" ["kind"]
        "Alerts raised.";
    Gauge ALERTS_ACTIVE = "cortana_alerts_active" ["kind"]
        "Alerts that hold now.";
    Counter EVENTS_DROPPED = "cortana_pool_events_dropped_total" []
        "News of the pool that a listener was too slow for; nothing is lost but the notice.";
    Gauge DISCORD_CONNECTED = "cortana_discord_connected" []
        "1 while Discord's gateway is connected, else 0.";
    Gauge BUILD_INFO = "cortana_build_info" ["version"]
        "Always 1; the version is the label.";
    Gauge START_TIME = "cortana_start_time_seconds" []
        "When the process started, in seconds since 1970.";
}

/// A registry of numbers. Cheap to clone; clones share the numbers.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    shown: PrometheusHandle,
    observed: Arc<AtomicU32>,
}

impl Default for Metrics {
    fn default() -> Self {
        let builder = PrometheusBuilder::new();
        let recorder = builder.set_buckets(BUCKETS).expect("there are buckets").build_recorder();
        for Declared { name, kind, help, .. } in ALL {
            match *kind {
                "counter" => recorder.describe_counter((*name).into(), None, (*help).into()),
                "gauge" => recorder.describe_gauge((*name).into(), None, (*help).into()),
                _ => recorder.describe_histogram((*name).into(), None, (*help).into()),
            }
        }
        Self { shown: recorder.handle(), recorder: Arc::new(recorder), observed: Arc::default() }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics(…)")
    }
}

impl Metrics {
    /// Counts one.
    pub fn count<const N: usize>(&self, counter: &Counter<N>, values: [&str; N]) {
        self.add(counter, values, 1);
    }

    /// Counts several.
    pub fn add<const N: usize>(&self, counter: &Counter<N>, values: [&str; N], count: u64) {
        self.recorder.register_counter(&key(&counter.0, &values), &METADATA).increment(count);
    }

    /// Says how high something stands.
    pub fn set<const N: usize>(&self, gauge: &Gauge<N>, values: [&str; N], value: f64) {
        self.recorder.register_gauge(&key(&gauge.0, &values), &METADATA).set(value);
    }

    /// Sorts a duration into its bucket.
    pub fn observe<const N: usize>(&self, histogram: &Histogram<N>, values: [&str; N], took: Duration) {
        let key = key(&histogram.0, &values);
        self.recorder.register_histogram(&key, &METADATA).record(took.as_secs_f64());
        if self.observed.fetch_add(1, Ordering::Relaxed) % UPKEEP == UPKEEP - 1 {
            self.shown.run_upkeep();
        }
    }

    /// Every number as Prometheus reads it (text format 0.0.4).
    pub fn render(&self) -> String {
        self.shown.render()
    }
}

const METADATA: Metadata<'static> = Metadata::new("cortana", Level::INFO, None);

fn key(metric: &Declared, values: &[&str]) -> Key {
    let labels = metric.labels.iter().zip(values);
    let labels: Vec<Label> = labels.map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p36_names_follow_the_practice_of_prometheus() {
        let mut seen = std::collections::BTreeSet::new();
        for Declared { name, kind, labels, help } in ALL {
            assert!(seen.insert(name), "{name} is there twice");
            assert!(name.starts_with("cortana_"), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert_eq!(*kind == "counter", name.ends_with("_total"), "{name}");
            assert!(*kind != "histogram" || name.ends_with("_seconds"), "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
            assert!(labels.iter().all(|label| !["account", "model", "code"].contains(label)), "{name}");
        }
    }

    #[test]
    fn registries_do_not_share_numbers() {
        let (one, other) = (Metrics::default(), Metrics::default());
        one.clone().count(&CHATS, ["answered"]);
        assert!(one.render().contains("cortana_chats_total{outcome=\"answered\"} 1"), "{}", one.render());
        assert_eq!(other.render(), "");
    }

    #[test]
    fn p38_samples_do_not_pile_up_when_nobody_scrapes() {
        let metrics = Metrics::default();
        for _ in 0..=UPKEEP {
            metrics.observe(&FIRST_EVENT, ["openai"], Duration::from_millis(80));
        }
        let text = metrics.render();
        assert!(
            text.contains("cortana_first_event_seconds_bucket{provider=\"openai\",le=\"0.05\"} 0"),
            "{text}"
        );
        assert!(
            text.contains("cortana_first_event_seconds_bucket{provider=\"openai\",le=\"0.1\"} 257"),
            "{text}"
        );
    }
}
