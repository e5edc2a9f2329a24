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

/// Reads a PDF. May take seconds, and may panic: the library is given whatever a stranger has put together.
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
