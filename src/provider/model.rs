//! A model: what it is called, and what it can.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{InvalidProviderId, ProviderId};

/// `provider/model`, as in `DEFAULT_MODEL`. The model's own name may contain further slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelRef {
    /// Who serves it.
    pub provider: ProviderId,
    /// The provider's own name for it.
    pub model: String,
}

impl fmt::Display for ModelRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.provider, self.model)
    }
}

impl FromStr for ModelRef {
    type Err = InvalidProviderId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (provider, model) = text.split_once('/').ok_or_else(|| InvalidProviderId(text.to_owned()))?;
        if model.trim().is_empty() {
            return Err(InvalidProviderId(text.to_owned()));
        }
        Ok(Self { provider: provider.parse()?, model: model.trim().to_owned() })
    }
}

/// A model in a provider's row. What is not said there is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The provider's own name.
    pub id: String,
    /// What it is an equivalent of elsewhere, for failover between providers: `gemini-2.5-pro`, `qwen3-coder-plus`.
    #[serde(default)]
    pub family: Option<String>,
    /// Whether it sees pictures.
    #[serde(default)]
    pub images: Option<bool>,
    /// Whether it can call tools.
    #[serde(default)]
    pub tools: Option<bool>,
    /// The most tokens that a request may have, its answer included where the provider counts so.
    #[serde(default)]
    pub context: Option<u32>,
}

impl Model {
    /// A model of which only the name is known.
    pub fn named(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
}
