//! A stream of bytes that comes in pieces, with the credit that keeps it bounded.
//!
//! Whoever sends may send [`WINDOW_BYTES`] ahead of whoever reads. What was read is credited again in halves of the window, so that
//! a stream that nobody reads holds no more than its window, and keeps no other one waiting.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::Semaphore;

use super::out::Out;
use crate::{
    error::{Error, ErrorKind, Result},
    wire::{exchange::Note, jsonrpc::Id},
};

/// How far ahead of its reader a stream may be.
pub(crate) const WINDOW_BYTES: usize = 256 << 10;
/// The most bytes of one piece.
pub(crate) const PIECE_BYTES: usize = 16 << 10;

/// A pipe: where pieces go in, and where they come out.
pub(crate) fn pipe(id: Id<'static>, out: Arc<Out>) -> (Feed, Pieces) {
    let shared = Arc::new(Mutex::new(Shared::default()));
    (Feed(Arc::clone(&shared)), Pieces { shared, id, out, owed: 0 })
}

#[derive(Debug, Default)]
struct Shared {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    end: Option<Result<()>>,
    reader: Option<Waker>,
    /// The reader is gone.
    abandoned: bool,
}

/// Where pieces go in. Dropping it breaks the stream, unless it was ended.
#[derive(Debug)]
pub(crate) struct Feed(Arc<Mutex<Shared>>);

impl Feed {
    /// Adds a piece; false if it is more than the window allows.
    pub(crate) fn push(&self, piece: Bytes) -> bool {
        let mut shared = lock(&self.0);
        if shared.bytes + piece.len() > WINDOW_BYTES {
            return false;
        }
        if !shared.abandoned && shared.end.is_none() && !piece.is_empty() {
            shared.bytes += piece.len();
            shared.pieces.push_back(piece);
            wake(shared);
        }
        true
    }

    /// Ends the stream, well or not.
    pub(crate) fn end(&self, how: Result<()>) {
        let mut shared = lock(&self.0);
        if shared.end.is_none() {
            shared.end = Some(how);
            wake(shared);
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.end(Err(Error::new(ErrorKind::Interrupted, "the connection broke before the body was whole")));
    }
}

/// Where pieces come out.
#[derive(Debug)]
pub(crate) struct Pieces {
    shared: Arc<Mutex<Shared>>,
    id: Id<'static>,
    out: Arc<Out>,
    /// What was read and not credited yet.
    owed: usize,
}

impl Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let piece = {
            let mut shared = lock(&self.shared);
            match shared.pieces.pop_front() {
                Some(piece) => {
                    shared.bytes -= piece.len();
                    piece
                }
                None => match &mut shared.end {
                    None => {
                        shared.reader = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                    Some(end) => return Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err)),
                },
            }
        };
        self.owed += piece.len();
        if self.owed >= WINDOW_BYTES / 2 {
            let bytes = std::mem::take(&mut self.owed);
            self.out.push(Note::encode_credit(&self.id, bytes as u64), None);
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.abandoned = true;
        shared.pieces.clear();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(mut shared: MutexGuard<'_, Shared>) {
    let reader = shared.reader.take();
    drop(shared);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// How much may be sent to the other side.
#[derive(Clone, Debug)]
pub(crate) struct Credit(Arc<Semaphore>);

impl Credit {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(WINDOW_BYTES)))
    }

    /// Takes credit for so many bytes, and waits for it; false if the stream is of no use any more.
    ///
    /// # Cancel safety
    /// Nothing is taken if the future is dropped.
    pub(crate) async fn take(&self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        match self.0.acquire_many(bytes).await {
            Ok(permits) => {
                permits.forget();
                true
            }
            Err(_) => false,
        }
    }

    /// Adds what the other side allows. Nobody can allow more than the window.
    pub(crate) fn add(&self, bytes: u64) {
        let room = WINDOW_BYTES.saturating_sub(self.0.available_permits());
        self.0.add_permits(usize::try_from(bytes).unwrap_or(usize::MAX).min(room));
    }

    /// Nothing is sent any more.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

