//! A body that breaks on the way.

use bytes::Bytes;
use futures_util::stream;

use crate::{
    error::{Error, ErrorKind},
    transport::Body,
};

/// The first `bytes` of a body, then a break; a shorter body breaks at its end.
pub(super) fn break_after(body: Body, bytes: usize) -> Body {
    let broken = || Error::new(ErrorKind::Interrupted, "the connection broke before the answer was whole, as planned");
    Body::stream(stream::unfold(Some((body, bytes)), move |state| async move {
        let (mut body, left) = state?;
        if left == 0 {
            return Some((Err(broken()), None));
        }
        match body.next().await {
            Some(Ok(piece)) => {
                let piece: Bytes = piece.slice(..piece.len().min(left));
                let left = left - piece.len();
                Some((Ok(piece), Some((body, left))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(broken()), None)),
        }
    }))
}
