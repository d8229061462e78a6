//! `traceparent` and `tracestate` of anybody.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::trace::TraceContext;

fuzz_target!(|input: (&str, Vec<&str>)| {
    let (parent, states) = input;
    if let Some(context) = TraceContext::parse(parent, states.into_iter()) {
        let mut headers = http::HeaderMap::new();
        context.inject(&mut headers);
        let again = TraceContext::from_headers(&headers).expect("what we write can be read");
        assert_eq!(again.trace_id(), context.trace_id());
        assert_eq!(again.state(), context.state());
    }
});
