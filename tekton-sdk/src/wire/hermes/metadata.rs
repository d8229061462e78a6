//! What a component says of itself beyond the hub's own fields.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::wire::lenient::{self, Object, names, number, take, text, whole};

/// One endpoint a component serves.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointInfo {
    /// The path, as `/api/v1/summarize`.
    pub path: String,
    /// The HTTP methods it answers to.
    pub methods: Vec<String>,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl EndpointInfo {
    /// An endpoint at this path.
    pub fn new(path: impl Into<String>, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { path: path.into(), methods: methods.into_iter().map(Into::into).collect(), description: None }
    }

    /// Says what it does.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

/// The table of a registration's `metadata`.
///
/// Reading is lenient by field: one of a wrong type, or out of its range, is dropped and the others stay. Scores and
/// figures are also found in the nested form `{"capabilities": {"primary", "scores", "context_window", …}}`; where both
/// name one, the flat form wins.
///
/// ```
/// use tekton_sdk::wire::hermes::Metadata;
///
/// let read = |json| Metadata::read(&serde_json::from_str(json).unwrap());
/// let metadata = read(r#"{"port": "8105", "cost": "much", "scores": {"plan": 0.9, "act": 7}, "team": "blue"}"#);
/// assert_eq!(metadata.port, Some(8105));
/// assert_eq!(metadata.cost, None);
/// assert_eq!(metadata.scores.len(), 1);
/// assert_eq!(metadata.extra["team"], "blue");
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// What the component is for.
    pub description: Option<String>,
    /// The host it is reached at.
    pub host: Option<String>,
    /// The port it is reached at.
    pub port: Option<u16>,
    /// The path or URL of its health.
    pub health_check: Option<String>,
    /// The components it needs.
    pub dependencies: Vec<String>,
    /// What it serves.
    pub endpoints: Vec<EndpointInfo>,
    /// Which of several equal processes it is.
    pub instance: Option<String>,
    /// The API versions it speaks.
    pub api_versions: Vec<String>,
    /// How good it is at each capability, from 0 to 1.
    pub scores: BTreeMap<String, f64>,
    /// How many tokens it takes at once.
    pub context_window: Option<u64>,
    /// How long an answer takes, in seconds.
    pub avg_response_time: Option<f64>,
    /// The share of calls that succeed, from 0 to 1.
    pub success_rate: Option<f64>,
    /// What a call costs; not negative, in a unit of the mesh's choice.
    pub cost: Option<f64>,
    /// The SDK it is built with, and its version.
    pub sdk: Option<String>,
    /// Everything that has no place above. A key that has one does not count here.
    pub extra: Object,
}

impl Metadata {
    /// Reads what can be read.
    #[must_use]
    pub fn read(object: &Object) -> Self {
        let mut flat = object.clone();
        // The nested form stays in `extra` as it is, so that nothing of it is lost when it is written again.
        let mut nested = match object.get("capabilities") {
            Some(Value::Object(nested)) => nested.clone(),
            _ => Object::new(),
        };
        let list = |value: Option<Value>| value.map(names).unwrap_or_default();
        let mut metadata = Self {
            description: take(&mut flat, &["description"]).and_then(string),
            host: take(&mut flat, &["host"]).and_then(string),
            port: take(&mut flat, &["port"]).as_ref().and_then(lenient::port),
            health_check: take(&mut flat, &["health_check"]).and_then(string),
            dependencies: list(take(&mut flat, &["dependencies"])),
            endpoints: take(&mut flat, &["endpoints"]).map(endpoints).unwrap_or_default(),
            instance: take(&mut flat, &["instance"]).and_then(text),
            api_versions: list(take(&mut flat, &["api_versions"])),
            scores: scores(take(&mut nested, &["scores"])),
            context_window: either(&mut flat, &mut nested, "context_window", whole),
            avg_response_time: either(&mut flat, &mut nested, "avg_response_time", not_negative),
            success_rate: either(&mut flat, &mut nested, "success_rate", share),
            cost: either(&mut flat, &mut nested, "cost", not_negative),
            sdk: take(&mut flat, &["sdk"]).and_then(string),
            extra: Object::new(),
        };
        metadata.scores.extend(scores(take(&mut flat, &["scores"])));
        metadata.extra = flat;
        metadata
    }

    /// The capabilities that only the nested form names.
    #[must_use]
    pub fn primary(&self) -> Vec<String> {
        self.extra.get("capabilities").and_then(|nested| nested.get("primary")).cloned().map(names).unwrap_or_default()
    }

    /// The object as it travels: what is not known is left out.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let mut object = self.extra.clone();
        let mut put = |key: &str, value: Value| {
            let empty = match &value {
                Value::Null => true,
                Value::Array(list) => list.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => false,
            };
            object.remove(key);
            if !empty {
                object.insert(key.to_owned(), value);
            }
        };
        put("description", json!(self.description));
        put("host", json!(self.host));
        put("port", json!(self.port));
        put("health_check", json!(self.health_check));
        put("dependencies", json!(self.dependencies));
        put("endpoints", json!(self.endpoints));
        put("instance", json!(self.instance));
        put("api_versions", json!(self.api_versions));
        put(
            "scores",
            self.scores.iter().filter(|(_, score)| in_share(**score)).map(|(k, v)| (k.clone(), json!(v))).collect(),
        );
        put("context_window", json!(self.context_window));
        put("avg_response_time", json!(self.avg_response_time));
        put("success_rate", json!(self.success_rate));
        put("cost", json!(self.cost));
        put("sdk", json!(self.sdk));
        object
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_object().serialize(serializer)
    }
}

