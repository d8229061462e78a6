//! Looking at the configuration files while the process runs.

use std::time::Duration;

use super::{
    Config, Layers,
    named::{Current, WeakCurrent},
};
use crate::{
    policy::Balancer,
    tekton::{Rulebook, Tekton},
    telemetry::{Event, Observers},
    time::SharedClock,
};

/// The settings that can change while a process runs, beside policies and targets.
const CHANGEABLE: [&str; 6] = [
    "request.timeout",
    "request.attempt_timeout",
    "retry.max_attempts",
    "retry.base_delay",
    "retry.max_delay",
    "breaker.enabled",
];

/// The files of a handle, and what was made of them.
pub(super) struct Reload {
    layers: Layers,
    /// What the layers said.
    read: Config,
    /// The same with what code changed.
    built: Config,
}

impl Reload {
    /// `None` if there is nothing to look at, or nobody is to look.
    pub(super) fn new(layers: Layers, read: Config, built: Config) -> Option<Self> {
        (!layers.watched().is_empty() && !built.reload_interval.is_zero()).then_some(Self { layers, read, built })
    }

    /// Looks from here on, until the handle is shut down or gone.
    pub(super) fn start(self, current: &Current, tekton: &Tekton) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            let files = self.layers.watched().join(", ");
            tracing::warn!(target: "tekton_sdk::config", "{files} will not be looked at again: the handle was not built within a Tokio runtime");
            return;
        };
        let stop = tekton.rulebook().closed();
        let watch = Watch {
            interval: self.built.reload_interval,
            reload: self,
            current: current.downgrade(),
            book: tekton.rulebook().clone(),
            balancer: tekton.balancer().clone(),
            observers: tekton.observers().clone(),
            clock: tekton.clock().clone(),
        };
        runtime.spawn(async move { stop.run_until_cancelled(watch.run()).await });
    }

    /// What holds when the layers say this: code goes before files.
    fn over(&self, now: Config) -> Config {
        let Self { read, built, .. } = self;
        let mut config = built.clone();
        let (request, retry) = (now.request, now.retry);
        config.request.timeout = pick(&built.request.timeout, &read.request.timeout, request.timeout);
        config.request.attempt_timeout =
            pick(&built.request.attempt_timeout, &read.request.attempt_timeout, request.attempt_timeout);
        config.retry.max_attempts = pick(&built.retry.max_attempts, &read.retry.max_attempts, retry.max_attempts);
        config.retry.base_delay = pick(&built.retry.base_delay, &read.retry.base_delay, retry.base_delay);
        config.retry.max_delay = pick(&built.retry.max_delay, &read.retry.max_delay, retry.max_delay);
        config.breaker.enabled = pick(&built.breaker.enabled, &read.breaker.enabled, now.breaker.enabled);
        config.policies = lay(&built.policies, &read.policies, now.policies);
        config.targets = lay(&built.targets, &read.targets, now.targets);
        config.sources = now.sources;
        config
    }

    /// What the layers say anew and only a handle that is built anew will know of.
    fn unheard(&self, now: &Config) -> Vec<String> {
        let (Ok(was), Ok(is)) = (self.read.effective(), now.effective()) else { return Vec::new() };
        let changed = is.into_iter().filter(|(path, value)| was.get(path) != Some(value)).map(|(path, _)| path);
        changed.filter(|path| !CHANGEABLE.contains(&path.as_str())).collect()
    }
}

/// What code changed stays, the rest is as it is read now.
fn pick<T: PartialEq + Clone>(built: &T, read: &T, now: T) -> T {
    if built == read { now } else { built.clone() }
}

/// The same, entry by entry.
fn lay<T: PartialEq + Clone>(built: &Entries<T>, read: &Entries<T>, mut now: Entries<T>) -> Entries<T> {
    now.retain(|name, _| built.get(name) == read.get(name));
    let own = built.iter().filter(|(name, entry)| read.get(*name) != Some(entry));
    now.extend(own.map(|(name, entry)| (name.clone(), entry.clone())));
    now
}

type Entries<T> = std::collections::BTreeMap<String, T>;

struct Watch {
    reload: Reload,
    interval: Duration,
    /// The handle's, which ends the watch by being gone.
    current: WeakCurrent,
    book: Rulebook,
    balancer: Balancer,
    observers: Observers,
    clock: SharedClock,
}

impl Watch {
    async fn run(mut self) {
        let mut last = self.reload.layers.clone();
        loop {
            self.clock.sleep(self.interval).await;
            let Some(current) = self.current.upgrade() else { return };
            let before = self.reload.layers.clone();
            // A file may lie on another machine, and take its time.
            let Ok(seen) = tokio::task::spawn_blocking(move || before.again()).await else { return };
            // What has changed since the look before may be written at this moment, and half a file can be right.
            if seen == last && seen != self.reload.layers {
                self.take(&current, &seen);
                self.reload.layers = seen.clone();
            }
            last = seen;
        }
    }

    fn take(&self, current: &Current, layers: &Layers) {
        let files = layers.watched().join(", ");
        let read = layers.clone().build().and_then(|(now, warnings)| {
            let config = self.reload.over(now.clone());
            config.validate()?;
            Ok((now, config, warnings))
        });
        match read {
            Ok((now, config, warnings)) => {
                for warning in warnings {
                    tracing::warn!(target: "tekton_sdk::config", "{warning}");
                }
                let unheard = self.reload.unheard(&now);
                if !unheard.is_empty() {
                    let unheard = unheard.join(", ");
                    tracing::warn!(target: "tekton_sdk::config", "{files} changed {unheard}, which is read when a process begins: start it anew");
                }
                current.exchange(config, &self.book, &self.balancer);
                tracing::info!(target: "tekton_sdk::config", "{files} changed, and holds");
                self.observers.tell(&Event::ConfigReloaded { files: &files, problem: None });
            }
            Err(error) => {
                let problem = error.report();
                tracing::error!(target: "tekton_sdk::config", "{files} changed, and is wrong: {problem}; what held before still holds");
                self.observers.tell(&Event::ConfigReloaded { files: &files, problem: Some(&problem) });
            }
        }
    }
}
