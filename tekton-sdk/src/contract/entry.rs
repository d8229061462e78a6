//! What a directory knows of a component.

use std::time::SystemTime;

use super::{Capability, PublishedTool, Score};
use crate::wire::hermes::Metadata;

/// A component as a directory lists it. Other languages' components are listed too, so names are as they came.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The id under which it is registered.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its release.
    pub version: String,
    /// What kind of component it is.
    pub kind: Option<String>,
    /// The URL it gave; it may be malformed.
    pub endpoint: String,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// What else it said of itself.
    pub metadata: Metadata,
    /// When it was registered.
    pub registered_at: Option<SystemTime>,
    /// When it was last heard of; upstream's Python components never are.
    pub last_heartbeat: Option<SystemTime>,
    /// Whether it is well; `None` where nobody knows.
    pub healthy: Option<bool>,
}

impl Entry {
    /// An entry that knows nothing but id, name and endpoint.
    pub fn new(id: impl Into<String>, name: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            version: String::new(),
            kind: None,
            endpoint: endpoint.into(),
            capabilities: Vec::new(),
            metadata: Metadata::default(),
            registered_at: None,
            last_heartbeat: None,
            healthy: None,
        }
    }

    /// The capability of this name, if it has it.
    #[must_use]
    pub fn capability(&self, name: &str) -> Option<&Capability> {
        self.capabilities.iter().find(|capability| capability.name == name)
    }

    /// Whether it has this capability with at least this score. One without a score passes a minimum of 0 only.
    #[must_use]
    pub fn can(&self, name: &str, min_score: Score) -> bool {
        self.capability(name).is_some_and(|c| c.score.unwrap_or(Score::ZERO) >= min_score)
    }
}

/// What a component tells a directory of itself.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// The id: `<name>-<instance>`.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its release.
    pub version: String,
    /// What kind of component it is.
    pub kind: String,
    /// The URL under which others reach it.
    pub endpoint: String,
    /// The names of what it can do; scores stand in the metadata.
    pub capabilities: Vec<String>,
    /// What else it says of itself.
    pub metadata: Metadata,
    /// Its tools, published where the directory takes any.
    pub tools: Vec<PublishedTool>,
}

impl Registration {
    /// A registration of this id, name, version and endpoint; the kind is the name.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        version: impl Into<String>,
        endpoint: impl Into<String>,
    ) -> Self {
        let name = name.into();
        Self {
            id: id.into(),
            kind: name.clone(),
            name,
            version: version.into(),
            endpoint: endpoint.into(),
            capabilities: Vec::new(),
            metadata: Metadata::default(),
            tools: Vec::new(),
        }
    }
}
