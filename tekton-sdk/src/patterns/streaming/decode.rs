//! Bodies that were compressed on the way.

use http::{HeaderMap, header};

use crate::{
    error::{Error, ErrorKind, Result, Sent},
    transport::Body,
};

/// The body without its compression.
///
/// # Errors
/// `Codec` for a compression that is not understood.
pub(super) fn body(headers: &HeaderMap, body: Body, max_ratio: u32) -> Result<Body> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(encoding) = encodings.next() else { return Ok(body) };
    let encoding = if encodings.next().is_none() { encoding.to_str().unwrap_or_default().trim() } else { "" };
    if encoding.eq_ignore_ascii_case("identity") {
        return Ok(body);
    }
    unpacked(encoding, body, max_ratio).ok_or_else(|| {
        let what = "the answer is compressed in a way that is not understood: ask for another `Accept-Encoding`";
        Error::new(ErrorKind::Codec, what).with_sent(Sent::Yes)
    })
}

/// What a client says that it understands.
pub(super) const ACCEPTED: Option<&str> = if cfg!(feature = "compression") { Some("gzip, br") } else { None };

#[cfg(not(feature = "compression"))]
fn unpacked(_: &str, _: Body, _: u32) -> Option<Body> {
    None
}

#[cfg(feature = "compression")]
use compressed::unpacked;

#[cfg(feature = "compression")]
mod compressed {
    use std::{
        io,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        task::{Context, Poll, ready},
    };

    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder};
    use bytes::Bytes;
    use futures_util::stream::{self, Stream};
    use http_body::Body as _;
    use tokio::io::{AsyncRead, ReadBuf};
    use tokio_util::io::StreamReader;

    use crate::{
        error::{Error, ErrorKind, Result, Sent},
        transport::Body,
    };

    /// How much comes out of the decoder at once.
    const PIECE_BYTES: usize = 16 << 10;

    /// So much may come out whatever went in: small bodies may be packed very well.
    const FREE_BYTES: u64 = 1 << 20;

    pub(super) fn unpacked(encoding: &str, body: Body, max_ratio: u32) -> Option<Body> {
        let came = Arc::new(AtomicU64::new(0));
        let packed = StreamReader::new(pieces(body, Arc::clone(&came)));
        let reader: Pin<Box<dyn AsyncRead + Send>> = match encoding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => {
                let mut decoder = GzipDecoder::new(packed);
                // Each flush of some servers is a member of its own (RFC 1952 §2.2).
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            "br" => Box::pin(BrotliDecoder::new(packed)),
            _ => return None,
        };
        let mut unpacking = Unpacking { reader, buffer: vec![0; PIECE_BYTES], came, given: 0, max_ratio };
        Some(Body::stream(stream::poll_fn(move |cx| unpacking.poll_piece(cx))))
    }

    fn pieces(mut body: Body, came: Arc<AtomicU64>) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::poll_fn(move |cx| {
            loop {
                return Poll::Ready(match ready!(Pin::new(&mut body).poll_frame(cx)) {
                    None => None,
                    Some(Err(error)) => Some(Err(io::Error::other(error))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(bytes) => {
                            came.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                            Some(Ok(bytes))
                        }
                        // Trailers carry no bytes.
                        Err(_) => continue,
                    },
                });
            }
        })
    }

    struct Unpacking {
        reader: Pin<Box<dyn AsyncRead + Send>>,
        buffer: Vec<u8>,
        came: Arc<AtomicU64>,
        given: u64,
        max_ratio: u32,
    }

    impl Unpacking {
        fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
            let mut buffer = ReadBuf::new(&mut self.buffer);
            if let Err(error) = ready!(self.reader.as_mut().poll_read(cx, &mut buffer)) {
                return Poll::Ready(Some(Err(ours(error))));
            }
            let piece = buffer.filled();
            if piece.is_empty() {
                return Poll::Ready(None);
            }
            self.given += piece.len() as u64;
            let most = self.came.load(Ordering::Relaxed).saturating_mul(self.max_ratio.into());
            if self.given > most.saturating_add(FREE_BYTES) {
                let what = format!("the answer unpacks to more than {} times its size", self.max_ratio);
                return Poll::Ready(Some(Err(Error::new(ErrorKind::Rejected, what).with_sent(Sent::Yes))));
            }
            Poll::Ready(Some(Ok(Bytes::copy_from_slice(piece))))
        }
    }

    /// The body's own error, or what the decoder says.
    fn ours(error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Error::new(ErrorKind::Interrupted, "the compressed answer broke off").with_source(error)
            }
            Err(error) => {
                let what = "the answer cannot be unpacked";
                Error::new(ErrorKind::Codec, what).with_sent(Sent::Yes).with_source(error)
            }
        }
    }
}
