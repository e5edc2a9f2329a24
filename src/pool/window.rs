//! When a token is fresh, early or hard-stale (P8, P10).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::credential::Tokens;

/// Lives shorter than this refresh in their last third.
const SHORT_LIFE: Duration = Duration::from_mins(30);
/// The longest that jitter starts a refresh earlier.
const JITTER: Duration = Duration::from_mins(1);
/// The longest hard window.
const HARD: Duration = Duration::from_secs(30);
/// A token that seems to live this much longer than its grant said was granted before the clock stepped back.
const STEP_SLACK: Duration = Duration::from_mins(2);

/// How a token stands against the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing to do.
    Fresh,
    /// Served, and refreshed meanwhile.
    Early,
    /// Callers wait for a refresh.
    Hard,
}

/// The windows of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Window {
    /// An API key: it has no expiry.
    Endless,
    /// No token, or one of unknown age: counts as expired.
    Missing,
    /// An access token.
    Until {
        /// When it expires.
        expires_at: DateTime<Utc>,
        /// When a refresh starts in the background.
        early_at: DateTime<Utc>,
        /// From when callers wait.
        hard_at: DateTime<Utc>,
        /// The life its grant gave it, where we saw the grant.
        lifetime: Option<Duration>,
    },
}

impl Window {
    /// The windows of these tokens, found or granted `now`. `early` is the row's or the configured early window;
    /// `jitter` (0 to 1) is how much of the jitter this credential takes.
    pub(super) fn of(tokens: &Tokens, early: Duration, jitter: f64, now: DateTime<Utc>) -> Self {
        let (Some(_), Some(expires_at)) = (&tokens.access, tokens.expires_at) else { return Self::Missing };
        let remaining = expires_at.signed_duration_since(now).to_std().unwrap_or_default();
        let (life, early) = match tokens.lifetime {
            Some(life) if life < SHORT_LIFE => (life, early.min(life / 3)),
            // A window as long as the life would refresh for ever.
            Some(life) => (life, early.min(life / 2)),
            None => (remaining, early.min(remaining / 2)),
        };
        let jitter = JITTER.min(life / 10).mul_f64(jitter.clamp(0.0, 1.0));
        Self::Until {
            expires_at,
            early_at: before(expires_at, early + jitter),
            hard_at: before(expires_at, HARD.min(life / 10)),
            lifetime: tokens.lifetime,
        }
    }

    /// How the token stands now.
    pub(super) fn phase(&self, now: DateTime<Utc>) -> Phase {
        match self {
            Self::Endless => Phase::Fresh,
            Self::Missing => Phase::Hard,
            Self::Until { expires_at, early_at, hard_at, lifetime } => {
                let stepped_back =
                    lifetime.is_some_and(|life| *expires_at > after(now, life.saturating_add(STEP_SLACK)));
                if now >= *hard_at {
                    Phase::Hard
                } else if now >= *early_at || stepped_back {
                    Phase::Early
                } else {
                    Phase::Fresh
                }
            }
        }
    }

    /// When the token expires.
    pub(super) fn expires_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Endless | Self::Missing => None,
            Self::Until { expires_at, .. } => Some(*expires_at),
        }
    }

    /// When callers start to wait.
    pub(super) fn hard_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Endless | Self::Missing => None,
            Self::Until { hard_at, .. } => Some(*hard_at),
        }
    }

    /// When a background refresh is due: at once where there is no live token, never for an API key.
    pub(super) fn due_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Endless => None,
            Self::Missing => Some(DateTime::<Utc>::MIN_UTC),
            Self::Until { early_at, .. } => Some(*early_at),
        }
    }
}

