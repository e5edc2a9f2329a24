//! Faults on demand: what a test makes go wrong, and how often.

use serde::{Deserialize, Serialize};

/// A fault for REST requests that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestFault {
    /// Only this method, for example `PATCH`.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths (below `/api/v10`) that contain this.
    #[serde(default)]
    pub path: Option<String>,
    /// How many requests it befalls.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    #[serde(flatten)]
    pub action: RestAction,
}

fn once() -> u32 {
    1
}

/// What happens to a REST request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum RestAction {
    /// 429, and nothing is done.
    RateLimited {
        /// Which limit is said to be exceeded.
        scope: Scope,
        /// `Retry-After`, in milliseconds.
        retry_after_ms: u64,
    },
    /// This status with a body as Discord's edge gives it, and nothing is done.
    Status {
        /// For example 500 or 502.
        status: u16,
    },
    /// The request is carried out, and yet this status is answered.
    DoneButStatus {
        /// For example 502.
        status: u16,
    },
    /// Never answered.
    Hang,
}

/// Which rate limit a 429 speaks of (Topics, "Rate Limits", `X-RateLimit-Scope`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This bot's, on this route.
    User,
    /// Everybody's, on this resource.
    Shared,
    /// This bot's, over all routes.
    Global,
}

impl Scope {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Shared => "shared",
            Self::Global => "global",
        }
    }
}

/// A fault on the gateway, done at once to every connected session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum GatewayFault {
    /// The socket is gone without a word; the session can be resumed.
    Drop,
    /// Closed with a code, for example 4000.
    Close {
        /// The close code.
        code: u16,
    },
    /// Opcode 7: reconnect and resume.
    Reconnect,
    /// Opcode 9.
    Invalidate {
        /// Whether the session may still be resumed.
        resumable: bool,
    },
    /// The next events are sent twice each.
    Duplicate {
        /// How many events.
        events: u32,
    },
    /// The next events are kept back, and sent in the opposite order behind the first one after them.
    Reorder {
        /// How many events.
        events: u32,
    },
    /// Opcode 1: a heartbeat is asked for at once.
    AskHeartbeat,
    /// The next heartbeats get no answer.
    WithholdAcks {
        /// How many heartbeats.
        heartbeats: u32,
    },
}

/// What is still to go wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) rest: Vec<RestFault>,
    /// Added to every REST answer: half before the request is carried out, half after.
    pub(crate) latency_ms: u64,
    pub(crate) duplicate_events: u32,
    pub(crate) reorder_events: u32,
    pub(crate) withheld_acks: u32,
}

impl Faults {
    /// The fault that befalls this request, if any; counted.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<RestAction> {
        let at = self.rest.iter().position(|fault| {
            fault.times > 0
                && fault.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && fault.path.as_deref().is_none_or(|part| path.contains(part))
        })?;
        let fault = self.rest.get_mut(at)?;
        fault.times -= 1;
        let action = fault.action.clone();
        if fault.times == 0 {
            self.rest.remove(at);
        }
        Some(action)
    }
}

impl Faults {
    /// The fault that befalls a request for a file: one that names such paths, since files are not REST.
    pub(crate) fn take_for_file(&mut self, path: &str) -> Option<RestAction> {
        let names_it = |fault: &RestFault| fault.path.as_deref().is_some_and(|part| path.contains(part));
        if self.rest.iter().any(names_it) { self.take("GET", path) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_befalls_what_matches_and_as_often_as_it_says() {
        let mut faults = Faults::default();
        let fault =
            r#"{"method": "patch", "path": "/messages", "times": 2, "action": "status", "status": 502}"#;
        faults.rest.push(serde_json::from_str(fault).unwrap());
        assert_eq!(faults.take("POST", "/channels/1/messages"), None);
        assert_eq!(faults.take("PATCH", "/users/@me"), None);
        let hit = Some(RestAction::Status { status: 502 });
        assert_eq!(faults.take("PATCH", "/channels/1/messages/2"), hit);
        assert_eq!(faults.take("PATCH", "/channels/1/messages/2"), hit);
        assert_eq!(faults.take("PATCH", "/channels/1/messages/2"), None);
    }
}
