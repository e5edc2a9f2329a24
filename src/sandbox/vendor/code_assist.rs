//! Code Assist: set-up calls and chats, in Gemini CLI's and in Antigravity's envelope.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    fault::{Act, google_error},
    reply::{Reply, words},
    request::Seen,
    rows::Chat,
    state::{Account, Provider, Standing},
    stream::{Answer, Script},
};

/// Answers `loadCodeAssist`, `onboardUser` and the look at an operation.
pub(super) fn setup(provider: &mut Provider, seen: &Seen, now: DateTime<Utc>) -> Answer {
    let Some(name) = provider.live_access(seen.bearer().unwrap_or_default(), now) else {
        return unauthenticated();
    };
    let chat = provider.row.chat;
    let account = provider.account(&name);
    if seen.path.ends_with(":loadCodeAssist") {
        load(chat, account, &seen.json)
    } else if seen.path.ends_with(":onboardUser") {
        onboard(chat, account, &seen.json)
    } else {
        operation(account)
    }
}

fn load(chat: Chat, account: &mut Account, body: &Value) -> Answer {
    let ide = body.pointer("/metadata/ideType").and_then(Value::as_str);
    let expected = if chat == Chat::Antigravity { "ANTIGRAVITY" } else { "IDE_UNSPECIFIED" };
    if ide != Some(expected) {
        return bad_request("metadata.ideType is not one of the expected values");
    }
    let tier = json!({"id": "standard-tier", "name": "Gemini Code Assist"});
    match &account.standing {
        Standing::Licensed { project } => Answer::json(
            200,
            &json!({"currentTier": tier, "allowedTiers": [tier], "cloudaicompanionProject": project}),
        ),
        Standing::LicensedAsObject { project } => Answer::json(
            200,
            &json!({"currentTier": tier, "cloudaicompanionProject": {"id": project, "name": "x"}}),
        ),
        Standing::BringsProject => {
            account.project = body.get("cloudaicompanionProject").and_then(Value::as_str).map(str::to_owned);
            Answer::json(200, &json!({"currentTier": tier}))
        }
        Standing::Onboards { tier, .. } => {
            let needs_project = tier == "standard-tier";
            let default = json!({"id": tier, "isDefault": true,
                "userDefinedCloudaicompanionProject": needs_project});
            Answer::json(200, &json!({"allowedTiers": [{"id": "legacy-tier"}, default]}))
        }
        Standing::NeverDone => {
            Answer::json(200, &json!({"allowedTiers": [{"id": "free-tier", "isDefault": true}]}))
        }
        Standing::NoOperation { reason } => {
            let mut reply = json!({"allowedTiers": [{"id": "free-tier", "isDefault": true}]});
            if let (Some(reason), Value::Object(object)) = (reason, &mut reply) {
                let ineligible = json!([{"tierId": "other-tier", "reasonCode": reason}]);
                object.insert("ineligibleTiers".to_owned(), ineligible);
            }
            Answer::json(200, &reply)
        }
        Standing::Ineligible { reason, link } => {
            let mut tier = json!({"tierId": "free-tier", "reasonCode": reason,
                "tierName": "Gemini Code Assist for individuals", "reasonMessage": "scripted refusal"});
            if let (Some(link), Value::Object(tier)) = (link, &mut tier) {
                tier.insert("validationUrl".to_owned(), json!(link));
            }
            let standard = json!({"id": "standard-tier", "isDefault": true,
                "userDefinedCloudaicompanionProject": true});
            Answer::json(200, &json!({"allowedTiers": [standard], "ineligibleTiers": [tier]}))
        }
        Standing::ServiceControls => Answer::json(
            403,
            &google_error(
                403,
                "PERMISSION_DENIED",
                "Request is prohibited by organization's policy.",
                "SECURITY_POLICY_VIOLATED",
                &json!({"uid": "fake"}),
            ),
        ),
    }
}

