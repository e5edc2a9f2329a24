//! The part of JSON Schema that Gemini takes (ai.google.dev/api/caching#Schema). Antigravity refuses a request for `const`,
//! `$ref`, `$defs`, `$schema`, `default` or `examples` in it.

use std::cell::Cell;

use serde_json::{Map, Value, json};

/// What is carried over as it is.
const PLAIN: &[&str] = &[
    "title",
    "description",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
];
/// How deep a schema is followed; what lies deeper may be anything.
const DEEPEST: usize = 12;
/// How many parts of a schema are written: one that contains itself twice would grow beyond all bounds.
const LARGEST: usize = 500;
/// The formats that are known, by the type that they are of.
const FORMATS: &[(&str, &[&str])] =
    &[("string", &["date-time", "enum"]), ("number", &["float", "double"]), ("integer", &["int32", "int64"])];

/// The arguments of a tool; `None`: it takes none, which is said by leaving them out.
pub(super) fn for_gemini(schema: &Value) -> Option<Value> {
    let reader = Reader { root: schema, left: Cell::new(LARGEST) };
    let written = reader.write(schema, 0);
    let takes_any = written.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    takes_any.then_some(written)
}

struct Reader<'a> {
    root: &'a Value,
    /// Parts that may still be written.
    left: Cell<usize>,
}

impl Reader<'_> {
    fn write(&self, schema: &Value, depth: usize) -> Value {
        let Some(schema) = self.resolved(schema).as_object() else { return json!({ "type": "string" }) };
        let left = self.left.get();
        if depth > DEEPEST || left == 0 {
            return json!({ "type": "object" });
        }
        self.left.set(left - 1);
        let mut written = Map::new();
        let (kind, is_nullable) = kind(schema);
        for key in PLAIN {
            if let Some(value) = schema.get(*key) {
                written.insert((*key).to_owned(), value.clone());
            }
        }
        let mut nullable = is_nullable;
        if let Some(any) = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema.get(*key)?.as_array()) {
            let (null, others): (Vec<&Value>, Vec<&Value>) =
                any.iter().partition(|one| one.get("type").and_then(Value::as_str) == Some("null"));
            nullable |= !null.is_empty();
            let choices: Vec<Value> = others.into_iter().map(|one| self.write(one, depth + 1)).collect();
            match <[Value; 1]>::try_from(choices) {
                Ok([Value::Object(only)]) => written.extend(only),
                Ok(_) => {}
                Err(choices) if choices.is_empty() => {}
                Err(choices) => drop(written.insert("anyOf".to_owned(), choices.into())),
            }
        }
        if let Some(kind) = kind.or_else(|| implied(schema)) {
            written.insert("type".to_owned(), kind.into());
        } else if !written.contains_key("anyOf") && !written.contains_key("type") {
            written.insert("type".to_owned(), "string".into());
        }
        if nullable {
            written.insert("nullable".to_owned(), true.into());
        }
        let kind = written.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        write_values(schema, &kind, &mut written);
        self.write_members(schema, &kind, &mut written, depth);
        Value::Object(written)
    }

    /// What it consists of.
    fn write_members(
        &self,
        schema: &Map<String, Value>,
        kind: &str,
        written: &mut Map<String, Value>,
        depth: usize,
    ) {
        if kind == "array" && !written.contains_key("items") {
            let items = schema.get("items").unwrap_or(&Value::Null);
            written.insert("items".to_owned(), self.write(items, depth + 1));
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        if kind != "object" {
            return;
        }
        let properties: Map<String, Value> =
            properties.iter().map(|(name, one)| (name.clone(), self.write(one, depth + 1))).collect();
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required: Vec<Value> = required
            .filter(|name| name.as_str().is_some_and(|name| properties.contains_key(name)))
            .cloned()
            .collect();
        if !required.is_empty() {
            written.insert("required".to_owned(), required.into());
        }
        if !properties.is_empty() {
            written.insert("properties".to_owned(), properties.into());
        }
    }

    /// What a `$ref` within the schema leads to; itself where there is none, or where it leads in circles.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut found = schema;
        for _ in 0..DEEPEST {
            let Some(path) = found.get("$ref").and_then(Value::as_str) else { return found };
            let Some(target) = path.strip_prefix('#').and_then(|path| self.root.pointer(path)) else {
                return found;
            };
            found = target;
        }
        found
    }
}

/// Which values are taken. Gemini names texts alone.
fn write_values(schema: &Map<String, Value>, kind: &str, written: &mut Map<String, Value>) {
    let one = schema.get("const").map(|only| vec![only.clone()]);
    let values = one.or_else(|| schema.get("enum").and_then(Value::as_array).cloned());
    if let Some(values) = values.filter(|values| kind == "string" && !values.is_empty()) {
        let texts: Vec<Value> = values.into_iter().filter(Value::is_string).collect();
        if !texts.is_empty() {
            written.insert("enum".to_owned(), texts.into());
        }
    }
    let known = FORMATS.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, formats)| formats);
    if let Some(format) = schema.get("format").and_then(Value::as_str).filter(|it| known.contains(it)) {
        written.insert("format".to_owned(), format.into());
    }
}

