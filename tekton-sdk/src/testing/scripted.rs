//! A transport that plays a script.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{broken::break_after, log::Log};
use crate::{
    error::{Error, ErrorKind, Result},
    transport::{Body, CallInfo, Endpoint, Request, Response, Transport, TransportCapabilities},
};

/// The most bytes of a request's body that are recorded.
const MAX_BODY_BYTES: usize = 16 << 20;

/// A transport that answers each request with the next line of its [`Script`], whatever the request, and records it.
///
/// ```
/// # tekton_sdk::testing::block_on(async {
/// use serde_json::Value;
/// use tekton_sdk::{ErrorKind, Tekton, testing::ScriptedTransport};
///
/// let (transport, script) = ScriptedTransport::new();
/// script.fail(ErrorKind::Connect).answer(200, r#""Short.""#);
///
/// let tekton = Tekton::builder().transport(transport).build()?;
/// let summarizer = tekton.peer_at("http://summarizer:8005")?;
/// let reply = summarizer.request::<Value>("summarize").await?;
/// assert_eq!((reply.as_str(), reply.attempts()), (Some("Short."), 2));
/// assert_eq!(script.requests()[1].path, "/api/v1/summarize");
/// # Ok::<(), tekton_sdk::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct ScriptedTransport(Arc<Play>);

/// What a [`ScriptedTransport`] plays, and what it was sent.
///
/// Dropping it with lines left panics, unless the thread is panicking already: the test expected requests that never came.
#[must_use = "dropping the script with lines left panics"]
#[derive(Debug)]
pub struct Script(Arc<Play>);

#[derive(Debug, Default)]
struct Play {
    lines: Mutex<Lines>,
    requests: Log<RecordedRequest>,
}

#[derive(Debug, Default)]
struct Lines {
    left: VecDeque<Line>,
    written: usize,
}

enum Line {
    Answer { status: StatusCode, headers: HeaderMap, body: Bytes, break_after: Option<usize> },
    Fail(ErrorKind),
    Hang,
}

/// One request that a [`ScriptedTransport`] was sent.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method.
    pub method: Method,
    /// Where to.
    pub endpoint: Option<Endpoint>,
    /// The path.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// What the policies knew of the call.
    pub call: CallInfo,
}

impl ScriptedTransport {
    /// The transport for the subject, and the script for the test.
    pub fn new() -> (Self, Script) {
        let play = Arc::new(Play::default());
        (Self(Arc::clone(&play)), Script(play))
    }
}

impl Script {
    /// Adds an answer.
    ///
    /// # Panics
    /// If `status` is none: below 100 or above 999.
    pub fn answer(&self, status: u16, body: impl Into<Bytes>) -> &Self {
        let status = StatusCode::from_u16(status).expect("a status is between 100 and 999");
        self.line(Line::Answer { status, headers: HeaderMap::new(), body: body.into(), break_after: None })
    }

    /// Adds a header to the answer added last.
    ///
    /// # Panics
    /// If the line added last is no answer, or was played already.
    pub fn header(&self, name: HeaderName, value: HeaderValue) -> &Self {
        self.change_last(|line| match line {
            Line::Answer { headers, .. } => headers.append(name, value),
            Line::Fail(_) | Line::Hang => panic!("only an answer has headers"),
        })
    }

    /// Breaks the body of the answer added last after so many bytes.
    ///
    /// # Panics
    /// If the line added last is no answer, or was played already.
    pub fn break_body_after(&self, bytes: usize) -> &Self {
        self.change_last(|line| match line {
            Line::Answer { break_after, .. } => *break_after = Some(bytes),
            Line::Fail(_) | Line::Hang => panic!("only an answer has a body"),
        })
    }

    /// Adds a failure of the road: no answer comes.
    pub fn fail(&self, kind: ErrorKind) -> &Self {
        self.line(Line::Fail(kind))
    }

    /// Adds a silence: the answer never comes.
    pub fn hang(&self) -> &Self {
        self.line(Line::Hang)
    }