fn onboard(chat: Chat, account: &mut Account, body: &Value) -> Answer {
    let (tier_field, ide) = match chat {
        Chat::Antigravity => ("tier_id", body.pointer("/metadata/ide_type")),
        Chat::GeminiCli | Chat::OpenAi | Chat::OpenRouter | Chat::DashScope | Chat::Qwen | Chat::Iflow => {
            ("tierId", body.pointer("/metadata/ideType"))
        }
    };
    let Some(tier) = body.get(tier_field).and_then(Value::as_str) else {
        return bad_request("the tier is missing");
    };
    if ide.and_then(Value::as_str).is_none() {
        return bad_request("the metadata is missing");
    }
    // Also when it is null.
    if tier == "free-tier" && body.get("cloudaicompanionProject").is_some() {
        let message = "Precondition check failed.";
        return Answer::json(
            412,
            &json!({"error": {"code": 412, "message": message, "status": "FAILED_PRECONDITION"}}),
        );
    }
    if tier == "standard-tier" {
        account.project = body.get("cloudaicompanionProject").and_then(Value::as_str).map(str::to_owned);
        if account.project.is_none() {
            return bad_request("this tier needs a project");
        }
    }
    operation(account)
}

/// The long-running operation of an onboarding.
fn operation(account: &mut Account) -> Answer {
    let pending = json!({"name": "operations/fake-operation-1", "done": false});
    match account.standing.clone() {
        Standing::Onboards { tier, project, looks } => {
            if account.looks < looks {
                account.looks += 1;
                return Answer::json(200, &pending);
            }
            let project =
                if tier == "standard-tier" { account.project.clone().unwrap_or(project) } else { project };
            account.project = Some(project.clone());
            Answer::json(
                200,
                &json!({"name": "operations/fake-operation-1", "done": true,
                    "response": {"cloudaicompanionProject": {"id": project, "name": "x"}}}),
            )
        }
        Standing::NeverDone => Answer::json(200, &pending),
        Standing::NoOperation { .. } | Standing::Ineligible { .. } => Answer::json(200, &json!({})),
        Standing::Licensed { project } | Standing::LicensedAsObject { project } => Answer::json(
            200,
            &json!({"done": true, "response": {"cloudaicompanionProject": {"id": project}}}),
        ),
        Standing::BringsProject | Standing::ServiceControls => {
            Answer::json(200, &json!({"done": true, "response": {}}))
        }
    }
}

/// Answers `generateContent` and `streamGenerateContent`.
pub(super) fn generate(
    provider: &mut Provider,
    seen: &Seen,
    disturbance: Option<&Act>,
    now: DateTime<Utc>,
) -> Answer {
    let Some(name) = provider.live_access(seen.bearer().unwrap_or_default(), now) else {
        return unauthenticated();
    };
    let chat = provider.row.chat;
    let account = provider.account(&name);
    let project = match account.standing {
        // Whatever project the client brings is its own.
        Standing::ServiceControls | Standing::BringsProject => {
            seen.json.get("project").and_then(Value::as_str).map(str::to_owned)
        }
        Standing::Ineligible { .. } => None,
        Standing::Licensed { .. }
        | Standing::LicensedAsObject { .. }
        | Standing::Onboards { .. }
        | Standing::NeverDone
        | Standing::NoOperation { .. } => account.project.clone(),
    };
    let contents = match judged(chat, &seen.json) {
        Ok(contents) => contents,
        Err(problem) => return bad_request(problem),
    };
    if project.is_none() || seen.json.get("project").and_then(Value::as_str) != project.as_deref() {
        let message = "You do not have a valid license of this product. (#3501)";
        return Answer::json(
            403,
            &google_error(403, "PERMISSION_DENIED", message, "SUBSCRIPTION_REQUIRED", &json!({})),
        );
    }
    let model = seen.json.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    let question = contents
        .iter()
        .rev()
        .find(|content| content.get("role") == Some(&json!("user")))
        .map(text_of)
        .unwrap_or_default();
    let turn = contents.iter().filter(|content| content.get("role") == Some(&json!("user"))).count();
    let prompt_tokens: u64 = contents.iter().map(|content| words(&text_of(content))).sum();
    let reply = provider.next_reply(&model, &question, turn);
    let answer = Generation {
        model,
        response_id: Uuid::new_v4().simple().to_string(),
        prompt_tokens,
        completion_tokens: reply.completion_tokens(),
    };
    let streams = seen.path.ends_with(":streamGenerateContent");
    if streams && seen.query("alt") == Some("sse") {
        answer.stream(&reply, provider.pace_of(&reply), disturbance)
    } else if streams {
        // Without `alt=sse` the stream is one JSON array.
        Answer::json(200, &json!([answer.whole(&reply)]))
    } else {
        Answer::json(200, &answer.whole(&reply))
    }
}

