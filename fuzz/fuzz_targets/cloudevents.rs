//! Envelopes of anybody: what is taken can be written and is the same when it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::cloudevents::CloudEvent;

fuzz_target!(|json: &[u8]| {
    let Ok(event) = CloudEvent::parse(json) else { return };
    let again = CloudEvent::parse(event.to_json().as_bytes()).expect("what was taken can be written");
    assert_eq!(again, event);
    let _ = (event.trace(), event.time(), event.extensions().count());
});
