//! What a provider's list says, in the shapes of all vendors: models' names, and what is told of each.
//!
//! Lists name more than chats can use. A model is left out when its entry says that it is for something else; where the
//! entry says nothing about that (OpenAI, Groq, xAI), when its name does (`docs/providers.md`).

use std::collections::HashSet;

use serde_json::Value;

use crate::provider::Model;

/// Models of one list that are kept; OpenRouter, the longest, has some four hundred.
const MOST: usize = 1000;
/// Characters of a name.
const LONGEST: usize = 200;

/// Where the most tokens of a request stand: OpenRouter and Hugging Face, Groq, Mistral and LM Studio, vLLM, llama.cpp;
/// Gemini; Anthropic; Antigravity.
const CONTEXTS: &[&str] = &[
    "/context_length",
    "/context_window",
    "/max_context_length",
    "/max_model_len",
    "/meta/n_ctx",
    "/inputTokenLimit",
    "/max_input_tokens",
    "/maxTokens",
];
/// Where it is said whether a model sees pictures: Mistral, Anthropic, Antigravity.
const SIGHTS: &[&str] = &["/capabilities/vision", "/capabilities/image_input/supported", "/supportsImages"];
/// Where it is said that an entry is for no chat, and the value that says so: Mistral; Groq; Antigravity's own.
const NO_CHATS: &[(&str, bool)] = &[
    ("/capabilities/completion_chat", false),
    ("/active", false),
    ("/isInternal", true),
    ("/disabled", true),
];
/// Types of entries that chat, where there is a `type`: Anthropic's, LM Studio's, Together's, Mistral's.
const CHAT_TYPES: &[&str] = &["model", "llm", "vlm", "chat", "language", "code", "base", "fine-tuned"];
/// Parts of names of what is for something else.
const OTHER_PARTS: &[&str] = &[
    "aqa",
    "audio",
    "babbage",
    "dall",
    "davinci",
    "embed",
    "embedding",
    "embeddings",
    "image",
    "images",
    "imagen",
    "imagine",
    "live",
    "lyria",
    "moderation",
    "ocr",
    "orpheus",
    "realtime",
    "rerank",
    "reranker",
    "sora",
    "speech",
    "transcribe",
    "transcription",
    "translate",
    "tts",
    "veo",
    "video",
    "whisper",
];
/// What the editor's own models of Antigravity are called.
const EDITOR_PREFIXES: &[&str] = &["tab_", "chat_"];

/// The models of a list, in its order. `None`: this is no list.
pub(super) fn read(body: &Value) -> Option<Vec<Model>> {
    let mut seen = HashSet::new();
    let entries = entries(body)?;
    let chats = entries.into_iter().filter(|(id, about)| is_name(id) && chats(id, about));
    let new = chats.filter(|(id, _)| seen.insert(*id));
    Some(new.take(MOST).map(|(id, about)| model(id, about)).collect())
}

/// Names with what is told of each. `data[]` (OpenAI, Anthropic), `models[]` (Gemini), `models{}` (Antigravity),
/// `buckets[]` (what Code Assist says of an account's quota), or the list alone. An entry without a name is passed
/// over; where no entry has one, this is another list.
fn entries(body: &Value) -> Option<Vec<(&str, &Value)>> {
    if let Some(models) = body.get("models").and_then(Value::as_object) {
        let deprecated = body.get("deprecatedModelIds");
        let is_current = |id: &str| deprecated.is_none_or(|ids| ids.get(id).is_none());
        return Some(
            models.iter().map(|(id, about)| (id.as_str(), about)).filter(|(id, _)| is_current(id)).collect(),
        );
    }
    let lists = ["data", "models", "buckets"];
    let list = lists.iter().find_map(|key| body.get(key)).unwrap_or(body).as_array()?;
    let named = |entry| -> Option<(&str, &Value)> {
        let keys = ["id", "name", "modelId"];
        let name = keys.iter().find_map(|key| Value::get(entry, key))?.as_str()?;
        Some((name.strip_prefix("models/").unwrap_or(name), entry))
    };
    let found: Vec<_> = list.iter().filter_map(named).collect();
    (list.is_empty() || !found.is_empty()).then_some(found)
}

/// Whether it can be shown in a line, in a terminal and in Discord, and sent back as it is.
fn is_name(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic() && c != '`')
}

