//! What goes wrong with the hub, by what the person does next; each is a sentence, without addresses that are signed.

use std::{io, path::Path};

use hf_hub::HFError;

use super::Asking;
use crate::{
    fs::{self, PartialError},
    hub::bytes_in_words,
};

/// Whether the hub was asked with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// With `HF_TOKEN`.
    Given,
    /// As anybody.
    Missing,
}

/// Why the hub did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// No model can have this name.
    #[error("`{name}` is no model's name; expected OWNER/MODEL, as `cortana hf search` lists them")]
    NoName {
        /// What was asked for.
        name: String,
    },
    /// The authors want their terms accepted first.
    #[error("{repo} is gated: its authors want to know who uses it. {}", accept(page, *.token))]
    Gated {
        /// Which.
        repo: String,
        /// Where its terms are accepted.
        page: String,
        /// Whether it was asked with a token.
        token: Token,
    },
    /// It is not there, or not for whoever asks: the hub does not tell these apart.
    #[error("there is no model {repo}, or it is private{}", private(*.token))]
    NotFound {
        /// Which.
        repo: String,
        /// Whether it was asked with a token.
        token: Token,
    },
    /// The token is wrong, or was revoked.
    #[error(
        "the hub refuses HF_TOKEN; make a new one that may read at https://huggingface.co/settings/tokens, or unset it: \
         open models need none"
    )]
    TokenRefused,
    /// The repository has no such file.
    #[error("{repo} has no file `{file}`.{}", meant(near))]
    UnknownFile {
        /// Which repository.
        repo: String,
        /// What was asked for.
        file: String,
        /// Names that are near, nearest first.
        near: Vec<String>,
    },
    /// The disk has too little room.
    #[error(
        "{} are needed in {folder}, and there is room for {}; make room, or choose another folder with --to",
        bytes_in_words(*.needed),
        bytes_in_words(*.room)
    )]
    NoRoom {
        /// Bytes that are still to come.
        needed: u64,
        /// Bytes that there is room for.
        room: u64,
        /// Where.
        folder: String,
    },
    /// A file of that name is there already, with other content.
    #[error("{path} is there already, with other content; move it away, or choose another folder with --to")]
    OtherContent {
        /// Which.
        path: String,
    },
    /// Another process fetches the same.
    #[error("another process is fetching {file} into this folder; wait for it")]
    InUse {
        /// Which.
        file: String,
    },
    /// What arrived is not what the hub announced.
    #[error(
        "what arrived of {file} does not have the SHA-256 that the hub names, and was thrown away; try again"
    )]
    WrongContent {
        /// Which.
        file: String,
    },
    /// Too many requests.
    #[error("the hub asks for a pause; try again{}", match .after_secs { Some(secs) => format!(" in {secs} s"), None => " in a few minutes".to_owned() })]
    Busy {
        /// When, if it said so, in seconds.
        after_secs: Option<u64>,
    },
    /// No connection, or one that broke again and again.
    #[error(
        "the hub cannot be reached ({problem}); check the network, HTTPS_PROXY and HF_ENDPOINT, then try again"
    )]
    Unreachable {
        /// What the connection says, without an address.
        problem: String,
    },
    /// It answers with a fault of its own.
    #[error("the hub answers with {status}; try again later")]
    Faulty {
        /// Its HTTP status.
        status: u16,
    },
    /// Its answer cannot be understood.
    #[error("the hub's answer cannot be understood ({problem}); is HF_ENDPOINT a hub?")]
    Malformed {
        /// What is missing.
        problem: String,
    },
    /// The disk refuses.
    #[error("{path}: {problem}")]
    Disk {
        /// Which file.
        path: String,
        /// What the operating system says.
        problem: String,
    },
}

fn accept(page: &str, token: Token) -> String {
    match token {
        Token::Missing => format!(
            "Log in, open {page} and accept what it asks; then set HF_TOKEN to a token of that account \
             (https://huggingface.co/settings/tokens) and try again"
        ),
        Token::Given => format!(
            "The account of HF_TOKEN may not fetch it yet: open {page} with that account and accept what it asks; some \
             authors approve each request by hand. A fine-grained token also needs the right to read gated repositories"
        ),
    }
}

fn private(token: Token) -> &'static str {
    match token {
        Token::Missing => "; to fetch a private one, set HF_TOKEN to a token of an account that may read it",
        Token::Given => " and the account of HF_TOKEN may not read it; check the name and the token's rights",
    }
}

