//! From settings to a handle: the one place that knows all rooms.

use std::{fmt, sync::Arc};

use super::{
    Config, Layers,
    named::{Base, Current},
    reload::Reload,
};
#[cfg(feature = "http")]
use crate::transport::{MeshTransport, MeshTransportConfig};
use crate::{
    directory::{Directory, HermesDirectory, MemoryDirectory},
    env::{self, Env},
    error::{Error, Result},
    patterns::{
        breaker::{BreakerPolicy, Breakers},
        events::{self, Broker},
    },
    policy::{
        Backoff, BulkheadConfig, ByKind, Classify, FallbackConfig, HedgeConfig, Policy, RateConfig, ReuseConfig,
        Weights,
    },
    random::Random,
    tekton::{Parts, Tekton},
    telemetry::{Introspect, Observer, Observers},
    time::{Clock, SharedClock},
    transport::{Endpoint, Transport},
};

/// Builds a [`Tekton`]: settings, and whatever part is not to be the default one.
#[must_use = "nothing is built until `build` is called"]
pub struct TektonBuilder {
    config: Config,
    /// The layers that were taken, and what they said.
    layers: Option<(Layers, Config)>,
    env: Env,
    source: Option<String>,
    transport: Option<Arc<dyn Transport>>,
    directory: Option<Arc<dyn Directory>>,
    policies: Vec<Arc<dyn Policy>>,
    weights: Vec<(String, Weights)>,
    backoff: Option<Backoff>,
    rate: Option<RateConfig>,
    bulkhead: Option<BulkheadConfig>,
    hedge: Option<HedgeConfig>,
    reuse: Option<ReuseConfig>,
    fallback: Option<FallbackConfig>,
    classify: Arc<dyn Classify>,
    observers: Vec<Arc<dyn Observer>>,
    broker: Option<Arc<dyn Broker>>,
    clock: SharedClock,
    random: Random,
    #[cfg(feature = "metrics")]
    registry: Option<prometheus::Registry>,
}

impl Tekton {
    /// Begins with every default and reads no environment: HTTP, and a directory in memory unless a hub is named.
    pub fn builder() -> TektonBuilder {
        TektonBuilder {
            config: Config::default(),
            layers: None,
            env: Env::default(),
            source: None,
            transport: None,
            directory: None,
            policies: Vec::new(),
            weights: Vec::new(),
            backoff: None,
            rate: None,
            bulkhead: None,
            hedge: None,
            reuse: None,
            fallback: None,
            classify: Arc::new(ByKind),
            observers: Vec::new(),
            broker: None,
            clock: SharedClock::default(),
            random: Random::new(),
            #[cfg(feature = "metrics")]
            registry: None,
        }
    }

    /// Builds from the file and the environment of the process; see [`Config::load`].
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong and where it came from.
    pub fn from_env() -> Result<Self> {
        Self::builder().load()?.build()
    }
}

impl TektonBuilder {
    /// Takes the settings of the file and the environment of the process.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong and where it came from.
    pub fn load(self) -> Result<Self> {
        self.layers(Layers::from_process())
    }

    /// Takes the settings of these layers; their warnings go to `tracing`. The files among them are looked at again while the process
    /// runs, see [`Config::reload_interval`]; what code changes after this goes before what a file says then.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong and where it came from.
    pub fn layers(mut self, layers: Layers) -> Result<Self> {
        self.env = layers.environment().clone();
        let (config, warnings) = layers.clone().build()?;
        for warning in warnings {
            tracing::warn!(target: "tekton_sdk::config", "{warning}");
        }
        self.layers = Some((layers, config.clone()));
        self.config = config;
        Ok(self)
    }

    /// Takes these settings.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The settings as they are so far.
    #[must_use]
    pub const fn settings(&self) -> &Config {
        &self.config
    }

    /// Changes the settings in place.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Calls others under this name. Default: `anonymous`.
    pub fn named(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Registers with, and finds others through, the hub at this URL.
    pub fn hub(mut self, url: impl Into<String>) -> Self {
        self.config.hub.url = Some(url.into());
        self
    }

    /// Uses this transport. Default: [`MeshTransport`](crate::transport::MeshTransport).
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Uses this directory. Default: the hub, if one is named, else a directory in memory.
    pub fn directory(mut self, directory: impl Directory) -> Self {
        self.directory = Some(Arc::new(directory));
        self
    }

    /// Adds a policy, run on every attempt behind those added before.
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policies.push(Arc::new(policy));
        self
    }

    /// Judges outcomes with this, for the breaker, the retry and the metrics alike. Default: [`ByKind`].
    pub fn classify(mut self, classify: impl Classify) -> Self {
        self.classify = Arc::new(classify);
        self
    }

    /// Tells this observer everything that happens, after those added before.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Waits as this says between the attempts of a call. Default: full jitter, as `retry.base_delay` and `retry.max_delay` say.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// Sends each component so many attempts a second at most. Default: as many as come.
    pub const fn rate(mut self, config: RateConfig) -> Self {
        self.rate = Some(config);
        self
    }

    /// Runs so many attempts to each component at once at most. Default: as many as there are.
    pub const fn bulkhead(mut self, config: BulkheadConfig) -> Self {
        self.bulkhead = Some(config);
        self
    }

    /// Sends a second attempt beside a slow one, for all that may be carried out twice. Default: never.
    pub const fn hedge(mut self, config: HedgeConfig) -> Self {
        self.hedge = Some(config);
        self
    }

