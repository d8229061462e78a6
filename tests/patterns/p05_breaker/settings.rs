//! Settings: what is refused and how it is said, and what can change while it runs.

use std::time::Duration;

use tekton_sdk::{
    ErrorKind, Tekton,
    config::Layers,
    patterns::breaker::{BreakerConfig, BreakerState, Breakers, CircuitBreaker},
    time::{ManualClock, SharedClock},
};

use super::{SECOND, breaker, counted, fail, in_a_row};

#[test]
fn every_wrong_setting_is_an_error_that_names_its_key() {
    let base = BreakerConfig::default;
    for (config, key) in [
        (base().with_failure_threshold(Some(0)), "failure_threshold"),
        (base().with_failure_rate(Some(0.0)), "failure_rate"),
        (base().with_failure_rate(Some(1.01)), "failure_rate"),
        (base().with_failure_rate(Some(-0.5)), "failure_rate"),
        (base().with_failure_rate(Some(f64::NAN)), "failure_rate"),
        (base().with_failure_rate(Some(f64::INFINITY)), "failure_rate"),
        (base().with_slow_rate(1.01), "slow_rate"),
        (base().with_slow_rate(f64::NAN), "slow_rate"),
        (base().with_slow_call(Some(Duration::ZERO)), "slow_call"),
        (base().with_window_calls(0), "window_calls"),
        (base().with_window_calls(32_768), "window_calls"),
        (base().with_window_time(Some(Duration::ZERO)), "window_time"),
        (base().with_window_time(Some(Duration::from_millis(1_500))), "window_time"),
        (base().with_window_time(Some(Duration::from_secs(3_601))), "window_time"),
        (base().with_window_time(Some(Duration::MAX)), "window_time"),
        (base().with_min_calls(0), "min_calls"),
        (base().with_half_open_calls(0), "half_open_calls"),
        (base().with_half_open_calls(32_768), "half_open_calls"),
        (base().with_max_open_wait(SECOND), "max_open_wait"),
        (base().with_open_jitter(1.01), "open_jitter"),
        (base().with_open_jitter(f64::NAN), "open_jitter"),
        (base().with_failure_threshold(None).with_failure_rate(None), "failure_threshold"),
    ] {
        let clock = SharedClock::new(ManualClock::new());
        let errors = [
            CircuitBreaker::new("x", config.clone(), clock.clone()).unwrap_err(),
            Breakers::new(config.clone(), 8, clock).unwrap_err(),
            breaker(base()).0.reconfigure(config.clone()).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Config);
            let wrong: Vec<_> = error.fields().iter().map(|wrong| &*wrong.field).collect();
            assert_eq!(wrong, [format!("breaker.{key}")], "{config:?}");
        }
    }
}

#[test]
fn the_largest_settings_are_no_trouble() {
    let config = BreakerConfig::default()
        .with_window_calls(32_767)
        .with_min_calls(u32::MAX)
        .with_failure_threshold(Some(u32::MAX))
        .with_slow_call(Some(Duration::MAX))
        .with_half_open_calls(32_767)
        .with_max_half_open(Duration::MAX)
        .with_open_wait(Duration::MAX)
        .with_max_open_wait(Duration::MAX)
        .with_open_jitter(1.0)
        .with_max_retry_after(Duration::MAX);
    let (breaker, clock) = breaker(config);
    fail(&breaker, 32_766);
    assert_eq!(breaker.state(), BreakerState::Closed);
    let mut last = breaker.acquire().unwrap();
    last.set_retry_after(Duration::MAX);
    last.failure();
    assert_eq!(breaker.state(), BreakerState::Open);
    clock.advance(60 * SECOND);
    assert!(breaker.acquire().is_err());
}

