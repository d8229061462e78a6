//! The configuration file as a JSON Schema, for editors.

use serde_json::{Map, Value as Json, json};

use crate::env::{Kind, POLICY_KEYS, SETTINGS};

/// The JSON Schema (draft 2020-12) of a configuration file, made from the tables that the file is read by. It stands in the
/// repository as `docs/tekton.schema.json`.
///
/// What takes more than one value to see, as a policy that extends itself, is found when the file is read.
///
/// ```
/// let schema = tekton_sdk::config::json_schema();
/// let policy = &schema["$defs"]["policy"]["properties"];
/// assert_eq!(policy["max_attempts"]["maximum"], 100);
/// assert_eq!(schema["properties"]["retry"]["additionalProperties"], false);
/// ```
#[must_use]
pub fn json_schema() -> Json {
    let mut root = Map::new();
    for setting in SETTINGS {
        put(&mut root, setting.path, value(setting.kind, setting.meaning, setting.default));
    }
    let mut policy = Map::new();
    // A section comes before its keys, and takes a flag or a table.
    for key in POLICY_KEYS {
        if key.is_section() {
            let switch = json!({"description": key.meaning, "type": ["object", "boolean"], "properties": {},
                "additionalProperties": false});
            policy.insert(key.path.to_owned(), switch);
        } else {
            put(&mut policy, key.path, value(key.kind, key.meaning, key.default));
        }
    }
    if let Some(Json::Object(fallback)) = policy.get_mut("fallback") {
        fallback.insert("minProperties".to_owned(), 1.into());
        fallback.insert("maxProperties".to_owned(), 1.into());
        // `true` does not say which.
        fallback.insert("not".to_owned(), json!({"const": true}));
    }
    let name = value(Kind::Name, "the policy that calls go by", None);
    let operation = table(json!({"policy": name}));
    let share = value(Kind::Count { min: 0, max: 100 }, "the share in percent", None);
    let weights = json!({"description": "by which weights of versions or instances the calls are divided", "type": "object",
        "additionalProperties": share});
    let target =
        table(json!({"policy": name, "weights": weights, "op": {"type": "object", "additionalProperties": operation}}));
    root.insert("policy".to_owned(), json!({"type": "object", "additionalProperties": {"$ref": "#/$defs/policy"}}));
    root.insert("target".to_owned(), json!({"type": "object", "additionalProperties": {"$ref": "#/$defs/target"}}));
    let mut schema = table(Json::Object(root));
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "tekton.toml".into();
    schema["$defs"] = json!({"policy": table(Json::Object(policy)), "target": target});
    schema
}

fn table(properties: Json) -> Json {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// Puts a key where its path says.
fn put(properties: &mut Map<String, Json>, path: &str, value: Json) {
    match path.split_once('.') {
        None => drop(properties.insert(path.to_owned(), value)),
        Some((section, key)) => {
            let section = properties.entry(section).or_insert_with(|| table(json!({})));
            section["properties"][key] = value;
        }
    }
}

fn value(kind: Kind, meaning: &str, default: Option<&str>) -> Json {
    let mut schema = match kind {
        Kind::Count { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Port => json!({"type": "integer", "minimum": 0, "maximum": u16::MAX}),
        Kind::Flag => json!({"type": "boolean"}),
        // Seconds, or a text with a unit.
        Kind::Duration { .. } => json!({"type": ["string", "number"], "minimum": 0}),
        Kind::Bytes { .. } => json!({"type": ["string", "integer"], "minimum": 0}),
        Kind::Name => json!({"type": "string", "pattern": r"^\S{1,128}$"}),
        Kind::Json => json!({}),
        _ => json!({"type": "string"}),
    };
    schema["description"] = format!("{meaning}: {}", kind.allowed()).into();
    if let Some(default) = default {
        let bare = matches!(kind, Kind::Count { .. } | Kind::Port | Kind::Flag);
        let written = bare.then(|| serde_json::from_str(default).ok()).flatten();
        schema["default"] = written.unwrap_or_else(|| default.into());
    }
    schema
}
