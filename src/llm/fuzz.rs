//! What a fuzzer asks of answers: whatever the bytes are nothing panics, hints stay within bounds (P22), and where a network
//! cuts a body changes nothing of what is read.

use std::{sync::LazyLock, time::Duration};

use chrono::DateTime;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{
    classify,
    wire::{Decoder, End, Piece, WireFault},
};
use crate::{
    pool::RetryHint,
    provider::{Catalog, Provider},
};

/// A body, in pieces and whole. Its first two bytes say where it is cut and how long the pieces are, so that these are
/// found by the fuzzer as well.
pub fn wire(bytes: &[u8]) {
    static ROWS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
        let rows = Catalog::builtin();
        ["openai", "gemini_cli", "antigravity", "gemini", "anthropic"]
            .iter()
            .filter_map(|id| rows.get(&id.parse().ok()?).cloned())
            .collect()
    });
    let Some(([cut, step], body)) = bytes.split_first_chunk::<2>() else { return };
    for provider in &*ROWS {
        let whole = read(provider, [body]);
        let (head, tail) = body.split_at(usize::from(*cut).min(body.len()));
        assert_eq!(read(provider, [head, tail]), whole, "cut at {}", head.len());
        assert_eq!(read(provider, body.chunks(usize::from(*step).max(1))), whole, "in pieces of {step}");
    }
}

/// What a person gets of a body: its text, whether there was reasoning, its end.
fn read<'a>(
    provider: &Provider,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (String, bool, Result<End, WireFault>) {
    let mut decoder = Decoder::new(provider.wire, &provider.quirks);
    let mut pieces = Vec::new();
    let pushed = chunks.into_iter().try_for_each(|chunk| decoder.push(chunk, &mut pieces));
    let end = pushed.and_then(|()| decoder.finish(&mut pieces));
    let reasoned = pieces.contains(&Piece::Reasoning);
    let text = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Text(text) => {
            assert!(!text.is_empty(), "a piece of text is never empty");
            Some(text)
        }
        Piece::Reasoning | Piece::Call(_) => None,
    });
    (text.collect(), reasoned, end)
}

/// Words that say when to come back, in each place where they may stand.
pub fn hint(bytes: &[u8]) {
    const MONTH: Duration = Duration::from_hours(31 * 24);
    let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let mut found = classify::fuzz_hints(&text, now);
    for name in ["retry-after", "retry-after-ms"] {
        if let Ok(value) = HeaderValue::from_bytes(bytes) {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value)]);
            found.extend(classify::fuzz_headers(&headers, now));
        }
    }
    for hint in found {
        match hint {
            RetryHint::After(wait) => assert!(wait <= MONTH, "{wait:?}"),
            RetryHint::At(at) => assert!((at - now).to_std().unwrap_or_default() <= MONTH, "{at}"),
            RetryHint::None => panic!("no hint is none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fuzzing::shortly;

    #[test]
    fn p22_fuzz_hint() {
        shortly("llm_hint", super::hint);
    }

    #[test]
    fn fuzz_wire() {
        shortly("llm_wire", super::wire);
    }
}
