//! The operations of a component as tools: what `/mcp/tools.json` answers, and what the directory is told.

use serde_json::{Value, json};

use super::Operations;
use crate::contract::{Descriptor, PublishedTool, Registration, Tool};

/// How long a client may keep the list, in milliseconds: it changes with a release only.
const TTL_MS: u64 = 60_000;

/// The result of `tools/list`, each tool with its hash. Readers of MCP 2025-11-25 ignore all but `tools`.
pub(super) fn listing(operations: &Operations) -> Value {
    let tools: Vec<_> = operations.tools().into_iter().map(Tool::with_hash).collect();
    json!({ "tools": tools, "resultType": "complete", "ttlMs": TTL_MS, "cacheScope": "public" })
}

/// The tools under the newest API version of the component.
pub(super) fn published(
    operations: &Operations,
    descriptor: &Descriptor,
    registration: &Registration,
) -> Vec<PublishedTool> {
    let version = descriptor.api_versions.iter().max().copied().unwrap_or(1);
    let publish = |tool: Tool| {
        let path = format!("/api/v{version}/{}", tool.name);
        PublishedTool::new(registration, &path, tool)
    };
    operations.tools().into_iter().map(publish).collect()
}