    /// Lets equal reads share an answer. Default: none do.
    pub const fn reuse(mut self, config: ReuseConfig) -> Self {
        self.reuse = Some(config);
        self
    }

    /// Gives this instead of a failure, whichever component is called. Default: nothing.
    pub fn fallback(mut self, config: FallbackConfig) -> Self {
        self.fallback = Some(config);
        self
    }

    /// Divides the calls to this component by weights of versions or instances: a canary. It is named as
    /// [`Tekton::peer`] names it; [`Tekton::set_weights`] changes them later. Default: all instances are alike.
    pub fn weights(mut self, target: impl Into<String>, weights: Weights) -> Self {
        self.weights.push((target.into(), weights));
        self
    }

    /// Publishes and hears events through this broker. Default: one in memory, for this process alone.
    pub fn broker(mut self, broker: impl Broker) -> Self {
        self.broker = Some(Arc::new(broker));
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }

    /// Takes randomness from this source.
    pub fn random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// Registers the metrics here. Default: a registry of its own.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn registry(mut self, registry: prometheus::Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Builds the handle. Files are looked at again only if this is called within a Tokio runtime.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming every setting that is wrong, or the part that is missing.
    pub fn build(self) -> Result<Tekton> {
        self.config.validate()?;
        let settings = self.config.clone();
        let Self { config, clock, .. } = self;
        let mut introspect = Vec::new();
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport(&config, &clock, &mut introspect)?,
        };
        let directory = match (self.directory, &config.hub.url) {
            (Some(directory), _) => directory,
            (None, None) => Arc::new(MemoryDirectory::new(clock.clone())) as _,
            (None, Some(url)) => {
                let url = env::base_url(url).unwrap_or_else(|| url.clone());
                let hub = Endpoint::parse(&url).map_err(|e| Error::config("hub.url is no endpoint").with_source(e))?;
                Arc::new(HermesDirectory::new(hub, Arc::clone(&transport), clock.clone(), config.hub.timeout)) as _
            }
        };
        let reload = self.layers.and_then(|(layers, read)| Reload::new(layers, read, settings.clone()));
        let mut parts = Parts::new(transport, directory);
        parts.introspect = introspect;
        parts.source = self.source.unwrap_or(parts.source);
        parts.cache = config.directory;
        parts.defaults = config.request;
        parts.retry = config.retry;
        parts.balance = config.balance;
        parts.weights = self.weights;
        let of_targets = config.targets.iter().filter_map(|(name, spec)| Some((name.clone(), spec.weights.clone()?)));
        parts.weights.extend(of_targets);
        let base = Base {
            rate: self.rate,
            bulkhead: self.bulkhead,
            hedge: self.hedge,
            reuse: self.reuse,
            fallback: self.fallback.clone(),
        };
        let current = Current::new(settings.clone(), base, &parts.rulebook);
        parts.extensions.insert(current.clone());
        parts.policies = self.policies;
        parts.backoff = self.backoff;
        parts.rate = self.rate;
        parts.bulkhead = self.bulkhead;
        parts.hedge = self.hedge;
        parts.reuse = self.reuse;
        parts.fallback = self.fallback;
        parts.classify = self.classify;
        parts.observers = Observers::new(self.observers);
        if config.breaker.enabled {
            let breakers = Breakers::made(
                config.breaker.config(),
                config.breaker.max_keys as usize,
                config.breaker.shadow,
                clock.clone(),
                self.random.clone(),
                parts.observers.clone(),
            );
            let (scope, classify) = (config.breaker.scope(), Arc::clone(&parts.classify));
            let policy = BreakerPolicy::new(breakers.clone(), scope, classify, clock.clone());
            parts.attempt_policies.push(Arc::new(policy));
            let known = breakers.clone();
            parts.hedge_while = Some(Arc::new(move |call| known.is_well(scope, call)));
            parts.introspect.push(Arc::new(breakers.clone()));
            parts.extensions.insert(breakers);
        }
        parts.baggage_peers = config.telemetry.baggage_peers;
        parts.clock = clock;
        parts.random = self.random;
        #[cfg(feature = "metrics")]
        if let Some(registry) = self.registry {
            parts.registry = registry;
        }
        parts.extensions.insert(events::Shared::new(self.broker));
        parts.extensions.insert(settings);
        parts.extensions.insert(config.hub);
        parts.extensions.insert(self.env);
        parts.extensions.insert(config.host);
        if let Some(instance) = config.instance {
            parts.extensions.insert(instance);
        }
        let tekton = parts.build()?;
        if let Some(reload) = reload {
            reload.start(&current, &tekton);
        }
        Ok(tekton)
    }
}

type Shown = Vec<Arc<dyn Introspect>>;

#[cfg(feature = "http")]
fn default_transport(config: &Config, clock: &SharedClock, shown: &mut Shown) -> Result<Arc<dyn Transport>> {
    let settings = MeshTransportConfig::default().with_connect_timeout(config.request.connect_timeout);
    let transport = MeshTransport::new(&settings, clock.clone())?;
    shown.push(Arc::new(transport.clone()));
    Ok(Arc::new(transport))
}

#[cfg(not(feature = "http"))]
fn default_transport(_config: &Config, _clock: &SharedClock, _shown: &mut Shown) -> Result<Arc<dyn Transport>> {
    Err(Error::config("there is no transport: turn on the feature `http`, or give the builder one"))
}

impl fmt::Debug for TektonBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TektonBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
