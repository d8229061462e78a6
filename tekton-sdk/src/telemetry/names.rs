//! The names of metrics, labels and spans.
//!
//! [`METRICS`] is the table of all metrics; the page on observability shows the same one, and a test compares them.

/// One metric.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: MetricKind,
    /// Its labels, in the order of the documentation.
    pub labels: &'static [&'static str],
    /// What it counts or measures, as a sentence.
    pub help: &'static str,
}

/// What kind of number a metric is.
#[expect(clippy::exhaustive_enums, reason = "Prometheus has no other kind that is written here")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Seconds, counted in buckets.
    Histogram,
}

impl MetricKind {
    /// The word in the documentation and in the text that is scraped.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Counter: calls that ended, by [`SOURCE`], [`TARGET`] and [`ENDPOINT`].
pub const REQUESTS_TOTAL: &str = "integration_requests_total";
/// Histogram: how long a call took with all its attempts, by [`SOURCE`], [`TARGET`] and [`ENDPOINT`].
pub const DURATION_SECONDS: &str = "integration_duration_seconds";
/// Counter: calls that failed, by [`SOURCE`], [`TARGET`], [`ENDPOINT`] and [`KIND`].
pub const FAILURES_TOTAL: &str = "integration_failures_total";
/// Counter: attempts that ended, by [`SOURCE`], [`TARGET`], [`ENDPOINT`] and [`VERDICT`].
pub const ATTEMPTS_TOTAL: &str = "integration_attempts_total";
/// Histogram: how long an attempt took, by [`SOURCE`], [`TARGET`] and [`ENDPOINT`].
pub const ATTEMPT_DURATION_SECONDS: &str = "integration_attempt_duration_seconds";
/// Counter: further attempts, by [`TARGET`] and [`REASON`].
pub const RETRIES_TOTAL: &str = "integration_retries_total";
/// Counter: failed attempts that were not followed by another although they could be, by [`TARGET`] and [`REASON`].
pub const NOT_RETRIED_TOTAL: &str = "integration_not_retried_total";
/// Gauge: how many retries a target's budget allows at this moment, by [`TARGET`].
pub const RETRY_BUDGET_LEFT: &str = "integration_retry_budget_left";
/// Counter: attempts that were sent beside a slow one, by [`SOURCE`], [`TARGET`], [`ENDPOINT`] and [`OUTCOME`].
pub const HEDGES_TOTAL: &str = "integration_hedges_total";
/// Counter: answers that the callee did not give to the call itself, by [`SOURCE`], [`TARGET`], [`ENDPOINT`] and [`ORIGIN`].
pub const STOOD_IN_TOTAL: &str = "integration_stood_in_total";
/// Gauge: 0 closed, 1 half-open, 2 open, 3 forced open, 4 disabled, 5 metrics only; by [`BREAKER`].
pub const BREAKER_STATE: &str = "integration_breaker_state";
/// Counter: changes of a breaker's state, by [`BREAKER`], [`FROM`] and [`TO`].
pub const BREAKER_TRANSITIONS_TOTAL: &str = "integration_breaker_transitions_total";
/// Counter: calls that a breaker refused, by [`BREAKER`].
pub const BREAKER_REFUSALS_TOTAL: &str = "integration_breaker_refusals_total";
/// Counter: calls that a policy other than the breaker refused, by [`TARGET`] and [`POLICY`].
pub const POLICY_REFUSALS_TOTAL: &str = "integration_policy_refusals_total";
/// Gauge: attempts that hold a place of a bulkhead, by [`TARGET`].
pub const BULKHEAD_RUNNING: &str = "integration_bulkhead_running";
/// Gauge: attempts that wait for a place of a bulkhead, by [`TARGET`].
pub const BULKHEAD_WAITING: &str = "integration_bulkhead_waiting";
/// Gauge: attempts a second that the rate limit allows at this moment, by [`TARGET`].
pub const RATE_ALLOWED: &str = "integration_rate_allowed";
/// Gauge: instances of a component that are kept out at this moment, by [`TARGET`].
pub const INSTANCES_EJECTED: &str = "integration_instances_ejected";
/// Counter: requests that were answered, by [`COMPONENT`], [`OPERATION`] and [`STATUS`].
pub const SERVED_TOTAL: &str = "integration_served_total";
/// Histogram: how long a served operation took, by [`COMPONENT`] and [`OPERATION`].
pub const SERVED_DURATION_SECONDS: &str = "integration_served_duration_seconds";
/// Gauge: requests that are being served, by [`COMPONENT`].
pub const SERVED_IN_FLIGHT: &str = "integration_served_in_flight";
/// Counter: requests that a limit of the host refused, by [`COMPONENT`], [`OPERATION`] and [`REASON`].
pub const SERVED_REFUSED_TOTAL: &str = "integration_served_refused_total";

/// Label: the calling component.
pub const SOURCE: &str = "source";
/// Label: the called component, as the caller named it.
pub const TARGET: &str = "target";
/// Label: the operation, as the caller named it.
pub const ENDPOINT: &str = "endpoint";
/// Label: the kind of a failure, as `Timeout`.
pub const KIND: &str = "kind";
/// Label: what an attempt says about the callee: `success`, `failure`, `ignored`, or [`ABANDONED`].
pub const VERDICT: &str = "verdict";
/// Label: why.
pub const REASON: &str = "reason";
/// Label: a stage of the pipeline, as `bulkhead`.
pub const POLICY: &str = "policy";
/// Label: how an attempt beside a slow one ended: one of [`OUTCOMES`].
pub const OUTCOME: &str = "outcome";
/// Label: who gave an answer: one of [`ORIGINS`].
pub const ORIGIN: &str = "origin";
/// Label: a breaker's key.
pub const BREAKER: &str = "breaker";
/// Label: the state that was left.
pub const FROM: &str = "from";
/// Label: the state that was entered.
pub const TO: &str = "to";
/// Label: the component that serves.
pub const COMPONENT: &str = "component";
/// Label: the operation that is served; [`OTHER`] for what the component does not have.
pub const OPERATION: &str = "operation";
/// Label: the status of the answer; `499` when nobody waited for it any more.
pub const STATUS: &str = "status";
/// A label's value when the label has too many values, or one that is too long.
pub const OTHER: &str = "other";
/// The verdict of an attempt that nobody waited for any more.
pub const ABANDONED: &str = "abandoned";
/// How attempts beside a slow one end.
pub const OUTCOMES: [&str; 4] = ["won", "lost", "failed", ABANDONED];
/// Who gives an answer, if not the callee to the call itself.
pub const ORIGINS: [&str; 5] = ["shared", "cached", "value", "component", "stale"];

/// The span of one call.
pub const CALL_SPAN: &str = "tekton.call";
/// The span of one attempt.
pub const ATTEMPT_SPAN: &str = "tekton.attempt";
/// The span of one served operation.
pub const SERVE_SPAN: &str = "tekton.serve";
/// The span of one event that a listener of a component handles.
pub const LISTEN_SPAN: &str = "tekton.listen";
/// Every span.
pub const SPANS: [&str; 4] = [CALL_SPAN, ATTEMPT_SPAN, SERVE_SPAN, LISTEN_SPAN];

const CALL: &[&str] = &[SOURCE, TARGET, ENDPOINT];

const fn metric(kind: MetricKind, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind, labels, help }
}

