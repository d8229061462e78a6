//! The failures of `docs/errors.md`, as responses that every operation shares.

use serde_json::{Map, Value, json};

use super::{reference, types::Types};
use crate::wire::problem::{self, Problem};

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
         too often, or for too much at once. `rejected`: a limit behind the operation refuses it.",
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
    FAILURES.iter().map(|(status, description)| ((*status).to_owned(), response(status, description))).collect()
}

/// What `components/headers` holds.
pub(super) fn headers() -> Value {
    json!({
        "Allow": { "description": "The methods that are served.", "schema": { "type": "string" } },
        "RetryAfter": {
            "description": "After how many seconds another try makes sense.",
            "schema": { "type": "integer", "minimum": 0 },
        },
    })
}

/// The responses of an operation that answers with this schema.
pub(super) fn beside(answer: Value) -> Map<String, Value> {
    let success = json!({ "description": "The answer.", "content": { "application/json": { "schema": answer } } });
    let failures = FAILURES.iter().map(|(status, _)| ((*status).to_owned(), reference("responses", status)));
    std::iter::once(("200".to_owned(), success)).chain(failures).collect()
}
