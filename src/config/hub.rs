//! Hugging Face's hub: where it is, and who asks.

use url::Url;

use super::{
    reader::Reader,
    urls::{Carries, HttpHosts, override_url},
};
use crate::secret::Secret;

/// Hugging Face's hub. Read by every build; used by those with the feature `hub`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HubSettings {
    /// `HF_ENDPOINT`, without a slash at its end; `None` for <https://huggingface.co>.
    pub endpoint: Option<Url>,
    /// `HF_TOKEN`.
    pub token: Option<Secret>,
}

impl HubSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        const TOKEN: &str = "HF_TOKEN";
        let token = reader.secret(TOKEN);
        let is_word = |token: &Secret| token.expose().chars().all(|c| c.is_ascii_graphic());
        if token.as_ref().is_some_and(|token| !is_word(token)) {
            reader.secret_mistake(TOKEN, "expected one word, such as hf_…");
        }
        Self {
            endpoint: override_url(reader, "HF_ENDPOINT", Carries::Token, &HttpHosts::default()),
            token: token.filter(is_word),
        }
    }
}
