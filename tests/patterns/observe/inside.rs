//! `/introspect`: what it shows, to whom, and what it never shows.

use serde_json::{Value, json};
use tekton_sdk::{
    Component, Tekton,
    config::Layers,
    contract::Entry,
    directory::MemoryDirectory,
    telemetry::{Gauge, Introspect},
    testing::FakeComponent,
};

use super::{ask_socket, text_of};

#[tokio::test]
async fn it_is_off_and_says_how_it_is_turned_on() {
    let tekton = Tekton::builder().build().unwrap();
    let served = FakeComponent::new("notes").serve(&tekton).start().await.unwrap();
    let (status, problem) = ask_socket(served.endpoint(), "/introspect", "").await;
    assert_eq!((status, &problem["code"]), (404, &json!("introspection_off")));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("host.introspect") && detail.contains("TEKTON_HOST_INTROSPECT"), "{detail}");
}

#[tokio::test]
async fn it_shows_peers_pipeline_and_settings() {
    let variables = [("TEKTON_HOST_INTROSPECT", "true"), ("TEKTON_REQUEST_TIMEOUT", "7s")].into_iter().collect();
    let builder = Tekton::builder().layers(Layers::new().env(variables)).unwrap().named("tester");
    let directory = MemoryDirectory::fixed([Entry::new("a-1", "a", "http://127.0.0.1:9")]);
    let tekton = builder.directory(directory).build().unwrap();
    let served = FakeComponent::new("notes").serve(&tekton).port(0).start().await.unwrap();
    let _ = tekton.peer("a").entries().await.unwrap();
    let (status, shown) = ask_socket(served.endpoint(), "/introspect", "").await;
    assert_eq!((status, &shown["host"]["component"], &shown["host"]["ready"]), (200, &json!("notes"), &json!(true)));
    assert_eq!((&shown["sdk"], &shown["calls"]["source"]), (&json!(tekton_sdk::SDK), &json!("tester")));
    let stages: Vec<_> = tekton.pipeline().stages().collect();
    assert_eq!(shown["calls"]["pipeline"], json!(stages));
    assert_eq!(shown["settings"]["request.timeout"], "7s");
    assert_eq!(shown["settings"]["host.introspect"], true);
    assert_eq!(shown["peers"]["name a"]["entries"][0]["endpoint"], "http://127.0.0.1:9");
}

/// A room that shows something.
#[derive(Debug)]
struct Room;

impl Introspect for Room {
    fn section(&self) -> &'static str {
        "room"
    }

    fn introspect(&self) -> Value {
        json!({ "doors": 2 })
    }

    fn gauges(&self, _emit: &mut dyn FnMut(Gauge<'_>)) {}
}

#[tokio::test]
async fn a_part_of_the_handle_is_shown_under_its_name() {
    let directory = MemoryDirectory::fixed([]);
    let transport = tekton_sdk::transport::MemoryTransport::new();
    let mut parts = tekton_sdk::tekton::Parts::new(std::sync::Arc::new(transport), std::sync::Arc::new(directory));
    parts.introspect.push(std::sync::Arc::new(Room));
    let tekton = parts.build().unwrap();
    assert_eq!(tekton.introspect()["room"], json!({ "doors": 2 }));
    let config = tekton_sdk::config::HostConfig::default().with_introspect(true);
    let served = FakeComponent::new("notes").serve(&tekton).with_config(config).start().await.unwrap();
    let (_, shown) = ask_socket(served.endpoint(), "/introspect", "").await;
    assert_eq!((&shown["room"]["doors"], &shown["settings"]["host.port"]), (&json!(2), &json!(0)));
    assert_eq!(shown["settings"].get("hub.url"), None, "what is not known is not made up");
}

#[tokio::test]
async fn no_secret_is_shown() {
    let secrets = [("TEKTON_AUTH_SECRET", "hunter2"), ("HERMES_TOKEN", "hunter2"), ("TEKTON_HOST_INTROSPECT", "true")];
    let builder = Tekton::builder().layers(Layers::new().env(secrets.into_iter().collect())).unwrap();
    let directory = MemoryDirectory::fixed([Entry::new("a-1", "a", "http://me:hunter2@127.0.0.1:9")]);
    let tekton = builder.directory(directory).build().unwrap();
    let served = FakeComponent::new("notes").serve(&tekton).start().await.unwrap();
    let peer = tekton.peer("a");
    let call = peer
        .request::<Value>("x")
        .query("token", "hunter2")
        .header(http::header::AUTHORIZATION, http::HeaderValue::from_static("Bearer hunter2"));
    call.await.unwrap_err();
    for path in ["/introspect", "/metrics", "/health", "/openapi.json"] {
        let (status, text) = text_of(served.endpoint(), path, "authorization: Bearer hunter2\r\n").await;
        assert_eq!(status, 200, "{path}");
        assert!(!text.contains("hunter2"), "{path}: {text}");
    }
}
