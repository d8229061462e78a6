//! What stands where: paths as errors and explanations write them, and the source of each value.

use std::{collections::BTreeMap, fmt};

use crate::env::{POLICY_KEYS, nearest};

/// Where each value comes from, by its path, with the value as it was written there. A value that differs was changed by code.
#[derive(Clone, Default)]
pub(in crate::config) struct Sources(BTreeMap<String, (String, String)>);

/// Where a value stands is no part of what a configuration says.
impl PartialEq for Sources {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Sources {}

/// The places alone: a value may be one that stands in for an answer.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(path, (source, _))| (path, source))).finish()
    }
}

impl Sources {
    pub(in crate::config) fn put(&mut self, path: String, source: String, value: String) {
        self.0.insert(path, (source, value));
    }

    pub(in crate::config) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Where what stands at this path was read.
    pub(in crate::config) fn place(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(|(source, _)| source.as_str())
    }

    /// Where this value of this path was read; `None` if it was read nowhere.
    pub(super) fn of(&self, path: &str, value: &str) -> Option<&str> {
        self.0.get(path).filter(|(_, written)| written == value).map(|(source, _)| source.as_str())
    }
}

/// A key as TOML writes it, cut where it is long.
pub(super) fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.len() <= 128 && key.chars().all(bare) {
        return key.to_owned();
    }
    format!("{:?}", key.chars().take(80).collect::<String>())
}

pub(super) fn policy_path(policy: &str) -> String {
    format!("policy.{}", quoted(policy))
}

pub(super) fn target_path(target: &str) -> String {
    format!("target.{}", quoted(target))
}

pub(super) fn op_path(target: &str, operation: &str) -> String {
    format!("{}.op.{}", target_path(target), quoted(operation))
}

/// What is wrong with a key that no policy has; `policy` is the path of the policy, with a dot at its end.
pub(super) fn unknown_key(policy: &str, path: &str) -> String {
    // A key that stands in the wrong table is more likely than two wrong letters.
    let last = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = || POLICY_KEYS.iter().map(|key| key.path).find(|key| key.rsplit('.').next() == Some(last));
    match elsewhere().or_else(|| nearest(path, POLICY_KEYS.iter().map(|key| key.path))) {
        Some(meant) => format!("is no setting, did you mean {policy}{meant}?"),
        None => "is no setting".to_owned(),
    }
}
