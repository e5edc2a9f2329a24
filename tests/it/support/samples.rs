//! Credential files exactly as their tools write them (docs/credentials), synthetic.

use cortana::credential::Dialect;

use super::bench::SIMPLE;

/// A file as a tool writes it, and what we make of it.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) dialect: Dialect,
    pub(crate) account: Option<&'static str>,
    pub(crate) project: Option<&'static str>,
    /// What a refresh changes besides the two tokens.
    pub(crate) changes: &'static [(&'static str, &'static str)],
}

const GOOGLE_DATE: (&str, &str) = ("2026-09-21T14:13:20", "2027-01-15T08:00:00");
const MILLIS: (&str, &str) = ("1790000000000", "1800000000000");

/// Exactly the forms of docs/credentials, where the tokens are `…FAKE-A` and `…FAKE-R`.
pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "iflow.json",
        text: SIMPLE,
        provider: "iflow",
        dialect: Dialect::Simple,
        account: None,
        project: None,
        changes: &[("1790000000.5", "1800000000.0")],
    },
    Sample {
        name: "oauth_creds.json",
        text: r#"{"access_token":"ya29.FAKE-A","refresh_token":"1//FAKE-R","scope":"https://www.googleapis.com/auth/cloud-platform openid","token_type":"Bearer","id_token":"eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFAZXhhbXBsZS5jb20ifQ.x","expiry_date":1790000000000}"#,
        provider: "gemini_cli",
        dialect: Dialect::OfficialCli,
        account: Some("a@example.com"),
        project: None,
        changes: &[MILLIS],
    },
    Sample {
        name: "oauth_creds.json",
        text: "{\n  \"access_token\": \"FAKE-A\",\n  \"token_type\": \"Bearer\",\n  \"refresh_token\": \"FAKE-R\",\n  \"resource_url\": \"portal.qwen.ai\",\n  \"expiry_date\": 1790000000000\n}",
        provider: "qwen_code",
        dialect: Dialect::OfficialCli,
        account: None,
        project: None,
        changes: &[MILLIS],
    },
    Sample {
        name: "oauth_creds.json",
        text: r#"{"access_token":"FAKE-A","refresh_token":"FAKE-R","expiry_date":1790000000000,"token_type":"bearer","scope":"read","apiKey":"sk-FAKE"}"#,
        provider: "iflow",
        dialect: Dialect::OfficialCli,
        account: None,
        project: None,
        changes: &[MILLIS],
    },
    Sample {
        name: "antigravity-oauth-token",
        text: r#"{"token":{"access_token":"ya29.FAKE-A","token_type":"Bearer","refresh_token":"1//FAKE-R","expiry":"2026-09-21T16:13:20.123456+02:00"},"auth_method":"consumer"}"#,
        provider: "antigravity",
        dialect: Dialect::OfficialCli,
        account: None,
        project: None,
        changes: &[("2026-09-21T16:13:20.123456+02:00", "2027-01-15T10:00:00.000000+02:00")],
    },
    Sample {
        name: "keychain.json",
        text: r#"{"serverName":"main-account","token":{"accessToken":"ya29.FAKE-A","refreshToken":"1//FAKE-R","tokenType":"Bearer","scope":"openid","expiresAt":1790000000000},"updatedAt":1789996400000}"#,
        provider: "gemini_cli",
        dialect: Dialect::OfficialCli,
        account: None,
        project: None,
        changes: &[MILLIS, ("1789996400000", "1790000100000")],
    },
    Sample {
        name: "gemini_cli_oauth_1.json",
        text: r#"{"access_token":"ya29.FAKE-A","expires_in":3599,"refresh_token":"1//FAKE-R","scope":"openid","token_type":"Bearer","expiry_date":1790000000000.5,"client_id":"FAKE.apps.googleusercontent.com","client_secret":"FAKE","token_uri":"https://oauth2.googleapis.com/token","universe_domain":"googleapis.com","_proxy_metadata":{"email":"a@example.com","last_check_timestamp":1789996400.25,"project_id":"fake-project-1","tier":"FREE"}}"#,
        provider: "gemini_cli",
        dialect: Dialect::KeyProxy,
        account: Some("a@example.com"),
        project: Some("fake-project-1"),
        changes: &[("3599", "3600"), ("1790000000000.5", "1800000000000.0")],
    },
    Sample {
        name: "qwen_code_oauth_1.json",
        text: r#"{"access_token":"FAKE-A","refresh_token":"FAKE-R","expiry_date":1790000000000.0,"resource_url":"portal.qwen.ai","_proxy_metadata":{"email":"a@example.com","last_check_timestamp":1789996400.0}}"#,
        provider: "qwen_code",
        dialect: Dialect::KeyProxy,
        account: Some("a@example.com"),
        project: None,
        changes: &[("1790000000000.0", "1800000000000.0")],
    },
    Sample {
        name: "iflow_oauth_1.json",
        text: r#"{"access_token":"FAKE-A","refresh_token":"FAKE-R","api_key":"sk-FAKE","email":"a@example.com","expiry_date":"2026-09-21T14:13:20.000000Z","token_type":"bearer","scope":"read","_proxy_metadata":{"email":"a@example.com","credential_type":"oauth"}}"#,
        provider: "iflow",
        dialect: Dialect::KeyProxy,
        account: Some("a@example.com"),
        project: None,
        changes: &[GOOGLE_DATE],
    },
    Sample {
        name: "gemini-a@example.com-all.json",
        text: r#"{"token":{"access_token":"ya29.FAKE-A","refresh_token":"1//FAKE-R","token_type":"Bearer","expiry":"2026-09-21T14:13:20Z","token_uri":"https://oauth2.googleapis.com/token","client_id":"FAKE","client_secret":"FAKE","scopes":["openid"],"universe_domain":"googleapis.com"},"project_id":"p-one,p-two","email":"a@example.com","auto":true,"checked":true,"type":"gemini"}"#,
        provider: "gemini_cli",
        dialect: Dialect::CliProxyApi,
        account: Some("a@example.com"),
        project: Some("p-one"),
        changes: &[GOOGLE_DATE],
    },
    Sample {
        name: "antigravity-a.json",
        text: r#"{"type":"antigravity","access_token":"ya29.FAKE-A","refresh_token":"1//FAKE-R","expires_in":3599,"timestamp":1789996401000,"expired":"2026-09-21T22:13:20+08:00","email":"a@example.com","project_id":"fake-project-1"}"#,
        provider: "antigravity",
        dialect: Dialect::CliProxyApi,
        account: Some("a@example.com"),
        project: Some("fake-project-1"),
        changes: &[
            ("3599", "3600"),
            ("1789996401000", "1790000100000"),
            ("2026-09-21T22:13:20+08:00", "2027-01-15T16:00:00+08:00"),
        ],
    },
    Sample {
        name: "qwen-a.json",
        text: r#"{"type":"qwen","access_token":"FAKE-A","refresh_token":"FAKE-R","last_refresh":"2026-09-21T08:13:20Z","resource_url":"portal.qwen.ai","email":"a@example.com","expired":"2026-09-21T14:13:20Z"}"#,
        provider: "qwen_code",
        dialect: Dialect::CliProxyApi,
        account: Some("a@example.com"),
        project: None,
        changes: &[("2026-09-21T08:13:20Z", "2026-09-21T14:15:00Z"), GOOGLE_DATE],
    },
    Sample {
        name: "iflow-a-1790000000.json",
        text: r#"{"type":"iflow","access_token":"FAKE-A","refresh_token":"FAKE-R","last_refresh":"2026-09-21T08:13:20Z","expired":"2026-09-21T14:13:20Z","api_key":"sk-FAKE","email":"a@example.com","token_type":"bearer","scope":"read"}"#,
        provider: "iflow",
        dialect: Dialect::CliProxyApi,
        account: Some("a@example.com"),
        project: None,
        changes: &[("2026-09-21T08:13:20Z", "2026-09-21T14:15:00Z"), GOOGLE_DATE],
    },
    Sample {
        name: "account.json",
        text: r#"{"id":"uuid","email":"a@example.com","name":null,"token":{"access_token":"ya29.FAKE-A","refresh_token":"1//FAKE-R","expires_in":3599,"expiry_timestamp":1790000000,"token_type":"Bearer","email":"a@example.com","project_id":"fake-project-1","oauth_client_key":"antigravity_enterprise","is_gcp_tos":false},"disabled":false,"disabled_reason":null,"proxy_disabled":false,"validation_blocked":false}"#,
        provider: "antigravity",
        dialect: Dialect::AntigravityManager,
        account: Some("a@example.com"),
        project: Some("fake-project-1"),
        changes: &[("3599", "3600"), ("1790000000", "1800000000")],
    },
    Sample {
        name: "a.json",
        text: r#"{"client_id":"FAKE","client_secret":"FAKE","token":"ya29.FAKE-A","refresh_token":"1//FAKE-R","scopes":["openid"],"token_uri":"https://oauth2.googleapis.com/token","project_id":"fake-project-1","expiry":"2026-09-21T14:13:20"}"#,
        provider: "gemini_cli",
        dialect: Dialect::Gcli2Api,
        account: None,
        project: Some("fake-project-1"),
        changes: &[GOOGLE_DATE],
    },
];