#[test]
fn wrong_settings_of_a_handle_are_told_together() {
    let variables = [
        ("TEKTON_BREAKER_WINDOW_CALLS", "0"),
        ("TEKTON_BREAKER_FAILURE_PERCENT", "101"),
        ("TEKTON_BREAKER_SLOW_PERCENT", "nan"),
        ("TEKTON_BREAKER_ENABLED", "perhaps"),
    ];
    let error = Tekton::builder().layers(Layers::new().env(variables.into_iter().collect())).unwrap_err();
    for (name, _) in variables {
        assert!(error.report().contains(name), "{name}: {}", error.report());
    }
    let error = Tekton::builder()
        .configure(|config| {
            config.breaker.half_open_calls = 0;
            config.breaker.open_wait = Duration::from_secs(120);
        })
        .build()
        .unwrap_err();
    let report = error.report();
    assert!(report.contains("breaker.half_open_calls: must be at least 1, is 0"), "{report}");
    assert!(report.contains("breaker.max_open_wait: must be at least breaker.open_wait"), "{report}");
}

#[test]
fn new_thresholds_judge_the_window_that_there_is() {
    let (breaker, clock) = breaker(BreakerConfig::default().with_failure_threshold(None).with_min_calls(100));
    for _ in 0..6 {
        breaker.acquire().unwrap().success();
        fail(&breaker, 1);
    }
    breaker.reconfigure(breaker.config().with_min_calls(10).with_failure_rate(Some(0.6))).unwrap();
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Closed, (12, 6, 0)), "what it remembers stays");
    assert_eq!(breaker.snapshot().failure_rate, Some(0.5));
    fail(&breaker, 3);
    assert_eq!((breaker.state(), counted(&breaker)), (BreakerState::Open, (15, 9, 0)));

    // The state and its wait stay too; the next wait is of the new settings.
    let wait = breaker.acquire().unwrap_err().retry_after.unwrap();
    let config = breaker.config().with_open_wait(20 * SECOND).with_open_jitter(0.0).with_half_open_calls(1);
    breaker.reconfigure(config.clone()).unwrap();
    assert_eq!((breaker.acquire().unwrap_err().retry_after, breaker.config()), (Some(wait), config));
    clock.advance(wait + Duration::from_nanos(1));
    fail(&breaker, 1);
    assert_eq!(breaker.acquire().unwrap_err().retry_after, Some(40 * SECOND), "doubled, because it opened again");
}

#[test]
fn another_window_is_refused_and_nothing_changes() {
    let (breaker, _clock) = breaker(BreakerConfig::default());
    fail(&breaker, 4);
    let (before, config) = (breaker.snapshot(), breaker.config());
    for (other, key) in [
        (config.clone().with_window_calls(50).with_failure_threshold(Some(1)), "window_calls"),
        (config.clone().with_window_time(Some(10 * SECOND)).with_failure_threshold(Some(1)), "window_time"),
    ] {
        let error = breaker.reconfigure(other).unwrap_err();
        let why = "cannot change while the breaker runs: what it remembers would be lost; make another breaker";
        assert_eq!(error.report(), format!("the breaker's settings are wrong; breaker.{key}: {why}"));
        assert_eq!((breaker.snapshot(), breaker.config()), (before.clone(), config.clone()));
    }
}

#[test]
fn all_breakers_of_a_registry_change_and_so_do_those_to_come() {
    let clock = ManualClock::new();
    let breakers = Breakers::new(in_a_row(5), 8, SharedClock::new(clock)).unwrap();
    let (one, part) = (breakers.of("notes"), breakers.of_part("notes", "add"));
    fail(&one, 2);
    breakers.reconfigure(in_a_row(3)).unwrap();
    for breaker in [&one, &part, &breakers.of("engram")] {
        assert_eq!(breaker.config().failure_threshold, Some(3));
    }
    fail(&one, 1);
    assert_eq!(one.state(), BreakerState::Open, "the third in a row, counted from before the change");

    assert!(breakers.reconfigure(in_a_row(1).with_window_calls(5)).is_err());
    for breaker in breakers.all() {
        assert_eq!(breaker.config().failure_threshold, Some(3), "all of them or none");
    }
}
