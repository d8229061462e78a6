//! The configuration of all rooms: defaults, then files, then `TEKTON_*` variables, then code.
//!
//! A component reads settings from four places, and a wrong one must be found at start, with its place, and together
//! with all others. The settings themselves stand in one table, [`env::SETTINGS`].
//!
//! ```
//! use std::time::Duration;
//!
//! use tekton_sdk::config::Layers;
//!
//! let file = "[retry]\nmax_attempts = 2\n[request]\ntimeout = \"10s\"";
//! let variables = [("TEKTON_REQUEST_TIMEOUT", "1m30s")].into_iter().collect();
//! let (mut config, warnings) = Layers::new().file("tekton.toml", file).env(variables).build()?;
//! config.host.port = 8005;
//! config.validate()?;
//!
//! assert_eq!(config.retry.max_attempts, 2);
//! assert_eq!(config.request.timeout, Duration::from_secs(90));
//! assert!(warnings.is_empty());
//! # Ok::<(), tekton_sdk::Error>(())
//! ```
//!
//! # What can go wrong
//! [`ErrorKind::Config`](crate::ErrorKind::Config): `Error::fields` names every setting that is wrong, with value, bound
//! and place.

mod builder;
mod effective;
mod file;
mod layers;
mod named;
mod parts;
mod reload;
mod schema;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

pub use builder::TektonBuilder;
pub use layers::Layers;
pub use named::{Explanation, Line, OpSpec, PolicySpec, TargetSpec};
pub use parts::{BatchSettings, BreakerSettings, HostConfig, TelemetryConfig};
pub use schema::json_schema;

use crate::{
    directory::{DirectoryConfig, HubConfig},
    env,
    error::{FieldError, Result},
    names::Instance,
    policy::{BalanceConfig, RetryConfig},
    tekton::RequestConfig,
};

/// The settings of all rooms.
///
/// ```
/// use tekton_sdk::{config::Config, directory::HubConfig, policy::RetryConfig};
///
/// let config = Config::default();
/// assert_eq!(config.instance, None);
/// assert_eq!(config.hub, HubConfig::default());
/// assert_eq!(config.retry, RetryConfig::default());
///
/// let mut config = config;
/// config.retry = config.retry.with_max_attempts(0);
/// assert_eq!(
///     config.validate().unwrap_err().report(),
///     "1 setting is wrong; retry.max_attempts: must be at least 1, is 0"
/// );
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which of several equal processes this is. Default: none, it is made from host and port.
    #[serde(deserialize_with = "env::instance")]
    pub instance: Option<Instance>,
    /// How often the files that were read are looked at for changes; zero is never. A change holds as soon as two looks in a row
    /// have seen it, so that a file is not read while it is being written. See [`Tekton::apply`](crate::Tekton::apply) for what can
    /// change while a process runs. Default: 2 s.
    #[serde(deserialize_with = "env::duration")]
    pub reload_interval: Duration,
    /// The hub. Default: [`HubConfig::default`].
    pub hub: HubConfig,
    /// Calls. Default: [`RequestConfig::default`].
    pub request: RequestConfig,
    /// Attempts. Default: [`RetryConfig::default`].
    pub retry: RetryConfig,
    /// What is remembered of the directory. Default: [`DirectoryConfig::default`].
    pub directory: DirectoryConfig,
    /// The served component. Default: [`HostConfig::default`].
    pub host: HostConfig,
    /// What is told to whom. Default: [`TelemetryConfig::default`].
    pub telemetry: TelemetryConfig,
    /// Breakers. Default: [`BreakerSettings::default`].
    pub breaker: BreakerSettings,
    /// Several instances of a component. Default: [`BalanceConfig::default`].
    pub balance: BalanceConfig,
    /// Batches. Default: [`BatchSettings::default`].
    pub batch: BatchSettings,
    /// Named policies, beside the presets `fast`, `standard` and `patient`. Default: none.
    #[serde(rename = "policy")]
    pub policies: BTreeMap<String, PolicySpec>,
    /// Which component's calls go by which policy, by name in any case of letters. Default: none.
    #[serde(rename = "target")]
    pub targets: BTreeMap<String, TargetSpec>,
    /// Where the values were read.
    #[serde(skip)]
    sources: named::Sources,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            instance: None,
            reload_interval: Duration::from_secs(2),
            hub: HubConfig::default(),
            request: RequestConfig::default(),
            retry: RetryConfig::default(),
            directory: DirectoryConfig::default(),
            host: HostConfig::default(),
            telemetry: TelemetryConfig::default(),
            breaker: BreakerSettings::default(),
            balance: BalanceConfig::default(),
            batch: BatchSettings::default(),
            policies: BTreeMap::new(),
            targets: BTreeMap::new(),
            sources: named::Sources::default(),
        }
    }
}

