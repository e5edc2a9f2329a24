//! When to come back, in every notation that providers use for it.
//!
//! A hint that is negative, no number, or further away than a month is no hint: the pool then falls back on its own
//! steps. Zero is kept: the pool has a floor.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::header::HeaderMap;

use crate::pool::RetryHint;

/// The longest hint that is believed. The longest real one known is a week.
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// Of the headers: `Retry-After` (RFC 9110, section 10.2.3, also with a fraction), `retry-after-ms`; else when what is
/// used up of Anthropic's limits is there again.
pub(in crate::llm) fn from_headers(headers: &HeaderMap, now: DateTime<Utc>) -> Option<RetryHint> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let exact = text("retry-after-ms").and_then(|ms| seconds(ms, 0.001)).map(RetryHint::After);
    let resets = || {
        let used_up = ["requests", "tokens", "input-tokens", "output-tokens"]
            .iter()
            .filter(|limit| text(&format!("anthropic-ratelimit-{limit}-remaining")) == Some("0"));
        let hints = used_up.filter_map(|limit| text(&format!("anthropic-ratelimit-{limit}-reset")));
        super::latest(hints.filter_map(|at| timestamp(at, now)), now)
    };
    exact.or_else(|| retry_after(text("retry-after")?, now)).or_else(resets)
}

fn retry_after(text: &str, now: DateTime<Utc>) -> Option<RetryHint> {
    let text = text.trim();
    if let Some(wait) = seconds(text, 1.0).or_else(|| duration(text)) {
        return Some(RetryHint::After(wait));
    }
    instant(http_date(text)?, now)
}

/// The three forms of a date in HTTP (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let fixed = DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc());
    let old = |format| NaiveDateTime::parse_from_str(text, format).ok().map(|date| date.and_utc());
    fixed.or_else(|| old("%A, %d-%b-%y %H:%M:%S GMT")).or_else(|| old("%a %b %e %H:%M:%S %Y"))
}

/// An RFC 3339 instant, as in `quotaResetTimeStamp`.
pub(super) fn timestamp(text: &str, now: DateTime<Utc>) -> Option<RetryHint> {
    instant(DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc(), now)
}

fn instant(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<RetryHint> {
    let away = (at - now).to_std().unwrap_or(Duration::ZERO);
    (away <= LONGEST).then_some(RetryHint::At(at))
}

/// A number of units, `unit` seconds each.
fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let wait = Duration::try_from_secs_f64(text.trim().parse::<f64>().ok()? * unit).ok()?;
    (wait <= LONGEST).then_some(wait)
}

/// `34.07s`, `900ms`, `156h14m36.7s`, `2d3h`: numbers with units, largest first in practice, any order here.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim().chars().peekable();
    rest.peek()?;
    while rest.peek().is_some() {
        let number = take_while(&mut rest, |c| c.is_ascii_digit() || c == '.');
        let unit = match take_while(&mut rest, char::is_alphabetic).as_str() {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(seconds(&number, unit)?)?;
    }
    (total <= LONGEST).then_some(total)
}

fn take_while(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, wanted: impl Fn(char) -> bool) -> String {
    std::iter::from_fn(|| rest.next_if(|&c| wanted(c))).collect()
}

/// What stands before a wait in a message, lower case.
const LEADS: &[&str] =
    &["retry in ", "retry after ", "reset after ", "resets in ", "try again in ", "reset in "];

/// Of a message, lower case: "please retry in 5.2s", "your quota will reset after 156h14m36s", "try again in 20 seconds".
pub(super) fn in_message(message: &str) -> Option<Duration> {
    LEADS.iter().find_map(|lead| {
        let (_, rest) = message.split_once(lead)?;
        let mut words = rest.split_whitespace();
        let word = words.next()?.trim_end_matches(['.', ',', ';', ')', '!']);
        duration(word).or_else(|| {
            let unit = match words.next()?.trim_end_matches(['.', ',', ';', ')', '!', 's']) {
                "millisecond" | "m" => 1e-3,
                "second" | "sec" => 1.0,
                "minute" | "min" => 60.0,
                "hour" => 3_600.0,
                "day" => 86_400.0,
                _ => return None,
            };
            seconds(word, unit)
        })
    })
}

