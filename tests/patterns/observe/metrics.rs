//! Metrics of a whole handle, and that no name from elsewhere makes them grow.

use serde_json::{Value, json};
use tekton_sdk::{Component, Tekton, testing::FakeComponent, transport::MemoryTransport};

use super::{ask_memory, text_of};
use crate::lab::serve;

fn series(text: &str, metric: &str) -> usize {
    text.lines().filter(|line| line.starts_with(&format!("{metric}{{"))).count()
}

fn text(tekton: &Tekton) -> String {
    prometheus::TextEncoder::new().encode_to_string(&tekton.registry().gather()).unwrap()
}

#[tokio::test]
async fn both_sides_of_a_call_are_counted_and_scraped() {
    let tekton = Tekton::builder().named("tester").build().unwrap();
    let (served, _) = serve(&tekton).await;
    let lab = tekton.peer("lab");
    lab.request::<Value>("echo").json(&json!({"value": 1})).await.unwrap();
    lab.request::<Value>("fail").json(&json!({"kind": "Internal"})).await.unwrap_err();
    lab.request::<Value>("eco").json(&json!({})).await.unwrap_err();
    tekton.calling_as("else").peer("lab").request::<Value>("echo").json(&json!({"value": 1})).await.unwrap();
    let (status, text) = text_of(served.endpoint(), "/metrics", "").await;
    assert_eq!(status, 200);
    for line in [
        r#"integration_requests_total{endpoint="echo",source="tester",target="lab"} 1"#,
        r#"integration_requests_total{endpoint="echo",source="else",target="lab"} 1"#,
        r#"integration_duration_seconds_count{endpoint="echo",source="tester",target="lab"} 1"#,
        r#"integration_attempts_total{endpoint="echo",source="tester",target="lab",verdict="success"} 1"#,
        r#"integration_attempts_total{endpoint="fail",source="tester",target="lab",verdict="failure"} 1"#,
        r#"integration_failures_total{endpoint="fail",kind="Remote",source="tester",target="lab"} 1"#,
        r#"integration_served_total{component="lab",operation="echo",status="200"} 2"#,
        r#"integration_served_total{component="lab",operation="fail",status="500"} 1"#,
        r#"integration_served_total{component="lab",operation="other",status="404"} 1"#,
        r#"integration_served_duration_seconds_count{component="lab",operation="echo"} 2"#,
        r#"integration_served_in_flight{component="lab"} 0"#,
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line}\n{text}");
    }
}

#[tokio::test]
async fn ten_thousand_names_from_the_network_make_one_series() {
    let memory = MemoryTransport::new();
    let tekton = Tekton::builder().transport(memory.clone()).build().unwrap();
    let notes = FakeComponent::new("notes").answers("list", json!([]));
    let served = notes.serve(&tekton).in_memory(&memory).start().await.unwrap();
    for n in 0..10_000 {
        let asked = ask_memory(&memory, served.endpoint(), &format!("/api/v1/op{n}"), "").await.unwrap();
        assert_eq!(asked.0, 404);
    }
    let text = text(&tekton);
    assert_eq!(series(&text, "integration_served_total"), 1);
    assert!(text.contains(r#"{component="notes",operation="other",status="404"} 10000"#), "{text}");
}

#[tokio::test]
async fn ten_thousand_targets_and_endpoints_are_bounded() {
    let tekton = Tekton::builder().transport(MemoryTransport::new()).build().unwrap();
    for n in 0..10_000 {
        let peer = tekton.peer(format!("target-{n}"));
        peer.request::<Value>(format!("op-{}", n % 300)).await.unwrap_err();
    }
    let peer = tekton.peer("one");
    for n in 0..10_000 {
        peer.request::<Value>("op").path(format!("/users/{n}")).await.unwrap_err();
        peer.request::<Value>(format!("op-{n}")).await.unwrap_err();
    }
    let text = text(&tekton);
    for metric in ["integration_requests_total", "integration_attempts_total", "integration_failures_total"] {
        let count = series(&text, metric);
        assert!((100..=2_065).contains(&count), "{metric}: {count}");
    }
    let sum: f64 = text
        .lines()
        .filter(|line| line.starts_with("integration_requests_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert!((sum - 30_000.0).abs() < 0.5, "nothing is lost: {sum}");
}
