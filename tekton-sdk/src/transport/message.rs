//! Requests and answers as policies and transports see them.

use std::{
    borrow::Cow,
    fmt,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::{Extensions, HeaderMap, Method, StatusCode};
use tracing::Span;

use super::{Body, Endpoint, Origin, Tried};
use crate::{
    context::{Budget, Cost},
    error::{Error, Result, Verdict},
    rules::Rules,
    telemetry::CallMetrics,
    time::Deadline,
    wire::trace::TraceContext,
};

/// Whether a request may be carried out twice.
#[expect(clippy::exhaustive_enums, reason = "a policy must decide for each")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Safety {
    /// It changes nothing.
    Read,
    /// It changes something; carried out twice, the outcome is the same.
    Idempotent,
    /// It changes something each time it is carried out.
    Write,
}

impl Safety {
    /// What a method promises by itself (RFC 9110 §9.2).
    #[must_use]
    pub fn of_method(method: &Method) -> Self {
        if method.is_safe() {
            Self::Read
        } else if method.is_idempotent() {
            Self::Idempotent
        } else {
            Self::Write
        }
    }
}

/// What the policies know of a call besides its bytes.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct CallInfo {
    /// The component that is called, as the caller named it.
    pub target: Arc<str>,
    /// The operation, or the path of a raw request.
    pub operation: Arc<str>,
    /// Whether it may be carried out twice.
    pub safety: Safety,
    /// When nobody waits for the answer any more.
    pub deadline: Option<Deadline>,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// Read the whole answer, at most this many bytes, and turn a failing status into an error.
    /// `None`: hand out the stream and any status.
    pub collect: Option<usize>,
    /// Where in a trace the call stands; each attempt is sent with a parent id of its own.
    pub trace: Option<TraceContext>,
    /// What callers attach for policies of their own.
    pub extensions: Extensions,
    /// When the call began, and behind the stage `attempt` when the attempt did, so that the stages need not read the clock
    /// again; `None` once something has waited since.
    pub(crate) began: Option<Instant>,
    /// When the attempt is given up, if it has a limit of its own.
    pub(crate) gives_up: Option<Deadline>,
    /// Where its attempts went; `None` where there is no choice.
    pub(crate) tried: Option<Tried>,
    /// Where its attempts are counted.
    pub(crate) metrics: Option<CallMetrics>,
    /// The span of the attempt, if anybody looks at it.
    pub(crate) span: Option<Box<Span>>,
    /// What the policies go by; without rules each goes by its own settings.
    pub rules: Option<Arc<Rules>>,
    /// What its attempts are paid from.
    pub(crate) budget: Option<Budget>,
    /// Where the pipeline's end writes down what the callee says that the attempt has cost.
    pub(crate) told_cost: Option<Arc<OnceLock<Cost>>>,
}

impl CallInfo {
    /// A call of `operation` on `target`, first attempt, without a deadline, its answer streamed.
    pub fn new(target: impl Into<Arc<str>>, operation: impl Into<Arc<str>>, safety: Safety) -> Self {
        Self {
            target: target.into(),
            operation: operation.into(),
            safety,
            deadline: None,
            attempt: 1,
            collect: None,
            trace: None,
            extensions: Extensions::new(),
            began: None,
            gives_up: None,
            tried: None,
            metrics: None,
            span: None,
            rules: None,
            budget: None,
            told_cost: None,
        }
    }

    /// Says that the attempt has waited here: what is measured from now on reads the clock anew. For stages that queue.
    pub(crate) const fn waited(&mut self) {
        self.began = None;
    }
}

/// A request on its way out: it dereferences to its [`RequestParts`].
///
/// It is one pointer wide, because every policy hands it on.
#[derive(Debug)]
pub struct Request(Box<RequestParts>);

/// What a [`Request`] is made of.
#[non_exhaustive]
#[derive(Debug)]
pub struct RequestParts {
    /// The method.
    pub method: Method,
    /// Where to; `None` until the call is resolved.
    pub endpoint: Option<Endpoint>,
    /// The path, beginning with a slash, percent-encoded where needed.
    pub path: Cow<'static, str>,
    /// The query without its question mark.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// What the policies know of the call.
    pub call: CallInfo,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, path: impl Into<Cow<'static, str>>, call: CallInfo) -> Self {
        Self(Box::new(RequestParts {
            method,
            endpoint: None,
            path: path.into(),
            query: None,
            headers: HeaderMap::new(),
            body: Body::empty(),
            call,
        }))
    }

    /// Takes it apart, as a transport does.
    #[must_use]
    pub fn into_parts(self) -> RequestParts {
        *self.0
    }

    /// Says where to.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// A second copy for another attempt, unless the body is a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self(Box::new(RequestParts {
            method: self.method.clone(),
            endpoint: self.endpoint.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: self.body.try_clone()?,
            call: self.call.clone(),
        })))
    }
}

