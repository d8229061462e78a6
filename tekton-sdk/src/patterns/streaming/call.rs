//! The builder of a call that is answered many times.

use std::{borrow::Cow, future::IntoFuture, marker::PhantomData, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Chunks, ReconnectConfig, decode,
    lines::Lines,
    machine::Rules,
    numbers::Numbers,
    peer_road::PeerRoad,
    source::{MAX_FAILURE_BYTES, Source, Tools, essence},
    sse_client::{IDLE_TIMEOUT, MAX_RATIO},
};
use crate::{
    context::Allowance,
    error::{Error, ErrorKind, Result, Sent},
    policy::StickyKey,
    tekton::{Draft, Peer, Tekton},
    time::BoxFuture,
    transport::{Body, Response, Safety},
    wire::{
        ndjson, problem,
        sse::{self, SseLimits},
    },
};

/// Events can be resumed and lines cannot; a callee that can stream neither answers with one array.
const ACCEPTED: HeaderValue =
    HeaderValue::from_static("text/event-stream, application/x-ndjson;q=0.8, application/json;q=0.5");

/// A call of an operation that answers many times; it is sent when it is awaited, and gives [`Chunks`] as soon as the answer begins.
///
/// A mistake in what it is given (an operation's name, a header, a value that is no JSON) comes out when it is awaited.
#[must_use = "a call does nothing until awaited"]
pub struct StreamCall<'a, T = serde_json::Value> {
    draft: Draft<'a>,
    idle_timeout: Duration,
    limits: SseLimits,
    max_array_bytes: Option<usize>,
    reconnect: ReconnectConfig,
    resume: bool,
    resend: bool,
    item: PhantomData<fn() -> T>,
}

impl Peer {
    /// Calls an operation that answers many times: `POST /api/v1/{operation}` with a JSON object of the arguments, unless the
    /// builder says otherwise, answered with an event stream.
    ///
    /// `T` is what each item is read as; `serde_json::Value` takes everything.
    pub fn stream<T>(&self, operation: impl AsRef<str>) -> StreamCall<'_, T> {
        StreamCall::new(Cow::Borrowed(self), operation.as_ref())
    }
}

impl<'a, T> StreamCall<'a, T> {
    fn new(peer: Cow<'a, Peer>, operation: &str) -> Self {
        Self {
            draft: Draft::new(peer, operation, ACCEPTED),
            idle_timeout: IDLE_TIMEOUT,
            limits: SseLimits::default(),
            max_array_bytes: None,
            reconnect: ReconnectConfig::resuming(),
            resume: true,
            resend: false,
            item: PhantomData,
        }
    }

    /// Sends this value as the JSON body.
    pub fn json<B: Serialize + ?Sized>(mut self, body: &B) -> Self {
        self.draft.json(body);
        self
    }

    /// Sends these bytes of this content type.
    pub fn body(mut self, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        self.draft.body(content_type, Body::full(body));
        self
    }

    /// Uses another method than `POST`. What the method promises (RFC 9110 §9.2) counts as [`Self::safety`] unless that is set.
    pub fn method(mut self, method: Method) -> Self {
        self.draft.method(method);
        self
    }

