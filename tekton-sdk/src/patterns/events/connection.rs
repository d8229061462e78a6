//! How the road to a broker stands, as something to watch.

use std::time::Duration;

use tokio::sync::watch;

/// How the road to a broker stands.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// No connection has been made yet.
    #[non_exhaustive]
    Connecting {
        /// Which attempt it is; the first is 1.
        attempt: u32,
    },
    /// Events flow.
    Up,
    /// The connection is lost.
    #[non_exhaustive]
    Down {
        /// Which attempt comes next; the first is 1.
        attempt: u32,
        /// How long until it is made, when this was said; `None` if it runs.
        next_in: Option<Duration>,
    },
    /// Nothing new is taken; what was taken is being handed over.
    Draining,
    /// It is over.
    Closed,
}

impl ConnectionState {
    /// The first connection is being made.
    #[must_use]
    pub const fn connecting(attempt: u32) -> Self {
        Self::Connecting { attempt }
    }

    /// The connection is lost, and this attempt comes next.
    #[must_use]
    pub const fn down(attempt: u32, next_in: Option<Duration>) -> Self {
        Self::Down { attempt, next_in }
    }
}

/// A watch of a [`ConnectionState`]. Who does not look misses nothing but states in between.
#[derive(Clone, Debug)]
pub struct Connection(watch::Receiver<ConnectionState>);

impl Connection {
    /// A watch, and who tells it; for those who write a broker.
    #[must_use]
    pub fn new(state: ConnectionState) -> (ConnectionReporter, Self) {
        let (sender, receiver) = watch::channel(state);
        (ConnectionReporter(sender), Self(receiver))
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        *self.0.borrow()
    }

    /// Waits until it changes, and gives how it stands then. `None` once the broker is gone.
    ///
    /// # Cancel safety
    /// No change is lost when the future is dropped.
    pub async fn changed(&mut self) -> Option<ConnectionState> {
        self.0.changed().await.ok()?;
        Some(*self.0.borrow_and_update())
    }

    /// Waits until it stands like this; `false` if the broker is gone before.
    ///
    /// # Cancel safety
    /// Dropping the future ends the wait.
    pub async fn until(&mut self, wanted: impl Fn(ConnectionState) -> bool + Send + Sync) -> bool {
        self.0.wait_for(|state| wanted(*state)).await.is_ok()
    }
}

/// Tells how the road stands.
#[derive(Debug)]
pub struct ConnectionReporter(watch::Sender<ConnectionState>);

impl ConnectionReporter {
    /// Tells it; what was told before is not told again.
    pub fn tell(&self, state: ConnectionState) {
        self.0.send_if_modified(|known| std::mem::replace(known, state) != state);
    }

    /// A watch.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection(self.0.subscribe())
    }
}
