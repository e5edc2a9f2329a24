//! Expiry in every unit and spelling that tools write, and back in the one it was read in.
//!
//! The rules for reading are those of CLIProxyAPI's tolerant reader: numbers above 1e12 are milliseconds, others
//! seconds; a text without a zone is UTC.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use serde_json::{Number, Value};

/// Above this a number counts milliseconds: 2001 in milliseconds, the year 33658 in seconds.
const MILLIS_FROM: f64 = 1e12;
/// Above this no number is a time that a tool would write.
const ABSURD_FROM: f64 = 1e15;
const MICROS_A_SECOND: f64 = 1e6;
const MICROS_A_MILLI: f64 = 1e3;

/// How an instant is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// A number, or a number in quotes.
    Number {
        /// What it counts since 1970.
        unit: Unit,
        /// With or without a fraction.
        form: Form,
        /// Whether it stands in quotes.
        quoted: bool,
    },
    /// A date and a time of day.
    Text {
        /// Between date and time: `T` or a space.
        separator: char,
        /// Whether seconds are written.
        seconds: bool,
        /// How many digits of a second's fraction are written, nine at most.
        fraction: u8,
        /// How the zone is written.
        zone: Zone,
    },
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
}

/// Whether a number has a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// None.
    Integer,
    /// Always, even `.0`.
    Float,
}

/// How a text names its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// Not at all: UTC.
    Naive,
    /// `Z`.
    Zulu,
    /// `+08:00`.
    Offset(FixedOffset),
    /// `+0800`.
    CompactOffset(FixedOffset),
}

impl Notation {
    /// Whole milliseconds.
    pub(super) const MILLIS: Self = Self::Number { unit: Unit::Millis, form: Form::Integer, quoted: false };
    /// Seconds with a fraction.
    pub(super) const SECONDS_FLOAT: Self =
        Self::Number { unit: Unit::Seconds, form: Form::Float, quoted: false };
    /// Whole seconds.
    pub(super) const SECONDS: Self = Self::Number { unit: Unit::Seconds, form: Form::Integer, quoted: false };
    /// `2026-09-21T14:13:20Z`.
    pub(super) const ZULU: Self = Self::Text { separator: 'T', seconds: true, fraction: 0, zone: Zone::Zulu };
    /// `2026-09-21T14:13:20`, meant as UTC.
    pub(super) const NAIVE: Self =
        Self::Text { separator: 'T', seconds: true, fraction: 0, zone: Zone::Naive };
}

