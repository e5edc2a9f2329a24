//! Pictures in requests: each wire's notation, and what vendors refuse about them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// A picture that a model was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// Its media type.
    pub(super) kind: String,
    /// Bytes of the file.
    pub(super) bytes: usize,
}

/// The most base64 that Anthropic takes of one picture (docs.anthropic.com/en/docs/build-with-claude/vision).
const ANTHROPICS_LARGEST: usize = 5_242_880;
/// The largest file that OpenAI took of old; nobody takes less but Anthropic.
const LARGEST: usize = 20 << 20;

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// `image_url` with a `data:` address.
    Openai,
    /// `inlineData`.
    Gemini,
    /// `image` with a base64 source.
    Anthropic,
}

/// The pictures of the last message of a person, if the vendor would take those of all messages.
pub(super) fn judged(rules: Rules, model: &str, messages: &[Value]) -> Result<Vec<Picture>, String> {
    let mut last = Vec::new();
    for message in messages {
        let mut own = Vec::new();
        let parts = message.get("content").or_else(|| message.get("parts")).and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            own.extend(picture(rules, part)?);
        }
        if !own.is_empty() && !sees(model) {
            return Err("Invalid content type. image_url is only supported by certain models.".to_owned());
        }
        if message.get("role").and_then(Value::as_str) == Some("user") {
            last = own;
        } else if !own.is_empty() {
            return Err("Image inputs are only allowed in messages of the user.".to_owned());
        }
    }
    Ok(last)
}

/// The models here that see none are those whose makers say so.
fn sees(model: &str) -> bool {
    let blind =
        ["gpt-oss", "qwen3-coder", "qwen3-max", "qwen-max", "glm-4.6", "kimi-k2", "deepseek", "llama-3.3"];
    !blind.iter().any(|part| model.to_ascii_lowercase().contains(part))
}

/// The picture in a part; `None`: it is something else.
fn picture(rules: Rules, part: &Value) -> Result<Option<Picture>, String> {
    let text = |pointer: &str| part.pointer(pointer).and_then(Value::as_str);
    let (kind, data) = match rules {
        Rules::Openai if text("/type") == Some("image_url") => {
            let url = text("/image_url/url").ok_or("Missing required parameter: image_url.url.")?;
            url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")).ok_or(
                "Failed to download image. Here nothing is downloaded: send a base64-encoded data URL.",
            )?
        }
        Rules::Gemini if part.get("inlineData").is_some() => text("/inlineData/mimeType")
            .zip(text("/inlineData/data"))
            .ok_or("inlineData has no mimeType or data")?,
        Rules::Anthropic if text("/type") == Some("image") => {
            if text("/source/type") != Some("base64") {
                return Err("image.source.type: Input should be 'base64'".to_owned());
            }
            text("/source/media_type").zip(text("/source/data")).ok_or("image.source: Field required")?
        }
        Rules::Openai | Rules::Gemini | Rules::Anthropic => return known_part(rules, part),
    };
    let taken: &[&str] = match rules {
        Rules::Openai | Rules::Anthropic => &["image/png", "image/jpeg", "image/gif", "image/webp"],
        Rules::Gemini => &["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"],
    };
    if !taken.contains(&kind) {
        return Err(format!("Unsupported MIME type: {kind}; supported are {}", taken.join(", ")));
    }
    if rules == Rules::Anthropic && data.len() > ANTHROPICS_LARGEST {
        let size = data.len();
        return Err(format!("image exceeds 5 MB maximum: {size} bytes > {ANTHROPICS_LARGEST} bytes"));
    }
    let bytes = STANDARD.decode(data).map_err(|_| "Could not process image: this is no base64")?;
    if bytes.len() > LARGEST {
        return Err(format!("image exceeds {LARGEST} bytes"));
    }
    // HEIC and HEIF begin alike.
    if signature(&bytes) != kind.replace("heif", "heic") {
        return Err(format!("Could not process image: these bytes are not {kind}"));
    }
    Ok(Some(Picture { kind: kind.to_owned(), bytes: bytes.len() }))
}

