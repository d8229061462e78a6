//! The one task of a connection: it reads, writes, and asks for signs of life.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{
    closed::Closed,
    connection::Connection,
    machine::{Beat, Pulse},
    socket::{Came, Socket},
};
use crate::time::{BoxFuture, SharedClock};

/// How many messages are read before what waits is written.
const AT_ONCE: usize = 128;

pub(super) struct Driver<S> {
    socket: Socket<S>,
    connection: Arc<Connection>,
    clock: SharedClock,
    interval: Duration,
    pulse: Pulse,
    due: BoxFuture<'static, ()>,
}

/// How a connection ended.
pub(super) struct Ended {
    pub(super) why: Closed,
    /// This side wanted it.
    pub(super) by_us: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Driver<S> {
    pub(super) fn new(
        socket: Socket<S>,
        connection: Arc<Connection>,
        clock: SharedClock,
        interval: Duration,
        idle_timeout: Duration,
    ) -> Self {
        let due = clock.sleep(interval);
        Self { socket, connection, clock, interval, pulse: Pulse::new(idle_timeout), due }
    }

    /// Runs until the connection is no more, and says farewell. `ended` hears of it before the calls do.
    pub(super) async fn run(mut self, stop: CancellationToken, ended: impl FnOnce(&Ended) + Send) {
        let work = poll_fn(|cx| self.poll(cx));
        let how = match stop.run_until_cancelled(work).await {
            Some(how) => how,
            None => Ended { why: Closed::Normal, by_us: true },
        };
        // Whoever finds the connection closed asks for another one, and must find that this one was lost.
        ended(&how);
        self.connection.close(how.why);
        let frame = if how.by_us { Closed::Normal.frame("") } else { None };
        if how.why != Closed::Silent && how.why != Closed::Broken {
            self.socket.close(frame, &self.clock).await;
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        // While this runs, what is said need not wake anybody.
        self.connection.out.unregister();
        loop {
            match self.turn(cx) {
                Err(ended) => return Poll::Ready(ended),
                Ok(true) => {}
                Ok(false) => {
                    self.connection.out.register(cx.waker());
                    // Something may have been said in between.
                    if self.connection.out.bytes() == 0 || self.socket.is_blocked() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// One turn of reading, writing and looking at the time; whether there is more to do at once.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, Ended> {
        let lost = |why| Ended { why, by_us: false };
        let mut left = AT_ONCE;
        while left > 0 {
            match self.socket.poll_read(cx) {
                Poll::Ready(Ok(came)) => {
                    self.pulse.heard();
                    if let Came::Message { data, .. } = came {
                        self.connection.receive(&data);
                    }
                }
                Poll::Ready(Err(why)) => return Err(lost(why)),
                Poll::Pending => break,
            }
            left -= 1;
        }
        if let Poll::Ready(Err(why)) = self.socket.poll_write(cx, &self.connection.out) {
            return Err(lost(why));
        }
        if self.due.as_mut().poll(cx).is_pending() {
            return Ok(left == 0);
        }
        self.due = self.clock.sleep(self.interval);
        match self.pulse.due(self.clock.now(), self.connection.in_flight() > 0) {
            Beat::Ping => self.socket.ping(cx).map_err(lost)?,
            Beat::Dead => return Err(lost(Closed::Silent)),
            Beat::Idle => return Err(Ended { why: Closed::Normal, by_us: true }),
        }
        Ok(true)
    }
}
