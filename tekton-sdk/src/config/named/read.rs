//! Reading `[policy]` and `[target]` of a TOML file.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    PolicySpec, TargetSpec,
    sources::{Sources, op_path, policy_path, quoted, target_path, unknown_key},
    spec::one_of,
};
use crate::{
    config::file::{Walk, json, read_as, shown},
    env::{Kind, Value, nearest, policy_key},
    error::FieldError,
    policy::Weights,
};

/// What a share may be.
const PERCENT: Kind = Kind::Count { min: 0, max: 100 };

/// What files say about policies and targets.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Named {
    pub(in crate::config) policies: BTreeMap<String, PolicySpec>,
    pub(in crate::config) targets: BTreeMap<String, TargetSpec>,
    pub(in crate::config) sources: Sources,
}

impl Named {
    /// Lays another file over this one, value by value.
    pub(in crate::config) fn lay(&mut self, over: Self) {
        for (name, spec) in over.policies {
            let policy = self.policies.entry(name).or_default();
            spec.iter().for_each(|(key, value)| policy.put(key, value.clone()));
        }
        for (name, spec) in over.targets {
            let target = self.targets.entry(name).or_default();
            target.policy = spec.policy.or_else(|| target.policy.take());
            target.weights = spec.weights.or_else(|| target.weights.take());
            for (operation, spec) in spec.ops {
                let op = target.ops.entry(operation).or_default();
                op.policy = spec.policy.or_else(|| op.policy.take());
            }
        }
        self.sources.extend(over.sources);
    }
}

