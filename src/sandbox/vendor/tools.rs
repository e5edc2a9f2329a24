//! Tools in requests: what is offered, what was called and what came of it, in each vendor's notation and by its rules.

use serde_json::{Value, json};

use super::pictures::Rules;

/// What of tools stands in a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tooling {
    /// The names of what may be called.
    pub(super) offered: Vec<String>,
    /// What came of the calls of the last answer, where the request ends with that.
    pub(super) results: Vec<String>,
}

/// A call that an emulated model makes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Called {
    /// The tool.
    pub name: String,
    /// Its arguments as the model writes them: JSON, or what it takes for that.
    pub arguments: String,
}

/// A call that stands in a conversation: its id, where the vendor has such, and its tool.
type Made = (Option<String>, String);

/// The tools of a request (`body` is Gemini's without its envelope), if the vendor would take them.
pub(super) fn judged(rules: Rules, model: &str, body: &Value, messages: &[Value]) -> Result<Tooling, String> {
    let offered = offered(rules, body)?;
    let mut open: Vec<Made> = Vec::new();
    let mut results = Vec::new();
    for message in messages {
        let answers = answers(rules, message);
        if answers.is_empty() && !open.is_empty() {
            return Err(format!("a call of {} must be followed by its result", open[0].1));
        }
        if !answers.is_empty() && rules != Rules::Openai && answers.len() != open.len() {
            return Err("the number of results must equal the number of calls".to_owned());
        }
        let is_answered_before = rules == Rules::Openai && !results.is_empty() && !answers.is_empty();
        if !is_answered_before {
            results.clear();
        }
        for (id, name, text) in answers {
            let made = |(of, tool): &Made| *of == id && name.as_ref().is_none_or(|name| name == tool);
            let place = open.iter().position(made).ok_or("a result belongs to no call before it")?;
            open.remove(place);
            results.push(text);
        }
        let calls = calls(rules, model, message)?;
        if !calls.is_empty() && offered.is_empty() {
            return Err("there are calls in the conversation, and no tools are offered".to_owned());
        }
        open.extend(calls);
    }
    if open.is_empty() {
        Ok(Tooling { offered, results })
    } else {
        Err("the last calls have no results".to_owned())
    }
}

