//! Files that come along with a turn, read or not.

use bytes::Bytes;

use super::sentence;
use crate::language::Language;
use crate::llm::{Image, ImageFormat};

/// What a picture costs, about as much as the most that a vendor counts for one
/// (docs.anthropic.com/en/docs/build-with-claude/vision: up to 1600; Gemini and OpenAI mostly count less).
pub(super) const PICTURE_TOKENS: usize = 1600;

/// A file that came along with a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, as sent.
    pub name: String,
    /// What is known of what is in it.
    pub content: Content,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It has not been read.
    Offered(Offer),
    /// Text.
    Text(String),
    /// A picture.
    Picture(Picture),
    /// It could not be read.
    Unread(Unread),
}

/// Where a file can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its address, as told; nobody has looked at it yet.
    pub url: String,
    /// Its size in bytes, as told.
    pub size: u64,
}

/// A picture, as bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is.
    pub format: ImageFormat,
    /// The file as it came.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Picture({}, {} bytes)", self.format.media_type(), self.bytes.len())
    }
}

impl Picture {
    /// As a message carries it.
    pub(super) fn image(&self, unseen: String) -> Image {
        Image { format: self.format, bytes: self.bytes.clone(), unseen }
    }
}

/// Why a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is larger than this many bytes.
    TooLarge(u64),
    /// It stands behind the files that are read of one conversation.
    TooMany,
    /// It is no text, no picture that models see, and no PDF.
    Kind,
    /// Its address is not Discord's.
    Foreign,
    /// Discord does not have it any more.
    Gone,
    /// It did not come, or not in time.
    Unreachable,
    /// Other conversations' files take all the memory that there is for them.
    Busy,
    /// A PDF that is locked with a password.
    Locked,
    /// A PDF that cannot be understood, or not in time.
    Broken,
    /// A PDF of pictures: no text stands in it.
    NoText,
    /// The model's memory is full.
    NoRoom,
}

impl File {
    /// A text.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), content: Content::Text(text.into()) }
    }

    /// The small line that tells somebody that it was not read; none where it was, or where it was never looked at.
    pub fn complaint(&self, language: &Language) -> Option<String> {
        match &self.content {
            Content::Unread(why) => Some(sentence::unread(language, &self.name, *why)),
            Content::Offered(_) | Content::Text(_) | Content::Picture(_) => None,
        }
    }
}
