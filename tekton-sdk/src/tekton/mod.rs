//! The handle of a process, and the handles of the components it talks to.

mod alternate;
mod attempt;
mod choose;
mod client;
mod config;
mod draft;
mod parts;
mod peer;
mod resolve;
mod rulebook;
mod spend;

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;

use crate::{
    contract::Entry,
    directory::{CachedDirectory, Query, Watch},
    error::Result,
    policy::{Balancer, Pipeline, ReplyCache, RetryBudgets, Weights},
    random::Random,
    telemetry::{Introspect, Metrics, Observers},
    time::SharedClock,
    transport::{Endpoint, Transport},
};

pub use client::Client;
pub use config::RequestConfig;
pub(crate) use draft::{Draft, JSON};
pub use parts::Parts;
pub use peer::Peer;
pub(crate) use rulebook::{Page, Pages, Rulebook};
pub(crate) use spend::{Price, SpendLimit};

use self::resolve::Resolves;

/// What a process needs to call and to serve: connections, what it knows of others, policies, metrics.
///
/// Build one per process, clone it cheaply, pass it on. It is not global.
#[derive(Clone)]
pub struct Tekton(Arc<Inner>);

struct Inner {
    source: Arc<str>,
    caller: Option<HeaderValue>,
    transport: Arc<dyn Transport>,
    pipeline: Pipeline,
    resolves: Arc<Resolves>,
    budgets: RetryBudgets,
    rulebook: Rulebook,
    replies: ReplyCache,
    defaults: RequestConfig,
    clock: SharedClock,
    random: Random,
    metrics: Metrics,
    #[cfg(feature = "metrics")]
    registry: prometheus::Registry,
    observers: Observers,
    baggage_peers: Arc<[String]>,
    introspect: Arc<[Arc<dyn Introspect>]>,
    extensions: http::Extensions,
}

impl Tekton {
    /// The component of this name, found when it is called. The calls are spread over its instances, if there are several; see
    /// [`Balancer`].
    #[must_use]
    pub fn peer(&self, name: impl Into<Arc<str>>) -> Peer {
        let name = name.into();
        Peer::found(self.clone(), Arc::clone(&name), Query::name(name))
    }

    /// Whoever matches best when called; the calls are spread over those that match equally well. Unless the query says
    /// [otherwise](Query::ranked), these are all that have the name of the newest.
    #[must_use]
    pub fn peer_for(&self, query: Query) -> Peer {
        Peer::found(self.clone(), query.describe().into(), query)
    }

    /// The component at this endpoint; no directory is asked.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the endpoint is malformed.
    pub fn peer_at(&self, endpoint: &str) -> Result<Peer> {
        let endpoint = Endpoint::parse(endpoint)?;
        let name = match endpoint.socket() {
            Some(_) => endpoint.to_string().into(),
            None => endpoint.authority().into(),
        };
        Ok(Peer::at(self.clone(), name, endpoint))
    }

    /// The typed client of a component that is there now.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if nobody matches, or those of the road to the directory.
    pub async fn find<C: Client>(&self) -> Result<C> {
        let peer = Peer::found(self.clone(), C::NAME.into(), C::query());
        peer.entries().await?;
        Ok(C::from_peer(peer))
    }

    /// The components that match, best first; none is an empty list.
    ///
    /// # Errors
    /// Those of the road to the directory, where nothing is remembered.
    pub async fn discover(&self, query: &Query) -> Result<Vec<Entry>> {
        Ok(self.directory().lookup(query).await?.to_vec())
    }

    /// Every registered component.
    ///
    /// # Errors
    /// Those of the road to the directory, where nothing is remembered.
    pub async fn components(&self) -> Result<Vec<Entry>> {
        self.discover(&Query::everybody()).await
    }

    /// The changes of what a query finds.
    pub fn watch(&self, query: Query) -> Watch {
        self.directory().watch(query)
    }