/// The names of the tools that are offered.
fn offered(rules: Rules, body: &Value) -> Result<Vec<String>, String> {
    let Some(tools) = body.get("tools") else { return Ok(Vec::new()) };
    let tools = tools.as_array().filter(|tools| !tools.is_empty()).ok_or("tools must be a list of some")?;
    let declared: Vec<(&Value, &str)> = match rules {
        Rules::Openai => tools.iter().map(|tool| (&tool["function"], "parameters")).collect(),
        Rules::Anthropic => tools.iter().map(|tool| (tool, "input_schema")).collect(),
        Rules::Gemini => {
            let all = tools.iter().filter_map(|tool| tool["functionDeclarations"].as_array()).flatten();
            all.map(|tool| (tool, "parameters")).collect()
        }
    };
    let mut names = Vec::new();
    for (tool, key) in declared {
        let name = tool["name"].as_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) || names.iter().any(|it| it == name)
        {
            return Err(format!("Invalid tool name: {name:?}"));
        }
        match (tool.get(key), rules) {
            (None, Rules::Openai | Rules::Gemini) => {}
            (Some(schema), Rules::Gemini) => gemini_takes(schema)?,
            (Some(schema), Rules::Openai | Rules::Anthropic) if schema["type"] == "object" => {}
            (Some(_) | None, Rules::Openai | Rules::Anthropic) => {
                return Err(format!("{name}: {key}.type: Input should be 'object'"));
            }
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// The fields of a schema that Gemini knows (ai.google.dev/api/caching#Schema).
fn gemini_takes(schema: &Value) -> Result<(), String> {
    const KNOWN: &[&str] = &[
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "maxItems",
        "minItems",
        "required",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
    ];
    let object = schema.as_object().ok_or("a schema must be an object")?;
    for (key, value) in object {
        match key.as_str() {
            "properties" => {
                value.as_object().into_iter().flatten().try_for_each(|(_, one)| gemini_takes(one))?;
            }
            "items" => gemini_takes(value)?,
            "anyOf" => value.as_array().into_iter().flatten().try_for_each(gemini_takes)?,
            known if KNOWN.contains(&known) => {}
            unknown => {
                return Err(format!(
                    "Invalid JSON payload received. Unknown name \"{unknown}\" at 'parameters'"
                ));
            }
        }
    }
    if object.get("type") == Some(&json!("array")) && !object.contains_key("items") {
        return Err("parameters.items: missing field.".to_owned());
    }
    Ok(())
}

/// The calls in a message.
fn calls(rules: Rules, model: &str, message: &Value) -> Result<Vec<Made>, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |key: &str| message.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut made = Vec::new();
    match rules {
        Rules::Openai => {
            for call in list("tool_calls") {
                let arguments = call["function"]["arguments"].as_str().unwrap_or("?");
                if serde_json::from_str::<Value>(arguments).is_err() {
                    return Err("the arguments of a call must be JSON".to_owned());
                }
                made.push((text(&call["id"]), text(&call["function"]["name"]).unwrap_or_default()));
            }
        }
        Rules::Anthropic => {
            for block in list("content").filter(|block| block["type"] == "tool_use") {
                if !block["input"].is_object() {
                    return Err("tool_use.input: Input should be a valid dictionary".to_owned());
                }
                made.push((text(&block["id"]), text(&block["name"]).unwrap_or_default()));
            }
        }
        Rules::Gemini => {
            for part in list("parts").filter(|part| part.get("functionCall").is_some()) {
                let call = &part["functionCall"];
                if model.starts_with("gemini-3") && made.is_empty() && part.get("thoughtSignature").is_none()
                {
                    return Err(
                        "Function call is missing a thought_signature in functionCall parts.".to_owned()
                    );
                }
                made.push((text(&call["id"]), text(&call["name"]).unwrap_or_default()));
            }
        }
    }
    Ok(made)
}

/// The results in a message: the id of the call, its tool, and the text, each where the vendor has it.
fn answers(rules: Rules, message: &Value) -> Vec<(Option<String>, Option<String>, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |key: &str| message.get(key).and_then(Value::as_array).into_iter().flatten();
    match rules {
        Rules::Openai if message["role"] == "tool" => {
            vec![(text(&message["tool_call_id"]), None, text(&message["content"]).unwrap_or_default())]
        }
        Rules::Openai => Vec::new(),
        Rules::Anthropic => list("content")
            .filter(|block| block["type"] == "tool_result")
            .map(|block| (text(&block["tool_use_id"]), None, text(&block["content"]).unwrap_or_default()))
            .collect(),
        Rules::Gemini => list("parts")
            .filter_map(|part| part.get("functionResponse"))
            .map(|answer| {
                let response = &answer["response"];
                let said = text(&response["output"]).or_else(|| text(&response["error"])).unwrap_or_default();
                (text(&answer["id"]), text(&answer["name"]), said)
            })
            .collect(),
    }
}

/// The calls that a question asks for in so many words: `use tool clock_now with {}`, as often as it stands there. A tool may
/// be named without what its server is called.
pub(super) fn asked_for(question: &str, offered: &[String]) -> Vec<Called> {
    let mut calls = Vec::new();
    for rest in question.split("use tool ").skip(1) {
        let Some((name, rest)) = rest.split_once(" with ") else { continue };
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(arguments)) = values.next() else { continue };
        let is_it = |it: &&String| **it == name || it.ends_with(&format!("_{name}"));
        if let Some(name) = offered.iter().find(is_it) {
            calls.push(Called { name: name.clone(), arguments: arguments.to_string() });
        }
    }
    calls
}

/// What a model says once its calls were answered.
pub(super) fn told(results: &[String]) -> String {
    let short = |text: &String| text.chars().take(600).collect::<String>();
    let all: Vec<String> = results.iter().map(short).collect();
    format!("The tool answered:\n{}", all.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_calls_what_it_is_asked_to_and_offered() {
        let offered = ["clock_now".to_owned(), "notes_add".to_owned()];
        let question = r#"Please use tool now with {"zone": "UTC"}, then use tool notes_add with {} or use tool rm with {}."#;
        let called = |name: &str, arguments: &str| Called { name: name.into(), arguments: arguments.into() };
        assert_eq!(
            asked_for(question, &offered),
            [called("clock_now", r#"{"zone":"UTC"}"#), called("notes_add", "{}")]
        );
        assert_eq!(asked_for("use tool now with care", &offered), []);
    }

    #[test]
    fn a_call_needs_its_result_and_a_result_its_call() {
        let tools = json!({"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}}]});
        let call = json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "function": {"name": "a", "arguments": "{}"}}, {"id": "2", "function": {"name": "a", "arguments": "{}"}}]});
        let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": id});
        let judge = |messages: &[Value]| judged(Rules::Openai, "m", &tools, messages);
        let whole = judge(&[call.clone(), result("1"), result("2")]).expect("as it must be");
        assert_eq!(
            (whole.offered, whole.results),
            (vec!["a".to_owned()], vec!["1".to_owned(), "2".to_owned()])
        );
        assert!(judge(std::slice::from_ref(&call)).is_err() && judge(&[call.clone(), result("1")]).is_err());
        assert!(judge(&[call.clone(), result("1"), result("3")]).is_err() && judge(&[result("1")]).is_err());
        assert!(
            judged(Rules::Openai, "m", &json!({}), &[call, result("1"), result("2")]).is_err(),
            "no tools"
        );
    }
}
