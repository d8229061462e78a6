//! What a connection runs over.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::client::TlsStream;

use super::gate::Gate;

/// When a silent connection is probed, and how often after that. These, and the two below, are reqwest's own.
const PROBE_AFTER: Duration = Duration::from_secs(15);
/// How many probes go unanswered before the connection counts as broken.
const PROBES: u32 = 3;
/// How long sent bytes may stay unacknowledged before the connection counts as broken.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Up to this size, what is to be written is first put side by side.
const SMALL_BYTES: usize = 4096;

/// An open road to a callee.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
    #[cfg(unix)]
    Unix(TokioIo<UnixStream>),
}

impl Stream {
    /// Sets what the SDK sets on every connection.
    pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_AFTER);
        #[cfg(not(target_os = "openbsd"))]
        let probes = probes.with_retries(PROBES);
        socket.set_tcp_keepalive(&probes)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        Ok(())
    }
}

/// The stream of a connection that lies in the pool between the calls.
pub(super) struct Pooled {
    stream: Stream,
    gate: Arc<Gate>,
    /// A small head and a small body, side by side.
    together: Vec<u8>,
}

impl Pooled {
    pub(super) const fn new(stream: Stream, gate: Arc<Gate>) -> Self {
        Self { stream, gate, together: Vec::new() }
    }

    /// Asks the system what has come meanwhile, whatever the runtime has heard of it.
    fn look(&self) -> io::Result<Seen> {
        let mut byte = [MaybeUninit::uninit()];
        let (peeked, has_words_of_its_own) = match &self.stream {
            Stream::Tcp(stream) => (SockRef::from(stream.inner()).peek(&mut byte), false),
            Stream::Tls(stream) => (SockRef::from(stream.inner().get_ref().0).peek(&mut byte), true),
            #[cfg(unix)]
            Stream::Unix(stream) => (SockRef::from(stream.inner()).peek(&mut byte), false),
        };
        match peeked {
            Ok(0) => Ok(Seen::End),
            Ok(_) if has_words_of_its_own => Ok(Seen::Nothing),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "bytes came between two answers")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Seen::Nothing),
            Err(error) => Err(error),
        }
    }
}

enum Seen {
    Nothing,
    End,
}

macro_rules! each {
    ($stream:expr, $inner:ident => $do:expr) => {
        match $stream {
            Stream::Tcp($inner) => $do,
            Stream::Tls($inner) => $do,
            #[cfg(unix)]
            Stream::Unix($inner) => $do,
        }
    };
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl Read for Pooled {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.gate.is_doubted()
            && let Seen::End = self.look()?
        {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn is_write_vectored(&self) -> bool {
        each!(self, stream => stream.is_write_vectored())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }
}

impl Write for Pooled {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, together, .. } = self.get_mut();
        // The system gathers slices at a higher price than that of copying a few bytes.
        if slices.len() > 1 && slices.iter().map(|slice| slice.len()).sum::<usize>() <= SMALL_BYTES {
            together.clear();
            slices.iter().for_each(|slice| together.extend_from_slice(slice));
            return Pin::new(stream).poll_write(cx, together);
        }
        Pin::new(stream).poll_write_vectored(cx, slices)
    }
}
