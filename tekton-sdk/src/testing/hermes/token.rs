//! The hub's tokens: JSON that proves itself for an hour.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::random::Random;

/// How long a token is valid, in seconds; its last second included.
pub(super) const LIFETIME: u64 = 3600;

/// What the hub makes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    /// It is JSON, but no object: upstream does not expect that and fails with 500.
    Crashed,
}

/// A token for this component, issued at this second.
pub(super) fn issue(key: &[u8], component_id: &str, token_id: &str, now: u64) -> String {
    let exp = now.saturating_add(LIFETIME);
    let payload = json!({ "component_id": component_id, "token_id": token_id, "iat": now, "exp": exp });
    let signature = hex(&mac(key, &payload).finalize().into_bytes());
    python_json(&json!({ "payload": payload, "signature": signature }))
}

/// Whether the token is this component's, unaltered, and not yet expired. The signatures are compared in constant time.
pub(super) fn verify(key: &[u8], token: &[u8], component_id: &str, now: u64) -> Verdict {
    let token = match serde_json::from_slice(token) {
        Ok(Value::Object(token)) => token,
        Ok(_) => return Verdict::Crashed,
        Err(_) => return Verdict::Refused,
    };
    let (Some(payload), Some(signature)) = (token.get("payload"), token.get("signature").and_then(Value::as_str))
    else {
        return Verdict::Refused;
    };
    let genuine = unhex(signature).is_some_and(|signature| mac(key, payload).verify_slice(&signature).is_ok());
    let current = payload.get("exp").and_then(Value::as_u64).is_some_and(|exp| now <= exp);
    let own = payload.get("component_id").and_then(Value::as_str) == Some(component_id);
    if genuine && current && own { Verdict::Accepted } else { Verdict::Refused }
}

/// A random UUID of version 4 (RFC 9562 §5.4).
pub(super) fn uuid(random: &Random) -> String {
    let mut bytes = random.trace_id();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

fn mac(key: &[u8], payload: &Value) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 §3)");
    mac.update(python_json(payload).as_bytes());
    mac
}

/// The value as Python renders it: keys sorted, `", "` and `": "` between, ASCII only.
fn python_json(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<_> = object.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (index, (key, value)) in fields.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                write_string(text, key);
                text.push_str(": ");
                write(text, value);
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                write(text, value);
            }
            text.push(']');
        }
        Value::String(string) => write_string(text, string),
        plain => text.push_str(&plain.to_string()),
    }
}

fn write_string(text: &mut String, string: &str) {
    for c in Value::from(string).to_string().chars() {
        match c {
            ' '..='~' => text.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    write!(text, "\\u{unit:04x}").expect("a String takes every text");
                }
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &[u8] = b"known key";
    const ID: &str = "ärger-1 🙂";

    #[test]
    fn a_token_is_what_python_makes() {
        let token = issue(KEY, ID, "00000000-0000-4000-8000-000000000000", 1_700_000_000);
        let payload = r#"{"component_id": "\u00e4rger-1 \ud83d\ude42", "exp": 1700003600, "iat": 1700000000, "token_id": "00000000-0000-4000-8000-000000000000"}"#;
        let signature = "8bc282b35897139584a5df655120a21adc2f39447363c95346f92cbf9bd731e4";
        assert_eq!(token, format!(r#"{{"payload": {payload}, "signature": "{signature}"}}"#));
    }

    #[test]
    fn a_token_is_valid_to_its_last_second_and_for_its_component_alone() {
        let token = issue(KEY, "a-1", "t", 1000);
        let judge = |id: &str, now: u64| verify(KEY, token.as_bytes(), id, now);
        assert_eq!(judge("a-1", 1000 + LIFETIME), Verdict::Accepted);
        assert_eq!(judge("a-1", 1001 + LIFETIME), Verdict::Refused);
        assert_eq!(judge("a-2", 1000), Verdict::Refused);
        assert_eq!(verify(b"another key", token.as_bytes(), "a-1", 1000), Verdict::Refused);
        let altered = token.replace("4600", "9999");
        assert_ne!(altered, token);
        assert_eq!(verify(KEY, altered.as_bytes(), "a-1", 1000), Verdict::Refused);
    }

    #[test]
    fn what_is_no_token_is_refused_and_json_that_is_no_object_crashes_upstream() {
        for refused in
            ["", "nonsense", "{", "{}", r#"{"payload":{},"signature":"0"}"#, r#"{"payload":1,"signature":2}"#]
        {
            assert_eq!(verify(KEY, refused.as_bytes(), "a-1", 0), Verdict::Refused, "{refused}");
        }
        for crashes in ["1", "null", "[]", r#""text""#] {
            assert_eq!(verify(KEY, crashes.as_bytes(), "a-1", 0), Verdict::Crashed, "{crashes}");
        }
    }

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        let id = uuid(&Random::seeded(1));
        assert_eq!((id.len(), id.split('-').map(str::len).collect::<Vec<_>>()), (36, vec![8, 4, 4, 4, 12]));
        assert_eq!(&id[14..15], "4");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(token in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_ne!(verify(KEY, &token, "a-1", 0), Verdict::Accepted);
        }

        #[test]
        fn every_issued_token_is_accepted(id in ".{0,30}", now in 0..u64::from(u32::MAX)) {
            let token = issue(KEY, &id, "t", now);
            prop_assert!(token.is_ascii());
            prop_assert_eq!(verify(KEY, token.as_bytes(), &id, now), Verdict::Accepted);
        }
    }
}
