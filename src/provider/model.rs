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
    /// What it is known to be able to, for people: `sees images · 1M context · tools`. Empty where nothing is known.
    pub fn abilities(&self) -> String {
        let sees = (self.images == Some(true)).then(|| "sees images".to_owned());
        let reads = self.context.map(|tokens| format!("{} context", rounded(tokens)));
        let calls = (self.tools == Some(true)).then(|| "tools".to_owned());
        [sees, reads, calls].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    /// A model of which only the name is known.
    pub fn named(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
}

/// A number of tokens in the unit that people know it by: `200k`, `1M`, `1.5M`.
pub fn rounded(tokens: u32) -> String {
    match tokens {
        0..1000 => tokens.to_string(),
        1000..950_000 => format!("{}k", tokens / 1000),
        950_000.. => {
            let tenths = tokens.saturating_add(50_000) / 100_000;
            let (whole, tenth) = (tenths / 10, tenths % 10);
            if tenth == 0 { format!("{whole}M") } else { format!("{whole}.{tenth}M") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_are_said_in_words_and_round_figures() {
        let with = |context| Model { context: Some(context), ..Model::named("m") };
        for (tokens, expected) in [
            (512, "512 context"),
            (8192, "8k context"),
            (200_000, "200k context"),
            (1_048_576, "1M context"),
            (1_000_000, "1M context"),
            (1_500_000, "1.5M context"),
            (10_485_760, "10.5M context"),
        ] {
            assert_eq!(with(tokens).abilities(), expected);
        }
        let whole = Model { images: Some(true), tools: Some(true), ..with(131_072) };
        assert_eq!(whole.abilities(), "sees images · 131k context · tools");
        let blind = Model { images: Some(false), tools: Some(false), ..Model::named("m") };
        assert_eq!(blind.abilities(), "");
    }
}
