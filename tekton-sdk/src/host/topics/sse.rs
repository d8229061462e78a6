//! `GET /events`: topics as server-sent events.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::{Topics, Watched, query::wanted};
use crate::{
    error::{Error, Result},
    host::{refusal::Refusal, router::Router, stream::KeepAlive, ticket::readable},
    patterns::events::{Incoming, wire},
    time::{BoxFuture, SharedClock},
    transport::{Body, Inbound, Response},
    wire::sse::{self, Block, encode_comment},
};

/// So many bytes of events are worth being written alone.
const ENOUGH_BYTES: usize = 16 << 10;

impl Router {
    /// Opens the events that a caller asks for. They end with their connection, and with the component.
    pub(in crate::host) async fn listen(&self, topics: &Arc<Topics>, request: &Inbound) -> Response {
        match self.origins.admit(&request.headers) {
            Ok(origin) => {
                let opened = self.open_events(topics, request).await;
                readable(opened.unwrap_or_else(|refusal| refusal.answer()), origin)
            }
            Err(refusal) => refusal.answer(),
        }
    }

    async fn open_events(
        &self,
        topics: &Arc<Topics>,
        request: &Inbound,
    ) -> std::result::Result<Response, Box<Refusal>> {
        if request.method != Method::GET {
            return Err(Refusal::method("GET"));
        }
        // Before the ticket is used up.
        let interest = topics.interest(wanted(request.query.as_deref().unwrap_or_default(), &request.headers)?)?;
        let identity = match self.tickets.take(request.query.as_deref(), request.into())? {
            Some(identity) => Some(identity),
            None => {
                let limit = self.config.request_timeout;
                let proven = self.clock.timeout(limit, self.identity(None, request)).await;
                proven.unwrap_or_else(|| Err(Refusal::not_proven(limit)))?
            }
        };
        if let Some(clients) = &self.clients {
            clients.charge(identity.as_ref(), request.into(), self.clock.now()).map_err(|(_, refusal)| refusal)?;
        }
        let watched = topics.subscribe(identity, interest).await?;
        let body = Listening::new(watched, topics, &self.clock, self.config.stream_keep_alive);
        Ok(Response::new(StatusCode::OK, Body::stream(body))
            .with_header(header::CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE))
            .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            // Proxies that collect answers before they pass them on take this as a request not to.
            .with_header(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")))
    }
}

/// The body. The mutex makes it what a body has to be; it is never contended.
struct Listening {
    state: Mutex<State>,
}

struct State {
    watched: Watched,
    keep_alive: KeepAlive,
    drained: Option<BoxFuture<'static, ()>>,
    /// Where it begins, so that a caller that is cut off before the first event goes on there.
    begins: Option<String>,
    ended: bool,
}

impl Listening {
    fn new(watched: Watched, topics: &Topics, clock: &SharedClock, keep_alive: Duration) -> Self {
        let state = State {
            begins: watched.begins_after().map(|cursor| cursor.to_string()),
            watched,
            keep_alive: KeepAlive::new(clock.clone(), keep_alive),
            drained: Some(Box::pin(topics.drain.clone().cancelled_owned())),
            ended: false,
        };
        Self { state: Mutex::new(state) }
    }
}

impl State {
    /// Writes one thing that was heard. The names and places are one line each.
    fn write(&mut self, came: Option<Result<Incoming>>, out: &mut BytesMut) -> Result<()> {
        match came {
            Some(Ok(Incoming::Event { published, .. })) => {
                Block::data(&wire::plain_event(&published)).with_id(&published.cursor.to_string()).encode(out)
            }
            Some(Ok(Incoming::Gap(gap))) => {
                let text = wire::gap_text(&gap);
                Block::data(&text).with_kind("gap").with_id(&gap.to.to_string()).encode(out)
            }
            Some(Err(error)) => {
                self.ended = true;
                let problem = Box::<Refusal>::from(error).into_problem().to_bytes();
                Block::data(&String::from_utf8_lossy(&problem)).with_kind("error").encode(out)
            }
            None => {
                self.ended = true;
                Block::data("{}").with_kind("end").encode(out)
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.drained.as_mut().is_some_and(|drained| drained.as_mut().poll(cx).is_ready()) {
            self.drained = None;
            self.watched.drain();
        }
        let mut out = BytesMut::new();
        if let Some(begins) = self.begins.take() {
            // A block without data is no event, and the place is kept all the same.
            out.put_slice(format!("id: {begins}\n\n").as_bytes());
        }
        while !self.ended && out.len() < ENOUGH_BYTES {
            match self.watched.poll_next(cx) {
                Poll::Ready(came) => {
                    if let Err(error) = self.write(came, &mut out) {
                        return Poll::Ready(Some(
                            Err(Error::internal("an event cannot be written").with_source(error)),
                        ));
                    }
                }
                Poll::Pending => break,
            }
        }
        if !out.is_empty() {
            self.keep_alive.sent();
            return Poll::Ready(Some(Ok(out.freeze())));
        }
        self.keep_alive.poll(cx).map(|()| {
            encode_comment("keep-alive", &mut out);
            out.put_u8(b'\n');
            Some(Ok(out.freeze()))
        })
    }
}

impl Stream for Listening {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        self.get_mut().state.get_mut().unwrap_or_else(PoisonError::into_inner).poll(cx)
    }
}
