//! The builder of one call.

use std::{borrow::Cow, future::IntoFuture, marker::PhantomData, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::{Serialize, de::DeserializeOwned};

use super::Reply;
use crate::{
    context::Allowance,
    error::{Error, ErrorKind, Result, Sent},
    names::OperationName,
    policy::{AttemptLimit, StickyKey},
    random::Random,
    tekton::{Peer, SpendLimit},
    time::BoxFuture,
    transport::{Body, CallInfo, Request, Response, Safety},
    wire::headers,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FIRST_VERSION: HeaderValue = HeaderValue::from_static("1");
/// The room that is made for the arguments at first.
const JSON_BYTES: usize = 1024;

/// A call that is being put together; it is sent when it is awaited.
///
/// A mistake in what it is given (an operation's name, a header, a value that is no JSON) comes out when it is awaited.
#[must_use = "a call does nothing until awaited"]
pub struct Call<'a, T = serde_json::Value> {
    peer: Cow<'a, Peer>,
    /// What is sent, but for what is known only when it is.
    request: Request,
    safety: Option<Safety>,
    timeout: Option<Duration>,
    max_response_bytes: Option<usize>,
    wrong: Option<Error>,
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
        // An operation that was called before has its name and its metrics at hand.
        let (name, metrics) = match peer.known(operation) {
            Some((name, metrics)) => (name, Some(metrics)),
            None => (operation.into(), None),
        };
        let mut call = CallInfo::new(peer.shared_name(), name, Safety::Write);
        call.metrics = metrics;
        let mut request = Request::new(Method::POST, ["/api/v1/", operation].concat(), call);
        request.headers = HeaderMap::with_capacity(8);
        request.headers.insert(header::ACCEPT, JSON);
        request.headers.insert(headers::API_VERSION, FIRST_VERSION);
        Self {
            peer,
            request,
            safety: None,
            timeout: None,
            max_response_bytes: None,
            wrong: OperationName::check(operation).err(),
            answer: PhantomData,
        }
    }

    /// Sends this value as the JSON body.
    pub fn json<B: Serialize + ?Sized>(mut self, body: &B) -> Self {
        // `to_vec` begins with 128 bytes, and most arguments would make it grow several times.
        let mut bytes = Vec::with_capacity(JSON_BYTES);
        match serde_json::to_writer(&mut bytes, body) {
            Ok(()) => {
                self.request.headers.insert(header::CONTENT_TYPE, JSON);
                self.request.body = Body::full(bytes);
                self
            }
            Err(error) => self.refuse(
                Error::new(ErrorKind::Codec, "the arguments cannot be written as JSON")
                    .with_source(error)
                    .with_sent(Sent::No),
            ),
        }
    }

    /// Sends these bytes, or this stream of bytes, of this content type. A stream is sent once: it is not retried.
    pub fn body(mut self, content_type: HeaderValue, body: impl Into<Body>) -> Self {
        self.request.headers.insert(header::CONTENT_TYPE, content_type);
        self.request.body = body.into();
        self
    }

    /// Uses another method than `POST`. What the method promises (RFC 9110 §9.2) counts as [`Call::safety`] unless that is set.
    pub fn method(mut self, method: Method) -> Self {
        self.request.method = method;
        self
    }

    /// Uses this path as it is, as `/api/esr/store`, for peers that lay out their routes otherwise. The operation's name stays
    /// the label in metrics and messages, and need not be an operation's name then.
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.request.path = path.into();
        self.request.headers.remove(headers::API_VERSION);
        self.wrong = None;
        if !self.request.path.starts_with('/') || self.request.path.contains(['?', '#', '\r', '\n', ' ']) {
            let what =
                format!("the path {:?} must begin with a slash and hold no space, `?` or `#`", self.request.path);
            return self.refuse(Error::invalid(what));
        }
        self
    }

    /// Calls this version of the API instead of 1.
    pub fn api_version(mut self, version: u32) -> Self {
        self.request.path = format!("/api/v{version}/{}", self.request.call.operation).into();
        self.request.headers.insert(headers::API_VERSION, HeaderValue::from(version));
        self
    }

    /// Adds a parameter to the query, percent-encoded.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let mut query = url::form_urlencoded::Serializer::new(self.request.query.take().unwrap_or_default());
        query.append_pair(name, value.as_ref());
        self.request.query = Some(query.finish());
        self
    }

    /// Sets a header. Those that the pipeline writes itself (trace, deadline, attempt, caller) are overwritten by it.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.request.headers.insert(name, value);
        self
    }

    /// Limits the call with all its attempts. The deadline of the running operation bounds it too. Default: the handle's.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Limits one attempt. Default: the handle's.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.request.call.extensions.insert(AttemptLimit(limit));
        self
    }

    /// Lets one attempt spend at most this, with all that the callee has done for it. What is left open here is, for money, the
    /// price that the component declares, and otherwise nothing.
    ///
    /// It is set aside of the [budget](crate::context::Budget) of the running operation before the attempt is sent, and refused
    /// if less is left; each attempt has its own, because one that failed may have cost all of it. Without a budget it is the
    /// limit of the call itself.
    pub fn spend_at_most(mut self, limit: impl Into<Allowance>) -> Self {
        self.request.call.extensions.insert(SpendLimit(limit.into()));
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
        self.safety = Some(safety);
        self
    }

    /// Sends this key on every attempt, so that the callee carries the call out once: a write is then tried again like a read.
    pub fn idempotency_key(mut self, key: &str) -> Self {
        match HeaderValue::from_str(key) {
            Ok(value) if !key.is_empty() && key.len() <= headers::MAX_LABEL_BYTES => {
                self.request.headers.insert(headers::IDEMPOTENCY_KEY, value);
                self.safety(Safety::Idempotent)
            }
            _ => self.refuse(Error::invalid("the idempotency key must be 1 to 256 visible ASCII characters")),
        }
    }

    /// Keeps to one instance of the component: all calls with this key go to the same one as long as it is well, whoever makes
    /// them. See [`StickyKey`].
    pub fn sticky(self, key: impl AsRef<[u8]>) -> Self {
        self.extension(StickyKey::new(key))
    }

    /// Attaches a value for policies of the application's own.
    pub fn extension<E: Clone + Send + Sync + 'static>(mut self, value: E) -> Self {
        self.request.call.extensions.insert(value);
        self
    }

    /// Attaches these values for policies of the application's own.
    pub(crate) fn extensions(mut self, values: &http::Extensions) -> Self {
        self.request.call.extensions.extend(values.clone());
        self
    }

    /// Sends the call and hands out the answer as it comes: any status, the body a stream.
    ///
    /// # Errors
    /// Those of the road to the callee. The deadline covers the time until the head of the answer is there.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the call.
    pub async fn send(self) -> Result<Response> {
        let (peer, limit) = (self.peer.clone(), self.timeout);
        peer.start(self.into_request(false)?, limit)?.answer().await
    }

    /// Sends the call and collects the answer, which is not read yet.
    pub(crate) async fn collect(self) -> Result<Response> {
        let (peer, limit) = (self.peer.clone(), self.timeout);
        peer.start(self.into_request(true)?, limit)?.answer().await
    }

    /// The same call to another peer.
    ///
    /// # Errors
    /// What is wrong about the call, or that its body is a stream, which is sent once.
    pub(super) fn copy_to(&self, peer: Peer) -> Result<Call<'static, T>> {
        let mut request = self.request.try_clone().ok_or_else(|| {
            Error::invalid("the body is a stream, which can be sent to one component only; give its bytes instead")
        })?;
        request.call.target = peer.shared_name();
        // They are those of the other peer.
        request.call.metrics = None;
        Ok(Call {
            peer: Cow::Owned(peer),
            request,
            safety: self.safety,
            timeout: self.timeout,
            max_response_bytes: self.max_response_bytes,
            wrong: None,
            answer: PhantomData,
        })
    }

    /// What was wrong about what it was given.
    pub(super) fn take_wrong(&mut self) -> Option<Error> {
        self.wrong.take()
    }

    /// How long it may take, if it says.
    pub(super) const fn limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether it may be carried out twice.
    pub(super) fn is_read(&self) -> bool {
        self.safety.unwrap_or_else(|| Safety::of_method(&self.request.method)) == Safety::Read
    }

    /// Whom it goes to.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    fn into_request(self, collect: bool) -> Result<Request> {
        let Self { peer, mut request, .. } = self;
        if let Some(error) = self.wrong {
            return Err(error.with_target(peer.name().to_owned()));
        }
        let tekton = peer.tekton();
        let safety = self.safety.unwrap_or_else(|| Safety::of_method(&request.method));
        request.call.safety = safety;
        request.call.collect = collect.then(|| self.max_response_bytes.unwrap_or(tekton.defaults().max_response_bytes));
        if safety == Safety::Idempotent && !request.method.is_idempotent() {
            let key = request.headers.entry(headers::IDEMPOTENCY_KEY);
            key.or_insert_with(|| drawn_key(tekton.random()));
        }
        Ok(request)
    }

    fn refuse(mut self, error: Error) -> Self {
        self.wrong.get_or_insert(error);
        self
    }
}

/// A key of 128 bits. It need not be secret, only another one for each call.
fn drawn_key(random: &Random) -> HeaderValue {
    let key = u128::from_be_bytes(random.trace_id());
    HeaderValue::try_from(format!("{key:032x}")).expect("digits are visible ASCII")
}

impl<'a, T: DeserializeOwned + Send + 'a> IntoFuture for Call<'a, T> {
    type Output = Result<Reply<T>>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    /// Sends the call and reads the answer as JSON.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (peer, limit) = (self.peer.clone(), self.timeout);
            let response = peer.start(self.into_request(true)?, limit)?.answer().await?;
            Reply::read(response).map_err(|error| error.with_target(peer.name().to_owned()))
        })
    }
}

impl<T> std::fmt::Debug for Call<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("peer", &self.peer.name())
            .field("method", &self.request.method)
            .field("path", &self.request.path)
            .finish_non_exhaustive()
    }
}
