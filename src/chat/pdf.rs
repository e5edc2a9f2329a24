//! The text of a PDF, as far as it is worth reading.

use std::time::Duration;

use lopdf::{Document, LoadOptions};

use super::file::Unread;
use crate::clock;

/// Pages that are read.
const MOST_PAGES: usize = 100;
/// Bytes of text that are kept.
const MOST_TEXT: usize = 256 << 10;
/// What one stream of the file may unpack to: a small file can claim gigabytes.
const MOST_UNPACKED: usize = 16 << 20;
/// How long reading may take; looked at between pages.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// Stands where pages or text are left out.
const CUT: &str = "\n[the rest of this PDF was not read]";

/// How every PDF begins, if not at the very first byte (ISO 32000-1, annex H, note 13 allows 1024 bytes before).
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"%PDF-")
}

/// Exit codes of the program that reads.
const LOCKED: u8 = 3;
const NO_TEXT: u8 = 4;

/// The text of a PDF, or the exit code that says why there is none. May take gigabytes and panic: for a process of its
/// own.
///
/// # Errors
/// 3: it is locked; 4: no text stands in it; 1: it cannot be understood.
pub fn pdf_text(bytes: &[u8]) -> Result<String, u8> {
    text(bytes).map_err(|why| match why {
        Unread::Locked => LOCKED,
        Unread::NoText => NO_TEXT,
        Unread::TooLarge(_)
        | Unread::TooMany
        | Unread::Kind
        | Unread::Foreign
        | Unread::Gone
        | Unread::Unreachable
        | Unread::Busy
        | Unread::NoRoom
        | Unread::Broken => 1,
    })
}

/// What an exit code of that process says; it may also have been ended.
pub(super) fn why(code: Option<i32>) -> Unread {
    match code.and_then(|code| u8::try_from(code).ok()) {
        Some(LOCKED) => Unread::Locked,
        Some(NO_TEXT) => Unread::NoText,
        Some(_) | None => Unread::Broken,
    }
}

/// Reads a PDF.
pub(super) fn text(bytes: &[u8]) -> Result<String, Unread> {
    let until = clock::instant() + PATIENCE;
    let options = LoadOptions { max_decompressed_size: Some(MOST_UNPACKED), ..LoadOptions::default() };
    let document = match Document::load_mem_with_options(bytes, options) {
        Ok(document) if document.is_encrypted() => return Err(Unread::Locked),
        Ok(document) => document,
        Err(lopdf::Error::InvalidPassword | lopdf::Error::Decryption(_)) => return Err(Unread::Locked),
        Err(_) => return Err(Unread::Broken),
    };
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    let mut text = String::new();
    let mut is_whole = pages.len() <= MOST_PAGES;
    for page in pages.iter().take(MOST_PAGES) {
        if clock::instant() >= until || text.len() > MOST_TEXT {
            is_whole = false;
            break;
        }
        // A piece that cannot be read leaves the others.
        for piece in document.extract_text_chunks_with_limit(&[*page], MOST_UNPACKED).into_iter().flatten() {
            text.push_str(&piece);
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    if text.trim().is_empty() {
        return Err(Unread::NoText);
    }
    if text.len() > MOST_TEXT {
        text.truncate(text.floor_char_boundary(MOST_TEXT));
        is_whole = false;
    }
    if !is_whole {
        text.push_str(CUT);
    }
    Ok(text)
}
