//! A connection that is given up when the other side takes nothing of what is sent.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::time::{BoxFuture, SharedClock};

/// A stream whose writes fail when they make no progress for so long. Its timer is set only where a write has to wait.
pub(super) struct Patience<S> {
    stream: S,
    clock: SharedClock,
    /// Zero is for ever.
    limit: Duration,
    timer: Option<BoxFuture<'static, ()>>,
}

impl<S> Patience<S> {
    pub(super) const fn new(stream: S, clock: SharedClock, limit: Duration) -> Self {
        Self { stream, clock, limit, timer: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() || self.limit.is_zero() {
            self.timer = None;
            return written;
        }
        let timer = self.timer.get_or_insert_with(|| self.clock.sleep(self.limit));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let what = format!("the other side has taken nothing for {:?}", self.limit);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, what)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::time::ManualClock;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn only_a_write_that_makes_no_progress_runs_out_of_time() {
        let clock = ManualClock::new();
        let (near, mut far) = duplex(4);
        let mut near = Patience::new(near, SharedClock::new(clock.clone()), 3 * SECOND);
        near.write_all(b"1234").await.unwrap();
        assert_eq!(clock.sleepers(), 0, "nothing has to wait yet");
        let mut writing = Box::pin(near.write_all(b"56789"));
        assert!(poll!(&mut writing).is_pending());
        clock.advance(2 * SECOND);
        far.read_exact(&mut [0; 1]).await.unwrap();
        assert!(poll!(&mut writing).is_pending());
        clock.advance(2 * SECOND);
        assert!(poll!(&mut writing).is_pending(), "a byte was taken meanwhile");
        clock.advance(SECOND);
        assert_eq!(writing.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn without_a_limit_it_waits_for_ever() {
        let clock = ManualClock::new();
        let (near, _far) = duplex(1);
        let mut near = Patience::new(near, SharedClock::new(clock.clone()), Duration::ZERO);
        let mut writing = Box::pin(near.write_all(b"12"));
        assert!(poll!(&mut writing).is_pending());
        clock.advance(Duration::from_secs(1_000_000));
        assert!(poll!(&mut writing).is_pending());
    }
}