impl Walk<'_> {
    /// Reads what stands under `policy`.
    pub(in crate::config) fn policies(&mut self, value: &DeValue<'_>) -> Result<(), String> {
        for (name, value) in table(value)? {
            let place = self.place(name.span().start);
            let path = policy_path(name.get_ref());
            let DeValue::Table(keys) = value.get_ref() else {
                self.wrong(path, must_be_a_table(value.get_ref()), &place);
                continue;
            };
            self.named.sources.put(path.clone(), place, String::new());
            let mut spec = PolicySpec::new();
            self.policy(&mut spec, &path, "", keys);
            self.named.policies.insert(name.get_ref().to_string(), spec);
        }
        Ok(())
    }

    fn policy(&mut self, spec: &mut PolicySpec, path: &str, section: &str, keys: &DeTable<'_>) {
        for (key, value) in keys {
            let place = self.place(key.span().start);
            let name =
                if section.is_empty() { key.get_ref().to_string() } else { format!("{section}.{}", key.get_ref()) };
            // A dot inside a key is no separator.
            let known = if key.get_ref().contains('.') { None } else { policy_key(&name) };
            let Some(known) = known else {
                let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
                self.wrong(format!("{path}.{shown}"), unknown_key(&format!("{path}."), &name), &place);
                continue;
            };
            let at = format!("{path}.{name}");
            let read = match value.get_ref() {
                DeValue::Table(keys) if known.is_section() => {
                    if name == "fallback" && keys.len() != 1 {
                        self.wrong(at, one_of(keys.len()), &place);
                        continue;
                    }
                    spec.put(&name, Value::Flag(true));
                    self.named.sources.put(at, place, "true".to_owned());
                    self.policy(spec, path, &name, keys);
                    continue;
                }
                other if known.is_section() && !matches!(other, DeValue::Boolean(_)) => {
                    Err(format!("must be a table, `true` or `false`, is {}", shown(other)))
                }
                other if known.kind == Kind::Json => json(other).map(Value::Json),
                other => read_as(known.kind, other),
            };
            match read {
                Ok(value) => {
                    self.named.sources.put(at, place, known.kind.show(&value));
                    spec.put(&name, value);
                }
                Err(problem) => self.wrong(at, problem, &place),
            }
        }
    }

    /// Reads what stands under `target`.
    pub(in crate::config) fn targets(&mut self, value: &DeValue<'_>) -> Result<(), String> {
        for (name, value) in table(value)? {
            let place = self.place(name.span().start);
            let path = target_path(name.get_ref());
            let DeValue::Table(keys) = value.get_ref() else {
                self.wrong(path, must_be_a_table(value.get_ref()), &place);
                continue;
            };
            self.named.sources.put(path.clone(), place, String::new());
            let mut spec = TargetSpec::new();
            for (key, value) in keys {
                let place = self.place(key.span().start);
                match (&**key.get_ref(), value.get_ref()) {
                    ("policy", value) => spec.policy = self.name_of_a_policy(format!("{path}.policy"), value, place),
                    ("weights", DeValue::Table(keys)) => spec.weights = self.weights(&path, keys, place),
                    ("weights", other) => self.wrong(format!("{path}.weights"), must_be_a_table(other), &place),
                    ("op", DeValue::Table(ops)) => self.operations(&mut spec, name.get_ref(), ops),
                    ("op", other) => self.wrong(format!("{path}.op"), must_be_a_table(other), &place),
                    _ => self.unknown(&path, key, &["policy", "weights", "op"], &place),
                }
            }
            self.named.targets.insert(name.get_ref().to_string(), spec);
        }
        Ok(())
    }

    fn weights(&mut self, target: &str, keys: &DeTable<'_>, place: String) -> Option<Weights> {
        let path = format!("{target}.weights");
        let before = self.errors.len();
        let mut read = Vec::new();
        for (key, value) in keys {
            match read_as(PERCENT, value.get_ref()) {
                Ok(Value::Number(percent)) => {
                    read.push((key.get_ref().to_string(), u32::try_from(percent).unwrap_or(u32::MAX)));
                }
                Ok(_) => {}
                Err(problem) => {
                    let place = self.place(key.span().start);
                    self.wrong(format!("{path}.{}", quoted(key.get_ref())), problem, &place);
                }
            }
        }
        match Weights::check(read) {
            // A sum of what could be read says nothing where something could not.
            _ if self.errors.len() > before => None,
            Ok(weights) => {
                self.named.sources.put(path, place, weights.to_string());
                Some(weights)
            }
            Err(wrong) => {
                for FieldError { field, problem, .. } in wrong {
                    let whole = field == "weights" && !keys.contains_key("weights");
                    let path = if whole { path.clone() } else { format!("{path}.{}", quoted(&field)) };
                    self.wrong(path, problem, &place);
                }
                None
            }
        }
    }

    fn operations(&mut self, spec: &mut TargetSpec, target: &str, ops: &DeTable<'_>) {
        for (op, value) in ops {
            let place = self.place(op.span().start);
            let path = op_path(target, op.get_ref());
            let DeValue::Table(keys) = value.get_ref() else {
                self.wrong(path, must_be_a_table(value.get_ref()), &place);
                continue;
            };
            let own = spec.ops.entry(op.get_ref().to_string()).or_default();
            for (key, value) in keys {
                let place = self.place(key.span().start);
                if key.get_ref() == "policy" {
                    own.policy = self.name_of_a_policy(format!("{path}.policy"), value.get_ref(), place);
                } else {
                    self.unknown(&path, key, &["policy"], &place);
                }
            }
        }
    }

    fn name_of_a_policy(&mut self, path: String, value: &DeValue<'_>, place: String) -> Option<String> {
        match read_as(Kind::Name, value) {
            Ok(Value::Text(name)) => {
                self.named.sources.put(path, place, name.clone());
                return Some(name);
            }
            Ok(_) => self.wrong(path, Kind::Name.refusal(&shown(value)), &place),
            Err(problem) => self.wrong(path, problem, &place),
        }
        None
    }

    fn unknown(&mut self, path: &str, key: &Spanned<DeString<'_>>, known: &[&'static str], place: &str) {
        let problem = match nearest(key.get_ref(), known.iter().copied()) {
            Some(meant) => format!("is no setting, did you mean {path}.{meant}?"),
            None => "is no setting".to_owned(),
        };
        self.wrong(format!("{path}.{}", quoted(key.get_ref())), problem, place);
    }

    fn wrong(&mut self, path: String, problem: String, place: &str) {
        self.errors.push(FieldError::new(path, format!("{problem} (from {place})")));
    }
}

fn table<'a, 'b>(value: &'a DeValue<'b>) -> Result<&'a DeTable<'b>, String> {
    match value {
        DeValue::Table(table) => Ok(table),
        other => Err(must_be_a_table(other)),
    }
}

fn must_be_a_table(value: &DeValue<'_>) -> String {
    format!("must be a table, is {}", shown(value))
}
