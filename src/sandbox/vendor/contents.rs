//! Gemini's contents: what Code Assist and Gemini's own API have in common, and that API itself
//! (ai.google.dev/api/generate-content).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    fault::Act,
    pictures::{self, Rules},
    reply::{Reply, words},
    request::Seen,
    rows::Protocol,
    state::Provider,
    stream::{Answer, Script},
    tools,
};

/// The fields of a request that the API knows.
const FIELDS: &[&str] = &[
    "contents",
    "systemInstruction",
    "system_instruction",
    "generationConfig",
    "safetySettings",
    "tools",
    "toolConfig",
    "cachedContent",
];

/// Answers `POST {base}/models/{model}:generateContent` and `:streamGenerateContent` with a key.
pub(super) fn generate(provider: &mut Provider, seen: &Seen, disturbance: Option<&Act>) -> Answer {
    if let Err(refusal) = authorised(provider, seen) {
        return refusal;
    }
    let name = seen.path.rsplit('/').next().unwrap_or_default();
    let model = name.split(':').next().unwrap_or_default().to_owned();
    let Some(request) = seen.json.as_object() else {
        return bad_request("Invalid JSON payload received.");
    };
    if let Some(field) = request.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        return bad_request(&format!(
            "Invalid JSON payload received. Unknown name \"{field}\": Cannot find field."
        ));
    }
    match judged(request) {
        Ok(contents) => answer(provider, seen, model, &contents, disturbance),
        Err(problem) => bad_request(problem),
    }
}

/// Whether a live key came with the request.
pub(super) fn authorised(provider: &Provider, seen: &Seen) -> Result<(), Answer> {
    let Some(key) = seen.key() else {
        let message = "Method doesn't allow unregistered callers (callers without established identity).";
        return Err(Answer::json(
            403,
            &json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}),
        ));
    };
    if provider.keys.contains_key(key) {
        return Ok(());
    }
    let info = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
        "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}});
    Err(Answer::json(
        400,
        &json!({"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT", "details": [info]}}),
    ))
}

/// The contents, if the service would take them.
pub(super) fn judged(request: &Map<String, Value>) -> Result<Vec<Value>, &'static str> {
    if request.get("systemInstruction").is_some_and(|instruction| !is_content(instruction)) {
        return Err("Invalid value at 'system_instruction'");
    }
    let contents = request
        .get("contents")
        .and_then(Value::as_array)
        .filter(|contents| !contents.is_empty())
        .ok_or("contents are missing")?;
    if contents.first().and_then(|first| first.get("role")) != Some(&json!("user")) {
        return Err("Please ensure that the first content is of the user.");
    }
    let known_role =
        |content: &Value| matches!(content.get("role").and_then(Value::as_str), Some("user" | "model"));
    if !contents.iter().all(|content| is_content(content) && known_role(content)) {
        return Err("Please use a valid role: user, model.");
    }
    Ok(contents.clone())
}

/// The model's answer to these contents.
pub(super) fn answer(
    provider: &mut Provider,
    seen: &Seen,
    model: String,
    contents: &[Value],
    disturbance: Option<&Act>,
) -> Answer {
    let pictures = match pictures::judged(Rules::Gemini, &model, contents) {
        Ok(pictures) => pictures,
        Err(problem) => return bad_request(&problem),
    };
    let is_wrapped = provider.row.chat.protocol() == Protocol::CodeAssist;
    let request = if is_wrapped { seen.json.get("request").unwrap_or(&Value::Null) } else { &seen.json };
    let tooling = match tools::judged(Rules::Gemini, &model, request, contents) {
        Ok(tooling) => tooling,
        Err(problem) => return bad_request(&problem),
    };
    let is_users = |content: &&Value| content.get("role") == Some(&json!("user"));
    let question = contents.iter().rev().find(is_users).map(text_of).unwrap_or_default();
    let turn = contents.iter().filter(is_users).count();
    let reply = provider.next_reply(&model, &question, turn, (&pictures, &tooling));
    let generation = Generation {
        wrapped: is_wrapped,
        model,
        response_id: Uuid::new_v4().simple().to_string(),
        prompt_tokens: contents.iter().map(|content| words(&text_of(content))).sum(),
        completion_tokens: reply.completion_tokens(),
    };
    let streams = seen.path.ends_with(":streamGenerateContent") && disturbance != Some(&Act::Unstreamed);
    if streams && seen.query("alt") == Some("sse") {
        generation.stream(&reply, provider.pace_of(&reply), disturbance)
    } else if streams {
        // Without `alt=sse` the stream is one JSON array.
        Answer::json(200, &json!([generation.whole(&reply)]))
    } else {
        Answer::json(200, &generation.whole(&reply))
    }
}