/// Every metric, in the order of the documentation.
#[rustfmt::skip]
pub const METRICS: &[Metric] = {
    use MetricKind::{Counter, Gauge, Histogram};
    &[
        metric(Counter, REQUESTS_TOTAL, CALL,
            "Calls that ended, well, badly, or because nobody waited any more."),
        metric(Histogram, DURATION_SECONDS, CALL,
            "Seconds a call took, with all its attempts."),
        metric(Counter, FAILURES_TOTAL, &[SOURCE, TARGET, ENDPOINT, KIND],
            "Calls that failed, by the kind of the error."),
        metric(Counter, ATTEMPTS_TOTAL, &[SOURCE, TARGET, ENDPOINT, VERDICT],
            "Attempts that ended, by what they say about the callee."),
        metric(Histogram, ATTEMPT_DURATION_SECONDS, CALL,
            "Seconds an attempt took."),
        metric(Counter, RETRIES_TOTAL, &[TARGET, REASON],
            "Further attempts, by the failure that made them necessary."),
        metric(Counter, NOT_RETRIED_TOTAL, &[TARGET, REASON],
            "Failed attempts that no other one followed, by what forbade it."),
        metric(Counter, HEDGES_TOTAL, &[SOURCE, TARGET, ENDPOINT, OUTCOME],
            "Attempts that were sent beside a slow one, by how they ended."),
        metric(Counter, STOOD_IN_TOTAL, &[SOURCE, TARGET, ENDPOINT, ORIGIN],
            "Answers that came from an equal call, a cache or a fallback, by which of them."),
        metric(Gauge, RETRY_BUDGET_LEFT, &[TARGET],
            "Retries that the budget of a target allows at this moment."),
        metric(Gauge, BREAKER_STATE, &[BREAKER],
            "State of a breaker: 0 closed, 1 half-open, 2 open, 3 forced open, 4 disabled, 5 metrics only."),
        metric(Counter, BREAKER_TRANSITIONS_TOTAL, &[BREAKER, FROM, TO],
            "Changes of a breaker's state."),
        metric(Counter, BREAKER_REFUSALS_TOTAL, &[BREAKER],
            "Calls that a breaker refused."),
        metric(Counter, POLICY_REFUSALS_TOTAL, &[TARGET, POLICY],
            "Calls that a policy other than the breaker refused."),
        metric(Gauge, BULKHEAD_RUNNING, &[TARGET],
            "Attempts that hold a place of a bulkhead."),
        metric(Gauge, BULKHEAD_WAITING, &[TARGET],
            "Attempts that wait for a place of a bulkhead."),
        metric(Gauge, RATE_ALLOWED, &[TARGET],
            "Attempts a second that the rate limit allows at this moment."),
        metric(Gauge, INSTANCES_EJECTED, &[TARGET],
            "Instances of a component that are kept out at this moment."),
        metric(Counter, SERVED_TOTAL, &[COMPONENT, OPERATION, STATUS],
            "Requests for operations that were answered, by status."),
        metric(Histogram, SERVED_DURATION_SECONDS, &[COMPONENT, OPERATION],
            "Seconds a served operation took, with its wait for a place."),
        metric(Gauge, SERVED_IN_FLIGHT, &[COMPONENT],
            "Requests for operations that are being served."),
        metric(Counter, SERVED_REFUSED_TOTAL, &[COMPONENT, OPERATION, REASON],
            "Requests that a limit of the host refused, by the limit."),
    ]
};

/// The table of all metrics in Markdown, as it stands in the page on observability.
#[doc(hidden)]
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| Metric | Kind | Labels | Meaning |\n|---|---|---|---|\n");
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (metric.name, metric.kind.name(), metric.help);
        table.push_str(&format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(" ")));
    }
    table
}
