//! An operation as a tool of the Model Context Protocol.

mod annotations;
mod hash;
mod published;
mod schema;

use schemars::Schema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use super::Operation;
use crate::error::FieldError;

pub use annotations::ToolAnnotations;
pub use published::PublishedTool;

/// A tool's description, as a model reads it: valid for MCP 2025-11-25 and 2026-07-28.
///
/// | operation | tool |
/// |---|---|
/// | name, title, description | the same |
/// | parameters | `inputSchema`: JSON Schema 2020-12, an object that takes no other field unless the operation is open |
/// | answer that is an object | `outputSchema`: its schema |
/// | any other answer | `outputSchema`: an object with the one field `result` |
/// | a stream | `outputSchema`: an object with the one field `result`, the list of all items |
/// | read, write, idempotent | [`ToolAnnotations`]; what the operation says explicitly wins |
///
/// Members that are not known here are kept in [`other`](Self::other).
///
/// ```
/// use tekton_sdk::contract::{Operation, Parameter, Tool};
///
/// const COUNT: Operation = Operation::read("count", "Counts the words of a text.")
///     .parameters(&[Parameter::required("text", "what to count").of::<String>()])
///     .returns::<u32>();
///
/// let tool = Tool::of(&COUNT);
/// assert_eq!(
///     serde_json::to_value(&tool)?,
///     serde_json::json!({
///         "name": "count",
///         "description": "Counts the words of a text.",
///         "inputSchema": {
///             "type": "object",
///             "properties": { "text": { "type": "string", "description": "what to count" } },
///             "required": ["text"],
///             "additionalProperties": false,
///         },
///         "outputSchema": {
///             "type": "object",
///             "properties": { "result": { "type": "integer", "format": "uint32", "minimum": 0 } },
///             "required": ["result"],
///         },
///         "annotations": { "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true },
///     })
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// What it is called.
    pub name: String,
    /// What people are shown as its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    pub input_schema: ObjectSchema,
    /// The JSON Schema of its answer, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Map<String, Value>>,
    /// Hints on what it does to the world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<ToolAnnotations>,
    /// What was added under keys with a prefix; the [hash](Self::hash) does not look at it.
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// Every other member.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Tool {
    /// The key of the hash in [`meta`](Self::meta).
    pub const HASH_KEY: &str = "tekton/hash";

    /// The tool that an operation is.
    #[must_use]
    pub fn of(operation: &Operation) -> Self {
        Self {
            name: operation.name.to_owned(),
            title: operation.title.map(str::to_owned),
            description: Some(operation.description.to_owned()),
            input_schema: schema::input(operation),
            output_schema: operation.answer.map(|answer| schema::output(answer, operation.stream.is_some())),
            annotations: Some(ToolAnnotations::of(operation)),
            meta: Map::new(),
            other: Map::new(),
        }
    }

    /// The SHA-256 of its canonical JSON (keys sorted, no blanks, without `_meta`) in hexadecimal digits: equal for equal
    /// tools, in every process and release.
    #[must_use]
    pub fn hash(&self) -> String {
        hash::of(&Self { meta: Map::new(), ..self.clone() })
    }

    /// Adds its hash to [`meta`](Self::meta), under [`HASH_KEY`](Self::HASH_KEY).
    #[must_use]
    pub fn with_hash(mut self) -> Self {
        let hash = self.hash();
        self.meta.insert(Self::HASH_KEY.to_owned(), hash.into());
        self
    }

    /// Checks what a hand-written `JsonSchema` can get wrong, and names all of it: an answer that is said to be an object and
    /// cannot be one, a reference to nothing.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let mut wrong = schema::problems("inputSchema", self.input_schema.as_map());
        wrong.extend(self.output_schema.iter().flat_map(|output| schema::problems("outputSchema", output)));
        wrong
    }
}

/// A JSON Schema of objects: `"type": "object"` stands at its root.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ObjectSchema(Map<String, Value>);

impl ObjectSchema {
    /// The schema as JSON.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl From<ObjectSchema> for Schema {
    fn from(ObjectSchema(map): ObjectSchema) -> Self {
        map.into()
    }
}

impl<'de> Deserialize<'de> for ObjectSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        if map.get("type").and_then(Value::as_str) != Some("object") {
            return Err(D::Error::custom(r#"the schema of arguments needs "type": "object""#));
        }
        match map.get("required") {
            Some(required) if !schema::is_list_of_names(required) => {
                Err(D::Error::custom("`required` is no list of names"))
            }
            _ => Ok(Self(map)),
        }
    }
}

#[cfg(test)]
mod tests;
