//! CloudEvents 1.0 in the JSON format: valid ones are read and written back as they were, the others are refused.

use serde::Deserialize;
use serde_json::{Map, Value};
use tekton_sdk::wire::cloudevents::CloudEvent;

use crate::{Case, Miss, Rule, Suite};

const HTTP: Rule = Rule {
    name: "http-binding",
    reason: "`kind` is `http`: the SDK has the envelope in its JSON format and no HTTP binding",
};

pub(crate) const SUITE: Suite = Suite { name: "cloudevents", rules: &[HTTP], capabilities: &[], check };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    kind: String,
    event: Value,
    expect: Expect,
    /// What the JSON schema says: it is laxer than the text, and the text is what counts.
    #[serde(rename = "schema_says")]
    _schema_says: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    valid: bool,
}

fn check(case: &Case<'_>) -> Result<(), Miss> {
    if case.body.get("kind").and_then(Value::as_str) == Some("http") {
        return Err((&HTTP).into());
    }
    let Envelope { kind, event, expect, .. } = case.read()?;
    if kind != "json" {
        return Err(format!("the kind {kind:?} is not known").into());
    }
    match (CloudEvent::parse(event.to_string().as_bytes()), expect.valid) {
        (Err(_), false) => Ok(()),
        (Ok(_), false) => Err("it was to be refused, and was read".into()),
        (Err(error), true) => Err(format!("it was to be read: {}", error.report()).into()),
        (Ok(read), true) => {
            let written: Value = serde_json::from_str(&read.to_json()).map_err(|error| error.to_string())?;
            match written == without_nulls(&event) {
                true => Ok(()),
                false => Err(format!("it was written back as {written}").into()),
            }
        }
    }
}

/// An attribute that is null is not there; data that is null is.
fn without_nulls(event: &Value) -> Value {
    let members = event.as_object().into_iter().flatten();
    let there = members.filter(|(name, value)| *name == "data" || !value.is_null());
    Value::Object(there.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}
