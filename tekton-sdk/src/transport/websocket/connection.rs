//! One connection as its callers see it: calls that wait, streams that come, and what is said to the other side.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::sync::oneshot;

use super::{
    closed::Closed,
    out::Out,
    pipe::{Credit, Feed, Pieces, pipe},
};
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    transport::Endpoint,
    wire::{
        exchange::{Answered, Content, Note},
        jsonrpc::{Calls, Id, Outcome, Received, Request, Response, RpcError, RpcLimits, parse},
    },
};

/// An answer whose head has come.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Arriving,
}

#[derive(Debug)]
pub(super) enum Arriving {
    Whole(Bytes),
    Stream(Pieces),
}

type Waiting = oneshot::Sender<Result<Arrived>>;

/// What callers and the one task that reads and writes share.
#[derive(Debug)]
pub(super) struct Connection {
    endpoint: Endpoint,
    pub(super) out: Arc<Out>,
    table: Mutex<Table>,
    limits: RpcLimits,
    /// Answers to calls that nobody made, and messages that are none.
    unasked: AtomicU64,
}

#[derive(Debug)]
struct Table {
    calls: Calls<Waiting>,
    /// The answers that are still coming.
    feeds: HashMap<u64, Feed>,
    /// The requests that are still being sent.
    sending: HashMap<u64, Credit>,
}

impl Connection {
    pub(super) fn new(endpoint: Endpoint, max_in_flight: usize, max_message_bytes: usize) -> Self {
        let calls = Calls::new(max_in_flight);
        Self {
            endpoint,
            out: Arc::default(),
            table: Mutex::new(Table { calls, feeds: HashMap::new(), sending: HashMap::new() }),
            limits: RpcLimits::default().with_max_message_bytes(max_message_bytes),
            unasked: AtomicU64::new(0),
        }
    }

    /// Whether calls may still be made on it.
    pub(super) fn is_open(&self) -> bool {
        !self.out.is_closed()
    }

    /// How much of it is in use.
    pub(super) fn in_flight(&self) -> usize {
        let table = self.lock();
        table.calls.waiting() + table.feeds.len()
    }

    /// How many messages came that nobody asked for.
    pub(super) fn unasked(&self) -> u64 {
        self.unasked.load(Ordering::Relaxed)
    }

    /// Takes a call up; with the credit of its body, if that is a stream.
    ///
    /// # Errors
    /// As [`Calls::call`], if too many wait.
    pub(super) fn begin(&self, credit: Option<&Credit>) -> Result<(u64, oneshot::Receiver<Result<Arrived>>)> {
        let (tell, told) = oneshot::channel();
        let mut table = self.lock();
        let id = table.calls.open(tell)?;
        if let Some(credit) = credit {
            table.sending.insert(id, credit.clone());
        }
        Ok((id, told))
    }

    /// Forgets a call that has ended.
    pub(super) fn ended(&self, id: u64) {
        let mut table = self.lock();
        table.calls.forget(id);
        table.feeds.remove(&id);
        table.sending.remove(&id);
    }

    /// Forgets a call, and tells the other side that nobody waits for it.
    pub(super) fn cancel(&self, id: u64) {
        self.ended(id);
        self.out.push(Note::encode_cancel(&Id::from(id)), None);
    }

    /// Takes a message of the other side.
    pub(super) fn receive(&self, message: &Bytes) {
        let Ok(incoming) = parse(message, &self.limits) else {
            // It is no answer to anything, and the calls go on waiting.
            self.count_unasked();
            return;
        };
        let mut table = self.lock();
        let Table { calls, feeds, sending } = &mut *table;
        calls.settle(incoming, |received| match received {
            Received::Answer { id, token, outcome, http } => {
                // Nobody may wait any more; then nobody is told.
                let _ = token.send(self.arrived(id, outcome, http, message, feeds));
            }
            Received::Broken { token, error, .. } => {
                let _ = token.send(Err(error));
            }
            Received::Request(request) => self.told(&request, feeds, sending),
            // Its call was given up.
            Received::Late(_) => {}
            Received::Unknown(_) | Received::Invalid(_) => self.count_unasked(),
        });
    }

