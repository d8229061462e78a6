//! What is gathered, and that nothing from outside breaks it.

use prometheus::{Registry, TextEncoder};

use super::*;
use crate::telemetry::{Gauge, names::METRICS};

fn text(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).expect("every series has its labels")
}

/// A room with gauges.
#[derive(Debug)]
struct Room(Vec<(String, f64)>);

impl Introspect for Room {
    fn section(&self) -> &'static str {
        "room"
    }

    fn introspect(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn gauges(&self, emit: &mut dyn FnMut(Gauge<'_>)) {
        for (key, value) in &self.0 {
            emit(Gauge { name: names::BREAKER_STATE, key, value: *value });
            emit(Gauge { name: "made_up", key, value: *value });
        }
    }
}

fn parts(rooms: Vec<Room>) -> Arc<[Arc<dyn Introspect>]> {
    rooms.into_iter().map(|room| Arc::new(room) as _).collect()
}

/// Metrics in which every one of the table has a value.
fn full(registry: &Registry, parts: &Arc<[Arc<dyn Introspect>]>) -> Metrics {
    let metrics = Metrics::register(registry, Arc::clone(parts)).expect("an empty registry");
    let call = metrics.of("reader", "summarizer", "summarize");
    call.call(Duration::from_millis(3), Some(ErrorKind::Timeout));
    call.attempt(Duration::from_millis(2), Some(Verdict::Failure));
    call.attempt(Duration::from_millis(2), None);
    let (target, operation) = ("summarizer", "summarize");
    let wait = Duration::ZERO;
    metrics.count(&Event::Retrying { target, operation, attempt: 2, wait, reason: "connect" });
    metrics.count(&Event::NotRetried { target, operation, attempts: 1, reason: "unsafe" });
    metrics.count(&Event::BreakerChanged { breaker: target, from: "closed", to: "open", reason: "failure_rate" });
    metrics.count(&Event::BreakerRefused { breaker: target });
    let served = metrics.served("summarizer", "summarize");
    served.began();
    served.began();
    served.ended(wait, 429);
    served.refused();
    metrics
}

#[test]
fn every_metric_of_the_table_is_gathered_with_its_kind_and_labels() {
    struct Budget;
    impl std::fmt::Debug for Budget {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Budget")
        }
    }
    impl Introspect for Budget {
        fn section(&self) -> &'static str {
            "budget"
        }
        fn introspect(&self) -> serde_json::Value {
            serde_json::Value::Null
        }
        fn gauges(&self, emit: &mut dyn FnMut(Gauge<'_>)) {
            emit(Gauge { name: names::RETRY_BUDGET_LEFT, key: "summarizer", value: 9.5 });
            emit(Gauge { name: names::INSTANCES_EJECTED, key: "summarizer", value: 1.0 });
        }
    }
    let registry = Registry::new();
    let parts: Arc<[Arc<dyn Introspect>]> = Arc::new([Arc::new(Room(vec![("db".into(), 2.0)])), Arc::new(Budget)]);
    let _metrics = full(&registry, &parts);
    let families = registry.gather();
    assert_eq!(families.len(), METRICS.len());
    for metric in METRICS {
        let family = families.iter().find(|family| family.name() == metric.name).expect(metric.name);
        assert_eq!(format!("{:?}", family.get_field_type()).to_lowercase(), metric.kind.name(), "{}", metric.name);
        assert_eq!(family.help(), metric.help);
        for series in family.get_metric() {
            let mut labels = metric.labels.to_vec();
            labels.sort_unstable();
            assert_eq!(series.get_label().iter().map(|pair| pair.name()).collect::<Vec<_>>(), labels);
        }
    }
}

#[test]
fn calls_are_counted_under_the_guides_names() {
    let registry = Registry::new();
    let none = parts(Vec::new());
    let _metrics = full(&registry, &none);
    let text = text(&registry);
    for line in [
        r#"integration_requests_total{endpoint="summarize",source="reader",target="summarizer"} 1"#,
        r#"integration_duration_seconds_bucket{endpoint="summarize",source="reader",target="summarizer",le="0.005"} 1"#,
        r#"integration_failures_total{endpoint="summarize",kind="Timeout",source="reader",target="summarizer"} 1"#,
        r#"integration_attempts_total{endpoint="summarize",source="reader",target="summarizer",verdict="abandoned"} 1"#,
        r#"integration_attempt_duration_seconds_count{endpoint="summarize",source="reader",target="summarizer"} 2"#,
        r#"integration_breaker_transitions_total{breaker="summarizer",from="closed",to="open"} 1"#,
        r#"integration_served_total{component="summarizer",operation="summarize",status="429"} 1"#,
        r#"integration_served_in_flight{component="summarizer"} 1"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(Metrics::register(&registry, none).is_err());
}

#[test]
fn the_parts_are_asked_at_each_scrape_while_they_live() {
    let registry = Registry::new();
    let rooms = parts(vec![Room(vec![("db".into(), 0.0)]), Room(vec![("db".into(), 2.0)])]);
    let _metrics = Metrics::register(&registry, Arc::clone(&rooms)).unwrap();
    let shown = text(&registry);
    assert!(shown.contains("integration_breaker_state{breaker=\"db\"} 2\n"), "one series for each key: {shown}");
    assert!(!shown.contains("made_up"), "{shown}");
    drop(rooms);
    assert!(!text(&registry).contains("integration_breaker_state"));
}

#[test]
fn ten_thousand_gauges_end_in_one_series() {
    let registry = Registry::new();
    let rooms = parts(vec![Room((0..10_000_u32).map(|n| (format!("key-{n:05}"), f64::from(n % 6))).collect())]);
    let _metrics = Metrics::register(&registry, Arc::clone(&rooms)).unwrap();
    let text = text(&registry);
    let series = text.lines().filter(|line| line.starts_with("integration_breaker_state{")).count();
    assert_eq!(series, capped::MAX_VALUES + 1);
    assert!(text.contains("integration_breaker_state{breaker=\"other\"} 5\n"));
}

#[test]
fn the_rest_shows_the_largest_whoever_calls_itself_so() {
    for values in [[2.0, 0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 1.0, 2.0]] {
        let registry = Registry::new();
        let rooms = parts(vec![Room(values.iter().map(|value| (names::OTHER.to_owned(), *value)).collect())]);
        let _metrics = Metrics::register(&registry, Arc::clone(&rooms)).unwrap();
        let text = text(&registry);
        assert!(text.contains("integration_breaker_state{breaker=\"other\"} 2\n"), "{values:?}: {text}");
    }
}

#[test]
fn a_label_from_elsewhere_cannot_forge_a_line() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry, parts(Vec::new())).unwrap();
    metrics.of("me", "a\"} 1\nforged_total{x=\"\\", "op").call(Duration::ZERO, None);
    let text = text(&registry);
    assert!(text.contains(r#"target="a\"} 1\nforged_total{x=\"\\""#), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("forged_total")), "{text}");
}
