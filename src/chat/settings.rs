//! What applies where somebody asks: the choice that is nearest to them, within what they may choose.

use std::{fmt, str::FromStr};

use crate::{
    config::AllowedModels,
    language::{Language, say},
    provider::{Catalog, InvalidProviderId, ModelRef, ProviderId},
};

/// Where a choice was made, the nearest first: it beats those that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// By a person, for themselves everywhere.
    Person,
    /// For a thread.
    Thread,
    /// For a channel and its threads.
    Channel,
    /// For a server.
    Server,
}

impl Layer {
    /// Every layer, the nearest first.
    pub const ALL: [Self; 4] = [Self::Person, Self::Thread, Self::Channel, Self::Server];

    /// Its name in storage and in buttons.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Thread => "thread",
            Self::Channel => "channel",
            Self::Server => "server",
        }
    }

    /// For whom, in a sentence: "Chosen for …".
    pub fn for_whom(self, language: &Language) -> String {
        match self {
            Self::Person => say!(language, "for-you"),
            Self::Thread => say!(language, "for-this-thread"),
            Self::Channel => say!(language, "for-this-channel"),
            Self::Server => say!(language, "for-this-server"),
        }
    }
}

impl FromStr for Layer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|layer| layer.name() == text).ok_or(())
    }
}

/// What somebody chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A provider, with whatever model is its default.
    Provider(ProviderId),
    /// One model.
    Model(ModelRef),
}

impl Choice {
    /// The model it means now. `None`: the provider, or its model, is there no longer.
    pub fn model(&self, providers: &Catalog) -> Option<ModelRef> {
        match self {
            Self::Provider(id) => providers
                .get(id)
                .map(|row| ModelRef { provider: id.clone(), model: row.default_model.clone() }),
            Self::Model(model) => {
                let row = providers.get(&model.provider)?;
                row.models.iter().any(|known| known.id == model.model).then(|| model.clone())
            }
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(id) => id.fmt(formatter),
            Self::Model(model) => model.fmt(formatter),
        }
    }
}

impl FromStr for Choice {
    type Err = InvalidProviderId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') { text.parse().map(Self::Model) } else { text.parse().map(Self::Provider) }
    }
}

/// Why a choice does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// A nearer one does.
    Nearer,
    /// Operators do not allow this model any longer.
    NotAllowed,
    /// Its provider, or the model, is there no longer.
    Gone,
}

/// What applies to a question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The model that was chosen, and where; `None`: nobody did, or no choice holds.
    pub model: Option<(ModelRef, Layer)>,
    /// The choices that do not apply, and why.
    pub passed: Vec<(Layer, Choice, Passed)>,
}

impl Applied {
    /// What was chosen for a layer, whether it applies or not.
    pub fn of(&self, layer: Layer) -> Option<Choice> {
        let here = self.model.as_ref().filter(|(_, of)| *of == layer);
        let passed = || self.passed.iter().find(|(of, ..)| *of == layer).map(|(_, choice, _)| choice.clone());
        here.map(|(model, _)| Choice::Model(model.clone())).or_else(passed)
    }
}

/// Which of the choices applies: the nearest that still holds.
pub fn resolve(choices: &[(Layer, Choice)], allowed: &AllowedModels, providers: &Catalog) -> Applied {
    let mut sorted: Vec<_> = choices.iter().collect();
    sorted.sort_by_key(|(layer, _)| *layer);
    let mut applied = Applied::default();
    for (layer, choice) in sorted {
        let passed = match choice.model(providers) {
            None => Passed::Gone,
            Some(model) if !allowed.allows(&model) => Passed::NotAllowed,
            Some(_) if applied.model.is_some() => Passed::Nearer,
            Some(model) => {
                applied.model = Some((model, *layer));
                continue;
            }
        };
        applied.passed.push((*layer, choice.clone(), passed));
    }
    applied
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::AllowedModel;

    fn choice(text: &str) -> Choice {
        text.parse().expect("a choice")
    }

    fn model(text: &str) -> ModelRef {
        text.parse().expect("a model")
    }

    #[test]
    fn the_nearest_choice_applies() {
        let choices = [
            (Layer::Server, choice("openai")),
            (Layer::Channel, choice("qwen_code/coder-model")),
            (Layer::Person, choice("gemini_cli/gemini-2.5-flash")),
        ];
        let providers = Catalog::builtin();
        let applied = resolve(&choices, &AllowedModels::All, &providers);
        assert_eq!(applied.model, Some((model("gemini_cli/gemini-2.5-flash"), Layer::Person)));
        assert_eq!(applied.passed.iter().map(|passed| passed.2).collect::<Vec<_>>(), [Passed::Nearer; 2]);
        let applied = resolve(&choices[..1], &AllowedModels::All, &providers);
        assert_eq!(applied.model, Some((model("openai/gpt-5-mini"), Layer::Server)), "its default");
        assert_eq!(resolve(&[], &AllowedModels::All, &providers), Applied::default());
    }

    #[test]
    fn a_choice_that_is_not_allowed_any_longer_or_whose_provider_went_is_passed_over() {
        let choices = [
            (Layer::Person, choice("nobody/x")),
            (Layer::Thread, choice("openai/gpt-5")),
            (Layer::Channel, choice("qwen_code/taken-out")),
            (Layer::Server, choice("qwen_code")),
        ];
        let allowed = AllowedModels::Listed(vec![AllowedModel::Provider("qwen_code".parse().unwrap())]);
        let applied = resolve(&choices, &allowed, &Catalog::builtin());
        assert_eq!(applied.model, Some((model("qwen_code/coder-model"), Layer::Server)));
        let why: Vec<_> = applied.passed.iter().map(|(layer, _, why)| (*layer, *why)).collect();
        let expected = [
            (Layer::Person, Passed::Gone),
            (Layer::Thread, Passed::NotAllowed),
            (Layer::Channel, Passed::Gone),
        ];
        assert_eq!(why, expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(provider in "[a-z][a-z0-9_]{0,9}", name in "[a-z0-9./:-]{1,20}") {
            for text in [provider.clone(), format!("{provider}/{name}")] {
                prop_assert_eq!(choice(&text).to_string(), text);
            }
        }
    }
}
