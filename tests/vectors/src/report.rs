//! What a run found.

use std::fmt;

use crate::Rule;

/// The most characters that are printed of what differed.
const SHOWN: usize = 1_000;

/// What a run found, case by case.
#[derive(Debug, Default)]
#[must_use]
pub struct Report {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<(String, String)>,
    pub(crate) skipped: Vec<Skipped>,
}

/// A case that was not judged.
#[derive(Debug)]
#[non_exhaustive]
pub struct Skipped {
    /// Its `id`.
    pub id: String,
    /// What it fell under.
    pub rule: &'static Rule,
}

impl Report {
    /// How many cases gave the known answer.
    #[must_use]
    pub const fn passed(&self) -> usize {
        self.passed
    }

    /// The `id` of each case that did not, and what differed.
    #[must_use]
    pub fn failed(&self) -> &[(String, String)] {
        &self.failed
    }

    /// The cases that were not judged.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }
}

/// A line per failing case, then the counts.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, why) in &self.failed {
            writeln!(f, "{}: {}", OneLine(id), OneLine(why))?;
        }
        writeln!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed.len(), self.skipped.len())
    }
}

/// A text from a file on one line of a terminal, whatever is in it.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, c) in self.0.chars().enumerate() {
            if position == SHOWN {
                return f.write_str("…");
            }
            // The separators and the marks of direction would break the line, or turn it round.
            if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}
