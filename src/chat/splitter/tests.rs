//! D6 against an oracle of its own, over fragments made to be nasty.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

fn split(text: &str, limit: usize) -> Vec<Piece> {
    let mut splitter = Splitter::new(limit);
    splitter.push(text);
    splitter.pieces()
}

fn texts(text: &str, limit: usize) -> Vec<String> {
    split(text, limit).iter().map(Piece::text).collect()
}

/// The oracle's view of a line: whether it is code, and in which language.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Text,
    Mark,
    Code(String),
}

/// A fence reader of its own, simpler than the splitter's: one quote level, no lists, no tabs. The second value is
/// whether a fence is open at the end.
fn oracle(text: &str) -> (Vec<(Seen, String)>, bool) {
    let mut open: Option<(bool, usize, char, usize, String)> = None;
    let mut seen = Vec::new();
    for line in text.split('\n') {
        let (quoted, inner) = match line.strip_prefix('>') {
            Some(rest) => (true, rest.strip_prefix(' ').unwrap_or(rest)),
            None => (false, line),
        };
        if let Some((in_quote, blanks, marker, run, language)) = open.clone() {
            let inner = if in_quote { inner } else { line };
            if in_quote && !quoted {
                open = None;
            } else {
                let indent = inner.chars().take_while(|c| *c == ' ').count();
                let inner = inner.trim_start_matches(' ');
                let here = inner.chars().take_while(|c| *c == marker).count();
                if indent <= blanks + 3 && here >= run && inner.chars().skip(here).all(char::is_whitespace) {
                    open = None;
                    seen.push((Seen::Mark, line.to_owned()));
                } else {
                    seen.push((Seen::Code(language), line.to_owned()));
                }
                continue;
            }
        }
        let indent = inner.chars().take_while(|c| *c == ' ').count();
        let inner = inner.trim_start_matches(' ');
        let marker = inner.chars().next().filter(|c| matches!(c, '`' | '~'));
        let run = marker.map_or(0, |marker| inner.chars().take_while(|c| *c == marker).count());
        let info: String = inner.chars().skip(run).collect();
        if let Some(marker) = marker
            && run >= 3
            && !(marker == '`' && info.contains('`'))
        {
            let language = info.split_whitespace().next().unwrap_or_default().to_owned();
            open = Some((quoted, indent, marker, run, language));
            seen.push((Seen::Mark, line.to_owned()));
        } else {
            seen.push((Seen::Text, line.to_owned()));
        }
    }
    let is_open = open.is_some();
    (seen, is_open)
}

/// How a line is seen, but for a language that is too long to be said again in messages this small.
fn known(seen: &Seen) -> Seen {
    match seen {
        Seen::Code(language) if language.len() > 8 => Seen::Code(String::new()),
        Seen::Code(_) | Seen::Text | Seen::Mark => seen.clone(),
    }
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,9} ",
        2 => Just("\n".to_owned()),
        1 => Just("\n\n".to_owned()),
        2 => Just("\n```rust\n".to_owned()),
        2 => Just("\n```\n".to_owned()),
        1 => Just("```".to_owned()),
        1 => Just("\n````md\n".to_owned()),
        1 => Just("\n````\n".to_owned()),
        1 => Just("\n~~~\n".to_owned()),
        1 => Just("\n~~~py\n".to_owned()),
        1 => Just("\n> ```js\n> ".to_owned()),
        1 => Just("\n> ```\n".to_owned()),
        1 => Just("\n> quoted\n".to_owned()),
        1 => Just("`".to_owned()),
        1 => Just("``".to_owned()),
        1 => Just("~".to_owned()),
        1 => Just("[".to_owned()),
        1 => Just("](".to_owned()),
        1 => Just("<".to_owned()),
        1 => Just("\\".to_owned()),
        1 => Just("  ".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just("👩‍👩‍👧‍👦".to_owned()),
        1 => Just("🇩🇪🇫🇷".to_owned()),
        1 => Just("e\u{301}\u{302}".to_owned()),
        1 => Just("漢字仮名".to_owned()),
        1 => "[a-z0-9]{30,90}",
        1 => "( *[a-z=(){};]{1,12}\n){1,8}",
    ]
}

fn nasty() -> impl Strategy<Value = String> {
    prop::collection::vec(fragment(), 0..70).prop_map(|parts| parts.concat())
}

