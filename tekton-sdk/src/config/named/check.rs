//! What is wrong with policies and targets.

use std::collections::BTreeMap;

use super::{
    super::Config,
    resolve::{Base, chain, preset, rules},
    sources::{op_path, policy_path, target_path, unknown_key},
    spec::one_of,
};
use crate::{
    env::{Value, nearest, policy_key},
    error::FieldError,
    policy::{FallbackConfig, Rules, fallback_cycle},
};

const PRESETS: [&str; 3] = ["fast", "standard", "patient"];

pub(in crate::config) fn wrong(config: &Config) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    for name in config.policies.keys() {
        policy(config, name, &mut wrong);
    }
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, spec) in &config.targets {
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
            let problem = format!("names the same component as {}", target_path(other));
            wrong.push(FieldError::new(target_path(name), problem));
        }
        let own = spec.policy.iter().map(|policy| (format!("{}.policy", target_path(name)), policy));
        let ops = spec.ops.iter().filter_map(|(op, spec)| Some((op, spec.policy.as_ref()?)));
        let ops = ops.map(|(op, policy)| (format!("{}.policy", op_path(name, op)), policy));
        wrong.extend(own.chain(ops).filter_map(|(path, policy)| unknown_policy(config, path, policy)));
    }
    wrong.extend(circle_of_fallbacks(config));
    wrong
}

fn policy(config: &Config, name: &str, wrong: &mut Vec<FieldError>) {
    let Some(spec) = config.policies.get(name) else { return };
    let path = policy_path(name);
    if preset(name).is_some() {
        wrong.push(FieldError::new(&path, "is the name of a preset, give it another and let it extend the preset"));
        return;
    }
    let before = wrong.len();
    for (key, value) in spec.iter() {
        let problem = match policy_key(key) {
            Some(known) => known.kind.check(value).err(),
            None => Some(unknown_key(&format!("{path}."), key)),
        };
        wrong.extend(problem.map(|problem| FieldError::new(format!("{path}.{key}"), problem)));
    }
    let gives = spec.iter().filter(|(key, _)| key.starts_with("fallback.")).count();
    if spec.get("fallback") == Some(&Value::Flag(true)) && gives != 1 {
        wrong.push(FieldError::new(format!("{path}.fallback"), one_of(gives)));
    }
    if let Some(extends) = spec.extends() {
        wrong.extend(unknown_policy(config, format!("{path}.extends"), extends));
    }
    let links = chain(config, name);
    let last = links.last().filter(|last| !last.preset).and_then(|last| last.spec.extends());
    if let Some(closes) = last.filter(|closes| links.iter().any(|link| link.name == *closes)) {
        // Those who only lead to a circle are right themselves.
        if closes == name {
            let names = links.iter().map(|link| link.name.as_str()).chain([closes]);
            let circle = names.collect::<Vec<_>>().join(" → ");
            wrong.push(FieldError::new(format!("{path}.extends"), format!("leads back to itself: {circle}")));
        }
        return;
    }
    if wrong.len() == before {
        wrong.extend(order(&path, spec.iter().map(|(key, _)| key), &rules(config, &Base::default(), name)));
    }
}

/// What is longer than it may be beside what the policy leaves open. It is said of a policy that gives one of the two.
fn order<'a>(path: &str, keys: impl Iterator<Item = &'a str>, rules: &Rules) -> Vec<FieldError> {
    let keys: Vec<&str> = keys.collect();
    let hedge = rules.hedge.unwrap_or_default();
    [
        ("max_delay", rules.max_delay, "base_delay", rules.base_delay),
        ("hedge.max_delay", hedge.max_delay, "hedge.min_delay", hedge.min_delay),
    ]
    .into_iter()
    .filter(|(longer, _, shorter, _)| keys.contains(longer) || keys.contains(shorter))
    .filter_map(|(longer, long, shorter, short)| {
        crate::env::check_order(&format!("{path}.{longer}"), long, &format!("{path}.{shorter}"), short)
    })
    .collect()
}

fn unknown_policy(config: &Config, path: String, name: &str) -> Option<FieldError> {
    if config.policies.contains_key(name) || preset(name).is_some() {
        return None;
    }
    let known = config.policies.keys().map(String::as_str).chain(PRESETS);
    let shown = crate::env::quoted(name);
    Some(FieldError::new(
        path,
        match nearest(name, known) {
            Some(meant) => format!("names no policy, is {shown}, did you mean {meant}?"),
            None => format!("names no policy, is {shown}"),
        },
    ))
}

fn circle_of_fallbacks(config: &Config) -> Option<FieldError> {
    let mut declared = Vec::new();
    for (target, spec) in &config.targets {
        for policy in spec.policy.iter().chain(spec.ops.values().filter_map(|op| op.policy.as_ref())) {
            if let Some(FallbackConfig::Component(to)) = rules(config, &Base::default(), policy).fallback {
                declared.push((target.as_str(), to));
            }
        }
    }
    let pairs: Vec<(&str, &str)> = declared.iter().map(|(target, to)| (*target, &**to)).collect();
    let circle = fallback_cycle(&pairs)?;
    let first = circle.split(" → ").next().unwrap_or_default();
    Some(FieldError::new(target_path(first), format!("has a fallback that leads back to it: {circle}")))
}
