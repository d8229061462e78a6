//! Room 3, the client's side: streams of any server, and those of a component.

mod chunks;
mod compressed;
mod events;
mod faults;
mod lines;
mod typed;

use std::{sync::Arc, time::Duration};

use tekton_sdk::{
    patterns::streaming::{Events, ReconnectConfig, SseClient},
    testing::{ScriptedSse, SseScript},
    time::SharedClock,
    transport::{Binding, MemoryTransport},
};

/// Waits that no test notices.
fn quick() -> ReconnectConfig {
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(1));
    ReconnectConfig::default().with_delay(short).with_jitter(0.0).with_retry_between(short, long).with_max_attempts(4)
}

fn client(server: &ScriptedSse) -> SseClient {
    SseClient::get(&server.url()).unwrap().reconnect(quick())
}

/// A script that is reached without a socket, for tests that move the time.
struct Memory {
    script: SseScript,
    transport: MemoryTransport,
    _bound: Binding,
}

impl Memory {
    fn new() -> Self {
        let (script, transport) = (SseScript::new(SharedClock::default()), MemoryTransport::new());
        let bound = transport.bind("server", Arc::new(script.clone())).unwrap();
        Self { script, transport, _bound: bound }
    }

    fn client(&self) -> SseClient {
        SseClient::get("memory://server/stream").unwrap().transport(Arc::new(self.transport.clone()))
    }
}

/// The data of the events that come before the end.
async fn read(events: &mut Events) -> Vec<String> {
    let mut read = Vec::new();
    while let Some(event) = events.next().await {
        read.push(event.unwrap().data);
    }
    read
}
