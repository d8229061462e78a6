//! The table of what a named policy says, every key once.

use std::time::Duration;

use super::{
    kind::Kind,
    table::{DAY, HOUR, MILLI, MONTH, count, time},
};

/// One key of a `[policy.x]`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct PolicyKey {
    /// Where it stands in a policy, as `rate.burst`. A section, as `rate`, is a key of its own: it switches on and off.
    pub path: &'static str,
    /// What kind of value it takes, and its bounds; of a section [`Kind::Flag`].
    pub kind: Kind,
    /// The [setting](super::Setting) that says it where no policy does.
    pub setting: Option<&'static str>,
    /// What holds where neither a policy nor a setting says it, as it would be written. Of a key in a section: while the section
    /// is on.
    pub default: Option<&'static str>,
    /// What it is for, as a clause.
    pub meaning: &'static str,
}

impl PolicyKey {
    const fn new(path: &'static str, kind: Kind, default: Option<&'static str>, meaning: &'static str) -> Self {
        Self { path, kind, setting: None, default, meaning }
    }

    const fn of(path: &'static str, kind: Kind, setting: &'static str, meaning: &'static str) -> Self {
        Self { path, kind, setting: Some(setting), default: None, meaning }
    }

    /// Whether it is the name of a table, rather than of a value.
    #[must_use]
    pub fn is_section(&self) -> bool {
        POLICY_KEYS.iter().any(|key| key.section() == Some(self.path))
    }

    /// The table that it stands in.
    #[must_use]
    pub fn section(&self) -> Option<&'static str> {
        self.path.split_once('.').map(|(section, _)| section)
    }
}

/// The key at this path of a policy.
#[must_use]
pub fn policy_key(path: &str) -> Option<&'static PolicyKey> {
    POLICY_KEYS.iter().find(|key| key.path == path)
}

const PERCENT: Kind = count(100);
const MANY: Kind = count(1_000_000);
const ANY_HOUR: Kind = time(Duration::ZERO, HOUR);

