use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::wire::arbitrary;

fn read(body: Value) -> HealthBody {
    read_health(StatusCode::OK, body.to_string().as_bytes())
}

#[test]
fn the_shared_model_in_camel_case() {
    let health = read(json!({"status": "degraded", "component": "rhetor", "version": "0.1.0",
        "timestamp": "2025-09-27T10:00:00Z", "uptime": null, "port": 8003, "registeredWithHermes": true,
        "dependencies": [{"name": "hermes", "status": "unhealthy", "message": "gone"}],
        "metrics": {"models": 3}, "details": {"a": 1}}));
    assert_eq!((health.status, health.port), (HealthStatus::Degraded, Some(8003)));
    assert_eq!((health.registered_with_hermes, health.uptime), (Some(true), None));
    assert_eq!(health.timestamp.as_deref(), Some("2025-09-27T10:00:00Z"));
    assert_eq!(
        (health.dependencies[0].status, health.dependencies[0].message.as_deref()),
        (HealthStatus::Unhealthy, Some("gone"))
    );
    assert_eq!((&health.metrics["models"], &health.details["a"]), (&json!(3), &json!(1)));
}

#[test]
fn the_shared_model_in_snake_case() {
    let health =
        read(json!({"status": "healthy", "component": "metis", "version": "0.1.0", "uptime": 3.5, "port": 8011,
        "registered_with_hermes": false, "dependencies": [], "metrics": {}, "details": {}}));
    assert_eq!((health.status, health.uptime), (HealthStatus::Healthy, Some(3.5)));
    assert_eq!(health.registered_with_hermes, Some(false));
}

#[test]
fn the_hubs_own_shape() {
    let health = read(json!({"status": "healthy", "component": "harmonia", "version": "0.1.0", "port": 8007,
        "registered": true, "message": "Harmonia is running", "services": {"a": "ok"}}));
    assert_eq!(health.registered_with_hermes, Some(true));
    assert_eq!(health.message.as_deref(), Some("Harmonia is running"));
}

#[test]
fn apollos_shape() {
    let health = read(json!({"status": "ok", "uptime": "12.5", "version": "0.1.0", "component_name": "apollo"}));
    assert_eq!((health.status, health.uptime), (HealthStatus::Healthy, Some(12.5)));
    assert_eq!(health.component.as_deref(), Some("apollo"));
}

#[test]
fn termas_shape() {
    let health = read(json!({"status": "healthy", "uptime": 1, "version": "0.1.0", "active_sessions": 2}));
    assert_eq!((health.status, health.component), (HealthStatus::Healthy, None));
}

#[test]
fn the_shape_with_capabilities() {
    let health = read(json!({"status": "healthy", "component": "Numa", "version": "0.1.0",
        "timestamp": "2025-09-27T10:00:00.1", "capabilities": ["chat"], "port": "8016"}));
    assert_eq!((health.component.as_deref(), health.port), (Some("Numa"), Some(8016)));
}

#[test]
fn ours_round_trips_with_every_field_of_the_model() {
    let health = HealthBody::new(HealthStatus::Degraded)
        .with_component("Summarizer", "1.2.0")
        .with_timestamp("2025-09-27T10:00:00Z")
        .with_uptime(1.5)
        .with_port(49_152)
        .with_registered(true)
        .with_dependency("engram", HealthStatus::Unhealthy);
    let written: Value = serde_json::from_slice(&health.to_bytes()).unwrap();
    assert_eq!(
        written,
        json!({"status": "degraded", "component": "summarizer", "version": "1.2.0", "timestamp": "2025-09-27T10:00:00Z",
            "uptime": 1.5, "port": 49152, "registered_with_hermes": true,
            "dependencies": [{"name": "engram", "status": "unhealthy"}], "metrics": {}, "details": {}})
    );
    assert_eq!(read(written), health);
    assert_eq!(HealthBody::new(HealthStatus::Healthy).with_uptime(f64::NAN).uptime, None);
}

#[test]
fn status_words_are_read_in_any_case() {
    for (word, status) in [
        ("Healthy", HealthStatus::Healthy),
        ("UP", HealthStatus::Healthy),
        ("pass", HealthStatus::Healthy),
        ("initializing", HealthStatus::Healthy),
        ("WARN", HealthStatus::Degraded),
        ("Degraded", HealthStatus::Degraded),
        ("fail", HealthStatus::Unhealthy),
        ("DOWN", HealthStatus::Unhealthy),
        ("unknown", HealthStatus::Unknown),
    ] {
        assert_eq!(read(json!({"status": word})).status, status, "{word}");
    }
    assert_eq!(read(json!({"status": false})).status, HealthStatus::Unhealthy);
}

#[test]
fn the_http_status_comes_first() {
    let health = read_health(StatusCode::SERVICE_UNAVAILABLE, br#"{"status":"healthy","component":"a"}"#);
    assert_eq!((health.status, health.component.as_deref()), (HealthStatus::Unhealthy, Some("a")));
    assert_eq!(read_health(StatusCode::NOT_FOUND, b"").status, HealthStatus::Unhealthy);
    for (body, status) in [
        ("", HealthStatus::Unknown),
        ("<html>", HealthStatus::Unknown),
        ("{}", HealthStatus::Unknown),
        ("[]", HealthStatus::Unknown),
        (r#"{"status":null}"#, HealthStatus::Unknown),
        ("hello", HealthStatus::Unknown),
        ("OK\n", HealthStatus::Healthy),
        (r#""up""#, HealthStatus::Healthy),
        ("down", HealthStatus::Unhealthy),
    ] {
        assert_eq!(read_health(StatusCode::OK, body.as_bytes()).status, status, "{body}");
    }
}

#[test]
fn dependencies_may_be_a_list_or_a_map() {
    let listed = read(json!({"dependencies": ["a", {"name": "b", "status": "up"}, {"status": "up"}, null]}));
    let mapped = read(json!({"dependencies": {"a": null, "b": {"status": "up", "name": "x"}}}));
    assert_eq!(listed.dependencies, mapped.dependencies);
    assert_eq!(listed.dependencies.len(), 2);
}

const KEYS: &[&str] = &["status", "uptime", "port", "dependencies", "name", "details"];

proptest! {
    #[test]
    fn any_bytes_have_a_reading(status in 100u16..1000, body in prop::collection::vec(any::<u8>(), 0..500)) {
        let status = StatusCode::from_u16(status).unwrap();
        let health = read_health(status, &body);
        prop_assert!(status.is_success() || health.status == HealthStatus::Unhealthy);
    }

    #[test]
    fn what_was_read_can_be_written_and_read_again(body in arbitrary::object(KEYS)) {
        let health = read(Value::Object(body));
        let again = read_health(StatusCode::OK, &health.to_bytes());
        // Not compared whole: a float may lose its last digit on the way.
        prop_assert_eq!((again.status, again.component, again.port), (health.status, health.component, health.port));
        prop_assert_eq!(again.dependencies, health.dependencies);
    }
}
