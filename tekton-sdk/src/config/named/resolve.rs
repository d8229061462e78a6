//! From what is written to what calls go by.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{super::Config, TargetSpec, spec::PolicySpec};
use crate::{
    env::Value,
    policy::{BulkheadConfig, FallbackConfig, HedgeConfig, RateConfig, ReuseConfig, Rules},
    tekton::{Page, Pages},
};

/// What code told the builder, which holds where no policy says otherwise.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Base {
    pub(in crate::config) rate: Option<RateConfig>,
    pub(in crate::config) bulkhead: Option<BulkheadConfig>,
    pub(in crate::config) hedge: Option<HedgeConfig>,
    pub(in crate::config) reuse: Option<ReuseConfig>,
    pub(in crate::config) fallback: Option<FallbackConfig>,
}

impl Base {
    /// What a call goes by that no policy is named for. It has no name, so that limits know it as a call without rules.
    pub(super) fn rules(&self, config: &Config) -> Rules {
        let mut rules = Rules::standard();
        rules.name = "".into();
        (rules.timeout, rules.attempt_timeout) = (config.request.timeout, config.request.attempt_timeout);
        rules.max_attempts = config.retry.max_attempts;
        (rules.base_delay, rules.max_delay) = (config.retry.base_delay, config.retry.max_delay);
        rules.breaker = config.breaker.enabled;
        (rules.rate, rules.bulkhead, rules.hedge) = (self.rate, self.bulkhead, self.hedge);
        (rules.reuse, rules.fallback) = (self.reuse, self.fallback.clone());
        rules
    }
}

/// What a preset says: times and attempts. What is optional it leaves open.
pub(super) fn preset(name: &str) -> Option<PolicySpec> {
    let rules = Rules::preset(name)?;
    Some(
        PolicySpec::new()
            .with_timeout(rules.timeout)
            .with_attempt_timeout(rules.attempt_timeout)
            .with_max_attempts(rules.max_attempts)
            .with_base_delay(rules.base_delay)
            .with_max_delay(rules.max_delay),
    )
}

/// One of a policy and those that it extends.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) spec: PolicySpec,
    pub(super) preset: bool,
}

/// A policy and those that it extends, itself first. A circle ends where it closes; a policy that nobody defined ends it too.
pub(super) fn chain(config: &Config, name: &str) -> Vec<Link> {
    let mut chain: Vec<Link> = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next.take().filter(|name| chain.iter().all(|link| link.name != *name)) {
        if let Some(spec) = preset(&name) {
            chain.push(Link { name, spec, preset: true });
        } else if let Some(spec) = config.policies.get(&name) {
            next = spec.extends().map(str::to_owned);
            chain.push(Link { name, spec: spec.clone(), preset: false });
        }
    }
    chain
}

/// What the policy of this name says, with the base where it says nothing.
pub(super) fn rules(config: &Config, base: &Base, name: &str) -> Rules {
    let mut rules = base.rules(config);
    rules.name = name.into();
    for link in chain(config, name).iter().rev() {
        for (key, value) in link.spec.iter() {
            put(&mut rules, key, value);
        }
    }
    // Without breakers there is none to go through.
    rules.breaker &= config.breaker.enabled;
    rules
}

/// What is said of this component, and by which name.
pub(super) fn said_of<'a>(config: &'a Config, target: &str) -> Option<(&'a str, &'a TargetSpec)> {
    let mut said = config.targets.iter();
    said.find(|(name, _)| name.eq_ignore_ascii_case(target)).map(|(name, spec)| (name.as_str(), spec))
}

/// The policy of this operation of this component: its own, else the component's.
pub(super) fn named<'a>(config: &'a Config, target: &str, operation: &str) -> Option<(&'a str, &'a str, bool)> {
    let (target, spec) = said_of(config, target)?;
    let own = spec.ops.get(operation).and_then(|op| op.policy.as_deref());
    match own {
        Some(policy) => Some((target, policy, true)),
        None => Some((target, spec.policy.as_deref()?, false)),
    }
}

/// The rules of all components that something is said about. Equal names share their rules.
pub(super) fn targets(config: &Config, base: &Base) -> HashMap<String, Page> {
    let mut made: HashMap<&str, Arc<Rules>> = HashMap::new();
    let mut pages = HashMap::new();
    for (target, spec) in &config.targets {
        let mut rules_of = |name| Arc::clone(made.entry(name).or_insert_with(|| Arc::new(rules(config, base, name))));
        let whole = spec.policy.as_deref().map(&mut rules_of);
        let operations = spec.ops.iter().filter_map(|(op, spec)| Some((op.clone(), spec.policy.as_deref()?)));
        let operations = operations.map(|(op, name)| (op, rules_of(name))).collect();
        pages.insert(target.to_ascii_lowercase(), Page { whole, operations });
    }
    pages
}

/// All that calls go by; `rest` are the calls that no policy is named for.
pub(super) fn pages(config: &Config, base: &Base, rest: bool) -> Pages {
    let rest = rest.then(|| Arc::new(base.rules(config)));
    Pages::new(rest, targets(config, base))
}