/// The contents, if the service would take the request.
fn judged(chat: Chat, body: &Value) -> Result<Vec<Value>, &'static str> {
    if body.get("model").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("model is missing");
    }
    if body.get("messages").is_some() {
        return Err("Unknown name \"messages\": Cannot find field.");
    }
    let request = body.get("request").and_then(Value::as_object).ok_or("request is missing")?;
    if request.contains_key("system_instruction") {
        return Err("Unknown name \"system_instruction\": Cannot find field.");
    }
    if request.get("systemInstruction").is_some_and(|instruction| !is_content(instruction)) {
        return Err("Invalid value at 'request.system_instruction'");
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
    if chat == Chat::Antigravity {
        antigravity(body, request)?;
    }
    Ok(contents.clone())
}

/// What Antigravity's envelope has beside Gemini CLI's.
fn antigravity(body: &Value, request: &Map<String, Value>) -> Result<(), &'static str> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    if text(body.get("userAgent")) != "antigravity" {
        return Err("userAgent is missing");
    }
    if !matches!(text(body.get("requestType")).as_str(), "agent" | "image_gen" | "web_search") {
        return Err("requestType is missing");
    }
    if !text(body.get("requestId")).starts_with("agent") {
        return Err("requestId is missing");
    }
    let session = text(request.get("sessionId"));
    if session.strip_prefix('-').is_none_or(|number| number.parse::<u64>().is_err()) {
        return Err("sessionId is missing");
    }
    if request.contains_key("safetySettings") {
        return Err("safetySettings are not taken");
    }
    Ok(())
}

/// An object with an array of parts.
fn is_content(value: &Value) -> bool {
    value.get("parts").and_then(Value::as_array).is_some_and(|parts| !parts.is_empty())
}

fn text_of(content: &Value) -> String {
    let parts = content.get("parts").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect();
    texts.join("\n")
}

fn unauthenticated() -> Answer {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token.";
    Answer::json(401, &json!({"error": {"code": 401, "message": message, "status": "UNAUTHENTICATED"}}))
}

fn bad_request(message: &str) -> Answer {
    Answer::json(400, &json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}))
}

/// What all chunks of one answer share.
struct Generation {
    model: String,
    response_id: String,
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Generation {
    fn whole(&self, reply: &Reply) -> Value {
        let mut parts: Vec<Value> = thoughts(reply).collect();
        parts.push(json!({"text": reply.full_text()}));
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
        let closing = vec![event(&last)];
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
        json!({
            "response": {
                "candidates": [candidate],
                "usageMetadata": {
                    "promptTokenCount": self.prompt_tokens,
                    "candidatesTokenCount": spoken,
                    "totalTokenCount": self.prompt_tokens + spoken,
                },
                "modelVersion": self.model,
                "responseId": self.response_id,
            },
            "traceId": self.response_id,
        })
    }
}

fn thoughts(reply: &Reply) -> impl Iterator<Item = Value> + '_ {
    reply.reasoning.iter().map(|text| json!({"text": text, "thought": true}))
}

/// Google ends its lines with CR LF, and its streams without `[DONE]`.
fn event(body: &Value) -> String {
    format!("data: {body}\r\n\r\n")
}
