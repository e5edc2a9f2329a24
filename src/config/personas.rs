//! `PERSONAS_DIR`: a folder of Markdown files, each a persona that people may choose.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::reader::{Reader, problem};
use crate::fs::read_text;

/// The variable.
const NAME: &str = "PERSONAS_DIR";
/// Where they are looked for unless it says otherwise.
const DEFAULT: &str = "personas";
/// Bytes of one file.
const LONGEST: u64 = 16 * 1024;
/// Files that are read.
const MOST: usize = 200;
/// Characters of a name.
const LONGEST_NAME: usize = 40;

/// How the bot speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persona {
    /// Its name: the file's, without `.md`.
    pub name: String,
    /// The heading that the file begins with.
    pub title: Option<String>,
    /// What the model is told.
    pub text: String,
}

impl Persona {
    /// A persona as it stands in a file: a heading on the first line is its title.
    fn of(name: &str, text: &str) -> Self {
        let text = text.trim();
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let title = first.strip_prefix("# ").map(|title| title.trim().to_owned());
        let text = if title.is_some() { rest.trim() } else { text };
        Self { name: name.to_owned(), title: title.filter(|title| !title.is_empty()), text: text.to_owned() }
    }
}

/// Whether personas may be called so: one line of ordinary characters.
pub fn is_persona_name(name: &str) -> bool {
    let is_plain = |c: char| !c.is_control() && !"`:⟦⟧".contains(c);
    name.trim() == name
        && (1..=LONGEST_NAME).contains(&name.chars().count())
        && name.chars().all(is_plain)
        && !name.eq_ignore_ascii_case("default")
}

/// The personas of the folder, by name. A file that cannot be one is named in a warning and left out; a folder that was
/// named and is not there is a mistake.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<Persona> {
    let folder = reader.path(NAME, PathBuf::from(DEFAULT));
    let listed = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = match listed {
        Ok(entries) => entries,
        Err(error) => {
            // The default need not be there.
            if let Some(named) = reader.text(NAME).filter(|named| named != DEFAULT) {
                reader.mistake(
                    NAME,
                    &named,
                    format!("expected a folder that can be read ({})", problem(&error)),
                );
            }
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| is_markdown(path)).collect();
    files.sort();
    if files.len() > MOST {
        reader.warn(format!("{NAME} has {} files; the first {MOST} are read", files.len()));
        files.truncate(MOST);
    }
    let mut found = Vec::new();
    for file in files {
        match one(&file) {
            Ok(persona) => found.push(persona),
            Err(why) => reader.warn(format!("{NAME}: {} is left out: {why}", crate::fs::file_name(&file))),
        }
    }
    found
}

/// README.md tells people about the folder.
fn is_markdown(path: &Path) -> bool {
    let is_readme = path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("README.md"));
    !is_readme && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md"))
}

fn one(file: &Path) -> Result<Persona, String> {
    let name = file.file_stem().and_then(|stem| stem.to_str()).filter(|name| is_persona_name(name));
    let name = name.ok_or_else(|| {
        format!("its name has to be 1 to {LONGEST_NAME} ordinary characters, and not \"default\"")
    })?;
    let text = read_text(file, LONGEST).map_err(|error| {
        if error.kind() == ErrorKind::InvalidData {
            format!("it has to be text in UTF-8, of at most {} KiB", LONGEST / 1024)
        } else {
            problem(&error)
        }
    })?;
    let persona = Persona::of(name, &text);
    if persona.text.is_empty() { Err("it says nothing".to_owned()) } else { Ok(persona) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MapSource, load};

    #[test]
    fn a_heading_is_the_title_and_not_part_of_the_text() {
        let persona = Persona::of("pirate", "# A pirate \n\nSpeak like one.\n\nArr.\n");
        assert_eq!(persona.title.as_deref(), Some("A pirate"));
        assert_eq!(persona.text, "Speak like one.\n\nArr.");
        let plain = Persona::of("x", "Be brief.");
        assert_eq!((plain.title, plain.text.as_str()), (None, "Be brief."));
    }

    #[test]
    fn a_folder_of_markdown_files_is_read_and_what_cannot_be_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(20_000);
        for (name, text) in [
            ("pirate.md", "# A pirate\nArr."),
            ("brief.MD", "Be brief."),
            ("README.md", "About this folder."),
            ("notes.txt", "No persona."),
            ("empty.md", "# Only a title\n"),
            ("long.md", &long),
            ("default.md", "No."),
        ] {
            #[expect(clippy::disallowed_methods, reason = "a person writes personas")]
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let settings = load(&MapSource::new().with(NAME, folder.path().display().to_string())).unwrap();
        let names: Vec<_> = settings.chat.personas.iter().map(|persona| persona.name.as_str()).collect();
        assert_eq!(names, ["brief", "pirate"]);
        let warnings = settings.warnings.join("\n");
        for expected in [
            "empty.md is left out: it says nothing",
            "long.md is left out: it has to be text",
            "default.md is left out",
        ] {
            assert!(warnings.contains(expected), "{expected} in {warnings}");
        }
        let gone = folder.path().join("gone").display().to_string();
        let mistakes = load(&MapSource::new().with(NAME, gone)).unwrap_err().to_string();
        assert!(mistakes.contains("PERSONAS_DIR"), "{mistakes}");
    }
}
