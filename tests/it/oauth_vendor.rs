//! A vendor's steps after a grant: Code Assist's project with its traps, iFlow's key.

use std::time::Duration;

use cortana::{
    credential::Facts,
    oauth::{Refresh, RefreshError},
    provider::Provider,
    sandbox::vendor::{Act, Fault, Kind, MintedLogin, Recorded, Standing},
    secret::Secret,
};
use serde_json::{Value, json};

use crate::support::vendors::{Served, exchange, spec_of};

/// A served account of a Code Assist provider.
struct Account {
    served: Served,
    provider: Provider,
    minted: MintedLogin,
}

impl Account {
    async fn of(id: &str, standing: Standing) -> Self {
        let served = Served::start().await;
        let minted = served.vendors.mint(id, "a@example.com");
        served.vendors.set_standing(id, "a@example.com", standing);
        Self { provider: served.provider(id), served, minted }
    }

    fn with_project(mut self, project: &str) -> Self {
        self.provider.project = Some(project.to_owned());
        self
    }

    async fn discover(&self) -> Result<Facts, RefreshError> {
        self.discover_knowing(&Facts::default()).await
    }

    async fn discover_knowing(&self, known: &Facts) -> Result<Facts, RefreshError> {
        exchange().after_grant(&self.provider, &Secret::new(self.minted.access.clone()), known).await
    }

    fn requests(&self) -> Vec<Recorded> {
        self.served.vendors.requests()
    }

    fn bodies(&self) -> Vec<Value> {
        self.requests().into_iter().map(|request| request.body).collect()
    }
}

fn project(id: &str) -> Facts {
    Facts { project_id: Some(id.to_owned()), ..Facts::default() }
}

fn onboards(tier: &str, looks: u32) -> Standing {
    Standing::Onboards { tier: tier.to_owned(), project: "fake-managed-1".to_owned(), looks }
}

fn refusal(result: Result<Facts, RefreshError>) -> (String, Option<String>) {
    match result {
        Err(RefreshError::Refused { reason, link }) => (reason, link.map(|link| link.expose().to_owned())),
        other => panic!("refused, not {other:?}"),
    }
}

#[tokio::test]
async fn a_licensed_account_has_its_project_as_string_or_object() {
    for id in ["gemini_cli", "antigravity"] {
        let project_id = "fake-project-7".to_owned();
        let account = Account::of(id, Standing::Licensed { project: project_id.clone() }).await;
        assert_eq!(account.discover().await, Ok(project("fake-project-7")), "{id}");
        let account = Account::of(id, Standing::LicensedAsObject { project: project_id }).await;
        assert_eq!(account.discover().await, Ok(project("fake-project-7")), "{id}");
        assert_eq!(account.requests().len(), 1, "{id}");
    }
}

#[tokio::test]
async fn a_known_project_costs_no_request() {
    let account = Account::of("gemini_cli", Standing::NeverDone).await;
    let known = Facts { project_id: Some("p-one,p-two".to_owned()), ..Facts::default() };
    assert_eq!(account.discover_knowing(&known).await, Ok(Facts::default()));
    let account = account.with_project("p-one");
    assert_eq!(account.discover_knowing(&known).await, Ok(Facts::default()));
    assert_eq!(account.requests(), []);
}

#[tokio::test]
async fn another_configured_project_is_asked_about() {
    let account = Account::of("gemini_cli", Standing::BringsProject).await.with_project("my-project-1");
    let known = Facts { project_id: Some("p-one".to_owned()), ..Facts::default() };
    assert_eq!(account.discover_knowing(&known).await, Ok(project("my-project-1")));
    assert_eq!(
        account.bodies(),
        [json!({
            "metadata": {"ideType": "IDE_UNSPECIFIED", "platform": "PLATFORM_UNSPECIFIED",
                "pluginType": "GEMINI", "duetProject": "my-project-1"},
            "cloudaicompanionProject": "my-project-1",
        })]
    );
}

#[tokio::test]
async fn a_tier_without_a_project_says_which_variable_to_set() {
    let account = Account::of("gemini_cli", Standing::BringsProject).await;
    let (reason, _) = refusal(account.discover().await);
    assert!(reason.contains("NO_PROJECT") && reason.contains("GEMINI_CLI_PROJECT"), "{reason}");
}

