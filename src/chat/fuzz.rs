//! What a fuzzer asks of the splitter: whatever the text is, pieces fit, nothing is lost, and streaming changes nothing (D6).

use super::splitter::{Bound, Piece, Splitter, units};

/// A text, in messages of a size, with a bound and in steps that its first three bytes say.
pub fn splitter(bytes: &[u8]) {
    let Some(([limit, pieces, step], text)) = bytes.split_first_chunk::<3>() else { return };
    let text = String::from_utf8_lossy(text);
    let limit = 32 + usize::from(*limit);
    let bound = Bound { pieces: usize::from(*pieces), reserve: 20 };
    let make = || if *pieces == 0 { Splitter::new(limit) } else { Splitter::bounded(limit, bound) };

    let mut whole = make();
    whole.push(&text);
    let pieces = whole.pieces();
    let mut bodies = String::new();
    for piece in &pieces {
        assert!(units(&piece.text()) <= limit, "{} of {limit}: {piece:?}", units(&piece.text()));
        assert!(!piece.body.is_empty());
        bodies.push_str(&piece.body);
    }
    assert_eq!(whole.overflow().is_some(), whole.overflows());
    bodies.extend(whole.overflow().map(|rest| rest.body));
    assert_eq!(bodies, text);

    let mut streamed = make();
    let chars: Vec<char> = text.chars().collect();
    let mut shown: Vec<Piece> = Vec::new();
    for some in chars.chunks(usize::from(*step).max(1)) {
        streamed.push(&some.iter().collect::<String>());
        let now = streamed.pieces();
        let full = shown.len().saturating_sub(1);
        assert_eq!(now.get(..full), shown.get(..full), "what is full stays as it is");
        shown = now;
    }
    assert_eq!(streamed.pieces(), pieces);
}

#[cfg(test)]
mod tests {
    #[test]
    fn d6_fuzz_splitter() {
        crate::fuzzing::shortly("chat_splitter", super::splitter);
    }
}
