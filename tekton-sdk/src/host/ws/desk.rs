//! The topics of one WebSocket: what it is subscribed to, what it asks, and what it is told.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream};
use http::StatusCode;
use serde_json::value::RawValue;

use super::{call::Reply, plain};
use crate::{
    error::{Error, Result},
    host::{
        limit::COME_AGAIN,
        refusal::Refusal,
        topics::{Handshake, TOPIC_METHODS, Topics, Watched},
    },
    patterns::events::{
        Incoming,
        wire::{self, Credit, Settled},
    },
    time::BoxFuture,
    transport::{ResponseParts, websocket::Out},
    wire::{exchange::encode_plain_answer, jsonrpc::Id},
};

/// While more than this waits to be written, no event is taken from the broker: what its queues do with a slow reader is up to them.
const FULL_BYTES: usize = 256 << 10;
/// How many events of one subscription are taken before the next one has its turn.
const AT_ONCE: usize = 64;

/// What an answer holds, as JSON.
type Answer = Result<String, Box<Refusal>>;

/// Who asked.
pub(super) enum Asker {
    /// A call of JSON-RPC; without an id nobody hears the answer.
    Rpc { id: Option<Id<'static>>, reply: Reply },
    /// A message of the plain dialect, and what its answer is called.
    Plain { answer: &'static str },
}

/// One subscription.
struct Sub {
    number: u64,
    watched: Watched,
    /// As they were named; for the plain dialect, which has no numbers.
    topics: Vec<String>,
    /// How many more events and bytes of messages it takes; `None` if it said nothing of that, and when all that waits is to go.
    credit: Option<(u64, i64)>,
}

/// A subscription that begins, and the credit that it brings.
type Begun = Result<(Watched, Option<Credit>), Box<Refusal>>;

/// What was waited for.
enum Done {
    Subscribed(Asker, Vec<String>, Box<Begun>),
    Said(Asker, Answer),
}

/// Dropped, it ends every subscription.
pub(super) struct Desk {
    topics: Arc<Topics>,
    handshake: Arc<Handshake>,
    out: Arc<Out>,
    subs: VecDeque<Sub>,
    /// How many subscriptions are about to begin.
    beginning: usize,
    last: u64,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    is_plain: bool,
    draining: bool,
    /// Events wait until more is written.
    held: bool,
}

impl Desk {
    pub(super) fn new(topics: Arc<Topics>, handshake: Arc<Handshake>, out: Arc<Out>) -> Self {
        Self {
            topics,
            handshake,
            out,
            subs: VecDeque::new(),
            beginning: 0,
            last: 0,
            work: FuturesUnordered::new(),
            is_plain: false,
            draining: false,
            held: false,
        }
    }

    /// Whether a method is about topics.
    pub(super) fn knows(method: &str) -> bool {
        TOPIC_METHODS.contains(&method)
    }

    /// From here on it speaks the plain dialect.
    pub(super) const fn speak_plainly(&mut self) {
        self.is_plain = true;
    }

    /// How many of its calls are under way.
    pub(super) fn under_way(&self) -> usize {
        self.work.len()
    }

    /// Whether events could be sent now that could not before.
    pub(super) fn has_room(&self) -> bool {
        self.held && self.out.bytes() <= FULL_BYTES
    }

    pub(super) fn is_done(&self) -> bool {
        self.work.is_empty() && self.subs.is_empty()
    }

    /// Nothing new is heard. What waits is given; what would have to be acknowledged comes again elsewhere.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.subs.retain(|sub| !sub.watched.is_acked());
        for sub in &mut self.subs {
            sub.watched.drain();
            sub.credit = None;
        }
    }

    /// Takes note of how much more a subscription takes.
    pub(super) fn credit(&mut self, params: Option<&RawValue>) {
        let Some(Ok((number, more))) = params.map(|params| wire::read_credit(params.get())) else { return };
        let Ok(place) = self.place(number) else { return };
        if let Some((events, bytes)) = &mut self.subs[place].credit {
            *events = events.saturating_add(more.events.into());
            *bytes = bytes.saturating_add(more.bytes.into());
        }
    }

    /// Takes a call of JSON-RPC.
    pub(super) fn call(&mut self, method: &str, params: Option<&RawValue>, asker: Asker) {
        let params = params.map_or("{}", RawValue::get);
        if !params.starts_with('{') {
            let refusal = Box::<Refusal>::from(Error::invalid("`params` must be an object"));
            return self.answer(asker, Err(refusal));
        }
        match method {
            "subscribe" => {
                if matches!(asker, Asker::Rpc { id: Some(_), .. }) {
                    self.subscribe(params.to_owned(), Vec::new(), asker);
                }
            }
            "unsubscribe" => {
                let answer = self.unsubscribe(params);
                self.answer(asker, answer);
            }
            "publish" => self.publish(params.to_owned(), asker),
            method => {
                if let Err(refusal) = self.settle(method, params, asker) {
                    let (asker, refusal) = *refusal;
                    self.answer(asker, Err(refusal));
                }
            }
        }
    }

    pub(super) fn subscribe(&mut self, params: String, named: Vec<String>, asker: Asker) {
        let most = self.topics.max_subscriptions();
        if self.subs.len() + self.beginning >= most {
            let detail = format!("topic_subscriptions: this connection has {most} subscriptions, which is the limit");
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "topic_subscriptions", detail).after(COME_AGAIN);
            return self.answer(asker, Err(refusal));
        }
        self.beginning += 1;
        let (topics, handshake) = (Arc::clone(&self.topics), Arc::clone(&self.handshake));
        self.work.push(Box::pin(async move {
            let begun = async {
                let (who, _seat) = topics.admit(&handshake).await?;
                let wanted = wire::read_wanted(&params)?;
                let credit = wanted.credit;
                let interest = topics.interest(wanted)?;
                Ok((topics.subscribe(who, interest).await?, credit))
            };
            let begun = Box::new(begun.await);
            Done::Subscribed(asker, named, begun)
        }));
    }

