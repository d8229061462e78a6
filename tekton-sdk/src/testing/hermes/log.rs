//! What a hub was asked.

use http::{Method, StatusCode, header::HeaderName};

use crate::{transport::Inbound, wire::hermes};

/// The most requests that are remembered; of more, the older half is dropped.
const MAX_REQUESTS: usize = 10_000;
/// The most characters of a body that are remembered.
const MAX_EXCERPT: usize = 512;

/// One request that came to a [`FakeHermes`](super::FakeHermes).
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Its place in the order of arrival; the first is 1.
    pub number: u64,
    /// The method.
    pub method: Method,
    /// The path, as sent.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// The first 512 characters of the body.
    pub body: String,
    /// Whether it carried a token.
    pub token: bool,
    /// The status it was answered with; `None` as long as it was not.
    pub status: Option<StatusCode>,
}

/// The requests so far, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Vec<LoggedRequest>,
    count: u64,
}

impl Log {
    /// Takes in a request; tells its number.
    pub(super) fn begin(&mut self, request: &Inbound, body: &[u8]) -> u64 {
        if self.requests.len() >= MAX_REQUESTS {
            self.requests.drain(..MAX_REQUESTS / 2);
        }
        self.count += 1;
        // A character has at most 4 bytes.
        let head = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_EXCERPT)]);
        self.requests.push(LoggedRequest {
            number: self.count,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            body: head.chars().take(MAX_EXCERPT).collect(),
            token: request.headers.contains_key(token_header()),
            status: None,
        });
        self.count
    }

    /// Says what the request of this number was answered with.
    pub(super) fn end(&mut self, number: u64, status: StatusCode) {
        if let Ok(index) = self.requests.binary_search_by_key(&number, |request| request.number) {
            self.requests[index].status = Some(status);
        }
    }

    pub(super) fn requests(&self) -> &[LoggedRequest] {
        &self.requests
    }
}

/// [`hermes::TOKEN_HEADER`] as a header's name.
pub(super) fn token_header() -> HeaderName {
    HeaderName::from_bytes(hermes::TOKEN_HEADER.as_bytes()).expect("the constant is a header's name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_answers_find_their_requests() {
        let mut log = Log::default();
        for _ in 0..MAX_REQUESTS + 1 {
            log.begin(&Inbound::new(Method::GET, "/x"), &[b'a'; 3 * MAX_EXCERPT]);
        }
        assert_eq!(log.requests().len(), MAX_REQUESTS / 2 + 1);
        log.end(1, StatusCode::OK);
        log.end(MAX_REQUESTS as u64, StatusCode::IM_A_TEAPOT);
        let answered: Vec<_> = log.requests().iter().filter(|request| request.status.is_some()).collect();
        assert_eq!(answered.len(), 1);
        assert_eq!((answered[0].number, answered[0].body.len()), (MAX_REQUESTS as u64, MAX_EXCERPT));
    }
}
