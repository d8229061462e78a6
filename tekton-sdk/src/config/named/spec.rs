//! A named policy, and what goes by it, as they are written.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value as Json};

use super::sources::unknown_key;
use crate::{
    env::{Kind, PolicyKey, Value, policy_key},
    policy::{BulkheadConfig, FallbackConfig, HedgeConfig, RateConfig, ReuseConfig, Weights},
};

/// What a named policy says: the keys of [`env::POLICY_KEYS`](crate::env::POLICY_KEYS) that it gives a value. What it leaves open
/// is said by what it extends, and then by the settings of all calls.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::{config::PolicySpec, policy::BulkheadConfig};
///
/// let careful = PolicySpec::new()
///     .with_extends("patient")
///     .with_max_attempts(2)
///     .with_bulkhead(BulkheadConfig::default().with_max_concurrency(8))
///     .with("rate.max_wait", Duration::from_secs(30));
/// assert_eq!(serde_json::to_value(&careful)?["rate"]["max_wait"], "30s");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PolicySpec(BTreeMap<String, Value>);

impl PolicySpec {
    /// A policy that says nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves what it does not say to a preset or to another policy.
    #[must_use]
    pub fn with_extends(self, policy: impl AsRef<str>) -> Self {
        self.with("extends", policy.as_ref())
    }

    /// Sets the longest time a call may take, all attempts included.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.with("timeout", timeout)
    }

    /// Sets the longest time one attempt may take; `None` is no limit.
    #[must_use]
    pub fn with_attempt_timeout(self, attempt_timeout: impl Into<Option<Duration>>) -> Self {
        self.with("attempt_timeout", attempt_timeout.into().unwrap_or_default())
    }

    /// Sets how often a call is tried, the first attempt included.
    #[must_use]
    pub fn with_max_attempts(self, max_attempts: u32) -> Self {
        self.with("max_attempts", max_attempts)
    }

    /// Sets the wait before the second attempt.
    #[must_use]
    pub fn with_base_delay(self, base_delay: Duration) -> Self {
        self.with("base_delay", base_delay)
    }

    /// Sets the longest wait between two attempts.
    #[must_use]
    pub fn with_max_delay(self, max_delay: Duration) -> Self {
        self.with("max_delay", max_delay)
    }

    /// Says whether attempts go through a breaker.
    #[must_use]
    pub fn with_breaker(self, breaker: bool) -> Self {
        self.with("breaker", breaker)
    }

    /// Sets how often a component is called at most; `None` is as often as calls come.
    #[must_use]
    pub fn with_rate(self, rate: impl Into<Option<RateConfig>>) -> Self {
        let Some(rate) = rate.into() else { return self.with("rate", false) };
        self.with("rate.per_second", rate.per_second)
            .with("rate.burst", rate.burst)
            .with("rate.max_wait", rate.max_wait)
            .with("rate.adaptive", rate.adaptive)
    }

    /// Sets how many attempts run at once; `None` is as many as there are. A `max_wait` that is not set is left open.
    #[must_use]
    pub fn with_bulkhead(self, bulkhead: impl Into<Option<BulkheadConfig>>) -> Self {
        let Some(bulkhead) = bulkhead.into() else { return self.with("bulkhead", false) };
        let spec = self
            .with("bulkhead.max_concurrency", bulkhead.max_concurrency)
            .with("bulkhead.max_waiting", bulkhead.max_waiting)
            .with("bulkhead.shed", bulkhead.shed);
        match bulkhead.max_wait {
            Some(max_wait) => spec.with("bulkhead.max_wait", max_wait),
            None => spec,
        }
    }

    /// Sets when a second attempt is sent beside a slow one; `None` is never.
    #[must_use]
    pub fn with_hedge(self, hedge: impl Into<Option<HedgeConfig>>) -> Self {
        let Some(hedge) = hedge.into() else { return self.with("hedge", false) };
        self.with("hedge.percentile", hedge.percentile)
            .with("hedge.min_delay", hedge.min_delay)
            .with("hedge.max_delay", hedge.max_delay)
            .with("hedge.max_hedges", hedge.max_hedges)
            .with("hedge.budget_percent", hedge.budget_percent)
    }

    /// Sets which equal reads share an answer; `None` is none.
    #[must_use]
    pub fn with_reuse(self, reuse: impl Into<Option<ReuseConfig>>) -> Self {
        let Some(reuse) = reuse.into() else { return self.with("reuse", false) };
        self.with("reuse.single_flight", reuse.single_flight).with("reuse.ttl", reuse.ttl.unwrap_or_default())
    }

    /// Sets what is given instead of a failure; `None` is nothing.
    #[must_use]
    pub fn with_fallback(self, fallback: impl Into<Option<FallbackConfig>>) -> Self {
        match fallback.into() {
            None => self.with("fallback", false),
            Some(FallbackConfig::Value(value)) => self.with("fallback.value", value),
            Some(FallbackConfig::Component(name)) => self.with("fallback.component", &*name),
            Some(FallbackConfig::Capability(name)) => self.with("fallback.capability", &*name),
            Some(FallbackConfig::Cached(max_age)) => self.with("fallback.cached", max_age),
        }
    }

    /// Sets one key, as `rate.burst`; a key in a section switches the section on. What is wrong with it is said where the policy is
    /// used.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.put(key, value.into());
        self
    }

    /// What it says of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Everything it says, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// What it extends.
    pub(super) fn extends(&self) -> Option<&str> {
        match self.get("extends") {
            Some(Value::Text(name)) => Some(name),
            _ => None,
        }
    }

    pub(in crate::config) fn put(&mut self, key: &str, value: Value) {
        let inside = |section: &str, key: &str| key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
        match key.split_once('.') {
            Some((section, _)) if policy_key(section).is_some() => {
                if section == "fallback" {
                    self.0.retain(|other, _| !inside(section, other));
                }
                self.0.insert(section.to_owned(), Value::Flag(true));
            }
            None if value == Value::Flag(false) => self.0.retain(|other, _| !inside(key, other)),
            _ => {}
        }
        self.0.insert(key.to_owned(), value);
    }
}

