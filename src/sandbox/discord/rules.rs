//! The limits of a message body, with the form errors that Discord answers when one is exceeded.
//!
//! Lengths are counted in UTF-16 code units. Sources: Resources, "Message", "Embed limits"; "Component Reference".

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    error::{ApiError, FormErrors, Known},
    ids::Id,
    mentions::AllowedMentions,
};

/// A message's content.
const CONTENT: usize = 2000;
/// All texts of all embeds of one message.
const ALL_EMBEDS: usize = 6000;

/// A body that keeps the limits. A field that was not sent is `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct MessageBody {
    pub(crate) content: Option<String>,
    pub(crate) embeds: Option<Vec<Value>>,
    pub(crate) components: Option<Vec<Value>>,
    /// Attachments that stay (ids) and descriptions of new files.
    pub(crate) attachments: Option<Vec<Value>>,
    pub(crate) allowed: AllowedMentions,
    pub(crate) flags: Option<u64>,
    pub(crate) nonce: Option<Value>,
    pub(crate) enforce_nonce: bool,
    pub(crate) reference: Option<Reference>,
}

/// What a new message replies to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference {
    pub(crate) message: Id,
    pub(crate) channel: Option<Id>,
    /// `fail_if_not_exists`.
    pub(crate) required: bool,
}

/// The length that Discord's limits count.
pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Complains when a text is longer than `limit`.
pub(crate) fn at_most(text: &str, limit: usize, path: &str, errors: &mut FormErrors) {
    if length(text) > limit {
        errors.add(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {limit} or fewer in length."));
    }
}

/// Complains when a text is not between 1 and `limit` long.
pub(crate) fn between_one_and(text: &str, limit: usize, path: &str, errors: &mut FormErrors) {
    if text.is_empty() || length(text) > limit {
        errors.add(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between 1 and {limit} in length."));
    }
}

/// Complains that a field is missing.
pub(crate) fn required(path: &str, errors: &mut FormErrors) {
    errors.add(path, "BASE_TYPE_REQUIRED", "This field is required");
}

/// Reads a message body. `path` is the prefix of complaints: empty, or `data.` inside an interaction's callback.
pub(crate) fn message(body: &Value, path: &str) -> Result<MessageBody, ApiError> {
    let mut errors = FormErrors::default();
    if !body.is_object() {
        errors.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType");
        return Err(ApiError::Form(errors));
    }
    let field = |key: &str| body.get(key);
    let content = match field("content") {
        None => None,
        Some(Value::Null) => Some(String::new()),
        // Discord strips what stands around a text.
        Some(Value::String(text)) => {
            at_most(text, CONTENT, &format!("{path}content"), &mut errors);
            Some(text.trim().to_owned())
        }
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(other) => {
            errors.add(
                &format!("{path}content"),
                "STRING_TYPE_CONVERT",
                format!("Could not interpret \"{other}\" as string."),
            );
            None
        }
    };
    let embeds = array(field("embeds"), &format!("{path}embeds"), &mut errors)
        .map(|list| embeds(list, &format!("{path}embeds"), &mut errors));
    let components = array(field("components"), &format!("{path}components"), &mut errors)
        .map(|list| rows(list, &format!("{path}components"), &mut errors));
    let attachments =
        array(field("attachments"), &format!("{path}attachments"), &mut errors).map(<[Value]>::to_vec);
    let nonce = field("nonce").filter(|nonce| !nonce.is_null()).cloned();
    if let Some(Value::String(text)) = &nonce {
        at_most(text, 25, &format!("{path}nonce"), &mut errors);
    }
    let body = MessageBody {
        content,
        embeds,
        components,
        attachments,
        allowed: AllowedMentions::read(body, path, &mut errors),
        flags: field("flags").and_then(Value::as_u64),
        enforce_nonce: field("enforce_nonce").and_then(Value::as_bool) == Some(true),
        nonce,
        reference: reference(field("message_reference"), &format!("{path}message_reference"), &mut errors),
    };
    errors.into_result()?;
    Ok(body)
}

impl MessageBody {
    /// `50006` when there would be nothing to see.
    pub(crate) fn refuse_empty(&self, files: usize) -> Result<(), ApiError> {
        let has = |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let text = self.content.as_ref().is_some_and(|text| !text.is_empty());
        if text || has(&self.embeds) || has(&self.components) || files > 0 {
            Ok(())
        } else {
            Err(Known::EmptyMessage.into())
        }
    }
}

fn array<'v>(field: Option<&'v Value>, path: &str, errors: &mut FormErrors) -> Option<&'v [Value]> {
    match field? {
        Value::Null => Some(&[]),
        Value::Array(list) => Some(list),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            errors.add(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
            None
        }
    }
}

