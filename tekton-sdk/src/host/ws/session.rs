//! A WebSocket from its upgrade to its end.

use std::{
    collections::HashMap,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    future::{AbortHandle, abortable, poll_fn},
    stream::{FuturesUnordered, Stream},
};
use http::StatusCode;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::{
    Upgrade, WsLimits,
    call::{Batch, Call, Reply},
    desk::{Asker, Desk},
    gate::Gate,
    inherited::of_call,
    plain,
};
use crate::{
    error::{Error, ErrorKind},
    host::{
        limit::COME_AGAIN,
        refusal::Refusal,
        topics::{Handshake, Topics},
    },
    time::{BoxFuture, SharedClock},
    transport::{
        Body, Handler, Inbound,
        websocket::{Beat, Came, Closed, Credit, Feed, Gulp, Out, Pulse, Socket, pipe},
    },
    wire::{
        exchange::{Asked, Content, Note},
        jsonrpc::{self, Id, Incoming, Message, RpcError, RpcLimits, parse},
    },
};

/// How many messages are read before what waits is written.
const AT_ONCE: usize = 128;
/// While more than this waits to be written, nothing is read: who does not read the answers is asked for no more questions.
const STOP_BYTES: usize = 1 << 20;
/// The longest id of a call: each answer and each piece repeats it.
const MAX_ID_BYTES: usize = 256;

/// The notification of a subscriber that takes more events.
const CREDIT: &str = "credit";

/// What every WebSocket of a connection needs.
pub(in crate::host) struct Session {
    pub(in crate::host) handler: Arc<dyn Handler>,
    pub(in crate::host) limits: Arc<WsLimits>,
    pub(in crate::host) topics: Option<Arc<Topics>>,
    pub(in crate::host) clock: SharedClock,
    pub(in crate::host) peer: Option<SocketAddr>,
}

impl Session {
    /// Serves a connection until it ends; from `drain` on no call is begun, and those that run are waited for.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection and ends everything that runs for it.
    pub(in crate::host) async fn run(self, upgrade: Upgrade, drain: CancellationToken) {
        let Upgrade { upgraded, handshake } = upgrade;
        let stream = match upgraded.await {
            Ok(stream) => TokioIo::new(stream),
            Err(error) => {
                tracing::debug!(%error, "a WebSocket ended before it began");
                return;
            }
        };
        let socket = Socket::server(stream, self.limits.max_message_bytes).await;
        let clock = self.clock.clone();
        let mut running = Running::new(self, socket, Arc::new(handshake), drain);
        let closed = poll_fn(|cx| running.poll(cx)).await;
        tracing::debug!(%closed, unasked = running.unasked, "a WebSocket ended");
        running.out.close();
        let Running { socket, .. } = running;
        let frame = match closed {
            Closed::Silent | Closed::Broken => return,
            Closed::GoingAway => closed.frame("the component is shutting down"),
            Closed::Policy => closed.frame("nothing was said in time"),
            _ => None,
        };
        socket.close(frame, &clock).await;
    }
}

/// A call that runs.
struct Entry {
    number: u64,
    abort: AbortHandle,
    /// Where the rest of its request goes in.
    feed: Option<Feed>,
    credit: Credit,
}

/// The id and the number of a call that has ended.
type Done = (Option<Id<'static>>, u64);

/// What is spoken; the first message decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tongue {
    Unknown,
    JsonRpc,
    Plain,
}

struct Running {
    session: Session,
    socket: Socket<Gulp<TokioIo<Upgraded>>>,
    handshake: Arc<Handshake>,
    rpc: RpcLimits,
    out: Arc<Out>,
    calls: FuturesUnordered<BoxFuture<'static, Done>>,
    table: HashMap<Id<'static>, Entry>,
    begun: u64,
    gate: Option<Gate>,
    pulse: Pulse,
    due: BoxFuture<'static, ()>,
    drained: BoxFuture<'static, ()>,
    draining: bool,
    /// `None`: there are no topics.
    desk: Option<Desk>,
    tongue: Tongue,
    /// When something must have been said; `None` once it was.
    first_by: Option<BoxFuture<'static, ()>>,
    /// Answers to calls that this side never made.
    unasked: u64,
}

