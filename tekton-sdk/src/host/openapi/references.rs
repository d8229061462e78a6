//! The `$ref`s of schemas, while they still say which direction they belong to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Before the name of a type that is read.
pub(super) const INPUT: &str = "#/input/";
/// Before the name of a type that is written.
pub(super) const OUTPUT: &str = "#/output/";

/// The types whose schemas are equal in both directions, and those of all that they refer to.
pub(super) fn same(input: &Map<String, Value>, output: &Map<String, Value>) -> BTreeSet<String> {
    let mut same = BTreeMap::new();
    for (name, schema) in output {
        let (mut read, mut written) = (input.get(name).cloned().unwrap_or_default(), schema.clone());
        let mut needs = Vec::new();
        each_reference(&mut read, &mut |at| *at = split(at).map_or_else(|| at.clone(), |(_, name)| name));
        each_reference(&mut written, &mut |at| {
            if let Some((_, name)) = split(at) {
                needs.push(name.clone());
                *at = name;
            }
        });
        if read == written {
            same.insert(name.clone(), needs);
        }
    }
    loop {
        let known: BTreeSet<_> = same.keys().cloned().collect();
        same.retain(|_, needs| needs.iter().all(|name| known.contains(name)));
        if same.len() == known.len() {
            return known;
        }
    }
}

/// Shows every `$ref` to `visit`.
pub(super) fn each_reference(schema: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, visit)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(at) if key == "$ref" => visit(at),
                    other => each_reference(other, visit),
                }
            }
        }
        _ => {}
    }
}

/// The direction and the name that a `$ref` speaks of.
pub(super) fn split(at: &str) -> Option<(&'static str, String)> {
    [INPUT, OUTPUT].into_iter().find_map(|from| Some((from, decoded(at.strip_prefix(from)?))))
}

/// A name out of a JSON Pointer in a URI fragment (RFC 6901 §6).
pub(super) fn decoded(name: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(name.len()), name.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.and_then(|hex| u8::from_str_radix(hex.trim_start(), 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).replace("~1", "/").replace("~0", "~")
}
