//! The hub's events, as server-sent events.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{hub::Hub, routes::Asked};
use crate::{
    error::Result,
    time::SharedClock,
    transport::{Body, Response},
    wire::{
        hermes::HubEvent,
        sse::{self, Block, encode_comment},
    },
};

/// How far a listener may fall behind; then it misses what upstream would have kept.
pub(super) const MAX_BEHIND: usize = 10_000;
/// How often a silent stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// One who listens, and to what.
struct Listener {
    greeting: Option<HubEvent>,
    events: broadcast::Receiver<HubEvent>,
    types: Option<String>,
    task: Option<String>,
    agent: Option<String>,
    clock: SharedClock,
}

impl Hub {
    pub(super) fn emit(&self, event: HubEvent) -> usize {
        let id = if event.id.is_empty() { self.uuid() } else { event.id };
        let (timestamp, source) = (event.timestamp.or_else(|| Some(self.timestamp())), event.source);
        let source = source.or_else(|| Some("hermes".to_owned()));
        // An error says that nobody listens.
        self.events.send(HubEvent { id, timestamp, source, ..event }).unwrap_or_default()
    }

    pub(super) fn stream_events(&self, asked: &Asked) -> Response {
        let wanted = |name: &str| asked.parameter(name).filter(|wanted| !wanted.is_empty());
        let mut greeting = HubEvent::new(HubEvent::ESTABLISHED, &json!({ "connection_id": self.uuid() }));
        (greeting.id, greeting.timestamp) = (self.uuid(), Some(self.timestamp()));
        let listener = Listener {
            greeting: Some(greeting),
            events: self.events.subscribe(),
            types: wanted("event_types"),
            task: wanted("task_id"),
            agent: wanted("agent_id"),
            clock: self.clock().clone(),
        };
        Response::new(StatusCode::OK, Body::stream(stream::unfold(listener, next)))
            .with_header(header::CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE))
            .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .with_header(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))
    }
}

impl Listener {
    /// Types are compared exactly; the others where the event has them.
    fn wants(&self, event: &HubEvent) -> bool {
        let fits = |wanted: &Option<String>, has: &Option<String>| match (wanted, has) {
            (Some(wanted), Some(has)) => wanted == has,
            _ => true,
        };
        self.types.as_ref().is_none_or(|types| types.split(',').any(|kind| kind.trim() == event.kind))
            && fits(&self.task, &event.task_id)
            && fits(&self.agent, &event.agent_id)
    }
}

async fn next(mut listener: Listener) -> Option<(Result<Bytes>, Listener)> {
    let mut out = BytesMut::new();
    while out.is_empty() {
        let event = match listener.greeting.take() {
            Some(greeting) => greeting,
            None => match listener.clock.timeout(KEEP_ALIVE, listener.events.recv()).await {
                Some(Ok(event)) => event,
                Some(Err(RecvError::Lagged(_))) => continue,
                Some(Err(RecvError::Closed)) => return None,
                None => {
                    encode_comment("keepalive", &mut out);
                    out.put_u8(b'\n');
                    break;
                }
            },
        };
        if listener.wants(&event) {
            let text = String::from_utf8_lossy(&event.to_bytes()).into_owned();
            if let Err(error) = Block::data(&text).with_kind(&event.kind).with_id(&event.id).encode(&mut out) {
                return Some((Err(error), listener));
            }
        }
    }
    Some((Ok(out.freeze()), listener))
}
