//! Gemini's `generateContent` (ai.google.dev/api/generate-content), also what Code Assist wraps in its envelope.

use serde_json::{Map, Value, json};

use super::{
    Answer, Ask, Call, Finish, Image, Message, Raw, Usage, WireFault, count, in_path, parts, role_name,
    users_first,
};
use crate::llm::ChatRequest;

pub(super) fn encode(ask: Ask<'_>) -> Call {
    let mut body = conversation(ask.request);
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

/// `contents` and `systemInstruction`.
pub(super) fn conversation(request: &ChatRequest) -> Map<String, Value> {
    let turns = users_first(&request.messages);
    let contents: Vec<Value> = turns
        .iter()
        .map(|turn| json!({ "role": role_name(turn.role, "model"), "parts": content(turn) }))
        .collect();
    let mut body = Map::new();
    body.insert("contents".to_owned(), Value::Array(contents));
    let system = request.system.trim();
    if !system.is_empty() {
        let instruction = json!({ "role": "user", "parts": [{ "text": system }] });
        body.insert("systemInstruction".to_owned(), instruction);
    }
    body
}

fn content(message: &Message) -> Vec<Value> {
    let image = |image: &Image| json!({ "inlineData": { "mimeType": image.format.media_type(), "data": image.base64() } });
    parts(message, image, |text| json!({ "text": text }))
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