/// Every key of a policy, in the order of the documentation.
#[rustfmt::skip]
pub const POLICY_KEYS: &[PolicyKey] = &[
    PolicyKey::new("extends", Kind::Name, None,
        "the preset or the policy that says what this one leaves open"),
    PolicyKey::of("timeout", time(MILLI, MONTH), "request.timeout",
        "the longest time a call may take, all attempts included"),
    PolicyKey::of("attempt_timeout", time(Duration::ZERO, MONTH), "request.attempt_timeout",
        "the longest time one attempt may take; 0 is no limit"),
    PolicyKey::of("max_attempts", count(100), "retry.max_attempts",
        "how often a call is tried, the first attempt included"),
    PolicyKey::of("base_delay", ANY_HOUR, "retry.base_delay",
        "the wait before the second attempt; each further one is longer"),
    PolicyKey::of("max_delay", time(Duration::ZERO, DAY), "retry.max_delay",
        "the longest wait between two attempts; at least `base_delay`"),
    PolicyKey::of("breaker", Kind::Flag, "breaker.enabled",
        "whether attempts go through a breaker"),
    PolicyKey::new("rate", Kind::Flag, Some("false"),
        "whether a component is called only so often"),
    PolicyKey::new("rate.per_second", MANY, Some("100"),
        "how many attempts a second are sent in the long run"),
    PolicyKey::new("rate.burst", MANY, Some("100"),
        "how many are sent at once after a silence"),
    PolicyKey::new("rate.max_wait", ANY_HOUR, Some("0s"),
        "how long an attempt waits for its turn; 0 refuses at once"),
    PolicyKey::new("rate.adaptive", Kind::Flag, Some("true"),
        "whether 429 and 503 make the rate lower for a while"),
    PolicyKey::new("bulkhead", Kind::Flag, Some("false"),
        "whether only so many attempts run at once"),
    PolicyKey::new("bulkhead.max_concurrency", MANY, Some("64"),
        "how many attempts run at once"),
    PolicyKey::new("bulkhead.max_waiting", Kind::Count { min: 0, max: 1_000_000 }, Some("128"),
        "how many wait for their turn; the next one is refused"),
    PolicyKey::new("bulkhead.max_wait", ANY_HOUR, None,
        "how long one waits at most; until the call's deadline if not given"),
    PolicyKey::new("bulkhead.shed", Kind::Flag, Some("true"),
        "whether an attempt is refused at once when its turn will come too late"),
    PolicyKey::new("hedge", Kind::Flag, Some("false"),
        "whether a second attempt is sent beside a slow one"),
    PolicyKey::new("hedge.percentile", count(99), Some("95"),
        "the share of recent answers, in percent, that came sooner than a hedge waits"),
    PolicyKey::new("hedge.min_delay", ANY_HOUR, Some("5ms"),
        "the shortest wait before a hedge"),
    PolicyKey::new("hedge.max_delay", ANY_HOUR, Some("2s"),
        "the longest wait before a hedge; at least `hedge.min_delay`"),
    PolicyKey::new("hedge.max_hedges", count(100), Some("1"),
        "how many hedges one attempt has at most"),
    PolicyKey::new("hedge.budget_percent", PERCENT, Some("5"),
        "how many hedges the calls to a target pay for, as a percentage of the calls"),
    PolicyKey::new("reuse", Kind::Flag, Some("false"),
        "whether equal reads share an answer"),
    PolicyKey::new("reuse.single_flight", Kind::Flag, Some("true"),
        "whether equal reads that are under way at once are sent once"),
    PolicyKey::new("reuse.ttl", time(Duration::ZERO, DAY), None,
        "how long an answer serves equal reads that come later; 0 keeps none"),
    PolicyKey::new("fallback", Kind::Flag, Some("false"),
        "whether something else is given instead of a failure: one of the next four"),
    PolicyKey::new("fallback.value", Kind::Json, None,
        "this value, as if it were the answer"),
    PolicyKey::new("fallback.component", Kind::Name, None,
        "the answer of the component of this name to the same request"),
    PolicyKey::new("fallback.capability", Kind::Name, None,
        "the answer of another component that has this capability"),
    PolicyKey::new("fallback.cached", time(MILLI, MONTH), None,
        "the last good answer to an equal read, no older than this"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        env::{Value, setting},
        rules::{BulkheadConfig, HedgeConfig, RateConfig, ReuseConfig},
    };

    #[test]
    fn the_table_is_consistent() {
        let mut paths = BTreeSet::new();
        for key in POLICY_KEYS {
            assert!(paths.insert(key.path), "{} stands twice", key.path);
            assert!(key.section().is_none_or(|section| policy_key(section).is_some_and(PolicyKey::is_section)));
            assert!(!key.is_section() || key.kind == Kind::Flag, "{}", key.path);
            assert!(key.setting.is_none_or(|path| setting(path).is_some()), "{}", key.path);
            assert!(key.setting.is_none() || key.default.is_none(), "{}", key.path);
            if let Some(default) = key.default {
                key.kind.parse(default).expect("a default fits its own kind");
            }
            assert!(!key.meaning.contains('|') && !key.meaning.ends_with('.'), "{}", key.path);
        }
        // What a setting may say, a policy may say as well.
        for (key, path) in POLICY_KEYS.iter().filter_map(|key| Some((key, key.setting?))) {
            let setting = setting(path).expect("checked above");
            let same = match (key.kind, setting.kind) {
                (Kind::Duration { min, max }, Kind::Duration { min: least, max: most }) => {
                    max == most && (min == least || min.is_zero() && setting.default.is_none())
                }
                (kind, other) => kind == other,
            };
            assert!(same, "{path}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_configurations() {
        let default = |path: &str| {
            let key = policy_key(path).expect(path);
            key.default.map(|default| key.kind.parse(default).expect(path))
        };
        let number = |number: u32| Some(Value::from(number));
        let rate = RateConfig::default();
        assert_eq!([default("rate.per_second"), default("rate.burst")], [rate.per_second, rate.burst].map(number));
        assert_eq!(default("rate.max_wait"), Some(rate.max_wait.into()));
        assert_eq!(default("rate.adaptive"), Some(rate.adaptive.into()));
        let bulkhead = BulkheadConfig::default();
        assert_eq!(default("bulkhead.max_concurrency"), number(bulkhead.max_concurrency));
        assert_eq!(default("bulkhead.max_waiting"), number(bulkhead.max_waiting));
        assert_eq!(default("bulkhead.max_wait"), bulkhead.max_wait.map(Value::from));
        assert_eq!(default("bulkhead.shed"), Some(bulkhead.shed.into()));
        let hedge = HedgeConfig::default();
        assert_eq!(default("hedge.percentile"), number(hedge.percentile));
        assert_eq!(default("hedge.min_delay"), Some(hedge.min_delay.into()));
        assert_eq!(default("hedge.max_delay"), Some(hedge.max_delay.into()));
        assert_eq!(default("hedge.max_hedges"), number(hedge.max_hedges));
        assert_eq!(default("hedge.budget_percent"), number(hedge.budget_percent));
        let reuse = ReuseConfig::default();
        assert_eq!(default("reuse.single_flight"), Some(reuse.single_flight.into()));
        assert_eq!(default("reuse.ttl"), reuse.ttl.map(Value::from));
    }
}
