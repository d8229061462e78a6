//! Settings of one breaker.

use std::time::Duration;

use super::atomic::{MAX_CALLS, MAX_SECONDS, Rules};
use crate::{
    env,
    error::{Error, FieldError, Result},
};

/// When a breaker opens, for how long, and how it finds its way back.
///
/// A closed breaker opens as soon as one of its rules holds (all of them with [`Self::all_rules`]): so many failures in a
/// row, a rate of failures, a rate of slow calls.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::patterns::breaker::BreakerConfig;
///
/// let config = BreakerConfig::default();
/// assert_eq!(config.failure_threshold, Some(5));
/// assert_eq!(config.failure_rate, Some(0.5));
/// assert_eq!((config.window_calls, config.window_time, config.min_calls), (100, None, 20));
/// assert_eq!((config.slow_call, config.slow_rate), (None, 1.0));
/// assert!(!config.all_rules);
/// assert_eq!(config.half_open_calls, 3);
/// assert_eq!(config.max_half_open, Duration::from_secs(60));
/// assert_eq!(config.open_wait, Duration::from_secs(5));
/// assert_eq!(config.max_open_wait, Duration::from_secs(60));
/// assert_eq!(config.open_jitter, 0.1);
/// assert_eq!(config.max_retry_after, Duration::from_secs(300));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerConfig {
    /// The rule of failures in a row: this many open the breaker. `None` is no such rule. Default: 5.
    pub failure_threshold: Option<u32>,
    /// The rule of the failure rate: this share of the window, above 0 and at most 1, opens the breaker. `None` is no such
    /// rule. Default: 0.5.
    pub failure_rate: Option<f64>,
    /// How many calls the window holds, from 1 to 32,767; see [`Self::window_time`]. Default: 100.
    pub window_calls: u32,
    /// How long the window is, in whole seconds from one to an hour; `None`: it holds the last [`Self::window_calls`]
    /// instead. Default: none.
    pub window_time: Option<Duration>,
    /// How many calls the window must hold before a rate counts, at least 1. A window of calls is full at its size, and no
    /// more than that are asked for. Default: 20.
    pub min_calls: u32,
    /// A call that takes longer is slow. `None`: calls are not timed. Default: none.
    pub slow_call: Option<Duration>,
    /// The rule of slow calls, where they are timed: this share of the window, above 0 and at most 1, opens the breaker.
    /// Default: 1.
    pub slow_rate: f64,
    /// Whether all rules must hold before the breaker opens, rather than any. Default: any.
    pub all_rules: bool,
    /// How many calls a half-open breaker lets through per cycle, from 1 to 32,767. Default: 3.
    pub half_open_calls: u32,
    /// How long a half-open breaker waits for its probes; whoever asks later finds it open again. Default: 60 s.
    pub max_half_open: Duration,
    /// How long an open breaker refuses, the first time. Default: 5 s.
    pub open_wait: Duration,
    /// The wait doubles each time the probes fail, up to this; as long as [`Self::open_wait`] it stays fixed. Default: 60 s.
    pub max_open_wait: Duration,
    /// Up to this share of the wait is added at random, from 0 to 1, so that not all clients come back at once.
    /// Default: 0.1.
    pub open_jitter: f64,
    /// The failure that opens the breaker may carry a `Retry-After`: the breaker then waits at least that long, up to this.
    /// Zero ignores it. Default: 5 min.
    pub max_retry_after: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failure_threshold: Some(5),
            failure_rate: Some(0.5),
            window_calls: 100,
            window_time: None,
            min_calls: 20,
            slow_call: None,
            slow_rate: 1.0,
            all_rules: false,
            half_open_calls: 3,
            max_half_open: Duration::from_secs(60),
            open_wait: Duration::from_secs(5),
            max_open_wait: Duration::from_secs(60),
            open_jitter: 0.1,
            max_retry_after: Duration::from_secs(300),
        }
    }
}

impl BreakerConfig {
    /// Sets [`Self::failure_threshold`].
    #[must_use]
    pub const fn with_failure_threshold(mut self, failure_threshold: Option<u32>) -> Self {
        self.failure_threshold = failure_threshold;
        self
    }

    /// Sets [`Self::failure_rate`].
    #[must_use]
    pub const fn with_failure_rate(mut self, failure_rate: Option<f64>) -> Self {
        self.failure_rate = failure_rate;
        self
    }