/// Sends a body in pieces and says how it ended; returns early if nobody wants the rest.
///
/// # Cancel safety
/// Dropping the future drops the body; the other side is told nothing.
pub(crate) async fn send_pieces(mut body: crate::transport::Body, id: Id<'static>, credit: Credit, out: Arc<Out>) {
    loop {
        let mut piece = match body.next().await {
            Some(Ok(piece)) => piece,
            Some(Err(_)) => {
                // Why is nobody's business but this side's.
                out.push(Note::encode_end(&id, Some("the stream broke off")), None);
                return;
            }
            None => {
                out.push(Note::encode_end(&id, None), None);
                return;
            }
        };
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE_BYTES));
            if !credit.take(part.len()).await {
                return;
            }
            out.room().await;
            if !out.push(Note::encode_piece(&id, &part), None) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::transport::Body;

    fn ends() -> (Feed, Pieces, Arc<Out>) {
        let out = Arc::new(Out::default());
        let (feed, pieces) = pipe(Id::from(1), Arc::clone(&out));
        (feed, pieces, out)
    }

    #[tokio::test]
    async fn what_was_read_is_credited_in_halves_of_the_window_and_more_than_the_window_is_refused() {
        let (feed, mut pieces, out) = ends();
        let half = Bytes::from(vec![7; WINDOW_BYTES / 2]);
        assert!(feed.push(half.clone()) && feed.push(half.clone()));
        assert!(!feed.push(Bytes::from_static(b"x")), "the window is full");
        assert_eq!(pieces.next().await.unwrap().unwrap(), half);
        assert!(out.pop().unwrap().text.contains(r#""tekton.credit","params":{"id":1,"bytes":131072}"#));
        assert!(feed.push(half.slice(1..)));
        feed.end(Ok(()));
        assert_eq!(pieces.next().await.unwrap().unwrap(), half);
        assert_eq!(pieces.next().await.unwrap().unwrap(), half.slice(1..));
        assert!(pieces.next().await.is_none() && pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn a_feed_that_is_dropped_is_a_break_and_no_end() {
        let (feed, mut pieces, _) = ends();
        feed.push(Bytes::from_static(b"x"));
        let reading = tokio::spawn(async move { (pieces.next().await, pieces.next().await) });
        tokio::task::yield_now().await;
        drop(feed);
        let (first, second) = reading.await.unwrap();
        assert_eq!(first.unwrap().unwrap(), "x");
        assert_eq!(second.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[tokio::test]
    async fn a_body_is_sent_as_far_as_the_credit_goes_whatever_is_allowed() {
        let (out, credit) = (Arc::new(Out::default()), Credit::new());
        let body = Body::full(vec![7; WINDOW_BYTES + PIECE_BYTES + 1]);
        let mut sending = Box::pin(send_pieces(body, Id::from("a"), credit.clone(), Arc::clone(&out)));
        let mut sent = 0;
        let mut poll = || {
            let polled = futures_util::FutureExt::now_or_never(&mut sending).is_some();
            while out.pop().is_some() {
                sent += 1;
            }
            (polled, sent)
        };
        // The queue is full before the window is.
        while poll().1 < WINDOW_BYTES / PIECE_BYTES {}
        assert_eq!(poll(), (false, 16));
        credit.add(u64::MAX);
        assert_eq!(poll(), (true, 16 + 3), "two pieces and the end");
        assert_eq!(credit.0.available_permits(), WINDOW_BYTES - PIECE_BYTES - 1);
    }

    #[tokio::test]
    async fn who_waits_for_credit_is_told_that_none_will_come() {
        let (out, credit) = (Arc::new(Out::default()), Credit::new());
        assert!(credit.take(WINDOW_BYTES).await);
        let mut sending = Box::pin(send_pieces(Body::full("x"), Id::from(1), credit.clone(), out));
        assert!(futures_util::poll!(&mut sending).is_pending());
        credit.close();
        sending.await;
    }
}
