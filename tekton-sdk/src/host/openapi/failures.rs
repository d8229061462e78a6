//! The failures of `docs/errors.md`, as responses that every operation shares.

use serde_json::{Map, Value, json};

use super::{reference, types::Types};
use crate::{
    contract::StreamKind,
    host::stream::NDJSON,
    wire::{
        problem::{self, Problem},
        sse,
    },
};

const FAILURES: [(&str, &str); 13] = [
    (
        "400",
        "`codec`: the body is not one JSON object. `malformed_budget`: the header X-Tekton-Budget cannot be read. \
         `unknown_filter`: there is no such filter.",
    ),
    ("401", "`unauthorized`: the operation does not accept who calls."),
    ("402", "`budget_exhausted`: the call may not spend as much as it costs."),
    (
        "404",
        "`not_found`: the operation says that something does not exist. `unknown_operation`, `unknown_version`, \
         `unknown_path`: there is no such operation, version or path.",
    ),
    ("405", "`method_not_allowed`: the operation is not served by this method."),
    ("409", "`conflict`: the operation says that a value has changed."),
    ("413", "`body_too_large`: the body is over the component's limit."),
    ("422", "`invalid`: arguments are missing, unknown or of the wrong type; `errors` names each."),
    (
        "429",
        "`concurrency`: as many operations run as may, and none ended in time. `rate`, `client_concurrency`: this client asks \
         too often, or for too much at once. `streams`: as many streams are kept as may be. `rejected`: a limit behind the \
         operation refuses it.",
    ),
    ("500", "`internal`: the operation failed or panicked."),
    ("502", "`dependency_failed`: a component behind the operation answered with a failure."),
    (
        "503",
        "`shed`: the component has too much to do, and gave this request up. `connections`: it has too many connections. \
         `closed`: it is starting or shutting down.",
    ),
    ("504", "`timeout`: the deadline or the operation's own limit passed."),
];

/// The further ones of streams.
const STREAMED: [(&str, &str); 2] = [
    (
        "406",
        "`stream_too_large`: the array of all items is larger than the component collects; `Accept` names another media type.",
    ),
    ("410", "`stream_gone`: there is no such stream of this caller and this request, or not any more."),
];

/// What `components/responses` holds.
pub(super) fn responses(types: &mut Types) -> Value {
    let problem = types.answer_of::<Problem>();
    let response = |status: &str, description: &str| {
        let mut response = json!({
            "description": description,
            "content": { problem::CONTENT_TYPE: { "schema": problem } },
        });
        match status {
            "405" => response["headers"] = json!({ "Allow": reference("headers", "Allow") }),
            "429" | "503" => response["headers"] = json!({ "Retry-After": reference("headers", "RetryAfter") }),
            _ => {}
        }
        response
    };
    let all = FAILURES.iter().chain(&STREAMED);
    all.map(|(status, description)| ((*status).to_owned(), response(status, description))).collect()
}

/// What `components/headers` holds.
pub(super) fn headers() -> Value {
    json!({
        "Allow": { "description": "The methods that are served.", "schema": { "type": "string" } },
        "RetryAfter": {
            "description": "After how many seconds another try makes sense.",
            "schema": { "type": "integer", "minimum": 0 },
        },
        "Stream": {
            "description": "The id of a stream that can be resumed; only where the answer is an event stream.",
            "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        },
    })
}

/// The responses of an operation that answers with this schema, once or with many of them.
pub(super) fn beside(answer: Value, stream: Option<StreamKind>) -> Map<String, Value> {
    let mut success = json!({ "description": "The answer.", "content": { "application/json": { "schema": answer } } });
    if let Some(kind) = stream {
        success = streamed(answer, kind);
    }
    let further = if stream.is_some() { &STREAMED[..] } else { &[] };
    let failures = FAILURES.iter().chain(further);
    let failures = failures.map(|(status, _)| ((*status).to_owned(), reference("responses", status)));
    std::iter::once(("200".to_owned(), success)).chain(failures).collect()
}

/// The three forms of a stream.
fn streamed(item: Value, kind: StreamKind) -> Value {
    let text = |description: &str| json!({ "schema": { "type": "string", "description": description } });
    let mut content = json!({ "application/json": { "schema": { "type": "array", "items": item } } });
    content[sse::CONTENT_TYPE] = text(
        "Each item is JSON in the data of an event without a name. `end` and `error` end the stream; `item-error` and `gap` do not.",
    );
    content[NDJSON] = text("One JSON object a line: `item`, `item_error` and `gap`; `end` or `error` at the end.");
    let mut success = json!({ "description": "All items, in the form that `Accept` names.", "content": content });
    if kind == StreamKind::Resumable {
        success["headers"] = json!({ "X-Tekton-Stream": reference("headers", "Stream") });
    }
    success
}