#[tokio::test]
async fn a_project_number_is_refused_before_anything_is_sent() {
    let account = Account::of("gemini_cli", Standing::BringsProject).await.with_project("123456789012");
    let (reason, _) = refusal(account.discover().await);
    assert!(reason.contains("GEMINI_CLI_PROJECT is a project number"), "{reason}");
    assert_eq!(account.requests(), []);
}

#[tokio::test]
async fn the_free_tier_is_onboarded_without_a_project_and_looked_at_until_done() {
    // The emulated service answers 412 to a project here, even to null.
    let account = Account::of("gemini_cli", onboards("free-tier", 2)).await.with_project("my-project-1");
    assert_eq!(account.discover().await, Ok(project("fake-managed-1")));
    let requests = account.requests();
    let paths: Vec<&str> =
        requests.iter().map(|request| request.path.rsplit('/').next().unwrap_or_default()).collect();
    assert_eq!(
        paths,
        ["v1internal:loadCodeAssist", "v1internal:onboardUser", "fake-operation-1", "fake-operation-1"]
    );
    let body = requests.get(1).map(|request| request.body.clone()).expect("an onboarding");
    assert_eq!(
        body,
        json!({"tierId": "free-tier", "metadata": {"ideType": "IDE_UNSPECIFIED",
            "platform": "PLATFORM_UNSPECIFIED", "pluginType": "GEMINI"}})
    );
}

#[tokio::test]
async fn the_standard_tier_is_onboarded_with_the_operators_project_or_not_at_all() {
    let account = Account::of("gemini_cli", onboards("standard-tier", 0)).await;
    let (reason, _) = refusal(account.discover().await);
    assert!(reason.contains("PROJECT_REQUIRED") && reason.contains("GEMINI_CLI_PROJECT"), "{reason}");
    assert_eq!(account.requests().len(), 1, "nothing is onboarded without it");
    let account = account.with_project("my-project-1");
    assert_eq!(account.discover().await, Ok(project("my-project-1")));
}

#[tokio::test]
async fn antigravity_speaks_snake_case_and_asks_again_instead_of_looking() {
    let account = Account::of("antigravity", onboards("free-tier", 1)).await;
    assert_eq!(account.discover().await, Ok(project("fake-managed-1")));
    let onboarding = json!({
        "tier_id": "free-tier",
        "metadata": {"ide_type": "ANTIGRAVITY", "ide_version": env!("CARGO_PKG_VERSION"),
            "ide_name": "antigravity"},
    });
    assert_eq!(
        account.bodies(),
        [json!({"metadata": {"ideType": "ANTIGRAVITY"}}), onboarding.clone(), onboarding]
    );
}

#[tokio::test]
async fn an_onboarding_that_never_ends_is_left_after_a_few_looks() {
    for id in ["gemini_cli", "antigravity"] {
        let account = Account::of(id, Standing::NeverDone).await;
        assert_eq!(
            account.discover().await,
            Err(RefreshError::Transient {
                problem: "onboardUser: not done after 3 looks".to_owned(),
                retry_after: None
            })
        );
        assert_eq!(account.requests().len(), 5, "{id}: load, onboard, three looks");
    }
}

#[tokio::test]
async fn an_onboarding_that_names_no_operation_does_not_spin() {
    let account = Account::of("gemini_cli", Standing::NoOperation { reason: None }).await;
    assert_eq!(
        account.discover().await,
        Err(RefreshError::Unknown {
            problem: "onboardUser: neither an operation nor a project in the reply".to_owned()
        })
    );
    assert_eq!(account.requests().len(), 2);
    let reason = Some("UNSUPPORTED_CLIENT".to_owned());
    let account = Account::of("gemini_cli", Standing::NoOperation { reason }).await;
    assert_eq!(refusal(account.discover().await), ("UNSUPPORTED_CLIENT".to_owned(), None));
}

