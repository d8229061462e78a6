//! Messages of the Model Context Protocol: what the SDK reads of them, it writes back without loss; the invalid it refuses.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use tekton_sdk::contract::Tool;

use crate::{Case, Miss, Rule, Suite};

const NOT_TOOLS: Rule =
    Rule { name: "not-tools", reason: "`type` is neither `Tool` nor `ListToolsResult`: the SDK has no type for it" };
const OLDER: Rule =
    Rule { name: "older-revision", reason: "`version` is 2025-06-18 or older, which the SDK does not claim" };
const SHOULD: Rule = Rule {
    name: "schema-says",
    reason: "`schema_says` true: the schema accepts it, and the text only advises against it",
};
const AROUND: Rule = Rule {
    name: "around-tools",
    reason: "each tool of the list is valid, and the SDK has no type for the list itself",
};
const KEPT: Rule = Rule {
    name: "kept-as-it-came",
    reason: "all that the schema finds wrong lies in what the SDK passes on unread: `icons`, `execution`, `outputSchema`, and of `inputSchema` `$schema` and `properties`",
};
const NULL: Rule = Rule {
    name: "null-is-absent",
    reason: "what the schema finds wrong is a member that may be absent and is null, which many write for absent; it is read so",
};
const NO_SCHEMA: Rule = Rule {
    name: "no-json-schema",
    reason: "`required` of `inputSchema` is no list of names, so that it is no JSON Schema; the protocol's own schema of 2026-07-28 does not look there",
};

pub(crate) const SUITE: Suite = Suite {
    name: "mcp-messages",
    rules: &[NOT_TOOLS, OLDER, SHOULD, AROUND, KEPT, NULL, NO_SCHEMA],
    capabilities: &[],
    check,
};

