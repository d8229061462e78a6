//! What a scenario of a breaker says.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::Case;

pub(super) struct Scenario {
    pub(super) config: Config,
    pub(super) steps: Vec<Step>,
}

impl Scenario {
    /// Reads a case; what its `config` leaves out is taken from the `defaults` of the file.
    pub(super) fn of(case: &Case<'_>) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Own {
            #[serde(default)]
            config: Map<String, Value>,
            steps: Vec<Step>,
        }
        let Own { config, steps } = case.read()?;
        let mut merged = match case.file.get("defaults") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(defaults)) => defaults.clone(),
            Some(other) => return Err(format!("the `defaults` of the file are {other}, no object")),
        };
        merged.extend(config);
        let config = Config::deserialize(Value::Object(merged)).map_err(|error| format!("config: {error}"))?;
        Ok(Self { config, steps })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) window: Window,
    pub(super) window_size: u32,
    pub(super) min_calls: u32,
    pub(super) failure_rate_pct: f64,
    pub(super) slow_call_ms: Option<u64>,
    pub(super) slow_rate_pct: Option<f64>,
    pub(super) half_open_calls: u32,
    pub(super) open_wait_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Window {
    Count,
    Time,
}

// Variants without fields are written with braces, or they would take any unknown key.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    Call {
        outcome: Option<Outcome>,
        #[serde(default = "once")]
        repeat: u64,
        #[serde(default = "yes")]
        permitted: bool,
        #[serde(default)]
        duration_ms: u64,
    },
    Acquire {
        r#as: String,
        #[serde(default = "yes")]
        permitted: bool,
    },
    Finish {
        of: String,
        outcome: Outcome,
        #[serde(default)]
        duration_ms: u64,
    },
    Release {
        of: String,
    },
    Advance {
        ms: u64,
    },
    ForceOpen {},
    Disable {},
    MetricsOnly {},
    Reset {},
    Open {},
    HalfOpen {},
    Close {},
    Expect {
        state: State,
        #[serde(default, deserialize_with = "given")]
        failure_rate_pct: Option<Option<f64>>,
        #[serde(default, deserialize_with = "given")]
        slow_rate_pct: Option<Option<f64>>,
        buffered_calls: Option<u64>,
        not_permitted: Option<u64>,
    },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Ok,
    Err,
    Ignored,
    ErrAsSuccess,
    BadResult,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Closed,
    Open,
    HalfOpen,
    ForcedOpen,
    Disabled,
    MetricsOnly,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

/// Tells `null` from a key that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

const fn once() -> u64 {
    1
}

const fn yes() -> bool {
    true
}