impl Running {
    fn new(
        session: Session,
        socket: Socket<Gulp<TokioIo<Upgraded>>>,
        handshake: Arc<Handshake>,
        drain: CancellationToken,
    ) -> Self {
        let limits = &session.limits;
        let rpc = RpcLimits::default().with_max_message_bytes(limits.max_message_bytes);
        let out = Arc::<Out>::default();
        let topics = session.topics.as_ref();
        let desk = topics.map(|topics| Desk::new(Arc::clone(topics), Arc::clone(&handshake), Arc::clone(&out)));
        Self {
            desk,
            tongue: Tongue::Unknown,
            first_by: Some(session.clock.sleep(limits.first_message)),
            rpc: rpc.with_max_batch(limits.max_in_flight),
            out,
            calls: FuturesUnordered::new(),
            table: HashMap::new(),
            begun: 0,
            gate: limits.rate_per_second.map(Gate::new),
            pulse: Pulse::new(Duration::MAX),
            due: session.clock.sleep(limits.ping_interval),
            drained: Box::pin(drain.cancelled_owned()),
            draining: false,
            unasked: 0,
            session,
            socket,
            handshake,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        // What the calls say while they are polled here need not wake anybody.
        self.out.unregister();
        loop {
            match self.turn(cx) {
                Err(closed) => return Poll::Ready(closed),
                Ok(true) => {}
                Ok(false) => {
                    self.out.register(cx.waker());
                    // Something may have been said in between.
                    if self.out.bytes() == 0 || self.socket.is_blocked() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// One turn of everything; whether there may be more to do at once.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, Closed> {
        let mut more = false;
        while let Poll::Ready(Some((id, number))) = Pin::new(&mut self.calls).poll_next(cx) {
            if let Some(id) = id
                && self.table.get(&id).is_some_and(|entry| entry.number == number)
            {
                self.table.remove(&id);
            }
        }
        if let Some(desk) = &mut self.desk {
            more |= desk.poll(cx);
        }
        let waiting = self.out.bytes();
        if let Poll::Ready(written) = self.socket.poll_write(cx, &self.out) {
            written?;
        }
        if waiting > STOP_BYTES && self.out.bytes() < waiting {
            // Its pongs are not read now; that it takes what is written is a sign of life too.
            self.pulse.heard();
        }
        more |= self.desk.as_ref().is_some_and(Desk::has_room);
        for _ in 0..AT_ONCE {
            if self.out.bytes() > STOP_BYTES {
                break;
            }
            match self.socket.poll_read(cx) {
                Poll::Ready(came) => {
                    more = true;
                    self.pulse.heard();
                    if let Came::Message { data, .. } = came? {
                        self.message(&data);
                    }
                }
                Poll::Pending => break,
            }
        }
        if !self.draining && self.drained.as_mut().poll(cx).is_ready() {
            self.draining = true;
            if let Some(desk) = &mut self.desk {
                desk.drain();
                more = true;
            }
        }
        let is_done = self.calls.is_empty() && self.desk.as_ref().is_none_or(Desk::is_done);
        if self.draining && is_done && self.out.bytes() == 0 {
            return Err(Closed::GoingAway);
        }
        if self.first_by.as_mut().is_some_and(|first_by| first_by.as_mut().poll(cx).is_ready()) {
            return Err(Closed::Policy);
        }
        if self.due.as_mut().poll(cx).is_ready() {
            more = true;
            self.due = self.session.clock.sleep(self.session.limits.ping_interval);
            match self.pulse.due(self.session.clock.now(), true) {
                Beat::Ping => self.socket.ping(cx)?,
                Beat::Dead | Beat::Idle => return Err(Closed::Silent),
            }
        }
        Ok(more)
    }

    fn message(&mut self, message: &Bytes) {
        self.first_by = None;
        if let Some(desk) = &mut self.desk
            && self.tongue == Tongue::Unknown
        {
            self.tongue = match plain::begins(message) {
                true => Tongue::Plain,
                false => Tongue::JsonRpc,
            };
            if self.tongue == Tongue::Plain {
                desk.speak_plainly();
            }
        }
        if self.tongue == Tongue::Plain {
            return self.plainly(message);
        }
        let alone = Reply::Alone(Arc::clone(&self.out));
        match parse(message, &self.rpc) {
            // A flood of what is none is answered no faster than calls are.
            Err(error) if self.passes().is_ok() => alone.say(jsonrpc::Response::new(Id::NULL, Err(error)).encode()),
            Err(_) => {}
            Ok(Incoming::One(entry)) => self.entry(entry, message, alone),
            Ok(Incoming::Batch(entries)) => {
                let batch = Reply::Batch(Arc::new(Batch::new(Arc::clone(&self.out))));
                for entry in entries {
                    self.entry(entry, message, batch.clone());
                }
            }
        }
    }

    /// Takes a message of the plain dialect.
    fn plainly(&mut self, message: &Bytes) {
        let admitted = self.admitted();
        let Some(desk) = &mut self.desk else { return };
        match admitted {
            Ok(()) => desk.message(message),
            Err(refusal) => desk.refuse(refusal),
        }
    }

    fn entry(&mut self, entry: Message<'_>, message: &Bytes, reply: Reply) {
        match entry {
            Message::Request(request) if request.id.is_none() && Note::is_note(&request.method) => {
                if let Ok((id, note)) = Note::read(&request) {
                    self.note(&id.into_owned(), note);
                }
            }
            // As a credit of a stream, it asks for no work, and must not be refused: nobody would hear of that.
            Message::Request(request) if request.id.is_none() && request.http.is_none() && request.method == CREDIT => {
                match &mut self.desk {
                    Some(desk) => desk.credit(request.params),
                    None => self.unasked += 1,
                }
            }
            Message::Request(request) => self.call(&request, message, reply),
            Message::Response(_) => self.unasked += 1,
            Message::Invalid(invalid) => reply.say(invalid.answer().encode()),
        }
    }

    fn call(&mut self, request: &jsonrpc::Request<'_>, message: &Bytes, reply: Reply) {
        let invalid = |what: &str| RpcError::new(RpcError::INVALID_REQUEST, format!("Invalid Request: {what}"));
        if let Some(id) = &request.id {
            let what = if id.json().len() > MAX_ID_BYTES {
                Some(format!("`id` is longer than the {MAX_ID_BYTES} bytes allowed"))
            } else if self.table.contains_key(id) {
                Some("`id` is that of a call that is under way".to_owned())
            } else {
                None
            };
            // With the id itself the answer would be taken for that of the other call, or be as long.
            if let Some(what) = what {
                return reply.say(jsonrpc::Response::new(Id::NULL, Err(invalid(&what))).encode());
            }
        }
        let id = request.id.clone().map(Id::into_owned);
        let call = Call {
            id: id.clone(),
            reply,
            plain: request.http.is_none(),
            credit: Credit::new(),
            max_message_bytes: self.session.limits.max_message_bytes,
            out: Arc::clone(&self.out),
        };
        if let Err(refusal) = self.admitted() {
            if let Some(id) = &id {
                call.refuse(id, refusal.answer());
            }
            return;
        }
        if request.http.is_none()
            && let Some(desk) = self.desk.as_mut().filter(|_| Desk::knows(&request.method))
        {
            return desk.call(&request.method, request.params, Asker::Rpc { id, reply: call.reply });
        }
        let asked = match Asked::read(request) {
            Ok(asked) if asked.content == Content::Stream && id.is_none() => {
                Err("a stream belongs to a call with an `id`")
            }
            asked => asked,
        };
        match asked {
            Ok(asked) => self.start(asked, message, call),
            Err(what) => {
                if let Some(id) = id {
                    call.reply.say(jsonrpc::Response::new(id, Err(invalid(what))).encode());
                }
            }
        }
    }

    fn start(&mut self, asked: Asked<'_>, message: &Bytes, call: Call) {
        let (mut feed, id) = (None, call.id.clone());
        let body = match (asked.content, &id) {
            (Content::Json(json), _) => Body::full(message.slice_ref(json.as_bytes())),
            (Content::Bytes(bytes), _) => Body::full(bytes),
            (Content::Stream, Some(id)) => {
                let (into, pieces) = pipe(id.clone(), Arc::clone(&self.out));
                feed = Some(into);
                Body::stream(pieces)
            }
            (Content::Empty | Content::Stream, _) => Body::empty(),
        };
        let inbound = Inbound {
            query: asked.query,
            headers: of_call(asked.headers, &self.handshake.headers),
            proven: self.handshake.proven.clone(),
            body,
            peer: self.session.peer,
            ..Inbound::new(asked.method, asked.path)
        };
        self.begun += 1;
        let (number, credit) = (self.begun, call.credit.clone());
        let (work, abort) = abortable(call.run(Arc::clone(&self.session.handler), inbound));
        if let Some(id) = &id {
            self.table.insert(id.clone(), Entry { number, abort, feed, credit });
        }
        self.calls.push(Box::pin(async move {
            // Given up or not, it has ended.
            let _ = work.await;
            (id, number)
        }));
    }

    fn note(&mut self, id: &Id<'static>, note: Note<'_>) {
        let Some(entry) = self.table.get_mut(id) else { return };
        match note {
            Note::Piece(piece) => {
                let fits = entry.feed.as_ref().is_none_or(|feed| feed.push(piece));
                if !fits && let Some(feed) = entry.feed.take() {
                    let what = "the body came faster than it was allowed to";
                    feed.end(Err(Error::new(ErrorKind::Interrupted, what)));
                }
            }
            Note::End => {
                if let Some(feed) = entry.feed.take() {
                    feed.end(Ok(()));
                }
            }
            // Dropped, it breaks.
            Note::Broken(_) => entry.feed = None,
            Note::Credit(bytes) => entry.credit.add(bytes),
            Note::Cancel => {
                if let Some(entry) = self.table.remove(id) {
                    entry.abort.abort();
                }
            }
        }
    }

    /// Every limit of the connection, one after the other.
    fn admitted(&mut self) -> Result<(), Box<Refusal>> {
        if self.draining {
            return Err(Error::new(ErrorKind::Closed, "the component is shutting down").into());
        }
        self.passes()?;
        let most = self.session.limits.max_in_flight;
        if self.calls.len() + self.desk.as_ref().map_or(0, Desk::under_way) >= most {
            let detail = format!("in_flight: {most} calls of this connection are under way, which is the limit");
            return Err(too_many("in_flight", detail, COME_AGAIN));
        }
        Ok(())
    }

    fn passes(&mut self) -> Result<(), Box<Refusal>> {
        let now = self.session.clock.now();
        let Some(gate) = &mut self.gate else { return Ok(()) };
        gate.take(now).map_err(|wait| {
            let most = gate.per_second();
            too_many(
                "rate",
                format!("rate: this connection is served {most} calls in a second, and has had them"),
                wait,
            )
        })
    }
}

fn too_many(code: &str, detail: String, wait: Duration) -> Box<Refusal> {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, code, detail).after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_waits_is_small() {
        assert!(size_of::<Running>() <= 1024, "{}", size_of::<Running>());
    }
}
