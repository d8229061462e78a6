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
    Directory, HubConfig, Lease, Standing,
    machine::{Machine, Outcome, Step},
};
use crate::{
    contract::Registration,
    error::{Result, RetryHint, Sent},
    random::Random,
    time::SharedClock,
};

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
        let mut keeper = Keeper {
            directory,
            registration,
            machine,
            clock,
            random,
            tell,
            lease: None,
            stray: false,
            tools: Tools::None,
            waits: None,
        };
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

/// How far the tools are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tools {
    /// Nothing was sent yet, or nothing is to be.
    None,
    /// All are, or trying again would change nothing: until the next registration.
    Settled,
    /// Some may not be: they are published again with the next heartbeat.
    Due,
}

struct Keeper {
    directory: Arc<dyn Directory>,
    registration: Registration,
    machine: Machine,
    clock: SharedClock,
    random: Random,
    tell: watch::Sender<Presence>,
    lease: Option<Lease>,
    /// Whether the directory may have registered us although its answer never came.
    stray: bool,
    tools: Tools,
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
        let Registration { id, endpoint, .. } = &self.registration;
        let stray = self.stray.then(|| Lease::new(id, endpoint));
        match self.lease.clone().or(stray) {
            Some(lease) => {
                self.withdraw(&lease).await;
                self.directory.unregister(&lease).await
            }
            None => Ok(false),
        }
    }

    async fn register(&mut self) {
        // A newer process may have come since the last heartbeat, or while the directory was down: registering would take its
        // entry. Where the directory does not say, registering fails as well, or is what heals it.
        if let Some(lease) = &self.lease
            && let Ok(Standing::Replaced) = self.directory.heartbeat(lease).await
        {
            return self.stand(Standing::Replaced);
        }
        let outcome = match self.directory.register(&self.registration).await {
            Ok(lease) => {
                tracing::info!(id = %lease.id, endpoint = %lease.endpoint, "registered");
                self.lease = Some(lease.clone());
                self.waits = None;
                self.tell.send_replace(Presence::Registered);
                self.publish(&lease).await;
                Outcome::Registered
            }
            Err(error) => {
                let retry_in = self.next_wait();
                tracing::warn!(error = %error.report(), ?retry_in, "registration failed");
                if self.lease.is_none() {
                    self.tell.send_replace(Presence::Absent);
                    self.stray |= error.sent() != Sent::No;
                }
                Outcome::RegisterFailed { retry_in }
            }
        };
        self.machine.on(self.clock.now(), outcome);
    }

    /// Publishes the tools. That it fails keeps nobody from being registered.
    async fn publish(&mut self, lease: &Lease) {
        if self.registration.tools.is_empty() || !self.directory.capabilities().tools {
            return;
        }
        self.tools = match self.directory.publish_tools(lease, &self.registration.tools).await {
            Ok(()) => Tools::Settled,
            Err(error) => {
                // The first failure is worth a look; the same one at every heartbeat is not.
                match self.tools {
                    Tools::Due => tracing::debug!(error = %error.report(), "the tools are not published"),
                    _ => tracing::warn!(error = %error.report(), "the tools are not published"),
                }
                if error.retry_hint() == RetryHint::Never { Tools::Settled } else { Tools::Due }
            }
        };
    }

    /// Removes the tools that are still ours, if any may have been published.
    async fn withdraw(&mut self, lease: &Lease) {
        if self.tools == Tools::None {
            return;
        }
        let ids: Vec<_> = self.registration.tools.iter().map(|tool| tool.id.clone()).collect();
        if let Err(error) = self.directory.withdraw_tools(lease, &ids).await {
            tracing::warn!(error = %error.report(), "the tools are not removed");
        }
    }

    async fn heartbeat(&mut self) {
        let Some(lease) = self.lease.clone() else { return };
        match self.directory.heartbeat(&lease).await {
            Ok(standing) => {
                if standing == Standing::Listed && self.tools == Tools::Due {
                    self.publish(&lease).await;
                }
                self.stand(standing);
            }
            Err(error) => {
                tracing::debug!(error = %error.report(), "heartbeat failed");
                self.machine.on(self.clock.now(), Outcome::BeatFailed);
            }
        }
    }

    /// Takes in how the directory sees us.
    fn stand(&mut self, standing: Standing) {
        let id = &self.registration.id;
        match standing {
            Standing::Listed => {}
            Standing::Forgotten => {
                tracing::warn!(%id, "the directory has forgotten us; registering again");
                self.tell.send_replace(Presence::Absent);
            }
            Standing::Replaced => {
                tracing::warn!(%id, "a newer process has taken over our id");
                self.tell.send_replace(Presence::Replaced);
            }
        }
        self.machine.on(self.clock.now(), Outcome::Beat(standing));
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