/// Text with whole links, mentions and inline code among words and fenced blocks, and where those stand.
fn with_atoms() -> impl Strategy<Value = (String, Vec<(usize, usize)>)> {
    let atom = prop_oneof![
        "<@[0-9]{17,19}>".prop_map(|text| (true, text)),
        "<a?:[a-z]{2,8}:[0-9]{17}>".prop_map(|text| (true, text)),
        "<t:[0-9]{10}:R>".prop_map(|text| (true, text)),
        "</[a-z]{3,6} [a-z]{3,6}:[0-9]{17}>".prop_map(|text| (true, text)),
        "`[a-z ]{1,30}`".prop_map(|text| (true, text)),
        "``[a-z]{1,9}`[a-z]{1,9}``".prop_map(|text| (true, text)),
        "\\[[a-z ]{1,20}\\]\\(https://[a-z]{3,12}\\.example/[a-z]{1,20}\\)".prop_map(|text| (true, text)),
        "https://[a-z]{3,12}\\.example/[a-z]{1,30}".prop_map(|text| (true, text)),
        "!\\[[a-z]{1,9}\\]\\(https://[a-z]{3}\\.example\\)".prop_map(|text| (true, text)),
    ];
    let part = prop_oneof![
        3 => atom,
        4 => "[a-z]{1,12}".prop_map(|text| (false, text)),
        1 => Just((false, "\n".to_owned())),
        1 => Just((false, "\n\n".to_owned())),
        1 => Just((false, "漢字".to_owned())),
        1 => Just((false, "\n\n```rust\nfn main() {}\nlet a = 1;\n```\n".to_owned())),
    ];
    prop::collection::vec(part, 1..60).prop_map(|parts| {
        let mut text = String::new();
        let mut atoms = Vec::new();
        for (is_atom, part) in parts {
            if is_atom {
                atoms.push((text.len(), text.len() + part.len()));
            }
            text.push_str(&part);
            if !part.ends_with('\n') {
                text.push(' ');
            }
        }
        (text, atoms)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn d6_pieces_fit_and_their_bodies_are_the_input(text in nasty(), limit in 64usize..300) {
        let pieces = split(&text, limit);
        for piece in &pieces {
            prop_assert!(units(&piece.text()) <= limit, "{} of {limit}: {:?}", units(&piece.text()), piece);
            prop_assert!(!piece.body.is_empty());
        }
        let bodies: String = pieces.iter().map(|piece| piece.body.as_str()).collect();
        prop_assert_eq!(bodies, text);
    }

    #[test]
    fn d6_every_piece_is_balanced(text in nasty(), limit in 64usize..300) {
        for piece in split(&text, limit) {
            prop_assert!(!oracle(&piece.text()).1, "open at the end: {:?}", piece);
        }
    }

    #[test]
    fn d6_code_stays_code_in_its_language(text in nasty(), limit in 64usize..300) {
        // Whole lines that are long enough to be told apart, and how each is seen in the input and in the pieces.
        let wanted = oracle(&text).0;
        let shown: Vec<(Seen, String)> =
            split(&text, limit).iter().flat_map(|piece| oracle(&piece.text()).0).collect();
        let lines: Vec<&str> = text.split('\n').collect();
        for (seen, line) in &shown {
            // A part of a line that was cut may look like another whole one.
            let is_whole = lines.contains(&line.as_str()) && text.matches(line.as_str()).count() == 1;
            if line.trim_matches(['>', ' ']).len() >= 6 && !line.contains("```") && !line.contains("~~~") && is_whole {
                let before = wanted.iter().find(|(_, other)| other == line);
                prop_assert_eq!(before.map(|(seen, _)| known(seen)), Some(known(seen)), "{:?}", line);
            }
        }
    }

    #[test]
    fn d6_pieces_that_are_full_do_not_change_while_text_streams_in(text in nasty(), limit in 64usize..300, step in 1usize..9) {
        let whole = split(&text, limit);
        let mut splitter = Splitter::new(limit);
        let mut full: Vec<Piece> = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        for some in chars.chunks(step) {
            splitter.push(&some.iter().collect::<String>());
            prop_assert_eq!(&splitter.full.get(..full.len()), &Some(full.as_slice()));
            full.clone_from(&splitter.full);
            for piece in splitter.pieces() {
                prop_assert!(units(&piece.text()) <= limit);
            }
        }
        prop_assert_eq!(splitter.pieces(), whole);
    }

    #[test]
    fn d6_no_link_mention_or_inline_code_is_cut((text, atoms) in with_atoms(), limit in 120usize..300) {
        let mut at = 0;
        for piece in split(&text, limit) {
            at += piece.body.len();
            for (start, end) in &atoms {
                prop_assert!(at <= *start || at >= *end, "cut at {at} inside {start}..{end} of {text:?}");
            }
        }
    }

    #[test]
    fn d6_no_grapheme_is_cut(text in "([a-z ]|👩‍👩‍👧‍👦|🇩🇪|e\u{301}|각|\r\n){50,200}", limit in 64usize..120) {
        let boundaries: Vec<usize> =
            text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
        let mut at = 0;
        for piece in split(&text, limit) {
            at += piece.body.len();
            prop_assert!(boundaries.contains(&at));
        }
    }
}

#[test]
fn d6_what_fits_is_one_piece() {
    let text = "x".repeat(2000);
    assert_eq!(texts(&text, 2000), [text]);
    assert_eq!(texts("", 2000), Vec::<String>::new());
}

#[test]
fn d6_units_are_utf16() {
    let pieces = texts(&"😀".repeat(1001), 2000);
    assert_eq!(pieces.iter().map(|piece| units(piece)).collect::<Vec<_>>(), [2000, 2]);
}

#[test]
fn d6_a_fence_longer_than_a_message_is_closed_and_opened_again() {
    let text = format!("Look:\n```rust\n{}```\nDone.", "let a = 1;\n".repeat(12));
    let pieces = texts(&text, 100);
    assert_eq!(pieces.len(), 2);
    assert!(pieces[0].ends_with("let a = 1;\n```"), "{pieces:?}");
    assert!(pieces[1].starts_with("```rust\nlet a = 1;\n"), "{pieces:?}");
    assert!(pieces[1].ends_with("```\nDone."), "{pieces:?}");
}

#[test]
fn d6_a_closing_fence_that_does_not_fit_leaves_no_empty_block() {
    for extra in 0..16 {
        let text = format!("```py\n{}{}\n```\nAfter.", "print(1)\n".repeat(6), "x".repeat(extra));
        for piece in texts(&text, 64) {
            assert!(!piece.contains("```py\n```"), "{piece:?}");
            assert!(!oracle(&piece).1, "{piece:?}");
        }
    }
}

#[test]
fn d6_an_info_string_without_a_newline_is_no_place_to_cut() {
    let text = format!("{}\n```typescript", "word ".repeat(11));
    let pieces = texts(&text, 64);
    assert_eq!(pieces[1], "```typescript\n```");
}

#[test]
fn d6_tildes_keep_their_kind() {
    let text = format!("~~~sh\n{}~~~\n", "echo one\n".repeat(12));
    let pieces = texts(&text, 80);
    assert!(pieces[0].ends_with("\n~~~") && pieces[1].starts_with("~~~sh\n"), "{pieces:?}");
}

#[test]
fn d6_a_fence_in_a_quote_is_continued_in_the_quote() {
    let text = format!("> ```js\n{}> ```\n", "> let a = 1;\n".repeat(12));
    let pieces = texts(&text, 90);
    assert!(pieces[0].ends_with("\n> ```"), "{pieces:?}");
    assert!(pieces[1].starts_with("> ```js\n> let a"), "{pieces:?}");
    assert!(pieces.iter().all(|piece| !oracle(piece).1), "{pieces:?}");
}

#[test]
fn d6_a_longer_fence_holds_a_shorter_one() {
    let text = format!("````md\n```rust\n{}```\n````\n", "let a = 1;\n".repeat(12));
    let pieces = texts(&text, 90);
    assert!(pieces[0].ends_with("\n````") && pieces[1].starts_with("````md\n"), "{pieces:?}");
}

#[test]
fn d6_words_are_cut_before_inline_code_and_emphasis() {
    let text = format!("{}`some code` and more", "漢字".repeat(28));
    assert_eq!(texts(&text, 64)[1], "`some code` and more");
    let text = format!("{} **strong words** and more", "x".repeat(60));
    assert_eq!(texts(&text, 64)[1], "**strong words** and more");
}

#[test]
fn d6_a_hard_cut_makes_no_fence_of_what_follows() {
    let text = format!("名``{} ```", "a".repeat(60));
    for piece in texts(&text, 64) {
        assert!(!oracle(&piece).1, "{piece:?}");
    }
}

#[test]
fn d6_a_fence_in_a_list_is_continued() {
    let text = format!("1. Do:\n   ```sh\n{}   ```\n2. Done.", "   echo one\n".repeat(9));
    let pieces = texts(&text, 80);
    assert!(pieces[0].ends_with("\n   ```") && pieces[1].starts_with("   ```sh\n"), "{pieces:?}");
}

#[test]
fn d6_a_fence_that_starts_late_moves_to_the_next_message() {
    let text = format!("{}\n\n```rust\n{}```", "Some words. ".repeat(5), "let a = 1;\n".repeat(5));
    let pieces = texts(&text, 100);
    assert!(!pieces[0].contains("```") && pieces[1].starts_with("```rust\n"), "{pieces:?}");
}

#[test]
fn an_open_fence_is_closed_while_it_streams() {
    for (text, shown) in [
        ("```rust\nlet a", "```rust\nlet a\n```"),
        ("```rust\nlet a\n", "```rust\nlet a\n```"),
        ("```rust\nlet a\n``", "```rust\nlet a\n```"),
        ("```rust\nlet a\n```", "```rust\nlet a\n```"),
        ("```rust\nlet a\n```\nText", "```rust\nlet a\n```\nText"),
    ] {
        assert_eq!(texts(text, 2000), [shown]);
    }
}

#[test]
fn d8_a_bound_leaves_the_rest_as_overflow() {
    let text = "word ".repeat(100);
    let mut splitter = Splitter::bounded(100, Bound { pieces: 2, reserve: 30 });
    splitter.push(&text);
    let pieces = splitter.pieces();
    assert_eq!(pieces.len(), 2);
    assert!(units(&pieces[1].text()) <= 70);
    let rest = splitter.overflow().expect("the rest").body;
    assert_eq!([pieces[0].body.as_str(), &pieces[1].body, &rest].concat(), text);
}
