//! What a handle says of its policies, and how they are exchanged.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{
    super::Config,
    Explanation,
    explain::explain,
    resolve::{Base, pages},
};
use crate::{
    error::{Error, Result},
    policy::{Balancer, Weights},
    tekton::{Rulebook, Tekton},
};

/// The settings that calls go by, and what code told the builder. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::config) struct Current(Arc<Held>);

/// The same without keeping it.
#[derive(Debug)]
pub(in crate::config) struct WeakCurrent(Weak<Held>);

#[derive(Debug)]
struct Held {
    base: Base,
    config: Mutex<Config>,
    /// Whether the handle was built with breakers.
    breakers: bool,
}

impl Current {
    /// The settings that a handle begins with. Without targets its calls have no rules: the stages' own settings hold.
    pub(in crate::config) fn new(config: Config, base: Base, book: &Rulebook) -> Self {
        if !config.targets.is_empty() {
            book.exchange(pages(&config, &base, false));
        }
        Self(Arc::new(Held { base, breakers: config.breaker.enabled, config: Mutex::new(config) }))
    }

    pub(in crate::config) fn downgrade(&self) -> WeakCurrent {
        WeakCurrent(Arc::downgrade(&self.0))
    }

    /// Puts these settings in the place of those that hold.
    pub(in crate::config) fn exchange(&self, mut config: Config, book: &Rulebook, balancer: &Balancer) {
        let Held { base, breakers, config: current } = &*self.0;
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        config.breaker.enabled &= breakers;
        // Under the lock, so that of two changes at once the explanation tells of the one that holds.
        book.exchange(pages(&config, base, true));
        let weights = |config: &Config, target: &str| config.targets.get(target).and_then(|spec| spec.weights.clone());
        for target in current.targets.keys().filter(|target| weights(&config, target).is_none()) {
            if weights(&current, target).is_some() {
                balancer.set_weights(target, Weights::default());
            }
        }
        for target in config.targets.keys() {
            if let Some(now) = weights(&config, target).filter(|now| weights(&current, target).as_ref() != Some(now)) {
                balancer.set_weights(target, now);
            }
        }
        *current = config;
    }
}

impl WeakCurrent {
    pub(in crate::config) fn upgrade(&self) -> Option<Current> {
        self.0.upgrade().map(Current)
    }
}

impl Tekton {
    /// Says what the calls of this operation of this component go by, and who says so: a policy, a preset, a variable, a line of a
    /// file, code, or nobody. What one call says for itself goes before all of it.
    ///
    /// ```
    /// use tekton_sdk::{Tekton, config::Layers};
    ///
    /// let file = "[policy.gentle]\nextends = \"patient\"\ntimeout = \"10s\"\n[target.engram]\npolicy = \"gentle\"";
    /// let tekton = Tekton::builder().layers(Layers::new().file("tekton.toml", file))?.build()?;
    /// let explanation = tekton.explain("engram", "store")?.to_string();
    /// let mut lines = explanation.lines();
    /// assert_eq!(lines.next(), Some("engram store: policy gentle, from target.engram.policy (tekton.toml line 5)"));
    /// assert_eq!(lines.next(), Some("timeout          10s    policy gentle (tekton.toml line 3)"));
    /// assert_eq!(lines.next(), Some("attempt_timeout  30s    preset patient"));
    /// # Ok::<(), tekton_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the handle was put together of [`Parts`](crate::tekton::Parts), without a
    /// configuration.
    pub fn explain(&self, target: &str, operation: &str) -> Result<Explanation> {
        let Current(held) = self.current()?;
        let config = held.config.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(explain(&config, &held.base, target, operation))
    }

    /// Lets the calls that begin from here on go by these policies, targets and limits of calls and attempts, all at once; for this
    /// handle and its clones.
    ///
    /// Calls that are under way keep what they began with. Breakers, budgets and limits keep their state. Weights that a target had
    /// and has no more are taken away. Of the other settings, those of `request` (`timeout`, `attempt_timeout`) and `retry`
    /// (`max_attempts`, `base_delay`, `max_delay`) hold too, and `breaker.enabled` where the handle was built with breakers; the rest
    /// is read when a handle is built.
    ///
    /// A handle that read its settings from files does the same when one of them [changes](Config::reload_interval).
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong; what held before still holds. The same if the handle
    /// was put together of [`Parts`](crate::tekton::Parts), without a configuration.
    pub fn apply(&self, config: &Config) -> Result<()> {
        config.validate()?;
        self.current()?.exchange(config.clone(), self.rulebook(), self.balancer());
        Ok(())
    }

    fn current(&self) -> Result<Current> {
        self.setting::<Current>().ok_or_else(|| Error::config("this handle was built without a configuration"))
    }
}
