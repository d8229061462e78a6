//! The circuit breaker under a clock moved by hand: who is let through, what is counted, which state follows.

mod format;
mod steps;

use std::time::Duration;

use tekton_sdk::{
    patterns::breaker::{BreakerConfig, CircuitBreaker},
    time::{ManualClock, SharedClock},
};

use crate::{Case, Miss, Rule, Suite};
use format::{Config, Scenario, Window};
use steps::{Differs, Late, Run};

const LATE: Rule = Rule {
    name: "late-result",
    reason: "a call that ends in another state than it began in counts nothing there; what differs afterwards is not judged",
};

pub(crate) const SUITE: Suite = Suite { name: "breaker", rules: &[LATE], capabilities: &[], check };

fn check(case: &Case<'_>) -> Result<(), Miss> {
    let Scenario { config, steps } = Scenario::of(case)?;
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::new("vectors", config_of(&config), SharedClock::new(clock.clone()))
        .map_err(|error| format!("no breaker has this configuration: {}", error.report()))?;
    let mut run = Run::new(&breaker, clock);
    for (position, step) in steps.into_iter().enumerate() {
        match (run.step(step), run.late()) {
            (Ok(()), _) => run.look(),
            (Err(_), Late::Decided) | (Err(Differs::Count(_)), Late::Counted) => return Err((&LATE).into()),
            (Err(Differs::Count(why) | Differs::Other(why)), _) => {
                return Err(format!("steps[{position}]: {why}").into());
            }
        }
    }
    Ok(())
}

/// What the file leaves out of the SDK's settings is switched off: failures in a row, jitter, longer waits, a longest half-open.
fn config_of(config: &Config) -> BreakerConfig {
    let wait = Duration::from_millis(config.open_wait_ms);
    let settings = BreakerConfig::default()
        .with_failure_threshold(None)
        .with_failure_rate(Some(config.failure_rate_pct / 100.0))
        .with_min_calls(config.min_calls)
        .with_slow_call(config.slow_call_ms.map(Duration::from_millis))
        .with_slow_rate(config.slow_rate_pct.unwrap_or(100.0) / 100.0)
        .with_half_open_calls(config.half_open_calls)
        .with_max_half_open(Duration::MAX)
        .with_open_wait(wait)
        .with_max_open_wait(wait)
        .with_open_jitter(0.0);
    match config.window {
        Window::Count => settings.with_window_calls(config.window_size),
        Window::Time => settings.with_window_time(Some(Duration::from_secs(config.window_size.into()))),
    }
}
