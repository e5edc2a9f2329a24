//! Code Assist (Gemini CLI, Antigravity): which project chats are billed to, discovered or onboarded.
//!
//! As google-gemini/gemini-cli does in `packages/core/src/code_assist/setup.ts`, and for Antigravity as
//! router-for-me/CLIProxyAPI does. The traps, each with a test in `tests/it/oauth.rs`: the free tier must not be sent a
//! project, not even null (412); the project is a string or an object; an onboarding may never finish or name no
//! operation to ask about; an account that is not eligible is an answer, not an error status.

use reqwest::Method;
use serde_json::{Map, Value, json};
use url::Url;

use super::code_assist_refusal::{ineligible, refused};
use crate::{
    credential::Facts,
    oauth::{HttpRefresh, RefreshError, reply::Answer},
    provider::{Envelope, Provider},
    secret::Secret,
};

const LOAD: &str = "loadCodeAssist: ";
const ONBOARD: &str = "onboardUser: ";

/// The tier that is onboarded without a project.
const FREE_TIER: &str = "free-tier";
/// The tier when none is marked as default.
const LEGACY_TIER: &str = "legacy-tier";

/// Finds the project of an account, onboarding it where it has none yet.
pub(super) async fn project(
    exchange: &HttpRefresh,
    provider: &Provider,
    access: &Secret,
    known: &Facts,
) -> Result<Facts, RefreshError> {
    let wanted = wanted_project(provider)?;
    if let Some(project) = known_project(known)
        && wanted.is_none_or(|wanted| wanted == project)
    {
        return Ok(Facts::default());
    }
    let assist = Assist { exchange, provider, access, wanted };
    let project_id = assist.discover().await?;
    Ok(Facts { project_id: Some(project_id), ..Facts::default() })
}

/// The operator's project. A number is refused before anything is sent, as the service would refuse it.
fn wanted_project(provider: &Provider) -> Result<Option<&str>, RefreshError> {
    let wanted = provider.project.as_deref().map(str::trim).filter(|project| !project.is_empty());
    match wanted {
        Some(number) if number.chars().all(|c| c.is_ascii_digit()) => Err(RefreshError::Refused {
            reason: format!(
                "{}_PROJECT is a project number; set the project's id, a name like my-project-1",
                provider.id.variable_prefix()
            ),
            link: None,
        }),
        Some(_) | None => Ok(wanted),
    }
}

/// The project in the file; the first where historic files hold a list.
fn known_project(known: &Facts) -> Option<&str> {
    known.project_id.as_deref()?.split(',').map(str::trim).find(|project| !project.is_empty())
}

/// One discovery.
struct Assist<'a> {
    exchange: &'a HttpRefresh,
    provider: &'a Provider,
    access: &'a Secret,
    wanted: Option<&'a str>,
}

