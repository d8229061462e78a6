//! Who is there, what they can do, and who comes first.

use http::StatusCode;
use tekton_sdk::{
    contract::{Entry, Score},
    directory::{Directory, HealthFilter, Query, Rank},
    wire::hermes::RegisterRequest,
};

use super::{Mesh, NOBODY, component, registration, seconds, url, well};

fn ids(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

impl Mesh {
    async fn found(&self, query: Query) -> Vec<Entry> {
        self.directory.find(&query).await.unwrap()
    }

    /// Registers one that has capabilities with scores, a context window, a response time, a cost and a success rate.
    async fn capable(&self, id: &str, scores: &[(&str, f64)], window: u64, figures: [f64; 3]) {
        let mut told = registration(id, NOBODY);
        told.capabilities = scores.iter().map(|(name, _)| (*name).to_owned()).collect();
        told.metadata.scores = scores.iter().map(|(name, score)| ((*name).to_owned(), *score)).collect();
        told.metadata.context_window = Some(window);
        let [time, cost, rate] = figures;
        told.metadata.avg_response_time = Some(time);
        told.metadata.cost = Some(cost);
        told.metadata.success_rate = Some(rate);
        self.directory.register(&told).await.unwrap();
        self.clock.advance(seconds(1));
    }
}

#[tokio::test]
async fn components_are_found_by_id_name_kind_and_capability() {
    let mesh = Mesh::new().await;
    mesh.capable("Rhetor-1", &[("text.plan", 0.9), ("text.act", 0.2)], 8000, [2.0, 1.0, 0.9]).await;
    mesh.capable("rhetor-2", &[("text.plan", 0.5)], 32_000, [1.0, 3.0, 0.5]).await;
    mesh.capable("apollo-1", &[("text.act", 0.7)], 4000, [3.0, 2.0, 0.7]).await;
    let score = |score| Score::new(score).unwrap();
    let any = |query: Query| query.with_health(HealthFilter::Any);
    for (query, expected) in [
        (Query::everybody(), &["apollo-1", "rhetor-2", "Rhetor-1"][..]),
        (Query::id("rhetor-2"), &["rhetor-2"]),
        (Query::id("RHETOR-2"), &[]),
        (Query::name("RHETOR"), &["rhetor-2", "Rhetor-1"]),
        (Query::default().with_kind("apollo"), &["apollo-1"]),
        (Query::capability("text.plan"), &["rhetor-2", "Rhetor-1"]),
        (Query::capability("text.plan").with_capability("text.act"), &["Rhetor-1"]),
        (Query::default().with_any(["text.act", "text.none"]), &["apollo-1", "Rhetor-1"]),
        (Query::default().with_min_score("text.plan", score(0.6)), &["Rhetor-1"]),
        (Query::default().with_min_score("text.plan", score(0.95)), &[]),
        (Query::default().with_min_context_window(8000), &["rhetor-2", "Rhetor-1"]),
        (Query::capability("text.plan").ranked(Rank::Score), &["Rhetor-1", "rhetor-2"]),
        (
            Query::default().with_any(["text.plan", "text.act"]).ranked(Rank::Score),
            &["Rhetor-1", "apollo-1", "rhetor-2"],
        ),
        (Query::everybody().ranked(Rank::Latency), &["rhetor-2", "Rhetor-1", "apollo-1"]),
        (Query::everybody().ranked(Rank::Cost), &["Rhetor-1", "apollo-1", "rhetor-2"]),
        (Query::everybody().ranked(Rank::Health), &["Rhetor-1", "apollo-1", "rhetor-2"]),
    ] {
        let what = query.describe();
        assert_eq!(ids(&mesh.found(any(query)).await), expected, "{what}");
    }
}

#[tokio::test]
async fn of_two_registrations_the_newest_comes_first_unless_its_health_says_no() {
    let mesh = Mesh::new().await;
    let (older, newer) = (well().await, well().await);
    mesh.directory.register(&registration("engram-1", &url(&older))).await.unwrap();
    mesh.clock.advance(seconds(1));
    mesh.directory.register(&registration("engram-2", &url(&newer))).await.unwrap();
    assert_eq!(ids(&mesh.found(Query::name("engram")).await), ["engram-2", "engram-1"]);
    mesh.clock.advance(seconds(1));
    mesh.directory.register(&registration("engram-3", NOBODY)).await.unwrap();
    let found = mesh.found(Query::name("engram")).await;
    assert_eq!(ids(&found), ["engram-2", "engram-1", "engram-3"]);
    assert_eq!(found.iter().map(|entry| entry.healthy).collect::<Vec<_>>(), [Some(true), Some(true), Some(false)]);
}

#[tokio::test]
async fn python_components_are_listed_twice_and_the_living_one_is_taken() {
    let mesh = Mesh::new().await;
    let living = well().await;
    let first = mesh.hub.register_python("Apollo", living.local_addr().port());
    mesh.clock.advance(seconds(1));
    let stale = mesh.hub.register_python("Apollo", 1);
    let found = mesh.found(Query::name("apollo")).await;
    assert_eq!(ids(&found), [&*first, &*stale]);
    assert_eq!((found[0].last_heartbeat, found[0].healthy, found[1].healthy), (None, Some(true), Some(false)));
    assert_eq!(found[0].kind.as_deref(), Some("Apollo"));
}

#[tokio::test]
async fn all_six_shapes_of_health_are_understood() {
    let shapes = [
        r#"{"status":"healthy","component":"engram","registeredWithHermes":true}"#,
        r#"{"status":"healthy","component":"athena","registered_with_hermes":true}"#,
        r#"{"status":"healthy","component":"harmonia","version":"1","port":8007,"registered":true,"message":"fine"}"#,
        r#"{"status":"healthy","uptime":1.5,"version":"1","component_name":"apollo"}"#,
        r#"{"status":"healthy","uptime":1.5,"version":"1","active_sessions":3}"#,
        r#"{"status":"healthy","component":"noesis","version":"1","timestamp":"2026-01-01T00:00:00","capabilities":[]}"#,
    ];
    let mesh = Mesh::new().await;
    let mut servers = Vec::new();
    for (index, shape) in shapes.into_iter().enumerate() {
        let server = component(StatusCode::OK, shape).await;
        mesh.directory.register(&registration(&format!("shape-{index}"), &url(&server))).await.unwrap();
        servers.push(server);
    }
    for (id, status, body) in [
        ("ill-1", StatusCode::OK, r#"{"status":"unhealthy"}"#),
        ("ill-2", StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"healthy"}"#),
        ("unknown-1", StatusCode::OK, "<html>"),
    ] {
        let server = component(status, body).await;
        mesh.directory.register(&registration(id, &url(&server))).await.unwrap();
        servers.push(server);
    }
    let healthy = mesh.found(Query::everybody().with_health(HealthFilter::Healthy)).await;
    assert_eq!(ids(&healthy), ["shape-0", "shape-1", "shape-2", "shape-3", "shape-4", "shape-5"]);
    assert_eq!(mesh.found(Query::everybody()).await.len(), 9);
}

#[tokio::test]
async fn whoever_was_heard_of_lately_is_not_asked() {
    let mesh = Mesh::new().await;
    let lease = mesh.directory.register(&registration("engram-1", NOBODY)).await.unwrap();
    mesh.directory.heartbeat(&lease).await.unwrap();
    let healthy = || mesh.found(Query::name("engram").with_health(HealthFilter::Healthy));
    assert_eq!(healthy().await.len(), 1);
    mesh.patience.advance(seconds(61));
    assert_eq!(healthy().await.len(), 0);
}

#[tokio::test]
async fn a_malformed_endpoint_is_listed_and_comes_last() {
    let mesh = Mesh::new().await;
    let living = well().await;
    mesh.directory.register(&registration("engram-1", &url(&living))).await.unwrap();
    for endpoint in ["not a url", "", "localhost:8000", "http://user:pass@h:1"] {
        mesh.clock.advance(seconds(1));
        mesh.hub.insert(RegisterRequest::new("engram", "1", endpoint));
    }
    let found = mesh.found(Query::name("engram")).await;
    assert_eq!((found.len(), found[0].id.as_str()), (5, "engram-1"));
    assert!(found[1..].iter().all(|entry| entry.healthy == Some(false)));
}