/// A part that is no picture: text is, and nothing is that nobody knows.
fn known_part(rules: Rules, part: &Value) -> Result<Option<Picture>, String> {
    let is_text = part.get("text").is_some_and(Value::is_string);
    let kind = part.get("type").and_then(Value::as_str);
    match (rules, kind) {
        (Rules::Openai | Rules::Anthropic, Some("text")) | (Rules::Gemini, None) if is_text => Ok(None),
        // What tools do is judged elsewhere.
        (Rules::Anthropic, Some("tool_use" | "tool_result" | "thinking")) => Ok(None),
        (Rules::Gemini, None)
            if part.get("functionCall").or_else(|| part.get("functionResponse")).is_some() =>
        {
            Ok(None)
        }
        (Rules::Openai | Rules::Gemini | Rules::Anthropic, _) => {
            Err("a part of the content is of no known type".to_owned())
        }
    }
}

/// What bytes are by their first ones; empty for nothing known.
fn signature(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        "image/png"
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        "image/jpeg"
    } else if bytes.starts_with(b"GIF8") {
        "image/gif"
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        "image/webp"
    } else if bytes.get(4..8) == Some(b"ftyp") {
        "image/heic"
    } else {
        ""
    }
}

/// What a model says of them.
pub(super) fn said(pictures: &[Picture]) -> String {
    let one = |picture: &Picture| format!("{} of {} bytes", picture.kind, picture.bytes);
    let all: Vec<String> = pictures.iter().map(one).collect();
    match all.len() {
        0 => String::new(),
        1 => format!(" I see a picture: {}.", all.join("")),
        number => format!(" I see {number} pictures: {}.", all.join(", ")),
    }
}

/// Shortens what would fill a record: a picture's base64 becomes its length.
pub(super) fn shorten(body: &mut Value) {
    const KEPT: usize = 4096;
    match body {
        Value::String(text) if text.len() > KEPT && !text.contains(' ') => {
            *text = format!("({} bytes)", text.len());
        }
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PNG: &str = "iVBORw0KGgpGQUtF";

    fn openai(url: &str) -> Vec<Value> {
        vec![json!({"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "look"},
        ]})]
    }

    #[test]
    fn every_notation_is_read_and_what_the_vendor_refuses_is_refused() {
        let seen = Ok(vec![Picture { kind: "image/png".to_owned(), bytes: 12 }]);
        let url = format!("data:image/png;base64,{PNG}");
        assert_eq!(judged(Rules::Openai, "gpt-5", &openai(&url)), seen);
        let gemini = |kind: &str| {
            vec![json!({"role": "user", "parts": [{"inlineData": {"mimeType": kind, "data": PNG}}]})]
        };
        assert_eq!(judged(Rules::Gemini, "gemini-2.5-pro", &gemini("image/png")), seen);
        let anthropic =
            |source: &Value| vec![json!({"role": "user", "content": [{"type": "image", "source": source}]})];
        let source = json!({"type": "base64", "media_type": "image/png", "data": PNG});
        assert_eq!(judged(Rules::Anthropic, "claude-sonnet-5", &anthropic(&source)), seen);

        let refused = |result: Result<Vec<Picture>, String>| result.expect_err("a refusal");
        let told = refused(judged(Rules::Openai, "openai/gpt-oss-120b", &openai(&url)));
        assert!(told.contains("only supported by certain models"), "{told}");
        let told = refused(judged(Rules::Gemini, "gemini-2.5-pro", &gemini("image/gif")));
        assert!(told.contains("Unsupported MIME type: image/gif"), "{told}");
        let told = refused(judged(Rules::Gemini, "gemini-2.5-pro", &gemini("image/jpeg")));
        assert!(told.contains("not image/jpeg"), "{told}");
        let told = refused(judged(Rules::Openai, "gpt-5", &openai("https://x.example/a.png")));
        assert!(told.contains("Failed to download"), "{told}");
        let large =
            json!({"type": "base64", "media_type": "image/png", "data": "A".repeat(ANTHROPICS_LARGEST + 4)});
        let told = refused(judged(Rules::Anthropic, "claude-sonnet-5", &anthropic(&large)));
        assert!(told.contains("exceeds 5 MB maximum"), "{told}");
        let odd = vec![json!({"role": "user", "content": [{"type": "video", "text": "x"}]})];
        assert!(judged(Rules::Openai, "gpt-5", &odd).is_err());
    }

    #[test]
    fn a_record_keeps_the_length_of_a_picture() {
        let mut body = json!({"a": ["x".repeat(5000), "short", "words ".repeat(1000)]});
        shorten(&mut body);
        assert_eq!(body["a"][0], "(5000 bytes)");
        assert_eq!(body["a"][1], "short");
        assert!(body["a"][2].as_str().is_some_and(|text| text.len() == 6000));
    }
}
