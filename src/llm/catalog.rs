//! Which model answers: the wanted one, and what stands for it at the other providers.

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

/// The wanted model and, for every other provider in order, its equivalent or its default.
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
    row.map(|_| wanted.clone()).into_iter().chain(stand_ins).collect()
}

fn default_of(row: &Provider) -> ModelRef {
    ModelRef { provider: row.id.clone(), model: row.default_model.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_unknown_provider_is_left_out_and_the_others_stand_in() {
        let plan = plan(&model("nobody/x"), &ChatSettings::default(), &Catalog::builtin());
        assert_eq!(plan.first(), Some(&model("gemini_cli/gemini-2.5-pro")));
    }
}
