//! A model as the hub lists it, its GGUF files, and the memory that they need.

use std::collections::BTreeMap;

use serde::Serialize;

const KIB: u64 = 1024;
const GIB: u64 = KIB * KIB * KIB;

/// How the memory of a file is reckoned, for people who read it.
pub const MODEL_MEMORY: &str = "Memory is an estimate for a context of about 8,000 tokens: the file's size and a fifth of it, and 0.5 GiB.";

/// A model of the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Model {
    /// `owner/name`.
    pub id: String,
    /// Where a person looks at it, and accepts its terms.
    pub page: String,
    /// Downloads of the last 30 days.
    pub downloads: u64,
    /// Likes.
    pub likes: u64,
    /// Whether its files are given only to people who accepted its terms.
    pub gated: bool,
    /// Whether only some accounts see it at all, that of `HF_TOKEN` among them.
    pub private: bool,
    /// Its GGUF files, smallest first; the parts of one that was split are one.
    pub files: Vec<GgufFile>,
}

/// A GGUF file, or the parts of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GgufFile {
    /// Its path in the repository; of a split one, that of the first part, which is what llama.cpp is given.
    pub name: String,
    /// How many files it consists of.
    pub parts: usize,
    /// Its size, of all parts; unknown where the hub does not tell it.
    pub bytes: Option<u64>,
    /// The memory that running it takes, as an estimate: see [`MODEL_MEMORY`].
    pub memory_bytes: Option<u64>,
}

/// Whether a path is that of a GGUF file.
pub(super) fn is_gguf(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".gguf")
}

impl GgufFile {
    /// The GGUF files among the files of a repository, with their sizes.
    pub(super) fn among(files: impl IntoIterator<Item = (String, Option<u64>)>) -> Vec<Self> {
        let mut whole: BTreeMap<String, Self> = BTreeMap::new();
        // By name, so that the first part of a split file comes first.
        let sorted: BTreeMap<String, Option<u64>> =
            files.into_iter().filter(|(path, _)| is_gguf(path)).collect();
        for (path, bytes) in sorted {
            let stem = without_part(&path).unwrap_or_else(|| path.clone());
            let file = whole.entry(stem).or_insert_with(|| Self {
                name: path,
                parts: 0,
                bytes: Some(0),
                memory_bytes: None,
            });
            file.parts += 1;
            file.bytes = file.bytes.zip(bytes).map(|(sum, bytes)| sum.saturating_add(bytes));
            file.memory_bytes = file.bytes.map(memory);
        }
        let mut files: Vec<Self> = whole.into_values().collect();
        files.sort_by(|a, b| a.bytes.cmp(&b.bytes).then_with(|| a.name.cmp(&b.name)));
        files
    }
}

/// What the parts of a split file have in common: `a-00001-of-00003.gguf` and the others are `a`.
fn without_part(path: &str) -> Option<String> {
    let lower = path.to_ascii_lowercase();
    let stem = lower.strip_suffix(".gguf")?;
    let is_number = |text: &str| text.len() == 5 && text.chars().all(|c| c.is_ascii_digit());
    let (rest, total) = stem.rsplit_once("-of-")?;
    let (name, part) = rest.rsplit_once('-')?;
    (is_number(total) && is_number(part)).then(|| format!("{name}-of-{total}"))
}

/// The weights are held in memory whole; the context's keys and values and the buffers of the computation come on top. Both
/// grow with the model, which is why a share of the size stands for them, and 0.5 GiB for the program.
fn memory(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 5).saturating_add(GIB / 2)
}

/// `4.6 GiB`.
pub fn bytes_in_words(bytes: u64) -> String {
    let units = [(GIB * KIB, "TiB"), (GIB, "GiB"), (KIB * KIB, "MiB"), (KIB, "KiB")];
    let unit = units.into_iter().find(|(unit, _)| bytes >= *unit);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(unit, name)| {
            // Tenths, rounded up: room and memory are never understated.
            let tenths = u128::from(bytes) * 10;
            let tenths = tenths.div_ceil(u128::from(unit));
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        },
    )
}

/// A name from elsewhere, fit for a terminal and a message: no control characters, no backticks.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '`').take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_split_file_are_one_file() {
        let files = GgufFile::among([
            ("README.md".to_owned(), Some(1)),
            ("BF16/m-00002-of-00002.gguf".to_owned(), Some(2 * GIB)),
            ("BF16/m-00001-of-00002.gguf".to_owned(), Some(3 * GIB)),
            ("m-Q4.GGUF".to_owned(), Some(GIB)),
            ("m-of-1.gguf".to_owned(), None),
        ]);
        let shown: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.parts, file.bytes)).collect();
        assert_eq!(
            shown,
            [
                ("m-of-1.gguf", 1, None),
                ("m-Q4.GGUF", 1, Some(GIB)),
                ("BF16/m-00001-of-00002.gguf", 2, Some(5 * GIB)),
            ]
        );
        assert_eq!(files[2].memory_bytes, Some(6 * GIB + GIB / 2), "of all parts");
        assert_eq!(files[0].memory_bytes, None, "an unknown size says nothing");
    }

    #[test]
    fn sizes_are_rounded_up() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (GIB + 1, "1.1 GiB"),
            (4_920_739_232, "4.6 GiB"),
            (2048 * GIB, "2.0 TiB"),
        ];
        for (bytes, words) in cases {
            assert_eq!(bytes_in_words(bytes), words);
        }
        assert!(bytes_in_words(u64::MAX).ends_with(" TiB"));
        assert_eq!(memory(u64::MAX), u64::MAX);
    }

    #[test]
    fn names_from_elsewhere_cannot_steer_a_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb`c\r\n"), "a[2Jbc");
    }
}
