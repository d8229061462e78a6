//! What is kept of a request for another attempt.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use super::{Body, CallInfo, Endpoint, Request};

/// A request as it was before its first attempt.
///
/// Most are never needed, so it is cheap to keep rather than to use: the headers are a list, not a map with its index, and it
/// has no box of its own.
#[derive(Debug)]
pub(crate) struct Spare {
    method: Method,
    endpoint: Option<Endpoint>,
    /// `None` for [`USUAL`] and the operation's name, which is kept anyhow: most paths are no text to copy then.
    path: Option<Cow<'static, str>>,
    query: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    pub(crate) call: CallInfo,
}

const USUAL: &str = "/api/v1/";

impl Spare {
    /// What another attempt needs, unless the body is a stream, which can be read only once.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        Some(Self {
            body: request.body.try_clone()?.into_bytes().ok()?,
            method: request.method.clone(),
            endpoint: request.endpoint.clone(),
            path: (request.path.strip_prefix(USUAL) != Some(&*request.call.operation)).then(|| request.path.clone()),
            query: request.query.clone(),
            headers: request.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            call: request.call.clone(),
        })
    }

    /// Whether it has this header.
    pub(crate) fn has(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(own, _)| own == name)
    }

    /// The request of an attempt.
    pub(crate) fn request(&self) -> Request {
        let path = self.path.clone().unwrap_or_else(|| [USUAL, &self.call.operation].concat().into());
        let mut request = Request::new(self.method.clone(), path, self.call.clone());
        request.endpoint.clone_from(&self.endpoint);
        request.query.clone_from(&self.query);
        for (name, value) in &self.headers {
            request.headers.append(name, value.clone());
        }
        request.with_body(Body::full(self.body.clone()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http::header::{ACCEPT, VIA};

    use super::*;
    use crate::transport::Safety;

    #[test]
    fn another_attempt_is_the_same_request() {
        for path in ["/a", "/api/v1/op", "/api/v1/", "/api/v1/op2", "/api/v2/op", "/api/v01/op"] {
            let request = Request::new(Method::PUT, path, CallInfo::new("peer", "op", Safety::Write));
            assert_eq!(Spare::of(&request).unwrap().request().path, path);
        }
        let mut request = Request::new(Method::PUT, "/a", CallInfo::new("peer", "op", Safety::Write));
        request.endpoint = Some(Endpoint::parse("http://127.0.0.1:1").unwrap());
        request.query = Some("q=1".to_owned());
        request.headers.append(VIA, HeaderValue::from_static("one"));
        request.headers.append(VIA, HeaderValue::from_static("two"));
        request.call.extensions.insert(7_u8);
        request.body = Body::full("text");
        let spare = Spare::of(&request).unwrap();
        assert!(spare.has(&VIA) && !spare.has(&ACCEPT));
        let again = spare.request();
        assert_eq!(format!("{again:?}"), format!("{request:?}"));
        assert_eq!(again.call.extensions.get::<u8>(), Some(&7));
        request.body = Body::stream(stream::empty::<crate::Result<Bytes>>());
        assert!(Spare::of(&request).is_none());
    }
}
