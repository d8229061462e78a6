//! What is seen of calls and of served requests: traces, baggage, spans, events, metrics, `/introspect`.

mod events;
mod inside;
mod metrics;
mod pages;
mod spans;
mod traces;

use std::{net::SocketAddr, sync::Arc};

use serde_json::Value;
use tekton_sdk::{
    Component, Result, Tekton,
    config::HostConfig,
    host::Served,
    policy::Pipeline,
    time::SharedClock,
    transport::{CallInfo, Endpoint, MemoryTransport, Request, Safety},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::lab::{Gauge, Lab};

/// A lab that relays to the peer of its own name, on a socket, or in memory if there is a memory.
async fn relaying(tekton: &Tekton, memory: Option<&MemoryTransport>) -> Served {
    let lab = Lab { gauge: Arc::new(Gauge::default()), next: Some(tekton.peer("lab")) };
    let serve = lab.serve(tekton).with_config(HostConfig::default().with_introspect(true));
    match memory {
        Some(memory) => serve.in_memory(memory).start().await.unwrap(),
        None => serve.start().await.unwrap(),
    }
}

/// Asks over a socket with these header lines, and nothing that a client of ours would add.
async fn ask_socket(endpoint: &str, path: &str, headers: &str) -> (u16, Value) {
    let (status, body) = text_of(endpoint, path, headers).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

async fn text_of(endpoint: &str, path: &str, headers: &str) -> (u16, String) {
    let address: SocketAddr = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    // A host that refuses a head that is too large may close before all of it is written.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// Asks over a memory transport with these header lines.
async fn ask_memory(memory: &MemoryTransport, endpoint: &str, path: &str, headers: &str) -> Result<(u16, Value)> {
    let pipeline = Pipeline::new(Vec::new(), Arc::new(memory.clone()), SharedClock::default());
    let call = CallInfo::new("lab", "any", Safety::Read);
    let mut request = Request::new(http::Method::GET, path.to_owned(), call).with_endpoint(Endpoint::parse(endpoint)?);
    for line in headers.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let response = pipeline.send(request).await?;
    let status = response.status.as_u16();
    let body = response.into_body().collect(1 << 20).await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}
