//! The hub's tools, kept by id and executed by nobody.

use http::{Method, StatusCode};
use serde_json::json;

use super::{
    hub::Hub,
    routes::{Asked, answer, decoded},
};
use crate::{
    transport::Response,
    wire::hermes::{self, ExecuteRequest, Refusal, ToolReply, ToolRequest, write_tools},
};

impl Hub {
    /// A registration, or the list.
    pub(super) fn tools(&self, asked: &Asked) -> Result<Response, Refusal> {
        if asked.method == Method::GET {
            return Ok(answer(self.look(|state| write_tools(&state.tools))));
        }
        let id = self.insert_tool(ToolRequest::read(&asked.body)?);
        Ok(answer(ToolReply::registered(id).to_bytes()))
    }

    /// One tool, or its removal.
    pub(super) fn tool(&self, asked: &Asked) -> Result<Response, Refusal> {
        let id = asked.tool_id();
        if asked.method == Method::GET {
            let found =
                self.look(|state| state.tools.iter().find(|tool| tool.id == id).map(hermes::ToolRecord::to_bytes));
            return found.map(answer).ok_or_else(Refusal::tool_not_found);
        }
        let removed = self.change(|state| {
            let before = state.tools.len();
            state.tools.retain(|tool| tool.id != id);
            state.tools.len() < before
        });
        if removed { Ok(answer(ToolReply::removed().to_bytes())) } else { Err(Refusal::tool_not_found()) }
    }

    /// Upstream never calls the endpoint: the result is a placeholder, and a tool without one cannot be executed.
    pub(super) fn execute(&self, asked: &Asked) -> Result<Response, Refusal> {
        let ExecuteRequest { parameters, .. } = ExecuteRequest::read(&asked.body)?;
        let id = asked.tool_id();
        let failed = |what: String| Refusal::new(StatusCode::BAD_REQUEST, &what);
        let tool = self.look(|state| state.tools.iter().find(|tool| tool.id == id).cloned());
        let tool = tool.ok_or_else(|| failed(format!("Tool not found: {id}")))?;
        let Some(endpoint) = tool.endpoint else {
            return Err(failed(format!("Tool {id} has no endpoint")));
        };
        let body = json!({
            "success": true,
            "tool_id": tool.id,
            "tool_name": tool.name,
            "result": { "message": format!("Would call {endpoint}"), "parameters": parameters },
            "execution_time": 0.1,
        });
        Ok(answer(body.to_string().into()))
    }
}

impl Asked {
    fn tool_id(&self) -> String {
        tool_of(&self.path).map(|(id, _)| decoded(id)).unwrap_or_default()
    }
}

/// The id in `/api/mcp/v2/tools/{id}`, still encoded, and whether it is to be executed.
pub(super) fn tool_of(path: &str) -> Option<(&str, bool)> {
    let rest = path.strip_prefix(hermes::TOOLS)?.strip_prefix('/')?;
    let (id, execute) = rest.strip_suffix("/execute").map_or((rest, false), |id| (id, true));
    (!id.is_empty() && !id.contains('/')).then_some((id, execute))
}

#[cfg(test)]
mod tests;
