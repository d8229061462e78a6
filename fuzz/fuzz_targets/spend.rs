//! What a call may spend and has spent, as anybody sends it.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::{headers, spend};

fuzz_target!(|values: Vec<&[u8]>| {
    let mut sent = HeaderMap::new();
    for value in values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            sent.append(headers::BUDGET, value.clone());
            sent.append(headers::SPENT, value);
        }
    }
    if let Ok(Some(read)) = spend::allowance(&sent) {
        let mut again = HeaderMap::new();
        again.extend(read.to_header().map(|value| (headers::BUDGET, value)));
        assert_eq!(spend::allowance(&again).ok().flatten(), Some(read));
    }
    assert_eq!(spend::spent(&sent).is_some(), matches!(spend::allowance(&sent), Ok(Some(_))));
});
