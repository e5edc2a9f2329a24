//! Prometheus' text format (0.0.4), read strictly: what a scraper only tolerates is an error here.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpListener},
};

use cortana::telemetry::metrics::{self, Declared};

/// The labels of a sample.
pub(crate) type Labels = BTreeMap<String, String>;

/// What a scrape brought.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    samples: BTreeMap<(String, Labels), f64>,
    text: String,
}

impl Scrape {
    /// Asks an admin endpoint.
    pub(crate) async fn of(address: SocketAddr) -> Self {
        let answer = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(&answer.text().await.unwrap())
    }

    /// Reads a text, and panics where it breaks a rule.
    pub(crate) fn parse(text: &str) -> Self {
        let mut scrape = Self { text: text.to_owned(), ..Self::default() };
        let mut families: BTreeSet<&str> = BTreeSet::new();
        let mut current: Option<Declared> = None;
        let mut help = "";
        assert!(text.ends_with('\n'), "the last line ends");
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = rest.split(' ').next().unwrap();
                assert!(families.insert(help), "the family {help} comes twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, help, "TYPE follows HELP");
                let declared = metrics::ALL.iter().find(|metric| metric.name == name);
                let declared = declared.unwrap_or_else(|| panic!("{name} is not declared"));
                assert_eq!(declared.kind, kind, "{name}");
                current = Some(*declared);
            } else {
                let declared = current.unwrap_or_else(|| panic!("a sample before its TYPE: {line}"));
                scrape.sample(line, &declared);
            }
        }
        scrape.check_histograms();
        scrape
    }

    fn sample(&mut self, line: &str, declared: &Declared) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
        let (name, mut labels) = match series.split_once('{') {
            Some((name, rest)) => (name, labels(rest.strip_suffix('}').unwrap())),
            None => (series, Labels::new()),
        };
        let suffix = name.strip_prefix(declared.name).unwrap_or_else(|| panic!("a stranger: {line}"));
        assert!(
            if declared.kind == "histogram" {
                ["_bucket", "_sum", "_count"].contains(&suffix)
            } else {
                suffix.is_empty()
            },
            "{line}"
        );
        let le = labels.remove("le");
        assert_eq!(le.is_some(), suffix == "_bucket", "{line}");
        let names: BTreeSet<&str> = labels.keys().map(String::as_str).collect();
        assert_eq!(names, declared.labels.iter().copied().collect(), "{line}");
        labels.extend(le.map(|le| ("le".to_owned(), le)));
        assert!(declared.kind == "gauge" || value >= 0.0, "{line}");
        let twice = self.samples.insert((name.to_owned(), labels), value);
        assert!(twice.is_none(), "twice: {line}");
    }

    /// Buckets grow, and the last one is the count.
    fn check_histograms(&self) {
        for ((name, labels), count) in self.samples.iter().filter(|((name, _), _)| name.ends_with("_count")) {
            let bucket = name.replace("_count", "_bucket");
            let mut buckets: Vec<(f64, f64)> = self
                .samples
                .iter()
                .filter(|((other, _), _)| *other == bucket)
                .filter_map(|((_, these), value)| {
                    let mut these = these.clone();
                    let le = these.remove("le").unwrap();
                    (these == *labels).then(|| (le.replace("+Inf", "inf").parse().unwrap(), *value))
                })
                .collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by_key(|(_, value)| *value), "{name}: {buckets:?}");
            assert_eq!(buckets.last().map(|(le, value)| (le.is_infinite(), *value)), Some((true, *count)));
        }
    }

    /// The text itself.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The sum of a metric's samples that have these labels among theirs.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of_name(name, labels).map(|(_, value)| value).sum()
    }

    /// How many samples of a metric have these labels among theirs.
    pub(crate) fn series(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        self.of_name(name, labels).count()
    }

    fn of_name<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = (&'a Labels, f64)> {
        self.samples
            .iter()
            .filter(move |((other, _), _)| other == name)
            .filter(|((_, these), _)| {
                labels.iter().all(|(name, value)| these.get(*name).is_some_and(|it| it == value))
            })
            .map(|((_, these), value)| (these, *value))
    }
}

/// `name="value",…` with its escapes.
fn labels(text: &str) -> Labels {
    let mut found = Labels::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("a label: {rest}"));
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        let mut value = String::new();
        let mut chars = after.chars();
        loop {
            match chars.next().unwrap_or_else(|| panic!("an open quote: {rest}")) {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => value.push('\n'),
                    Some(c @ ('\\' | '"')) => value.push(c),
                    other => panic!("an unknown escape {other:?}"),
                },
                c => value.push(c),
            }
        }
        assert!(found.insert(name.to_owned(), value).is_none(), "{name} twice: {text}");
        rest = chars.as_str();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    found
}

/// An address that is free just now.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).unwrap()
}
