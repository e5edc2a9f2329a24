//! What came with commands: no message holds it, and the answer shows only a line of it. It is remembered for a while (the
//! addresses of files hold for a day).

use std::sync::{Mutex, PoisonError};

use super::{data::Recent, history::Seen};
use crate::chat::{Content, File};

/// Answers whose questions are remembered.
const REMEMBERED: usize = 512;

/// Questions by the first message of the answer, no file of theirs read.
#[derive(Debug)]
pub(super) struct Enclosed(Mutex<Recent<u64, (String, Vec<File>)>>);

impl Enclosed {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Recent::new(REMEMBERED)))
    }

    /// Remembers the question that a message answers. What was read of a channel is not kept.
    pub(super) fn put(&self, answer: u64, text: &str, files: Vec<File>) {
        if files.iter().all(|file| matches!(file.content, Content::Offered(_))) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(answer, (text.to_owned(), files));
        }
    }

    /// A question with all that is remembered of it.
    pub(super) fn with(&self, answer: u64, question: Seen) -> Seen {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&answer).cloned();
        match known {
            Some((content, files)) => Seen { content, files, ..question },
            None => question,
        }
    }

    /// Forgets the questions of answers that are gone (D12).
    pub(super) fn forget(&self, answers: &[u64]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for answer in answers {
            known.remove(answer);
        }
    }
}
