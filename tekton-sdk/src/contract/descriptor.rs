//! Who a component is.

use std::collections::BTreeMap;

use super::Score;
use crate::{
    error::{Error, FieldError, Result},
    names::{CapabilityName, ComponentName},
};

/// Who a component is and what it can do, as its author writes it down.
///
/// Values are checked together, by [`Descriptor::validate`], when the component is started.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor {
    /// What it is called.
    pub name: String,
    /// Its release, as `1.2.0` (Semantic Versioning 2.0.0).
    pub version: String,
    /// What kind of component it is, as upstream's `type`. Default: the name.
    pub kind: String,
    /// What it is for.
    pub description: String,
    /// What it can do, with scores from 0 to 1.
    pub capabilities: Vec<(String, Option<f64>)>,
    /// The components it needs.
    pub dependencies: Vec<String>,
    /// The API versions it serves. Default: 1 alone.
    pub api_versions: Vec<u32>,
    /// How much it can take into view at once, in tokens.
    pub context_window: Option<u64>,
    /// What one call costs, in a unit that the mesh agrees on.
    pub cost: Option<f64>,
}

impl Descriptor {
    /// A component of this name and version that can do nothing yet.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            kind: name.clone(),
            name,
            version: version.into(),
            description: String::new(),
            capabilities: Vec::new(),
            dependencies: Vec::new(),
            api_versions: vec![1],
            context_window: None,
            cost: None,
        }
    }

    /// Says what it is for.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a capability without a score.
    #[must_use]
    pub fn capability(mut self, name: impl Into<String>) -> Self {
        self.capabilities.push((name.into(), None));
        self
    }

    /// Adds a capability with a score from 0 to 1.
    #[must_use]
    pub fn scored_capability(mut self, name: impl Into<String>, score: f64) -> Self {
        self.capabilities.push((name.into(), Some(score)));
        self
    }

    /// Adds a component that it needs.
    #[must_use]
    pub fn depends_on(mut self, name: impl Into<String>) -> Self {
        self.dependencies.push(name.into());
        self
    }

    /// Says how many tokens it can take into view at once.
    #[must_use]
    pub const fn context_window(mut self, tokens: u64) -> Self {
        self.context_window = Some(tokens);
        self
    }

    /// Says what one call costs.
    #[must_use]
    pub const fn cost(mut self, cost: f64) -> Self {
        self.cost = Some(cost);
        self
    }

    /// The scores by capability; those without one are left out.
    #[must_use]
    pub fn scores(&self) -> BTreeMap<String, f64> {
        self.capabilities.iter().filter_map(|(name, score)| Some((name.clone(), (*score)?))).collect()
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) with one field error for each value that is wrong.
    pub fn validate(&self) -> Result<()> {
        let mut wrong = Vec::new();
        let mut check = |field: String, result: Result<()>| {
            if let Err(error) = result {
                wrong.push(FieldError::new(field, error.to_string()));
            }
        };
        check("name".into(), ComponentName::new(&self.name).map(drop));
        check(
            "version".into(),
            semver::Version::parse(&self.version)
                .map(drop)
                .map_err(|e| Error::invalid(format!("{:?} is no version like 1.2.0: {e}", self.version))),
        );
        if self.kind.is_empty() {
            check("kind".into(), Err(Error::invalid("is empty")));
        }
        for (name, score) in &self.capabilities {
            let key = || format!("capabilities.{name}");
            check(key(), CapabilityName::new(name).map(drop));
            check(key(), score.map_or(Ok(()), |s| Score::new(s).map(drop)));
            if self.capabilities.iter().filter(|(other, _)| other == name).count() > 1 {
                check(key(), Err(Error::invalid("is listed twice")));
            }
        }
        for name in &self.dependencies {
            check(format!("dependencies.{name}"), ComponentName::new(name).map(drop));
        }
        if self.api_versions.is_empty() || self.api_versions.contains(&0) {
            check("api_versions".into(), Err(Error::invalid("must list at least one version, counted from 1")));
        }
        if self.cost.is_some_and(|cost| !cost.is_finite() || cost < 0.0) {
            check("cost".into(), Err(Error::invalid("must be a number of at least 0")));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        wrong.dedup();
        Err(Error::config(format!("the component {:?} is described wrongly", self.name)).with_fields(wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_value_is_named_at_once() {
        let error = Descriptor::new("a b", "one")
            .scored_capability("text.summarize", 1.5)
            .capability("x y")
            .depends_on("")
            .cost(f64::NAN)
            .validate()
            .unwrap_err();
        let fields: Vec<_> = error.fields().iter().map(|f| f.field.as_str()).collect();
        assert_eq!(
            fields,
            ["name", "version", "capabilities.text.summarize", "capabilities.x y", "dependencies.", "cost"]
        );
        Descriptor::new("summarizer", "1.2.0-rc.1").scored_capability("a", 0.0).validate().unwrap();
    }
}