    pub(super) fn publish(&mut self, params: String, asker: Asker) {
        let (topics, handshake) = (Arc::clone(&self.topics), Arc::clone(&self.handshake));
        self.work.push(Box::pin(async move {
            let published = async {
                let (who, _seat) = topics.admit(&handshake).await?;
                let message = wire::read_message(&params)?;
                Ok(wire::published(topics.publish(who.as_ref(), message).await?))
            };
            let published = published.await;
            Done::Said(asker, published)
        }));
    }

    fn unsubscribe(&mut self, params: &str) -> Answer {
        let (number, drain) = wire::read_unsubscribed(params)?;
        let place = self.place(number)?;
        match drain {
            true => self.subs[place].watched.drain(),
            false => drop(self.subs.remove(place)),
        }
        Ok("null".to_owned())
    }

    /// Ends the subscriptions to exactly these topics, or all; tells whether there was one.
    pub(super) fn forget(&mut self, topics: Option<&[String]>) -> bool {
        let before = self.subs.len();
        self.subs.retain(|sub| topics.is_some_and(|topics| sub.topics != topics));
        self.subs.len() < before
    }

    fn settle(
        &mut self,
        method: &str,
        params: &str,
        asker: Asker,
    ) -> std::result::Result<(), Box<(Asker, Box<Refusal>)>> {
        let found = || {
            let settled = Settled::read(params)?;
            let settle = self.subs[self.place(settled.subscription)?]
                .watched
                .settle()
                .ok_or_else(|| Error::invalid("this subscription has no acknowledgements: subscribe with `acks`"))?;
            Ok((settle, settled.cursor()?, settled.delivery, settled.outcome(method)))
        };
        let (settle, cursor, delivery, outcome) = match found() {
            Ok(found) => found,
            Err(refusal) => return Err(Box::new((asker, refusal))),
        };
        self.work.push(Box::pin(async move {
            let settled = settle.settle(cursor, delivery, outcome).await;
            Done::Said(asker, settled.map(|()| "null".to_owned()).map_err(Into::into))
        }));
        Ok(())
    }

    fn place(&self, number: u64) -> Result<usize, Box<Refusal>> {
        self.subs.iter().position(|sub| sub.number == number).ok_or_else(|| {
            let detail = format!("this connection has no subscription {number}");
            Refusal::new(StatusCode::NOT_FOUND, "unknown_subscription", detail)
        })
    }

