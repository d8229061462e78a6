//! `baggage` of anybody.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::baggage::{Baggage, MAX_BYTES, MAX_MEMBERS};

fuzz_target!(|headers: Vec<&str>| {
    let baggage = Baggage::parse(headers.into_iter());
    let text = baggage.to_string();
    assert!(baggage.len() <= MAX_MEMBERS && text.len() <= MAX_BYTES);
    assert_eq!(Baggage::parse([text.as_str()].into_iter()), baggage);
    for (key, value) in baggage.iter() {
        assert_eq!(baggage.get(key).as_ref(), Some(&value));
    }
});
