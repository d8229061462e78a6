//! From a request to a stream that is sent, and back to one that was.

use http::{HeaderValue, Method, StatusCode, header};
use tracing::Span;

use super::{
    attached::Attached,
    bound::{Bound, Hash},
    format::Format,
    id::{EventId, StreamId},
    plain::Plain,
    registry::Room,
    work::{Held, Work},
};
use crate::{
    context::{Budget, Context, Identity},
    contract::StreamKind,
    error::Result,
    host::{
        Arguments,
        limit::COME_AGAIN,
        operations::{Entry, Start},
        refusal::Refusal,
        router::Router,
        run::{contained, refused},
        watch::Watch,
    },
    telemetry::HostLimit,
    time::Deadline,
    transport::{Body, Inbound, Response},
    wire::headers,
};

/// What is known of a request for a stream before it is admitted.
pub(in crate::host) struct Asked<'a> {
    pub(in crate::host) entry: &'a Entry,
    pub(in crate::host) start: &'a Start,
    pub(in crate::host) format: Format,
    pub(in crate::host) request: Inbound,
    pub(in crate::host) identity: Option<Identity>,
    /// What the operation inherits, without a deadline.
    pub(in crate::host) context: Context,
    pub(in crate::host) budget: Option<Budget>,
    pub(in crate::host) span: Span,
}

impl Router {
    /// Begins a stream, or attaches its caller to one that runs. `deadline` bounds the time until then.
    pub(in crate::host) async fn open(
        &self,
        mut asked: Asked<'_>,
        deadline: Deadline,
        watch: &mut Watch<'_>,
    ) -> Result<Response, Box<Refusal>> {
        let operation = &asked.entry.operation;
        let is_resumable = operation.stream == Some(StreamKind::Resumable)
            && asked.format == Format::Events
            && asked.request.method != Method::HEAD;
        let came_back = asked.request.headers.get(&headers::LAST_EVENT_ID).filter(|id| is_resumable && !id.is_empty());
        if let Some(last) = came_back.cloned() {
            return self.come_back(asked, &last).await;
        }
        let admission = self.admit(asked.entry, &asked.request, asked.identity.as_ref(), deadline, watch).await?;
        let room = if is_resumable { Some(self.room(asked.entry)?) } else { None };
        let arguments = self.arguments(operation, &mut asked.request).await?;
        let bound = room.map(|room| (room, asked.bound(&arguments)));
        let charge = self.purse.begin(asked.budget.as_ref())?;
        // The time that one execution may take begins with the request, as that of every operation.
        let whole = operation.timeout.map(|limit| Deadline::after(watch.began, limit));
        let context = asked.context.with_deadline(whole);
        let start = async { (asked.start)(context.clone(), arguments).await };
        let started = contained(operation, context.clone(), start).await;
        let items = started.map_err(|error| refused(operation, error))?;
        let held = Held { counted: watch.hand_over(), _admission: admission, charge, budget: asked.budget };
        let work = Work::new(&self.streams, *operation, context, asked.span, items, held);
        Ok(match bound {
            None => answer(asked.format, Body::stream(Plain::new(work, asked.format, self.streams.reading()))),
            Some((room, bound)) => {
                let (running, reader) = room.begin(bound, work);
                let id = running.id;
                named(id, Attached::new(self.streams.reading(), running, reader))
            }
        })
    }

    /// Attaches a caller to the stream that it was cut off from. Nothing is begun, and so no place is needed.
    async fn come_back(&self, mut asked: Asked<'_>, last: &HeaderValue) -> Result<Response, Box<Refusal>> {
        if let Some(clients) = &self.clients {
            let now = self.clock.now();
            let charged = clients.charge(asked.identity.as_ref(), (&asked.request).into(), now);
            charged.map_err(|refused| self.refused(asked.entry, refused))?;
        }
        let last = last.to_str().ok().and_then(EventId::parse);
        let caller = Hash::of_caller(asked.identity.as_ref(), &asked.request);
        // Nobody but the stream's own caller gets as far as having a body read.
        let running = self.streams.find(last.map(|last| last.stream), &caller).ok_or_else(gone)?;
        let arguments = self.arguments(&asked.entry.operation, &mut asked.request).await?;
        let is_same = bool::from(running.bound.request.is(&asked.bound(&arguments).request));
        let reader = last.filter(|_| is_same).and_then(|last| running.attach(last.number)).ok_or_else(gone)?;
        Ok(named(running.id, Attached::new(self.streams.reading(), running, reader)))
    }

    /// `DELETE /api/v1/streams/{id}`: ends the work at once. It gives places back, and so no limit refuses it.
    pub(in crate::host) async fn cancel(&self, id: &str, request: &Inbound) -> Result<Response, Box<Refusal>> {
        if request.method != Method::DELETE {
            return Err(Refusal::method("DELETE"));
        }
        let identity = self.identity(None, request).await?;
        let caller = Hash::of_caller(identity.as_ref(), request);
        if self.streams.cancel(StreamId::parse(id), &caller).await {
            Ok(Response::new(StatusCode::NO_CONTENT, Body::empty()))
        } else {
            Err(gone())
        }
    }

    fn room(&self, entry: &Entry) -> Result<Room, Box<Refusal>> {
        self.streams.reserve().ok_or_else(|| {
            let detail = format!("streams: {} streams are running, which is the limit", self.streams.most());
            self.refused(entry, (HostLimit::Streams, Refusal::limit(HostLimit::Streams, detail, COME_AGAIN)))
        })
    }
}

impl Asked<'_> {
    fn bound(&self, arguments: &Arguments) -> Bound {
        Bound {
            caller: Hash::of_caller(self.identity.as_ref(), &self.request),
            request: Hash::of_request(&self.request, arguments.body()),
        }
    }
}

fn answer(format: Format, body: Body) -> Response {
    Response::new(StatusCode::OK, body)
        .with_header(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()))
        .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
        // Proxies that collect answers before they pass them on take this as a request not to.
        .with_header(header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))
}

fn named(id: StreamId, body: Attached) -> Response {
    let value = HeaderValue::from_str(&id.to_string()).expect("hexadecimal digits are visible ASCII");
    answer(Format::Events, Body::stream(body)).with_header(headers::STREAM, value)
}

/// The same whatever is wrong: who guesses learns nothing.
fn gone() -> Box<Refusal> {
    let detail =
        "there is no such stream of this caller and this request, or not any more; begin anew, without Last-Event-ID";
    Refusal::new(StatusCode::GONE, "stream_gone", detail.to_owned())
}
