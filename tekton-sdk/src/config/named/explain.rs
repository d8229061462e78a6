//! Which setting holds for a call, and who says so.

use std::fmt;

use serde::Serialize;

use super::{
    super::Config,
    resolve::{Base, Link, chain, get, named, rules, said_of},
    sources::{op_path, policy_path, target_path},
};
use crate::env::{Kind, POLICY_KEYS, PolicyKey, setting};

/// What the calls of one operation go by, line by line. It is what [`Tekton::explain`](crate::Tekton::explain) gives.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The component, as the question named it.
    pub target: String,
    /// The operation.
    pub operation: String,
    /// The policy that holds, and `None` where no policy does.
    pub policy: Option<String>,
    /// Where that policy is named, as `target.engram.policy (tekton.toml line 9)`.
    pub because: Option<String>,
    /// By which weights the component's calls are divided, and who says so, if a target does.
    pub weights: Option<String>,
    /// Every key that has a value, in the order of the documentation.
    pub lines: Vec<Line>,
}

/// One key, its value and its source.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The key, as a policy would write it.
    pub key: &'static str,
    /// The value, as it would be written. What stands in for an answer is not shown.
    pub value: String,
    /// Who says it: `default`, `code`, a variable, a line of a file, a preset or a policy.
    pub source: String,
}

impl fmt::Display for Explanation {
    /// One line for each key, in columns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.target, self.operation)?;
        match (&self.policy, &self.because) {
            (Some(policy), Some(because)) => writeln!(f, "policy {policy}, from {because}")?,
            _ => writeln!(f, "no policy")?,
        }
        if let Some(weights) = &self.weights {
            writeln!(f, "weights {weights}")?;
        }
        let width = |of: fn(&Line) -> &str| self.lines.iter().map(|line| of(line).chars().count()).max().unwrap_or(0);
        let (keys, values) = (width(|line| line.key), width(|line| &line.value));
        for Line { key, value, source } in &self.lines {
            writeln!(f, "{key:keys$}  {value:values$}  {source}")?;
        }
        Ok(())
    }
}

pub(super) fn explain(config: &Config, base: &Base, target: &str, operation: &str) -> Explanation {
    let held = named(config, target, operation);
    let (links, rules) = match held {
        Some((_, policy, _)) => (chain(config, policy), rules(config, base, policy)),
        None => (Vec::new(), base.rules(config)),
    };
    let because = held.map(|(target, policy, own)| {
        let path = if own { op_path(target, operation) } else { target_path(target) };
        let path = format!("{path}.policy");
        let source = config.sources.of(&path, policy).unwrap_or("code").to_owned();
        format!("{path} ({source})")
    });
    let lines = POLICY_KEYS.iter().filter_map(|key| {
        let value = get(&rules, key.path)?;
        let shown = if key.kind == Kind::Json { "…".to_owned() } else { key.kind.show(&value) };
        let source = source(config, base, &links, key, &key.kind.show(&value));
        Some(Line { key: key.path, value: shown, source })
    });
    let weights = said_of(config, target).and_then(|(name, spec)| {
        let weights = spec.weights.as_ref()?.to_string();
        let path = format!("{}.weights", target_path(name));
        let source = config.sources.of(&path, &weights).unwrap_or("code");
        Some(format!("{weights}, from {path} ({source})"))
    });
    Explanation {
        target: target.to_owned(),
        operation: operation.to_owned(),
        policy: held.map(|(_, policy, _)| policy.to_owned()),
        because,
        weights,
        lines: lines.collect(),
    }
}

fn source(config: &Config, base: &Base, links: &[Link], key: &PolicyKey, value: &str) -> String {
    if key.path == "breaker" && !config.breaker.enabled {
        return of_setting(config, key, value);
    }
    for Link { name, spec, preset } in links {
        let Some(said) = spec.get(key.path) else {
            let off = key.section().is_some_and(|section| spec.get(section) == Some(&false.into()));
            // What lies below a section that is off does not reach up here.
            if off { break } else { continue }
        };
        if *preset {
            return format!("preset {name}");
        }
        let path = format!("{}.{}", policy_path(name), key.path);
        let source = config.sources.of(&path, &key.kind.show(said)).unwrap_or("code");
        return format!("policy {name} ({source})");
    }
    of_setting_or_code(config, base, links, key, value)
}

fn of_setting_or_code(config: &Config, base: &Base, links: &[Link], key: &PolicyKey, value: &str) -> String {
    if key.setting.is_some() {
        return of_setting(config, key, value);
    }
    let section = key.section().unwrap_or(key.path);
    let off = links.iter().any(|link| link.spec.get(section) == Some(&false.into()));
    let on = get(&base.rules(config), section) == Some(true.into());
    if on && !off { "code".to_owned() } else { "default".to_owned() }
}

fn of_setting(config: &Config, key: &PolicyKey, value: &str) -> String {
    let Some(known) = key.setting.and_then(setting) else { return "default".to_owned() };
    match config.sources.of(known.path, value) {
        Some(source) => source.to_owned(),
        None if known.default == Some(value) => "default".to_owned(),
        None => "code".to_owned(),
    }
}
