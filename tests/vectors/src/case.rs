//! One case, and how a suite reads it.

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};
use serde_json::{Map, Value};

use crate::Rule;

/// What every case may say, whatever its suite.
const COMMON: [&str; 7] = ["id", "title", "origin", "tags", "note", "comment", "requires"];

/// One case and the file around it.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) file: &'a Map<String, Value>,
    pub(crate) body: &'a Map<String, Value>,
}

impl Case<'_> {
    /// Reads what the suite knows of the case. `T` refuses unknown fields: what is not understood is not checked.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, String> {
        let own = self.body.iter().filter(|(key, _)| !COMMON.contains(&key.as_str()));
        let own: Map<_, _> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        T::deserialize(Value::Object(own)).map_err(|error| format!("the case is not understood: {error}"))
    }

    /// The capabilities that the case needs.
    pub(crate) fn requires(&self) -> Result<Vec<&str>, String> {
        let text = |value| Value::as_str(value).ok_or_else(|| format!("`requires` names {value}, which is no text"));
        match self.body.get("requires") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(all)) => all.iter().map(text).collect(),
            Some(one) => text(one).map(|one| vec![one]),
        }
    }
}

/// Why a case did not pass.
#[derive(Debug)]
pub(crate) enum Miss {
    /// What differed.
    Failed(String),
    /// By which rule it is not judged.
    Skipped(&'static Rule),
}

impl From<String> for Miss {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Miss {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

impl From<&'static Rule> for Miss {
    fn from(rule: &'static Rule) -> Self {
        Self::Skipped(rule)
    }
}

/// Header fields in order: `[[name, value], …]`, or `{name: value}`, where a value may be a list of values.
pub(crate) fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Values {
        One(String),
        Many(Vec<String>),
    }
    let read = |value: Value| match value {
        Value::Array(pairs) => {
            pairs.into_iter().map(serde_json::from_value).collect::<Result<Vec<(String, Values)>, _>>()
        }
        Value::Object(map) => map.into_iter().map(|(name, v)| Ok((name, serde_json::from_value(v)?))).collect(),
        other => serde_json::from_value::<Map<_, _>>(other).map(|_| Vec::new()),
    };
    let fields =
        read(Value::deserialize(deserializer)?).map_err(|error| D::Error::custom(format!("headers: {error}")))?;
    let flat = fields.into_iter().flat_map(|(name, values)| {
        let values = match values {
            Values::One(value) => vec![value],
            Values::Many(values) => values,
        };
        values.into_iter().map(move |value| (name.clone(), value))
    });
    Ok(flat.collect())
}
