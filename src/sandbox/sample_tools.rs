//! A small program with tools, as `cortana.toml` names such: it speaks the Model Context Protocol over standard input and output,
//! and shares no code with the bot's side of it (modelcontextprotocol.io/specification).
//!
//! Its tools are made to be tried: one looks, one changes something, and the others misbehave in one way each.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
    process::{Command, ExitCode},
};

use serde_json::{Value, json};

/// The code with which it ends when its tool `die` is called.
const DIED: u8 = 3;

/// What it remembers while it runs.
#[derive(Debug, Default)]
struct Memory {
    notes: Vec<String>,
    /// Calls that were taken back.
    cancelled: u32,
}

/// What follows from a message.
enum Next {
    Answer(Value),
    Silence,
    End,
}

/// Serves until the input ends; `environment` is what it was started with.
pub fn serve(
    environment: &BTreeMap<String, String>,
    input: impl BufRead,
    mut output: impl Write,
) -> ExitCode {
    let mut memory = Memory::default();
    for line in input.lines() {
        let Ok(message) = line.and_then(|line| serde_json::from_str::<Value>(&line).map_err(io::Error::from))
        else {
            return ExitCode::FAILURE;
        };
        match memory.take(environment, &message) {
            Next::Answer(answer) => {
                if writeln!(output, "{answer}").and_then(|()| output.flush()).is_err() {
                    return ExitCode::FAILURE;
                }
            }
            Next::Silence => {}
            Next::End => return ExitCode::from(DIED),
        }
    }
    ExitCode::SUCCESS
}

impl Memory {
    fn take(&mut self, environment: &BTreeMap<String, String>, message: &Value) -> Next {
        let id = &message["id"];
        let answer = |result: Value| Next::Answer(json!({"jsonrpc": "2.0", "id": id, "result": result}));
        let refusal = |code: i32, message: &str| {
            let error = json!({"code": code, "message": message});
            Next::Answer(json!({"jsonrpc": "2.0", "id": id, "error": error}))
        };
        match message["method"].as_str().unwrap_or_default() {
            "initialize" => answer(json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "sample", "version": env!("CARGO_PKG_VERSION")},
            })),
            "ping" => answer(json!({})),
            "tools/list" => answer(json!({"tools": tools()})),
            "tools/call" => {
                let (name, arguments) = (&message["params"]["name"], &message["params"]["arguments"]);
                match name.as_str().unwrap_or_default() {
                    "wait" => Next::Silence,
                    "die" => Next::End,
                    name => match self.call(environment, name, arguments) {
                        Some(Ok(text)) => answer(said(&text, false)),
                        Some(Err(text)) => answer(said(&text, true)),
                        None => refusal(-32602, &format!("Unknown tool: {name}")),
                    },
                }
            }
            "notifications/cancelled" => {
                self.cancelled += 1;
                Next::Silence
            }
            _ if id.is_null() => Next::Silence,
            method => refusal(-32601, &format!("Method not found: {method}")),
        }
    }

    /// What a tool says, or how it fails; `None`: there is none of this name.
    fn call(
        &mut self,
        environment: &BTreeMap<String, String>,
        name: &str,
        arguments: &Value,
    ) -> Option<Result<String, String>> {
        Some(match name {
            "now" => Ok(format!("It is noon in {}.", arguments["zone"].as_str().unwrap_or("UTC"))),
            "note" => {
                self.notes.push(arguments["text"].as_str().unwrap_or_default().to_owned());
                Ok(format!("Noted, as number {}.", self.notes.len()))
            }
            "notes" => Ok(format!("{} notes: {}", self.notes.len(), self.notes.join(" | "))),
            "environment" => {
                let lines: Vec<String> =
                    environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
                Ok(lines.join("\n"))
            }
            "cancelled" => Ok(format!("{} calls were taken back.", self.cancelled)),
            "large" => Ok("x".repeat(usize::try_from(arguments["bytes"].as_u64().unwrap_or(0)).unwrap_or(0))),
            "fail" => Err("The disk is full.".to_owned()),
            "pid" => Ok(std::process::id().to_string()),
            // A process of its own that would stay behind.
            "spawn" => Command::new("/bin/sleep")
                .arg("600")
                .spawn()
                .map(|child| child.id().to_string())
                .map_err(|error| error.kind().to_string()),
            _ => return None,
        })
    }
}

fn said(text: &str, is_error: bool) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": is_error})
}

fn tools() -> Value {
    let tool = |name: &str, description: &str, properties: Value, reads: bool| {
        let schema = json!({"type": "object", "properties": properties});
        json!({"name": name, "description": description, "inputSchema": schema, "annotations": {"readOnlyHint": reads}})
    };
    json!([
        tool(
            "now",
            "Tells the time.",
            json!({"zone": {"type": "string", "description": "A time zone, such as UTC"}}),
            true
        ),
        tool("note", "Writes a note down.", json!({"text": {"type": "string"}}), false),
        tool("notes", "Reads all notes.", json!({}), true),
        tool("environment", "Lists the variables that this program sees.", json!({}), true),
        tool("wait", "Never answers.", json!({}), true),
        tool("cancelled", "Says how many calls were taken back.", json!({}), true),
        tool("large", "Says very much.", json!({"bytes": {"type": "integer"}}), true),
        tool("fail", "Fails.", json!({}), true),
        tool("die", "Ends this program.", json!({}), true),
        tool("pid", "Says the number of this process.", json!({}), true),
        tool("spawn", "Starts a process that would stay behind.", json!({}), true),
    ])
}