    fn arrived(
        &self,
        id: u64,
        outcome: Outcome<'_>,
        http: Option<&serde_json::value::RawValue>,
        message: &Bytes,
        feeds: &mut HashMap<u64, Feed>,
    ) -> Result<Arrived> {
        let Answered { status, headers, content, .. } = Answered::read(outcome, http).map_err(|what| {
            Error::new(ErrorKind::Codec, format!("the answer of {} cannot be read: {what}", self.endpoint))
                .with_sent(Sent::Yes)
        })?;
        let body = match content {
            Content::Empty => Arriving::Whole(Bytes::new()),
            Content::Json(json) => Arriving::Whole(message.slice_ref(json.as_bytes())),
            Content::Bytes(bytes) => Arriving::Whole(bytes),
            Content::Stream => {
                let (feed, pieces) = pipe(Id::from(id), Arc::clone(&self.out));
                feeds.insert(id, feed);
                Arriving::Stream(pieces)
            }
        };
        Ok(Arrived { status, headers, body })
    }

    /// The other side says something about a call, or asks something itself, which is refused.
    fn told(&self, request: &Request<'_>, feeds: &mut HashMap<u64, Feed>, sending: &mut HashMap<u64, Credit>) {
        if let Some(id) = &request.id {
            // Whoever asks on and on without reading is not answered any more.
            if self.out.is_full() {
                return self.count_unasked();
            }
            self.out.push(Response::new(id.clone(), Err(RpcError::method_not_found())).encode(), None);
            return;
        }
        if !Note::is_note(&request.method) {
            return self.count_unasked();
        }
        let Ok((id, note)) = Note::read(request) else { return self.count_unasked() };
        let Some(id) = id.own_number() else { return self.count_unasked() };
        match note {
            Note::Piece(piece) => {
                let fits = feeds.get(&id).is_none_or(|feed| feed.push(piece));
                if !fits && let Some(feed) = feeds.remove(&id) {
                    feed.end(Err(interrupted("the other side sent more than it was allowed to")));
                    self.out.push(Note::encode_cancel(&Id::from(id)), None);
                }
            }
            Note::End => {
                if let Some(feed) = feeds.remove(&id) {
                    feed.end(Ok(()));
                }
            }
            // The reason is the other side's own.
            Note::Broken(_) => {
                if let Some(feed) = feeds.remove(&id) {
                    feed.end(Err(interrupted("the callee broke off before the answer was whole")));
                }
            }
            Note::Credit(bytes) => {
                if let Some(credit) = sending.get(&id) {
                    credit.add(bytes);
                }
            }
            Note::Cancel => {}
        }
    }

    /// The connection is no more: every call ends. One that was not written yet was not sent.
    pub(super) fn close(&self, why: Closed) {
        let unsent: HashSet<u64> = self.out.close().into_iter().filter_map(|left| left.begins).collect();
        let mut table = self.lock();
        let endpoint = &self.endpoint;
        for (id, token) in table.calls.forget_all() {
            let error = if unsent.contains(&id) {
                Error::new(
                    ErrorKind::Connect,
                    format!("the connection to {endpoint} was closed before the call was sent"),
                )
            } else {
                interrupted(format!("the connection to {endpoint} was closed before an answer"))
            };
            // Nobody may wait any more.
            let _ = token.send(Err(error.with_source(why)));
        }
        for (_, feed) in table.feeds.drain() {
            feed.end(Err(interrupted("the connection was closed before the answer was whole").with_source(why)));
        }
        for (_, credit) in table.sending.drain() {
            credit.close();
        }
    }

    fn count_unasked(&self) {
        self.unasked.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn interrupted(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Interrupted, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_calls_from_the_other_side_is_answered_only_as_far_as_it_reads() {
        let endpoint = Endpoint::parse("ws://127.0.0.1:1").unwrap();
        let connection = Connection::new(endpoint, 8, 1 << 20);
        for id in 0..100_000 {
            let message = format!(r#"{{"jsonrpc":"2.0","method":"x","id":{id}}}"#);
            connection.receive(&message.into());
        }
        assert!(connection.out.bytes() < 300 << 10, "{} bytes wait", connection.out.bytes());
        assert!(connection.unasked() > 90_000);
        assert!(connection.out.pop().unwrap().text.contains("-32601"));
    }
}
