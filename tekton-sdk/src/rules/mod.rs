//! What the policies go by, as data. It stands below them, because a call carries it.

mod bulkhead;
mod fallback;
mod hedge;
mod rate;
mod reuse;

use std::{sync::Arc, time::Duration};

pub use bulkhead::BulkheadConfig;
pub use fallback::FallbackConfig;
pub use hedge::HedgeConfig;
pub use rate::RateConfig;
pub use reuse::ReuseConfig;

/// What the policies of the pipeline go by for one call: a named policy, with all that it leaves open filled in.
///
/// ```
/// use std::time::Duration;
///
/// use tekton_sdk::policy::Rules;
///
/// let rules = Rules::standard();
/// assert_eq!((rules.timeout, rules.attempt_timeout), (Duration::from_secs(30), None));
/// assert_eq!((rules.max_attempts, rules.base_delay, rules.max_delay), (4, Duration::from_millis(100), Duration::from_secs(10)));
/// assert!(rules.breaker);
/// assert!(rules.rate.is_none() && rules.bulkhead.is_none() && rules.hedge.is_none());
/// assert!(rules.reuse.is_none() && rules.fallback.is_none());
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The name of the policy, as messages give it.
    pub name: Arc<str>,
    /// The longest time a call may take, all attempts included. A call's own limit replaces it.
    pub timeout: Duration,
    /// The longest time one attempt may take. A call's own limit replaces it.
    pub attempt_timeout: Option<Duration>,
    /// How often a call is tried, the first attempt included.
    pub max_attempts: u32,
    /// The bound of the wait before the second attempt; it doubles with each further one.
    pub base_delay: Duration,
    /// The longest wait between two attempts.
    pub max_delay: Duration,
    /// Whether attempts go through a breaker.
    pub breaker: bool,
    /// How often the component is called at most.
    pub rate: Option<RateConfig>,
    /// How many attempts run at once.
    pub bulkhead: Option<BulkheadConfig>,
    /// When a second attempt is sent beside a slow one. Reads and idempotent calls only.
    pub hedge: Option<HedgeConfig>,
    /// Which equal calls share an answer. Reads only.
    pub reuse: Option<ReuseConfig>,
    /// What is given instead of a failure.
    pub fallback: Option<FallbackConfig>,
}

impl Rules {
    /// The preset `standard`: 30 s, four attempts, everything optional off. It is what the defaults of the settings say.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            name: "standard".into(),
            timeout: Duration::from_secs(30),
            attempt_timeout: None,
            max_attempts: 4,
            base_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
            breaker: true,
            rate: None,
            bulkhead: None,
            hedge: None,
            reuse: None,
            fallback: None,
        }
    }

    /// The preset `fast`, for calls that somebody waits for: 1 s, two attempts of 400 ms, 10 to 100 ms between them.
    #[must_use]
    pub fn fast() -> Self {
        Self {
            name: "fast".into(),
            timeout: Duration::from_secs(1),
            attempt_timeout: Some(Duration::from_millis(400)),
            max_attempts: 2,
            base_delay: Duration::from_millis(10),
            max_delay: Duration::from_millis(100),
            ..Self::standard()
        }
    }

    /// The preset `patient`, for calls that nobody watches: 2 min, six attempts of 30 s, 500 ms to 30 s between them.
    #[must_use]
    pub fn patient() -> Self {
        Self {
            name: "patient".into(),
            timeout: Duration::from_secs(120),
            attempt_timeout: Some(Duration::from_secs(30)),
            max_attempts: 6,
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            ..Self::standard()
        }
    }

    /// The preset of this name.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "fast" => Some(Self::fast()),
            "standard" => Some(Self::standard()),
            "patient" => Some(Self::patient()),
            _ => None,
        }
    }
}
