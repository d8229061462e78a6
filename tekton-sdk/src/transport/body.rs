//! A body: nothing, bytes, or a stream of bytes.

use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, StreamBody};

use crate::error::{Error, ErrorKind, Result};

type Incoming = Pin<Box<dyn HttpBody<Data = Bytes, Error = Error> + Send>>;

/// The body of a request or an answer.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    /// The mutex makes the body `Sync`; it is never locked, only entered through `&mut`.
    Stream(Mutex<Incoming>),
}

impl Body {
    /// A body without a byte.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body that is whole already.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() { Kind::Empty } else { Kind::Full(bytes) })
    }

    /// A body that arrives piece by piece.
    pub fn stream(pieces: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        let frames = futures_util::StreamExt::map(pieces, |piece| piece.map(Frame::data));
        Self::from_http(StreamBody::new(frames))
    }

    /// A body of another HTTP library, its error already turned into ours.
    pub(crate) fn from_http(body: impl HttpBody<Data = Bytes, Error = Error> + Send + 'static) -> Self {
        Self(Kind::Stream(Mutex::new(Box::pin(body))))
    }

    /// The same body, which keeps `what` until its end has been read, it broke, or it is dropped.
    pub(crate) fn holding<T: Send + Unpin + 'static>(self, what: T) -> Self {
        Self::from_http(Holding { body: self, what: Some(what) })
    }

    /// The bytes, if the body is whole already.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Kind::Full(bytes) => Some(bytes),
            Kind::Empty | Kind::Stream(_) => None,
        }
    }

    /// The bytes if the body is whole already, none for an empty one; a stream comes back as it is.
    ///
    /// # Errors
    /// The body itself, if it is a stream.
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Full(bytes) => Ok(bytes),
            stream @ Kind::Stream(_) => Err(Self(stream)),
        }
    }

    /// Whether it is a stream, which can be read only once.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        matches!(self.0, Kind::Stream(_))
    }

    /// A second copy, unless the body is a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Kind::Empty => Some(Self::empty()),
            Kind::Full(bytes) => Some(Self(Kind::Full(bytes.clone()))),
            Kind::Stream(_) => None,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Interrupted`](ErrorKind::Interrupted) if the connection broke before the end.
    ///
    /// # Cancel safety
    /// No byte is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            match self.frame().await? {
                // Trailers carry no bytes.
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) => return Some(Ok(bytes)),
                    Err(_) => continue,
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Reads the rest, at most `cap_bytes`.
    ///
    /// # Errors
    /// [`Rejected`](ErrorKind::Rejected) naming the cap as soon as more than `cap_bytes` are announced or have come;
    /// [`Interrupted`](ErrorKind::Interrupted) if the connection broke before the end.
    ///
    /// # Cancel safety
    /// What was read is lost when the future is dropped.
    pub async fn collect(mut self, cap_bytes: usize) -> Result<Bytes> {
        let announced = usize::try_from(HttpBody::size_hint(&self).lower()).unwrap_or(usize::MAX);
        if announced > cap_bytes {
            return Err(too_large(cap_bytes));
        }
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        if first.len() > cap_bytes {
            return Err(too_large(cap_bytes));
        }
        // Most bodies come in one piece, which is then handed on as it is.
        if self.is_end_stream() {
            return Ok(first);
        }
        let Some(second) = self.next().await.transpose()? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(announced.max(first.len() + second.len()).min(cap_bytes));
        whole.extend_from_slice(&first);
        let mut piece = Some(second);
        while let Some(bytes) = piece {
            if bytes.len() > cap_bytes - whole.len() {
                return Err(too_large(cap_bytes));
            }
            whole.extend_from_slice(&bytes);
            piece = self.next().await.transpose()?;
        }
        Ok(whole.freeze())
    }
}

fn too_large(cap_bytes: usize) -> Error {
    Error::new(ErrorKind::Rejected, format!("the body is larger than the {cap_bytes} bytes allowed"))
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            kind @ Kind::Full(_) => match std::mem::take(kind) {
                Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Kind::Empty | Kind::Stream(_) => Poll::Ready(None),
            },
            Kind::Stream(stream) => {
                let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
                loop {
                    let frame = ready!(stream.as_mut().poll_frame(cx));
                    // A piece without a byte says nothing, and on HTTP/2 a number of them looks like an attack.
                    let says_nothing =
                        matches!(&frame, Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty));
                    if !says_nothing {
                        return Poll::Ready(frame);
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Stream(stream) => stream.try_lock().is_ok_and(|stream| stream.is_end_stream()),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(stream) => match stream.try_lock() {
                Ok(stream) => stream.size_hint(),
                Err(_) => SizeHint::default(),
            },
        }
    }
}

/// A body that lets go of something at its end.
struct Holding<T> {
    body: Body,
    what: Option<T>,
}

impl<T: Send + Unpin> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let ended = match &polled {
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        if ended {
            self.what = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Body {
    /// Says how large it is, never what it holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body(empty)"),
            Kind::Full(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(parts: &'static [&'static str]) -> Body {
        Body::stream(futures_util::stream::iter(parts.iter().map(|p| Ok(Bytes::from_static(p.as_bytes())))))
    }

    #[tokio::test]
    async fn a_body_is_collected_under_its_cap() {
        assert_eq!(pieces(&["ab", "", "cd", "e"]).collect(5).await.unwrap(), "abcde");
        assert_eq!(pieces(&[]).collect(0).await.unwrap(), "");
        for parts in [&["abcdef"][..], &["ab", "cd", "ef"]] {
            let error = pieces(parts).collect(5).await.unwrap_err();
            assert_eq!((error.kind(), error.to_string().contains("5 bytes")), (ErrorKind::Rejected, true));
        }
        assert_eq!(Body::full("abc").collect(2).await.unwrap_err().kind(), ErrorKind::Rejected);
    }

    #[tokio::test]
    async fn what_a_body_holds_is_let_go_at_its_end_and_not_before() {
        let held = || {
            let what = std::sync::Arc::new(());
            (std::sync::Arc::downgrade(&what), what)
        };
        let (watch, what) = held();
        let mut body = pieces(&["ab", "cd"]).holding(what);
        assert_eq!(body.next().await.unwrap().unwrap(), "ab");
        assert_eq!(body.next().await.unwrap().unwrap(), "cd");
        assert!(watch.upgrade().is_some(), "nobody has said that this was the last piece");
        assert!(body.next().await.is_none());
        assert!(watch.upgrade().is_none());
        let (watch, what) = held();
        let mut body = Body::from_http(Body::full("ab")).holding(what);
        assert_eq!(HttpBody::size_hint(&body).exact(), Some(2));
        assert_eq!(body.next().await.unwrap().unwrap(), "ab");
        assert!(watch.upgrade().is_some() || HttpBody::is_end_stream(&body));
        let (watch, what) = held();
        drop(pieces(&["ab"]).holding(what));
        assert!(watch.upgrade().is_none());
        let (watch, what) = held();
        let broken = [Err(Error::new(ErrorKind::Interrupted, "connection closed"))];
        let mut body = Body::stream(futures_util::stream::iter(broken)).holding(what);
        assert!(body.next().await.unwrap().is_err());
        assert!(watch.upgrade().is_none());
    }

    #[tokio::test]
    async fn a_broken_stream_is_an_error_and_not_an_end() {
        let parts = [Ok(Bytes::from("ab")), Err(Error::new(ErrorKind::Interrupted, "connection closed"))];
        let error = Body::stream(futures_util::stream::iter(parts)).collect(100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}
