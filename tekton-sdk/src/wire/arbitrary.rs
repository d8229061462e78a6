//! Strategies for JSON of others, for the tests of the readers.

use proptest::prelude::*;
use serde_json::Value;

use super::lenient::Object;

/// Any JSON value, whose objects use these keys often.
pub(super) fn value(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (0.0..1.0).prop_map(Value::from),
        any::<String>().prop_map(Into::into),
        "-?[0-9]{1,4}(\\.[0-9])?".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((key(keys), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Any JSON object that uses these keys often.
pub(super) fn object(keys: &'static [&'static str]) -> impl Strategy<Value = Object> {
    prop::collection::vec((key(keys), value(keys)), 0..10).prop_map(|pairs| pairs.into_iter().collect())
}

fn key(keys: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(keys).prop_map(str::to_owned), 1 => any::<String>()]
}
