//! The one task of a broker: it makes connections, reads, writes, and asks for signs of life.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use futures_util::future::poll_fn;

use super::{
    machine::Next,
    read::{Known, Told, What, read},
    say,
    shared::{Shared, State},
};
use crate::{
    patterns::events::Incoming,
    time::BoxFuture,
    transport::websocket::{Beat, Came, Closed, NotOpen, Out, Pulse, Road, Socket},
    wire::jsonrpc::{Response, RpcError, RpcLimits},
};

/// How many messages are read before what waits is written.
const AT_ONCE: usize = 128;

/// Runs until the broker is closed.
pub(super) async fn run(shared: Arc<Shared>) {
    let _closing = Closing(Arc::clone(&shared));
    loop {
        let now = shared.clock.now();
        let next = {
            let state = shared.lock();
            shared.reporter.tell(state.machine.seen(now));
            state.machine.next(now)
        };
        match next {
            Next::Stop | Next::Stay => break,
            Next::Wait(time) => {
                if shared.stop.run_until_cancelled(shared.clock.sleep(time)).await.is_none() {
                    break;
                }
            }
            Next::Dial { url, refused } => match shared.stop.run_until_cancelled(shared.open(url, refused)).await {
                None => break,
                Some(Ok(socket)) => serve(&shared, socket).await,
                Some(Err(not)) => failed(&shared, not),
            },
        }
        if shared.stop.is_cancelled() {
            break;
        }
    }
}

/// Closes the broker when its task ends, be it by a panic of who gives the token: nobody may wait for a task that is gone.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn failed(shared: &Shared, not: NotOpen) {
    let NotOpen { status, error } = not;
    tracing::debug!(error = %error.report(), "no connection to a broker could be made");
    let mut state = shared.lock();
    let unauthorized = status.is_some_and(|status| status.as_u16() == 401);
    let error = match status {
        Some(status) if unauthorized => super::unauthorized(&error, status),
        _ => error,
    };
    // What went wrong first is told: it was the first URL.
    state.failed.get_or_insert(error);
    state.machine.failed(shared.clock.now(), unauthorized, |most| shared.random.up_to(most));
    state.apply();
}

/// Serves one connection until it ends.
async fn serve(shared: &Arc<Shared>, socket: Socket<Road>) {
    let out = Arc::<Out>::default();
    let mut driver = Driver {
        pulse: Pulse::new(std::time::Duration::MAX),
        beat: shared.clock.sleep(shared.config.ping_interval),
        limits: RpcLimits::default().with_max_message_bytes(shared.config.max_message_bytes),
        shared: Arc::clone(shared),
        socket,
        out: Arc::clone(&out),
        due: None,
        known: Known::default(),
    };
    shared.opened(&out);
    if out.bytes() == 0 {
        // A host closes a connection on which nothing is said for long at first.
        out.push(say::credit(0, 0, 0), None);
    }
    let ended = shared.stop.run_until_cancelled(poll_fn(|cx| driver.poll(cx))).await;
    let (why, by_us) = match ended {
        Some(Ended { why, by_us }) => (why, by_us),
        None => (Closed::Normal, true),
    };
    tracing::debug!(%why, "a connection to a broker ended");
    shared.lost(why, &out);
    if why != Closed::Silent && why != Closed::Broken {
        let frame = if by_us { why.frame("") } else { None };
        driver.socket.close(frame, &shared.clock).await;
    }
}

/// How a connection ended.
struct Ended {
    why: Closed,
    /// This side wanted it.
    by_us: bool,
}

