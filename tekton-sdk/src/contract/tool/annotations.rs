//! What a tool does to the world.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::contract::{Operation, OperationKind};

/// Hints on what a tool does to the world; a client trusts them as far as it trusts the component.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolAnnotations {
    /// A title, where the tool itself has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// Whether it may destroy something, and not only add to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// Whether twice has the same outcome as once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// Whether it reaches beyond a closed domain, as a web search does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
    /// Every other member.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ToolAnnotations {
    /// A read changes nothing; a write destroys, unless it is idempotent. What the operation says itself wins.
    #[must_use]
    pub fn of(operation: &Operation) -> Self {
        let read_only = operation.kind == OperationKind::Read;
        let destructive = operation.destructive.unwrap_or(!read_only && !operation.idempotent);
        Self {
            title: None,
            read_only_hint: Some(read_only),
            destructive_hint: Some(destructive),
            idempotent_hint: Some(operation.idempotent),
            open_world_hint: operation.open_world,
            other: Map::new(),
        }
    }
}
