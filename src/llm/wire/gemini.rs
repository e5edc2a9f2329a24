//! Gemini's `generateContent` (ai.google.dev/api/generate-content), also what Code Assist wraps in its envelope.

use serde_json::{Map, Value, json};

use super::{
    Answer, Ask, Call, Finish, Image, Message, Raw, Usage, WireFault,
    calls::{CallPiece, Numbering},
    count, in_path, parts, role_name, schema, users_first,
};
use crate::llm::{ChatRequest, Tool, ToolCall, ToolResult};

/// Stands in for the seal on a call that another model made: Gemini 3 refuses a call without one
/// (ai.google.dev/gemini-api/docs/thought-signatures).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Whether calls and results carry the ids by which Antigravity tells Claude's apart; Gemini's own API pairs them by order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    Written,
    LeftOut,
}

pub(super) fn encode(ask: Ask<'_>) -> Call {
    let mut body = conversation(ask.request, ask.model, Ids::LeftOut);
    body.extend(thoughts(ask.model));
    let model = in_path(ask.model);
    let models = match &ask.quirks.vertex_location {
        // docs.cloud.google.com/vertex-ai: projects.locations.publishers.models.streamGenerateContent
        Some(location) => {
            let project = in_path(ask.project.unwrap_or_default());
            format!("/projects/{project}/locations/{location}/publishers/google/models")
        }
        None => "/models".to_owned(),
    };
    let suffix = format!("{models}/{model}:streamGenerateContent?alt=sse");
    Call { suffix: suffix.into(), body: Value::Object(body) }
}

/// `contents`, `systemInstruction` and `tools`.
pub(super) fn conversation(request: &ChatRequest, model: &str, ids: Ids) -> Map<String, Value> {
    let turns = users_first(&request.messages);
    let is_sealed = model.starts_with("gemini-") && !model.starts_with("gemini-2");
    let is_google = !model.starts_with("claude-");
    let mut writer = Writer { numbering: Numbering::default(), ids, is_sealed, is_google };
    let contents: Vec<Value> = turns
        .iter()
        .map(|turn| json!({ "role": role_name(turn.role, "model"), "parts": writer.content(turn) }))
        .collect();
    let mut body = Map::new();
    body.insert("contents".to_owned(), Value::Array(contents));
    let system = request.system.trim();
    if !system.is_empty() {
        let instruction = json!({ "role": "user", "parts": [{ "text": system }] });
        body.insert("systemInstruction".to_owned(), instruction);
    }
    if !request.tools.is_empty() {
        let declared: Vec<Value> = request.tools.iter().map(declaration).collect();
        body.insert("tools".to_owned(), json!([{ "functionDeclarations": declared }]));
    }
    body
}

fn declaration(tool: &Tool) -> Value {
    let mut declared = json!({ "name": tool.name, "description": tool.description });
    if let Some(parameters) = schema::for_gemini(&tool.schema) {
        declared["parameters"] = parameters;
    }
    declared
}

/// Writes the turns of one conversation, one after the other.
struct Writer {
    numbering: Numbering,
    ids: Ids,
    /// The model refuses calls without a seal, as Gemini does from its third version on.
    is_sealed: bool,
    /// The model knows Gemini's seals.
    is_google: bool,
}

impl Writer {
    /// Results stand first and calls last.
    fn content(&mut self, message: &Message) -> Vec<Value> {
        let image = |image: &Image| json!({ "inlineData": { "mimeType": image.format.media_type(), "data": image.base64() } });
        let results = self.numbering.results(message).into_iter();
        let mut all: Vec<Value> = results.map(|(id, name, result)| self.result(id, &name, result)).collect();
        all.extend(parts(message, image, |text| json!({ "text": text })));
        let calls = self.numbering.calls(message).into_iter().enumerate();
        all.extend(calls.map(|(place, (id, call))| self.call(place, id, call)));
        all
    }