struct Driver {
    shared: Arc<Shared>,
    socket: Socket<Road>,
    out: Arc<Out>,
    pulse: Pulse,
    beat: BoxFuture<'static, ()>,
    limits: RpcLimits,
    /// When the machine wants to be asked again.
    due: Option<(Instant, BoxFuture<'static, ()>)>,
    known: Known,
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        // While this runs, what is said need not wake anybody.
        self.out.unregister();
        loop {
            match self.turn(cx) {
                Err(ended) => return Poll::Ready(ended),
                Ok(true) => {}
                Ok(false) => {
                    self.out.register(cx.waker());
                    // Something may have been said in between.
                    if self.out.bytes() == 0 || self.socket.is_blocked() {
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
                        self.receive(&data)?;
                    }
                }
                Poll::Ready(Err(why)) => return Err(lost(why)),
                Poll::Pending => break,
            }
            left -= 1;
        }
        if self.shared.lock().takes_renewal() {
            return Err(Ended { why: Closed::Normal, by_us: true });
        }
        if let Poll::Ready(Err(why)) = self.socket.poll_write(cx, &self.out) {
            return Err(lost(why));
        }
        let mut more = left == 0;
        if self.is_due(cx) {
            let now = self.shared.clock.now();
            self.shared.with(|machine| machine.tick(now));
            more = true;
        }
        if self.beat.as_mut().poll(cx).is_ready() {
            more = true;
            self.beat = self.shared.clock.sleep(self.shared.config.ping_interval);
            match self.pulse.due(self.shared.clock.now(), true) {
                Beat::Ping => self.socket.ping(cx).map_err(lost)?,
                Beat::Dead | Beat::Idle => return Err(lost(Closed::Silent)),
            }
        }
        if more && left == 0 {
            // The others of the thread have their turn, and what was read is heard.
            cx.waker().wake_by_ref();
            return Ok(false);
        }
        Ok(more)
    }

    /// Whether the machine is to be asked again; if not, its time wakes the task.
    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.shared.lock().machine.due() else {
            self.due = None;
            return false;
        };
        if self.due.as_ref().is_none_or(|(at, _)| *at != due) {
            let left = due.saturating_duration_since(self.shared.clock.now());
            self.due = Some((due, self.shared.clock.sleep(left)));
        }
        let is_due = self.due.as_mut().is_some_and(|(_, timer)| timer.as_mut().poll(cx).is_ready());
        if is_due {
            self.due = None;
        }
        is_due
    }

    /// Takes a message.
    fn receive(&mut self, message: &Bytes) -> Result<(), Ended> {
        let Self { shared, out, limits, known, .. } = self;
        let mut state = shared.lock();
        let mut fits = true;
        read(message, limits, |told| fits &= receive(shared, &mut state, out, known, message, told));
        match fits {
            true => Ok(()),
            // It sends more than it was asked for.
            false => Err(Ended { why: Closed::Policy, by_us: true }),
        }
    }
}

/// Takes what a message says; whether it fits.
fn receive(shared: &Shared, state: &mut State, out: &Out, known: &mut Known, message: &Bytes, told: Told<'_>) -> bool {
    let machine = &mut state.machine;
    let mut fits = true;
    match told {
        Told::Event(heard) => {
            let (far, bytes, replaced, delivery) = (heard.subscription, message.len(), heard.replaced, heard.delivery);
            match heard.event() {
                Some(cursor) => {
                    let Some(What::Event(published)) = heard.read(message, known) else { return true };
                    if let Some((queue, delivery)) = machine.event(far, cursor, delivery) {
                        let event = delivery.map(|number| Incoming::delivery(published, 0, number));
                        fits = queue.push(event, bytes, replaced);
                    }
                }
                None => match heard.read(message, known) {
                    Some(What::Gap(gap)) => {
                        if let Some(queue) = machine.gap(far, &gap) {
                            fits = queue.gap(gap, bytes);
                        }
                    }
                    Some(What::End(error)) => {
                        machine.ended(shared.clock.now(), far, error, |most| shared.random.up_to(most));
                        shared.left.notify_waiters();
                    }
                    Some(What::Event(_)) | None => {}
                },
            }
        }
        Told::Answer { id, result } => machine.answered(id, result),
        Told::Refused { id, refused } => {
            machine.refused(shared.clock.now(), id, refused, |most| shared.random.up_to(most));
        }
        // Whoever asks on and on without reading is not answered any more.
        Told::Asked(_) if out.is_full() => {}
        Told::Asked(id) => {
            out.push(Response::new(id, Err(RpcError::method_not_found())).encode(), None);
        }
        Told::Junk => {}
    }
    state.apply();
    fits
}
