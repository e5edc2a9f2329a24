//! Whether this machine's clock can be believed: expiry is compared with it (P10).

use std::{fs, time::UNIX_EPOCH};

use chrono::{DateTime, TimeDelta, Utc};

use super::Finding;
use crate::{
    clock::{Clock as _, SystemClock},
    config::Settings,
};

const CHECK: &str = "clock";
const REMEDY: &str = "set the clock, and let NTP keep it: timedatectl set-ntp true";

/// The program was made after this: a clock before it is wrong.
const MADE: &str = "2026-10-01T00:00:00Z";

/// How far two clocks may differ before one is called wrong.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let now = SystemClock.now();
    let witnesses = [
        MADE.parse().ok().map(|made| (made, "this program's making")),
        newest_file(settings).map(|at| (at, "the newest credential file")),
    ];
    vec![judge(now, &witnesses.into_iter().flatten().collect::<Vec<_>>(), hardware_clock())]
}

/// What a clock reading is worth, given instants that must lie before it and the hardware's own clock.
fn judge(now: DateTime<Utc>, before: &[(DateTime<Utc>, &str)], hardware: Option<DateTime<Utc>>) -> Finding {
    let shown = now.format("%F %H:%M UTC");
    for (at, name) in before {
        if now + TOLERANCE < *at {
            let at = at.format("%F %H:%M UTC");
            return Finding::fail(CHECK, format!("reads {shown}, which is before {name} ({at})"), REMEDY);
        }
    }
    if let Some(hardware) = hardware
        && (hardware - now).abs() > TOLERANCE
    {
        let hardware = hardware.format("%F %H:%M UTC");
        return Finding::warn(
            CHECK,
            format!("reads {shown}, the hardware clock {hardware}; one of them is wrong"),
            REMEDY,
        );
    }
    Finding::pass(CHECK, format!("reads {shown}"))
}

/// When the newest file of the credentials folder was changed.
fn newest_file(settings: &Settings) -> Option<DateTime<Utc>> {
    fs::read_dir(&settings.pool.credentials_dir)
        .ok()?
        .filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok())
        .filter_map(|at| {
            DateTime::from_timestamp(i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?, 0)
        })
        .max()
}

/// The hardware clock, where Linux shows one; kept in UTC by every system that lets this be asked.
fn hardware_clock() -> Option<DateTime<Utc>> {
    let text = fs::read_to_string("/sys/class/rtc/rtc0/since_epoch").ok()?;
    DateTime::from_timestamp(text.trim().parse().ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn p10_a_clock_is_judged_by_what_must_lie_before_it() {
        let now = at("2026-11-21T12:00:00Z");
        let verdict = |before: &str, hardware: Option<&str>| {
            judge(now, &[(at(before), "a file")], hardware.map(at)).verdict
        };
        assert_eq!(verdict("2026-11-21T11:00:00Z", None), Verdict::Pass);
        assert_eq!(verdict("2026-11-21T12:04:00Z", None), Verdict::Pass);
        assert_eq!(verdict("2026-11-21T12:06:00Z", None), Verdict::Fail);
        assert_eq!(verdict("2026-11-21T11:00:00Z", Some("2026-11-21T12:01:00Z")), Verdict::Pass);
        assert_eq!(verdict("2026-11-21T11:00:00Z", Some("2026-11-21T10:00:00Z")), Verdict::Warn);
    }
}
