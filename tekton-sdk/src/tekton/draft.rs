//! A call that is being put together, whatever will be made of its answer.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;

use super::{Peer, SpendLimit};
use crate::{
    context::Allowance,
    error::{Error, ErrorKind, Result, Sent},
    names::OperationName,
    policy::AttemptLimit,
    random::Random,
    transport::{Body, CallInfo, Request, Safety},
    wire::headers,
};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FIRST_VERSION: HeaderValue = HeaderValue::from_static("1");
/// The room that is made for the arguments at first.
const JSON_BYTES: usize = 1024;

/// What the builders of calls have in common. A mistake in what it is given comes out when it is finished.
pub(crate) struct Draft<'a> {
    peer: Cow<'a, Peer>,
    /// What is sent, but for what is known only when it is.
    request: Request,
    safety: Option<Safety>,
    timeout: Option<Duration>,
    /// What is wrong about the operation's name, which counts only where the path is made of it.
    misnamed: Option<Error>,
    wrong: Option<Error>,
}

impl<'a> Draft<'a> {
    /// `POST /api/v1/{operation}` without a body, answered in one of the media types of `accept`.
    pub(crate) fn new(peer: Cow<'a, Peer>, operation: &str, accept: HeaderValue) -> Self {
        // An operation that was called before has its name and its metrics at hand.
        let (name, metrics) = match peer.known(operation) {
            Some((name, metrics)) => (name, Some(metrics)),
            None => (operation.into(), None),
        };
        let mut call = CallInfo::new(peer.shared_name(), name, Safety::Write);
        call.metrics = metrics;
        let mut request = Request::new(Method::POST, ["/api/v1/", operation].concat(), call);
        request.headers = HeaderMap::with_capacity(8);
        request.headers.insert(header::ACCEPT, accept);
        request.headers.insert(headers::API_VERSION, FIRST_VERSION);
        let misnamed = OperationName::check(operation).err();
        Self { peer, request, safety: None, timeout: None, misnamed, wrong: None }
    }

    pub(crate) fn json(&mut self, body: &(impl Serialize + ?Sized)) {
        // `to_vec` begins with 128 bytes, and most arguments would make it grow several times.
        let mut bytes = Vec::with_capacity(JSON_BYTES);
        match serde_json::to_writer(&mut bytes, body) {
            Ok(()) => self.body(JSON, Body::full(bytes)),
            Err(error) => self.refuse(
                Error::new(ErrorKind::Codec, "the arguments cannot be written as JSON")
                    .with_source(error)
                    .with_sent(Sent::No),
            ),
        }
    }

    pub(crate) fn body(&mut self, content_type: HeaderValue, body: Body) {
        self.request.headers.insert(header::CONTENT_TYPE, content_type);
        self.request.body = body;
    }

    pub(crate) fn method(&mut self, method: Method) {
        self.request.method = method;
    }

    pub(crate) fn path(&mut self, path: Cow<'static, str>) {
        self.request.path = path;
        self.request.headers.remove(headers::API_VERSION);
        self.misnamed = None;
        if !self.request.path.starts_with('/') || self.request.path.contains(['?', '#', '\r', '\n', ' ']) {
            let what =
                format!("the path {:?} must begin with a slash and hold no space, `?` or `#`", self.request.path);
            self.refuse(Error::invalid(what));
        }
    }

    pub(crate) fn api_version(&mut self, version: u32) {
        self.request.path = format!("/api/v{version}/{}", self.request.call.operation).into();
        self.request.headers.insert(headers::API_VERSION, HeaderValue::from(version));
    }

    pub(crate) fn query(&mut self, name: &str, value: &str) {
        let mut query = url::form_urlencoded::Serializer::new(self.request.query.take().unwrap_or_default());
        query.append_pair(name, value);
        self.request.query = Some(query.finish());
    }

    pub(crate) fn header(&mut self, name: HeaderName, value: HeaderValue) {
        self.request.headers.insert(name, value);
    }

    pub(crate) const fn timeout(&mut self, limit: Duration) {
        self.timeout = Some(limit);
    }

    pub(crate) fn attempt_timeout(&mut self, limit: Duration) {
        self.extension(AttemptLimit(limit));
    }

    pub(crate) fn spend_at_most(&mut self, limit: Allowance) {
        self.extension(SpendLimit(limit));
    }

    pub(crate) const fn safety(&mut self, safety: Safety) {
        self.safety = Some(safety);
    }

    pub(crate) fn idempotency_key(&mut self, key: &str) {
        match HeaderValue::from_str(key) {
            Ok(value) if !key.is_empty() && key.len() <= headers::MAX_LABEL_BYTES => {
                self.header(headers::IDEMPOTENCY_KEY, value);
                self.safety(Safety::Idempotent);
            }
            _ => self.refuse(Error::invalid("the idempotency key must be 1 to 256 visible ASCII characters")),
        }
    }

    pub(crate) fn extension<E: Clone + Send + Sync + 'static>(&mut self, value: E) {
        self.request.call.extensions.insert(value);
    }

    pub(crate) fn extensions(&mut self, values: &http::Extensions) {
        self.request.call.extensions.extend(values.clone());
    }

    /// Keeps the first mistake.
    fn refuse(&mut self, error: Error) {
        self.wrong.get_or_insert(error);
    }

    /// The same to another peer; without the mistakes, which are to be looked at before.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the body is a stream, which is sent once.
    pub(crate) fn copy_to(&self, peer: Peer) -> Result<Draft<'static>> {
        let mut request = self.request.try_clone().ok_or_else(|| {
            Error::invalid("the body is a stream, which can be sent to one component only; give its bytes instead")
        })?;
        request.call.target = peer.shared_name();
        // They are those of the other peer.
        request.call.metrics = None;
        Ok(Draft {
            peer: Cow::Owned(peer),
            request,
            safety: self.safety,
            timeout: self.timeout,
            misnamed: None,
            wrong: None,
        })
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// How long it may take, if it says.
    pub(crate) const fn limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// What was wrong about what it was given.
    pub(crate) fn take_wrong(&mut self) -> Option<Error> {
        self.misnamed.take().or_else(|| self.wrong.take())
    }

    /// Whether it may be carried out twice.
    pub(crate) fn safe(&self) -> Safety {
        self.safety.unwrap_or_else(|| Safety::of_method(&self.request.method))
    }

    /// The request, which carries a key if that is what makes it safe to repeat, and whom it goes to.
    ///
    /// # Errors
    /// The first mistake.
    pub(crate) fn finish(self) -> Result<(Cow<'a, Peer>, Request)> {
        let safety = self.safe();
        let Self { peer, mut request, misnamed, wrong, .. } = self;
        if let Some(error) = misnamed.or(wrong) {
            return Err(error.with_target(peer.name().to_owned()));
        }
        request.call.safety = safety;
        if safety == Safety::Idempotent && !request.method.is_idempotent() {
            let key = request.headers.entry(headers::IDEMPOTENCY_KEY);
            key.or_insert_with(|| drawn_key(peer.tekton().random()));
        }
        Ok((peer, request))
    }

    /// Shows whom and what it calls, and nothing that it was given.
    pub(crate) fn show(&self, name: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(name)
            .field("peer", &self.peer.name())
            .field("method", &self.request.method)
            .field("path", &self.request.path)
            .finish_non_exhaustive()
    }
}

/// A key of 128 bits. It need not be secret, only another one for each call.
fn drawn_key(random: &Random) -> HeaderValue {
    let key = u128::from_be_bytes(random.trace_id());
    HeaderValue::try_from(format!("{key:032x}")).expect("digits are visible ASCII")
}