fn reference(field: Option<&Value>, path: &str, errors: &mut FormErrors) -> Option<Reference> {
    let field = field.filter(|field| !field.is_null())?;
    let id = |key: &str| field.get(key).and_then(Id::sent);
    let Some(message) = id("message_id") else {
        required(&format!("{path}.message_id"), errors);
        return None;
    };
    Some(Reference {
        message,
        channel: id("channel_id"),
        required: field.get("fail_if_not_exists").and_then(Value::as_bool) != Some(false),
    })
}

fn embeds(list: &[Value], path: &str, errors: &mut FormErrors) -> Vec<Value> {
    if list.len() > 10 {
        errors.add(path, "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.");
    }
    let mut total = 0;
    for (at, embed) in list.iter().enumerate() {
        let here = format!("{path}.{at}");
        let mut text = |pointer: &str, limit: usize, errors: &mut FormErrors| {
            if let Some(text) = embed.pointer(pointer).and_then(Value::as_str) {
                total += length(text);
                at_most(text, limit, &format!("{here}{}", pointer.replace('/', ".")), errors);
            }
        };
        text("/title", 256, errors);
        text("/description", 4096, errors);
        text("/footer/text", 2048, errors);
        text("/author/name", 256, errors);
        let fields = embed.get("fields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if fields.len() > 25 {
            errors.add(&format!("{here}.fields"), "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
        }
        for (index, field) in fields.iter().enumerate() {
            for (key, limit) in [("name", 256), ("value", 1024)] {
                match field.get(key).and_then(Value::as_str) {
                    Some(text) if !text.is_empty() => {
                        total += length(text);
                        at_most(text, limit, &format!("{here}.fields.{index}.{key}"), errors);
                    }
                    Some(_) | None => required(&format!("{here}.fields.{index}.{key}"), errors),
                }
            }
        }
        let colour = embed.get("color").and_then(Value::as_i64);
        if colour.is_some_and(|colour| !(0..=0xff_ff_ff).contains(&colour)) {
            errors.add(
                &format!("{here}.color"),
                "NUMBER_TYPE_MAX",
                "int value should be less than or equal to 16777215.",
            );
        }
    }
    if total > ALL_EMBEDS {
        errors.add(
            path,
            "MAX_EMBED_SIZE_EXCEEDED",
            format!("Embed size exceeds maximum size of {ALL_EMBEDS}"),
        );
    }
    list.iter().map(shown_embed).collect()
}

/// An embed as it is answered: what was left out has its default.
fn shown_embed(embed: &Value) -> Value {
    let mut embed = without_nulls(embed, &[("type", json!("rich"))]);
    for field in embed.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
        *field = without_nulls(field, &[("inline", json!(false))]);
    }
    embed
}