/// An object with an array of parts.
fn is_content(value: &Value) -> bool {
    value.get("parts").and_then(Value::as_array).is_some_and(|parts| !parts.is_empty())
}

pub(super) fn text_of(content: &Value) -> String {
    let parts = content.get("parts").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect();
    texts.join("\n")
}

pub(super) fn unauthenticated() -> Answer {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token.";
    Answer::json(401, &json!({"error": {"code": 401, "message": message, "status": "UNAUTHENTICATED"}}))
        .with_header(
            "www-authenticate",
            "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"",
        )
}

pub(super) fn bad_request(message: &str) -> Answer {
    Answer::json(400, &json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}))
}

/// What all chunks of one answer share.
struct Generation {
    /// Code Assist puts everything under `response`.
    wrapped: bool,
    model: String,
    response_id: String,
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Generation {
    fn whole(&self, reply: &Reply) -> Value {
        let mut parts: Vec<Value> = thoughts(reply).collect();
        parts.push(json!({"text": reply.full_text()}));
        parts.extend(calls(reply));
        self.response(&json!(parts), Some(&reply.finish), self.completion_tokens)
    }

    fn stream(&self, reply: &Reply, pace: std::time::Duration, disturbance: Option<&Act>) -> Answer {
        let opening = thoughts(reply).map(|part| event(&self.response(&json!([part]), None, 0))).collect();
        let mut spoken = 0;
        let pieces = reply
            .pieces
            .iter()
            .map(|text| {
                spoken += words(text);
                event(&self.response(&json!([{"text": text}]), None, spoken))
            })
            .collect();
        // The last chunk has an empty text and says why it ends; the usage so far came with every chunk.
        let last = self.response(&json!([{"text": ""}]), Some(&reply.finish), self.completion_tokens);
        let mut closing: Vec<String> =
            calls(reply).map(|part| event(&self.response(&json!([part]), None, spoken))).collect();
        closing.push(event(&last));
        Script { opening, pieces, closing, pace }.play(disturbance, event)
    }

    fn response(&self, parts: &Value, finish: Option<&str>, spoken: u64) -> Value {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        if let (Some(finish), Value::Object(object)) = (finish, &mut candidate) {
            let reason = match finish {
                "stop" => "STOP",
                "length" => "MAX_TOKENS",
                other => other,
            };
            object.insert("finishReason".to_owned(), json!(reason));
        }
        let response = json!({
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": self.prompt_tokens,
                "candidatesTokenCount": spoken,
                "totalTokenCount": self.prompt_tokens + spoken,
            },
            "modelVersion": self.model,
            "responseId": self.response_id,
        });
        if self.wrapped { json!({"response": response, "traceId": self.response_id}) } else { response }
    }
}

fn thoughts(reply: &Reply) -> impl Iterator<Item = Value> + '_ {
    reply.reasoning.iter().map(|text| json!({"text": text, "thought": true}))
}

/// The calls of a reply, each in a part of its own; the first is sealed.
fn calls(reply: &Reply) -> impl Iterator<Item = Value> + '_ {
    reply.calls.iter().zip(0..).map(|(call, place)| {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let mut part = json!({"functionCall": {"name": call.name, "args": arguments}});
        if let (0, Value::Object(part)) = (place, &mut part) {
            part.insert("thoughtSignature".to_owned(), json!("FAKE-signature"));
        }
        part
    })
}

/// Google ends its lines with CR LF, and its streams without `[DONE]`.
fn event(body: &Value) -> String {
    format!("data: {body}\r\n\r\n")
}