#[tokio::test]
async fn an_account_that_is_not_eligible_is_refused_with_the_reason_and_a_private_link() {
    let link = "https://accounts.google.com/verify?canary-link";
    let standing = |reason: &str, link: Option<&str>| Standing::Ineligible {
        reason: reason.to_owned(),
        link: link.map(str::to_owned),
    };
    let account = Account::of("gemini_cli", standing("UNSUPPORTED_CLIENT", None)).await;
    assert_eq!(refusal(account.discover().await), ("UNSUPPORTED_CLIENT".to_owned(), None));
    assert_eq!(account.requests().len(), 1, "no onboarding is tried");

    let account = Account::of("gemini_cli", standing("VALIDATION_REQUIRED", Some(link))).await;
    let result = account.discover().await;
    let shown = format!("{result:?} {}", result.clone().expect_err("refused"));
    assert!(!shown.contains("canary"), "the link is bound to the account: {shown}");
    assert_eq!(refusal(result), ("VALIDATION_REQUIRED".to_owned(), Some(link.to_owned())));

    let account = Account::of("gemini_cli", standing("VALIDATION_REQUIRED", Some("javascript:x"))).await;
    assert_eq!(refusal(account.discover().await), ("VALIDATION_REQUIRED".to_owned(), None));
}

#[tokio::test]
async fn service_controls_mean_a_licence_with_the_operators_project() {
    let account = Account::of("gemini_cli", Standing::ServiceControls).await;
    let (reason, _) = refusal(account.discover().await);
    assert!(reason.contains("SECURITY_POLICY_VIOLATED") && reason.contains("GEMINI_CLI_PROJECT"), "{reason}");
    let account = account.with_project("my-project-1");
    assert_eq!(account.discover().await, Ok(project("my-project-1")));
}

#[tokio::test]
async fn refusals_of_the_set_up_calls_have_their_classes() {
    let account = Account::of("gemini_cli", onboards("free-tier", 0)).await;
    let later = |problem: &str, seconds: Option<u64>| {
        Err(RefreshError::Transient {
            problem: problem.to_owned(),
            retry_after: seconds.map(Duration::from_secs),
        })
    };
    let unknown = |problem: &str| Err(RefreshError::Unknown { problem: problem.to_owned() });
    let appeal = json!({"appeal_url": "https://forms.gle/FAKE-appeal"});
    let cases = [
        (
            Act::google(403, "PERMISSION_DENIED", "TOS_VIOLATION", &appeal),
            Err(RefreshError::Refused {
                reason: "TOS_VIOLATION".to_owned(),
                link: Some(Secret::new("https://forms.gle/FAKE-appeal")),
            }),
        ),
        (
            Act::google_validation("https://accounts.google.com/verify?x"),
            Err(RefreshError::Refused {
                reason: "VALIDATION_REQUIRED".to_owned(),
                link: Some(Secret::new("https://accounts.google.com/verify?x")),
            }),
        ),
        (Act::web_page(403), unknown("loadCodeAssist: HTTP 403")),
        (Act::google_bare_429(), later("loadCodeAssist: HTTP 429", None)),
        (Act::throttled("3"), later("loadCodeAssist: HTTP 429", Some(3))),
        (Act::unavailable(), later("loadCodeAssist: HTTP 503", None)),
        (Act::web_page(200), unknown("loadCodeAssist: HTTP 200, not JSON")),
        (
            Act::json(401, &json!({"error": {"status": "UNAUTHENTICATED"}})),
            unknown("loadCodeAssist: HTTP 401 UNAUTHENTICATED"),
        ),
    ];
    for (act, expected) in cases {
        let shown = format!("{act:?}");
        account.served.vendors.fault("gemini_cli", Fault::setup(act));
        assert_eq!(account.discover().await, expected, "{shown}");
    }
}

#[tokio::test]
async fn the_next_base_is_asked_when_one_fails_but_not_when_it_throttles() {
    let mut account = Account::of("antigravity", onboards("free-tier", 0)).await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let base = format!("http://{dead}/v1internal").parse().expect("a base");
    account.provider.api_bases.insert(0, base);
    assert_eq!(account.discover().await, Ok(project("fake-managed-1")));

    let mut twice = Account::of("antigravity", onboards("free-tier", 0)).await;
    let same = twice.provider.api_bases.first().expect("a base").clone();
    twice.provider.api_bases.push(same);
    twice.served.vendors.fault("antigravity", Fault::setup(Act::unavailable()));
    assert_eq!(twice.discover().await, Ok(project("fake-managed-1")));
    twice.served.vendors.clear_requests();
    twice.served.vendors.fault("antigravity", Fault::setup(Act::google_bare_429()));
    assert!(matches!(twice.discover().await, Err(RefreshError::Transient { .. })));
    assert_eq!(twice.requests().len(), 1, "a throttled client does not knock next door");
}

