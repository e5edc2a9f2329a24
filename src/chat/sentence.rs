//! The one visible sentence for each way a chat can fail (D20): what happened, and what to do now.
//!
//! Chosen here and nowhere else, written in `locales/`. Nothing of a provider's own prose reaches a person: it may hold account names,
//! addresses or instructions that are not ours.

use chrono::{DateTime, Utc};

use super::{CallOutcome, file::Unread};
use crate::{
    language::{Language, say},
    llm::{ChatFailure, FailureClass, Finish, Notice, Unseen},
};

/// Characters of a file's name in a small line.
const LONGEST_FILE_NAME: usize = 60;

/// Who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reader {
    /// Anybody in a chat.
    #[default]
    Person,
    /// Somebody who may touch credentials: told what to set.
    Operator,
}

/// The sentence and, in small print, who failed, how, and under which id the log has it.
pub fn failure(language: &Language, failure: &ChatFailure, reader: Reader) -> String {
    let mut print: Vec<String> = failure.provider.iter().map(ToString::to_string).collect();
    print.push(reason_code(&failure.code));
    print.push(format!("id {}", reason_code(&failure.id)));
    print.retain(|part| !part.is_empty());
    format!("⚠️ {}\n-# {}", sentence(language, &failure.class, reader), print.join(" · "))
}

fn sentence(language: &Language, class: &FailureClass, reader: Reader) -> String {
    match (class, reader) {
        (FailureClass::NothingConfigured, Reader::Operator) => {
            say!(language, "failure-nothing-configured-operator")
        }
        (FailureClass::NothingConfigured, Reader::Person) => say!(language, "failure-nothing-configured"),
        (FailureClass::NeedsOperator, Reader::Operator) => say!(language, "failure-needs-operator-operator"),
        (FailureClass::NeedsOperator, Reader::Person) => say!(language, "failure-needs-operator"),
        (FailureClass::Resting { until }, _) => say!(language, "failure-resting", until = relative(*until)),
        (FailureClass::Capacity, _) => say!(language, "failure-capacity"),
        (FailureClass::TooLong, _) => say!(language, "failure-too-long"),
        (FailureClass::Blocked, _) => say!(language, "failure-blocked"),
        (FailureClass::BadRequest, Reader::Operator) => say!(language, "failure-bad-request-operator"),
        (FailureClass::BadRequest, Reader::Person) => say!(language, "failure-bad-request"),
        (FailureClass::UnknownModel, Reader::Operator) => say!(language, "failure-unknown-model-operator"),
        (FailureClass::UnknownModel, Reader::Person) => say!(language, "failure-unknown-model"),
        (FailureClass::ProviderDown, _) => say!(language, "failure-provider-down"),
        (FailureClass::DeadlineExceeded, _) => say!(language, "failure-deadline"),
        (FailureClass::Interrupted, _) => say!(language, "failure-interrupted"),
        (FailureClass::Malformed, _) => say!(language, "failure-malformed"),
        (FailureClass::Empty, _) => say!(language, "failure-empty"),
        (FailureClass::ClientVersion, Reader::Operator) => say!(language, "failure-client-version-operator"),
        (FailureClass::ClientVersion, Reader::Person) => say!(language, "failure-client-version"),
    }
}

/// The small line for a notice; for one that passes, the line that stands in for the answer meanwhile.
pub fn notice(language: &Language, notice: &Notice) -> String {
    let text = match notice {
        Notice::Fallback { wanted, used } => {
            say!(language, "notice-fallback", used = shown(used), wanted = shown(wanted))
        }
        Notice::Unseen { model, what: Unseen::Pictures } => {
            say!(language, "notice-no-pictures", model = shown(model))
        }
        Notice::Unseen { model, what: Unseen::Gifs } => {
            say!(language, "notice-no-gifs", model = shown(model))
        }
        Notice::Resting { until } => say!(language, "notice-resting", until = relative(*until)),
    };
    format!("-# {text}")
}

/// The small line about a file that was not read.
pub fn unread(language: &Language, name: &str, why: Unread) -> String {
    let name: String =
        name.chars().filter(|c| !c.is_control() && *c != '`').take(LONGEST_FILE_NAME).collect();
    let why = why_unread(language, why);
    format!("-# 📎 {}", say!(language, "unread", name = format!("`{name}`"), why = why))
}

