//! Names of which each is given once.

use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn taken<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.map(str::to_owned).collect())
    }

    /// This name, or the first of `name2`, `name3`, … that is free.
    pub(super) fn free(&mut self, name: &str) -> String {
        let numbered = (2_u64..).map(|n| format!("{name}{n}"));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !self.0.contains(name));
        let free = free.unwrap_or_else(|| name.to_owned());
        self.0.insert(free.clone());
        free
    }
}

/// What may stand as a key of `components`: letters, digits, `.`, `-`, `_`.
pub(super) fn sanitized(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    Some(name.chars().map(allowed).collect())
        .filter(|name: &String| !name.is_empty())
        .unwrap_or_else(|| "Type".to_owned())
}
