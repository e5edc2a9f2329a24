//! Runs a fuzz target shortly under `cargo test`: its seeds, and some thousand inputs made from them.
//!
//! `fuzz/` runs the same functions under cargo-fuzz, which sees what code an input reaches. Here nothing does, so inputs
//! are seeds with a few edits, and bolero makes a failing one smaller before it shows it.
//! `BOLERO_RANDOM_ITERATIONS` raises the number.

use std::{fs, panic::RefUnwindSafe, path::Path};

const INPUTS: usize = 1500;
/// An input that grows beyond this finds nothing that a shorter one does not.
const LONGEST: usize = 4096;

/// Words of the formats that are read: what random bytes would hardly hit.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "🦀",
    "\r\n",
    "\n\n",
    "data: ",
    "event: error\n",
    "[DONE]",
    "<think>",
    "</think>",
    "```",
    "~~~",
    "> ",
    "\"a\"",
    "\"token\"",
    "\"access_token\"",
    "\"refresh_token\"",
    "\"expiry\"",
    "\"expires_at\"",
    "9999-12-31T23:59:60Z",
    "h",
    "ms",
    ".",
];

/// One change to an input: what is done, where, and how much or with what.
type Edit = (u8, u16, u16, u8);

/// Replays the seeds of a target (`fuzz/seeds/NAME`), then inputs made from them.
pub(crate) fn shortly(name: &str, target: fn(&[u8])) {
    let seeds = seeds(name);
    for seed in &seeds {
        target(seed);
    }
    let input = move |(first, second, edits): (u16, u16, Vec<Edit>)| {
        let seed = |number: u16| seeds.get(usize::from(number) % seeds.len()).cloned().unwrap_or_default();
        let other = seed(second);
        edits.iter().fold(seed(first), |input, edit| edited(input, &other, *edit))
    };
    check(name, input, target);
}

fn check(name: &str, input: impl Fn((u16, u16, Vec<Edit>)) -> Vec<u8> + RefUnwindSafe, target: fn(&[u8])) {
    bolero::check!(name = name)
        .with_type()
        .map(input)
        .with_iterations(INPUTS)
        .for_each(|bytes: &Vec<u8>| target(bytes));
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("every target has seeds")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name} has seeds");
    paths.iter().map(|path| fs::read(path).expect("a seed is readable")).collect()
}

fn edited(mut input: Vec<u8>, other: &[u8], (kind, at, more, byte): Edit) -> Vec<u8> {
    let at = usize::from(at) % (input.len() + 1);
    let end = (at + 1 + usize::from(more) % 16).min(input.len());
    match kind % 7 {
        0 => {
            if let Some(there) = input.get_mut(at) {
                *there = byte;
            }
        }
        1 => input.insert(at, byte),
        2 => drop(input.drain(at..end)),
        3 => {
            let part = input[at..end].to_vec();
            drop(input.splice(at..at, part));
        }
        4 => {
            let word = WORDS[usize::from(byte) % WORDS.len()].bytes();
            drop(input.splice(at..end.min(at + usize::from(more) % 8), word));
        }
        5 => {
            input.truncate(at);
            input.extend_from_slice(&other[usize::from(more) % (other.len() + 1)..]);
        }
        _ => input.truncate(at),
    }
    input.truncate(LONGEST);
    input
}
