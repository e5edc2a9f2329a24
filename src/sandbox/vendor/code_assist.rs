//! Code Assist: set-up calls and chats, in Gemini CLI's and in Antigravity's envelope.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    contents::{self, bad_request, text_of, unauthenticated},
    fault::Act,
    refusal::google_error,
    reply::words,
    request::Seen,
    rows::Chat,
    state::{Account, Provider, Standing},
    stream::Answer,
};

/// The models that the read-outs name.
const MODELS: &[&str] = &["gemini-2.5-pro", "gemini-2.5-flash", "gemini-3-flash"];

/// Answers `loadCodeAssist`, `onboardUser`, the look at an operation, and the read-outs.
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
    } else if seen.path.ends_with(":countTokens") {
        count_tokens(&seen.json)
    } else if seen.path.ends_with(":retrieveUserQuota") {
        quota(account, &seen.json, now)
    } else if seen.path.ends_with(":retrieveUserQuotaSummary") {
        summary(account, &seen.json, now)
    } else if seen.path.ends_with(":fetchAvailableModels") {
        models(account, &seen.json, now)
    } else {
        operation(account)
    }
}

/// Words stand for tokens.
fn count_tokens(body: &Value) -> Answer {
    let model = body.pointer("/request/model").and_then(Value::as_str).unwrap_or_default();
    let contents = body.pointer("/request/contents").and_then(Value::as_array);
    match contents {
        Some(contents) if model.starts_with("models/") => {
            let tokens: u64 = contents.iter().map(|content| words(&text_of(content))).sum();
            Answer::json(200, &json!({"totalTokens": tokens}))
        }
        Some(_) | None => bad_request("request.model must be like models/MODEL"),
    }
}

/// What is left of the day, by model. The fraction of what is used up is left out, not nought.
fn quota(account: &Account, body: &Value, now: DateTime<Utc>) -> Answer {
    if let Err(refusal) = own_project(account, body) {
        return refusal;
    }
    let bucket = |model: &&str| {
        let mut bucket = json!({"modelId": model, "tokenType": "REQUESTS"});
        insert_rest(&mut bucket, account, now);
        bucket
    };
    Answer::json(200, &json!({"buckets": MODELS.iter().map(bucket).collect::<Vec<_>>()}))
}

/// The same by groups of models, each with a bucket for five hours and one for the week. Only the daily host knows it.
fn summary(account: &Account, body: &Value, now: DateTime<Utc>) -> Answer {
    if body.get("project").is_some()
        && let Err(refusal) = own_project(account, body)
    {
        return refusal;
    }
    let bucket = |window: &str| {
        let mut bucket = json!({"bucketId": window, "displayName": window, "window": window});
        insert_rest(&mut bucket, account, now);
        bucket
    };
    let group = |name: &str| json!({"displayName": name, "buckets": [bucket("5h"), bucket("weekly")]});
    Answer::json(200, &json!({"groups": [group("Gemini Models"), group("Claude and GPT models")]}))
}

/// The models that the account gets, with what is left of them.
fn models(account: &Account, body: &Value, now: DateTime<Utc>) -> Answer {
    if let Err(refusal) = own_project(account, body) {
        return refusal;
    }
    let model = |id: &&str| {
        let mut info = json!({});
        insert_rest(&mut info, account, now);
        let about = json!({"displayName": id, "quotaInfo": info, "supportsThinking": true,
            "maxTokens": 1_048_576, "maxOutputTokens": 65_536});
        ((*id).to_owned(), about)
    };
    let models: Map<String, Value> = MODELS.iter().map(model).collect();
    Answer::json(200, &json!({"models": models, "deprecatedModelIds": {}}))
}

fn insert_rest(into: &mut Value, account: &Account, now: DateTime<Utc>) {
    let Value::Object(object) = into else { return };
    object.insert("resetTime".to_owned(), json!((now + TimeDelta::hours(5)).to_rfc3339()));
    if account.remaining > 0.0 {
        object.insert("remainingFraction".to_owned(), json!(account.remaining));
    }
}

fn own_project(account: &Account, body: &Value) -> Result<(), Answer> {
    let named = body.get("project").and_then(Value::as_str);
    if named.is_some() && named == account.project.as_deref() {
        return Ok(());
    }
    let message = "Permission denied on resource project.";
    let metadata = json!({"service": "cloudcode-pa.googleapis.com"});
    Err(Answer::json(403, &google_error(403, "PERMISSION_DENIED", message, "CONSUMER_INVALID", &metadata)))
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
        Chat::GeminiCli
        | Chat::OpenAi
        | Chat::OpenRouter
        | Chat::DashScope
        | Chat::Qwen
        | Chat::Iflow
        | Chat::Gemini
        | Chat::Anthropic
        | Chat::Mistral
        | Chat::Xai
        | Chat::Bedrock
        | Chat::Keyless => ("tierId", body.pointer("/metadata/ideType")),
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
    // A thousand requests a day, as the free tier had them.
    account.remaining = (account.remaining - 0.001).max(0.0);
    let model = seen.json.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    contents::answer(provider, seen, model, &contents, disturbance)
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
    let contents = contents::judged(request)?;
    if chat == Chat::Antigravity {
        antigravity(body, request)?;
    }
    Ok(contents)
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
