//! Addresses in credential files: used only when the provider's row names their exact host ("where secrets may go").

use url::Url;

use crate::provider::{OAuthSpec, Provider};

/// An address that the provider's row does not allow. Holds the host alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("foreign endpoint {host}")]
pub(crate) struct Foreign {
    host: String,
}

/// Reads an address that may lack its scheme, and checks it.
pub(crate) fn check(text: &str, provider: &Provider) -> Result<Url, Foreign> {
    let text = text.trim();
    let spelled = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = spelled.parse::<Url>().map_err(|_| Foreign { host: "that is no address".to_owned() })?;
    if provider.allows_url(&url) || provider.oauth().is_some_and(|spec| spec.token_endpoint == url) {
        return Ok(url);
    }
    Err(Foreign { host: url.host_str().unwrap_or("without a name").to_owned() })
}

/// A file's token endpoint; `None` where the row's own counts: it is the same, or what it was called formerly, or an
/// operator's override beats the vendor's address that every such file repeats.
pub(crate) fn token_endpoint(text: &str, provider: &Provider) -> Result<Option<Url>, Foreign> {
    let is_former = |spec: &OAuthSpec| {
        text.trim().parse::<Url>().is_ok_and(|url| spec.former_token_endpoints.contains(&url))
    };
    if provider.oauth().is_some_and(is_former) {
        return Ok(None);
    }
    let url = check(text, provider)?;
    let Some(spec) = provider.oauth() else { return Ok(None) };
    let overridden = !provider.allows_url(&spec.token_endpoint)
        || crate::http::is_loopback(&spec.token_endpoint) != crate::http::is_loopback(&url);
    Ok((url != spec.token_endpoint && !overridden).then_some(url))
}

/// Qwen's `resource_url`, a bare host or an address, as the base of its chats: with a scheme and a path, which is `/v1`
/// where none is given. `None` where the operator set the base.
pub(crate) fn resource_url(text: &str, provider: &Provider) -> Result<Option<Url>, Foreign> {
    if provider.api_base_overridden {
        return Ok(None);
    }
    let mut url = check(text, provider)?;
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/v1") { path.to_owned() } else { format!("{path}/v1") };
    url.set_path(&path);
    Ok(Some(url))
}

/// A chat base in the spelling of `resource_url`: the bare host where that says it all.
pub(crate) fn as_resource_url(url: &Url) -> String {
    match url.host_str() {
        Some(host) if url.scheme() == "https" && url.port().is_none() && url.path() == "/v1" => {
            host.to_owned()
        }
        Some(_) | None => url.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Catalog;

    fn row(id: &str) -> Provider {
        Catalog::builtin().get(&id.parse().unwrap()).unwrap().clone()
    }

    #[test]
    fn resource_urls_become_chat_bases_and_go_back_as_they_were() {
        let qwen = row("qwen_code");
        for (text, base, back) in [
            ("portal.qwen.ai", "https://portal.qwen.ai/v1", "portal.qwen.ai"),
            ("https://portal.qwen.ai/v1/", "https://portal.qwen.ai/v1", "portal.qwen.ai"),
            (
                "https://dashscope.aliyuncs.com/compatible-mode/v1",
                "https://dashscope.aliyuncs.com/compatible-mode/v1",
                "https://dashscope.aliyuncs.com/compatible-mode/v1",
            ),
        ] {
            let url = resource_url(text, &qwen).unwrap().unwrap();
            assert_eq!(url.as_str(), base);
            assert_eq!(as_resource_url(&url), back);
        }
    }

    #[test]
    fn foreign_hosts_are_named_and_nothing_else_is() {
        let qwen = row("qwen_code");
        for (text, problem) in [
            ("https://evil.example/v1?token=canary", "foreign endpoint evil.example"),
            ("portal.qwen.ai.evil.example", "foreign endpoint portal.qwen.ai.evil.example"),
            ("http://portal.qwen.ai/v1", "foreign endpoint portal.qwen.ai"),
            ("https://canary@portal.qwen.ai/", "foreign endpoint portal.qwen.ai"),
            ("http://127.0.0.1:80/v1", "foreign endpoint 127.0.0.1"),
            ("https://[", "foreign endpoint that is no address"),
        ] {
            assert_eq!(check(text, &qwen).unwrap_err().to_string(), problem);
        }
    }

    #[test]
    fn googles_former_token_endpoints_mean_todays() {
        for id in ["gemini_cli", "antigravity"] {
            for former in [
                "https://accounts.google.com/o/oauth2/token",
                "https://www.googleapis.com/oauth2/v3/token",
                "https://www.googleapis.com/oauth2/v4/token",
            ] {
                assert_eq!(token_endpoint(former, &row(id)), Ok(None), "{former}");
            }
            assert!(token_endpoint("https://accounts.google.com/o/oauth2/elsewhere", &row(id)).is_err());
            assert!(token_endpoint("http://accounts.google.com/o/oauth2/token", &row(id)).is_err());
        }
        assert!(token_endpoint("https://accounts.google.com/o/oauth2/token", &row("qwen_code")).is_err());
    }

    #[test]
    fn an_operators_token_endpoint_beats_the_one_in_the_file() {
        let mut gemini = row("gemini_cli");
        let google = "https://oauth2.googleapis.com/token";
        assert_eq!(token_endpoint(google, &gemini), Ok(None));
        let mut spec = gemini.oauth().unwrap().clone();
        spec.token_endpoint = "http://127.0.0.1:4000/token".parse().unwrap();
        gemini.login = crate::provider::LoginKind::OAuth(Box::new(spec));
        assert_eq!(token_endpoint(google, &gemini), Ok(None), "nothing goes past the emulator");
        assert!(token_endpoint("https://evil.example/token", &gemini).is_err());
    }
}