impl Deref for Request {
    type Target = RequestParts;

    fn deref(&self) -> &RequestParts {
        &self.0
    }
}

impl DerefMut for Request {
    fn deref_mut(&mut self) -> &mut RequestParts {
        &mut self.0
    }
}

/// A request as it arrives at a [`Handler`](super::Handler).
#[non_exhaustive]
pub struct Inbound {
    /// The method.
    pub method: Method,
    /// The path, as sent.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// The other end of the connection; `None` within a process and on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Whether it came on a connection beyond the limit of the socket. A host answers control routes alone on such a one, and
    /// closes it.
    pub spare: bool,
    /// Who sent it, where its connection has proven that already.
    #[cfg(feature = "host")]
    pub(crate) proven: Option<crate::context::Identity>,
}

impl Inbound {
    /// A request without headers and body, from within the process.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            method,
            path,
            query: None,
            headers: HeaderMap::new(),
            body: Body::empty(),
            peer: None,
            spare: false,
            #[cfg(feature = "host")]
            proven: None,
        }
    }
}

/// Headers and query stay out: that is where secrets travel.
impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, body, peer, spare, .. } = self;
        let mut shown = f.debug_struct("Inbound");
        shown.field("method", method).field("path", path).field("body", body);
        shown.field("peer", peer).field("spare", spare).finish_non_exhaustive()
    }
}

/// An answer on its way back: it dereferences to its [`ResponseParts`].
///
/// It is one pointer wide, because every policy hands it on.
#[derive(Debug)]
pub struct Response(Box<ResponseParts>);

/// What a [`Response`] is made of.
#[non_exhaustive]
#[derive(Debug)]
pub struct ResponseParts {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// How many attempts of this call had begun when it came; 0 where none was needed.
    pub attempt: u32,
    /// Who gave it.
    pub origin: Origin,
    /// What a classification said of it, once one has.
    pub verdict: Option<Verdict>,
    /// When the attempt ended, so that the call need not read the clock again.
    pub(crate) ended: Option<Instant>,
    /// Whether the call put any load on the callee, and so pays for retries.
    pub(crate) went_out: bool,
    /// Where it came from, if it is not collected: what belongs to it may have to be sent there again.
    pub(crate) endpoint: Option<Endpoint>,
}

impl Response {
    /// An answer of this status with this body.
    pub fn new(status: StatusCode, body: impl Into<Body>) -> Self {
        Self::with_headers(status, HeaderMap::new(), body)
    }

    /// An answer of this status with these headers and this body.
    pub fn with_headers(status: StatusCode, headers: HeaderMap, body: impl Into<Body>) -> Self {
        let body = body.into();
        Self(Box::new(ResponseParts {
            status,
            headers,
            body,
            attempt: 1,
            origin: Origin::Callee,
            verdict: None,
            ended: None,
            went_out: true,
            endpoint: None,
        }))
    }

    /// Its body alone.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.0.body
    }

    /// Takes it apart, as whoever writes it out does.
    #[must_use]
    pub fn into_parts(self) -> ResponseParts {
        *self.0
    }

    /// Adds a header, replacing one of its name.
    #[must_use]
    pub fn with_header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl Deref for Response {
    type Target = ResponseParts;

    fn deref(&self) -> &ResponseParts {
        &self.0
    }
}

impl DerefMut for Response {
    fn deref_mut(&mut self) -> &mut ResponseParts {
        &mut self.0
    }
}

/// The endpoint of a request, if this transport serves its scheme.
pub(super) fn endpoint_for(request: &Request, schemes: &[&str]) -> Result<Endpoint> {
    let Some(endpoint) = &request.endpoint else {
        return Err(Error::invalid("the request names no endpoint; resolve it first"));
    };
    if !schemes.contains(&endpoint.scheme()) {
        let served = schemes.join(", ");
        return Err(Error::invalid(format!("{endpoint} cannot be reached: this transport serves {served} only")));
    }
    Ok(endpoint.clone())
}