fn put(rules: &mut Rules, key: &str, value: &Value) {
    let number = |field: &mut u32| {
        if let Value::Number(number) = value {
            *field = u32::try_from(*number).unwrap_or(u32::MAX);
        }
    };
    let time = |field: &mut Duration| {
        if let Value::Duration(time) = value {
            *field = *time;
        }
    };
    let flag = |field: &mut bool| {
        if let Value::Flag(flag) = value {
            *field = *flag;
        }
    };
    let limit = |field: &mut Option<Duration>| {
        if let Value::Duration(time) = value {
            *field = Some(*time).filter(|time| !time.is_zero());
        }
    };
    match key {
        "timeout" => time(&mut rules.timeout),
        "attempt_timeout" => limit(&mut rules.attempt_timeout),
        "max_attempts" => number(&mut rules.max_attempts),
        "base_delay" => time(&mut rules.base_delay),
        "max_delay" => time(&mut rules.max_delay),
        "breaker" => flag(&mut rules.breaker),
        "rate" => switch(&mut rules.rate, value),
        "rate.per_second" => number(&mut rules.rate.get_or_insert_default().per_second),
        "rate.burst" => number(&mut rules.rate.get_or_insert_default().burst),
        "rate.max_wait" => time(&mut rules.rate.get_or_insert_default().max_wait),
        "rate.adaptive" => flag(&mut rules.rate.get_or_insert_default().adaptive),
        "bulkhead" => switch(&mut rules.bulkhead, value),
        "bulkhead.max_concurrency" => number(&mut rules.bulkhead.get_or_insert_default().max_concurrency),
        "bulkhead.max_waiting" => number(&mut rules.bulkhead.get_or_insert_default().max_waiting),
        "bulkhead.max_wait" => {
            if let Value::Duration(time) = value {
                rules.bulkhead.get_or_insert_default().max_wait = Some(*time);
            }
        }
        "bulkhead.shed" => flag(&mut rules.bulkhead.get_or_insert_default().shed),
        "hedge" => switch(&mut rules.hedge, value),
        "hedge.percentile" => number(&mut rules.hedge.get_or_insert_default().percentile),
        "hedge.min_delay" => time(&mut rules.hedge.get_or_insert_default().min_delay),
        "hedge.max_delay" => time(&mut rules.hedge.get_or_insert_default().max_delay),
        "hedge.max_hedges" => number(&mut rules.hedge.get_or_insert_default().max_hedges),
        "hedge.budget_percent" => number(&mut rules.hedge.get_or_insert_default().budget_percent),
        "reuse" => switch(&mut rules.reuse, value),
        "reuse.single_flight" => flag(&mut rules.reuse.get_or_insert_default().single_flight),
        "reuse.ttl" => limit(&mut rules.reuse.get_or_insert_default().ttl),
        "fallback" if *value == Value::Flag(false) => rules.fallback = None,
        _ => {
            if let Some(fallback) = fallback(key, value) {
                rules.fallback = Some(fallback);
            }
        }
    }
}

fn switch<T: Default>(section: &mut Option<T>, value: &Value) {
    match value {
        Value::Flag(false) => *section = None,
        _ => drop(section.get_or_insert_default()),
    }
}

fn fallback(key: &str, value: &Value) -> Option<FallbackConfig> {
    Some(match (key, value) {
        ("fallback.value", Value::Json(value)) => FallbackConfig::Value(value.clone()),
        ("fallback.component", Value::Text(name)) => FallbackConfig::Component(name.as_str().into()),
        ("fallback.capability", Value::Text(name)) => FallbackConfig::Capability(name.as_str().into()),
        ("fallback.cached", Value::Duration(age)) => FallbackConfig::Cached(*age),
        _ => return None,
    })
}

/// What these rules say of a key, as a policy would; `None` where there is nothing, or its section is off.
pub(super) fn get(rules: &Rules, key: &str) -> Option<Value> {
    Some(match key {
        "timeout" => rules.timeout.into(),
        "attempt_timeout" => rules.attempt_timeout?.into(),
        "max_attempts" => rules.max_attempts.into(),
        "base_delay" => rules.base_delay.into(),
        "max_delay" => rules.max_delay.into(),
        "breaker" => rules.breaker.into(),
        "rate" => rules.rate.is_some().into(),
        "rate.per_second" => rules.rate?.per_second.into(),
        "rate.burst" => rules.rate?.burst.into(),
        "rate.max_wait" => rules.rate?.max_wait.into(),
        "rate.adaptive" => rules.rate?.adaptive.into(),
        "bulkhead" => rules.bulkhead.is_some().into(),
        "bulkhead.max_concurrency" => rules.bulkhead?.max_concurrency.into(),
        "bulkhead.max_waiting" => rules.bulkhead?.max_waiting.into(),
        "bulkhead.max_wait" => rules.bulkhead?.max_wait?.into(),
        "bulkhead.shed" => rules.bulkhead?.shed.into(),
        "hedge" => rules.hedge.is_some().into(),
        "hedge.percentile" => rules.hedge?.percentile.into(),
        "hedge.min_delay" => rules.hedge?.min_delay.into(),
        "hedge.max_delay" => rules.hedge?.max_delay.into(),
        "hedge.max_hedges" => rules.hedge?.max_hedges.into(),
        "hedge.budget_percent" => rules.hedge?.budget_percent.into(),
        "reuse" => rules.reuse.is_some().into(),
        "reuse.single_flight" => rules.reuse?.single_flight.into(),
        "reuse.ttl" => rules.reuse?.ttl?.into(),
        "fallback" => rules.fallback.is_some().into(),
        _ => match (key, rules.fallback.as_ref()?) {
            ("fallback.value", FallbackConfig::Value(value)) => value.clone().into(),
            ("fallback.component", FallbackConfig::Component(name))
            | ("fallback.capability", FallbackConfig::Capability(name)) => (&**name).into(),
            ("fallback.cached", FallbackConfig::Cached(age)) => (*age).into(),
            _ => return None,
        },
    })
}
