//! Tools, as components register them with the hub and as the hub lists them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::{Refusal, refusal::Fields};
use crate::{
    error::Result,
    wire::lenient::{self, Object, number, take, text},
};

/// The most tools of one listing that are read.
pub const MAX_TOOLS: usize = 10_000;

/// The body of a tool's registration. The hub keeps no other field: annotations and the schema of the answer are lost
/// unless they travel in the metadata.
///
/// ```
/// use serde_json::json;
/// use tekton_sdk::wire::hermes::ToolRequest;
///
/// let request = ToolRequest::new("engram_recall", "Recalls.", json!({"type": "object"})).with_id("engram-1.recall");
/// assert_eq!(
///     request.to_bytes(),
///     r#"{"id":"engram-1.recall","name":"engram_recall","description":"Recalls.","schema":{"type":"object"}}"#
/// );
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolRequest {
    /// The id to register under. Without one the hub makes a new entry at every registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The tool's name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The schema of its arguments.
    pub schema: Object,
    /// What it may be sorted by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Its release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it is called; the hub never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Everything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Object>,
}

impl ToolRequest {
    /// A tool of this name; a schema that is no object counts as `{}`.
    pub fn new(name: impl Into<String>, description: impl Into<String>, schema: impl Into<Value>) -> Self {
        let schema = match schema.into() {
            Value::Object(schema) => schema,
            _ => Object::new(),
        };
        let (name, description) = (name.into(), description.into());
        Self { id: None, name, description, schema, tags: None, version: None, endpoint: None, metadata: None }
    }

    /// Sets the id to register under.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the tags.
    #[must_use]
    pub fn with_tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags = Some(tags.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the release.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets where it is called.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Sets the metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Object) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(self)
    }

    /// Reads the body as the hub does: `schema` or `input_schema`, unknown fields ignored.
    ///
    /// # Errors
    /// The [`Refusal`] the hub answers with, naming every field that is wrong.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of(body)?;
        let request = Self {
            id: fields.optional_text(&["id"]),
            name: fields.text(&["name"]),
            description: fields.text(&["description"]),
            schema: fields.required_object(&["schema", "input_schema"]),
            tags: fields.optional_texts("tags"),
            version: fields.optional_text(&["version"]),
            endpoint: fields.optional_text(&["endpoint"]),
            metadata: fields.optional_object("metadata"),
        };
        fields.finish(request)
    }
}

/// One tool as the hub lists it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRecord {
    /// The id it is registered under, and executed by.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The schema of its arguments; upstream's Python tools have something else there.
    pub schema: Object,
    /// What it may be sorted by.
    pub tags: Option<Vec<String>>,
    /// Its release.
    pub version: Option<String>,
    /// Where it is called.
    pub endpoint: Option<String>,
    /// Everything else that was registered.
    pub metadata: Object,
    /// The registration, in seconds since the epoch.
    pub registered_at: Option<f64>,
}

impl ToolRecord {
    /// The entry that a hub keeps of a registration made at this time, in seconds since the epoch.
    #[must_use]
    pub fn registered(request: ToolRequest, id: impl Into<String>, now: f64) -> Self {
        let ToolRequest { name, description, schema, tags, version, endpoint, metadata, .. } = request;
        let (id, metadata) = (id.into(), metadata.unwrap_or_default());
        Self { id, name, description, schema, tags, version, endpoint, metadata, registered_at: Some(now) }
    }

    /// The body of `GET /api/mcp/v2/tools/{id}`, with a null for what is not known.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(&self.to_object())
    }

    fn to_object(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "schema": self.schema,
            "tags": self.tags,
            "version": self.version,
            "endpoint": self.endpoint,
            "metadata": self.metadata,
            "registered_at": self.registered_at,
        })
    }

    /// Reads one entry; nothing if it has no id.
    fn read(mut entry: Object) -> Option<Self> {
        let object = |value: Option<Value>| match value {
            Some(Value::Object(object)) => object,
            _ => Object::new(),
        };
        let id = take(&mut entry, &["id", "tool_id", "toolId"]).and_then(text)?;
        Some(Self {
            name: take(&mut entry, &["name"]).and_then(text).unwrap_or_else(|| id.clone()),
            description: take(&mut entry, &["description"]).and_then(text).unwrap_or_default(),
            schema: object(take(&mut entry, &["schema", "input_schema"])),
            tags: take(&mut entry, &["tags"]).map(lenient::names),
            version: take(&mut entry, &["version"]).and_then(text),
            endpoint: take(&mut entry, &["endpoint"]).and_then(text),
            metadata: object(take(&mut entry, &["metadata"])),
            registered_at: take(&mut entry, &["registered_at", "registeredAt"]).as_ref().and_then(number),
            id,
        })
    }
}

/// The body of `GET /api/mcp/v2/tools`: a bare array, nulls left out.
#[must_use]
pub fn write_tools<'a>(records: impl IntoIterator<Item = &'a ToolRecord>) -> Bytes {
    let without_nulls = |record: &ToolRecord| match record.to_object() {
        Value::Object(object) => object.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    };
    lenient::to_bytes(&records.into_iter().map(without_nulls).collect::<Vec<Value>>())
}