impl Assist<'_> {
    async fn discover(&self) -> Result<String, RefreshError> {
        let Some(loaded) = self.load().await? else {
            // VPC service controls hide the tier: a company's licence, which has a project (gemini-cli, setup.ts).
            return self
                .wanted
                .map(str::to_owned)
                .ok_or_else(|| self.needs_project("SECURITY_POLICY_VIOLATED"));
        };
        if loaded.get("currentTier").is_some_and(Value::is_object) {
            return project_in(&loaded)
                .or_else(|| self.wanted.map(str::to_owned))
                .ok_or_else(|| self.ineligible(&loaded).unwrap_or_else(|| self.needs_project("NO_PROJECT")));
        }
        let tier = default_tier(&loaded);
        let needs_project = tier
            .is_some_and(|tier| tier.get("userDefinedCloudaicompanionProject") == Some(&Value::Bool(true)));
        let tier_id = tier.and_then(|tier| tier.get("id")).and_then(Value::as_str).unwrap_or(LEGACY_TIER);
        let barred =
            is_barred(&loaded, tier_id) || tier.is_none() || (needs_project && self.wanted.is_none());
        if barred && let Some(refusal) = self.ineligible(&loaded) {
            return Err(refusal);
        }
        if needs_project && self.wanted.is_none() {
            return Err(self.needs_project("PROJECT_REQUIRED"));
        }
        self.onboard(tier_id, &loaded).await
    }

    /// `loadCodeAssist`; `None` when service controls forbid the look.
    async fn load(&self) -> Result<Option<Map<String, Value>>, RefreshError> {
        let mut body = match self.provider.quirks.envelope {
            Envelope::GeminiCli => json!({"metadata": gemini_metadata(self.wanted)}),
            Envelope::Antigravity => json!({"metadata": {"ideType": "ANTIGRAVITY"}}),
        };
        if let (Some(wanted), Envelope::GeminiCli) = (self.wanted, self.provider.quirks.envelope) {
            insert(&mut body, "cloudaicompanionProject", wanted);
        }
        // Antigravity's own program asks its last base (production) here and its first (daily) to onboard.
        let answer = self.post("loadCodeAssist", LOAD, self.bases(Preferred::Last), &body).await?;
        if answer.is_success() {
            return object(LOAD, &answer).map(Some);
        }
        let error = self.refused(LOAD, &answer);
        let hidden =
            matches!(&error, RefreshError::Refused { reason, .. } if reason == "SECURITY_POLICY_VIOLATED");
        if hidden { Ok(None) } else { Err(error) }
    }

    /// `onboardUser`, and patience within bounds.
    async fn onboard(&self, tier: &str, loaded: &Map<String, Value>) -> Result<String, RefreshError> {
        let limits = self.exchange.limits();
        let body = self.onboarding(tier);
        let mut reply = self.onboard_once(&body).await?;
        for looks in 0..=limits.polls {
            if reply.get("done") == Some(&Value::Bool(true)) {
                let project = reply.get("response").and_then(Value::as_object).and_then(project_in);
                return project.or_else(|| self.wanted.map(str::to_owned)).ok_or_else(|| {
                    self.ineligible(loaded).unwrap_or_else(|| self.needs_project("NO_PROJECT"))
                });
            }
            let operation = reply.get("name").and_then(Value::as_str).filter(|name| is_operation(name));
            let Some(operation) = operation.map(str::to_owned) else {
                // Nothing to ask about: seen where the account is not eligible. Asking again would spin for ever.
                return Err(self.ineligible(loaded).unwrap_or_else(|| RefreshError::Unknown {
                    problem: format!("{ONBOARD}neither an operation nor a project in the reply"),
                }));
            };
            if looks == limits.polls {
                break;
            }
            tokio::time::sleep(limits.poll_every).await;
            reply = match self.provider.quirks.envelope {
                Envelope::GeminiCli => self.look(&operation).await?,
                Envelope::Antigravity => self.onboard_once(&body).await?,
            };
        }
        Err(RefreshError::Transient {
            problem: format!("{ONBOARD}not done after {} looks", limits.polls),
            retry_after: None,
        })
    }

    fn onboarding(&self, tier: &str) -> Value {
        match self.provider.quirks.envelope {
            Envelope::GeminiCli => {
                let project = self.wanted.filter(|_| tier != FREE_TIER);
                let mut body = json!({"tierId": tier, "metadata": gemini_metadata(project)});
                if let Some(project) = project {
                    insert(&mut body, "cloudaicompanionProject", project);
                }
                body
            }
            Envelope::Antigravity => json!({
                "tier_id": tier,
                "metadata": {
                    "ide_type": "ANTIGRAVITY",
                    "ide_version": env!("CARGO_PKG_VERSION"),
                    "ide_name": "antigravity",
                },
            }),
        }
    }

    async fn onboard_once(&self, body: &Value) -> Result<Map<String, Value>, RefreshError> {
        let answer = self.post("onboardUser", ONBOARD, self.bases(Preferred::First), body).await?;
        if answer.is_success() { object(ONBOARD, &answer) } else { Err(self.refused(ONBOARD, &answer)) }
    }

    /// `GET {base}/{operation}`.
    async fn look(&self, operation: &str) -> Result<Map<String, Value>, RefreshError> {
        let base = self.bases(Preferred::First).next().ok_or_else(no_base)?;
        let mut url = base.clone();
        url.set_path(&format!("{}/{operation}", base.path().trim_end_matches('/')));
        let request = self.exchange.request(self.provider, Method::GET, &url)?;
        let answer = self.exchange.send(ONBOARD, request.bearer_auth(self.access.expose())).await?;
        if answer.is_success() { object(ONBOARD, &answer) } else { Err(self.refused(ONBOARD, &answer)) }
    }

    /// `POST {base}:{method}`; the next base where one does not answer or fails with 5xx, never after a 429.
    async fn post<'u>(
        &self,
        method: &str,
        step: &str,
        bases: impl Iterator<Item = &'u Url>,
        body: &Value,
    ) -> Result<Answer, RefreshError> {
        let mut last = Err(no_base());
        for base in bases {
            let mut url = base.clone();
            url.set_path(&format!("{}:{method}", base.path().trim_end_matches('/')));
            let request = self.exchange.request(self.provider, Method::POST, &url)?;
            let sent = self.exchange.send(step, request.bearer_auth(self.access.expose()).json(body)).await;
            match sent {
                Ok(answer) if answer.status < 500 => return Ok(answer),
                Err(error @ RefreshError::ForeignEndpoint { .. }) => return Err(error),
                failed => last = failed,
            }
        }
        last
    }

    fn bases(&self, preferred: Preferred) -> impl Iterator<Item = &Url> {
        let bases = &self.provider.api_bases;
        let order: Vec<&Url> = match preferred {
            Preferred::First => bases.iter().collect(),
            Preferred::Last => bases.iter().rev().collect(),
        };
        order.into_iter()
    }

    fn refused(&self, step: &str, answer: &Answer) -> RefreshError {
        refused(step, answer, &self.provider.quirks)
    }

    fn ineligible(&self, loaded: &Map<String, Value>) -> Option<RefreshError> {
        ineligible(loaded, &self.provider.quirks)
    }

    fn needs_project(&self, code: &str) -> RefreshError {
        RefreshError::Refused {
            reason: format!(
                "{code}; set {}_PROJECT to the id of a project with a licence",
                self.provider.id.variable_prefix()
            ),
            link: None,
        }
    }
}

