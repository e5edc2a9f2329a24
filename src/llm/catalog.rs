//! Which model answers: the wanted one, and what stands for it at the other providers.

use std::collections::HashSet;

use crate::{
    config::ChatSettings,
    provider::{Catalog, ModelRef, Provider, ProviderId},
};

/// Every provider, in the order in which they are tried.
fn ordered<'a>(settings: &'a ChatSettings, providers: &'a Catalog) -> Vec<&'a Provider> {
    let named: Vec<_> = settings.provider_order.iter().filter_map(|id| providers.get(id)).collect();
    let others = providers.iter().filter(|row| !settings.provider_order.contains(&row.id));
    named.iter().copied().chain(others).collect()
}

/// The model that is wanted: the chosen one, `DEFAULT_MODEL`, else the default of the first provider that has a
/// credential ready, else of the first. `None`: there is no provider at all.
pub(super) fn wanted(
    chosen: Option<&ModelRef>,
    settings: &ChatSettings,
    providers: &Catalog,
    is_ready: impl Fn(&ProviderId, &str) -> bool,
) -> Option<ModelRef> {
    if let Some(model) = chosen.or(settings.default_model.as_ref()) {
        return Some(model.clone());
    }
    let rows = ordered(settings, providers);
    let ready = rows.iter().find(|row| is_ready(&row.id, &row.default_model));
    ready.or(rows.first()).map(|row| default_of(row))
}

/// The wanted model; what its fallbacks name; and, for every other provider in order, its equivalent or its default. None of
/// them twice, and none of a provider that is not there.
pub(super) fn plan(wanted: &ModelRef, settings: &ChatSettings, providers: &Catalog) -> Vec<ModelRef> {
    let row = providers.get(&wanted.provider);
    let known = row.and_then(|row| row.models.iter().find(|model| model.id == wanted.model));
    let family = known.and_then(|model| model.family.as_deref());
    let others = ordered(settings, providers).into_iter().filter(|row| row.id != wanted.provider);
    let stand_ins = others.map(|row| {
        row.equivalent(&wanted.model, family).map_or_else(
            || default_of(row),
            |model| ModelRef { provider: row.id.clone(), model: model.id.clone() },
        )
    });
    let named = settings.fallbacks.get(wanted).into_iter().flatten();
    let present = named.filter(|model| providers.get(&model.provider).is_some());
    let all = row.map(|_| wanted.clone()).into_iter().chain(present.cloned()).chain(stand_ins);
    let mut seen = HashSet::new();
    all.filter(|model| seen.insert(model.clone())).collect()
}

fn default_of(row: &Provider) -> ModelRef {
    ModelRef { provider: row.id.clone(), model: row.default_model.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::config::Fallbacks;

    fn model(text: &str) -> ModelRef {
        text.parse().expect("a model")
    }

    fn texts(models: &[ModelRef]) -> Vec<String> {
        models.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_ready_provider_decides_when_nobody_chose() {
        let settings = ChatSettings::default();
        let providers = Catalog::builtin();
        let ready = |id: &ProviderId, _: &str| id.as_str() == "iflow";
        assert_eq!(wanted(None, &settings, &providers, ready), Some(model("iflow/qwen3-coder-plus")));
        assert_eq!(
            wanted(None, &settings, &providers, |_, _| false),
            Some(model("gemini_cli/gemini-2.5-pro"))
        );
        let chosen = model("openai/gpt-5");
        assert_eq!(wanted(Some(&chosen), &settings, &providers, ready), Some(chosen));
    }

    #[test]
    fn equivalents_are_found_by_name_and_family_else_the_default_stands_in() {
        let order = ["antigravity", "openrouter", "openai"].map(|id| id.parse().expect("id"));
        let settings = ChatSettings { provider_order: order.to_vec(), ..ChatSettings::default() };
        let plan = plan(&model("gemini_cli/gemini-2.5-pro"), &settings, &Catalog::builtin());
        assert_eq!(
            texts(&plan),
            [
                "gemini_cli/gemini-2.5-pro",
                "antigravity/gemini-pro-agent",
                "openrouter/google/gemini-2.5-pro",
                "openai/gpt-5-mini",
                "qwen_code/coder-model",
                "iflow/qwen3-coder-plus",
                "gemini/gemini-2.5-pro",
                "vertex/gemini-2.5-pro",
                "anthropic/claude-sonnet-5",
                "dashscope/qwen3-coder-plus",
                "mistral/mistral-medium-latest",
                "groq/openai/gpt-oss-120b",
                "deepseek/deepseek-v4-flash",
                "xai/grok-4.3",
                "huggingface/openai/gpt-oss-120b",
                "bedrock/openai.gpt-oss-120b-1:0",
                "azure/gpt-5-mini",
                "local/default",
            ]
        );
    }

    #[test]
    fn what_an_operator_names_comes_before_the_order_of_providers() {
        let wanted = model("openai/gpt-5");
        let named = ["anthropic/claude-opus-5", "gone/x", "openai/gpt-4.1"].map(model).to_vec();
        let fallbacks = [(wanted.clone(), named)].into();
        let settings = ChatSettings { fallbacks, ..ChatSettings::default() };
        let plan = plan(&wanted, &settings, &Catalog::builtin());
        let expected =
            ["openai/gpt-5", "anthropic/claude-opus-5", "openai/gpt-4.1", "gemini_cli/gemini-2.5-pro"];
        assert_eq!(texts(&plan)[..4], expected);
        assert!(
            plan.contains(&model("anthropic/claude-sonnet-5")),
            "its turn in the order comes all the same"
        );
    }

    /// Any model of the built-in rows.
    fn known() -> impl Strategy<Value = ModelRef> {
        let rows = Catalog::builtin();
        let all: Vec<ModelRef> = rows
            .iter()
            .flat_map(|row| {
                row.models.iter().map(|known| ModelRef { provider: row.id.clone(), model: known.id.clone() })
            })
            .collect();
        proptest::sample::select(all)
    }

    proptest! {
        #[test]
        fn a_plan_begins_with_what_is_wanted_names_nothing_twice_and_ends(
            wanted in known(),
            entries in vec((known(), vec(known(), 0..6)), 0..6),
            order in vec(known(), 0..20),
        ) {
            let providers = Catalog::builtin();
            let fallbacks: Fallbacks = entries.into_iter().collect();
            let provider_order = order.into_iter().map(|model| model.provider).collect();
            let settings = ChatSettings { provider_order, fallbacks, ..ChatSettings::default() };
            let plan = plan(&wanted, &settings, &providers);
            prop_assert_eq!(plan.first(), Some(&wanted));
            let once: HashSet<&ModelRef> = plan.iter().collect();
            prop_assert_eq!(once.len(), plan.len());
            let named = settings.fallbacks.get(&wanted).map_or(&[][..], Vec::as_slice);
            prop_assert!(plan.len() <= 1 + named.len() + providers.iter().count());
            prop_assert!(named.iter().all(|model| plan.contains(model)));
            let asked: HashSet<&ProviderId> = plan.iter().map(|model| &model.provider).collect();
            prop_assert_eq!(asked.len(), providers.iter().count(), "every provider has its turn");
        }
    }

    #[test]
    fn an_unknown_provider_is_left_out_and_the_others_stand_in() {
        let plan = plan(&model("nobody/x"), &ChatSettings::default(), &Catalog::builtin());
        assert_eq!(plan.first(), Some(&model("gemini_cli/gemini-2.5-pro")));
    }
}