/// Reads an instant and how it is spelled. What is no time, zero, negative or absurd gives none, and `usual`, the field's
/// own spelling, for the next write.
pub(super) fn read(value: &Value, usual: Notation) -> (Option<DateTime<Utc>>, Notation) {
    let found = match value {
        Value::Number(number) => read_number(number, false),
        Value::String(text) => {
            let text = text.trim();
            match text.parse::<Number>() {
                Ok(number) => read_number(&number, true),
                Err(_) => read_text(text),
            }
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    found.map_or((None, usual), |(instant, notation)| (Some(instant), notation))
}

/// Spells an instant; what the notation cannot hold is cut off, so that the result is never later.
pub(super) fn write(instant: DateTime<Utc>, notation: Notation) -> Value {
    match notation {
        Notation::Number { unit, form, quoted } => {
            let number = write_number(instant, unit, form);
            if quoted { Value::from(number.to_string()) } else { Value::from(number) }
        }
        Notation::Text { separator, seconds, fraction, zone } => {
            Value::from(write_text(instant, separator, seconds, fraction, zone))
        }
    }
}

fn read_number(number: &Number, quoted: bool) -> Option<(DateTime<Utc>, Notation)> {
    let value = number.as_f64()?;
    if !(value > 0.0 && value <= ABSURD_FROM) {
        return None;
    }
    let (unit, scale) =
        if value > MILLIS_FROM { (Unit::Millis, MICROS_A_MILLI) } else { (Unit::Seconds, MICROS_A_SECOND) };
    let form = if number.is_f64() { Form::Float } else { Form::Integer };
    #[expect(clippy::cast_possible_truncation, reason = "at most 1e18, checked above")]
    let micros = (value * scale).round() as i64;
    Some((DateTime::from_timestamp_micros(micros)?, Notation::Number { unit, form, quoted }))
}

fn write_number(instant: DateTime<Utc>, unit: Unit, form: Form) -> Number {
    let whole = match unit {
        Unit::Seconds => instant.timestamp(),
        Unit::Millis => instant.timestamp_millis(),
    };
    match form {
        Form::Integer => Number::from(whole),
        Form::Float => {
            let scale = match unit {
                Unit::Seconds => MICROS_A_SECOND,
                Unit::Millis => MICROS_A_MILLI,
            };
            #[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
            let micros = instant.timestamp_micros() as f64;
            Number::from_f64(micros / scale).unwrap_or_else(|| Number::from(whole))
        }
    }
}

fn read_text(text: &str) -> Option<(DateTime<Utc>, Notation)> {
    let date = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
    let mut rest = text.get(10..)?.chars();
    let separator = rest.next().filter(|c| matches!(c, 'T' | ' '))?;
    let (time, zone) = split_zone(rest.as_str())?;
    let (time, fraction) = time.split_once(['.', ',']).unwrap_or((time, ""));
    let parts: Vec<u32> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] if fraction.is_empty() => (*hour, *minute, None),
        [hour, minute, second] => (*hour, *minute, Some(*second)),
        _ => return None,
    };
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos: u32 = digits.parse().ok()?;
    // A leap second is the last second of its minute.
    let clock = NaiveTime::from_hms_nano_opt(hour, minute, second.unwrap_or(0).min(59), nanos)?;
    let offset = match zone {
        Zone::Naive | Zone::Zulu => FixedOffset::east_opt(0)?,
        Zone::Offset(offset) | Zone::CompactOffset(offset) => offset,
    };
    let instant = NaiveDateTime::new(date, clock).and_local_timezone(offset).single()?.with_timezone(&Utc);
    let fraction = u8::try_from(fraction.len().min(9)).ok()?;
    Some((instant, Notation::Text { separator, seconds: second.is_some(), fraction, zone }))
}

fn split_zone(text: &str) -> Option<(&str, Zone)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, Zone::Zulu));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, Zone::Naive)) };
    let (time, offset) = text.split_at_checked(at)?;
    let spelled: FixedOffset = offset.parse().ok()?;
    Some((time, if offset.contains(':') { Zone::Offset(spelled) } else { Zone::CompactOffset(spelled) }))
}