fn chats(id: &str, about: &Value) -> bool {
    let list = |pointer: &str| about.pointer(pointer).and_then(Value::as_array);
    let has = |list: &[Value], word: &str| list.iter().any(|it| it.as_str() == Some(word));
    if let Some(outputs) = list("/architecture/output_modalities") {
        return has(outputs, "text");
    }
    let methods = list("/supportedGenerationMethods");
    let is_other = methods.is_some_and(|methods| !has(methods, "generateContent"))
        || NO_CHATS.iter().any(|(at, no)| about.pointer(at).and_then(Value::as_bool) == Some(*no))
        || about.get("type").and_then(Value::as_str).is_some_and(|kind| !CHAT_TYPES.contains(&kind))
        || EDITOR_PREFIXES.iter().any(|prefix| id.starts_with(prefix));
    let mut parts = id.split(|c: char| !c.is_ascii_alphanumeric());
    !is_other && !parts.any(|part| OTHER_PARTS.contains(&part.to_ascii_lowercase().as_str()))
}

fn model(id: &str, about: &Value) -> Model {
    Model { context: context(about), images: images(about), tools: tools(about), ..Model::named(id) }
}

fn context(about: &Value) -> Option<u32> {
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let said = CONTEXTS.iter().find_map(|at| about.pointer(at).and_then(number));
    // Hugging Face names who serves a model; any of them may.
    let served = || served_by(about).filter_map(|by| by.get("context_length").and_then(number)).min();
    said.or_else(served).filter(|tokens| *tokens > 0)
}

fn images(about: &Value) -> Option<bool> {
    let inputs = about.pointer("/architecture/input_modalities").and_then(Value::as_array);
    let sees = |inputs: &Vec<Value>| inputs.iter().any(|input| input.as_str() == Some("image"));
    let said = || SIGHTS.iter().find_map(|at| about.pointer(at).and_then(Value::as_bool));
    inputs.map(sees).or_else(said)
}

fn tools(about: &Value) -> Option<bool> {
    let parameters = about.get("supported_parameters").and_then(Value::as_array);
    let takes = |all: &Vec<Value>| all.iter().any(|parameter| parameter.as_str() == Some("tools"));
    let said = || about.pointer("/capabilities/function_calling").and_then(Value::as_bool);
    let served = || {
        let said: Vec<bool> =
            served_by(about).filter_map(|by| by.get("supports_tools").and_then(Value::as_bool)).collect();
        // Any of them may be asked: it can when all can.
        (!said.is_empty()).then(|| said.iter().all(|can| *can))
    };
    parameters.map(takes).or_else(said).or_else(served)
}

