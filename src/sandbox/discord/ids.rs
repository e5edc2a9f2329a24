//! Snowflakes: Discord's ids, which grow with time.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Discord's epoch, the first millisecond of 2015, in Unix milliseconds (Reference, "Snowflakes").
const EPOCH_MS: u64 = 1_420_070_400_000;

/// The id of anything in Discord. In JSON always a string: it does not fit a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Id {
    /// An id in a request: Discord takes numbers as well as strings, and answers strings (Reference, "Snowflakes").
    pub(crate) fn sent(value: &Value) -> Option<Self> {
        value.as_u64().map(Self).or_else(|| value.as_str()?.parse().ok())
    }
}

/// Gives out ids that only grow.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    last: u64,
}

impl Ids {
    /// The next id, made at `unix_ms`.
    pub(crate) fn next(&mut self, unix_ms: u64) -> Id {
        let by_time = unix_ms.saturating_sub(EPOCH_MS) << 22;
        self.last = by_time.max(self.last + 1);
        Id(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_goes_back() {
        let mut ids = Ids::default();
        let first = ids.next(1_800_000_000_000);
        let second = ids.next(1_700_000_000_000);
        let third = ids.next(1_800_000_000_001);
        assert!(first < second && second < third);
        assert_eq!(third.0 >> 22, 1_800_000_000_001 - EPOCH_MS);
    }

    #[test]
    fn an_id_travels_as_a_string() {
        assert_eq!(serde_json::to_string(&Id(1_234_567_890_123_456_789)).unwrap(), "\"1234567890123456789\"");
        assert!(serde_json::from_str::<Id>("5").is_err());
        let sent = |text: &str| Id::sent(&serde_json::from_str(text).unwrap());
        assert_eq!(
            [sent("5"), sent("\"5\""), sent("-5"), sent("\"x\"")],
            [Some(Id(5)), Some(Id(5)), None, None]
        );
    }
}
