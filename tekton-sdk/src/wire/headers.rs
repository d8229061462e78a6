//! The headers that components exchange.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The time that is left for the answer, in milliseconds.
pub const DEADLINE_MS: HeaderName = HeaderName::from_static("x-tekton-deadline-ms");
/// Which attempt this is; the first is 1.
pub const ATTEMPT: HeaderName = HeaderName::from_static("x-tekton-attempt");
/// The caller's component id.
pub const CALLER: HeaderName = HeaderName::from_static("x-tekton-caller");
/// The API version that the body is written for.
pub const API_VERSION: HeaderName = HeaderName::from_static("x-api-version");
/// The key that is the same on every attempt of one call.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What the call may spend; see [`spend`](super::spend).
pub const BUDGET: HeaderName = HeaderName::from_static("x-tekton-budget");
/// What the call has spent, in the answer; see [`spend`](super::spend).
pub const SPENT: HeaderName = HeaderName::from_static("x-tekton-spent");

/// How much the call matters: `low`, `normal` or `high`. It lowers what the operation itself says, and never raises it.
pub const PRIORITY: HeaderName = HeaderName::from_static("x-tekton-priority");

/// The name of a stream that can be resumed, in the head of its answer: 32 hexadecimal digits.
pub const STREAM: HeaderName = HeaderName::from_static("x-tekton-stream");
/// The id of the last event that came, when a stream is taken up again.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The longest caller or key that is read: 256 bytes.
pub const MAX_LABEL_BYTES: usize = 256;

/// Writes the remaining time; what is less than a millisecond counts as one.
pub fn set_deadline(headers: &mut HeaderMap, remaining: Duration) {
    let millis = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX).max(1);
    headers.insert(DEADLINE_MS, digits(millis));
}

/// A number as a header's value; it allocates once where `HeaderValue::from` does twice.
fn digits(mut number: u64) -> HeaderValue {
    const ZERO_TO_NINE: &[u8; 10] = b"0123456789";
    let mut text = [0; 20];
    let mut start = text.len();
    while start == text.len() || number > 0 {
        start -= 1;
        text[start] = ZERO_TO_NINE[(number % 10) as usize];
        number /= 10;
    }
    HeaderValue::from_bytes(&text[start..]).expect("digits are visible ASCII")
}

/// Reads the remaining time. What is no whole number is no deadline.
#[must_use]
pub fn deadline(headers: &HeaderMap) -> Option<Duration> {
    number(headers, &DEADLINE_MS).map(Duration::from_millis)
}

/// Writes the attempt's number.
pub fn set_attempt(headers: &mut HeaderMap, attempt: u32) {
    const FEW: [&str; 4] = ["1", "2", "3", "4"];
    let value = match FEW.get(attempt.wrapping_sub(1) as usize) {
        Some(text) => HeaderValue::from_static(text),
        None => HeaderValue::from(attempt),
    };
    headers.insert(ATTEMPT, value);
}

/// Reads the attempt's number; 0 if it is missing or no number.
#[must_use]
pub fn attempt(headers: &HeaderMap) -> u32 {
    number(headers, &ATTEMPT).and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

/// Reads a header that is a label: visible ASCII, not empty, at most [`MAX_LABEL_BYTES`].
#[must_use]
pub fn label<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?;
    (!text.is_empty() && text.len() <= MAX_LABEL_BYTES).then_some(text)
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?;
    // `parse` alone would take a plus sign.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_crosses_as_remaining_milliseconds() {
        let mut headers = HeaderMap::new();
        set_deadline(&mut headers, Duration::from_micros(1_500_900));
        assert_eq!(deadline(&headers), Some(Duration::from_millis(1500)));
        set_deadline(&mut headers, Duration::from_nanos(1));
        assert_eq!(deadline(&headers), Some(Duration::from_millis(1)));
        set_deadline(&mut headers, Duration::MAX);
        assert_eq!(deadline(&headers), Some(Duration::from_millis(u64::MAX)));
        for bad in ["", "-1", "+1", "1.5", "99999999999999999999999", "soon"] {
            headers.insert(DEADLINE_MS, HeaderValue::from_static(bad));
            assert_eq!(deadline(&headers), None, "{bad:?}");
        }
    }

    #[test]
    fn attempts_are_numbers_from_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(attempt(&headers), 0);
        for n in [1, 4, 5, u32::MAX] {
            set_attempt(&mut headers, n);
            assert_eq!(attempt(&headers), n);
        }
    }
}