    /// Sets [`Self::window_calls`].
    #[must_use]
    pub const fn with_window_calls(mut self, window_calls: u32) -> Self {
        self.window_calls = window_calls;
        self
    }

    /// Sets [`Self::window_time`].
    #[must_use]
    pub const fn with_window_time(mut self, window_time: Option<Duration>) -> Self {
        self.window_time = window_time;
        self
    }

    /// Sets [`Self::min_calls`].
    #[must_use]
    pub const fn with_min_calls(mut self, min_calls: u32) -> Self {
        self.min_calls = min_calls;
        self
    }

    /// Sets [`Self::slow_call`].
    #[must_use]
    pub const fn with_slow_call(mut self, slow_call: Option<Duration>) -> Self {
        self.slow_call = slow_call;
        self
    }

    /// Sets [`Self::slow_rate`].
    #[must_use]
    pub const fn with_slow_rate(mut self, slow_rate: f64) -> Self {
        self.slow_rate = slow_rate;
        self
    }

    /// Sets [`Self::all_rules`].
    #[must_use]
    pub const fn with_all_rules(mut self, all_rules: bool) -> Self {
        self.all_rules = all_rules;
        self
    }

    /// Sets [`Self::half_open_calls`].
    #[must_use]
    pub const fn with_half_open_calls(mut self, half_open_calls: u32) -> Self {
        self.half_open_calls = half_open_calls;
        self
    }

    /// Sets [`Self::max_half_open`].
    #[must_use]
    pub const fn with_max_half_open(mut self, max_half_open: Duration) -> Self {
        self.max_half_open = max_half_open;
        self
    }

    /// Sets [`Self::open_wait`].
    #[must_use]
    pub const fn with_open_wait(mut self, open_wait: Duration) -> Self {
        self.open_wait = open_wait;
        self
    }

    /// Sets [`Self::max_open_wait`].
    #[must_use]
    pub const fn with_max_open_wait(mut self, max_open_wait: Duration) -> Self {
        self.max_open_wait = max_open_wait;
        self
    }

    /// Sets [`Self::open_jitter`].
    #[must_use]
    pub const fn with_open_jitter(mut self, open_jitter: f64) -> Self {
        self.open_jitter = open_jitter;
        self
    }

    /// Sets [`Self::max_retry_after`].
    #[must_use]
    pub const fn with_max_retry_after(mut self, max_retry_after: Duration) -> Self {
        self.max_retry_after = max_retry_after;
        self
    }

    /// A breaker that opens after this many failures in a row and stays open this long, each time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tekton_sdk::patterns::breaker::BreakerConfig;
    ///
    /// let config = BreakerConfig::in_a_row(3, Duration::from_secs(30));
    /// assert_eq!((config.failure_threshold, config.failure_rate, config.half_open_calls), (Some(3), None, 1));
    /// ```
    #[must_use]
    pub fn in_a_row(failures: u32, open_wait: Duration) -> Self {
        Self {
            failure_threshold: Some(failures),
            failure_rate: None,
            half_open_calls: 1,
            open_wait,
            max_open_wait: open_wait,
            open_jitter: 0.0,
            ..Self::default()
        }
    }

    /// Checks every field against its bounds, and names what is wrong, all of it.
    #[must_use]
    pub fn validate(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut check = |right: bool, key: &str, problem: String| {
            if !right {
                wrong.push(FieldError::new(format!("breaker.{key}"), problem));
            }
        };
        let is_rate = |rate: f64| rate > 0.0 && rate <= 1.0;
        let rate = |rate: f64| format!("must be above 0 and at most 1, is {rate}");
        let positive = |number: u32| format!("must be at least 1, is {number}");
        let threshold = self.failure_threshold.unwrap_or(1);
        check(threshold >= 1, "failure_threshold", positive(threshold));
        check(self.failure_rate.is_none_or(is_rate), "failure_rate", rate(self.failure_rate.unwrap_or_default()));
        check(is_rate(self.slow_rate), "slow_rate", rate(self.slow_rate));
        check(
            (1..=MAX_CALLS).contains(&self.window_calls),
            "window_calls",
            format!("must be from 1 to {MAX_CALLS}, is {}", self.window_calls),
        );
        let time = self.window_time.unwrap_or(Duration::from_secs(1));
        check(
            time.subsec_nanos() == 0 && (1..=u64::from(MAX_SECONDS)).contains(&time.as_secs()),
            "window_time",
            format!("must be whole seconds from 1 s to {MAX_SECONDS} s, is {time:?}"),
        );
        check(self.min_calls >= 1, "min_calls", positive(self.min_calls));
        check(
            (1..=MAX_CALLS).contains(&self.half_open_calls),
            "half_open_calls",
            format!("must be from 1 to {MAX_CALLS}, is {}", self.half_open_calls),
        );
        check(
            self.slow_call.is_none_or(|limit| !limit.is_zero()),
            "slow_call",
            "must be longer than no time at all".to_owned(),
        );
        check(
            (0.0..=1.0).contains(&self.open_jitter),
            "open_jitter",
            format!("must be from 0 to 1, is {}", self.open_jitter),
        );
        check(
            self.failure_threshold.is_some() || self.failure_rate.is_some() || self.slow_call.is_some(),
            "failure_threshold",
            "is off, and so are failure_rate and slow_call: one rule at least must be on".to_owned(),
        );
        wrong.extend(env::check_order(
            "breaker.max_open_wait",
            self.max_open_wait,
            "breaker.open_wait",
            self.open_wait,
        ));
        wrong
    }