fn meant(near: &[String]) -> String {
    match near {
        [] => " `cortana hf search` lists GGUF files by their names".to_owned(),
        [only] => format!(" Did you mean `{only}`?"),
        [first @ .., last] => format!(" Did you mean `{}` or `{last}`?", first.join("`, `")),
    }
}

impl HubError {
    /// Whether the same request may succeed in a moment.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Faulty { status } => *status >= 500,
            Self::NoName { .. }
            | Self::Gated { .. }
            | Self::NotFound { .. }
            | Self::TokenRefused
            | Self::UnknownFile { .. }
            | Self::NoRoom { .. }
            | Self::OtherContent { .. }
            | Self::InUse { .. }
            | Self::WrongContent { .. }
            | Self::Busy { .. }
            | Self::Malformed { .. }
            | Self::Disk { .. } => false,
        }
    }

    pub(super) fn unreachable(error: &crate::http::HttpError) -> Self {
        Self::Unreachable { problem: error.to_string() }
    }

    pub(super) fn disk(path: &Path, error: &io::Error) -> Self {
        Self::Disk { path: path.display().to_string(), problem: fs::problem(error) }
    }

    pub(super) fn partial(file: &str, path: &Path, error: &PartialError) -> Self {
        match error {
            PartialError::InUse => Self::InUse { file: file.to_owned() },
            PartialError::Io(error) => Self::disk(path, error),
        }
    }

    /// From an answer's status and what the hub says in its headers (`X-Error-Code`, `X-Error-Message`).
    pub(super) fn from_answer(said: Said<'_>, asking: &Asking<'_>) -> Self {
        let Said { status, code, message, after_secs } = said;
        let repo = asking.repo.to_owned();
        match (status, code) {
            (_, Some("GatedRepo")) => Self::Gated { repo, page: asking.page(), token: asking.token },
            (_, Some("RepoNotFound")) => Self::NotFound { repo, token: asking.token },
            (401, _) if message.is_some_and(|text| text.contains("Invalid")) => Self::TokenRefused,
            // Whoever may not know of a repository is told that it needs a login.
            (401 | 403 | 404, _) => Self::NotFound { repo, token: asking.token },
            (429, _) => Self::Busy { after_secs },
            // Followed where that was allowed.
            (300..=399, _) => {
                Self::Malformed { problem: "it sends us to an address that is not https".to_owned() }
            }
            (status, _) => Self::Faulty { status },
        }
    }

    /// From an error in the middle of a file, which the crate's HTTP library also takes for one of decoding.
    pub(super) fn from_stream(error: HFError, asking: &Asking<'_>) -> Self {
        if matches!(error, HFError::Request { .. }) {
            Self::Unreachable { problem: "the connection broke".to_owned() }
        } else {
            Self::from_client(error, asking)
        }
    }

    /// From an error of the crate, whose own texts carry signed addresses and whole bodies.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the crate's enum is open")]
    pub(super) fn from_client(error: HFError, asking: &Asking<'_>) -> Self {
        match error {
            HFError::Http { context }
            | HFError::AuthRequired { context }
            | HFError::Forbidden { context }
            | HFError::Conflict { context }
            | HFError::RepoNotFound { context: Some(context), .. }
            | HFError::EntryNotFound { context: Some(context), .. } => {
                let said = Said {
                    status: context.status.as_u16(),
                    code: context.error_code.as_deref(),
                    message: context.server_message.as_deref(),
                    after_secs: None,
                };
                Self::from_answer(said, asking)
            }
            HFError::RateLimited { retry_after, .. } => {
                Self::Busy { after_secs: retry_after.map(|pause| pause.as_secs()) }
            }
            HFError::Request { source, .. } if source.is_decode() => {
                Self::Malformed { problem: "its JSON has another form".to_owned() }
            }
            HFError::Request { source, .. } => {
                let problem = if source.is_timeout() {
                    "timed out"
                } else if source.is_connect() {
                    "could not connect"
                } else {
                    "the connection broke"
                };
                Self::Unreachable { problem: problem.to_owned() }
            }
            HFError::Json(_) => Self::Malformed { problem: "its JSON has another form".to_owned() },
            HFError::Xet { operation, .. } => {
                Self::Unreachable { problem: format!("the store of its bytes: {operation}") }
            }
            _ => Self::Malformed { problem: "something is missing in it".to_owned() },
        }
    }
}

/// What an answer that is no success says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said<'a> {
    /// The HTTP status.
    pub(super) status: u16,
    /// `X-Error-Code`.
    pub(super) code: Option<&'a str>,
    /// `X-Error-Message`.
    pub(super) message: Option<&'a str>,
    /// `Retry-After`, in seconds.
    pub(super) after_secs: Option<u64>,
}
