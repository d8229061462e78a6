//! What a component sends to the hub; and how a hub reads it.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::{Metadata, Refusal, refusal::Fields};
use crate::wire::lenient::{self, Object};

/// The body of a registration.
///
/// ```
/// use tekton_sdk::wire::hermes::RegisterRequest;
///
/// let request = RegisterRequest::new("summarizer", "1.2.0", "http://127.0.0.1:8105")
///     .with_component_id("summarizer-blue")
///     .with_capabilities(["text.summarize"]);
/// assert_eq!(
///     request.to_bytes(),
///     r#"{"component_id":"summarizer-blue","name":"summarizer","version":"1.2.0","type":"summarizer","#.to_owned()
///         + r#""endpoint":"http://127.0.0.1:8105","capabilities":["text.summarize"],"metadata":{}}"#
/// );
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegisterRequest {
    /// The id to register under. Without one the hub makes a new entry at every registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_id: Option<String>,
    /// The component's name.
    pub name: String,
    /// The component's version.
    pub version: String,
    /// The type; upstream's components send their name.
    #[serde(rename = "type")]
    pub component_type: String,
    /// The base URL under which the component is reached.
    pub endpoint: String,
    /// What the component can do.
    pub capabilities: Vec<String>,
    /// Everything else. A `type` in it wins over [`component_type`](Self::component_type) in what the hub lists.
    pub metadata: Object,
}

impl RegisterRequest {
    /// A registration whose type is the name.
    pub fn new(name: impl Into<String>, version: impl Into<String>, endpoint: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            component_id: None,
            component_type: name.clone(),
            name,
            version: version.into(),
            endpoint: endpoint.into(),
            capabilities: Vec::new(),
            metadata: Object::new(),
        }
    }

    /// Sets the id to register under.
    #[must_use]
    pub fn with_component_id(mut self, id: impl Into<String>) -> Self {
        self.component_id = Some(id.into());
        self
    }

    /// Sets the type.
    #[must_use]
    pub fn with_type(mut self, component_type: impl Into<String>) -> Self {
        self.component_type = component_type.into();
        self
    }

    /// Sets the capabilities.
    #[must_use]
    pub fn with_capabilities(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.capabilities = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: &Metadata) -> Self {
        self.metadata = metadata.to_object();
        self
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(self)
    }

    /// Reads the body as the hub does: exact types, unknown fields ignored.
    ///
    /// # Errors
    /// The [`Refusal`] the hub answers with, naming every field that is wrong.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of(body)?;
        let request = Self {
            component_id: fields.optional_text(&["component_id", "componentId"]),
            name: fields.text(&["name"]),
            version: fields.text(&["version"]),
            component_type: fields.text(&["type", "component_type"]),
            endpoint: fields.text(&["endpoint"]),
            capabilities: fields.texts("capabilities"),
            metadata: fields.object("metadata"),
        };
        fields.finish(request)
    }
}

/// The body of a heartbeat.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeartbeatRequest {
    /// The id the component is registered under.
    pub component_id: String,
    /// How the component is; the hub does not look at it.
    pub status: Object,
}

impl HeartbeatRequest {
    /// A heartbeat that says no more than that the component is there.
    pub fn new(component_id: impl Into<String>) -> Self {
        Self { component_id: component_id.into(), status: Object::new() }
    }

    /// Adds one value to the status, as `health`.
    #[must_use]
    pub fn with_status(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.status.insert(key.into(), value.into());
        self
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(self)
    }

    /// Reads the body as the hub does.
    ///
    /// # Errors
    /// The [`Refusal`] the hub answers with, naming every field that is wrong.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of(body)?;
        let request =
            Self { component_id: fields.text(&["componentId", "component_id"]), status: fields.object("status") };
        fields.finish(request)
    }
}

/// The body of a query; an empty one asks for everybody.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueryRequest {
    /// Only components that can do this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// Only components of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_type: Option<String>,
    /// Only components known to be well. Upstream knows that of none that registered over HTTP: leave it out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub healthy_only: bool,
}

impl QueryRequest {
    /// Asks for components that can do this.
    #[must_use]
    pub fn with_capability(mut self, name: impl Into<String>) -> Self {
        self.capability = Some(name.into());
        self
    }

    /// Asks for components of this type.
    #[must_use]
    pub fn with_type(mut self, component_type: impl Into<String>) -> Self {
        self.component_type = Some(component_type.into());
        self
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(self)
    }

    /// Reads the body as the hub does.
    ///
    /// # Errors
    /// The [`Refusal`] the hub answers with, naming every field that is wrong.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of(body)?;
        let request = Self {
            capability: fields.optional_text(&["capability"]),
            component_type: fields.optional_text(&["component_type", "componentType"]),
            healthy_only: fields.truth(&["healthy_only", "healthyOnly"]),
        };
        fields.finish(request)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_are_snake_case_and_read_back() {
        let heartbeat = HeartbeatRequest::new("a-1").with_status("health", "healthy");
        assert_eq!(heartbeat.to_bytes(), r#"{"component_id":"a-1","status":{"health":"healthy"}}"#);
        assert_eq!(HeartbeatRequest::read(&heartbeat.to_bytes()).unwrap(), heartbeat);
        let query = QueryRequest::default().with_capability("memory").with_type("engram");
        assert_eq!(query.to_bytes(), r#"{"capability":"memory","component_type":"engram"}"#);
        assert_eq!(QueryRequest::read(&query.to_bytes()).unwrap(), query);
        assert_eq!(QueryRequest::read(b"{}").unwrap(), QueryRequest::default());
        let request = RegisterRequest::new("a", "1", "http://x").with_component_id("a-1").with_capabilities(["c"]);
        assert_eq!(RegisterRequest::read(&request.to_bytes()).unwrap(), request);
    }

    #[test]
    fn the_hub_takes_the_aliases_it_takes_and_no_others() {
        let body = |key: &str| json!({"name": "a", "version": "1", key: "t", "endpoint": "e"}).to_string();
        assert!(RegisterRequest::read(body("type").as_bytes()).is_ok());
        assert!(RegisterRequest::read(body("component_type").as_bytes()).is_ok());
        let refusal = RegisterRequest::read(body("componentType").as_bytes()).unwrap_err();
        assert_eq!(refusal.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(HeartbeatRequest::read(br#"{"componentId":"a"}"#).unwrap().component_id, "a");
    }

    #[test]
    fn the_design_guides_registration_is_refused_field_by_field() {
        let refusal = RegisterRequest::read(br#"{"component":"a","version":1,"capabilities":["c",2]}"#).unwrap_err();
        let body: Value = serde_json::from_slice(refusal.body()).unwrap();
        let wrong: Vec<_> =
            body["detail"].as_array().unwrap().iter().map(|e| (e["type"].clone(), e["loc"].clone())).collect();
        assert_eq!(
            json!(wrong),
            json!([
                ["missing", ["body", "name"]],
                ["string_type", ["body", "version"]],
                ["missing", ["body", "type"]],
                ["missing", ["body", "endpoint"]],
                ["string_type", ["body", "capabilities", 1]],
            ])
        );
    }
}
