//! Failures of any dialect.
#![no_main]

use http::{HeaderMap, HeaderValue, StatusCode, header};
use libfuzzer_sys::fuzz_target;
use tekton_sdk::{RemoteError, wire::problem::read_failure};

fuzz_target!(|input: (u16, &[u8], &[u8])| {
    let (status, retry_after, body) = input;
    let Ok(status) = StatusCode::from_u16(100 + status % 900) else { return };
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(retry_after) {
        headers.insert(header::RETRY_AFTER, value);
    }
    let error = read_failure(status, &headers, &body.to_vec().into(), std::time::SystemTime::UNIX_EPOCH);
    assert!(error.to_string().len() < 4096);
    assert!(error.remote().is_some_and(|remote| remote.body().len() <= RemoteError::MAX_BODY_BYTES));
});
