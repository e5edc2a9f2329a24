//! The files that came with commands: no message holds them, so they are remembered for a while (their addresses hold for
//! a day).

use std::sync::{Mutex, PoisonError};

use super::{data::Recent, history::Seen};
use crate::chat::File;

/// Answers whose questions' files are remembered.
const REMEMBERED: usize = 512;

/// Files by the first message of the answer, none of them read.
#[derive(Debug)]
pub(super) struct Enclosed(Mutex<Recent<u64, Vec<File>>>);

impl Enclosed {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Recent::new(REMEMBERED)))
    }

    /// Remembers what came with the question that a message answers.
    pub(super) fn put(&self, answer: u64, files: Vec<File>) {
        if !files.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(answer, files);
        }
    }

    /// A question with what came with it.
    pub(super) fn with(&self, answer: u64, question: Seen) -> Seen {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&answer).cloned();
        Seen { files: known.unwrap_or_default(), ..question }
    }

    /// Forgets the files of answers that are gone (D12).
    pub(super) fn forget(&self, answers: &[u64]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for answer in answers {
            known.remove(answer);
        }
    }
}
