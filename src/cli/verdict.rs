//! How a look at something ended, for the commands that look at many things.

use serde::Serialize;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// In order.
    Pass,
    /// Works, but an operator should know.
    Warn,
    /// Does not work.
    Fail,
}

impl Verdict {
    /// A sign, as wide as the others.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Pass => "✅",
            Self::Warn => "⚠️",
            Self::Fail => "❌",
        }
    }
}
