//! A stream as one array, for callers that take no stream.

use bytes::Bytes;
use futures_util::StreamExt;
use http::StatusCode;

use super::work::Items;
use crate::{
    error::{Error, Result},
    host::refusal::Refusal,
};

/// All items as one JSON array of at most so many bytes.
///
/// An error ends it, also one that would not end a stream: an array has no place for it.
pub(in crate::host) async fn collect(
    mut items: Items,
    max_bytes: usize,
    refused: impl Fn(Error) -> Box<Refusal> + Send,
) -> Result<Bytes, Box<Refusal>> {
    let mut array = vec![b'['];
    while let Some(item) = items.next().await {
        let item = item.map_err(&refused)?;
        let comma: &[u8] = if array.len() > 1 { b"," } else { b"" };
        if comma.len() + item.len() + 1 > max_bytes.saturating_sub(array.len()) {
            return Err(too_large(max_bytes));
        }
        array.extend_from_slice(comma);
        array.extend_from_slice(item.as_bytes());
    }
    array.push(b']');
    Ok(array.into())
}

fn too_large(max_bytes: usize) -> Box<Refusal> {
    let detail = format!(
        "the array of all items is larger than the {max_bytes} bytes allowed; ask with \
         Accept: text/event-stream or application/x-ndjson"
    );
    Refusal::new(StatusCode::NOT_ACCEPTABLE, "stream_too_large", detail)
}
