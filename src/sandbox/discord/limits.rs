//! Rate limits: windows per route and resource, and the global one.
//!
//! The numbers for edits and for interaction webhooks are not documented by Discord; users observed them.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::{faults::Scope, ids::Id};

/// What a request is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    Create(Id),
    Edit(Id),
    Delete(Id),
    Typing(Id),
    /// Reactions: one in a quarter of a second.
    React(Id),
    /// Edits through an interaction's webhook, by its token.
    WebhookEdit(String),
    /// Follow-ups through an interaction's webhook, by its token.
    WebhookCreate(String),
    /// Anything else, by method and route.
    Other(String),
    /// Not counted: answers to interactions.
    Free,
}

impl Bucket {
    /// Requests and milliseconds; all must hold.
    fn rules(&self) -> &'static [(u32, u64)] {
        match self {
            Self::Create(_) | Self::Edit(_) | Self::Delete(_) | Self::Typing(_) | Self::WebhookCreate(_) => {
                &[(5, 5_000)]
            }
            Self::WebhookEdit(_) => &[(5, 2_000), (30, 60_000)],
            Self::Other(_) => &[(50, 1_000)],
            Self::React(_) => &[(1, 250)],
            Self::Free => &[],
        }
    }

    /// The opaque name in `X-RateLimit-Bucket`, the same for every resource.
    fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "80c17d2f203122d936070c88c8d10f33",
            Self::Edit(_) => "3cd1f278bd0ecaf11e0d2391c374b8cf",
            Self::Delete(_) => "a4d6e2b1c9f04b0e8a35d1f2c7b6e590",
            Self::Typing(_) => "cd5ac3f9d6c24f1a8b1e0c6a4f7d2e31",
            Self::WebhookEdit(_) => "b8e6a1c4d3f24c0f9a7b5e2d1c8f6a43",
            Self::WebhookCreate(_) => "7f1d0c8a5b3e4692b4a6c1d9e8f7a052",
            Self::Other(_) => "5e9b2c7d1a8f4036a1d4b7c2e6f90835",
            Self::React(_) => "c4a1e7b25d3f4f0e8b6a9d7c1e2f3a58",
            Self::Free => "",
        }
    }

    fn counts_globally(&self) -> bool {
        !matches!(self, Self::WebhookEdit(_) | Self::WebhookCreate(_) | Self::Free)
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    started_at: Duration,
    used: u32,
}

/// What the headers say after a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) bucket: &'static str,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset_after: Duration,
}

/// A request over the limit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exceeded {
    pub(crate) scope: Scope,
    pub(crate) retry_after: Duration,
    pub(crate) standing: Option<Standing>,
}

/// All windows.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: HashMap<(Bucket, usize), Window>,
    /// Instants of the requests of the last second.
    global: VecDeque<Duration>,
}

/// Requests in any second, over all routes.
const GLOBAL: usize = 50;
const SECOND: Duration = Duration::from_secs(1);

impl Limits {
    /// Counts a request, or refuses it. A refused one is not counted.
    pub(crate) fn take(&mut self, bucket: &Bucket, now: Duration) -> Result<Option<Standing>, Exceeded> {
        while self.global.front().is_some_and(|sent| now.saturating_sub(*sent) >= SECOND) {
            self.global.pop_front();
        }
        if bucket.counts_globally()
            && self.global.len() >= GLOBAL
            && let Some(oldest) = self.global.front()
        {
            let retry_after = SECOND.saturating_sub(now.saturating_sub(*oldest));
            return Err(Exceeded { scope: Scope::Global, retry_after, standing: None });
        }
        let mut tightest: Option<Standing> = None;
        for (index, (limit, millis)) in bucket.rules().iter().copied().enumerate() {
            let length = Duration::from_millis(millis);
            let key = (bucket.clone(), index);
            let window = self.windows.entry(key).or_insert(Window { started_at: now, used: 0 });
            if now.saturating_sub(window.started_at) >= length {
                *window = Window { started_at: now, used: 0 };
            }
            let standing = Standing {
                bucket: bucket.name(),
                limit,
                remaining: limit - window.used.min(limit),
                reset_after: length.saturating_sub(now.saturating_sub(window.started_at)),
            };
            if tightest.as_ref().is_none_or(|other| standing.remaining < other.remaining) {
                tightest = Some(standing);
            }
        }
        if let Some(standing) = &tightest
            && standing.remaining == 0
        {
            let retry_after = standing.reset_after;
            return Err(Exceeded { scope: Scope::User, retry_after, standing: tightest });
        }
        for index in 0..bucket.rules().len() {
            if let Some(window) = self.windows.get_mut(&(bucket.clone(), index)) {
                window.used += 1;
            }
        }
        if bucket.counts_globally() {
            self.global.push_back(now);
        }
        Ok(tightest.map(|standing| Standing { remaining: standing.remaining - 1, ..standing }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn five_edits_in_five_seconds_and_creates_counted_apart() {
        let mut limits = Limits::default();
        let edit = Bucket::Edit(Id(1));
        for n in 0..5 {
            let standing = limits.take(&edit, at(n * 100)).unwrap().unwrap();
            assert_eq!(standing.remaining, 4 - u32::try_from(n).unwrap());
        }
        let refused = limits.take(&edit, at(1000)).unwrap_err();
        assert_eq!((refused.scope, refused.retry_after), (Scope::User, at(4000)));
        assert!(limits.take(&Bucket::Create(Id(1)), at(1000)).is_ok(), "another class");
        assert!(limits.take(&Bucket::Edit(Id(2)), at(1000)).is_ok(), "another channel");
        assert!(limits.take(&edit, at(5000)).is_ok(), "a new window");
    }

    #[test]
    fn a_webhook_has_a_short_window_and_a_long_one() {
        let mut limits = Limits::default();
        let edit = Bucket::WebhookEdit("token".to_owned());
        let accepted = (0..120).filter(|n| limits.take(&edit, at(n * 400)).is_ok()).count();
        assert_eq!(accepted, 30, "48 seconds at 2.5 a second: the long window binds");
        let refused = limits.take(&edit, at(50_000)).unwrap_err();
        assert_eq!(refused.retry_after, at(10_000));
        assert!(limits.take(&edit, at(60_000)).is_ok());
    }

    #[test]
    fn no_sliding_second_has_more_than_fifty_requests() {
        let mut limits = Limits::default();
        let accepted: Vec<u64> = (0..3000)
            .filter(|ms| {
                let other = Bucket::Other(format!("GET {ms}"));
                limits.take(&other, at(*ms)).is_ok()
            })
            .collect();
        for start in 0..2000u64 {
            let inside = accepted.iter().filter(|ms| (start..start + 1000).contains(*ms)).count();
            assert!(inside <= GLOBAL, "{inside} from {start} ms on");
        }
        assert!(accepted.len() >= 150);
    }
}
