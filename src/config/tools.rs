//! `[tools]` of `cortana.toml`: programs whose tools models may call, through the Model Context Protocol.

use std::time::Duration;

use super::{file::Section, reader::Reader};
use crate::secret::Secret;

/// Characters of a server's name, which is a part of what the model calls its tools.
const LONGEST_NAME: usize = 24;

/// The programs, and how far a model may go with them. None unless an operator names some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolSettings {
    /// The programs.
    pub servers: Vec<ToolServer>,
    /// How often in one answer a model may call tools and go on with what came of it.
    pub most_steps: u32,
    /// Bytes of a result that the model reads.
    pub most_bytes: usize,
}

/// A program that speaks the Model Context Protocol over its standard input and output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolServer {
    /// What it is called here: small letters, digits and `_`, a letter first.
    pub name: String,
    /// The program: a path, or a name that is looked for in the `PATH` of `env`.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Everything that its environment has. The values may be secrets.
    pub env: Vec<(String, Secret)>,
    /// The tools that models may call, by the server's own names.
    pub allow: Vec<String>,
    /// Those of them that change something: each call waits for a person.
    pub writes: Vec<String>,
    /// How long a call may take.
    pub timeout: Duration,
}

impl Default for ToolSettings {
    fn default() -> Self {
        Self { servers: Vec::new(), most_steps: 8, most_bytes: 16 << 10 }
    }
}

impl ToolSettings {
    pub(super) fn read(reader: &mut Reader<'_>, file: &mut Section) -> Self {
        let default = Self::default();
        let mut section = file.section(reader, "tools");
        let most_steps = section.number(reader, "steps", default.most_steps, 1..=32);
        let most_bytes = section.number(reader, "result_bytes", default.most_bytes, 256..=1 << 20);
        let mut servers: Vec<ToolServer> = Vec::new();
        for section in section.tables(reader, "server") {
            let place = section.place().to_owned();
            let Some(server) = ToolServer::read(reader, section) else { continue };
            if servers.iter().any(|other| other.name == server.name) {
                reader.mistake(&place, &server.name, "another server has this name");
            }
            servers.push(server);
        }
        section.finish(reader);
        Self { servers, most_steps, most_bytes }
    }
}

impl ToolServer {
    fn read(reader: &mut Reader<'_>, mut section: Section) -> Option<Self> {
        let place = section.place().to_owned();
        let source = reader.source();
        let name = section.text(reader, "name");
        let command = section.text(reader, "command").map(|command| {
            let path = reader.expand(&command);
            path.to_string_lossy().into_owned()
        });
        let args = section.texts(reader, "args");
        let env = section.named_values(reader, "env", |name| source.get(name));
        let allow = section.texts(reader, "allow");
        let writes = section.texts(reader, "writes");
        let timeout = Duration::from_secs(section.number(reader, "timeout_secs", 30, 1..=600));
        section.finish(reader);
        let (Some(name), Some(command)) = (name, command) else {
            reader.secret_mistake(&place, "a server needs a name and a command");
            return None;
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= LONGEST_NAME
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !is_name {
            let expected =
                format!("expected small letters, digits and _, a letter first, {LONGEST_NAME} at most");
            reader.mistake(&place, &name, expected);
            return None;
        }
        for tool in writes.iter().filter(|tool| !allow.contains(tool)) {
            reader.mistake(&place, tool, "stands in `writes` and not in `allow`");
        }
        if allow.is_empty() {
            reader.warn(format!(
                "{place} allows none of its tools: `cortana tools` shows what it has; name some in `allow`"
            ));
        }
        let env = env.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        Some(Self { name, command, args, env, allow, writes, timeout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MapSource, Mistakes, load};

    fn read(document: &str) -> Result<ToolSettings, Vec<String>> {
        let source = MapSource::new().with("NOTES_TOKEN", "FAKE-secret").with_document(document);
        let said = |Mistakes(all): Mistakes| {
            all.into_iter().map(|it| format!("{} {:?}: {}", it.variable, it.value, it.expected)).collect()
        };
        load(&source).map(|settings| settings.tools).map_err(said)
    }

    #[test]
    fn servers_are_read_with_their_environment_by_name_or_by_value() {
        assert_eq!(read(""), Ok(ToolSettings::default()));
        let document = r#"
            [tools]
            steps = 3
            [[tools.server]]
            name = "notes"
            command = "/bin/notes"
            args = ["--quiet"]
            env = ["NOTES_TOKEN"]
            allow = ["list", "add"]
            writes = ["add"]
            timeout_secs = 5
            [[tools.server]]
            name = "clock"
            command = "clock"
            env = { TZ = "UTC" }
            allow = ["now"]
        "#;
        let settings = read(document).expect("good settings");
        assert_eq!((settings.most_steps, settings.most_bytes), (3, 16 << 10));
        let [notes, clock] = settings.servers.as_slice() else { panic!("two servers") };
        assert_eq!(notes.env, [("NOTES_TOKEN".to_owned(), Secret::new("FAKE-secret"))]);
        assert_eq!(
            (notes.writes.as_slice(), notes.timeout),
            (&["add".to_owned()][..], Duration::from_secs(5))
        );
        assert_eq!(clock.env, [("TZ".to_owned(), Secret::new("UTC"))]);
        assert_eq!((clock.command.as_str(), clock.timeout), ("clock", Duration::from_secs(30)));
        assert!(!format!("{settings:?}").contains("FAKE-secret"), "secrets stay unsaid");
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let document = r#"
            [[tools.server]]
            name = "Notes!"
            command = "x"
            env = ["NOT_SET"]
            allow = ["a"]
            [[tools.server]]
            name = "b"
            command = "x"
            allow = ["a"]
            writes = ["z"]
            [[tools.server]]
            name = "b"
            comand = "x"
            allow = ["a"]
        "#;
        let told = read(document).expect_err("mistakes");
        let has = |part: &str| assert!(told.iter().any(|line| line.contains(part)), "{part} in {told:#?}");
        has("tools.server-1.env Some(\"NOT_SET\")");
        has("tools.server-1 Some(\"Notes!\"): expected small letters");
        has("tools.server-2 Some(\"z\"): stands in `writes`");
        has("tools.server-3.comand None: no such key");
        has("tools.server-3 None: a server needs a name and a command");
        assert!(read("[tools]\nserver = 3").is_err() && read("[tools]\nsteps = 0").is_err());
    }
}
