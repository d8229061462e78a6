//! Components of one machine, over Unix sockets.

use std::path::Path;

use serde_json::json;
use tekton_sdk::{Component, ErrorKind, Tekton, directory::Presence, testing::FakeHermes};

use super::folder::Folder;
use crate::lab::{Lab, serve_with, tekton};

fn lab() -> Lab {
    Lab { gauge: std::sync::Arc::default(), next: None }
}

#[tokio::test]
async fn a_component_on_a_socket_alone_is_found_and_called_through_the_hub() {
    let (hub, folder) = (FakeHermes::start().await.unwrap(), Folder::new());
    let path = folder.path("lab.sock");
    let tekton = Tekton::builder().hub(hub.url()).build().unwrap();
    let served = lab().serve(&tekton).unix_socket_only(&path).start().await.unwrap();
    assert_eq!((served.endpoint(), served.presence()), (&*format!("unix:{path}"), Presence::Registered));
    let entries = tekton.components().await.unwrap();
    let entry = entries.iter().find(|entry| entry.name == "lab").unwrap();
    assert_eq!(entry.endpoint, format!("unix:{path}"));
    let other = Tekton::builder().hub(hub.url()).build().unwrap();
    for peer in [other.peer("lab"), other.peer_at(served.endpoint()).unwrap()] {
        let size = peer.request::<u64>("size").json(&json!({"text": "four"})).await.unwrap();
        assert_eq!(*size, 4);
    }
    assert_eq!(other.peer_at(served.endpoint()).unwrap().name(), format!("unix:{path}"));
    assert!(served.shutdown().await);
    assert!(!Path::new(&path).exists(), "the file is removed");
    let gone = other.peer_at(&format!("unix:{path}")).unwrap();
    let error = gone.request::<u64>("size").json(&json!({"text": "four"})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn beside_a_port_the_socket_is_called_and_the_port_is_told() {
    let (tekton, folder) = (tekton(), Folder::new());
    let path = folder.path("lab.sock");
    let (served, _) = serve_with(&tekton, |config| config.unix_socket = Some(path.clone())).await;
    assert!(served.endpoint().starts_with("http://127.0.0.1:"), "{}", served.endpoint());
    for endpoint in [served.endpoint(), &format!("unix:{path}")] {
        let echo = tekton
            .peer_at(endpoint)
            .unwrap()
            .request::<serde_json::Value>("echo")
            .json(&json!({"value": 7}))
            .await
            .unwrap();
        assert_eq!(*echo, json!(7), "{endpoint}");
    }
    drop(served);
    while Path::new(&path).exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_cannot_be_listened_on_is_said_at_the_start() {
    let (tekton, folder) = (tekton(), Folder::new());
    let path = folder.path("lab.sock");
    let first = lab().serve(&tekton).unix_socket_only(&path).start().await.unwrap();
    let second = lab().serve(&tekton).unix_socket_only(&path).start().await.unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Config);
    assert!(second.to_string().starts_with("another process listens on "), "{second}");
    drop(first);
    let relative = lab().serve(&tekton).unix_socket("lab.sock").start().await.unwrap_err().report();
    assert!(relative.contains("host.unix_socket: must be the absolute path"), "{relative}");
    let config = tekton_sdk::config::HostConfig::default().with_tcp(false);
    let nothing = lab().serve(&tekton).with_config(config).start().await.unwrap_err().report();
    assert!(nothing.contains("host.tcp: is off, and nothing else is listened on"), "{nothing}");
}
