//! What all spans say in the same way.

use tracing::Span;

use crate::wire::trace::TraceContext;

/// Writes the ids of a trace into the fields `trace_id` and `span_id`, in hex, so that a log line finds its trace.
pub(crate) fn record_trace(span: &Span, trace: &TraceContext) {
    let text = trace.to_ascii();
    let part = |from: usize, to: usize| text.get(from..to).and_then(|part| std::str::from_utf8(part).ok());
    span.record("trace_id", part(3, 35));
    span.record("span_id", part(36, 52));
}

/// A method as a name of few values: what is no method of the standard is `_OTHER`.
#[must_use]
pub(crate) fn method_name(method: &http::Method) -> &'static str {
    use http::Method;
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}