impl Config {
    /// Reads the configuration of this process: defaults, then the file that `TEKTON_CONFIG` names or `tekton.toml`
    /// in the working directory if there is one, then the environment.
    ///
    /// Warnings go to `tracing`; [`Layers::from_process`] hands them out instead. It reads a file, and so belongs to
    /// the start of a process.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong.
    pub fn load() -> Result<Self> {
        let (config, warnings) = Layers::from_process().build()?;
        for warning in warnings {
            tracing::warn!(target: "tekton_sdk::config", "{warning}");
        }
        Ok(config)
    }

    /// Checks every field against its bounds. Whoever takes a `Config` that code has changed calls it.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong.
    pub fn validate(&self) -> Result<()> {
        let wrong = self.wrong();
        if wrong.is_empty() { Ok(()) } else { Err(env::wrong(wrong)) }
    }

    fn wrong(&self) -> Vec<FieldError> {
        [
            self.hub.validate(),
            self.request.validate(),
            self.retry.validate(),
            self.directory.validate(),
            self.host.validate(),
            self.telemetry.validate(),
            self.breaker.validate(),
            self.balance.validate(),
            self.batch.validate(),
            env::check("reload_interval", self.reload_interval).into_iter().collect(),
            named::wrong(self),
        ]
        .concat()
    }

    /// Sets [`Self::reload_interval`].
    #[must_use]
    pub const fn with_reload_interval(mut self, interval: Duration) -> Self {
        self.reload_interval = interval;
        self
    }

    /// Sets [`Self::instance`].
    #[must_use]
    pub fn with_instance(mut self, instance: Instance) -> Self {
        self.instance = Some(instance);
        self
    }

    /// Sets [`Self::hub`].
    #[must_use]
    pub fn with_hub(mut self, hub: HubConfig) -> Self {
        self.hub = hub;
        self
    }

    /// Sets [`Self::request`].
    #[must_use]
    pub fn with_request(mut self, request: RequestConfig) -> Self {
        self.request = request;
        self
    }

    /// Sets [`Self::retry`].
    #[must_use]
    pub fn with_retry(mut self, retry: RetryConfig) -> Self {
        self.retry = retry;
        self
    }

    /// Sets [`Self::directory`].
    #[must_use]
    pub fn with_directory(mut self, directory: DirectoryConfig) -> Self {
        self.directory = directory;
        self
    }

    /// Sets [`Self::host`].
    #[must_use]
    pub fn with_host(mut self, host: HostConfig) -> Self {
        self.host = host;
        self
    }

    /// Sets [`Self::telemetry`].
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: TelemetryConfig) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Sets [`Self::breaker`].
    #[must_use]
    pub fn with_breaker(mut self, breaker: BreakerSettings) -> Self {
        self.breaker = breaker;
        self
    }

    /// Sets [`Self::balance`].
    #[must_use]
    pub fn with_balance(mut self, balance: BalanceConfig) -> Self {
        self.balance = balance;
        self
    }

    /// Sets [`Self::batch`].
    #[must_use]
    pub fn with_batch(mut self, batch: BatchSettings) -> Self {
        self.batch = batch;
        self
    }

    /// Defines a policy, in the place of one of the same name.
    #[must_use]
    pub fn with_policy(mut self, name: impl Into<String>, policy: PolicySpec) -> Self {
        self.policies.insert(name.into(), policy);
        self
    }

    /// Says what the calls to a component go by, in the place of what was said before.
    #[must_use]
    pub fn with_target(mut self, name: impl Into<String>, target: TargetSpec) -> Self {
        self.targets.insert(name.into(), target);
        self
    }
}
