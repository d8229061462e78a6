//! The routes that every component has besides its operations.

use serde_json::{Value, json};

use super::{reference, types::Types};
use crate::wire::health::HealthBody;

/// The path items of the control routes.
pub(super) fn paths(types: &mut Types) -> Vec<(String, Value)> {
    let health = types.answer_of::<HealthBody>();
    let mut ready = get("Whether it takes calls.", ready());
    ready["get"]["responses"]["503"] = reference("responses", "503");
    let routes = [
        ("/health", get("How the component is.", health)),
        ("/live", get("Whether the process runs.", object(json!({ "status": { "const": "alive" } })))),
        ("/ready", ready),
        ("/introspect", introspect()),
        #[cfg(feature = "metrics")]
        ("/metrics", metrics()),
        #[cfg(feature = "macros")]
        ("/landmarks", landmarks()),
        ("/discovery", get("What it serves.", discovery())),
        ("/api/capabilities", get("What it can do.", capabilities())),
        ("/mcp/tools.json", get("Its operations as MCP tools.", tools())),
        ("/openapi.json", get("This document.", json!({ "type": "object" }))),
    ];
    routes.into_iter().map(|(path, item)| (path.to_owned(), item)).collect()
}

fn get(description: &str, schema: Value) -> Value {
    json!({ "get": {
        "description": description,
        "tags": ["control"],
        "responses": { "200": {
            "description": "The answer.",
            "content": { "application/json": { "schema": schema } },
        } },
    } })
}

fn introspect() -> Value {
    let mut schema = object(json!({
        "host": { "type": "object" },
        "sdk": text(),
        "calls": object(json!({ "source": text(), "pipeline": list(text()) })),
        "settings": { "type": "object" },
    }));
    // What stands there besides are the parts of the handle, each by its name.
    schema["additionalProperties"] = json!(true);
    let mut item = get("What goes on inside, if `host.introspect` allows it.", schema);
    item["get"]["responses"]["404"] = reference("responses", "404");
    item
}

#[cfg(feature = "metrics")]
fn metrics() -> Value {
    let mut item = get("Its metrics, for Prometheus.", Value::Null);
    item["get"]["responses"] = json!({
        "200": { "description": "The metrics.", "content": { "text/plain": { "schema": { "type": "string" } } } },
        "500": reference("responses", "500"),
    });
    item
}

#[cfg(feature = "macros")]
fn landmarks() -> Value {
    let names = ["id", "type", "title", "description", "file_path", "timestamp", "author", "component"];
    let mut fields = names.into_iter().map(|name| (name.to_owned(), text())).collect::<Value>();
    fields["line_number"] = json!({ "type": "integer", "minimum": 0 });
    fields["metadata"] = json!({ "type": "object" });
    fields["tags"] = list(text());
    fields["related_landmarks"] = list(text());
    let filter = |name: &str| json!({ "name": name, "in": "query", "required": false, "schema": text() });
    let mut item = get("The landmarks of the program that every filter lets through.", list(object(fields)));
    item["get"]["parameters"] = ["kind", "tag", "component", "text"].map(filter).to_vec().into();
    item["get"]["responses"]["400"] = reference("responses", "400");
    item
}

/// An object that has all of these.
fn object(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(|all| all.keys().cloned()).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn ready() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    object(json!({ "ready": { "const": true }, "component": text(), "version": text(), "timestamp": time }))
}

fn discovery() -> Value {
    let versions = list(json!({ "type": "integer", "minimum": 1 }));
    let endpoint = json!({ "path": text(), "method": text(), "description": text(), "tags": list(text()) });
    object(json!({
        "component": text(),
        "version": text(),
        "description": text(),
        "endpoints": list(object(endpoint)),
        "capabilities": list(text()),
        "dependencies": { "type": "object" },
        "metadata": object(json!({ "apiVersions": versions, "sdk": text() })),
    }))
}

/// The result of MCP's `tools/list`.
fn tools() -> Value {
    let tool = object(json!({ "name": text(), "inputSchema": { "type": "object" } }));
    object(json!({
        "tools": list(tool),
        "resultType": { "const": "complete" },
        "ttlMs": { "type": "integer", "minimum": 0 },
        "cacheScope": { "const": "public" },
    }))
}

/// What stands there besides are features, each by its name.
fn capabilities() -> Value {
    let mut schema = object(json!({
        "component": text(),
        "version": text(),
        "api_versions": list(json!({ "type": "integer", "minimum": 1 })),
        "operations": list(text()),
        "primary": list(text()),
        "scores": { "type": "object", "additionalProperties": { "type": "number", "minimum": 0, "maximum": 1 } },
        "context_window": { "type": ["integer", "null"], "minimum": 0 },
    }));
    schema["additionalProperties"] = json!({ "type": "boolean" });
    schema
}
