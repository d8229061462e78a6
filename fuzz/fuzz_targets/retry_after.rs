//! `Retry-After` of anybody, read at any time.
#![no_main]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use tekton_sdk::wire::retry_after;

fuzz_target!(|input: (i64, Vec<&[u8]>)| {
    let (at, values) = input;
    let distance = Duration::from_secs(at.unsigned_abs());
    let now = if at < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    let Some(now) = now else { return };
    let mut headers = HeaderMap::new();
    for value in values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(header::RETRY_AFTER, value);
        }
    }
    assert!(retry_after::read(&headers, now).is_none_or(|wait| wait <= retry_after::MAX_WAIT));
});
