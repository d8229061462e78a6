//! A component that is being served, and its end.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "testing")]
use super::listen::Listening;
use super::{router::Router, signal::until_signal, sockets::Sockets};
use crate::{
    directory::{Presence, Registered},
    error::Result,
    telemetry::Event,
    transport::Binding,
};

#[derive(Debug)]
pub(super) enum Road {
    Sockets(Sockets),
    /// Held, so that the handler stays bound.
    Memory {
        _binding: Binding,
    },
}

/// A component that is being served. Dropping it stops serving at once, without unregistering.
#[must_use = "dropping it stops serving"]
#[derive(Debug)]
pub struct Served {
    pub(super) id: String,
    pub(super) endpoint: String,
    pub(super) router: Arc<Router>,
    pub(super) road: Road,
    pub(super) registered: Option<Registered>,
    pub(super) follow: Option<tokio::task::JoinHandle<()>>,
    pub(super) drain_timeout: Duration,
}

impl Served {
    /// The id under which it is registered.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The URL that others are told.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether it is registered now.
    #[must_use]
    pub fn presence(&self) -> Presence {
        self.registered.as_ref().map_or(Presence::Absent, Registered::presence)
    }

    /// Waits for SIGTERM or Ctrl-C, then shuts down in order.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if signals cannot be heard.
    pub async fn until_shutdown(self) -> Result<()> {
        until_signal().await?;
        self.shutdown().await;
        Ok(())
    }

    /// Shuts down in order: not ready, unregister, let the listeners finish what they have, refuse what waits for a place, finish
    /// what runs, end the streams that still run with an error that says so, close. All of it has the drain time-out, the
    /// listeners at most half of it. Tells whether all that ran has finished by itself.
    pub async fn shutdown(mut self) -> bool {
        self.router.control.set_ready(false);
        self.tell_phase("unregister");
        if let Some(registered) = self.registered.take()
            && let Err(error) = registered.shutdown().await
        {
            tracing::warn!(id = self.id, error = %error.report(), "could not unregister");
        }
        self.router.control.set_registered(false);
        self.tell_phase("drain");
        let (clock, began) = (&self.router.clock, self.router.clock.now());
        let listened = self.router.control.listening().drain(self.drain_timeout / 2).await;
        let left = self.drain_timeout.saturating_sub(clock.now().saturating_duration_since(began));
        self.router.places.close();
        if let Some(topics) = &self.router.topics {
            topics.drain();
        }
        let finished = match &self.road {
            Road::Sockets(sockets) => sockets.shutdown(left, &self.router.streams).await,
            // Calls in memory run in their callers' tasks, and end with them; streams are told to end.
            Road::Memory { .. } => {
                self.router.streams.end();
                true
            }
        };
        self.router.streams.gone().await;
        self.tell_phase("closed");
        finished && listened
    }

    /// Its listeners, for a test bed.
    #[cfg(feature = "testing")]
    pub(crate) fn listening(&self) -> Arc<Listening> {
        Arc::clone(self.router.control.listening())
    }

    fn tell_phase(&self, phase: &'static str) {
        self.router.observers.tell(&Event::ShuttingDown { component: &self.id, phase });
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.router.streams.cut_off();
        self.router.control.listening().cut_off();
        if let Some(follow) = &self.follow {
            follow.abort();
        }
    }
}
