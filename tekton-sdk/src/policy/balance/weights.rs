//! Which share of the calls which version or instance gets.

use std::{collections::BTreeMap, fmt};

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::{
    contract::Entry,
    error::{Error, FieldError, Result},
};

/// Shares of the calls to a component, in percent, by version or instance: a canary.
///
/// | key | whom it means |
/// |---|---|
/// | `1.3` or `1` | every version whose numbers begin so, prereleases included |
/// | `1.3.0`, `1.3.0-rc.1` | this version |
/// | `>=1.3, <2`, `^1.3`, `*` | every version that fulfils the requirement, as Cargo reads it |
/// | `engram-blue`, `blue` | the instance of this id, or of this name among those of its component |
///
/// An instance that several keys mean belongs to the most exact: its own name, a version, the longer beginning, a requirement (of
/// several the first in alphabetical order, `*` last). What the weights lack to 100 goes to the instances that no key means. The
/// share of a key that means nobody, or nobody that is well, is divided among the others. A weight of 0 gets no calls as long as
/// anybody with a weight is left.
///
/// ```
/// use tekton_sdk::policy::Weights;
///
/// let weights = Weights::of([("1.2", 95), ("1.3", 5)])?;
/// assert_eq!(weights.to_string(), "1.2 = 95, 1.3 = 5");
/// assert_eq!(
///     Weights::of([("1.2", 95), ("1.3", 50)]).unwrap_err().report(),
///     "the weights are wrong; weights: must sum to at most 100, sum to 145"
/// );
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeMap<String, u32>", into = "BTreeMap<String, u32>")]
pub struct Weights(Vec<Weight>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Weight {
    key: String,
    selector: Selector,
    percent: u32,
}

/// In the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Selector {
    Instance,
    Exact(Version),
    /// Major and minor, or major alone.
    Beginning(u64, Option<u64>),
    Requirement(VersionReq),
}

impl Selector {
    fn parse(key: &str) -> std::result::Result<Self, &'static str> {
        if key.is_empty() || key.len() > 256 {
            return Err("must be a version, a requirement of versions or an instance");
        }
        if let Ok(version) = Version::parse(key) {
            return Ok(Self::Exact(version));
        }
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        match key.split_once('.') {
            None => {
                if let Some(major) = number(key) {
                    return Ok(Self::Beginning(major, None));
                }
            }
            Some((major, minor)) => {
                if let (Some(major), Some(minor)) = (number(major), number(minor)) {
                    return Ok(Self::Beginning(major, Some(minor)));
                }
            }
        }
        if let Ok(requirement) = VersionReq::parse(key) {
            return Ok(Self::Requirement(requirement));
        }
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if key.chars().all(plain) {
            return Ok(Self::Instance);
        }
        Err("is no version, no requirement of versions and no instance")
    }

    /// The smaller, the more exact.
    fn order(&self) -> u8 {
        match self {
            Self::Instance => 0,
            Self::Exact(_) => 1,
            Self::Beginning(_, Some(_)) => 2,
            Self::Beginning(_, None) => 3,
            Self::Requirement(requirement) if *requirement == VersionReq::STAR => 5,
            Self::Requirement(_) => 4,
        }
    }

    fn means(&self, key: &str, entry: &Entry, version: Option<&Version>) -> bool {
        match (self, version) {
            (Self::Instance, _) => entry.id == key || entry.metadata.instance.as_deref() == Some(key),
            (Self::Exact(wanted), Some(is)) => wanted == is,
            (Self::Exact(_), None) => entry.version == key,
            (Self::Beginning(major, minor), Some(is)) => {
                *major == is.major && minor.is_none_or(|minor| minor == is.minor)
            }
            (Self::Beginning(..), None) => entry.version == key,
            (Self::Requirement(requirement), Some(is)) => requirement.matches(is),
            (Self::Requirement(requirement), None) => *requirement == VersionReq::STAR,
        }
    }
}

impl Weights {
    /// These weights.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every key that is wrong.
    pub fn of<K: Into<String>>(weights: impl IntoIterator<Item = (K, u32)>) -> Result<Self> {
        Self::check(weights.into_iter().map(|(key, percent)| (key.into(), percent)))
            .map_err(|wrong| Error::config("the weights are wrong").with_fields(wrong))
    }

    /// These weights, or everything that is wrong with them: the field is the key, or `weights` where it is their sum.
    pub(crate) fn check(
        weights: impl IntoIterator<Item = (String, u32)>,
    ) -> std::result::Result<Self, Vec<FieldError>> {
        let (mut kept, mut wrong) = (Vec::<Weight>::new(), Vec::new());
        for (key, percent) in weights {
            match Selector::parse(&key) {
                _ if percent > 100 => wrong.push(FieldError::new(key, format!("must be at most 100, is {percent}"))),
                _ if kept.iter().any(|known| known.key == key) => wrong.push(FieldError::new(key, "stands twice")),
                Ok(selector) => kept.push(Weight { key, selector, percent }),
                Err(problem) => wrong.push(FieldError::new(key, problem)),
            }
        }
        let sum: u32 = kept.iter().map(|weight| weight.percent).sum();
        if sum > 100 && wrong.is_empty() {
            wrong.push(FieldError::new("weights", format!("must sum to at most 100, sum to {sum}")));
        }
        kept.sort_by(|a, b| (a.selector.order(), &a.key).cmp(&(b.selector.order(), &b.key)));
        if wrong.is_empty() { Ok(Self(kept)) } else { Err(wrong) }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The shares, and last of all that of the instances that no key means.
    pub(super) fn shares(&self) -> impl Iterator<Item = (&str, u32)> {
        let sum: u32 = self.0.iter().map(|weight| weight.percent).sum();
        let named = self.0.iter().map(|weight| (&*weight.key, weight.percent));
        named.chain([("", 100_u32.saturating_sub(sum))])
    }

    /// To which of the shares an instance belongs.
    pub(super) fn place(&self, entry: &Entry) -> usize {
        let version = Version::parse(&entry.version).ok();
        let means = |weight: &Weight| weight.selector.means(&weight.key, entry, version.as_ref());
        self.0.iter().position(means).unwrap_or(self.0.len())
    }
}

impl TryFrom<BTreeMap<String, u32>> for Weights {
    type Error = String;

    fn try_from(weights: BTreeMap<String, u32>) -> std::result::Result<Self, String> {
        Self::of(weights).map_err(|wrong| wrong.report())
    }
}

impl From<Weights> for BTreeMap<String, u32> {
    fn from(weights: Weights) -> Self {
        weights.0.into_iter().map(|weight| (weight.key, weight.percent)).collect()
    }
}

/// As `1.2 = 95, 1.3 = 5`, in the order in which the keys are asked.
impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, weight) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{} = {}", weight.key, weight.percent)?;
        }
        Ok(())
    }
}