/// `at` and a while, at most the end of time.
pub(super) fn after(at: DateTime<Utc>, while_: Duration) -> DateTime<Utc> {
    let delta = TimeDelta::from_std(while_).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(delta).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// `at` less a while, at least the beginning of time.
pub(super) fn before(at: DateTime<Utc>, while_: Duration) -> DateTime<Utc> {
    let delta = TimeDelta::from_std(while_).unwrap_or(TimeDelta::MAX);
    at.checked_sub_signed(delta).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;

    const TEN_MINUTES: Duration = Duration::from_mins(10);

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    fn tokens(expires: i64, lifetime: Option<u64>) -> Tokens {
        Tokens {
            access: Some(Secret::new("ya29.FAKE")),
            refresh: None,
            expires_at: Some(at(expires)),
            lifetime: lifetime.map(Duration::from_secs),
        }
    }

    fn seconds(window: &Window) -> (i64, i64) {
        let Window::Until { early_at, hard_at, .. } = window else { panic!("no token: {window:?}") };
        let since = |instant: &DateTime<Utc>| instant.signed_duration_since(at(0)).num_seconds();
        (since(early_at), since(hard_at))
    }

    #[test]
    fn p8_the_early_window_follows_the_life_of_the_grant() {
        let window = |life: u64, early: Duration, jitter: f64| {
            seconds(&Window::of(&tokens(life.cast_signed(), Some(life)), early, jitter, at(0)))
        };
        assert_eq!(window(3600, TEN_MINUTES, 0.0), (3000, 3570), "an hour: ten minutes, thirty seconds");
        assert_eq!(window(3600, TEN_MINUTES, 1.0), (2940, 3570), "jitter starts earlier, never later");
        assert_eq!(window(900, TEN_MINUTES, 0.0), (600, 870), "a quarter of an hour: its last third");
        assert_eq!(window(60, TEN_MINUTES, 1.0), (34, 54), "a minute: jitter shrinks with it");
        assert_eq!(window(7200, Duration::from_hours(24), 0.0), (3600, 7170), "never the whole life");
    }

    #[test]
    fn p8_a_loaded_token_of_unknown_life_is_early_for_half_of_what_remains_at_most() {
        let loaded = |remaining| seconds(&Window::of(&tokens(remaining, None), TEN_MINUTES, 0.0, at(0)));
        assert_eq!(loaded(3600), (3000, 3570));
        assert_eq!(loaded(600), (300, 570));
        assert_eq!(loaded(100), (50, 90));
    }

    #[test]
    fn p10_unknown_expiry_and_clock_steps() {
        let unknown = Tokens { expires_at: None, ..tokens(0, None) };
        assert_eq!(Window::of(&unknown, TEN_MINUTES, 0.0, at(0)).phase(at(0)), Phase::Hard);
        let window = Window::of(&tokens(3600, Some(3600)), TEN_MINUTES, 0.0, at(0));
        assert_eq!(window.phase(at(10)), Phase::Fresh);
        assert_eq!(window.phase(at(-86_400)), Phase::Early, "stepped back a day: served, and refreshed once");
        assert_eq!(window.phase(at(86_400)), Phase::Hard, "slept for a day");
    }

    proptest! {
        #[test]
        fn p8_windows_are_in_order_and_nothing_overflows(
            remaining in -10_i64..100_000_000, life in proptest::option::of(0_u64..u64::MAX),
            early in 0_u64..u64::MAX, jitter in 0.0_f64..1.0,
        ) {
            let window = Window::of(&tokens(remaining, life), Duration::from_secs(early), jitter, at(0));
            let Window::Until { expires_at, early_at, hard_at, .. } = window.clone() else { panic!("a token") };
            prop_assert!(early_at <= expires_at && hard_at <= expires_at);
            prop_assert_eq!(window.phase(expires_at), Phase::Hard);
            if life.is_none_or(|life| life >= 3) && early >= 60 {
                prop_assert!(early_at <= hard_at, "{early_at} {hard_at}");
            }
            if remaining > 3 && life.is_none() {
                prop_assert_ne!(window.phase(at(0)), Phase::Hard, "what was loaded live is served");
            }
        }
    }
}