    /// Goes on with all of it; whether there is more to do at once.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut said = Vec::new();
        while let Poll::Ready(Some(done)) = Pin::new(&mut self.work).poll_next(cx) {
            match done {
                Done::Subscribed(asker, topics, begun) => self.begun(asker, topics, *begun),
                Done::Said(asker, answer) => said.push((asker, answer)),
            }
        }
        let more = self.poll_events(cx);
        // Whoever publishes hears its own event before it is told so.
        for (asker, answer) in said {
            self.answer(asker, answer);
        }
        more
    }

    fn begun(&mut self, asker: Asker, topics: Vec<String>, begun: Begun) {
        self.beginning -= 1;
        let (mut watched, credit) = match begun {
            Ok(begun) => begun,
            Err(refusal) => return self.answer(asker, Err(refusal)),
        };
        self.last += 1;
        let number = self.last;
        let answer = match &asker {
            Asker::Rpc { .. } => wire::subscribed(number, watched.begins_after()),
            Asker::Plain { .. } => plain::subscribed(&topics, watched.begins_after()),
        };
        self.answer(asker, Ok(answer));
        if self.draining {
            if watched.is_acked() {
                return;
            }
            watched.drain();
        }
        let credit = credit.filter(|_| !self.draining).map(|credit| (credit.events.into(), credit.bytes.into()));
        self.subs.push_back(Sub { number, watched, topics, credit });
    }

    fn poll_events(&mut self, cx: &mut Context<'_>) -> bool {
        let (out, is_plain) = (&self.out, self.is_plain);
        let (mut more, mut held) = (false, false);
        self.subs.retain_mut(|sub| {
            for _ in 0..AT_ONCE {
                if out.bytes() > FULL_BYTES {
                    held = true;
                    return true;
                }
                if sub.credit.is_some_and(|(events, bytes)| events == 0 || bytes <= 0) {
                    return true;
                }
                let (text, ended) = match sub.watched.poll_next(cx) {
                    Poll::Pending => return true,
                    Poll::Ready(Some(Ok(came))) => {
                        let text = told(sub.number, &came, sub.watched.replaced(), is_plain);
                        if let Some((events, bytes)) = &mut sub.credit {
                            *events -= 1;
                            *bytes -= i64::try_from(text.len()).unwrap_or(i64::MAX);
                        }
                        (text, false)
                    }
                    Poll::Ready(Some(Err(error))) => (ended(sub.number, Some(error), is_plain), true),
                    Poll::Ready(None) => (ended(sub.number, None, is_plain), true),
                };
                out.push(text, None);
                if ended {
                    return false;
                }
            }
            more = true;
            true
        });
        self.held = held;
        if held && !self.subs.is_empty() {
            // Another one comes first when there is room.
            self.subs.rotate_left(1);
        }
        more
    }

    pub(super) fn answer(&self, asker: Asker, answer: Answer) {
        match (asker, answer) {
            (Asker::Rpc { id: Some(id), reply }, Ok(json)) => {
                reply.say(encode_plain_answer(&id, StatusCode::OK, &json.into()));
            }
            (Asker::Rpc { id: Some(id), reply }, Err(refusal)) => {
                let ResponseParts { status, body, .. } = refusal.answer().into_parts();
                reply.say(encode_plain_answer(&id, status, &body.into_bytes().unwrap_or_default()));
            }
            (Asker::Rpc { id: None, .. }, _) => {}
            (Asker::Plain { answer }, Ok(json)) => {
                self.out.push(wire::plain(answer, &json), None);
            }
            (Asker::Plain { .. }, Err(refusal)) => {
                self.out.push(wire::plain("error", &text(&refusal.into_problem().to_bytes())), None);
            }
        }
    }

    /// Takes a message of the plain dialect.
    pub(super) fn message(&mut self, message: &Bytes) {
        plain::take(self, message);
    }

    /// Refuses a message of the plain dialect.
    pub(super) fn refuse(&self, refusal: Box<Refusal>) {
        self.answer(Asker::Plain { answer: "error" }, Err(refusal));
    }
}

fn told(number: u64, came: &Incoming, replaced: u64, is_plain: bool) -> String {
    match (came, is_plain) {
        (Incoming::Event { published, delivery, .. }, false) => wire::event(number, published, *delivery, replaced),
        (Incoming::Event { published, .. }, true) => wire::plain_event(published),
        (Incoming::Gap(gap), false) => wire::gap(number, gap),
        (Incoming::Gap(gap), true) => wire::plain("gap", &wire::gap_text(gap)),
    }
}

fn ended(number: u64, error: Option<Error>, is_plain: bool) -> String {
    let problem = error.map(|error| text(&Box::<Refusal>::from(error).into_problem().to_bytes()));
    match (problem, is_plain) {
        (problem, false) => wire::end(number, problem.as_deref()),
        (Some(problem), true) => wire::plain("error", &problem),
        (None, true) => wire::plain("end", "null"),
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
