//! An operation as `POST`, and as `GET` where that is possible.

use serde_json::{Map, Value, json};

use super::{failures, names::Names, reference, types::Types};
use crate::contract::{Operation, OperationKind, Priority, StreamKind};

/// What is written of a parameter: its name, whether it is required, and its schema with the description.
struct Field {
    name: &'static str,
    description: &'static str,
    required: bool,
    schema: Value,
}

/// The path item of an operation.
pub(super) fn item(operation: &Operation, id: &str, ids: &mut Names, types: &mut Types) -> Value {
    let field = |parameter: &crate::contract::Parameter| Field {
        name: parameter.name,
        description: parameter.description,
        required: parameter.required,
        schema: parameter.value.map_or_else(|| json!({}), |value| types.argument(value)),
    };
    let fields: Vec<_> = operation.parameters.iter().map(field).collect();
    let answer = operation.answer.map_or_else(|| json!({}), |value| types.answer(value));
    let method = |id: &str, mut parameters: Vec<Value>| {
        let common = ["Deadline", "IdempotencyKey", "Priority", "Traceparent"];
        let resumed = (operation.stream == Some(StreamKind::Resumable)).then_some("LastEventId");
        parameters.extend(common.into_iter().chain(resumed).map(|name| reference("parameters", name)));
        json!({
            "operationId": id,
            "description": operation.description,
            "tags": [match operation.kind { OperationKind::Read => "read", OperationKind::Write => "write" }],
            "x-tekton-idempotent": operation.idempotent,
            "x-tekton-priority": operation.priority.name(),
            "parameters": parameters,
            "responses": failures::beside(answer.clone(), operation.stream),
        })
    };
    let mut post = method(id, Vec::new());
    post["requestBody"] = body(operation, &fields);
    let query: Option<Vec<_>> = fields.iter().map(|field| in_query(field, types)).collect();
    match query.filter(|_| operation.kind == OperationKind::Read) {
        Some(query) => json!({ "get": method(&ids.free(&format!("{id}_get")), query), "post": post }),
        None => json!({ "post": post }),
    }
}

/// The path item under which a stream is ended.
pub(super) fn cancel() -> Value {
    json!({ "delete": {
        "description": "Ends a stream that can be resumed, at once.",
        "tags": ["control"],
        "parameters": [{
            "name": "id", "in": "path", "required": true,
            "description": "The id of the stream, as `X-Tekton-Stream` says it.",
            "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        }],
        "responses": {
            "204": { "description": "Its work has been stopped." },
            "401": reference("responses", "401"),
            "410": reference("responses", "410"),
            "429": reference("responses", "429"),
        },
    } })
}

/// One JSON object of the arguments; it may be left out where none is required.
fn body(operation: &Operation, fields: &[Field]) -> Value {
    let described = |field: &Field| {
        let mut schema = field.schema.clone();
        schema["description"] = field.description.into();
        (field.name.to_owned(), schema)
    };
    let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = json!({ "type": "object", "properties": fields.iter().map(described).collect::<Map<_, _>>() });
    if !operation.open {
        schema["additionalProperties"] = false.into();
    }
    let given = !required.is_empty();
    if given {
        schema["required"] = required.into();
    }
    json!({ "required": given, "content": { "application/json": { "schema": schema } } })
}

/// The parameter as part of a query, if it is known to be scalar. A query has no `null`: what is not given is left out.
fn in_query(field: &Field, types: &Types) -> Option<Value> {
    let schema = types.scalar(&field.schema)?;
    Some(json!({
        "name": field.name, "in": "query", "required": field.required, "description": field.description, "schema": schema,
    }))
}

/// What `components/parameters` holds.
pub(super) fn headers() -> Value {
    json!({
        "Deadline": {
            "name": "X-Tekton-Deadline-Ms", "in": "header", "required": false,
            "description": "How many milliseconds are left for the answer.",
            "schema": { "type": "integer", "minimum": 1 },
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same on every attempt of one call.",
            "schema": { "type": "string", "minLength": 1, "maxLength": crate::wire::headers::MAX_LABEL_BYTES },
        },
        "LastEventId": {
            "name": "Last-Event-ID", "in": "header", "required": false,
            "description": "The id of the last event that came, to be attached to the same stream again.",
            "schema": { "type": "string", "pattern": "^[0-9a-f]{32}-[0-9]{1,20}$" },
        },
        "Priority": {
            "name": "X-Tekton-Priority", "in": "header", "required": false,
            "description": "How much the call matters. It lowers the operation's own priority, and never raises it.",
            "schema": { "enum": Priority::ALL.map(Priority::name) },
        },
        "Traceparent": {
            "name": "traceparent", "in": "header", "required": false,
            "description": "The trace that the call belongs to (W3C Trace Context).",
            "schema": { "type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$" },
        },
    })
}