/// Why a file was not read: for people, and in English for the model.
pub(super) fn why_unread(language: &Language, why: Unread) -> String {
    match why {
        Unread::TooLarge(limit) if limit >= 1 << 20 => {
            say!(language, "unread-too-large", limit = format!("{} MiB", limit >> 20))
        }
        Unread::TooLarge(limit) => {
            say!(language, "unread-too-large", limit = format!("{} KiB", limit >> 10))
        }
        Unread::TooMany => say!(language, "unread-too-many"),
        Unread::Kind => say!(language, "unread-kind"),
        Unread::Foreign => say!(language, "unread-foreign"),
        Unread::Gone => say!(language, "unread-gone"),
        Unread::Unreachable => say!(language, "unread-unreachable"),
        Unread::Busy => say!(language, "unread-busy"),
        Unread::Locked => say!(language, "unread-locked"),
        Unread::Broken => say!(language, "unread-broken"),
        Unread::NoText => say!(language, "unread-no-text"),
        Unread::NoRoom => say!(language, "unread-no-room"),
    }
}

/// The small line for an answer that ended otherwise than by being complete.
pub fn ending(language: &Language, finish: &Finish) -> Option<String> {
    let text = match finish {
        Finish::Stop => return None,
        Finish::Length => say!(language, "ending-length"),
        Finish::Filtered(code) => say!(language, "ending-filtered", code = reason_code(code)),
        Finish::Other(code) => say!(language, "ending-other", code = reason_code(code)),
    };
    Some(format!("-# {text}"))
}

/// Calls that are named below an answer.
const MOST_CALLS: usize = 3;

/// The line while a tool is called. `call` is shown as it is: nothing in it can format or mention.
pub fn calling(language: &Language, call: &str) -> String {
    format!("-# 🔧 {}", say!(language, "tool-calling", call = call))
}

/// The line while a call waits for whoever asked.
pub fn asking(language: &Language, call: &str) -> String {
    format!("🔐 {}", say!(language, "tool-asking", call = call))
}

/// The small line about the tools that were called for an answer; `None`: none were.
pub fn called(language: &Language, calls: &[(String, CallOutcome)]) -> Option<String> {
    let how = |outcome: &CallOutcome| match outcome {
        CallOutcome::Made => None,
        CallOutcome::Failed => Some(say!(language, "tool-failed")),
        CallOutcome::Denied => Some(say!(language, "tool-denied")),
        CallOutcome::Unanswered => Some(say!(language, "tool-unanswered")),
        CallOutcome::Broken => Some(say!(language, "tool-broken")),
    };
    let shown = |(call, outcome): &(String, CallOutcome)| match how(outcome) {
        None => call.clone(),
        Some(how) => format!("{call} ({how})"),
    };
    let more = calls.len().saturating_sub(MOST_CALLS);
    let more = (more > 0).then(|| say!(language, "tool-more", count = more));
    let all: Vec<String> = calls.iter().take(MOST_CALLS).map(shown).chain(more).collect();
    (!all.is_empty()).then(|| format!("-# 🔧 {}", all.join(" · ")))
}

/// The small line where a model wanted more calls than it may make.
pub fn spent(language: &Language, steps: u32) -> String {
    format!("-# {}", say!(language, "tool-spent", steps = steps))
}

/// The line that stands in for an answer that has not begun.
pub fn thinking(language: &Language) -> String {
    format!("-# 💭 {}", say!(language, "thinking"))
}

/// The mark of an answer that somebody stopped.
pub fn stopped(language: &Language) -> String {
    format!("-# ⏹️ {}", say!(language, "stopped"))
}

/// The note on an answer that ends because the process does (D21).
pub fn drained(language: &Language) -> String {
    format!("-# 🔄 {}", say!(language, "drained"))
}

/// An instant as every reader's client shows it: "in 42 minutes".
fn relative(at: DateTime<Utc>) -> String {
    format!("<t:{}:R>", at.timestamp())
}

/// The note on an answer whose place closes while it is written (D2).
pub fn out_of_time(language: &Language) -> String {
    format!("-# ⌛ {}", say!(language, "out-of-time"))
}