/// The schemas of the revisions that the SDK claims.
static SCHEMAS: LazyLock<[(&str, Value); 2]> = LazyLock::new(|| {
    [
        ("2025-11-25", include_str!("../mcp-schema/schema-2025-11-25.json")),
        ("2026-07-28", include_str!("../mcp-schema/schema-2026-07-28.json")),
    ]
    .map(|(version, text)| (version, serde_json::from_str(text).expect("a schema is JSON")))
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    version: String,
    r#type: String,
    instance: Value,
    valid: bool,
    schema_says: Option<bool>,
}

fn check(case: &Case<'_>) -> Result<(), Miss> {
    let Message { version, r#type: kind, instance, valid, schema_says } = case.read()?;
    if ["2024-11-05", "2025-03-26", "2025-06-18"].contains(&version.as_str()) {
        return Err((&OLDER).into());
    }
    let known = SCHEMAS.iter().find(|(known, _)| *known == version);
    let (_, schema) = known.ok_or_else(|| format!("there is no revision {version:?} of the protocol"))?;
    if schema["$defs"].get(&kind).is_none() {
        return Err(format!("the revision {version} has no type {kind:?}").into());
    }
    if !matches!(kind.as_str(), "Tool" | "ListToolsResult") {
        return Err((&NOT_TOOLS).into());
    }
    let by_schema = schema_says.unwrap_or(valid);
    let wrong = wrong(schema, &kind, &instance)?;
    if wrong.is_empty() != by_schema {
        return Err(format!("the schema was to say {by_schema}, and finds wrong: {wrong:?}").into());
    }
    let listed = instance.get("tools").and_then(Value::as_array).map(Vec::as_slice);
    let tools = if kind == "Tool" { std::slice::from_ref(&instance) } else { listed.unwrap_or_default() };
    if valid && tools.iter().any(requires_no_names) {
        return Err((&NO_SCHEMA).into());
    }
    if valid {
        return Ok(tools.iter().try_for_each(goes_round)?);
    }
    if tools.iter().any(|tool| Tool::deserialize(tool).is_err()) {
        return Ok(());
    }
    if by_schema {
        return Err((&SHOULD).into());
    }
    let places = wrong.iter().map(|(path, _)| place(&kind, path, &instance));
    match places.max() {
        Some(Place::Kept) => Err((&KEPT).into()),
        Some(Place::Null) => Err((&NULL).into()),
        Some(Place::Around) => Err((&AROUND).into()),
        _ => Err(format!("it is read, although it is invalid: {wrong:?}").into()),
    }
}

/// Where in a message something is wrong; the last is the worst to have missed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Kept,
    Null,
    Around,
    Tool,
}

fn place(kind: &str, path: &str, instance: &Value) -> Place {
    let mut steps = path.split('/').skip(1);
    if kind == "ListToolsResult" && (steps.next() != Some("tools") || steps.next().is_none()) {
        return Place::Around;
    }
    let found = instance.pointer(path);
    match (steps.next(), steps.next()) {
        (Some("icons" | "execution"), _)
        | (Some("outputSchema"), Some(_))
        | (Some("inputSchema"), Some("$schema" | "properties")) => Place::Kept,
        (Some("outputSchema"), None) if found.is_some_and(Value::is_object) => Place::Kept,
        (Some("title" | "description" | "outputSchema" | "annotations"), _) if found.is_some_and(Value::is_null) => {
            Place::Null
        }
        _ => Place::Tool,
    }
}

/// Whether the arguments' schema is none, whatever the protocol's own schema says to it.
fn requires_no_names(tool: &Value) -> bool {
    let required = tool.get("inputSchema").and_then(|schema| schema.get("required"));
    let is_list = |required: &Value| required.as_array().is_some_and(|names| names.iter().all(Value::is_string));
    required.is_some_and(|required| !is_list(required))
}

fn goes_round(tool: &Value) -> Result<(), String> {
    let read = Tool::deserialize(tool).map_err(|error| format!("it is valid, and not read: {error}"))?;
    let mut written = serde_json::to_value(read).map_err(|error| format!("it is read, and not written: {error}"))?;
    // An empty `_meta` says as much as none.
    if tool.get("_meta").is_some_and(|meta| *meta == Value::Object(serde_json::Map::new())) {
        written["_meta"] = tool["_meta"].clone();
    }
    if written == *tool { Ok(()) } else { Err(format!("wanted {tool}, wrote {written}")) }
}

/// What the schema finds wrong: where, and what.
fn wrong(schema: &Value, kind: &str, instance: &Value) -> Result<Vec<(String, String)>, String> {
    let mut schema = schema.clone();
    schema["$ref"] = format!("#/$defs/{kind}").into();
    let validator = jsonschema::validator_for(&schema).map_err(|error| format!("the schema of {kind}: {error}"))?;
    Ok(validator.iter_errors(instance).map(|error| (error.instance_path().to_string(), error.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_sdk_must_refuse_is_told_from_what_it_passes_on() {
        let tool = json!({"title": null, "description": 5, "outputSchema": {}, "annotations": {"title": null}});
        let list = json!({"tools": [tool], "nextCursor": 5});
        for (path, wanted) in [
            ("", Place::Tool),
            ("/name", Place::Tool),
            ("/description", Place::Tool),
            ("/inputSchema", Place::Tool),
            ("/inputSchema/type", Place::Tool),
            ("/inputSchema/required/0", Place::Tool),
            ("/_meta", Place::Tool),
            ("/title", Place::Null),
            ("/annotations/title", Place::Null),
            ("/outputSchema", Place::Kept),
            ("/outputSchema/type", Place::Kept),
            ("/inputSchema/$schema", Place::Kept),
            ("/inputSchema/properties/a", Place::Kept),
            ("/icons/0", Place::Kept),
            ("/execution/taskSupport", Place::Kept),
        ] {
            assert_eq!(place("Tool", path, &tool), wanted, "{path}");
            assert_eq!(place("ListToolsResult", &format!("/tools/0{path}"), &list), wanted, "{path}");
        }
        for path in ["", "/tools", "/nextCursor"] {
            assert_eq!(place("ListToolsResult", path, &list), Place::Around, "{path}");
        }
    }
}
