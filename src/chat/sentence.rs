//! The one visible sentence for each way a chat can fail (D20): what happened, and what to do now.
//!
//! Written here and nowhere else. Nothing of a provider's own prose reaches a person: it may hold account names,
//! addresses or instructions that are not ours.

use super::file::Unread;
use crate::llm::{ChatFailure, FailureClass, Finish, Notice, Unseen};

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
pub fn failure(failure: &ChatFailure, reader: Reader) -> String {
    let mut print: Vec<String> = failure.provider.iter().map(ToString::to_string).collect();
    print.push(reason_code(&failure.code));
    print.push(format!("id {}", reason_code(&failure.id)));
    print.retain(|part| !part.is_empty());
    format!("⚠️ {}\n-# {}", sentence(&failure.class, reader), print.join(" · "))
}

fn sentence(class: &FailureClass, reader: Reader) -> String {
    match (class, reader) {
        (FailureClass::NothingConfigured, Reader::Operator) => {
            "No OAuth credentials configured: put a credential file into the credentials folder, or set \
             `GEMINI_CLI_OAUTH_CREDENTIALS`, `QWEN_CODE_OAUTH_CREDENTIALS` or an API key such as `OPENAI_API_KEY`. \
             A file counts within seconds; a variable needs a restart."
                .to_owned()
        }
        (FailureClass::NothingConfigured, Reader::Person) => {
            "No OAuth credentials configured, so I cannot reach a model yet. Please ask whoever runs this bot to \
             add one."
                .to_owned()
        }
        (FailureClass::NeedsOperator, Reader::Operator) => {
            "Every account needs a person: run `/settings oauth-status` to see which login, licence or terms are \
             missing."
                .to_owned()
        }
        (FailureClass::NeedsOperator, Reader::Person) => {
            "None of my accounts can answer until whoever runs this bot has looked after them. Please tell them."
                .to_owned()
        }
        (FailureClass::Resting { until }, _) => format!(
            "All accounts are resting for now; the first is back <t:{}:R>. Please ask again then.",
            until.timestamp()
        ),
        (FailureClass::Capacity, _) => {
            "The model is overloaded for everybody right now. Please try again in a minute, or choose another model."
                .to_owned()
        }
        (FailureClass::TooLong, _) => {
            "This conversation is too long for the model. Please start a new one, or send less text at once.".to_owned()
        }
        (FailureClass::Blocked, _) => {
            "The provider's safety filter refused this. Please put it in other words.".to_owned()
        }
        (FailureClass::BadRequest, Reader::Operator) => {
            "The provider refused the request as malformed; asking again will not help. The log has it under the id \
             below."
                .to_owned()
        }
        (FailureClass::BadRequest, Reader::Person) => {
            "The provider refused this request, and asking again will not help. Please change the question or tell \
             whoever runs this bot the id below."
                .to_owned()
        }
        (FailureClass::UnknownModel, Reader::Operator) => {
            "The provider does not offer this model. Please choose another one, or correct `DEFAULT_MODEL`.".to_owned()
        }
        (FailureClass::UnknownModel, Reader::Person) => {
            "The provider does not offer this model. Please choose another one.".to_owned()
        }
        (FailureClass::ProviderDown, _) => {
            "The provider does not answer properly at the moment. Please try again in a few minutes.".to_owned()
        }
        (FailureClass::DeadlineExceeded, _) => {
            "The model did not begin to answer in time. Please try again.".to_owned()
        }
        (FailureClass::Interrupted, _) => {
            "The answer broke off here. Please let me continue, or ask again.".to_owned()
        }
        (FailureClass::Malformed, _) => {
            "The provider sent an answer that I could not read. Please try again.".to_owned()
        }
        (FailureClass::Empty, _) => {
            "The model sent an empty answer. Please try again, or put the question in other words.".to_owned()
        }
        (FailureClass::ClientVersion, Reader::Operator) => {
            "The provider demands a newer version of its client, of every account alike: update the bot, or set the \
             provider's `_USER_AGENT` variable (`ANTIGRAVITY_USER_AGENT`) to one that it accepts, if its terms let you."
                .to_owned()
        }
        (FailureClass::ClientVersion, Reader::Person) => {
            "The provider demands an update of this bot. Please tell whoever runs it.".to_owned()
        }
    }
}

