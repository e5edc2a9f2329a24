//! What one operator was told, and what they do not know yet.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};

use crate::{
    credential::CredentialId,
    pool::{Alert, AlertKind, Snapshot},
};

/// The name of a refused content intent, beside those of alerts.
const CONTENT_INTENT: &str = "content_intent";
/// Stands for the whole pool.
const NOBODY: &str = "-";

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Discord refuses the content intent (D16).
    ContentIntent {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// An alert of the pool.
    Pool(Alert),
}

impl Trouble {
    fn topic(&self) -> Topic {
        match self {
            Self::ContentIntent { .. } => Topic::ContentIntent,
            Self::Pool(alert) => {
                Topic::Pool(alert.kind, alert.subject.as_ref().map(|subject| subject.credential.clone()))
            }
        }
    }

    fn since(&self) -> DateTime<Utc> {
        match self {
            Self::ContentIntent { since } => *since,
            Self::Pool(alert) => alert.since,
        }
    }
}

/// What something is about, as it is told and told to be over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// The content intent.
    ContentIntent,
    /// A kind of alert, and whose; the pool's where it is nobody's.
    Pool(AlertKind, Option<CredentialId>),
}

/// What was told and is not over, with its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Told(BTreeMap<Topic, DateTime<Utc>>);

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News<'a> {
    /// What is wrong.
    pub(super) begun: Vec<&'a Trouble>,
    /// What is no longer, and since when it was.
    pub(super) over: Vec<(Topic, DateTime<Utc>)>,
}

impl News<'_> {
    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.over.is_empty()
    }
}

impl Told {
    /// What is to be told, given what holds.
    pub(super) fn news<'a>(&self, holds: &'a [Trouble]) -> News<'a> {
        let begun = holds.iter().filter(|trouble| !self.0.contains_key(&trouble.topic())).collect();
        let is_over = |topic: &Topic| !holds.iter().any(|trouble| trouble.topic() == *topic);
        let over = self.0.iter().filter(|(topic, _)| is_over(topic));
        News { begun, over: over.map(|(topic, since)| (topic.clone(), *since)).collect() }
    }

    /// It was told.
    pub(super) fn take(&mut self, news: &News<'_>) {
        for (topic, _) in &news.over {
            self.0.remove(topic);
        }
        self.0.extend(news.begun.iter().map(|trouble| (trouble.topic(), trouble.since())));
    }

    /// What an earlier process told, as far as this one can say that it is over: of credentials that are here. A process
    /// over the same database may have others.
    pub(super) fn of(mut self, holds: &[Trouble], snapshot: &Snapshot) -> Self {
        self.0.retain(|topic, _| match topic {
            Topic::Pool(_, Some(id))
                if snapshot.credentials.iter().any(|credential| credential.id == *id) =>
            {
                true
            }
            Topic::ContentIntent => true,
            Topic::Pool(..) => holds.iter().any(|trouble| trouble.topic() == *topic),
        });
        self
    }

    /// What of it still holds.
    pub(super) fn still(mut self, holds: &[Trouble]) -> Self {
        self.0.retain(|topic, _| holds.iter().any(|trouble| trouble.topic() == *topic));
        self
    }

    /// From its text; what this version does not know is left out.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(line).collect())
    }
}

/// A line for each: the kind, whose, and since when in milliseconds. No account, no link.
impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (topic, since) in &self.0 {
            let (kind, whose) = match topic {
                Topic::ContentIntent => (CONTENT_INTENT, NOBODY),
                Topic::Pool(kind, whose) => {
                    (kind.name(), whose.as_ref().map_or(NOBODY, CredentialId::as_str))
                }
            };
            writeln!(formatter, "{kind} {whose} {}", since.timestamp_millis())?;
        }
        Ok(())
    }
}

