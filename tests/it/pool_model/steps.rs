//! What can happen to the pool beside its model, one step at a time.

use std::time::Duration;

use cortana::pool::{Outcome, RetryHint};
use proptest::prelude::*;

use super::CREDENTIALS;

/// One step.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Pass(u32),
    /// What the token endpoint does from now on.
    Endpoint(Answers),
    /// Whether a new token can be saved from now on.
    Saves(Writes),
    Lend,
    /// Somebody asks, and leaves before a refresh could end.
    Leave,
    Return(usize, How),
    Refresh(usize),
    LogIn(usize),
    Disable(usize),
    Enable(usize),
    Clear(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Grants,
    Fails,
    Refuses,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Writes {
    Succeed,
    Fail,
}

/// How a request ended, with the seconds to wait.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    Answered,
    Stopped,
    Quota(u32),
    ModelQuota(u32),
    AccountRefused,
}

impl How {
    pub(super) fn outcome(self) -> Outcome {
        let hint = |seconds| RetryHint::After(Duration::from_secs(u64::from(seconds)));
        let reason = "QUOTA".to_owned();
        match self {
            Self::Answered => Outcome::Success,
            Self::Stopped => Outcome::Neutral,
            Self::Quota(seconds) => Outcome::CredentialCooling { hint: hint(seconds), reason },
            Self::ModelQuota(seconds) => Outcome::ModelCooling { hint: hint(seconds), reason },
            Self::AccountRefused => Outcome::Refused { reason: "TOS_VIOLATION".to_owned(), link: None },
        }
    }
}

pub(super) fn how() -> impl Strategy<Value = How> {
    let wait = || prop_oneof![3 => 0_u32..120, 1 => 800_u32..10_000];
    prop_oneof![
        4 => Just(How::Answered),
        1 => Just(How::Stopped),
        3 => wait().prop_map(How::Quota),
        2 => wait().prop_map(How::ModelQuota),
        1 => Just(How::AccountRefused),
    ]
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let which = || 0..CREDENTIALS;
    prop_oneof![
        5 => prop_oneof![1_u32..100, 100_u32..4000].prop_map(Op::Pass),
        2 => prop_oneof![3 => Just(Answers::Grants), 1 => Just(Answers::Fails), 1 => Just(Answers::Refuses)].prop_map(Op::Endpoint),
        1 => prop_oneof![2 => Just(Writes::Succeed), 1 => Just(Writes::Fail)].prop_map(Op::Saves),
        8 => Just(Op::Lend),
        1 => Just(Op::Leave),
        6 => (0_usize..8, how()).prop_map(|(which, how)| Op::Return(which, how)),
        2 => which().prop_map(Op::Refresh),
        1 => which().prop_map(Op::LogIn),
        1 => which().prop_map(Op::Disable),
        2 => which().prop_map(Op::Enable),
        1 => which().prop_map(Op::Clear),
    ]
}
