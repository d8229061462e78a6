//! A wanted JSON value against the text that came, digit by digit where the case asks for it.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};

/// Whether the text is this value. `{"exact_number": "1.0"}` stands for the number that is written so.
pub(crate) fn same(wanted: &Value, came: &RawValue) -> bool {
    match wanted {
        Value::Object(members) if members.len() == 1 && members.contains_key("exact_number") => {
            members["exact_number"].as_str() == Some(came.get())
        }
        Value::Object(members) => self::members(came).is_some_and(|came| {
            came.len() == members.len()
                && members.iter().all(|(name, wanted)| came.get(name).is_some_and(|came| same(wanted, came)))
        }),
        Value::Array(wanted) => serde_json::from_str::<Vec<&RawValue>>(came.get())
            .is_ok_and(|came| came.len() == wanted.len() && wanted.iter().zip(came).all(|(w, came)| same(w, came))),
        wanted => serde_json::from_str::<Value>(came.get()).is_ok_and(|came| came == *wanted),
    }
}

/// The members of an object, not parsed.
pub(crate) fn members(json: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json.get()).ok()
}

/// Whether the text is a response like this one. Of an error, the message is compared only if one is wanted.
pub(crate) fn same_response(wanted: &Value, came: &RawValue) -> bool {
    let (Some(wanted), Some(came)) = (wanted.as_object(), members(came)) else { return false };
    let same_error = |wanted: &Value, came: &RawValue| {
        let (Some(wanted), Some(came)) = (wanted.as_object(), members(came)) else { return false };
        let others = came.keys().all(|name| name == "message" || wanted.contains_key(name));
        let message = came.get("message").is_some_and(|text| text.get().starts_with('"'));
        others && message && wanted.iter().all(|(name, value)| came.get(name).is_some_and(|came| same(value, came)))
    };
    came.len() == wanted.len()
        && wanted.iter().all(|(name, value)| match came.get(name) {
            Some(came) if name == "error" => same_error(value, came),
            Some(came) => same(value, came),
            None => false,
        })
}
