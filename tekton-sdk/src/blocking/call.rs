//! The builder of one call, for threads.

use std::{borrow::Cow, fmt, marker::PhantomData, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use serde::{Serialize, de::DeserializeOwned};

use super::background::Background;
use crate::{
    context::Allowance,
    error::Result,
    patterns::request::{self, Reply},
    tekton,
    transport::{Body, Safety},
};

/// A call that is being put together, anywhere; [`Call::send`] sends it and waits for the answer.
///
/// A mistake in what it is given (an operation's name, a header, a value that is no JSON) comes out when it is sent.
#[must_use = "a call does nothing until it is sent"]
pub struct Call<T = serde_json::Value> {
    background: Arc<Background>,
    call: request::Call<'static>,
    answer: PhantomData<fn() -> T>,
}

impl<T> Call<T> {
    pub(super) fn new(background: Arc<Background>, peer: tekton::Peer, operation: &str) -> Self {
        Self { background, call: request::Call::owned(peer, operation), answer: PhantomData }
    }

    fn with(mut self, change: impl FnOnce(request::Call<'static>) -> request::Call<'static>) -> Self {
        self.call = change(self.call);
        self
    }

    /// Sends this value as the JSON body.
    pub fn json<B: Serialize + ?Sized>(self, body: &B) -> Self {
        self.with(|call| call.json(body))
    }

    /// Sends these bytes, or this stream of bytes, of this content type. A stream is sent once: it is not retried.
    pub fn body(self, content_type: HeaderValue, body: impl Into<Body>) -> Self {
        self.with(|call| call.body(content_type, body))
    }

    /// Uses another method than `POST`. What the method promises (RFC 9110 §9.2) counts as [`Call::safety`] unless that is set.
    pub fn method(self, method: Method) -> Self {
        self.with(|call| call.method(method))
    }

    /// Uses this path as it is, as `/api/esr/store`; the operation's name stays the label in metrics and messages.
    pub fn path(self, path: impl Into<Cow<'static, str>>) -> Self {
        self.with(|call| call.path(path))
    }

    /// Calls this version of the API instead of 1.
    pub fn api_version(self, version: u32) -> Self {
        self.with(|call| call.api_version(version))
    }

    /// Adds a parameter to the query, percent-encoded.
    pub fn query(self, name: &str, value: impl AsRef<str>) -> Self {
        self.with(|call| call.query(name, value))
    }

    /// Sets a header. Those that the pipeline writes itself (trace, deadline, attempt, caller) are overwritten by it.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(|call| call.header(name, value))
    }

    /// Limits the call with all its attempts. The deadline of the running operation bounds it too. Default: the handle's.
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(|call| call.timeout(limit))
    }

    /// Limits one attempt. Default: the handle's.
    pub fn attempt_timeout(self, limit: Duration) -> Self {
        self.with(|call| call.attempt_timeout(limit))
    }

    /// Lets one attempt spend at most this; see the async [`Call::spend_at_most`](request::Call::spend_at_most).
    pub fn spend_at_most(self, limit: impl Into<Allowance>) -> Self {
        self.with(|call| call.spend_at_most(limit))
    }

    /// Reads at most so many bytes of the answer. Default: the handle's.
    pub fn max_response_bytes(self, cap: usize) -> Self {
        self.with(|call| call.max_response_bytes(cap))
    }

    /// Says whether it may be carried out twice. Default: what the method promises.
    pub fn safety(self, safety: Safety) -> Self {
        self.with(|call| call.safety(safety))
    }

    /// Sends this key on every attempt, so that the callee carries the call out once.
    pub fn idempotency_key(self, key: &str) -> Self {
        self.with(|call| call.idempotency_key(key))
    }

    /// Attaches a value for policies of the application's own.
    pub fn extension<E: Clone + Send + Sync + 'static>(self, value: E) -> Self {
        self.with(|call| call.extension(value))
    }
}

impl<T: DeserializeOwned> Call<T> {
    /// Sends the call, waits for the answer, at most until the deadline, and reads it as JSON on this thread.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) inside an async task, [`Closed`](crate::ErrorKind::Closed) after
    /// [`shutdown`](super::Tekton::shutdown) and [`Cancelled`](crate::ErrorKind::Cancelled) when that came in between, else
    /// those of the async [`Call`](request::Call).
    pub fn send(self) -> Result<Reply<T>> {
        let peer = self.call.peer().clone();
        let response = self.background.run(self.call.collect())?;
        Reply::read(response).map_err(|error| error.with_target(peer.name().to_owned()))
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Call").field(&self.call).finish()
    }
}