    /// What was sent so far, oldest first; the newest 10,000 are kept.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.0.requests.all()
    }

    /// How many lines are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.lines().left.len()
    }

    fn line(&self, line: Line) -> &Self {
        let mut lines = self.0.lines();
        lines.left.push_back(line);
        lines.written += 1;
        drop(lines);
        self
    }

    fn change_last<T>(&self, change: impl FnOnce(&mut Line) -> T) -> &Self {
        change(self.0.lines().left.back_mut().expect("an answer is added before it is changed"));
        self
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let left = self.left();
        if left > 0 && !std::thread::panicking() {
            panic!("the script ended with {left} lines left: {:?}", self.0.lines().left);
        }
    }
}

impl Play {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, request: &RecordedRequest) -> Result<Line> {
        let mut lines = self.lines();
        let written = lines.written;
        lines.left.pop_front().ok_or_else(|| {
            let RecordedRequest { method, path, .. } = request;
            Error::internal(format!("the script has no line for {method} {path}: all {written} lines were played"))
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transport for ScriptedTransport {
    async fn send(&self, request: Request) -> Result<Response> {
        let request = request.into_parts();
        let request = RecordedRequest {
            method: request.method,
            endpoint: request.endpoint,
            path: request.path.into_owned(),
            query: request.query,
            headers: request.headers,
            body: request.body.collect(MAX_BODY_BYTES).await?,
            call: request.call,
        };
        let line = self.0.next(&request);
        self.0.requests.push(request);
        match line? {
            Line::Answer { status, headers, body, break_after: at } => {
                let body = match at {
                    Some(bytes) => break_after(Body::full(body), bytes),
                    None => Body::full(body),
                };
                Ok(Response::with_headers(status, headers, body))
            }
            Line::Fail(kind) => Err(Error::new(kind, "a failure that the script holds")),
            Line::Hang => std::future::pending().await,
        }
    }

    fn capabilities(&self) -> TransportCapabilities {
        TransportCapabilities::streaming(&["http", "https", "memory"])
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { status, body, .. } => write!(f, "answer {} of {} bytes", status.as_u16(), body.len()),
            Self::Fail(kind) => write!(f, "fail with {kind}"),
            Self::Hang => f.write_str("hang"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Safety;

    fn request(path: &'static str) -> Request {
        Request::new(Method::POST, path, CallInfo::new("peer", "op", Safety::Write)).with_body(Body::full("hello"))
    }

    #[tokio::test]
    async fn lines_are_played_in_order_and_requests_are_recorded() {
        let (transport, script) = ScriptedTransport::new();
        script.answer(503, "later").header(http::header::RETRY_AFTER, HeaderValue::from(7));
        script.answer(200, "abcdef").break_body_after(4).fail(ErrorKind::Connect).hang();
        let refused = transport.send(request("/a")).await.unwrap();
        assert_eq!((refused.status.as_u16(), &refused.headers["retry-after"]), (503, &HeaderValue::from(7)));
        let mut broken = transport.send(request("/b")).await.unwrap().into_body();
        assert_eq!(broken.next().await.unwrap().unwrap(), "abcd");
        assert_eq!(broken.next().await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(transport.send(request("/c")).await.unwrap_err().kind(), ErrorKind::Connect);
        let mut hanging = transport.send(request("/d"));
        assert!(futures_util::poll!(&mut hanging).is_pending());
        let requests = script.requests();
        assert_eq!(requests.iter().map(|r| r.path.as_str()).collect::<Vec<_>>(), ["/a", "/b", "/c", "/d"]);
        assert_eq!(requests[0].body, "hello");
        let beyond = transport.send(request("/e")).await.unwrap_err();
        assert_eq!(beyond.to_string(), "the script has no line for POST /e: all 4 lines were played");
    }

    #[test]
    #[should_panic(expected = "the script ended with 1 lines left: [answer 200 of 2 bytes]")]
    fn lines_that_were_not_played_fail_the_test() {
        let (_transport, script) = ScriptedTransport::new();
        script.answer(200, "{}");
    }
}