/// What any text says, in each place where it may stand.
#[cfg(any(test, fuzzing))]
pub(in crate::llm) fn fuzz(text: &str, now: DateTime<Utc>) -> Vec<RetryHint> {
    let waits = [duration(text), in_message(&text.to_lowercase())].into_iter().flatten();
    waits.map(RetryHint::After).chain(timestamp(text, now)).chain(retry_after(text, now)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 9, 21, 14, 13, 20).single().expect("a date")
    }

    fn header(name: &'static str, value: &str) -> Option<RetryHint> {
        let value = HeaderValue::from_str(value).expect("a header");
        from_headers(&[(HeaderName::from_static(name), value)].into_iter().collect(), now())
    }

    fn after(seconds: f64) -> RetryHint {
        RetryHint::After(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn p22_headers_in_every_notation() {
        assert_eq!(header("retry-after", "120"), Some(after(120.0)));
        assert_eq!(header("retry-after", "1.5"), Some(after(1.5)));
        assert_eq!(header("retry-after", "0"), Some(after(0.0)));
        assert_eq!(header("retry-after-ms", "250"), Some(after(0.25)));
        let later = Some(RetryHint::At(now() + chrono::TimeDelta::seconds(100)));
        for date in
            ["Mon, 21 Sep 2026 14:15:00 GMT", "Monday, 21-Sep-26 14:15:00 GMT", "Mon Sep 21 14:15:00 2026"]
        {
            assert_eq!(header("retry-after", date), later, "{date}");
        }
    }

    #[test]
    fn p22_negative_and_absurd_headers_are_no_hint() {
        for text in ["-5", "99999999999", "1e300", "NaN", "inf", "soon", "Mon, 21 Sep 2096 14:15:00 GMT"] {
            assert_eq!(header("retry-after", text), None, "{text}");
        }
    }

    #[test]
    fn p22_durations_in_every_mix_of_units() {
        assert_eq!(duration("34.07s"), Some(Duration::from_millis(34_070)));
        assert_eq!(duration("900ms"), Some(Duration::from_millis(900)));
        assert_eq!(duration("373.8ms"), Some(Duration::from_micros(373_800)));
        assert_eq!(duration("2h3m4.5s"), Some(Duration::from_millis(7_384_500)));
        assert_eq!(duration("156h14m36.7s"), Some(Duration::from_millis(562_476_700)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        for text in ["", "-3s", "s", "5", "5parsecs", "9999999h", "1.2.3s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn p22_waits_inside_messages() {
        assert_eq!(in_message("please retry in 5.2s."), Some(Duration::from_millis(5_200)));
        assert_eq!(in_message("your quota will reset after 156h14m36s"), Some(Duration::from_secs(562_476)));
        assert_eq!(
            in_message("individual quota reached (resets in 116h36m28s)"),
            Some(Duration::from_secs(419_788))
        );
        assert_eq!(in_message("please try again in 20 seconds"), Some(Duration::from_secs(20)));
        assert_eq!(in_message("please try again in a while"), None);
        assert_eq!(in_message("resource has been exhausted (e.g. check quota)."), None);
    }

    proptest! {
        #[test]
        fn p22_no_text_panics_or_gives_more_than_a_month(text in ".{0,40}") {
            for wait in [duration(&text), in_message(&format!("retry in {text}")), seconds(&text, 1.0)] {
                prop_assert!(wait.is_none_or(|wait| wait <= LONGEST));
            }
            let _: Option<RetryHint> = retry_after(&text, now());
        }

        #[test]
        fn p22_what_go_writes_is_read_exactly(ms in 0_u64..2_000_000_000) {
            let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
            let text = format!("{h}h{m}m{s}.{:03}s", ms % 1_000);
            let read = duration(&text).expect("a duration");
            prop_assert!(read.abs_diff(Duration::from_millis(ms)) < Duration::from_micros(1), "{} {:?}", text, read);
        }
    }
}