/// The type, and whether null is taken too; of several the first.
fn kind(schema: &Map<String, Value>) -> (Option<String>, bool) {
    let nullable = schema.get("nullable").and_then(Value::as_bool).unwrap_or(false);
    match schema.get("type") {
        Some(Value::String(kind)) if kind != "null" => (Some(kind.clone()), nullable),
        Some(Value::Array(kinds)) => {
            let mut others = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            (others.next().map(str::to_owned), nullable || kinds.iter().any(|kind| kind == "null"))
        }
        Some(Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_))
        | None => (None, nullable),
    }
}

/// The type that goes without saying.
fn implied(schema: &Map<String, Value>) -> Option<String> {
    let has = |key: &str| schema.contains_key(key);
    if has("properties") {
        Some("object".to_owned())
    } else if has("items") {
        Some("array".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_schema_is_brought_within_what_gemini_takes() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "city": { "type": ["string", "null"], "default": "Bonn", "format": "uri", "examples": ["Bonn"] },
                "unit": { "const": "metric" },
                "level": { "type": "integer", "enum": [1, 2], "format": "int32", "exclusiveMinimum": 0, "minimum": 1 },
                "near": { "$ref": "#/$defs/Place" },
                "tags": { "type": "array" },
                "either": { "oneOf": [{ "type": "string" }, { "type": "number" }, { "type": "null" }] },
                "maybe": { "anyOf": [{ "type": "boolean" }, { "type": "null" }], "description": "Perhaps" },
            },
            "required": ["city", "gone"],
            "$defs": { "Place": { "properties": { "inside": { "$ref": "#/$defs/Name" } } }, "Name": { "type": "string" } },
        });
        assert_eq!(
            for_gemini(&schema),
            Some(json!({
                "type": "object",
                "required": ["city"],
                "properties": {
                    "city": { "type": "string", "nullable": true },
                    "unit": { "type": "string", "enum": ["metric"] },
                    "level": { "minimum": 1, "type": "integer", "format": "int32" },
                    "near": { "type": "object", "properties": { "inside": { "type": "string" } } },
                    "tags": { "type": "array", "items": { "type": "string" } },
                    "either": { "anyOf": [{ "type": "string" }, { "type": "number" }], "nullable": true },
                    "maybe": { "description": "Perhaps", "type": "boolean", "nullable": true },
                },
            }))
        );
        for nothing in [json!({}), json!({ "type": "object", "properties": {} }), json!(null)] {
            assert_eq!(for_gemini(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let again = json!({ "$ref": "#" });
        let schema = json!({ "properties": {
            "a": again, "b": again, "c": again, "d": again, "loop": { "$ref": "#/properties/loop" },
        } });
        let written = for_gemini(&schema).expect("arguments").to_string();
        assert!(written.len() < 100_000, "{}", written.len());
    }

    /// Whether only what Gemini knows is left, at every depth.
    fn is_taken(schema: &Value) -> bool {
        let own = ["type", "nullable", "enum", "format", "items", "properties", "required", "anyOf"];
        let Some(object) = schema.as_object() else { return false };
        let has_kind = object.get("type").is_some_and(Value::is_string) || object.contains_key("anyOf");
        has_kind
            && object.iter().all(|(key, value)| match key.as_str() {
                "properties" => value.as_object().is_some_and(|all| all.values().all(is_taken)),
                "items" => is_taken(value),
                "anyOf" => value.as_array().is_some_and(|all| all.len() > 1 && all.iter().all(is_taken)),
                key => own.contains(&key) || PLAIN.contains(&key),
            })
    }

    fn schemas() -> impl Strategy<Value = Value> {
        let kind = prop_oneof![
            Just(json!("string")),
            Just(json!("object")),
            Just(json!("array")),
            Just(json!(["integer", "null"])),
            Just(json!("null")),
            Just(json!(7)),
            Just(json!(null)),
        ];
        let leaf = (kind.clone(), any::<bool>()).prop_map(|(kind, is_ref)| {
            if is_ref {
                json!({ "$ref": "#/properties/a" })
            } else {
                json!({ "type": kind, "default": 1, "format": "x" })
            }
        });
        leaf.prop_recursive(4, 24, 3, move |inner| {
            (kind.clone(), prop::collection::vec(inner, 0..3), 0..5_u8).prop_map(|(kind, parts, shape)| {
                let first = parts.first().cloned().unwrap_or(json!(true));
                let named: Map<String, Value> = ["a", "b", "c"].iter().map(|it| (*it).to_owned()).zip(parts.clone()).collect();
                match shape {
                    0 => json!({ "type": kind, "properties": named, "required": ["a", "z"], "additionalProperties": first }),
                    1 => json!({ "type": kind, "items": first, "const": 3 }),
                    2 => json!({ "anyOf": parts, "type": kind }),
                    3 => json!({ "oneOf": parts, "enum": ["x", 1] }),
                    _ => json!({ "properties": named, "$defs": { "a": first } }),
                }
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_a_tool_says_nothing_is_left_that_gemini_refuses(schema in schemas()) {
            if let Some(written) = for_gemini(&schema) {
                prop_assert!(is_taken(&written), "{written}");
            }
        }
    }
}
