//! How deep a JSON text is nested, without parsing it: a raw value takes any depth, and recursion over it would not.

use memchr::{memchr2, memchr2_iter};

/// Whether arrays and objects are nested deeper than this. What is no JSON gets some answer.
pub(in crate::wire) fn deeper_than(text: &str, most: usize) -> bool {
    let text = text.as_bytes();
    // Most messages have fewer brackets than they may have levels, wherever those stand.
    if memchr2_iter(b'[', b'{', text).take(most.saturating_add(1)).count() <= most {
        return false;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at = end_of_string(text, at + 1),
            _ => {}
        }
        if depth > most {
            return true;
        }
        at += 1;
    }
    false
}

/// Where the quotation mark stands that ends a string; behind the text if none does.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if text[at] == b'"' {
            return at;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
            Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        for text in [r#"["[[[","{{{","\"[[[","\\",[]]"#, r#"{"[[[{{{":{}}"#, r#"[[""],[]]"#] {
            assert!(deeper_than(text, 1) && !deeper_than(text, 2), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_does_no_harm() {
        for text in ["", "\"", "\"\\", "\"\\\"", "]]]]", "[\"[[[[[", "}{}{}{"] {
            assert!(!deeper_than(text, 2), "{text}");
        }
        assert!(deeper_than(&"[".repeat(100_000), 99_999) && !deeper_than(&"[".repeat(100_000), 100_000));
    }

    proptest! {
        #[test]
        fn the_depth_is_that_of_the_value(value in crate::wire::arbitrary::value(&["[{\"\\"]), most in 0_usize..6) {
            prop_assert_eq!(deeper_than(&value.to_string(), most), depth(&value) > most);
        }
    }
}
