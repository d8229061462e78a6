//! The schemas of arguments and answers, and the names under which types are shared.
//!
//! A type that is read and one that is written can differ (`#[serde(default)]`, `skip_serializing_if`), so each direction has
//! a generator of its own. While the document is made a `$ref` says which of them it belongs to; [`Types::settle`] gives the
//! final names: one for both directions where they agree all the way down, else `…Input` for what is read.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::{
    names::{Names, sanitized},
    references::{INPUT, OUTPUT, decoded, each_reference, same, split},
};
use crate::contract::ValueType;

pub(super) struct Types {
    input: SchemaGenerator,
    output: SchemaGenerator,
}

impl Types {
    pub(super) fn new() -> Self {
        let settings = |path: &'static str| {
            let settings = SchemaSettings::draft2020_12();
            settings.with(|settings| settings.definitions_path = path.into())
        };
        Self {
            input: settings("/input").for_deserialize().into_generator(),
            output: settings("/output").for_serialize().into_generator(),
        }
    }

    /// The schema of what is read.
    pub(super) fn argument(&mut self, value: ValueType) -> Value {
        as_object(value.schema_in(&mut self.input).to_value())
    }

    /// The schema of what is written.
    pub(super) fn answer(&mut self, value: ValueType) -> Value {
        as_object(value.schema_in(&mut self.output).to_value())
    }

    /// The schema of this type when it is written.
    pub(super) fn answer_of<T: JsonSchema>(&mut self) -> Value {
        self.answer(ValueType::of::<T>())
    }

    /// An argument's schema without `null`, if all that remains is text, a number or a truth value.
    pub(super) fn scalar(&self, schema: &Value) -> Option<Value> {
        let schema = without_null(schema);
        self.is_scalar(&schema, 0).then_some(schema)
    }

    fn is_scalar(&self, schema: &Value, depth: usize) -> bool {
        if depth > 16 {
            return false;
        }
        if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix(INPUT)) {
            let definition = self.input.definitions().get(&decoded(name));
            return definition.is_some_and(|schema| self.is_scalar(schema, depth + 1));
        }
        let is_word =
            |word: &Value| matches!(word.as_str(), Some("string" | "integer" | "number" | "boolean" | "null"));
        let is_value = |value: &Value| !value.is_array() && !value.is_object();
        match (schema.get("type"), schema.get("const"), schema.get("enum"), variants(schema)) {
            (Some(Value::Array(words)), ..) => words.iter().all(is_word),
            (Some(word), ..) => is_word(word),
            (_, Some(value), ..) => is_value(value),
            (_, _, Some(Value::Array(values)), _) => values.iter().all(is_value),
            (.., Some(variants)) => variants.iter().all(|variant| self.is_scalar(variant, depth + 1)),
            _ => false,
        }
    }

    /// Gives every type its final name, in the document too, and returns what `components/schemas` holds.
    pub(super) fn settle(mut self, document: &mut Value) -> Value {
        let (input, output) = (self.input.take_definitions(true), self.output.take_definitions(true));
        let same = same(&input, &output);
        let (mut names, mut schemas, mut renamed) = (Names::default(), Map::new(), BTreeMap::new());
        for (name, schema) in output {
            let settled = names.free(&sanitized(&name));
            schemas.insert(settled.clone(), schema);
            if same.contains(&name) {
                renamed.insert((INPUT, name.clone()), settled.clone());
            }
            renamed.insert((OUTPUT, name), settled);
        }
        for (name, schema) in input.into_iter().filter(|(name, _)| !same.contains(name)) {
            let plain = sanitized(&name);
            let taken = schemas.contains_key(&plain);
            let settled = names.free(&if taken { format!("{plain}Input") } else { plain });
            schemas.insert(settled.clone(), schema);
            renamed.insert((INPUT, name), settled);
        }
        let mut schemas = Value::Object(schemas);
        let mut rename = |at: &mut String| {
            let found = split(at).and_then(|key| renamed.get(&key));
            if let Some(name) = found {
                *at = format!("#/components/schemas/{name}");
            }
        };
        each_reference(document, &mut rename);
        each_reference(&mut schemas, &mut rename);
        schemas
    }
}

/// A schema may be `true` or `false`; as an object it can be added to.
fn as_object(schema: Value) -> Value {
    match schema {
        Value::Bool(true) => Value::Object(Map::new()),
        Value::Bool(false) => serde_json::json!({ "not": {} }),
        other => other,
    }
}

fn variants(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array)
}

/// The schema with `null` taken out of its types and variants.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let Some(fields) = schema.as_object_mut() else { return schema };
    for key in ["type", "enum", "anyOf", "oneOf"] {
        let Some(Value::Array(all)) = fields.get_mut(key) else { continue };
        all.retain(|one| !one.is_null() && one != "null" && one.get("type").is_none_or(|word| word != "null"));
        if let ("type" | "anyOf" | "oneOf", [only]) = (key, all.as_slice()) {
            let only = only.clone();
            match (key, only) {
                ("type", word) => drop(fields.insert(key.to_owned(), word)),
                (_, Value::Object(variant)) => {
                    fields.remove(key);
                    fields.extend(variant);
                }
                _ => {}
            }
        }
    }
    schema
}
