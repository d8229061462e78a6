//! What of a stream did not come.

use std::fmt;

/// A hole in a stream: the numbers of the items that did not come, the first and the last included.
///
/// ```
/// use tekton_sdk::error::Gap;
///
/// let gap = Gap::new(3, 5);
/// assert_eq!((gap.to_string(), gap.items()), ("3 to 5".to_owned(), 3));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gap {
    /// The first that did not come; a stream's first item is 1.
    pub from: u64,
    /// The last that did not come.
    pub to: u64,
}

impl Gap {
    /// A hole from this item to that one.
    #[must_use]
    pub const fn new(from: u64, to: u64) -> Self {
        Self { from, to }
    }

    /// How many items did not come.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.to.saturating_sub(self.from).saturating_add(1)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}