fn served_by(about: &Value) -> impl Iterator<Item = &Value> {
    about.get("providers").and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(body: &Value) -> Option<Vec<String>> {
        Some(read(body)?.into_iter().map(|model| model.id).collect())
    }

    /// The only model of a list.
    fn one(body: &Value) -> Model {
        let models = read(body).expect("a list");
        assert_eq!(models.len(), 1, "{body}");
        models.into_iter().next().expect("one")
    }

    #[test]
    fn every_shape_of_a_list_is_read() {
        let expected = Some(vec!["a".to_owned(), "b/c".to_owned()]);
        for body in [
            json!({ "object": "list", "data": [{ "id": "a" }, { "id": "b/c" }] }),
            json!({ "models": [{ "name": "models/a" }, { "name": "models/b/c" }] }),
            json!([{ "id": "a" }, { "id": "b/c" }, { "id": "a" }]),
            json!({ "data": [{ "id": "a" }, { "x": 1 }, { "id": 7 }, { "id": "b/c" }] }),
            json!({ "buckets": [{ "modelId": "a" }, { "modelId": "b/c" }] }),
            json!({ "models": { "a": {}, "b/c": {}, "d": {} }, "deprecatedModelIds": { "d": {} } }),
            json!([{ "id": "a" }, { "id": "b\u{1b}" }, { "id": "`@x`" }, { "id": "" }, { "id": "b/c" }]),
        ] {
            assert_eq!(names(&body), expected, "{body}");
        }
        for body in [json!({}), json!({ "data": [{ "x": 1 }] }), json!("a"), json!({ "error": {} })] {
            assert_eq!(names(&body), None, "{body}");
        }
    }

    #[test]
    fn limits_and_abilities_are_read_where_each_vendor_says_them() {
        let model = |context, images, tools| Model { images, tools, context, ..Model::named("m") };
        let cases = [
            // OpenAI, DeepSeek, xAI.
            (json!({"id": "m", "object": "model", "owned_by": "system"}), model(None, None, None)),
            // OpenRouter.
            (
                json!({"id": "m", "context_length": 1_048_576, "supported_parameters": ["tools", "seed"],
                    "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]}}),
                model(Some(1_048_576), Some(true), Some(true)),
            ),
            // Groq.
            (json!({"id": "m", "active": true, "context_window": 131_072}), model(Some(131_072), None, None)),
            // Mistral.
            (
                json!({"id": "m", "type": "base", "max_context_length": 131_072,
                    "capabilities": {"completion_chat": true, "vision": false, "function_calling": true}}),
                model(Some(131_072), Some(false), Some(true)),
            ),
            // Hugging Face.
            (
                json!({"id": "m", "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
                    "providers": [{"context_length": 131_072, "supports_tools": true},
                        {"context_length": 65_536, "supports_tools": false}, {"provider": "x"}]}),
                model(Some(65_536), Some(false), Some(false)),
            ),
            // vLLM.
            (json!({"id": "m", "max_model_len": 8192}), model(Some(8192), None, None)),
            // Gemini.
            (
                json!({"name": "models/m", "inputTokenLimit": 1_048_576,
                    "supportedGenerationMethods": ["generateContent", "countTokens"]}),
                model(Some(1_048_576), None, None),
            ),
            // Anthropic.
            (
                json!({"type": "model", "id": "m", "max_input_tokens": 200_000,
                    "capabilities": {"image_input": {"supported": true}}}),
                model(Some(200_000), Some(true), None),
            ),
            // Absurd.
            (json!({"id": "m", "context_length": 0, "max_model_len": -1}), model(None, None, None)),
            (json!({"id": "m", "context_length": 1e30}), model(None, None, None)),
        ];
        for (entry, expected) in cases {
            assert_eq!(one(&json!({ "data": [entry] })), expected, "{entry}");
        }
        let antigravity = json!({"models": {"m": {"maxTokens": 1_048_576, "supportsImages": true}}});
        assert_eq!(one(&antigravity), model(Some(1_048_576), Some(true), None));
    }

    #[test]
    fn what_is_no_chat_model_is_left_out_by_what_the_vendor_says() {
        for entry in [
            json!({"id": "m", "architecture": {"input_modalities": ["text"], "output_modalities": ["image"]}}),
            json!({"name": "models/m", "supportedGenerationMethods": ["embedContent"]}),
            json!({"id": "m", "capabilities": {"completion_chat": false}}),
            json!({"id": "m", "active": false}),
            json!({"id": "m", "type": "embeddings"}),
            json!({"id": "m", "isInternal": true}),
        ] {
            assert_eq!(names(&json!({ "data": [entry] })), Some(Vec::new()), "{entry}");
        }
        let says_text = json!({"id": "vendor/ocr-7b", "architecture": {"output_modalities": ["text"]}});
        assert_eq!(one(&json!([says_text])).id, "vendor/ocr-7b", "what an entry says outweighs a name");
    }

    #[test]
    fn where_the_vendor_says_nothing_names_tell() {
        let listed =
            |ids: &[&str]| json!({"data": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()});
        let others = [
            "text-embedding-3-large",
            "tts-1-hd",
            "gpt-4o-mini-tts",
            "whisper-1",
            "dall-e-3",
            "gpt-image-1",
            "omni-moderation-latest",
            "gpt-realtime",
            "gpt-4o-transcribe",
            "sora-2",
            "davinci-002",
            "babbage-002",
            "whisper-large-v3-turbo",
            "grok-2-image-1212",
            "gemini-embedding-001",
            "gemini-2.5-flash-preview-tts",
            "imagen-4.0-generate-001",
            "veo-3.0-generate-001",
            "nomic-embed-text",
            "tab_flash_lite",
            "chat_20706",
        ];
        assert_eq!(names(&listed(&others)), Some(Vec::new()));
        let chats = [
            "gpt-5",
            "gpt-4.1-mini",
            "o3",
            "chatgpt-4o-latest",
            "grok-4.3",
            "llama-3.3-70b-versatile",
            "deepseek-chat",
            "openai/gpt-oss-120b",
            "qwen3:4b",
            "claude-sonnet-5",
            "gemini-flash-latest",
            "codestral-latest",
        ];
        assert_eq!(names(&listed(&chats)), Some(chats.map(str::to_owned).to_vec()));
    }

    #[test]
    fn p38_a_list_without_end_is_cut() {
        let endless: Vec<Value> = (0..5000).map(|n| json!({ "id": format!("m{n}") })).collect();
        assert_eq!(read(&Value::Array(endless)).map(|models| models.len()), Some(MOST));
        assert_eq!(names(&json!([{ "id": "m".repeat(201) }])), Some(Vec::new()));
    }
}
