//! A component stays registered: it says "alive", renews, comes back when it was forgotten, and yields to its successor.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::future::{self, Either};
use tokio::{
    sync::{
        oneshot::{self, error::TryRecvError},
        watch,
    },
    task::JoinHandle,
};

use super::{
    Directory, HubConfig, Lease,
    machine::{Machine, Outcome, Step},
};
use crate::{contract::Registration, error::Result, random::Random, time::SharedClock};

/// Whether a component is registered.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Not yet, or not any more: it keeps trying.
    Absent,
    /// It is listed, as far as the directory said last.
    Registered,
    /// A newer process has taken over its id: it keeps still.
    Replaced,
}

/// Keeps a component registered until it is shut down. Dropping it stops the keeping without unregistering.
#[derive(Debug)]
#[must_use = "dropping it ends the heartbeats"]
pub struct Registered {
    presence: watch::Receiver<Presence>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<Result<bool>>>,
}

impl Registered {
    /// Registers now and keeps the registration from then on. Returns after the first attempt, whatever came of it: a
    /// directory that is down does not keep a component from starting.
    pub async fn keep(
        directory: Arc<dyn Directory>,
        registration: Registration,
        config: &HubConfig,
        clock: SharedClock,
        random: Random,
    ) -> Self {
        let (tell, presence) = watch::channel(Presence::Absent);
        let (stop, stopped) = oneshot::channel();
        let machine = Machine::new(clock.now(), config.heartbeat_interval, config.renew_interval);
        let mut keeper = Keeper { directory, registration, machine, clock, random, tell, lease: None, waits: None };
        keeper.register().await;
        let task = tokio::spawn(keeper.run(stopped));
        Self { presence, stop: Some(stop), task: Some(task) }
    }

    /// Whether it is registered now.
    #[must_use]
    pub fn presence(&self) -> Presence {
        *self.presence.borrow()
    }

    /// The presence as it changes.
    #[cfg(feature = "host")]
    pub(crate) fn subscribe(&self) -> watch::Receiver<Presence> {
        self.presence.clone()
    }

    /// Waits for a presence.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn until(&mut self, presence: Presence) {
        // The sender lives as long as the task; if that is gone nothing will change, and the wait ends.
        let _ = self.presence.wait_for(|now| *now == presence).await;
    }

    /// Stops the keeping and unregisters, unless the entry is no longer ours. Tells whether it was removed.
    ///
    /// # Errors
    /// Those of the road to the directory.
    pub async fn shutdown(mut self) -> Result<bool> {
        drop(self.stop.take());
        match self.task.take() {
            Some(task) => task.await.unwrap_or(Ok(false)),
            None => Ok(false),
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Keeper {
    directory: Arc<dyn Directory>,
    registration: Registration,
    machine: Machine,
    clock: SharedClock,
    random: Random,
    tell: watch::Sender<Presence>,
    lease: Option<Lease>,
    waits: Option<Box<dyn Iterator<Item = Duration> + Send>>,
}

impl Keeper {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> Result<bool> {
        // Only waits end at once: a registration under way is finished first, so that its entry can be removed.
        loop {
            match self.machine.step(self.clock.now()) {
                Step::Register => self.register().await,
                Step::Heartbeat => self.heartbeat().await,
                Step::Wait(wait) => {
                    if let Either::Left(_) = future::select(&mut stopped, self.clock.sleep(wait)).await {
                        break;
                    }
                }
                Step::Rest => {
                    let _ = (&mut stopped).await;
                    break;
                }
            }
            if stopped.try_recv() != Err(TryRecvError::Empty) {
                break;
            }
        }
        match &self.lease {
            Some(lease) => self.directory.unregister(lease).await,
            None => Ok(false),
        }
    }

    async fn register(&mut self) {
        let outcome = match self.directory.register(&self.registration).await {
            Ok(lease) => {
                tracing::info!(id = %lease.id, endpoint = %lease.endpoint, "registered");
                self.lease = Some(lease);
                self.waits = None;
                self.tell.send_replace(Presence::Registered);
                Outcome::Registered
            }
            Err(error) => {
                let retry_in = self.next_wait();
                tracing::warn!(error = %error.report(), ?retry_in, "registration failed");
                if self.lease.is_none() {
                    self.tell.send_replace(Presence::Absent);
                }
                Outcome::RegisterFailed { retry_in }
            }
        };
        self.machine.on(self.clock.now(), outcome);
    }

    async fn heartbeat(&mut self) {
        let Some(lease) = &self.lease else { return };
        let outcome = match self.directory.heartbeat(lease).await {
            Ok(standing) => {
                match standing {
                    super::Standing::Listed => {}
                    super::Standing::Forgotten => {
                        tracing::warn!(id = %lease.id, "the directory has forgotten us; registering again");
                        self.tell.send_replace(Presence::Absent);
                    }
                    super::Standing::Replaced => {
                        tracing::warn!(id = %lease.id, "a newer process has taken over our id");
                        self.tell.send_replace(Presence::Replaced);
                    }
                }
                Outcome::Beat(standing)
            }
            Err(error) => {
                tracing::debug!(error = %error.report(), "heartbeat failed");
                Outcome::BeatFailed
            }
        };
        self.machine.on(self.clock.now(), outcome);
    }

    /// Half a second to 30 s, growing, the upper half of each bound drawn by chance.
    fn next_wait(&mut self) -> Duration {
        let waits = self.waits.get_or_insert_with(|| {
            let bounds = ExponentialBuilder::new()
                .with_min_delay(Duration::from_secs(1))
                .with_max_delay(Duration::from_secs(30))
                .without_max_times();
            Box::new(bounds.build())
        });
        let bound = waits.next().unwrap_or(Duration::from_secs(30));
        bound / 2 + self.random.up_to(bound / 2)
    }
}
