//! Tools, as the hub keeps them: by id, dropping every field that it does not know.

use http::Method;
use serde_json::{Map, Value, json};

use super::{HermesDirectory, Outgoing};
use crate::{
    contract::PublishedTool,
    directory::Lease,
    error::{Error, ErrorKind, Result},
    wire::hermes::{self, ToolReply, ToolRequest, read_tools},
};

impl HermesDirectory {
    /// One after the other, so that a hub that hangs is waited for once.
    pub(super) async fn publish(&self, tools: &[PublishedTool]) -> Result<()> {
        for tool in tools {
            let body = request(tool).to_bytes();
            let answer = self.ask(Outgoing::post(hermes::TOOLS, None, Some(body))).await?;
            let reply = ToolReply::read(&answer).map_err(|error| error.with_target("hermes"))?;
            if !reply.success {
                let refused = format!("the hub refused the tool {}", tool.id);
                return Err(Error::new(ErrorKind::Rejected, refused).with_target("hermes"));
            }
        }
        Ok(())
    }

    /// Anybody may remove any tool by its id: look first whose it is.
    pub(super) async fn withdraw(&self, lease: &Lease, ids: &[String]) -> Result<usize> {
        let listed = self.ask(Outgoing::get(hermes::TOOLS)).await?;
        let listed = read_tools(&listed).map_err(|error| error.with_target("hermes"))?;
        let ours = |endpoint: &String| lease.owns(endpoint);
        let mut removed = 0;
        for tool in listed.iter().filter(|tool| ids.contains(&tool.id) && tool.endpoint.as_ref().is_some_and(ours)) {
            let path = format!("{}/{}", hermes::TOOLS, segment(&tool.id));
            match self.ask(Outgoing { method: Method::DELETE, path: path.into(), ..Outgoing::get("") }).await {
                Ok(_) => removed += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }
}

fn request(published: &PublishedTool) -> ToolRequest {
    let PublishedTool { id, name, component, component_version, port, endpoint, tags, tool } = published;
    let metadata = [
        ("component", json!(component)),
        ("component_version", json!(component_version)),
        ("port", json!(port)),
        ("title", json!(tool.title)),
        ("annotations", json!(tool.annotations)),
        ("output_schema", json!(tool.output_schema)),
        ("hash", json!(tool.hash())),
    ];
    let said = metadata.into_iter().filter(|(_, value)| !value.is_null());
    let metadata: Map<_, _> = said.map(|(key, value)| (key.to_owned(), value)).collect();
    let schema = Value::Object(tool.input_schema.as_map().clone());
    ToolRequest::new(name, tool.description.as_deref().unwrap_or_default(), schema)
        .with_id(id)
        .with_tags(tags)
        .with_version(component_version)
        .with_endpoint(endpoint)
        .with_metadata(metadata)
}

/// The text as one segment of a path (RFC 3986 §3.3).
fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => segment.push(char::from(byte)),
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}