fn line(text: &str) -> Option<(Topic, DateTime<Utc>)> {
    let mut words = text.split(' ');
    let (kind, whose, since) = (words.next()?, words.next()?, words.next()?);
    let topic = if kind == CONTENT_INTENT {
        Topic::ContentIntent
    } else {
        let kind = AlertKind::ALL.into_iter().find(|known| known.name() == kind)?;
        Topic::Pool(kind, (whose != NOBODY).then(|| CredentialId::new(whose)))
    };
    Some((topic, DateTime::from_timestamp_millis(since.parse().ok()?)?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pool::{CredentialView, State, Subject};

    pub(in crate::discord::alerts) fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    pub(in crate::discord::alerts) fn alert(kind: AlertKind, id: Option<&str>) -> Trouble {
        let subject = id.map(|id| Subject {
            credential: CredentialId::new(id),
            provider: Some("qwen_code".parse().unwrap()),
            account: "an…@example.com".to_owned(),
        });
        let reason = "the refresh token was refused: run `cortana login qwen_code`".to_owned();
        Trouble::Pool(Alert { kind, subject, reason, since: at(0), cleared_at: None })
    }

    pub(in crate::discord::alerts) fn snapshot(ids: &[&str]) -> Snapshot {
        let view = |id: &&str| CredentialView {
            provider: Some("qwen_code".parse().unwrap()),
            account: "an…@example.com".to_owned(),
            ..CredentialView::unknown(CredentialId::new(id), "qwen.json", State::Ready)
        };
        Snapshot { taken_at: at(300), credentials: ids.iter().map(view).collect() }
    }

    #[test]
    fn p34_each_change_is_told_once_in_each_direction() {
        let (lost, few) = (alert(AlertKind::NeedsLogin, Some("c0ffee")), alert(AlertKind::FewHealthy, None));
        let both = [lost.clone(), few.clone()];
        let mut told = Told::default();
        let news = told.news(&both);
        assert_eq!(news, News { begun: both.iter().collect(), over: Vec::new() });
        told.take(&news);
        assert!(told.news(&both).is_empty(), "once");
        let holds = [few];
        let news = told.news(&holds);
        assert_eq!(news, News { begun: Vec::new(), over: vec![(lost.topic(), at(0))] });
        told.take(&news);
        assert!(told.news(&holds).is_empty(), "its end once too");
        assert_eq!(told.news(&both).begun, [&both[0]], "and anew when it is back");
    }

    #[test]
    fn p34_what_came_and_went_untold_is_not_told() {
        let told = Told::default();
        assert!(!told.news(&[alert(AlertKind::Refused, Some("c0ffee"))]).is_empty());
        assert!(told.news(&[]).is_empty());
    }

    #[test]
    fn p34_what_was_told_outlives_a_restart() {
        let holds = [
            Trouble::ContentIntent { since: at(1) },
            alert(AlertKind::NeedsLogin, Some("c0ffee")),
            alert(AlertKind::FewHealthy, None),
        ];
        let mut told = Told::default();
        told.take(&told.clone().news(&holds));
        let text = told.to_string();
        assert_eq!(
            text,
            "content_intent - 1790000001000\nneeds_login c0ffee 1790000000000\nfew_healthy - 1790000000000\n"
        );
        assert_eq!(Told::parse(&text), told);
        assert_eq!(Told::parse(&format!("new_kind x 1\nneeds_login\n\n{text}")), told);

        let again = Told::parse(&text).of(&holds, &snapshot(&["c0ffee"]));
        assert!(again.news(&holds).is_empty(), "nothing is repeated");
        let over = Told::parse(&text).of(&[], &snapshot(&["c0ffee"]));
        assert_eq!(over.news(&[]).over.len(), 2, "the pool's own may be another process's");
        let elsewhere = Told::parse(&text).of(&[], &snapshot(&["0ther"]));
        assert_eq!(
            elsewhere.news(&[]).over,
            [(Topic::ContentIntent, at(1))],
            "another's credential is not ours"
        );
        assert!(Told::parse(&text).still(&[]).news(&[]).is_empty());
    }
}
