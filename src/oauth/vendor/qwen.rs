//! Qwen: the `resource_url` of a token reply decides where chats, and with them the bearer token, go.

use url::Url;

use crate::provider::Provider;

/// An address that is not the provider's.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::oauth) struct Foreign {
    /// Its host, for the operator.
    pub(in crate::oauth) host: String,
}

/// The chat base that a `resource_url` means: it comes without scheme and usually without `/v1`
/// (QwenLM/qwen-code, `packages/core/src/qwen/qwenContentGenerator.ts`), and is used for a host of the row alone.
pub(in crate::oauth) fn chat_base(provider: &Provider, address: &str) -> Result<Url, Foreign> {
    let address = address.trim();
    let absolute = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
    let mut url = Url::parse(&absolute).map_err(|_| Foreign { host: "an unreadable address".to_owned() })?;
    if !provider.allows_url(&url) {
        return Err(Foreign { host: url.host_str().unwrap_or("no host").to_owned() });
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&if path.ends_with("/v1") { path } else { format!("{path}/v1") });
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Catalog;

    #[test]
    fn a_bare_host_becomes_a_chat_base_once() {
        let catalog = Catalog::builtin();
        let qwen = catalog.get(&"qwen_code".parse().expect("id")).expect("row");
        for (address, base) in [
            ("portal.qwen.ai", "https://portal.qwen.ai/v1"),
            (" portal.qwen.ai/ ", "https://portal.qwen.ai/v1"),
            ("https://portal.qwen.ai/v1/", "https://portal.qwen.ai/v1"),
            (
                "https://dashscope.aliyuncs.com/compatible-mode",
                "https://dashscope.aliyuncs.com/compatible-mode/v1",
            ),
            (
                "dashscope-intl.aliyuncs.com/compatible-mode/v1?x=1#y",
                "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            ),
        ] {
            assert_eq!(chat_base(qwen, address).map(String::from), Ok(base.to_owned()), "{address}");
        }
        for (address, host) in [
            ("portal.qwen.ai.evil.example", "portal.qwen.ai.evil.example"),
            ("portal.qwen.ai@evil.example/v1", "evil.example"),
            ("http://portal.qwen.ai/v1", "portal.qwen.ai"),
            ("127.0.0.1:9/v1", "127.0.0.1"),
            ("https://", "an unreadable address"),
        ] {
            assert_eq!(chat_base(qwen, address), Err(Foreign { host: host.to_owned() }), "{address}");
        }
    }
}
