//! What models are offered: the allowed tools of the programs that answer, under names that every provider takes.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{CallError, Needs, Toolbox, server::Server};
use crate::llm::Tool;

/// Characters of a name, of what every provider takes.
const LONGEST_NAME: usize = 64;
/// Characters of a description: it is sent with every request.
const LONGEST_DESCRIPTION: usize = 1024;

/// What can be called in one exchange.
#[derive(Debug)]
pub struct Offer(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    tool: Tool,
    /// The program's own name for it.
    name: String,
    needs: Needs,
    server: Arc<Server>,
}

impl Offer {
    pub(super) fn of(servers: &[Arc<Server>]) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        for server in servers {
            let Some(running) = server.running() else { continue };
            for found in running.found.iter().filter(|found| server.settings.allow.contains(&found.name)) {
                let is_taken = |name: &str| entries.iter().any(|entry| entry.tool.name == name);
                let name = offered_name(&server.settings.name, &found.name, is_taken);
                let description = found.description.chars().take(LONGEST_DESCRIPTION).collect();
                let tool = Tool { name, description, schema: Value::Object(found.schema.clone()) };
                let needs = server.needs(found);
                entries.push(Entry { tool, name: found.name.clone(), needs, server: Arc::clone(server) });
            }
        }
        Self(entries)
    }

    /// Whether there is nothing to call.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.tool.name == name)
    }
}

#[async_trait]
impl Toolbox for Offer {
    fn tools(&self) -> Vec<Tool> {
        self.0.iter().map(|entry| entry.tool.clone()).collect()
    }

    fn needs(&self, name: &str) -> Option<Needs> {
        self.entry(name).map(|entry| entry.needs)
    }

    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<String, CallError> {
        let entry = self.entry(name).ok_or(CallError::Unknown)?;
        entry.server.call(&entry.name, arguments).await
    }
}

/// `SERVER_TOOL`, with what no provider takes left out, and a number where it is taken.
fn offered_name(server: &str, tool: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let whole: String =
        server.chars().chain(['_']).chain(tool.chars()).map(plain).take(LONGEST_NAME).collect();
    let numbered = (2..).map(|number: u32| {
        let end = format!("_{number}");
        whole.chars().take(LONGEST_NAME - end.len()).chain(end.chars()).collect::<String>()
    });
    std::iter::once(whole.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_offered_under_a_name_of_its_own_that_every_provider_takes() {
        let name = |tool: &str, taken: &[&str]| offered_name("notes", tool, |name| taken.contains(&name));
        assert_eq!(name("add", &[]), "notes_add");
        assert_eq!(name("find.by/näme", &[]), "notes_find_by_n_me");
        assert_eq!(name("add", &["notes_add", "notes_add_2"]), "notes_add_3");
        let long = name(&"x".repeat(100), &[]);
        assert_eq!(long.len(), 64);
        assert_eq!(name(&"x".repeat(100), &[&long]).len(), 64);
    }
}
