//! The builder of one call.

use std::{borrow::Cow, future::IntoFuture, marker::PhantomData, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use serde::{Serialize, de::DeserializeOwned};

use super::Reply;
use crate::{
    context::Allowance,
    error::{Error, Result},
    policy::StickyKey,
    tekton::{Draft, JSON, Peer},
    time::BoxFuture,
    transport::{Body, Response, Safety},
};

/// A call that is being put together; it is sent when it is awaited.
///
/// A mistake in what it is given (an operation's name, a header, a value that is no JSON) comes out when it is awaited.
#[must_use = "a call does nothing until awaited"]
pub struct Call<'a, T = serde_json::Value> {
    draft: Draft<'a>,
    max_response_bytes: Option<usize>,
    answer: PhantomData<fn() -> T>,
}

impl Peer {
    /// Calls an operation: `POST /api/v1/{operation}` with a JSON object of the arguments, unless the builder says otherwise.
    ///
    /// `T` is what the answer is read as; `serde_json::Value` takes everything.
    pub fn request<T>(&self, operation: impl AsRef<str>) -> Call<'_, T> {
        Call::new(Cow::Borrowed(self), operation.as_ref())
    }
}

impl<T> Call<'static, T> {
    /// A call that keeps its peer, for those who send it elsewhere than where it was put together.
    pub(crate) fn owned(peer: Peer, operation: &str) -> Self {
        Self::new(Cow::Owned(peer), operation)
    }
}

impl<'a, T> Call<'a, T> {
    fn new(peer: Cow<'a, Peer>, operation: &str) -> Self {
        Self { draft: Draft::new(peer, operation, JSON), max_response_bytes: None, answer: PhantomData }
    }

    /// Sends this value as the JSON body.
    pub fn json<B: Serialize + ?Sized>(mut self, body: &B) -> Self {
        self.draft.json(body);
        self
    }

    /// Sends these bytes, or this stream of bytes, of this content type. A stream is sent once: it is not retried.
    pub fn body(mut self, content_type: HeaderValue, body: impl Into<Body>) -> Self {
        self.draft.body(content_type, body.into());
        self
    }

    /// Uses another method than `POST`. What the method promises (RFC 9110 §9.2) counts as [`Call::safety`] unless that is set.
    pub fn method(mut self, method: Method) -> Self {
        self.draft.method(method);
        self
    }

    /// Uses this path as it is, as `/api/esr/store`, for peers that lay out their routes otherwise. The operation's name stays
    /// the label in metrics and messages, and need not be an operation's name then.
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

    /// Limits the call with all its attempts. The deadline of the running operation bounds it too. Default: the handle's.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.draft.timeout(limit);
        self
    }

    /// Limits one attempt. Default: the handle's.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.draft.attempt_timeout(limit);
        self
    }

    /// Lets one attempt spend at most this, with all that the callee has done for it. What is left open here is, for money, the
    /// price that the component declares, and otherwise nothing.
    ///
    /// It is set aside of the [budget](crate::context::Budget) of the running operation before the attempt is sent, and refused
    /// if less is left; each attempt has its own, because one that failed may have cost all of it. Without a budget it is the
    /// limit of the call itself.
    pub fn spend_at_most(mut self, limit: impl Into<Allowance>) -> Self {
        self.draft.spend_at_most(limit.into());
        self
    }

    /// Reads at most so many bytes of the answer. Default: the handle's.
    pub fn max_response_bytes(mut self, cap: usize) -> Self {
        self.max_response_bytes = Some(cap);
        self
    }

    /// Says whether it may be carried out twice, and so whether it is tried again when it may have been sent. Default: what the
    /// method promises. An [`Idempotent`](Safety::Idempotent) call by a method that promises less, as `POST` does, carries an
    /// idempotency key: one is drawn here unless [`Call::idempotency_key`] gave one, and every attempt repeats it.
    pub fn safety(mut self, safety: Safety) -> Self {
        self.draft.safety(safety);
        self
    }

    /// Sends this key on every attempt, so that the callee carries the call out once: a write is then tried again like a read.
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.draft.idempotency_key(key);
        self
    }

    /// Keeps to one instance of the component: all calls with this key go to the same one as long as it is well, whoever makes
    /// them. See [`StickyKey`].
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

    /// Sends the call and hands out the answer as it comes: any status, the body a stream.
    ///
    /// # Errors
    /// Those of the road to the callee. The deadline covers the time until the head of the answer is there.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the call.
    pub async fn send(self) -> Result<Response> {
        self.start(false).await.map(|(_, response)| response)
    }

    /// Sends the call and collects the answer, which is not read yet.
    pub(crate) async fn collect(self) -> Result<Response> {
        self.start(true).await.map(|(_, response)| response)
    }

    async fn start(self, collect: bool) -> Result<(Cow<'a, Peer>, Response)> {
        let Self { draft, max_response_bytes, .. } = self;
        let limit = draft.limit();
        let (peer, mut request) = draft.finish()?;
        let cap = || max_response_bytes.unwrap_or(peer.tekton().defaults().max_response_bytes);
        request.call.collect = collect.then(cap);
        let response = peer.start(request, limit)?.answer().await?;
        Ok((peer, response))
    }

    /// The same call to another peer.
    ///
    /// # Errors
    /// That its body is a stream, which is sent once.
    pub(super) fn copy_to(&self, peer: Peer) -> Result<Call<'static, T>> {
        let draft = self.draft.copy_to(peer)?;
        Ok(Call { draft, max_response_bytes: self.max_response_bytes, answer: PhantomData })
    }

    /// What was wrong about what it was given.
    pub(super) fn take_wrong(&mut self) -> Option<Error> {
        self.draft.take_wrong()
    }

    /// How long it may take, if it says.
    pub(super) const fn limit(&self) -> Option<Duration> {
        self.draft.limit()
    }

    /// Whether it may be carried out twice.
    pub(super) fn is_read(&self) -> bool {
        self.draft.safe() == Safety::Read
    }

    /// Whom it goes to.
    pub(crate) fn peer(&self) -> &Peer {
        self.draft.peer()
    }
}

impl<'a, T: DeserializeOwned + Send + 'a> IntoFuture for Call<'a, T> {
    type Output = Result<Reply<T>>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    /// Sends the call and reads the answer as JSON.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (peer, response) = self.start(true).await?;
            Reply::read(response).map_err(|error| error.with_target(peer.name().to_owned()))
        })
    }
}

impl<T> std::fmt::Debug for Call<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.draft.show("Call", f)
    }
}
