//! What Discord answers when it refuses: JSON error codes and form errors.

use serde_json::{Map, Value, json};

/// A refusal, as an answer to a REST request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ApiError {
    /// 401: no token, or not the bot's.
    Unauthorized,
    /// 404 without a code: no such route.
    NoRoute,
    /// A documented JSON error code.
    Known(Known),
    /// 400 `50035`: something in the body is outside the limits.
    Form(FormErrors),
    /// 400: a body that cannot be read, or is of another content type.
    BadBody {
        /// The JSON error code.
        code: u32,
        /// What is wrong.
        message: String,
    },
}

/// The JSON error codes that the emulator uses (Reference, "JSON Error Codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    UnknownApplication,
    UnknownChannel,
    UnknownGuild,
    UnknownMember,
    UnknownEmoji,
    UnknownMessage,
    UnknownUser,
    UnknownWebhook,
    UnknownInteraction,
    UnknownCommand,
    AlreadyAcknowledged,
    TooManyCommands,
    TooManyCreates,
    MissingAccess,
    DirectMessageRefused,
    NotTheAuthor,
    EmptyMessage,
    NotToThisUser,
    MissingPermissions,
    InvalidWebhookToken,
    RequestTooLarge,
    NoHistoryToAnswer,
    TooManyReactions,
    NotOnThisChannel,
    NotText,
    ThreadArchived,
    ThreadExists,
}

impl Known {
    fn parts(self) -> (u16, u32, &'static str) {
        match self {
            Self::UnknownApplication => (404, 10_002, "Unknown Application"),
            Self::UnknownChannel => (404, 10_003, "Unknown Channel"),
            Self::UnknownGuild => (404, 10_004, "Unknown Guild"),
            Self::UnknownMember => (404, 10_007, "Unknown Member"),
            Self::UnknownMessage => (404, 10_008, "Unknown Message"),
            Self::UnknownEmoji => (400, 10_014, "Unknown Emoji"),
            Self::UnknownUser => (404, 10_013, "Unknown User"),
            Self::UnknownWebhook => (404, 10_015, "Unknown Webhook"),
            Self::UnknownInteraction => (404, 10_062, "Unknown interaction"),
            Self::UnknownCommand => (404, 10_063, "Unknown application command"),
            Self::AlreadyAcknowledged => (400, 40_060, "Interaction has already been acknowledged."),
            Self::TooManyCommands => (400, 30_032, "Maximum number of application commands reached (100)."),
            Self::TooManyCreates => {
                (429, 30_034, "Max number of daily application command creates has been reached (200).")
            }
            Self::MissingAccess => (403, 50_001, "Missing Access"),
            Self::DirectMessageRefused => (403, 50_003, "Cannot execute action on a DM channel"),
            Self::NotTheAuthor => (403, 50_005, "Cannot edit a message authored by another user"),
            Self::EmptyMessage => (400, 50_006, "Cannot send an empty message"),
            Self::NotToThisUser => (403, 50_007, "Cannot send messages to this user"),
            Self::MissingPermissions => (403, 50_013, "Missing Permissions"),
            Self::InvalidWebhookToken => (401, 50_027, "Invalid Webhook Token"),
            Self::TooManyReactions => (400, 30_010, "Maximum number of reactions reached (20)"),
            Self::NotOnThisChannel => (400, 50_024, "Cannot execute action on this channel type"),
            Self::NotText => (400, 50_008, "Cannot send messages in a non-text channel"),
            Self::ThreadArchived => (400, 50_083, "Thread is archived"),
            Self::ThreadExists => (400, 160_004, "A thread has already been created for this message"),
            Self::RequestTooLarge => (413, 40_005, "Request entity too large"),
            Self::NoHistoryToAnswer => {
                (400, 160_002, "You cannot reply without permission to read message history")
            }
        }
    }
}

impl From<Known> for ApiError {
    fn from(known: Known) -> Self {
        Self::Known(known)
    }
}

impl ApiError {
    /// Status and body.
    pub(crate) fn answer(&self) -> (u16, Value) {
        match self {
            Self::Unauthorized => (401, json!({"message": "401: Unauthorized", "code": 0})),
            Self::NoRoute => (404, json!({"message": "404: Not Found", "code": 0})),
            Self::Known(known) => {
                let (status, code, message) = known.parts();
                (status, json!({"message": message, "code": code}))
            }
            Self::Form(errors) => {
                (400, json!({"message": "Invalid Form Body", "code": 50_035, "errors": errors.tree.clone()}))
            }
            Self::BadBody { code, message } => (400, json!({"message": message, "code": code})),
        }
    }
}

/// The nested `errors` object of code 50035 (Reference, "Error Messages").
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FormErrors {
    tree: Map<String, Value>,
}

impl FormErrors {
    /// Adds one complaint at a path such as `embeds.0.title`.
    pub(crate) fn add(&mut self, path: &str, code: &str, message: impl Into<String>) {
        let mut node = &mut self.tree;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            let child = node.entry(part).or_insert_with(|| json!({}));
            let Value::Object(inner) = child else { return };
            node = inner;
        }
        let list = node.entry("_errors").or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(json!({"code": code, "message": message.into()}));
        }
    }

    /// `Err` when anything was added.
    pub(crate) fn into_result(self) -> Result<(), ApiError> {
        if self.tree.is_empty() { Ok(()) } else { Err(ApiError::Form(self)) }
    }

    /// One complaint by itself.
    pub(crate) fn one(path: &str, code: &str, message: impl Into<String>) -> ApiError {
        let mut errors = Self::default();
        errors.add(path, code, message);
        ApiError::Form(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_errors_nest_as_discord_nests_them() {
        let error =
            FormErrors::one("embeds.0.title", "BASE_TYPE_MAX_LENGTH", "Must be 256 or fewer in length.");
        assert_eq!(
            error.answer(),
            (
                400,
                json!({"message": "Invalid Form Body", "code": 50_035, "errors": {"embeds": {"0": {"title": {
                    "_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer in length."}]
                }}}}})
            )
        );
    }
}