fn string(value: Value) -> Option<String> {
    if let Value::String(text) = value { Some(text) } else { None }
}

/// The flat form's value, or else the nested form's.
fn either<T>(flat: &mut Object, nested: &mut Object, key: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
    let flat = take(flat, &[key]);
    flat.as_ref().and_then(&read).or_else(|| take(nested, &[key]).as_ref().and_then(read))
}

fn in_share(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

fn share(value: &Value) -> Option<f64> {
    number(value).filter(|number| in_share(*number))
}

fn not_negative(value: &Value) -> Option<f64> {
    number(value).filter(|number| *number >= 0.0)
}

fn scores(value: Option<Value>) -> BTreeMap<String, f64> {
    let Some(Value::Object(scores)) = value else { return BTreeMap::new() };
    scores.into_iter().filter_map(|(name, score)| Some((name, share(&score)?))).collect()
}

fn endpoints(value: Value) -> Vec<EndpointInfo> {
    let Value::Array(entries) = value else { return Vec::new() };
    entries
        .into_iter()
        .filter_map(|entry| match entry {
            Value::String(path) => Some(EndpointInfo { path, ..EndpointInfo::default() }),
            Value::Object(mut entry) => Some(EndpointInfo {
                path: take(&mut entry, &["path"]).and_then(string)?,
                methods: match take(&mut entry, &["methods", "method"]) {
                    Some(Value::String(method)) => vec![method],
                    Some(methods) => names(methods),
                    None => Vec::new(),
                },
                description: take(&mut entry, &["description"]).and_then(string),
            }),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: Value) -> Metadata {
        Metadata::read(json.as_object().unwrap())
    }

    #[test]
    fn the_whole_table_round_trips() {
        let json = json!({"description": "d", "host": "h", "port": 8105, "health_check": "/health",
            "dependencies": ["engram"], "endpoints": [{"path": "/a", "methods": ["GET"], "description": "x"}],
            "instance": "blue", "api_versions": ["1", "2"], "scores": {"plan": 0.5}, "context_window": 100_000,
            "avg_response_time": 1.2, "success_rate": 0.98, "cost": 0.1, "sdk": "tekton-sdk/0.1.0", "team": {"a": [1]}});
        let metadata = read(json.clone());
        assert_eq!(metadata.extra.len(), 1);
        assert_eq!(Value::Object(metadata.to_object()), json);
        assert_eq!(serde_json::to_value(&metadata).unwrap(), json);
        assert_eq!(serde_json::to_value(Metadata::default()).unwrap(), json!({}));
    }

    #[test]
    fn a_wrong_field_is_dropped_and_the_others_stay() {
        let metadata =
            read(json!({"description": 7, "port": 70_000, "dependencies": {"engram": "http://x"}, "host": null,
            "endpoints": ["/a", {"path": "/b", "method": "POST"}, {"methods": []}, 3], "api_versions": [1, "2", null],
            "scores": {"low": -0.1, "high": 1.1, "nan": "NaN", "spelled": "0.5", "one": 1, "list": []},
            "context_window": -1, "success_rate": 98, "cost": -1, "avg_response_time": "1.5", "instance": 3}));
        assert_eq!(metadata.endpoints, [EndpointInfo::new("/a", [""; 0]), EndpointInfo::new("/b", ["POST"])]);
        assert_eq!(metadata.api_versions, ["1", "2"]);
        assert_eq!(metadata.scores, BTreeMap::from([("spelled".into(), 0.5), ("one".into(), 1.0)]));
        assert_eq!((metadata.avg_response_time, metadata.instance.as_deref()), (Some(1.5), Some("3")));
        let rest = Metadata {
            endpoints: Vec::new(),
            api_versions: Vec::new(),
            scores: BTreeMap::new(),
            avg_response_time: None,
            instance: None,
            ..metadata
        };
        assert_eq!(rest, Metadata::default());
    }

    #[test]
    fn the_nested_form_is_understood() {
        let json = json!({"cost": 2, "capabilities": {"primary": ["code-analysis", "debugging"],
            "scores": {"code-analysis": 0.95, "planning": 0.7}, "context_window": 100_000,
            "avg_response_time": 1.2, "success_rate": 0.98}, "scores": {"planning": 0.1}});
        let metadata = read(json);
        assert_eq!(metadata.primary(), ["code-analysis", "debugging"]);
        assert_eq!(metadata.scores, BTreeMap::from([("code-analysis".into(), 0.95), ("planning".into(), 0.1)]));
        assert_eq!(
            (metadata.context_window, metadata.success_rate, metadata.cost),
            (Some(100_000), Some(0.98), Some(2.0))
        );
        assert_eq!(read(Value::Object(metadata.to_object())), metadata);
    }

    #[test]
    fn what_has_no_json_is_not_written() {
        let metadata = Metadata {
            scores: BTreeMap::from([("nan".into(), f64::NAN), ("two".into(), 2.0)]),
            cost: Some(f64::INFINITY),
            extra: json!({"host": "other", "port": "x"}).as_object().unwrap().clone(),
            ..Metadata::default()
        };
        assert_eq!(metadata.to_object(), Object::new());
    }

    const KEYS: &[&str] = &["port", "scores", "capabilities", "endpoints", "cost", "sdk", "primary", "path"];

    proptest! {
        #[test]
        fn reading_is_total_and_settles(object in crate::wire::arbitrary::object(KEYS)) {
            let metadata = Metadata::read(&object);
            prop_assert_eq!(Metadata::read(&metadata.to_object()), metadata);
        }
    }
}
