//! What a handle says of its policies, and how they are exchanged.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    super::Config,
    Explanation,
    explain::explain,
    resolve::{Base, pages},
};
use crate::{
    error::{Error, Result},
    tekton::{Rulebook, Tekton},
};

/// The settings that calls go by, and what code told the builder. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::config) struct Current(Arc<Held>);

#[derive(Debug)]
struct Held {
    base: Base,
    config: Mutex<Config>,
}

impl Current {
    /// The settings that a handle begins with. Without targets its calls have no rules: the stages' own settings hold.
    pub(in crate::config) fn new(config: Config, base: Base, book: &Rulebook) -> Self {
        if !config.targets.is_empty() {
            book.exchange(pages(&config, &base, false));
        }
        Self(Arc::new(Held { base, config: Mutex::new(config) }))
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
    /// Calls that are under way keep what they began with. Breakers, budgets and limits keep their state. Of the other settings, those
    /// of `request` (`timeout`, `attempt_timeout`) and `retry` (`max_attempts`, `base_delay`, `max_delay`) hold too; the rest is
    /// read when a handle is built. `breaker.enabled` cannot be switched on.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong; what held before still holds. The same if the handle
    /// was put together of [`Parts`](crate::tekton::Parts), without a configuration.
    pub fn apply(&self, config: &Config) -> Result<()> {
        config.validate()?;
        let Current(held) = self.current()?;
        let mut current = held.config.lock().unwrap_or_else(PoisonError::into_inner);
        let mut config = config.clone();
        // Whoever was built without breakers has none.
        config.breaker.enabled &= current.breaker.enabled;
        // Under the lock, so that of two changes at once the explanation tells of the one that holds.
        self.rulebook().exchange(pages(&config, &held.base, true));
        *current = config;
        Ok(())
    }

    fn current(&self) -> Result<Current> {
        self.setting::<Current>().ok_or_else(|| Error::config("this handle was built without a configuration"))
    }
}
