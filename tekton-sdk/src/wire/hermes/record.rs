//! One component as the hub lists it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Metadata, RegisterRequest};
use crate::wire::lenient::{self, Object, names, number, take, text, truth};

/// One component as the hub lists it, from whichever route.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentRecord {
    /// The id the component is registered under; its name, if the hub does not say.
    pub component_id: String,
    /// The component's name; its id, if the hub does not say.
    pub name: String,
    /// The version.
    pub version: Option<String>,
    /// The type: the entry's `type`, or else `metadata.type`, the only place where `/api/components` has it.
    pub component_type: Option<String>,
    /// The base URL.
    pub endpoint: Option<String>,
    /// What the component can do.
    pub capabilities: Vec<String>,
    /// Everything else the component said of itself.
    pub metadata: Object,
    /// Whether the hub holds the component to be well; upstream's does not know it of any.
    pub healthy: Option<bool>,
    /// The last heartbeat, in seconds since the epoch; upstream's components never have one.
    pub last_heartbeat: Option<f64>,
    /// The registration, in seconds since the epoch. Of several entries with one name the newest counts.
    pub registered_at: Option<f64>,
    /// The hub's word for the component's state; upstream's is always `unknown`.
    pub status: Option<String>,
}

impl ComponentRecord {
    /// The entry that a hub keeps of a registration made at this time, in seconds since the epoch.
    ///
    /// As upstream does, the type is kept in `metadata.type`, unless the caller's metadata has one.
    #[must_use]
    pub fn registered(request: RegisterRequest, component_id: impl Into<String>, now: f64) -> Self {
        let mut metadata = request.metadata;
        metadata.entry("type").or_insert_with(|| Value::String(request.component_type));
        Self {
            component_id: component_id.into(),
            name: request.name,
            version: Some(request.version),
            component_type: metadata.get("type").and_then(Value::as_str).map(str::to_owned),
            endpoint: Some(request.endpoint),
            capabilities: request.capabilities,
            metadata,
            healthy: None,
            last_heartbeat: None,
            registered_at: Some(now),
            status: None,
        }
    }

    /// What the component said of itself, as far as it has a place in the table.
    #[must_use]
    pub fn typed_metadata(&self) -> Metadata {
        Metadata::read(&self.metadata)
    }

    /// Reads one entry in either case; nothing if it has neither an id nor a name.
    pub(super) fn read(mut entry: Object) -> Option<Self> {
        let component_id = take(&mut entry, &["component_id", "componentId"]).and_then(text);
        let name = take(&mut entry, &["name"]).and_then(text);
        let (component_id, name) = match (component_id, name) {
            (Some(id), Some(name)) => (id, name),
            (Some(one), None) | (None, Some(one)) => (one.clone(), one),
            (None, None) => return None,
        };
        let metadata = match take(&mut entry, &["metadata"]) {
            Some(Value::Object(metadata)) => metadata,
            _ => Object::new(),
        };
        let component_type = take(&mut entry, &["type", "component_type", "componentType"]).and_then(text);
        Some(Self {
            component_id,
            name,
            version: take(&mut entry, &["version"]).and_then(text),
            component_type: component_type.or_else(|| metadata.get("type").cloned().and_then(text)),
            endpoint: take(&mut entry, &["endpoint"]).and_then(text),
            capabilities: capabilities(take(&mut entry, &["capabilities"]), &metadata),
            healthy: take(&mut entry, &["healthy"]).as_ref().and_then(truth),
            last_heartbeat: take(&mut entry, &["last_heartbeat", "lastHeartbeat"]).as_ref().and_then(number),
            registered_at: take(&mut entry, &["registered_at", "registeredAt"]).as_ref().and_then(number),
            status: take(&mut entry, &["status"]).and_then(text),
            metadata,
        })
    }

    /// The body of `GET /api/components/{name}`; snake_case.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        lenient::to_bytes(&self.to_snake())
    }

    fn to_snake(&self) -> Value {
        json!({
            "component_id": self.component_id,
            "name": self.name,
            "version": self.version,
            "type": null,
            "port": null,
            "status": "unknown",
            "capabilities": self.capabilities,
            "endpoint": self.endpoint,
            "last_heartbeat": self.last_heartbeat,
            "registered_at": self.registered_at,
            "metadata": self.metadata,
        })
    }

    fn to_camel(&self) -> Value {
        json!({
            "componentId": self.component_id,
            "name": self.name,
            "version": self.version,
            "type": self.component_type,
            "endpoint": self.endpoint,
            "capabilities": self.capabilities,
            "metadata": self.metadata,
            "healthy": self.healthy,
            "lastHeartbeat": self.last_heartbeat,
        })
    }
}

/// The body of `GET /api/components`: snake_case, with `type` and `port` null and `status` `"unknown"`, as upstream's.
#[must_use]
pub fn write_components<'a>(records: impl IntoIterator<Item = &'a ComponentRecord>) -> Bytes {
    let components: Vec<Value> = records.into_iter().map(ComponentRecord::to_snake).collect();
    lenient::to_bytes(&json!({"total": components.len(), "components": components}))
}

/// The body of `POST /api/query`: a bare array in camelCase.
#[must_use]
pub fn write_query<'a>(records: impl IntoIterator<Item = &'a ComponentRecord>) -> Bytes {
    lenient::to_bytes(&records.into_iter().map(ComponentRecord::to_camel).collect::<Vec<_>>())
}

/// The entry's own list, and then the primary ones that only the metadata names.
fn capabilities(listed: Option<Value>, metadata: &Object) -> Vec<String> {
    let primary = |nested: &Object| nested.get("primary").cloned().map(names).unwrap_or_default();
    let mut capabilities = match listed {
        Some(Value::Object(nested)) => primary(&nested),
        Some(list) => names(list),
        None => Vec::new(),
    };
    if let Some(Value::Object(nested)) = metadata.get("capabilities") {
        for name in primary(nested) {
            if !capabilities.contains(&name) {
                capabilities.push(name);
            }
        }
    }
    capabilities
}