    /// The name under which this process calls others.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The directory with its memory.
    #[must_use]
    pub fn directory(&self) -> &CachedDirectory {
        self.0.resolves.directory()
    }

    /// The transport.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.0.transport
    }

    /// What is known of the instances that are called.
    #[must_use]
    pub fn balancer(&self) -> &Balancer {
        self.0.resolves.balancer()
    }

    /// Divides the calls to a component by these weights from now on, by version or instance; none divide them evenly. The
    /// component is named as [`Self::peer`] names it.
    pub fn set_weights(&self, target: &str, weights: Weights) {
        self.balancer().set_weights(target, weights);
    }

    /// The pipeline that every call goes through.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.0.pipeline
    }

    /// The answers that are kept for equal reads, and for when a component fails.
    #[must_use]
    pub fn replies(&self) -> &ReplyCache {
        &self.0.replies
    }

    /// Drops the answers that are kept of this component, for those who hear that they do not hold any more. Writes that go
    /// through this handle do it by themselves.
    pub fn forget(&self, target: &str) {
        self.0.replies.forget(target);
    }

    /// What a call has unless it says otherwise.
    #[must_use]
    pub fn defaults(&self) -> &RequestConfig {
        &self.0.defaults
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.0.clock
    }

    /// The source of randomness.
    #[must_use]
    pub fn random(&self) -> &Random {
        &self.0.random
    }

    /// Who hears of everything that happens.
    #[must_use]
    pub fn observers(&self) -> &Observers {
        &self.0.observers
    }

    /// What goes on inside, as one JSON object with a member for each part that shows its state.
    #[must_use]
    pub fn introspect(&self) -> serde_json::Value {
        let sections = self.0.introspect.iter().map(|part| (part.section().to_owned(), part.introspect()));
        serde_json::Value::Object(sections.collect())
    }

    /// The registry of the metrics.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    #[must_use]
    pub fn registry(&self) -> &prometheus::Registry {
        &self.0.registry
    }

    /// The metrics, for what is counted beside the calls.
    #[cfg(feature = "host")]
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// A setting that a room put in when this handle was built.
    pub(crate) fn setting<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.extensions.get::<T>().cloned()
    }

    /// The same handle, calling under another name.
    #[must_use]
    pub fn calling_as(&self, source: impl Into<Arc<str>>) -> Self {
        let inner = &*self.0;
        let source = source.into();
        Self(Arc::new(Inner {
            caller: HeaderValue::from_str(&source).ok(),
            source,
            transport: Arc::clone(&inner.transport),
            pipeline: inner.pipeline.clone(),
            resolves: Arc::clone(&inner.resolves),
            budgets: inner.budgets.clone(),
            rulebook: inner.rulebook.clone(),
            replies: inner.replies.clone(),
            defaults: inner.defaults.clone(),
            clock: inner.clock.clone(),
            random: inner.random.clone(),
            metrics: inner.metrics.clone(),
            #[cfg(feature = "metrics")]
            registry: inner.registry.clone(),
            observers: inner.observers.clone(),
            baggage_peers: Arc::clone(&inner.baggage_peers),
            introspect: Arc::clone(&inner.introspect),
            extensions: inner.extensions.clone(),
        }))
    }

    /// What calls go by.
    pub(crate) fn rulebook(&self) -> &Rulebook {
        &self.0.rulebook
    }

    /// How long a call may take unless it, or a policy of what it calls, says otherwise.
    pub(crate) fn usual_timeout(&self) -> Duration {
        self.0.rulebook.pages().rest.as_ref().map_or(self.0.defaults.timeout, |rules| rules.timeout)
    }

    /// Ends the work that runs beside the calls. Calls go on working.
    pub async fn shutdown(&self) {
        self.0.rulebook.close();
        self.directory().shutdown().await;
    }
}

impl fmt::Debug for Tekton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tekton")
            .field("source", &self.0.source)
            .field("pipeline", &self.0.pipeline)
            .finish_non_exhaustive()
    }
}