/// Reads a bare array, or `{"tools": […]}` as components answer. Entries that cannot be read are left out, and so is what
/// comes after the first [`MAX_TOOLS`].
///
/// # Errors
/// [`Codec`](crate::ErrorKind::Codec) if the body is neither.
pub fn read_tools(body: &[u8]) -> Result<Vec<ToolRecord>> {
    const EXPECTED: &str = "a list of tools";
    let failed =
        |source: serde_json::Error| lenient::unexpected(EXPECTED, lenient::came(body, &source)).with_source(source);
    let list = if body.trim_ascii_start().starts_with(b"{") {
        let mut whole: BTreeMap<String, &RawValue> = serde_json::from_slice(body).map_err(failed)?;
        let list = whole.remove("tools").filter(|list| list.get().starts_with('['));
        list.ok_or_else(|| lenient::unexpected(EXPECTED, "an object without a list of `tools`"))?.get().as_bytes()
    } else {
        body
    };
    // Values stay raw: one that cannot be held, as a number out of range, concerns only the entry it stands in.
    let entries: Vec<&RawValue> = serde_json::from_slice(list).map_err(failed)?;
    let read = |entry: &RawValue| ToolRecord::read(serde_json::from_str(entry.get()).ok()?);
    Ok(entries.into_iter().take(MAX_TOOLS).filter_map(read).collect())
}

/// The answer to a tool's registration, or to its removal, which has no id.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct ToolReply {
    /// Whether the hub took it; true if it does not say.
    pub success: bool,
    /// The id it is registered under: `toolId`, where upstream's Python components look for `tool_id`.
    pub tool_id: Option<String>,
    /// The hub's sentence; may be empty.
    pub message: String,
}

impl ToolReply {
    /// The answer to a registration that was taken.
    pub fn registered(tool_id: impl Into<String>) -> Self {
        Self { success: true, tool_id: Some(tool_id.into()), message: "Tool registered successfully".to_owned() }
    }

    /// The answer to a removal.
    #[must_use]
    pub fn removed() -> Self {
        Self { success: true, tool_id: None, message: "Tool unregistered successfully".to_owned() }
    }

    /// Reads the answer in either case.
    ///
    /// # Errors
    /// [`Codec`](crate::ErrorKind::Codec) if it is no object.
    pub fn read(body: &[u8]) -> Result<Self> {
        let mut object = lenient::parse_object(body, "the reply to a tool")?;
        Ok(Self {
            success: take(&mut object, &["success"]).is_none_or(|success| lenient::truth(&success) != Some(false)),
            tool_id: take(&mut object, &["tool_id", "toolId"]).and_then(text),
            message: take(&mut object, &["message"]).and_then(text).unwrap_or_default(),
        })
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut body = json!({ "success": self.success, "message": self.message });
        if let Some(id) = &self.tool_id {
            body["toolId"] = json!(id);
        }
        lenient::to_bytes(&body)
    }
}

/// The body of a tool's execution.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct ExecuteRequest {
    /// The arguments.
    pub parameters: Object,
    /// Whatever goes with them.
    pub context: Option<Object>,
}

impl ExecuteRequest {
    /// Reads the body as the hub does.
    ///
    /// # Errors
    /// The [`Refusal`] the hub answers with, naming every field that is wrong.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of(body)?;
        let request =
            Self { parameters: fields.required_object(&["parameters"]), context: fields.optional_object("context") };
        fields.finish(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_round_trips_and_nulls_are_left_out_of_lists_only() {
        let mut request = ToolRequest::new("a_b", "B.", json!({"type": "object"})).with_id("a-1.b").with_tags(["a"]);
        request.metadata = Some(Object::new());
        assert_eq!(ToolRequest::read(&request.to_bytes()).unwrap(), request);
        let record = ToolRecord::registered(request, "a-1.b", 1.5);
        let list = write_tools([&record]);
        assert!(!String::from_utf8_lossy(&list).contains("null"));
        assert!(String::from_utf8_lossy(&record.to_bytes()).contains(r#""version":null"#));
        assert_eq!(read_tools(&list).unwrap(), [record]);
    }

    #[test]
    fn a_list_is_bare_or_wrapped_and_one_bad_entry_spoils_nothing() {
        for list in [r#"[7,{"id":"x"},{"name":"no id"},{"id":"y","n":1e999}]"#, r#" {"count":1,"tools":[{"id":"x"}]}"#]
        {
            let ids: Vec<_> = read_tools(list.as_bytes()).unwrap().into_iter().map(|tool| tool.id).collect();
            assert_eq!(ids, ["x"], "{list}");
        }
        let said = |body: &str| read_tools(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(said("<html>"), "expected a list of tools, got HTML");
        assert_eq!(said("{}"), "expected a list of tools, got an object without a list of `tools`");
        assert_eq!(said(r#"[{"id""#), "expected a list of tools, got truncated JSON");
    }

    #[test]
    fn the_hub_takes_the_schema_under_two_names_and_mcps_is_neither() {
        let body = |key: &str| json!({"name": "a", "description": "b", key: {}, "tags": null}).to_string();
        assert!(ToolRequest::read(body("schema").as_bytes()).is_ok());
        assert!(ToolRequest::read(body("input_schema").as_bytes()).is_ok());
        let refusal = ToolRequest::read(body("inputSchema").as_bytes()).unwrap_err();
        let said: Value = serde_json::from_slice(refusal.body()).unwrap();
        assert_eq!((refusal.status().as_u16(), &said["detail"][0]["loc"]), (422, &json!(["body", "schema"])));
        assert_eq!(ExecuteRequest::read(b"{}").unwrap_err().status().as_u16(), 422);
    }

    #[test]
    fn a_reply_says_tool_id_in_camel_case() {
        let reply = ToolReply::registered("a-1.b");
        assert!(String::from_utf8_lossy(&reply.to_bytes()).contains(r#""toolId":"a-1.b""#));
        assert_eq!(ToolReply::read(&reply.to_bytes()).unwrap(), reply);
        assert_eq!(ToolReply::read(&ToolReply::removed().to_bytes()).unwrap().tool_id, None);
    }
}