/// The small line for a notice; for one that passes, the line that stands in for the answer meanwhile.
pub fn notice(notice: &Notice) -> String {
    match notice {
        Notice::Fallback { wanted, used } => {
            format!("-# Answered by {}, because {} was not available.", shown(used), shown(wanted))
        }
        Notice::Unseen { model, what: Unseen::Pictures } => {
            format!("-# {} cannot see pictures, so this is answered without them.", shown(model))
        }
        Notice::Unseen { model, what: Unseen::Gifs } => {
            format!("-# {} cannot see GIFs, so this is answered without them.", shown(model))
        }
        Notice::Resting { until } => {
            format!("-# All accounts are resting, next <t:{}:R>. I will answer then.", until.timestamp())
        }
    }
}

/// The small line about a file that was not read.
pub fn unread(name: &str, why: Unread) -> String {
    let name: String =
        name.chars().filter(|c| !c.is_control() && *c != '`').take(LONGEST_FILE_NAME).collect();
    format!("-# 📎 I did not read `{name}`: {}.", why_unread(why))
}

/// Why a file was not read: for people, and for the model.
pub(super) fn why_unread(why: Unread) -> String {
    match why {
        Unread::TooLarge(limit) if limit >= 1 << 20 => format!("it is larger than {} MiB", limit >> 20),
        Unread::TooLarge(limit) => format!("it is larger than {} KiB", limit >> 10),
        Unread::TooMany => "only the newest files of a conversation are read".to_owned(),
        Unread::Kind => "it is no text, picture or PDF".to_owned(),
        Unread::Foreign => "it is not kept by Discord".to_owned(),
        Unread::Gone => "Discord does not have it any more".to_owned(),
        Unread::Unreachable => "Discord did not deliver it in time".to_owned(),
        Unread::Busy => "too many files are being read at once".to_owned(),
        Unread::Locked => "it is locked with a password".to_owned(),
        Unread::Broken => "it is a PDF that I cannot understand".to_owned(),
        Unread::NoText => "there is no text in it, only pictures of pages".to_owned(),
        Unread::NoRoom => "there was no room left for it".to_owned(),
    }
}

/// The small line for an answer that ended otherwise than by being complete.
pub fn ending(finish: &Finish) -> Option<String> {
    match finish {
        Finish::Stop => None,
        Finish::Length => {
            Some("-# The answer reached the length limit. Continue, or ask for something shorter.".to_owned())
        }
        Finish::Filtered(code) => {
            Some(format!("-# The provider's safety filter ended the answer here ({}).", reason_code(code)))
        }
        Finish::Other(code) => Some(format!("-# The answer ended early ({}).", reason_code(code))),
    }
}

/// The line that stands in for an answer that has not begun.
pub fn thinking() -> String {
    "-# 💭 Thinking…".to_owned()
}

/// The mark of an answer that somebody stopped.
pub fn stopped() -> String {
    "-# ⏹️ Stopped.".to_owned()
}

/// The note on an answer that ends because the process does (D21).
pub fn drained() -> String {
    "-# 🔄 I am restarting, so this answer ends here. Please ask again in a moment.".to_owned()
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
    use chrono::DateTime;

    use super::*;

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
        for reader in [Reader::Person, Reader::Operator] {
            let all: Vec<String> =
                classes().into_iter().map(|class| failure(&failed(class), reader)).collect();
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
        assert!(failure(&failed(class), Reader::Person).contains("<t:1800000000:R>"));
    }

    #[test]
    fn d20_nothing_configured_tells_operators_what_to_set() {
        let told = |reader| failure(&failed(FailureClass::NothingConfigured), reader);
        assert!(told(Reader::Operator).contains("No OAuth credentials configured"));
        assert!(told(Reader::Operator).contains("GEMINI_CLI_OAUTH_CREDENTIALS"));
        assert!(told(Reader::Person).contains("No OAuth credentials configured"));
        assert!(!told(Reader::Person).contains("_OAUTH_CREDENTIALS"));
    }

    #[test]
    fn a_foreign_code_cannot_mention_or_format() {
        let failure =
            ChatFailure { code: "**@everyone** <@1>\n# x".to_owned(), ..failed(FailureClass::Empty) };
        assert!(super::failure(&failure, Reader::Person).ends_with("· everyone 1 x · id 1a2b3c4d"));
        assert_eq!(
            ending(&Finish::Filtered("SAFETY`@here".to_owned())),
            Some("-# The provider's safety filter ended the answer here (SAFETYhere).".to_owned())
        );
    }
}
