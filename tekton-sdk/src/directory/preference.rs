//! What matters how much when several components will do.

use std::fmt;

use super::query::Candidate;
use crate::{
    contract::Entry,
    error::{Error, FieldError, Result},
};

/// By what candidates are told apart.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// The sum of the scores over the capabilities that were asked for; more is better.
    Score,
    /// The share of calls that succeed; more is better.
    SuccessRate,
    /// How long an answer takes, in seconds; less is better, and less than a millisecond counts as one.
    Latency,
    /// What a call costs, in the mesh's unit; less is better, and less than a millionth counts as one.
    Cost,
}

impl Criterion {
    const ALL: [Self; 4] = [Self::Score, Self::SuccessRate, Self::Latency, Self::Cost];

    const fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::SuccessRate => "success_rate",
            Self::Latency => "latency",
            Self::Cost => "cost",
        }
    }

    /// The smallest difference that matters, where less is better.
    const fn floor(self) -> Option<f64> {
        match self {
            Self::Score | Self::SuccessRate => None,
            Self::Latency => Some(1e-3),
            Self::Cost => Some(1e-6),
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much each criterion matters, for [`Query::preferring`](super::Query::preferring).
///
/// Each candidate gets marks from 0 to 1 for each criterion that has a weight, relative to the best of the candidates: the
/// best has 1, and who is half as good (half the score, twice the cost) has one half. One that is not known of a candidate, or
/// makes no sense, counts as the worst that is known of any; one that is known of nobody makes no difference. The order is that
/// of the weighted mean of the marks.
///
/// Weights are numbers from 0, which is the default, to 1000. A wrong one is told where the query is used.
///
/// ```
/// use tekton_sdk::directory::{Preference, Query};
///
/// let query = Query::capability("text.generate")
///     .with_min_context_window(32_000)
///     .with_min_success_rate(0.9)
///     .preferring(Preference::new().score(1.0).success_rate(2.0).latency(1.0).cost(0.5));
/// query.check()?;
/// assert!(Query::everybody().preferring(Preference::new().cost(f64::NAN)).check().is_err());
/// # Ok::<(), tekton_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Preference {
    /// The bits of each weight, in the order of the criteria: a query is hashed and compared.
    weights: [u64; 4],
}

impl Preference {
    /// The largest weight.
    pub const MAX_WEIGHT: f64 = 1000.0;

    /// Nothing matters yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How much the score matters.
    #[must_use]
    pub fn score(self, weight: f64) -> Self {
        self.with(Criterion::Score, weight)
    }

    /// How much the success rate matters.
    #[must_use]
    pub fn success_rate(self, weight: f64) -> Self {
        self.with(Criterion::SuccessRate, weight)
    }

    /// How much the latency matters.
    #[must_use]
    pub fn latency(self, weight: f64) -> Self {
        self.with(Criterion::Latency, weight)
    }

    /// How much the cost of a call matters.
    #[must_use]
    pub fn cost(self, weight: f64) -> Self {
        self.with(Criterion::Cost, weight)
    }

    fn with(mut self, criterion: Criterion, weight: f64) -> Self {
        // Adding zero turns -0.0 into 0.0, so that equal weights hash alike.
        self.weights[criterion as usize] = (weight + 0.0).to_bits();
        self
    }

    /// The fields that are wrong.
    pub(super) fn wrong(&self) -> Vec<FieldError> {
        let weights = Criterion::ALL.iter().zip(self.weights.map(f64::from_bits));
        let wrong = weights.filter(|(_, weight)| !(0.0..=Self::MAX_WEIGHT).contains(weight));
        wrong
            .map(|(criterion, weight)| {
                FieldError::new(
                    format!("preference.{criterion}"),
                    format!("is {weight}, and must be a number from 0 to {}", Self::MAX_WEIGHT),
                )
            })
            .collect()
    }

    /// What matters, and how much. A wrong weight does not: who orders cannot tell of it.
    fn weights(&self) -> impl Iterator<Item = (Criterion, f64)> {
        let weights = Criterion::ALL.into_iter().zip(self.weights.map(f64::from_bits));
        weights.filter(|(_, weight)| *weight > 0.0 && *weight <= Self::MAX_WEIGHT)
    }

    /// Gives each candidate its marks, and puts the best first; equal ones stay in their order.
    pub(super) fn rank(&self, candidates: &mut [Candidate]) {
        for (criterion, weight) in self.weights() {
            let scale = Scale::of(criterion, candidates);
            for candidate in &mut *candidates {
                let (value, measured) = candidate.value(criterion);
                let mark = scale.mark(value);
                candidate.marks.push(Mark { criterion, value, measured, mark, weight });
            }
        }
        for candidate in &mut *candidates {
            let whole: f64 = candidate.marks.iter().map(|mark| mark.weight).sum();
            let sum: f64 = candidate.marks.iter().map(|mark| mark.weight * mark.mark).sum();
            candidate.total = if whole > 0.0 { sum / whole } else { 0.0 };
        }
        candidates.sort_by(|a, b| b.total.total_cmp(&a.total));
    }
}

/// The best and the worst that is known of a criterion; `None` if nothing is.
struct Scale {
    floor: Option<f64>,
    known: Option<(f64, f64)>,
}

impl Scale {
    fn of(criterion: Criterion, candidates: &[Candidate]) -> Self {
        let floor = criterion.floor();
        let values = candidates.iter().filter_map(|candidate| candidate.value(criterion).0);
        let ends =
            values.map(|value| floor.map_or(value, |floor| value.max(floor))).fold(None, |ends, value| match ends {
                None => Some((value, value)),
                Some((low, high)) => Some((value.min(low), value.max(high))),
            });
        // Where less is better, the lowest is the best.
        Self { floor, known: ends.map(|(low, high)| if floor.is_some() { (low, high) } else { (high, low) }) }
    }

    /// From 0 to 1; the best has 1.
    fn mark(&self, value: Option<f64>) -> f64 {
        let Some((best, worst)) = self.known else { return 1.0 };
        let value = value.unwrap_or(worst);
        match self.floor {
            Some(floor) => best / value.max(floor),
            None if best > 0.0 => value / best,
            None => 1.0,
        }
    }
}

/// What one criterion said of a candidate.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Which one.
    pub criterion: Criterion,
    /// What is known of the candidate; `None` counts as the worst that is known of any.
    pub value: Option<f64>,
    /// Whether this process has measured it; else the component's entry says so.
    pub measured: bool,
    /// From 0 to 1, relative to the best of the candidates.
    pub mark: f64,
    /// How much it matters.
    pub weight: f64,
}

/// A component that will do, and why it stands where it stands; `Display` explains it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The component.
    pub entry: Entry,
    /// The weighted mean of its marks, from 0 to 1; 0 where no criterion has a weight.
    pub total: f64,
    /// Its marks, for each criterion that has a weight.
    pub marks: Vec<Mark>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:.3}", self.entry.id, self.total)?;
        for (place, Mark { criterion, value, measured, mark, weight }) in self.marks.iter().enumerate() {
            f.write_str(if place == 0 { " = " } else { ", " })?;
            match value {
                Some(value) => write!(f, "{criterion} {value}")?,
                None => write!(f, "{criterion} unknown")?,
            }
            let measured = if *measured { " (measured)" } else { "" };
            write!(f, "{measured} -> {mark:.3} x {weight}")?;
        }
        Ok(())
    }
}

/// What is wrong about a query, as one error.
pub(super) fn refuse(wrong: Vec<FieldError>) -> Result<()> {
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid("the query cannot be used").with_fields(wrong)) }
}

#[cfg(test)]
mod tests;
