//! Whole numbers that are written with a fraction of zero.

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// Decodes JSON. For JSON Schema `3.0` is an integer (Core §4.2.3) and some languages write it so; where serde takes only `3`,
/// a second try reads it as that.
pub(super) fn decode<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(json).or_else(|error| {
        if !json.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            return Err(error);
        }
        let Ok(mut value) = serde_json::from_slice(json) else { return Err(error) };
        make_whole(&mut value);
        T::deserialize(value).map_err(|_| error)
    })
}

fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = whole(number) {
                *number = whole;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(fields) => fields.values_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Up to 2⁵³ every whole number is exact as a float; beyond it nobody knows which one was meant.
fn whole(number: &Number) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|_| number.is_f64())?;
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(Number::from(float as i64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn whole_numbers_may_have_a_fraction_of_zero() {
        assert_eq!(decode::<u8>(b"122.0").unwrap(), 122);
        assert_eq!(decode::<i64>(b"-1e3").unwrap(), -1000);
        assert_eq!(decode::<Option<u8>>(b"-0.0").unwrap(), Some(0));
        assert_eq!(decode::<BTreeMap<String, Vec<u8>>>(br#"{"a": [1.0, 2]}"#).unwrap()["a"], [1, 2]);
        assert_eq!(decode::<(u8, f64)>(b"[1.0, 2.0]").unwrap(), (1, 2.0));
        assert_eq!(decode::<f64>(b"1.5").unwrap(), 1.5);
    }

    #[test]
    fn other_numbers_are_refused_as_they_were_written() {
        for json in ["1.5", "256.0", "-1.0", "1e300", "1e999", "9007199254740994.0", "\"1.0\""] {
            assert!(decode::<u8>(json.as_bytes()).is_err(), "{json}");
            assert!(json != "9007199254740994.0" || decode::<u64>(json.as_bytes()).is_err());
        }
        let error = decode::<u8>(b"256.0").unwrap_err().to_string();
        assert!(error.contains("256.0"), "{error}");
    }
}
