//! What the HTTP transports say when a road fails.

use std::error::Error as StdError;

use super::Endpoint;
use crate::error::{Error, ErrorKind};

/// Says whether anything can have been sent. No URL may be in the source: a query may hold what is private.
pub(super) fn failure(kind: ErrorKind, endpoint: &Endpoint, error: impl StdError + Send + Sync + 'static) -> Error {
    if let Some(ours) = own(&error) {
        return ours;
    }
    let what = match kind {
        ErrorKind::Connect => format!("no connection to {endpoint} could be made"),
        ErrorKind::Invalid => format!("the request to {endpoint} is malformed"),
        _ => format!("the connection to {endpoint} broke before an answer"),
    };
    Error::new(kind, what).with_source(error)
}

/// An answer that began and did not end.
pub(super) fn half_an_answer(error: impl StdError + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Interrupted, "the connection broke before the answer was whole").with_source(error)
}

/// The error of a streamed request body, found again below the library's own.
fn own(error: &dyn StdError) -> Option<Error> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(ours) = source.downcast_ref::<Error>() {
            return Some(Error::new(ours.kind(), ours.to_string()));
        }
        next = source.source();
    }
    None
}