    /// Uses this path as it is, as for [`Call::path`](crate::patterns::request::Call::path).
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.draft.path(path.into());
        self
    }

    /// Calls this version of the API instead of 1.
    pub fn api_version(mut self, version: u32) -> Self {
        self.draft.api_version(version);
        self
    }

    /// Adds a parameter to the query, percent-encoded.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.draft.query(name, value.as_ref());
        self
    }

    /// Sets a header. Those that the pipeline writes itself (trace, deadline, attempt, caller) are overwritten by it.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.draft.header(name, value);
        self
    }

    /// Limits the time until the answer begins, with all attempts, and the same each time that it is connected anew. The items may
    /// take as long as they like. Default: the handle's.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.draft.timeout(limit);
        self
    }

    /// Limits one attempt until the answer begins. Default: the handle's.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.draft.attempt_timeout(limit);
        self
    }

    /// Lets one attempt spend at most this; see [`Call::spend_at_most`](crate::CallOptions::spend_at_most).
    pub fn spend_at_most(mut self, limit: impl Into<Allowance>) -> Self {
        self.draft.spend_at_most(limit.into());
        self
    }

    /// Says whether it may be carried out twice, and so whether it is tried again when it may have been sent and no answer began.
    /// Default: what the method promises.
    pub fn safety(mut self, safety: Safety) -> Self {
        self.draft.safety(safety);
        self
    }

    /// Sends this key on every attempt, so that the callee carries the call out once: a write is then tried again like a read.
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.draft.idempotency_key(key);
        self
    }

    /// Keeps to one instance of the component: all calls with this key go to the same one as long as it is well. See [`StickyKey`].
    pub fn sticky(self, key: impl AsRef<[u8]>) -> Self {
        self.extension(StickyKey::new(key))
    }

    /// Attaches a value for policies of the application's own.
    pub fn extension<E: Clone + Send + Sync + 'static>(mut self, value: E) -> Self {
        self.draft.extension(value);
        self
    }

    /// What it shares with calls of other kinds.
    pub(crate) const fn draft(&mut self) -> &mut Draft<'a> {
        &mut self.draft
    }

    /// After how long without a byte, a comment included, a connection counts as dead. Default: 45 s, three times the interval at
    /// which components send comments.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// The most bytes of one item. Default: 1 MiB.
    pub fn max_event_bytes(mut self, cap: usize) -> Self {
        self.limits = SseLimits::default().with_max_line_bytes(cap).with_max_event_bytes(cap);
        self
    }

    /// The most bytes of all items together, where the callee cannot stream and answers with one array. Default: what the handle
    /// reads of an answer.
    pub fn max_array_bytes(mut self, cap: usize) -> Self {
        self.max_array_bytes = Some(cap);
        self
    }

    /// Whether a stream that can be resumed is taken up again where it broke: the callee goes on with the same work. Default: yes.
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Whether a stream that cannot be resumed begins anew when it breaks: the callee carries the call out again, and its items come
    /// again from the first. Default: no.
    pub fn resend(mut self, resend: bool) -> Self {
        self.resend = resend;
        self
    }

    /// How often it connects anew, and how long it waits before. Default: that of [`ReconnectConfig`], but waits from 100 ms to 5 s,
    /// because a component keeps a stream that nobody reads for 30 s.
    pub fn reconnect(mut self, config: ReconnectConfig) -> Self {
        self.reconnect = config;
        self
    }

    async fn begin(self) -> Result<Begun> {
        let limit = self.draft.limit();
        let (peer, request) = self.draft.finish()?;
        let problems = self.reconnect.validate();
        if !problems.is_empty() {
            return Err(Error::config("the settings of reconnecting are wrong").with_fields(problems));
        }
        let peer = peer.into_owned();
        let tekton = peer.tekton().clone();
        let road = PeerRoad {
            peer: peer.clone(),
            request,
            limit,
            resume: self.resume,
            resend: self.resend,
            numbers: Numbers::default(),
        };
        let response = road.send().await?;
        let (clock, idle) = (tekton.clock().clone(), self.idle_timeout);
        let media_type = essence(&response.headers);
        let is = |wanted: &str| media_type.eq_ignore_ascii_case(wanted);
        if response.status == StatusCode::OK && is(sse::CONTENT_TYPE) {
            let rules = Rules { reconnect: self.reconnect, idle, again: false, tokens: false };
            let tools = Tools {
                clock,
                random: tekton.random().clone(),
                budget: peer.retry_budget().clone(),
                max_ratio: MAX_RATIO,
            };
            let source = Source::new(road, rules, self.limits, String::new(), tools);
            return Ok(Begun::Stream(Box::new(source.with_answer(response))));
        }
        if response.status == StatusCode::OK && is(ndjson::CONTENT_TYPE) {
            let parts = response.into_parts();
            let body = decode::body(&parts.headers, parts.body, MAX_RATIO)?;
            let lines = Lines::new(body, self.limits.max_line_bytes, clock, idle);
            return Ok(Begun::Lines(lines));
        }
        let is_json = response.status.is_success() && is("application/json");
        let cap = self.max_array_bytes.unwrap_or(tekton.defaults().max_response_bytes);
        Self::whole(response, is_json.then_some(cap), tekton, idle).await.map(Begun::Array)
    }

    /// The whole of an answer that is no stream: the array, or the failure.
    async fn whole(response: Response, array: Option<usize>, tekton: Tekton, idle: Duration) -> Result<Bytes> {
        let parts = response.into_parts();
        let body = parts.body.collect(array.unwrap_or(MAX_FAILURE_BYTES));
        let body = tekton.clock().timeout(idle, body).await;
        if array.is_some() {
            return body.unwrap_or_else(|| Err(Error::new(ErrorKind::Timeout, "the rest of the answer did not come")));
        }
        if parts.status.is_success() {
            let what = format!("the answer is {:?}, no stream and no array of JSON", essence(&parts.headers));
            return Err(Error::new(ErrorKind::Codec, what).with_sent(Sent::Yes));
        }
        let body = body.and_then(Result::ok).unwrap_or_default();
        let error = problem::read_failure(parts.status, &parts.headers, &body, tekton.clock().wall());
        Err(error.with_attempts(parts.attempt))
    }
}

/// What the answer is.
enum Begun {
    Stream(Box<Source<PeerRoad>>),
    Lines(Lines),
    Array(Bytes),
}

impl<'a, T: DeserializeOwned + Send + 'a> IntoFuture for StreamCall<'a, T> {
    type Output = Result<Chunks<T>>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    /// Sends the call and waits until the answer begins.
    fn into_future(self) -> Self::IntoFuture {
        let peer = self.draft.peer().clone();
        let clock = peer.tekton().clock().clone();
        Box::pin(async move {
            let begun = self.begin().await;
            let chunks = begun.and_then(|begun| match begun {
                Begun::Stream(source) => Ok(Chunks::of_stream(source, clock)),
                Begun::Lines(lines) => Ok(Chunks::of_lines(lines, peer.clone(), clock)),
                Begun::Array(bytes) => serde_json::from_slice::<Vec<T>>(&bytes)
                    .map(|items| Chunks::of_items(items.into_iter().map(Ok)))
                    .map_err(|error| {
                        let what = format!("the answer ({} bytes) is not an array of the items", bytes.len());
                        Error::new(ErrorKind::Codec, what).with_source(error).with_sent(Sent::Yes)
                    }),
            });
            chunks.map_err(
                |error| if error.target().is_some() { error } else { error.with_target(peer.name().to_owned()) },
            )
        })
    }
}

impl<T> std::fmt::Debug for StreamCall<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.draft.show("StreamCall", f)
    }
}
