//! Tables against the promise: aligned, whole, and calm while they stream (D7).

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::Tables;

/// The text as it is shown when all of it came at once.
fn shown(text: &str) -> String {
    let mut tables = Tables::default();
    let settled = tables.push(text);
    settled + &tables.rest()
}

const SMALL: &str =
    "Sizes:\n\n| City | People |\n|:-----|-------:|\n| Kyoto | 1450000 |\n| 東京 | 14000000 |\n\nDone.";

#[test]
fn d7_a_table_becomes_aligned_monospace() {
    let expected =
        "Sizes:\n\n```\nCity  |   People\n------+---------\nKyoto |  1450000\n東京  | 14000000\n```\n\nDone.";
    assert_eq!(shown(SMALL), expected);
}

#[test]
fn d7_what_is_no_table_stays_as_it_is() {
    for text in [
        "a | b\nc | d\n",
        "| alone |\n",
        "| alone |",
        "||a spoiler||\n|--|--|\n",
        "> | a | b |\n> |---|---|\n> | 1 | 2 |\n",
        "```\n| a | b |\n|---|---|\n```\n",
        "~~~text\n| a |\n|---|\n",
        "| a | b |\n|---|\n| 1 | 2 |\n",
        "a || b\n\n---|---\n",
        "",
        "\n\n",
    ] {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn d7_cells_keep_pipes_and_lose_marks_that_monospace_would_show() {
    let text = "|a|b|\n|-|-|\n|x \\| y|**bold** and `code`|\n|\\\\|lone ` tick|\n";
    let expected = "```\na     | b\n------+--------------\nx | y | bold and code\n\\\\    | lone ' tick\n```";
    assert_eq!(format!("{}```", shown(text)), expected, "the splitter closes the block");
}

#[test]
fn d7_rows_may_be_shorter_or_longer_than_the_head() {
    let text = "|a|b|\n|-|-|\n|1|\n|1|2|3|\nend";
    assert_eq!(shown(text), "```\na | b |\n--+---+--\n1 |   |\n1 | 2 | 3\n```\nend");
}

#[test]
fn d7_a_wide_table_wraps_its_cells() {
    let text = format!("|k|v|\n|-|-|\n|x|{}|\n\n", "some words ".repeat(30).trim_end());
    let shown = shown(&text);
    assert!(shown.lines().all(|line| line.width() <= 96), "{shown}");
    assert_eq!(shown.matches("words").count(), 30);
}

#[test]
fn d7_a_table_that_streams_never_changes_its_form() {
    let mut tables = Tables::default();
    let mut settled = String::new();
    let mut rows_seen = 0;
    for (at, c) in SMALL.char_indices() {
        settled.push_str(&tables.push(&c.to_string()));
        let shown = format!("{settled}{}", tables.growing());
        let rows = shown.matches(" | ").count();
        assert!(shown.lines().all(|line| !line.starts_with('|')), "raw at {at}: {shown}");
        assert!(rows >= rows_seen, "something vanished at {at}: {shown}");
        rows_seen = rows;
        assert!(shown.matches("```").count() <= 2, "one block at {at}: {shown}");
    }
    assert_eq!(rows_seen, 3);
}

#[test]
fn d7_a_long_table_settles_and_its_columns_stay() {
    let rows: Vec<String> = (0..200).map(|n| format!("| {n} | {} |\n", n * n)).collect();
    let text = format!("| n | square |\n|--:|---|\n{}", rows.concat());
    let mut tables = Tables::default();
    let settled = tables.push(&text);
    assert!(settled.len() > 2000, "rows are handed on while the table grows");
    let shown = settled + &tables.rest();
    assert_eq!(shown.matches(" | ").count(), 201);
    assert!(shown.contains("\n 99 | 9801\n"), "{shown}");
}

/// Lines that make tables likely.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        3 => "\\|( [a-z漢|`*\\\\ ]{0,6} \\|){1,3}",
        3 => Just("|---|---|".to_owned()),
        1 => Just("|:-:|".to_owned()),
        1 => "[a-z ]{0,12}",
        1 => Just("```".to_owned()),
        1 => "[a-z]{1,3} \\| [a-z]{1,3}",
        1 => Just(String::new()),
    ];
    (prop::collection::vec(line, 0..14), any::<bool>())
        .prop_map(|(lines, ended)| lines.join("\n") + if ended { "\n" } else { "" })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn d7_in_whatever_pieces_it_comes_the_text_is_the_same(text in text(), step in 1usize..9) {
        let mut tables = Tables::default();
        let mut settled = String::new();
        let chars: Vec<char> = text.chars().collect();
        for some in chars.chunks(step) {
            settled.push_str(&tables.push(&some.iter().collect::<String>()));
        }
        prop_assert_eq!(settled + &tables.rest(), shown(&text));
    }

    #[test]
    fn d7_no_letter_is_lost(text in text()) {
        let letters = |text: &str| text.chars().filter(char::is_ascii_lowercase).collect::<String>();
        let (before, after) = (letters(&text), letters(&shown(&text)));
        // Wrapping reorders nothing here: no cell is that wide.
        prop_assert_eq!(before, after);
    }

    #[test]
    fn d7_text_without_a_pipe_passes_untouched(text in "[a-z`~>\n -]{0,200}") {
        prop_assert_eq!(shown(&text), text);
    }
}