    /// The configuration, if it is within its bounds.
    pub(super) fn checked(self) -> Result<Self> {
        let wrong = self.validate();
        if wrong.is_empty() {
            Ok(self)
        } else {
            Err(Error::config("the breaker's settings are wrong").with_fields(wrong))
        }
    }

    /// The length of the window in seconds, if it is one of time.
    pub(super) fn window_seconds(&self) -> Option<u32> {
        self.window_time.map(|time| u32::try_from(time.as_secs()).unwrap_or(MAX_SECONDS))
    }

    /// How many probes must have ended before a half-open breaker decides.
    pub(super) fn probes_needed(&self) -> u32 {
        self.rules().min_calls.min(self.half_open_calls)
    }

    /// When a closed breaker opens.
    pub(super) fn rules(&self) -> Rules {
        let full = if self.window_time.is_none() { self.window_calls } else { u32::MAX };
        Rules {
            min_calls: self.min_calls.min(full),
            failure_rate: self.failure_rate,
            slow_rate: self.slow_call.map(|_| self.slow_rate),
            in_a_row: self.failure_threshold,
            all: self.all_rules,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_setting_is_named_with_its_bound() {
        let config = BreakerConfig {
            failure_threshold: Some(0),
            failure_rate: Some(1.5),
            window_calls: 0,
            window_time: Some(Duration::from_millis(1500)),
            min_calls: 0,
            slow_call: Some(Duration::ZERO),
            slow_rate: f64::NAN,
            half_open_calls: 0,
            open_wait: Duration::from_secs(2),
            max_open_wait: Duration::from_secs(1),
            open_jitter: -0.1,
            ..BreakerConfig::default()
        };
        let wrong: Vec<String> = config.validate().iter().map(ToString::to_string).collect();
        for sentence in [
            "breaker.failure_threshold: must be at least 1, is 0",
            "breaker.failure_rate: must be above 0 and at most 1, is 1.5",
            "breaker.window_calls: must be from 1 to 32767, is 0",
            "breaker.window_time: must be whole seconds from 1 s to 3600 s, is 1.5s",
            "breaker.min_calls: must be at least 1, is 0",
            "breaker.slow_call: must be longer than no time at all",
            "breaker.slow_rate: must be above 0 and at most 1, is NaN",
            "breaker.half_open_calls: must be from 1 to 32767, is 0",
            "breaker.max_open_wait: must be at least breaker.open_wait, which is 2s, is 1s",
            "breaker.open_jitter: must be from 0 to 1, is -0.1",
        ] {
            assert!(wrong.iter().any(|said| said == sentence), "{sentence}: {wrong:#?}");
        }
        assert_eq!(wrong.len(), 10);
        assert!(BreakerConfig::default().validate().is_empty());
        let none = BreakerConfig { failure_threshold: None, failure_rate: None, ..BreakerConfig::default() };
        assert!(none.checked().unwrap_err().report().contains("one rule at least must be on"));
    }

    #[test]
    fn a_window_of_calls_asks_for_no_more_calls_than_it_holds() {
        let config = BreakerConfig::default().with_window_calls(10);
        assert_eq!(config.rules().min_calls, 10);
        assert_eq!(config.with_window_time(Some(Duration::from_secs(10))).rules().min_calls, 20);
    }
}
