//! Logins that the emulator gives out, and the files in which tools keep them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

/// A live login of an emulated account. Everything in it is fake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MintedLogin {
    /// Whose.
    pub provider: String,
    /// The account's e-mail address.
    pub account: String,
    /// A live access token.
    pub access: String,
    /// A live refresh token.
    pub refresh: String,
    /// Until when the access token lives.
    pub expires_at: DateTime<Utc>,
    /// The client it was given to.
    pub client_id: String,
    /// That client's secret, where the provider has any.
    pub client_secret: Option<String>,
    /// Code Assist: the account's project.
    pub project: Option<String>,
    /// iFlow: the key that authorises chats.
    pub api_key: Option<String>,
}

impl MintedLogin {
    /// The file that the provider's own command-line program would write.
    pub fn official_file(&self) -> Value {
        let millis = self.expires_at.timestamp_millis();
        match self.provider.as_str() {
            "antigravity" => json!({
                "token": {"access_token": self.access, "token_type": "Bearer", "refresh_token": self.refresh,
                    "expiry": self.expires_at.to_rfc3339()},
                "auth_method": "consumer",
            }),
            "qwen_code" => json!({
                "access_token": self.access, "token_type": "Bearer", "refresh_token": self.refresh,
                "resource_url": "portal.qwen.ai", "expiry_date": millis,
            }),
            "iflow" => json!({
                "access_token": self.access, "refresh_token": self.refresh, "expiry_date": millis,
                "token_type": "bearer", "scope": "read", "apiKey": self.api_key,
            }),
            _ => json!({
                "access_token": self.access, "refresh_token": self.refresh,
                "scope": "https://www.googleapis.com/auth/cloud-platform openid", "token_type": "Bearer",
                "id_token": "eyJ.FAKE.x", "expiry_date": millis,
            }),
        }
    }

    /// The simple form, with `expires_at` in seconds and a fraction.
    pub fn simple_file(&self) -> Value {
        let seconds = self.expires_at.timestamp();
        json!({
            "access_token": self.access, "refresh_token": self.refresh, "token_type": "Bearer",
            "expires_at": f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)) + 0.5,
        })
    }
}
