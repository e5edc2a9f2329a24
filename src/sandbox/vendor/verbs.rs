//! The emulated providers as the control API reaches them: a verb and JSON.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Act, Fault, Hint, Reply, Vendors};

/// Why a verb was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no such provider, verb or code.
    Unknown(String),
    /// The body is not what the verb needs.
    Body(String),
}

/// Every verb there is.
const VERBS: &str = "mint, expire, revoke, throttle, fault, clear, script, token-life, latency, sign-in, decline, \
    confirm-device, decline-device, remaining";

impl Vendors {
    /// Carries out `POST /control/vendors/{provider}/{verb}`.
    ///
    /// # Errors
    /// When the provider, the verb or the body is not understood.
    pub fn carry_out(&self, provider: &str, verb: &str, body: &Value) -> Result<Value, Refused> {
        if !Self::knows(provider) {
            return Err(Refused::Unknown(format!("no provider {provider} is emulated")));
        }
        let account = || needed(body, "account");
        match verb {
            "mint" if Self::client(provider).is_none() => {
                return Ok(json!({"api_key": self.mint_key(provider)}));
            }
            "mint" => {
                let login = self.mint(provider, account()?);
                let (official, simple) = (login.official_file(), login.simple_file());
                return Ok(json!({"login": login, "official_file": official, "simple_file": simple}));
            }
            "expire" => self.expire_access(provider, account()?),
            "revoke" => self.revoke_refresh(provider, account()?),
            "throttle" => self.fault(provider, throttle(provider, body)),
            "fault" => self.fault(provider, read(body)?),
            "clear" => self.clear_faults(provider),
            "script" => {
                let lines: Vec<Line> = read(body.get("replies").unwrap_or(&Value::Null))?;
                self.script(provider, lines.into_iter().map(Reply::from).collect());
            }
            "token-life" => {
                let secs = read(body.get("secs").unwrap_or(&Value::Null))?;
                self.set_token_life(provider, Duration::from_secs(secs));
            }
            "latency" => {
                let millis = read(body.get("ms").unwrap_or(&Value::Null))?;
                self.set_latency(provider, Duration::from_millis(millis));
            }
            "sign-in" => self.sign_in(provider, account()?),
            "decline" => self.decline(provider),
            "confirm-device" => found(self.confirm_device(provider, needed(body, "user_code")?, account()?))?,
            "decline-device" => found(self.decline_device(provider, needed(body, "user_code")?))?,
            "remaining" => {
                let fraction = read(body.get("fraction").unwrap_or(&Value::Null))?;
                self.set_remaining(provider, account()?, fraction);
            }
            other => return Err(Refused::Unknown(format!("no {other}; there are: {VERBS}"))),
        }
        Ok(json!({}))
    }
}

/// What a chat is to say: a text, two words a piece, or a reply in all its parts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Text(String),
    Whole(Reply),
}

impl From<Line> for Reply {
    fn from(line: Line) -> Self {
        match line {
            Line::Text(text) => Self::text(&text),
            Line::Whole(reply) => reply,
        }
    }
}

/// Chats answer 429 in the provider's own words.
fn throttle(provider: &str, body: &Value) -> Fault {
    let seconds = body.get("retry_after_secs").and_then(Value::as_u64).unwrap_or(30);
    let google = matches!(provider, "gemini_cli" | "antigravity" | "gemini");
    let act = if google {
        Act::google_quota(&Hint::RetryInfo(format!("{seconds}s")))
    } else {
        Act::openai_quota(Some(&seconds.to_string()))
    };
    let mut fault = Fault::chat(act);
    fault.account = body.get("account").and_then(Value::as_str).map(str::to_owned);
    if let Some(times) = body.get("times").and_then(Value::as_u64) {
        fault.times = u32::try_from(times).ok();
    }
    fault
}

fn needed<'a>(body: &'a Value, key: &str) -> Result<&'a str, Refused> {
    body.get(key).and_then(Value::as_str).ok_or_else(|| Refused::Body(format!("{key} is needed")))
}

fn read<T: for<'de> Deserialize<'de>>(body: &Value) -> Result<T, Refused> {
    serde_json::from_value(body.clone()).map_err(|error| Refused::Body(error.to_string()))
}

fn found(is_found: bool) -> Result<(), Refused> {
    if is_found { Ok(()) } else { Err(Refused::Unknown("nobody waits with this code".to_owned())) }
}
