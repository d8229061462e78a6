//! What a component can do, and how well.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use crate::error::{Error, Result};

/// How well a component can do something: 0 (not at all) to 1 (nobody better).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Score(f64);

impl Score {
    /// The lowest score.
    pub const ZERO: Self = Self(0.0);
    /// The highest score.
    pub const ONE: Self = Self(1.0);

    /// Checks a score.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) outside 0 to 1, or if it is no number.
    pub fn new(score: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&score) {
            // Adding zero turns -0.0 into 0.0, so that equal scores hash alike.
            Ok(Self(score + 0.0))
        } else {
            Err(Error::invalid(format!("the score {score} must be between 0 and 1")))
        }
    }

    /// The score as a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

// No score is NaN, so equality is total.
impl Eq for Score {}

impl Hash for Score {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that a component can do.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// What it is called, as `text.summarize`.
    pub name: String,
    /// How well, if the component says.
    pub score: Option<Score>,
}

impl Capability {
    /// A capability, with its score if there is one.
    pub fn new(name: impl Into<String>, score: Option<Score>) -> Self {
        Self { name: name.into(), score }
    }
}
