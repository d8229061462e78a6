//! One WebSocket: messages in, messages of a queue out, pongs and the closing handshake.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{Sink, future::poll_fn};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as SocketError, Message,
        protocol::{CloseFrame, WebSocketConfig},
    },
};

#[cfg(feature = "host")]
use super::gulp::Gulp;
use super::{
    closed::Closed,
    out::{Out, Outgoing},
};
use crate::time::SharedClock;

/// How long the closing handshake may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is read from a socket at once, and collected until it is written.
const BUFFER_BYTES: usize = 32 << 10;
/// What each connection of a host keeps to read into: most of them wait most of the time.
#[cfg(feature = "host")]
const SERVER_READ_BYTES: usize = 4 << 10;

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    /// A message, of text or of bytes.
    Message {
        data: Bytes,
        #[cfg(feature = "testing")]
        text: bool,
    },
    /// A sign of life.
    Sign,
}

/// A WebSocket that is open.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    stream: WebSocketStream<S>,
    /// Something was written and not flushed.
    unflushed: bool,
    /// The socket takes nothing more for now; its task is woken when it does.
    blocked: bool,
    /// The other side has said why it closes.
    told: Option<Closed>,
}

/// The settings of the frames.
pub(crate) fn frames(max_message_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(max_message_bytes))
        .max_frame_size(Some(max_message_bytes))
}

#[cfg(feature = "host")]
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket<Gulp<S>> {
    /// The server's end of a socket whose upgrade is done.
    pub(crate) async fn server(stream: S, max_message_bytes: usize) -> Self {
        let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
        let config = frames(max_message_bytes).read_buffer_size(SERVER_READ_BYTES);
        Self::of(WebSocketStream::from_raw_socket(Gulp::new(stream), role, Some(config)).await)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket<S> {
    pub(crate) const fn of(stream: WebSocketStream<S>) -> Self {
        Self { stream, unflushed: false, blocked: false, told: None }
    }

    /// The next message or sign of life. What the other side asks for, as pongs, is on its way when this is pending.
    ///
    /// # Errors
    /// Why nothing more comes. Of what this side must refuse the other was told, as far as it could be at once.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Came, Closed>> {
        let Some(came) = ready!(Pin::new(&mut self.stream).poll_next(cx)) else {
            return Poll::Ready(Err(self.told.unwrap_or(Closed::Broken)));
        };
        Poll::Ready(match came {
            Ok(Message::Text(text)) => Ok(Came::Message {
                data: text.into(),
                #[cfg(feature = "testing")]
                text: true,
            }),
            Ok(Message::Binary(data)) => Ok(Came::Message {
                data,
                #[cfg(feature = "testing")]
                text: false,
            }),
            // Its answer is queued by now, and is written by the next read or flush.
            Ok(Message::Ping(_)) => {
                self.unflushed = true;
                Ok(Came::Sign)
            }
            Ok(Message::Pong(_) | Message::Frame(_)) => Ok(Came::Sign),
            Ok(Message::Close(frame)) => {
                let told = Closed::of_frame(frame.as_ref());
                self.told = Some(told);
                // The reply is queued by now; what of it does not go out at once, goes out in the farewell.
                self.unflushed = true;
                let _ = self.poll_flush(cx);
                Err(told)
            }
            Err(error) => Err(self.refused(&error, cx)),
        })
    }

    /// Tells the other side what it did wrong.
    fn refused(&mut self, error: &SocketError, cx: &mut Context<'_>) -> Closed {
        let closed = match (self.told, Closed::of_error(error)) {
            // It said why, and hung up.
            (Some(told), Closed::Normal | Closed::Broken) => return told,
            (_, closed) => closed,
        };
        if closed != Closed::Broken
            && let Some(frame) = closed.frame("")
        {
            // Whether it hears that or not, it is over.
            let _ = Pin::new(&mut self.stream).start_send(Message::Close(Some(frame)));
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
        closed
    }

    /// Writes what is queued, as far as the socket takes it. Ready when all of it is on its way.
    ///
    /// # Errors
    /// Why nothing can be written.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, out: &Out) -> Poll<Result<(), Closed>> {
        if self.told.is_none() {
            while self.poll_ready(cx)?.is_ready() {
                let Some(Outgoing { text, .. }) = out.pop() else { break };
                self.start(Message::text(text))?;
            }
        }
        self.poll_flush(cx)
    }

    /// Asks the other side for a sign of life, unless so much waits to be written that it would not hear it.
    ///
    /// # Errors
    /// Why nothing can be written.
    pub(crate) fn ping(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        match self.told.is_none() && self.poll_ready(cx)?.is_ready() {
            true => self.start(Message::Ping(Bytes::new())),
            false => Ok(()),
        }
    }

    /// Adds a message to what is written.
    fn start(&mut self, message: Message) -> Result<(), Closed> {
        self.unflushed = true;
        Pin::new(&mut self.stream).start_send(message).map_err(|error| self.reason(&error))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Closed> {
        match Pin::new(&mut self.stream).poll_ready(cx) {
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(error)) => Err(self.reason(&error)),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Whether the socket takes nothing more for now, or ever.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked || self.told.is_some()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.blocked = flushed.is_pending();
        match ready!(flushed) {
            Ok(()) => {
                self.unflushed = false;
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(self.reason(&error))),
        }
    }

    fn reason(&self, error: &SocketError) -> Closed {
        self.told.unwrap_or(Closed::of_error(error))
    }

    /// Sends every message back, until the other side closes or breaks the protocol; keeps the last one.
    #[cfg(feature = "testing")]
    pub(crate) fn poll_echo(&mut self, cx: &mut Context<'_>, last: &mut Option<Bytes>) -> Poll<Closed> {
        loop {
            match self.poll_ready(cx).map(|ready| ready.is_ready()) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(closed) => return Poll::Ready(closed),
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(Came::Sign)) => {}
                Poll::Ready(Ok(Came::Message { data, text })) => {
                    *last = Some(data.clone());
                    // The message was read as text, so it is one.
                    let back = match (text, String::from_utf8(data.to_vec())) {
                        (true, Ok(text)) => Message::text(text),
                        _ => Message::Binary(data),
                    };
                    if let Err(closed) = self.start(back) {
                        return Poll::Ready(closed);
                    }
                }
                Poll::Ready(Err(closed)) => return Poll::Ready(closed),
                Poll::Pending => match self.poll_flush(cx) {
                    Poll::Ready(Err(closed)) => return Poll::Ready(closed),
                    _ => return Poll::Pending,
                },
            }
        }
    }

    /// Says why this side closes, and waits a second at most for the other to agree.
    pub(crate) async fn close(mut self, frame: Option<CloseFrame>, clock: &SharedClock) {
        let farewell = poll_fn(|cx| {
            if let Some(frame) = &frame
                && self.told.is_none()
            {
                match self.poll_ready(cx) {
                    Ok(Poll::Ready(())) => {}
                    Ok(Poll::Pending) => return Poll::Pending,
                    Err(_) => return Poll::Ready(()),
                }
                let said = self.start(Message::Close(Some(frame.clone())));
                self.told = Some(Closed::Normal);
                if said.is_err() {
                    return Poll::Ready(());
                }
            }
            if let Poll::Ready(Err(_)) = self.poll_flush(cx) {
                return Poll::Ready(());
            }
            // What comes behind the farewell is dropped.
            while let Poll::Ready(came) = Pin::new(&mut self.stream).poll_next(cx) {
                if !matches!(came, Some(Ok(_))) {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        });
        let _ = clock.timeout(FAREWELL, farewell).await;
    }
}
