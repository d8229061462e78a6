//! What a handle is built from.

use std::{fmt, sync::Arc};

use http::HeaderValue;

use super::{
    Inner, RequestConfig, Rulebook, Tekton,
    attempt::Attempts,
    resolve::{Resolves, Sources},
};
use crate::{
    directory::{CachedDirectory, Directory, DirectoryConfig},
    error::Result,
    policy::{
        AttemptTimeout, Backoff, BalanceConfig, Balancer, Bulkhead, BulkheadConfig, ByKind, Classify, DeadlinePolicy,
        Fallback, FallbackConfig, Hedge, HedgeConfig, Pipeline, Policy, RateConfig, RateLimit, ReplyCache, Retry,
        RetryBudgets, RetryConfig, Reuse, ReuseConfig, Weights, Well,
    },
    random::Random,
    telemetry::{Introspect, Metrics, Observers},
    time::SharedClock,
    transport::Transport,
};

/// Everything a [`Tekton`] is made of, for those who bring parts of their own; `Tekton::builder()` fills it from settings.
#[non_exhaustive]
pub struct Parts {
    /// The name under which this process calls others.
    pub source: String,
    /// The road to others.
    pub transport: Arc<dyn Transport>,
    /// Who is there.
    pub directory: Arc<dyn Directory>,
    /// How found components are remembered.
    pub cache: DirectoryConfig,
    /// What a call has unless it says otherwise.
    pub defaults: RequestConfig,
    /// How calls are tried again.
    pub retry: RetryConfig,
    /// How calls are spread over the instances of a component.
    pub balance: BalanceConfig,
    /// By which weights the calls to some components are divided, by the names that they are called by.
    pub weights: Vec<(String, Weights)>,
    /// How long to wait between attempts, if not as [`Self::retry`] says.
    pub backoff: Option<Backoff>,
    /// When a second attempt is sent beside a slow one. Default: never.
    pub hedge: Option<HedgeConfig>,
    /// Whether what is called is well, as a closed breaker says: else nothing is hedged. Default: it is.
    pub hedge_while: Option<Well>,
    /// Which equal reads share an answer. Default: none.
    pub reuse: Option<ReuseConfig>,
    /// What is given instead of a failure. Default: nothing.
    pub fallback: Option<FallbackConfig>,
    /// Where answers are kept.
    pub replies: ReplyCache,
    /// What an outcome says about the callee.
    pub classify: Arc<dyn Classify>,
    /// How often a component is called by calls without rules; `None` is as often as they come.
    pub rate: Option<RateConfig>,
    /// How many attempts to a component run at once by calls without rules; `None` is as many as there are.
    pub bulkhead: Option<BulkheadConfig>,
    /// Policies of rooms, run once per attempt, outside of its time limit.
    pub attempt_policies: Vec<Arc<dyn Policy>>,
    /// Policies of the application's own, run once per attempt.
    pub policies: Vec<Arc<dyn Policy>>,
    /// Where time comes from.
    pub clock: SharedClock,
    /// Where randomness comes from.
    pub random: Random,
    /// Where metrics go.
    #[cfg(feature = "metrics")]
    pub registry: prometheus::Registry,
    /// Who hears of everything that happens.
    pub observers: Observers,
    /// To whom the caller's baggage is passed on, by the name that they are called by; `*` is everybody.
    pub baggage_peers: Vec<String>,
    /// What shows its state in [`Tekton::introspect`].
    pub introspect: Vec<Arc<dyn Introspect>>,
    /// Settings of rooms, found by type.
    pub extensions: http::Extensions,
    /// What calls go by where the stages' own settings do not hold.
    pub(crate) rulebook: Rulebook,
}

impl Parts {
    /// Parts with every default.
    pub fn new(transport: Arc<dyn Transport>, directory: Arc<dyn Directory>) -> Self {
        Self {
            source: "anonymous".to_owned(),
            transport,
            directory,
            cache: DirectoryConfig::default(),
            defaults: RequestConfig::default(),
            retry: RetryConfig::default(),
            balance: BalanceConfig::default(),
            weights: Vec::new(),
            backoff: None,
            hedge: None,
            hedge_while: None,
            reuse: None,
            fallback: None,
            replies: ReplyCache::default(),
            classify: Arc::new(ByKind),
            rate: None,
            bulkhead: None,
            attempt_policies: Vec::new(),
            policies: Vec::new(),
            clock: SharedClock::default(),
            random: Random::new(),
            #[cfg(feature = "metrics")]
            registry: prometheus::Registry::new(),
            observers: Observers::default(),
            baggage_peers: Vec::new(),
            introspect: Vec::new(),
            extensions: http::Extensions::new(),
            rulebook: Rulebook::default(),
        }
    }

