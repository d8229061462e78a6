//! A stream that is read in large pieces, and has no buffer while nothing comes.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read at once.
const GULP_BYTES: usize = 32 << 10;

/// The frames are read from a buffer that each connection keeps; with this below, it may be small. What comes is read into the
/// stack, and what the reader has no room for is kept until it has: a connection that waits holds nothing.
#[derive(Debug)]
pub(crate) struct Gulp<S> {
    inner: S,
    rest: Bytes,
}

impl<S> Gulp<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner, rest: Bytes::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gulp<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            if buf.remaining() >= GULP_BYTES {
                return Pin::new(&mut this.inner).poll_read(cx, buf);
            }
            let mut stack = [const { MaybeUninit::uninit() }; GULP_BYTES];
            let mut read = ReadBuf::uninit(&mut stack);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut read))?;
            let (now, later) = read.filled().split_at(read.filled().len().min(buf.remaining()));
            buf.put_slice(now);
            this.rest = Bytes::copy_from_slice(later);
        } else {
            let now = this.rest.len().min(buf.remaining());
            buf.put_slice(&this.rest[..now]);
            this.rest.advance(now);
            if this.rest.is_empty() {
                this.rest = Bytes::new();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gulp<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    proptest! {
        #[test]
        fn however_it_is_read_the_bytes_are_those_that_came(
            pieces in prop::collection::vec(1_usize..80_000, 1..8),
            rooms in prop::collection::vec(1_usize..50_000, 1..8),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (mut ours, theirs) = tokio::io::duplex(40_000);
                let wanted: Vec<u8> = (0..pieces.iter().sum::<usize>()).map(|n| (n % 251) as u8).collect();
                let sent = wanted.clone();
                let writing = async move {
                    let mut at = 0;
                    for piece in pieces {
                        ours.write_all(&sent[at..at + piece]).await.unwrap();
                        at += piece;
                    }
                };
                let reading = async {
                    let (mut gulp, mut came, mut turn) = (Gulp::new(theirs), Vec::new(), rooms.iter().cycle());
                    loop {
                        let mut room = vec![0; *turn.next().unwrap()];
                        match gulp.read(&mut room).await.unwrap() {
                            0 => return came,
                            read => came.extend_from_slice(&room[..read]),
                        }
                    }
                };
                let (came, ()) = tokio::join!(reading, writing);
                prop_assert_eq!(came, wanted);
                Ok(())
            })?;
        }
    }
}