#[tokio::test]
async fn iflows_key_and_account_come_with_the_token() {
    let served = Served::start().await;
    let provider = served.provider("iflow");
    let minted = served.vendors.mint("iflow", "a@example.com");
    let access = Secret::new(minted.access.clone());
    let facts = exchange().after_grant(&provider, &access, &Facts::default()).await.expect("facts");
    assert_eq!(
        facts,
        Facts {
            account: Some("a@example.com".to_owned()),
            api_key: Some(Secret::new(minted.api_key.expect("a key"))),
            ..Facts::default()
        }
    );
    let requests = served.vendors.requests();
    let request = requests.first().expect("a request");
    assert_eq!(
        (request.kind, request.path.as_str()),
        (Kind::UserInfo, "/vendors/iflow/api/oauth/getUserInfo")
    );
}

#[tokio::test]
async fn p33_iflows_failures_have_a_class_and_never_show_the_token_of_the_query() {
    let served = Served::start().await;
    let mut provider = served.provider("iflow");
    let minted = served.vendors.mint("iflow", "a@example.com");
    let access = Secret::new(minted.access.clone());
    let unknown = |problem: &str| RefreshError::Unknown { problem: problem.to_owned() };
    let later = |problem: &str| RefreshError::Transient { problem: problem.to_owned(), retry_after: None };
    let token = minted.access.clone();
    for (act, expected) in [
        (
            Act::json(200, &json!({"success": false, "code": "40001", "message": token})),
            unknown("getUserInfo: HTTP 200 40001"),
        ),
        (
            Act::json(200, &json!({"success": true, "data": {"apiKey": ""}})),
            unknown("getUserInfo: no API key in the reply"),
        ),
        (Act::json(401, &json!({"error": token})), unknown("getUserInfo: HTTP 401, refused")),
        (Act::web_page(200), unknown("getUserInfo: HTTP 200, not JSON")),
        (Act::unavailable(), later("getUserInfo: HTTP 503")),
        (Act::LoseReply, later("getUserInfo: the connection broke")),
    ] {
        served.vendors.fault("iflow", Fault::user_info(act));
        let error =
            exchange().after_grant(&provider, &access, &Facts::default()).await.expect_err("a failure");
        let shown = format!("{error:?} {error}");
        assert!(!shown.contains(&token), "{shown}");
        assert_eq!(error, expected);
    }
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    spec_of(&mut provider).userinfo_endpoint =
        Some(format!("http://{dead}/api/oauth/getUserInfo").parse().expect("a url"));
    let error =
        exchange().after_grant(&provider, &access, &Facts::default()).await.expect_err("nobody there");
    assert!(!format!("{error:?} {error}").contains(&token));
    assert_eq!(error, later("getUserInfo: could not connect"));
}

#[tokio::test]
async fn qwen_and_key_providers_have_no_step() {
    let served = Served::start().await;
    for id in ["qwen_code", "openai"] {
        let facts =
            exchange().after_grant(&served.provider(id), &Secret::new("FAKE"), &Facts::default()).await;
        assert_eq!(facts, Ok(Facts::default()), "{id}");
    }
    assert_eq!(served.vendors.requests(), []);
}

#[tokio::test]
async fn whose_a_token_is_is_asked_of_the_providers_own_endpoint() {
    for id in ["gemini_cli", "antigravity"] {
        let account = Account::of(id, Standing::BringsProject).await;
        let token = Secret::new(account.minted.access.clone());
        assert_eq!(
            exchange().account(&account.provider, &token).await,
            Ok(Some("a@example.com".to_owned())),
            "{id}"
        );
        let requests = account.requests();
        assert_eq!(requests.len(), 1, "{id}");
        assert!(requests[0].path.ends_with("/oauth2/v2/userinfo"), "{}", requests[0].path);
        assert_eq!(
            exchange().account(&account.provider, &Secret::new("ya29.FAKE-unknown")).await,
            Err(RefreshError::Unknown { problem: "userinfo: HTTP 401".to_owned() }),
            "{id}"
        );
    }
    let served = Served::start().await;
    let iflow = served.provider("iflow");
    assert_eq!(exchange().account(&iflow, &Secret::new("FAKE")).await, Ok(None), "its key comes from there");
    assert_eq!(served.vendors.requests(), []);
}