    /// Puts the pipeline together, in the order that stands on [`Pipeline`].
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) if the registry holds metrics of our names already.
    pub fn build(self) -> Result<Tekton> {
        let Self { transport, clock, random, defaults, .. } = self;
        let budgets = RetryBudgets::new(&self.retry, clock.clone());
        let mut retry = Retry::new(&self.retry, clock.clone(), random.clone())
            .with_budgets(budgets.clone())
            .with_classify(Arc::clone(&self.classify))
            .with_observers(self.observers.clone());
        if let Some(backoff) = self.backoff {
            retry = retry.with_backoff(backoff);
        }
        let fallback = Fallback::new(self.fallback, self.replies.clone(), clock.clone())
            .with_classify(Arc::clone(&self.classify))
            .with_observers(self.observers.clone());
        let mut hedge = Hedge::new(self.hedge, clock.clone())
            .with_classify(Arc::clone(&self.classify))
            .with_observers(self.observers.clone());
        if let Some(well) = self.hedge_while {
            hedge = hedge.while_well(well);
        }
        let mut policies: Vec<Arc<dyn Policy>> = vec![
            Arc::new(fallback),
            Arc::new(DeadlinePolicy::new(clock.clone())),
            Arc::new(Reuse::new(self.reuse, self.replies.clone(), clock.clone())),
            Arc::new(retry),
            Arc::new(hedge.clone()),
        ];
        let attempts = Attempts::new(Arc::clone(&self.classify), clock.clone(), random.clone(), self.observers.clone());
        policies.push(Arc::new(attempts.with_others_behind(!self.policies.is_empty())));
        let rate = Arc::new(RateLimit::new(self.rate, clock.clone()).with_observers(self.observers.clone()));
        let bulkhead = Arc::new(Bulkhead::new(self.bulkhead, clock.clone()).with_observers(self.observers.clone()));
        policies.push(Arc::clone(&rate) as _);
        policies.extend(self.attempt_policies);
        policies.push(Arc::clone(&bulkhead) as _);
        policies.push(Arc::new(AttemptTimeout::new(clock.clone(), defaults.attempt_timeout)));
        policies.extend(self.policies);
        let directory = CachedDirectory::observed(self.directory, self.cache, clock.clone(), self.observers.clone());
        let balancer = Balancer::observed(self.balance, clock.clone(), random.clone(), self.observers.clone());
        for (target, weights) in self.weights {
            balancer.set_weights(&target, weights);
        }
        let mut introspect = self.introspect;
        introspect.extend([rate as Arc<dyn Introspect>, bulkhead]);
        introspect.push(Arc::new(budgets.clone()));
        introspect.push(Arc::new(hedge));
        introspect.push(Arc::new(self.replies.clone()));
        introspect.push(Arc::new(directory.clone()));
        introspect.push(Arc::new(balancer.clone()));
        let introspect: Arc<[_]> = introspect.into();
        #[cfg(feature = "metrics")]
        let metrics = Metrics::register(&self.registry, Arc::clone(&introspect))?;
        #[cfg(not(feature = "metrics"))]
        let metrics = Metrics::off();
        #[cfg(feature = "metrics")]
        self.observers.count_with(metrics.clone());
        Ok(Tekton(Arc::new(Inner {
            caller: HeaderValue::from_str(&self.source).ok(),
            source: self.source.into(),
            pipeline: Pipeline::new(policies, Arc::clone(&transport), clock.clone()),
            transport,
            resolves: Arc::new(Resolves::new(Sources {
                directory,
                balancer,
                classify: self.classify,
                clock: clock.clone(),
            })),
            budgets,
            rulebook: self.rulebook,
            replies: self.replies,
            defaults,
            clock,
            random,
            metrics,
            #[cfg(feature = "metrics")]
            registry: self.registry,
            observers: self.observers,
            baggage_peers: self.baggage_peers.into(),
            introspect,
            extensions: self.extensions,
        })))
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("source", &self.source)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
