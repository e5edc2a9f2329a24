//! `[fallbacks]` of `cortana.toml`: which models answer in a model's place, before `PROVIDER_ORDER` decides.

use std::collections::HashMap;

use super::{file::Section, names, reader::Reader};
use crate::provider::{Catalog, ModelRef};

/// What stands in for a model, the best first.
pub type Fallbacks = HashMap<ModelRef, Vec<ModelRef>>;

/// Reads the table: a model's name, and a list of names.
pub(super) fn read(reader: &mut Reader<'_>, catalog: &Catalog, file: &mut Section) -> Fallbacks {
    let mut fallbacks = Fallbacks::new();
    for (key, place, names) in file.section(reader, "fallbacks").lists(reader) {
        let Some(wanted) = model(reader, &place, &key, catalog) else { continue };
        let mut stand_ins = Vec::new();
        for name in &names {
            let Some(stand_in) = model(reader, &place, name, catalog) else { continue };
            if stand_in == wanted {
                reader.mistake(&place, name, "a model cannot stand in for itself");
            } else if stand_ins.contains(&stand_in) {
                reader.mistake(&place, name, "stands there twice");
            } else {
                stand_ins.push(stand_in);
            }
        }
        if names.is_empty() {
            reader
                .secret_mistake(&place, "the list is empty: name at least one model, or take the entry out");
        }
        if fallbacks.insert(wanted, stand_ins).is_some() {
            reader.secret_mistake(&place, "this model has another entry, written in another way");
        }
    }
    fallbacks
}

/// A model of a provider that there is. A model that its row does not name may still be listed: that is worth a warning.
fn model(reader: &mut Reader<'_>, place: &str, text: &str, catalog: &Catalog) -> Option<ModelRef> {
    let Ok(model) = text.parse::<ModelRef>() else {
        reader.mistake(place, text, "expected PROVIDER/MODEL, such as openai/gpt-5");
        return None;
    };
    let Some(row) = catalog.get(&model.provider) else {
        let ids: Vec<_> = catalog.iter().map(|row| row.id.as_str()).collect();
        let near = names::suggestion(model.provider.as_str(), ids.iter().copied());
        reader.mistake(place, text, format!("there is no provider {}{near}", model.provider));
        return None;
    };
    if row.model(&model.model).is_none() {
        let near = names::suggestion(&model.model, row.models.iter().map(|known| known.id.as_str()));
        reader.warn(format!(
            "{place} names {text}, which is no model that {} is known for{near}; it is asked all the same",
            row.id
        ));
    }
    Some(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MapSource, load};

    fn model(text: &str) -> ModelRef {
        text.parse().expect("a model")
    }

    #[test]
    fn entries_are_read_in_their_order() {
        let document =
            "[fallbacks]\n\"openai/gpt-5\" = [\"anthropic/claude-opus-5\", \"openrouter/openai/gpt-5\"]\n";
        let settings = load(&MapSource::new().with_document(document)).expect("good settings");
        let expected = vec![model("anthropic/claude-opus-5"), model("openrouter/openai/gpt-5")];
        assert_eq!(settings.chat.fallbacks.get(&model("openai/gpt-5")), Some(&expected));
        let warned: Vec<_> =
            settings.warnings.iter().filter(|text| text.contains("openrouter/openai")).collect();
        assert_eq!(warned.len(), 1, "{warned:?}");
        assert_eq!(load(&MapSource::new()).expect("good settings").chat.fallbacks, Fallbacks::new());
    }

    #[test]
    fn mistakes_name_the_entry() {
        for (entry, expected) in [
            ("\"opnai/gpt-5\" = [\"openai/gpt-5\"]", "there is no provider opnai; did you mean `openai`?"),
            ("\"openai/gpt-5\" = [\"gpt-5\"]", "expected PROVIDER/MODEL"),
            ("\"openai/gpt-5\" = [\"openai/gpt-5\"]", "cannot stand in for itself"),
            ("\"openai/gpt-5\" = [\"openai/gpt-4.1\", \"openai/gpt-4.1\"]", "stands there twice"),
            ("\"openai/gpt-5\" = []", "the list is empty"),
            ("\"openai/gpt-5\" = \"openai/gpt-4.1\"", "expected a list of texts"),
            ("\"openai/gpt-5\" = [1]", "expected a list of texts"),
            (
                "\"openai/gpt-5\" = [\"xai/grok-4.3\"]\n\"OpenAI/gpt-5\" = [\"xai/grok-4.3\"]",
                "written in another way",
            ),
        ] {
            let source = MapSource::new().with_document(&format!("[fallbacks]\n{entry}\n"));
            let told = load(&source).expect_err(entry).to_string();
            assert!(told.contains(expected), "{entry}: {told}");
            assert!(told.contains("cortana.toml: fallbacks.\""), "{entry}: {told}");
        }
    }
}
