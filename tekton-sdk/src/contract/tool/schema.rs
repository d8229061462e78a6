//! The JSON Schemas (2020-12) of a tool's arguments and of its answer.

use std::collections::BTreeSet;

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::ObjectSchema;
use crate::{
    contract::{Operation, ValueType},
    error::FieldError,
};

type Object = Map<String, Value>;

const DEFINITIONS: &str = "$defs";
/// How far references and alternatives are followed.
const MAX_DEPTH: usize = 32;

/// An object of the parameters. One generator makes all of them, so types of one name do not collide.
pub(super) fn input(operation: &Operation) -> ObjectSchema {
    let mut generator = SchemaGenerator::default();
    let mut properties = Object::new();
    for parameter in operation.parameters {
        let mut schema = parameter.value.map(|value| object(value.schema_in(&mut generator))).unwrap_or_default();
        if !parameter.description.is_empty() {
            schema.insert("description".to_owned(), parameter.description.into());
        }
        properties.insert(parameter.name.to_owned(), schema.into());
    }
    let required: Vec<_> = operation.parameters.iter().filter(|p| p.required).map(|p| p.name).collect();
    let mut root = Object::new();
    root.insert("type".to_owned(), "object".into());
    let definitions = generator.take_definitions(true);
    for (key, members) in [("properties", properties), (DEFINITIONS, definitions)] {
        if !members.is_empty() {
            root.insert(key.to_owned(), members.into());
        }
    }
    if !required.is_empty() {
        root.insert("required".to_owned(), required.into());
    }
    if !operation.open {
        root.insert("additionalProperties".to_owned(), false.into());
    }
    ObjectSchema(root)
}

/// The answer as it is written, if that is an object; else an object with the answer as `result`. The answer to a stream is the
/// list of its items.
pub(super) fn output(answer: ValueType, is_stream: bool) -> Object {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = object(answer.schema_in(&mut generator));
    if is_stream {
        schema = Object::from_iter([("type".to_owned(), "array".into()), ("items".to_owned(), schema.into())]);
    }
    let mut definitions = generator.take_definitions(true);
    let mut root = if is_object(&schema, &definitions, 0) {
        let mut root = inlined(schema, &definitions);
        root.insert("type".to_owned(), "object".into());
        // MCP 2025-11-25 takes no `true` for a property of any type.
        if let Some(Value::Object(properties)) = root.get_mut("properties") {
            for property in properties.values_mut() {
                match property {
                    Value::Bool(true) => *property = json!({}),
                    Value::Bool(false) => *property = json!({ "not": {} }),
                    _ => {}
                }
            }
        }
        root
    } else {
        let wrapped = json!({ "type": "object", "properties": { "result": schema }, "required": ["result"] });
        object(Schema::try_from(wrapped).unwrap_or_default())
    };
    let used = used(&root, &definitions);
    definitions.retain(|name, _| used.contains(name));
    if !definitions.is_empty() {
        root.insert(DEFINITIONS.to_owned(), definitions.into());
    }
    root
}

/// What is wrong with a schema of objects.
pub(super) fn problems(field: &str, schema: &Object) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut say = |what: String| wrong.push(FieldError::new(field, what));
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        say(r#"must be a schema of objects, with "type": "object""#.to_owned());
    }
    match schema.get("properties") {
        None => {}
        Some(Value::Object(properties)) => {
            for (name, _) in properties.iter().filter(|(_, schema)| !schema.is_object()) {
                say(format!("the property {name:?} has no schema"));
            }
        }
        Some(_) => say("`properties` must be an object of schemas".to_owned()),
    }
    if schema.get("required").is_some_and(|required| !is_list_of_names(required)) {
        say("`required` must be a list of names".to_owned());
    }
    let whole = Value::Object(schema.clone());
    for reference in references(&whole) {
        let known = reference.strip_prefix('#').is_none_or(|pointer| whole.pointer(&decoded(pointer)).is_some());
        if !known {
            say(format!("refers to {reference:?}, and there is no such definition"));
        }
    }
    wrong
}

pub(super) fn is_list_of_names(value: &Value) -> bool {
    value.as_array().is_some_and(|names| names.iter().all(Value::is_string))
}

/// The schema as an object: `true` is `{}`.
fn object(mut schema: Schema) -> Object {
    std::mem::take(schema.ensure_object())
}

fn resolve<'a>(schema: &Object, definitions: &'a Object) -> Option<&'a Object> {
    definitions.get(&definition(schema.get("$ref")?.as_str()?)?)?.as_object()
}

/// The name in `#/$defs/<name>`.
fn definition(reference: &str) -> Option<String> {
    let name = reference.strip_prefix("#/$defs/").filter(|name| !name.contains('/'))?;
    Some(decoded(name).replace("~1", "/").replace("~0", "~"))
}

/// A fragment with its percent-encoding undone (RFC 6901 §6).
fn decoded(fragment: &str) -> String {
    // A form's `+` is a blank; a fragment's is itself.
    let form = fragment.replace('+', "%2B");
    url::form_urlencoded::parse(form.replace('&', "%26").replace('=', "%3D").as_bytes())
        .map(|(key, _)| key.into_owned())
        .next()
        .unwrap_or_default()
}

/// Whether every value of this schema is an object.
fn is_object(schema: &Object, definitions: &Object, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    let of = |schema: &Object| is_object(schema, definitions, depth + 1);
    let branches = |key: &str| schema.get(key).and_then(Value::as_array).filter(|all| !all.is_empty());
    let every = |all: &Vec<Value>| all.iter().all(|branch| branch.as_object().is_some_and(of));
    match schema.get("type") {
        Some(kind) => kind.as_str() == Some("object"),
        None => {
            resolve(schema, definitions).is_some_and(of)
                || branches("oneOf").is_some_and(every)
                || branches("anyOf").is_some_and(every)
        }
    }
}

/// The schema with the reference at its root replaced by what it refers to.
fn inlined(mut schema: Object, definitions: &Object) -> Object {
    for _ in 0..MAX_DEPTH {
        let Some(target) = resolve(&schema, definitions) else { break };
        let mut merged = target.clone();
        schema.remove("$ref");
        merged.extend(schema);
        schema = merged;
    }
    schema
}

/// The definitions that are referred to, by the root or by each other.
fn used(root: &Object, definitions: &Object) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut open: Vec<_> = root.values().flat_map(references).collect();
    while let Some(reference) = open.pop() {
        let Some(name) = definition(&reference) else { continue };
        if let Some(schema) = definitions.get(&name)
            && used.insert(name)
        {
            open.extend(references(schema));
        }
    }
    used
}

/// Every `$ref` in a schema.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Array(values) => values.iter().flat_map(references).collect(),
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(object.values().flat_map(references)).collect()
        }
        _ => Vec::new(),
    }
}
