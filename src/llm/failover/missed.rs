//! Providers that were left without an answer, and what of it helps a person most.

use chrono::{DateTime, Utc};

use crate::{
    llm::FailureClass,
    provider::{ModelRef, ProviderId},
};

/// How a provider was left without an answer.
#[derive(Clone)]
pub(super) struct Missed {
    pub(super) provider: ProviderId,
    /// The one model of it that this concerns; `None`: all of them.
    pub(super) model: Option<String>,
    pub(super) class: FailureClass,
    pub(super) code: String,
    pub(super) again: Again,
}

impl Missed {
    /// Whether a model's turn would end in the same way.
    pub(super) fn covers(&self, other: &ModelRef) -> bool {
        self.provider == other.provider && self.model.as_ref().is_none_or(|model| *model == other.model)
    }
}

/// Whether the same chat may ask a provider again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// After a pause: an outage may pass.
    Soon,
    /// When what rests is back.
    At(DateTime<Utc>),
    /// It would say the same.
    No,
}

/// When the first of those that rest is back.
pub(super) fn first_back(missed: &[Missed]) -> Option<DateTime<Utc>> {
    let at = |why: &Missed| match why.again {
        Again::At(until) => Some(until),
        Again::Soon | Again::No => None,
    };
    missed.iter().filter_map(at).min()
}

/// The one that tells the person most: of those that rest, the first to be back.
pub(super) fn most_telling(missed: &[Missed]) -> Option<&Missed> {
    let until = |class: &FailureClass| match class {
        FailureClass::Resting { until } => Some(*until),
        FailureClass::NothingConfigured
        | FailureClass::NeedsOperator
        | FailureClass::Capacity
        | FailureClass::TooLong
        | FailureClass::Blocked
        | FailureClass::BadRequest
        | FailureClass::UnknownModel
        | FailureClass::ProviderDown
        | FailureClass::DeadlineExceeded
        | FailureClass::Interrupted
        | FailureClass::Malformed
        | FailureClass::Empty
        | FailureClass::ClientVersion => None,
    };
    missed.iter().min_by_key(|why| (rank(&why.class), until(&why.class)))
}

/// How much a failure tells: what passes by itself first, what is missing altogether last.
fn rank(class: &FailureClass) -> u8 {
    match class {
        FailureClass::Resting { .. } => 0,
        FailureClass::TooLong | FailureClass::Blocked | FailureClass::BadRequest => 1,
        FailureClass::Empty | FailureClass::Malformed | FailureClass::Interrupted => 2,
        FailureClass::Capacity => 3,
        FailureClass::ProviderDown | FailureClass::DeadlineExceeded => 4,
        FailureClass::UnknownModel => 5,
        FailureClass::ClientVersion => 6,
        FailureClass::NeedsOperator => 7,
        FailureClass::NothingConfigured => 8,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn missed(provider: &str, class: FailureClass) -> Missed {
        let again = if let FailureClass::Resting { until } = class { Again::At(until) } else { Again::No };
        Missed { provider: provider.parse().expect("id"), model: None, class, code: "X".to_owned(), again }
    }

    #[test]
    fn what_passes_by_itself_is_told_before_what_is_missing() {
        let at = |minute| Utc.with_ymd_and_hms(2026, 9, 21, 14, minute, 0).single().expect("a date");
        let all = [
            missed("a", FailureClass::NothingConfigured),
            missed("b", FailureClass::Resting { until: at(9) }),
            missed("c", FailureClass::NeedsOperator),
            missed("d", FailureClass::Resting { until: at(5) }),
        ];
        assert_eq!(most_telling(&all).map(|why| why.provider.as_str()), Some("d"));
        assert_eq!(first_back(&all), Some(at(5)));
        let (first, _) = all.split_at(1);
        assert_eq!(most_telling(first).map(|why| &why.class), Some(&FailureClass::NothingConfigured));
    }
}