fn rows(list: &[Value], path: &str, errors: &mut FormErrors) -> Vec<Value> {
    if list.len() > 5 {
        errors.add(path, "BASE_TYPE_MAX_LENGTH", "Must be 5 or fewer in length.");
    }
    let mut custom_ids = BTreeSet::new();
    for (at, row) in list.iter().enumerate() {
        let here = format!("{path}.{at}");
        if row.get("type").and_then(Value::as_u64) != Some(1) {
            errors.add(
                &format!("{here}.type"),
                "UNION_TYPE_CHOICES",
                "Value of field \"type\" must be one of (1,).",
            );
            continue;
        }
        let inside = row.get("components").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if inside.is_empty() || inside.len() > 5 {
            errors.add(
                &format!("{here}.components"),
                "BASE_TYPE_BAD_LENGTH",
                "Must be between 1 and 5 in length.",
            );
        }
        for (index, component) in inside.iter().enumerate() {
            let here = format!("{here}.components.{index}");
            let kind = component.get("type").and_then(Value::as_u64);
            match kind {
                Some(2) => button(component, &here, errors),
                Some(3) => select(component, &here, errors),
                Some(5..=8) => {}
                Some(_) | None => errors.add(
                    &format!("{here}.type"),
                    "UNION_TYPE_CHOICES",
                    "Value of field \"type\" must be one of (2, 3, 5, 6, 7, 8).",
                ),
            }
            if kind != Some(2) && inside.len() > 1 {
                errors.add(
                    &here,
                    "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
                    "The specified component exceeds the maximum width",
                );
            }
            if let Some(custom_id) = component.get("custom_id").and_then(Value::as_str) {
                between_one_and(custom_id, 100, &format!("{here}.custom_id"), errors);
                if !custom_ids.insert(custom_id.to_owned()) {
                    errors.add(
                        &format!("{here}.custom_id"),
                        "COMPONENT_CUSTOM_ID_DUPLICATED",
                        "Component custom id cannot be duplicated",
                    );
                }
            }
        }
    }
    let mut next = 0;
    list.iter()
        .map(|row| {
            next += 1;
            let mut row = without_nulls(row, &[("id", json!(next))]);
            if let Some(inside) = row.get_mut("components").and_then(Value::as_array_mut) {
                for component in inside {
                    next += 1;
                    let mut defaults = vec![("id", json!(next))];
                    if matches!(component.get("type").and_then(Value::as_u64), Some(3 | 5..=8)) {
                        defaults.extend([("min_values", json!(1)), ("max_values", json!(1))]);
                    }
                    *component = without_nulls(component, &defaults);
                }
            }
            row
        })
        .collect()
}

fn button(button: &Value, path: &str, errors: &mut FormErrors) {
    let text = |key: &str| button.get(key).and_then(Value::as_str);
    if let Some(label) = text("label") {
        at_most(label, 80, &format!("{path}.label"), errors);
    }
    if text("label").is_none_or(str::is_empty) && button.get("emoji").is_none_or(Value::is_null) {
        errors.add(
            path,
            "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED",
            "A button must have a label or an emoji",
        );
    }
    match button.get("style").and_then(Value::as_u64) {
        Some(1..=4) => {
            if text("custom_id").is_none() {
                errors.add(path, "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required");
            }
            if text("url").is_some() {
                errors.add(path, "BUTTON_COMPONENT_INVALID_URL", "A url is only valid on a link button");
            }
        }
        Some(5) => {
            if text("url").is_none() {
                required(&format!("{path}.url"), errors);
            }
            if text("custom_id").is_some() {
                errors.add(
                    path,
                    "BUTTON_COMPONENT_INVALID_CUSTOM_ID",
                    "A link button cannot have a custom id",
                );
            }
        }
        Some(_) | None => {
            errors.add(
                &format!("{path}.style"),
                "BASE_TYPE_CHOICES",
                "Value must be one of {1, 2, 3, 4, 5, 6}.",
            );
        }
    }
}

fn select(select: &Value, path: &str, errors: &mut FormErrors) {
    let options = select.get("options").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if options.is_empty() || options.len() > 25 {
        errors.add(&format!("{path}.options"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.");
    }
    for (at, option) in options.iter().enumerate() {
        for key in ["label", "value"] {
            match option.get(key).and_then(Value::as_str) {
                Some(text) => between_one_and(text, 100, &format!("{path}.options.{at}.{key}"), errors),
                None => required(&format!("{path}.options.{at}.{key}"), errors),
            }
        }
        if let Some(text) = option.get("description").and_then(Value::as_str) {
            at_most(text, 100, &format!("{path}.options.{at}.description"), errors);
        }
    }
}

/// The object without its null fields, and with `defaults` where it says nothing.
fn without_nulls(value: &Value, defaults: &[(&str, Value)]) -> Value {
    let mut object = value.as_object().cloned().unwrap_or_default();
    object.retain(|_, field| !field.is_null());
    for (key, default) in defaults {
        object.entry(*key).or_insert_with(|| default.clone());
    }
    Value::Object(object)
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
