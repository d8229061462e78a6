//! The road to any server.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use url::Position;

use super::{place::Place, source::Road};
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    time::{BoxFuture, SharedClock},
    transport::{Bearer, Body, CallInfo, Endpoint, Request, Response, Safety, Transport},
    wire::headers,
};

/// The longest last event id that is sent back: servers refuse heads that are much larger.
const MAX_ID_BYTES: usize = 8 << 10;

/// Requests over a transport, without a pipeline.
pub(super) struct HttpRoad {
    pub(super) place: Place,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) token: Option<Bearer>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: SharedClock,
    /// How long the head of an answer may take.
    pub(super) limit: Duration,
    pub(super) again: bool,
}

impl HttpRoad {
    fn request(&self, last_event_id: &str) -> Result<Request> {
        let url = self.place.url();
        let plain = self.place.is_plain() && self.method != Method::GET;
        let method = if plain { Method::GET } else { self.method.clone() };
        let call = CallInfo::new(url.authority(), url.path(), Safety::of_method(&method));
        let mut request = Request::new(method, url.path().to_owned(), call)
            .with_endpoint(Endpoint::parse(&url[..Position::BeforePath])?);
        request.query = url.query().map(str::to_owned);
        request.headers = self.headers.clone();
        if plain {
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH] {
                request.headers.remove(name);
            }
        } else {
            request.body = Body::full(self.body.clone());
        }
        if self.place.crossed() {
            // What proves who the caller is was meant for another (Fetch standard, §4.4).
            for name in [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE] {
                request.headers.remove(name);
            }
        }
        if last_event_id.is_empty() {
            request.headers.remove(headers::LAST_EVENT_ID);
        } else {
            if last_event_id.len() > MAX_ID_BYTES {
                let what = format!(
                    "the last event id has {} bytes; no more than {MAX_ID_BYTES} are sent back",
                    last_event_id.len()
                );
                return Err(Error::new(ErrorKind::Rejected, what).with_sent(Sent::No));
            }
            // Its UTF-8 bytes as they are (HTML standard, §9.2.2).
            let value = HeaderValue::from_bytes(last_event_id.as_bytes()).map_err(|_| {
                Error::invalid("the last event id holds a character that no header can carry; begin without it")
            })?;
            request.headers.insert(headers::LAST_EVENT_ID, value);
        }
        Ok(request)
    }
}

impl Road for HttpRoad {
    fn connect(&mut self, last_event_id: &str, refresh: bool) -> BoxFuture<'static, Result<Response>> {
        let request = self.request(last_event_id);
        let token = self.token.clone().filter(|_| !self.place.crossed());
        let (transport, clock, limit) = (Arc::clone(&self.transport), self.clock.clone(), self.limit);
        Box::pin(async move {
            let work = async move {
                let mut request = request?;
                if let Some(token) = token {
                    request.headers.insert(header::AUTHORIZATION, token.value(refresh).await?);
                }
                transport.send(request).await
            };
            clock.timeout(limit, work).await.unwrap_or_else(|| {
                Err(Error::new(ErrorKind::Timeout, "no answer within the idle time-out of the event stream"))
            })
        })
    }

    fn follow(&mut self, status: u16, location: Option<&str>) -> Option<Result<(), &'static str>> {
        let schemes = self.transport.capabilities().schemes;
        Some(self.place.follow(status, location).and_then(|()| {
            let served = schemes.contains(&self.place.url().scheme());
            if served { Ok(()) } else { Err("leads to a scheme that the transport does not serve") }
        }))
    }

    fn restart(&mut self) {
        self.place.restart();
    }

    fn opened(&mut self, _: &Response) -> bool {
        self.again
    }
}
