//! A tool as a directory keeps it.

use super::Tool;
use crate::contract::Registration;

/// A tool of a registered component, and where it is called.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedTool {
    /// `<component id>.<operation>`: a restart replaces its own tools, replicas do not collide.
    pub id: String,
    /// `<component>_<operation>`.
    pub name: String,
    /// The component's name.
    pub component: String,
    /// The component's release.
    pub component_version: String,
    /// The component's port, if it has one.
    pub port: Option<u16>,
    /// The operation's URL, below the endpoint of the component.
    pub endpoint: String,
    /// What it may be sorted by.
    pub tags: Vec<String>,
    /// The tool, under the operation's own name.
    pub tool: Tool,
}

impl PublishedTool {
    /// A tool of this component, called at this path below its endpoint.
    #[must_use]
    pub fn new(registration: &Registration, path: &str, tool: Tool) -> Self {
        let Registration { id, name, version, endpoint, metadata, .. } = registration;
        let changes = tool.annotations.as_ref().and_then(|hints| hints.read_only_hint) == Some(false);
        Self {
            id: format!("{id}.{}", tool.name),
            name: format!("{name}_{}", tool.name),
            component: name.clone(),
            component_version: version.clone(),
            port: metadata.port,
            endpoint: format!("{endpoint}{path}"),
            tags: vec![name.clone(), if changes { "write" } else { "read" }.to_owned()],
            tool,
        }
    }
}