/// As it would be written, but for a value that stands in for an answer: what that holds is nobody's business.
impl fmt::Debug for PolicySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (key, value) in &self.0 {
            match policy_key(key) {
                Some(PolicyKey { kind: Kind::Json, .. }) | None => map.entry(key, &format_args!("…")),
                Some(known) => map.entry(key, &format_args!("{}", known.kind.show(value))),
            };
        }
        map.finish()
    }
}

impl Serialize for PolicySpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tree = Map::new();
        for (key, value) in &self.0 {
            let written = match value {
                Value::Number(number) => Json::from(*number),
                Value::Flag(flag) => Json::from(*flag),
                Value::Json(value) => value.clone(),
                Value::Text(text) => Json::from(text.as_str()),
                Value::Duration(_) => Json::from(Kind::Name.show(value)),
            };
            match key.split_once('.').filter(|(section, _)| policy_key(section).is_some()) {
                None => drop(tree.insert(key.clone(), written)),
                Some((section, key)) => {
                    // The section itself comes first, because its name is the shorter one.
                    if let Some(section) = tree.get_mut(section) {
                        if !section.is_object() {
                            *section = Json::Object(Map::new());
                        }
                        section[key] = written;
                    }
                }
            }
        }
        tree.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PolicySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut spec = Self::new();
        for (key, value) in Map::<String, Json>::deserialize(deserializer)? {
            spec.read("", &key, value).map_err(D::Error::custom)?;
        }
        Ok(spec)
    }
}

impl PolicySpec {
    fn read(&mut self, section: &str, key: &str, value: Json) -> Result<(), String> {
        let path = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        let known = if key.contains('.') { None } else { policy_key(&path) };
        let Some(known) = known else { return Err(format!("{path}: {}", unknown_key("", &path))) };
        match value {
            Json::Object(keys) if known.is_section() => {
                if section.is_empty() && key == "fallback" && keys.len() != 1 {
                    return Err(format!("fallback: {}", one_of(keys.len())));
                }
                self.put(&path, Value::Flag(true));
                keys.into_iter().try_for_each(|(key, value)| self.read(&path, &key, value))
            }
            value => {
                let value = of_json(known.kind, value).map_err(|problem| format!("{path}: {problem}"))?;
                self.put(&path, value);
                Ok(())
            }
        }
    }
}

/// What is wrong with a fallback that has so many keys.
pub(super) fn one_of(keys: usize) -> String {
    format!("must have one of value, component, capability and cached, has {keys}")
}

/// Reads JSON as this kind.
fn of_json(kind: Kind, value: Json) -> Result<Value, String> {
    let read = match (kind, &value) {
        (Kind::Json, _) => return Ok(Value::Json(value)),
        (Kind::Duration { .. } | Kind::Name, Json::String(text)) => return kind.parse(text),
        (Kind::Duration { .. }, Json::Number(number)) => {
            number.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map(Value::from)
        }
        (Kind::Flag, Json::Bool(flag)) => Some(Value::Flag(*flag)),
        (Kind::Count { .. }, Json::Number(number)) => number.as_u64().map(Value::Number),
        _ => None,
    };
    let value = read.ok_or_else(|| {
        let shown: String = value.to_string().chars().take(40).collect();
        kind.refusal(&shown)
    })?;
    kind.check(&value)?;
    Ok(value)
}

/// What is said about the calls to one component.
///
/// ```
/// use tekton_sdk::config::TargetSpec;
///
/// let engram = TargetSpec::new()
///     .with_policy("patient")
///     .with_op("recall", "fast");
/// assert_eq!(engram.ops["recall"].policy.as_deref(), Some("fast"));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetSpec {
    /// The policy of its operations. Default: none.
    pub policy: Option<String>,
    /// By which weights its calls are divided among versions or instances. Default: none, which leaves those that code has set.
    pub weights: Option<Weights>,
    /// Operations that something else holds for, by name.
    #[serde(rename = "op")]
    pub ops: BTreeMap<String, OpSpec>,
}

/// What is said about the calls of one operation.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpSpec {
    /// Its policy, which goes before the component's. Default: none.
    pub policy: Option<String>,
}

impl TargetSpec {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::policy`].
    #[must_use]
    pub fn with_policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Sets [`Self::weights`].
    #[must_use]
    pub fn with_weights(mut self, weights: Weights) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Sets the policy of one operation.
    #[must_use]
    pub fn with_op(mut self, operation: impl Into<String>, policy: impl Into<String>) -> Self {
        self.ops.entry(operation.into()).or_default().policy = Some(policy.into());
        self
    }
}
