//! How a stream that broke is taken up again.

use std::time::Duration;

use crate::error::FieldError;

/// How often a connection is made anew, and how long it waits before.
///
/// The waits double from one connection to the next as long as nothing comes, and begin anew with everything that does.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::patterns::streaming::ReconnectConfig;
///
/// let config = ReconnectConfig::default();
/// assert_eq!(config.max_attempts, 10);
/// assert_eq!(config.delay, Duration::from_secs(1));
/// assert_eq!(config.max_delay, Duration::from_secs(30));
/// assert_eq!(config.jitter, 0.5);
/// assert_eq!(config.min_retry, Duration::from_millis(100));
/// assert_eq!(config.max_retry, Duration::from_secs(300));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReconnectConfig {
    /// How many connections in a row may bring nothing, the first included: then the stream ends with the last one's error.
    /// Default: 10.
    pub max_attempts: u32,
    /// The wait before the second connection, until the server says another by `retry:`. Default: 1 s.
    pub delay: Duration,
    /// The longest that a wait doubles to. A server that asks for more gets it, up to [`Self::max_retry`]. Default: 30 s.
    pub max_delay: Duration,
    /// Up to this share of a wait is added to it at random, so that not all clients of a server that fell come back at once.
    /// Default: 0.5.
    pub jitter: f64,
    /// A shorter `retry:` counts as this much. Default: 100 ms.
    pub min_retry: Duration,
    /// A longer `retry:` counts as this much. Default: 5 min.
    pub max_retry: Duration,
}

impl Default for ReconnectConfig {
    fn default() -> Self {
        Self {
            max_attempts: 10,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
            jitter: 0.5,
            min_retry: Duration::from_millis(100),
            max_retry: Duration::from_secs(300),
        }
    }
}

impl ReconnectConfig {
    /// For streams that a component resumes: it keeps one for 30 s, so the first waits are short.
    pub(super) fn resuming() -> Self {
        Self::default().with_delay(Duration::from_millis(100)).with_max_delay(Duration::from_secs(5))
    }

    /// Sets [`Self::max_attempts`].
    #[must_use]
    pub const fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets [`Self::delay`].
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets [`Self::max_delay`].
    #[must_use]
    pub const fn with_max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets [`Self::jitter`].
    #[must_use]
    pub const fn with_jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Sets [`Self::min_retry`] and [`Self::max_retry`].
    #[must_use]
    pub const fn with_retry_between(mut self, min: Duration, max: Duration) -> Self {
        (self.min_retry, self.max_retry) = (min, max);
        self
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let checks = [
            (self.max_attempts == 0).then(|| FieldError::new("max_attempts", "must be at least 1")),
            (!(0.0..=1.0).contains(&self.jitter)).then(|| FieldError::new("jitter", "must be from 0 to 1")),
            (self.max_retry < self.min_retry).then(|| FieldError::new("max_retry", "must be at least min_retry")),
        ];
        checks.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_names_its_field() {
        let fine = ReconnectConfig::default();
        assert!(fine.validate().is_empty() && ReconnectConfig::resuming().validate().is_empty());
        for (wrong, field) in [
            (fine.with_max_attempts(0), "max_attempts"),
            (fine.with_jitter(-0.1), "jitter"),
            (fine.with_jitter(f64::NAN), "jitter"),
            (fine.with_retry_between(Duration::from_secs(2), Duration::from_secs(1)), "max_retry"),
        ] {
            let problems = wrong.validate();
            assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }
}
