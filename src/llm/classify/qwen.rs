//! Qwen's and DashScope's errors: OpenAI's shape with codes of their own
//! (QwenLM/qwen-code `packages/core/src/qwen`; help.aliyun.com/zh/model-studio/error-code).

use super::{Evidence, FailureClass, Fault, RetryHint, Scope, openai};

pub(super) fn classify(evidence: &Evidence<'_>) -> Fault {
    let code = openai::code(evidence.body);
    let message = openai::message(evidence);
    let rest = || openai::waits(evidence, &message).unwrap_or(RetryHint::None);
    let normal = code.to_ascii_lowercase();
    match normal.as_str() {
        // The whole account's, also at 403 and 400.
        "insufficient_quota"
        | "quota_exceeded"
        | "arrearage"
        | "throttling.allocationquota"
        | "allocationquota.freetieronly" => evidence.fault(Scope::Credential(rest()), &code),
        "throttling" | "throttling.ratequota" | "throttling.burstrate" | "limit_requests" => {
            evidence.fault(Scope::Credential(rest()), &code)
        }
        "data_inspection_failed" | "datainspectionfailed" => {
            evidence.fault(Scope::Request(FailureClass::Blocked), &code)
        }
        "invalidapikey" => evidence.fault(Scope::Unauthorized, &code),
        "model.accessdenied" | "modelnotfound" => evidence.fault(Scope::ModelMissing, &code),
        _ if message.contains("quota exceeded") => {
            evidence.fault(Scope::Credential(rest()), "quota_exceeded")
        }
        // An expired token, said as a 400.
        "invalid_parameter_error" if message.contains("session has expired") => {
            evidence.fault(Scope::Unauthorized, "session_expired")
        }
        _ if message.contains("range of input length") => {
            evidence.fault(Scope::Request(FailureClass::TooLong), &code)
        }
        _ => openai::classify(evidence),
    }
}