/// The mark of an answer whose process died while it wrote (D22).
pub fn interrupted(language: &Language) -> String {
    format!("-# ⚡ {}", say!(language, "interrupted"))
}

/// Whether a line says how an answer ended before it was complete: stopped, or interrupted.
pub fn is_ending(line: &str) -> bool {
    ["-# ⏹️ ", "-# ⚡ "].iter().any(|sign| line.starts_with(sign))
}

/// Whether a message shows nothing of an answer, but what stands in for one that has not begun.
pub fn stands_in(text: &str) -> bool {
    text.lines().all(|line| ["-# ", "⏳ ", "🔐 "].iter().any(|sign| line.starts_with(sign)))
}

/// A model's name in a small line: nothing in it can format or mention.
fn shown(model: &crate::provider::ModelRef) -> String {
    format!("`{}`", model.to_string().replace(['`', '\n'], ""))
}

/// What may stand in small print: letters, digits and a few signs, 60 at most. A provider's code may be anything.
fn reason_code(code: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | ':');
    code.chars().filter(allowed).take(60).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Languages;

    fn english() -> Language {
        Language::english()
    }

    fn classes() -> Vec<FailureClass> {
        let until = DateTime::from_timestamp(1_800_000_000, 0).expect("an instant");
        vec![
            FailureClass::NothingConfigured,
            FailureClass::NeedsOperator,
            FailureClass::Resting { until },
            FailureClass::Capacity,
            FailureClass::TooLong,
            FailureClass::Blocked,
            FailureClass::BadRequest,
            FailureClass::UnknownModel,
            FailureClass::ProviderDown,
            FailureClass::DeadlineExceeded,
            FailureClass::Interrupted,
            FailureClass::Malformed,
            FailureClass::Empty,
            FailureClass::ClientVersion,
        ]
    }

    fn failed(class: FailureClass) -> ChatFailure {
        ChatFailure {
            id: "1a2b3c4d".to_owned(),
            class,
            provider: "gemini_cli".parse().ok(),
            code: "HTTP 503".to_owned(),
        }
    }

    #[test]
    fn d20_every_class_has_a_sentence_of_its_own_with_its_id() {
        let languages = Languages::built_in();
        let every = languages.names().flat_map(|name| [(name, Reader::Person), (name, Reader::Operator)]);
        for (name, reader) in every {
            let language = languages.named(name).unwrap();
            let all: Vec<String> =
                classes().into_iter().map(|class| failure(&language, &failed(class), reader)).collect();
            let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
            assert_eq!(distinct.len(), all.len());
            for text in all {
                assert!(text.ends_with("\n-# gemini_cli · HTTP 503 · id 1a2b3c4d"), "{text}");
                assert_eq!(text.lines().count(), 2, "{text}");
            }
        }
    }

    #[test]
    fn d20_a_known_instant_is_shown_relative() {
        let class = classes().swap_remove(2);
        assert!(failure(&english(), &failed(class), Reader::Person).contains("<t:1800000000:R>"));
    }

    #[test]
    fn d20_nothing_configured_tells_operators_what_to_set() {
        let told = |reader| failure(&english(), &failed(FailureClass::NothingConfigured), reader);
        assert!(told(Reader::Operator).contains("No OAuth credentials configured"));
        assert!(told(Reader::Operator).contains("GEMINI_CLI_OAUTH_CREDENTIALS"));
        assert!(told(Reader::Person).contains("No OAuth credentials configured"));
        assert!(!told(Reader::Person).contains("_OAUTH_CREDENTIALS"));
    }

    #[test]
    fn a_foreign_code_cannot_mention_or_format() {
        let failure =
            ChatFailure { code: "**@everyone** <@1>\n# x".to_owned(), ..failed(FailureClass::Empty) };
        assert!(
            super::failure(&english(), &failure, Reader::Person).ends_with("· everyone 1 x · id 1a2b3c4d")
        );
        assert_eq!(
            ending(&english(), &Finish::Filtered("SAFETY`@here".to_owned())),
            Some("-# The provider's safety filter ended the answer here (SAFETYhere).".to_owned())
        );
    }
}