fn write_text(instant: DateTime<Utc>, separator: char, seconds: bool, fraction: u8, zone: Zone) -> String {
    let (local, suffix) = match zone {
        Zone::Naive => (instant.naive_utc(), String::new()),
        Zone::Zulu => (instant.naive_utc(), "Z".to_owned()),
        Zone::Offset(offset) => (instant.with_timezone(&offset).naive_local(), offset.to_string()),
        Zone::CompactOffset(offset) => {
            (instant.with_timezone(&offset).naive_local(), offset.to_string().replace(':', ""))
        }
    };
    let time = if seconds { local.format("%H:%M:%S") } else { local.format("%H:%M") };
    let nanos = format!("{:09}", local.nanosecond() % 1_000_000_000);
    let fraction: String = nanos.chars().take(usize::from(fraction)).collect();
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{separator}{time}{point}{fraction}{suffix}", local.format("%Y-%m-%d"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// 2026-09-21T14:13:20Z.
    fn example() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    #[test]
    fn every_spelling_of_the_cheat_sheet_is_read_and_written_back_as_it_was() {
        for (value, millis) in [
            (json!(1_790_000_000_000_i64), 0),
            (json!(1_790_000_000_000.5), 0),
            (json!(1_790_000_000_000.0), 0),
            (json!("2026-09-21T14:13:20.000000Z"), 0),
            (json!("2026-09-21T14:13:20Z"), 0),
            (json!(1_790_000_000), 0),
            (json!(1_790_000_000.5), 500),
            (json!("1790000000"), 0),
            (json!("2026-09-21T22:13:20+08:00"), 0),
            (json!("2026-09-21T16:13:20.123456+02:00"), 123),
            (json!("2026-09-21T16:13:20.123456789+0200"), 123),
            (json!("2026-09-21T14:13:20"), 0),
            (json!("2026-09-21 14:13:20"), 0),
            (json!("2026-09-21 14:13"), -20_000),
        ] {
            let (instant, notation) = read(&value, Notation::ZULU);
            let instant = instant.unwrap_or_else(|| panic!("{value} is a time"));
            assert_eq!(instant.timestamp_millis(), example().timestamp_millis() + millis, "{value}");
            assert_eq!(write(instant, notation), value);
        }
    }

    #[test]
    fn p10_what_is_no_time_leaves_the_fields_own_spelling() {
        for value in [
            json!(null),
            json!(0),
            json!(-5),
            json!(1e16),
            json!("soon"),
            json!(""),
            json!("2026-13-01T00:00:00Z"),
            json!("2026-01-01"),
            json!({}),
            json!("日本語の日付、まったく違う"),
        ] {
            assert_eq!(read(&value, Notation::MILLIS), (None, Notation::MILLIS), "{value}");
        }
    }

    fn notations() -> impl Strategy<Value = Notation> {
        let zones = prop_oneof![
            Just(Zone::Naive),
            Just(Zone::Zulu),
            (-14 * 4..=14 * 4)
                .prop_map(|quarters| Zone::Offset(FixedOffset::east_opt(quarters * 900).unwrap())),
            (-14 * 4..=14 * 4)
                .prop_map(|quarters| Zone::CompactOffset(FixedOffset::east_opt(quarters * 900).unwrap())),
        ];
        let numbers = (
            prop_oneof![Just(Unit::Seconds), Just(Unit::Millis)],
            prop_oneof![Just(Form::Integer), Just(Form::Float)],
            any::<bool>(),
        )
            .prop_map(|(unit, form, quoted)| Notation::Number { unit, form, quoted });
        let texts = (prop_oneof![Just('T'), Just(' ')], any::<bool>(), 0..=9_u8, zones).prop_map(
            |(separator, seconds, fraction, zone)| Notation::Text {
                separator,
                seconds,
                fraction: if seconds { fraction } else { 0 },
                zone,
            },
        );
        prop_oneof![numbers, texts]
    }

    fn precision(notation: Notation) -> TimeDelta {
        match notation {
            Notation::Number { form: Form::Float, .. } => TimeDelta::microseconds(2),
            Notation::Number { unit: Unit::Seconds, .. } => TimeDelta::seconds(1),
            Notation::Number { unit: Unit::Millis, .. } => TimeDelta::milliseconds(1),
            Notation::Text { seconds: false, .. } => TimeDelta::minutes(1),
            Notation::Text { fraction, .. } => TimeDelta::nanoseconds(10_i64.pow(9 - u32::from(fraction))),
        }
    }

    proptest! {
        #[test]
        fn an_instant_survives_every_notation(
            // From the day when milliseconds pass 1e12 to the year 2100.
            micros in 1_000_000_001_000_000_i64..4_102_444_800_000_000,
            notation in notations(),
        ) {
            let instant = DateTime::from_timestamp_micros(micros).unwrap();
            let written = write(instant, notation);
            let (again, found) = read(&written, Notation::NAIVE);
            let again = again.expect("what was written is read");
            let lost = instant - again;
            prop_assert!(lost < precision(notation), "{written}: lost {lost}");
            // A float may round up by a microsecond; nothing else is ever later.
            prop_assert!(lost >= TimeDelta::microseconds(-1), "{written}: gained {lost}");
            prop_assert_eq!(found, notation);
            prop_assert_eq!(write(again, found), written);
        }
    }
}