/// Which of several bases is asked first.
#[derive(Clone, Copy)]
enum Preferred {
    First,
    Last,
}

fn gemini_metadata(project: Option<&str>) -> Value {
    let mut metadata =
        json!({"ideType": "IDE_UNSPECIFIED", "platform": "PLATFORM_UNSPECIFIED", "pluginType": "GEMINI"});
    if let Some(project) = project {
        insert(&mut metadata, "duetProject", project);
    }
    metadata
}

fn insert(body: &mut Value, field: &str, text: &str) {
    if let Value::Object(object) = body {
        object.insert(field.to_owned(), Value::String(text.to_owned()));
    }
}

fn object(step: &str, answer: &Answer) -> Result<Map<String, Value>, RefreshError> {
    answer
        .object()
        .ok_or_else(|| RefreshError::Unknown { problem: format!("{step}HTTP {}, not JSON", answer.status) })
}

fn no_base() -> RefreshError {
    RefreshError::Unknown { problem: "the provider's row has no API base".to_owned() }
}

/// `cloudaicompanionProject`, a string or `{id}`.
fn project_in(object: &Map<String, Value>) -> Option<String> {
    let project = object.get("cloudaicompanionProject")?;
    project
        .as_str()
        .or_else(|| project.get("id").and_then(Value::as_str))
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
}

fn default_tier(loaded: &Map<String, Value>) -> Option<&Value> {
    loaded
        .get("allowedTiers")?
        .as_array()?
        .iter()
        .find(|tier| tier.get("isDefault") == Some(&Value::Bool(true)))
}

/// Whether the answer itself says that the account may not have this tier.
fn is_barred(loaded: &Map<String, Value>, tier_id: &str) -> bool {
    loaded.get("ineligibleTiers").and_then(Value::as_array).is_some_and(|tiers| {
        tiers.iter().any(|tier| tier.get("tierId").and_then(Value::as_str) == Some(tier_id))
    })
}

/// Whether the name may be put behind the base: it comes from a reply and must not lead elsewhere.
fn is_operation(name: &str) -> bool {
    let well_formed = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.'));
    !name.is_empty() && name.len() <= 200 && well_formed && !name.starts_with('/') && !name.contains("..")
}
