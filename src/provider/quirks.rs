//! Small departures of one provider from its wire, and what else only some rows say.

use serde::Deserialize;
use url::Url;

use super::Envelope;
use crate::secret::Secret;

/// Small departures of one provider from its wire.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// Code Assist: whose envelope.
    pub envelope: Envelope,
    /// `openai_chat`: the system message's content is an array of parts with `cache_control` on the first.
    pub system_as_parts: bool,
    /// `openai_chat`: `stream_options.include_usage` is sent.
    pub stream_usage: bool,
    /// `anthropic_messages`: the most tokens that an answer may have, reasoning included; the API wants a number.
    pub max_tokens: Option<u32>,
    /// `openai_chat`: Azure's addresses, where the model is a deployment in the path and this version stands in the query.
    pub azure_api_version: Option<String>,
    /// `gemini`: Vertex AI's addresses, with a project and this location in the path.
    pub vertex_location: Option<String>,
    /// A marker in the model's first text that means the client's version is refused in a 200 answer.
    pub version_refusal: Option<String>,
    /// Where what is left of an account's quota can be read.
    pub quota: QuotaReadout,
    /// Hosts of links under which an account's owner verifies or appeals, exactly. Others are shown to nobody.
    pub link_hosts: Vec<String>,
}

impl Quirks {
    /// A link that an operator may click: https, to a host of the row, and nothing that looks like another one.
    pub fn link(&self, text: &str) -> Option<Secret> {
        let url = Url::parse(text.trim()).ok()?;
        let plain = url.scheme() == "https"
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let known = |host: &str| self.link_hosts.iter().any(|known| known == host);
        (plain && url.as_str().len() <= LONGEST_LINK && url.host_str().is_some_and(known))
            .then(|| Secret::new(url.as_str()))
    }
}

/// Bytes of a link: more than this fits no field of Discord's.
const LONGEST_LINK: usize = 1000;

/// Where what is left of an account's quota can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaReadout {
    /// Nowhere.
    #[default]
    Nowhere,
    /// `:retrieveUserQuota`: Gemini CLI's, a bucket for each model.
    UserQuota,
    /// `:retrieveUserQuotaSummary` of the first base: Antigravity's, groups of models with a bucket for each span.
    UserQuotaSummary,
}

#[cfg(test)]
mod tests {
    use crate::provider::Catalog;

    #[test]
    fn a_link_is_one_to_a_host_of_the_row_over_tls() {
        let catalog = Catalog::builtin();
        let link = |id: &str, text: &str| {
            let row = catalog.get(&id.parse().expect("id")).expect("row");
            row.quirks.link(text).map(|link| link.expose().to_owned())
        };
        let good = "https://accounts.google.com/signin/continue?plt=FAKE";
        assert_eq!(link("antigravity", good).as_deref(), Some(good));
        assert_eq!(link("antigravity", "https://forms.gle/FAKE").as_deref(), Some("https://forms.gle/FAKE"));
        assert_eq!(link("qwen_code", good), None, "another provider's host");
        for bad in [
            "http://accounts.google.com/x",
            "https://accounts.google.com.evil.example/x",
            "https://accounts.google.com@evil.example/x",
            "https://somebody@accounts.google.com/x",
            "https://accounts.google.com:8443/x",
            "https://evil.example/accounts.google.com",
            "javascript:alert(1)",
            "accounts.google.com/x",
            "",
        ] {
            assert_eq!(link("antigravity", bad), None, "{bad}");
        }
        assert_eq!(link("antigravity", &format!("https://forms.gle/{}", "x".repeat(1000))), None);
    }
}
