//! What only the page does: a direct channel by its person, and the switches of the panel.

use axum::{
    Json,
    extract::State as Extracted,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{
    Sandbox,
    discord::Id,
    vendor::{Act, Fault, Hint, Kind, Vendors},
};

/// What the switch tells an account to wait.
const THROTTLED_SECS: u64 = 30;

/// Somebody.
#[derive(Debug, Deserialize)]
pub(super) struct Person {
    user_id: Id,
}

/// `POST /page/direct`: the direct channel between this person and the bot, opened if need be.
pub(super) async fn direct(
    Extracted(sandbox): Extracted<Sandbox>,
    Json(person): Json<Person>,
) -> Json<Value> {
    Json(json!({"id": sandbox.direct_channel(person.user_id)}))
}

/// What a switch does to one account of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Switch {
    /// 429 until cleared.
    Throttle,
    /// 503 until cleared.
    Fail,
    /// The next stream breaks in the middle.
    Cut,
    /// The access token dies.
    Expire,
    /// The refresh token dies.
    Revoke,
    /// Everything above that waits is taken back.
    Clear,
}

/// A switch that somebody pressed.
#[derive(Debug, Deserialize)]
pub(super) struct Pressed {
    provider: String,
    account: String,
    what: Switch,
}

/// `POST /page/fault`.
pub(super) async fn fault(Extracted(sandbox): Extracted<Sandbox>, Json(pressed): Json<Pressed>) -> Response {
    let Pressed { provider, account, what } = pressed;
    if !Vendors::knows(&provider) {
        let sentence = format!("no provider {provider} is emulated");
        return (StatusCode::NOT_FOUND, Json(json!({ "error": sentence }))).into_response();
    }
    let vendors = sandbox.vendors();
    let on = |act: Act| Fault::chat(act).on(&account);
    match what {
        Switch::Throttle => vendors.fault(&provider, on(quota_of(&provider, THROTTLED_SECS)).always()),
        Switch::Fail => vendors.fault(&provider, on(Act::unavailable()).always()),
        Switch::Cut => vendors.fault(&provider, on(Act::Cut { after: 12 })),
        Switch::Expire => vendors.expire_access(&provider, &account),
        Switch::Revoke => vendors.revoke_refresh(&provider, &account),
        Switch::Clear => vendors.clear_faults_of(&provider, &account),
    }
    // The page hears of it at once.
    sandbox.discord().with(|_| ());
    Json(json!({})).into_response()
}

/// A 429 in the provider's own shape, with the seconds after which it says to come back.
pub(in super::super) fn quota_of(provider: &str, retry_after_secs: u64) -> Act {
    match provider {
        "gemini_cli" | "antigravity" => Act::google_quota(&Hint::RetryInfo(format!("{retry_after_secs}s"))),
        _ => Act::openai_quota(Some(&retry_after_secs.to_string())),
    }
}

/// The switches that are on, as the page shows them.
pub(super) fn faults(sandbox: &Sandbox) -> Value {
    let waiting = sandbox.vendors().waiting_faults();
    let shown = waiting.iter().filter(|(_, fault)| fault.at == Kind::Chat).map(|(provider, fault)| {
        let what = match &fault.act {
            Act::Respond { status: 429, .. } => Some(Switch::Throttle),
            Act::Respond { status: 503, .. } => Some(Switch::Fail),
            Act::Cut { .. } => Some(Switch::Cut),
            Act::Respond { .. }
            | Act::Hang
            | Act::Delay { .. }
            | Act::DelayReply { .. }
            | Act::LoseReply
            | Act::Stall { .. }
            | Act::EndEarly { .. }
            | Act::Malformed { .. }
            | Act::Empty
            | Act::ErrorInside { .. }
            | Act::Unstreamed
            | Act::Mislabel { .. }
            | Act::Truncate { .. }
            | Act::Crumble { .. } => None,
        };
        json!({"provider": provider, "account": fault.account, "what": what})
    });
    Value::Array(shown.collect())
}