    fn result(&self, id: String, name: &str, result: &ToolResult) -> Value {
        let key = if result.failed { "error" } else { "output" };
        let mut response = json!({ "name": name, "response": { key: result.text } });
        if self.ids == Ids::Written {
            response["id"] = id.into();
        }
        json!({ "functionResponse": response })
    }

    /// Of calls that were made at once only the first is sealed.
    fn call(&self, place: usize, id: String, call: &ToolCall) -> Value {
        let mut made = json!({ "name": call.name, "args": call.arguments.clone().unwrap_or_default() });
        if self.ids == Ids::Written {
            made["id"] = id.into();
        }
        let mut part = json!({ "functionCall": made });
        let stand_in = (self.is_sealed && place == 0).then_some(NO_SIGNATURE);
        let own = call.signature.as_deref().filter(|_| self.is_google);
        if let Some(signature) = own.or(stand_in) {
            part["thoughtSignature"] = signature.into();
        }
        part
    }
}

/// Asks for summaries of the model's thoughts: they show that it is alive (P25), and stay hidden. Models that are not
/// Gemini's own refuse the question.
pub(super) fn thoughts(model: &str) -> Option<(String, Value)> {
    let config = || json!({ "thinkingConfig": { "includeThoughts": true } });
    model.starts_with("gemini-").then(|| ("generationConfig".to_owned(), config()))
}

pub(super) fn read(value: Value, answer: &mut Answer) -> Result<(), WireFault> {
    if value.get("error").is_some() {
        return Err(WireFault::Upstream(value));
    }
    if let Some(usage) = value.get("usageMetadata").filter(|usage| usage.is_object()) {
        answer.seen = true;
        let reasoning = count(usage, "/thoughtsTokenCount");
        // Cumulative and repeated: the last one counts.
        answer.usage = Some(Usage {
            input: count(usage, "/promptTokenCount"),
            output: count(usage, "/candidatesTokenCount") + reasoning,
            reasoning,
            cached: count(usage, "/cachedContentTokenCount"),
        });
    }
    if let Some(reason) = value.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
        answer.seen = true;
        answer.finish = Some(Finish::Filtered(code(reason)));
    }
    let candidates = value.get("candidates").and_then(Value::as_array);
    for candidate in candidates.into_iter().flatten().filter(|candidate| count(candidate, "/index") == 0) {
        answer.seen = true;
        let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            if let Some(call) = part.get("functionCall").filter(|call| call.is_object()) {
                read_call(call, part, answer);
            }
            let text = part.get("text").and_then(Value::as_str).unwrap_or_default();
            if part.get("thought").and_then(Value::as_bool) == Some(true) {
                answer.found.push(Raw::Reasoning);
            } else if !text.is_empty() {
                answer.found.push(Raw::Content(text.to_owned()));
            }
        }
        if let Some(reason) = candidate.get("finishReason").and_then(Value::as_str) {
            answer.finish = finish(reason).or(answer.finish.take());
        }
    }
    Ok(())
}

/// A call comes whole, in one part.
fn read_call(call: &Value, part: &Value, answer: &mut Answer) {
    let arguments = call.get("args").map(Value::to_string).unwrap_or_default();
    answer.call(&CallPiece {
        index: None,
        id: call.get("id").and_then(Value::as_str).unwrap_or_default(),
        name: call.get("name").and_then(Value::as_str).unwrap_or("unknown"),
        arguments: &arguments,
        signature: part.get("thoughtSignature").and_then(Value::as_str),
    });
}

fn finish(reason: &str) -> Option<Finish> {
    match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => None,
        "STOP" => Some(Finish::Stop),
        "MAX_TOKENS" => Some(Finish::Length),
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
        | "IMAGE_SAFETY" => Some(Finish::Filtered(reason.to_owned())),
        _ => Some(Finish::Other(code(reason))),
    }
}

fn code(reason: &str) -> String {
    super::super::classify::reason_code(reason).unwrap_or_else(|| "OTHER".to_owned())
}
