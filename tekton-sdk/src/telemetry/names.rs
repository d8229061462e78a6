//! The names of metrics, labels and spans.

/// Counter: calls made, by [`SOURCE`], [`TARGET`] and [`ENDPOINT`].
pub const REQUESTS_TOTAL: &str = "integration_requests_total";
/// Histogram, seconds: how long a call took with all its attempts, by [`SOURCE`], [`TARGET`] and [`ENDPOINT`].
pub const DURATION_SECONDS: &str = "integration_duration_seconds";
/// Label: the calling component.
pub const SOURCE: &str = "source";
/// Label: the called component, as the caller named it.
pub const TARGET: &str = "target";
/// Label: the operation, or the path of a raw request; [`OTHER`] once a target has too many.
pub const ENDPOINT: &str = "endpoint";
/// The label's value when a label has too many values.
pub const OTHER: &str = "other";
/// The span of one call.
pub const CALL_SPAN: &str = "tekton.call";
/// The span of one served operation.
pub const SERVE_SPAN: &str = "tekton.serve";
/// Gauge: 0 closed, 1 half-open, 2 open, 3 forced open, 4 disabled, 5 metrics only; by [`BREAKER`].
pub const BREAKER_STATE: &str = "integration_breaker_state";
/// Gauge: how many retries a target's budget allows at this moment, by [`TARGET`].
pub const RETRY_BUDGET_LEFT: &str = "integration_retry_budget_left";
/// Label: a breaker's key.
pub const BREAKER: &str = "breaker";
