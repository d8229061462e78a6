//! How much an operation matters where not all can be served.

/// How much an operation matters to the one who serves it. A host that has too much to do serves the higher first and gives
/// up the lower first.
///
/// ```
/// use tekton_sdk::contract::Priority;
///
/// assert!(Priority::Low < Priority::Normal && Priority::Normal < Priority::High);
/// assert_eq!(Priority::parse("low"), Some(Priority::Low));
/// ```
#[expect(clippy::exhaustive_enums, reason = "a host has one line for each")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// It can wait or be left out: prefetching, statistics, work that is tried again anyway.
    Low,
    /// What is not said otherwise.
    #[default]
    Normal,
    /// Others wait for it.
    High,
}

impl Priority {
    /// Every priority, lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// The word for it: `low`, `normal` or `high`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// The priority of this word; `None` if it is no such word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(word))
    }
}
