//! Starting a component, and ending it in order.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{
    Component, Identify, Operations,
    client::Clients,
    control::Control,
    inside::Inside,
    limit::Places,
    listen::{Listeners, Listening},
    origin::Origins,
    router::Router,
    served::{Road, Served},
    server::{Server, ServerLimits, Serving},
    socket::UnixServer,
    sockets::Sockets,
    spend::Purse,
    stream::Streams,
    ticket::Tickets,
    tools,
    topics::{Entry, TOPIC_METHODS, TopicGuard, Topics},
};
use crate::{
    config::HostConfig,
    context::Allowance,
    contract::{Descriptor, Registration},
    directory::{Directory, HubConfig, Presence, Registered},
    env::Env,
    error::{Error, FieldError, Result},
    names::{ComponentId, ComponentName, Instance},
    patterns::events::Events,
    tekton::Tekton,
    telemetry::{Event, Observers, names},
    transport::{Endpoint, Handler, MemoryTransport},
    wire::hermes::{EndpointInfo, Metadata},
};

/// A component that is about to be served; see [`Component::serve`](super::Component::serve).
#[must_use = "nothing is served until `start` is awaited"]
#[derive(Debug)]
pub struct Serve {
    tekton: Tekton,
    descriptor: Descriptor,
    operations: Operations,
    listeners: Listeners,
    listen_to: Option<Events>,
    config: HostConfig,
    instance: Option<String>,
    port: Option<u16>,
    own_port: u16,
    advertise: Option<String>,
    memory: Option<MemoryTransport>,
    spend_at_most: Allowance,
    identify: Option<Arc<dyn Identify>>,
    events: Option<Events>,
    guard: Option<Arc<dyn TopicGuard>>,
}

impl Serve {
    pub(crate) fn new(tekton: Tekton, descriptor: Descriptor, operations: Operations) -> Self {
        let config = tekton.setting::<HostConfig>().unwrap_or_default();
        let instance = tekton.setting::<Instance>().map(|instance| instance.to_string());
        Self {
            tekton,
            descriptor,
            operations,
            listeners: Listeners::new(),
            listen_to: None,
            config,
            instance,
            port: None,
            own_port: 0,
            advertise: None,
            memory: None,
            spend_at_most: Allowance::default(),
            identify: None,
            events: None,
            guard: None,
        }
    }

    /// What is served of a component.
    pub(crate) fn of<C: Component>(component: C, tekton: &Tekton) -> Self {
        let (descriptor, component) = (component.descriptor(), Arc::new(component));
        let listeners = Arc::clone(&component).listeners();
        Self { listeners, ..Self::new(tekton.clone(), descriptor, component.operations()) }
    }

    /// The component's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.descriptor.name
    }

    /// Listens on this address. Default: the configuration's, which is 127.0.0.1.
    pub fn bind(mut self, address: IpAddr) -> Self {
        self.config.bind = address;
        self
    }

    /// Listens on this port; 0 is any free one. Default: `<NAME>_PORT`, else the configuration's, which is 0.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The port that the component names itself: taken where nobody else names one.
    pub(crate) const fn port_of_its_own(mut self, port: u16) -> Self {
        self.own_port = port;
        self
    }

    /// Listens on a Unix socket at this absolute path, besides the port. The registration names the port, so that other machines
    /// reach the component; [`unix_socket_only`](Self::unix_socket_only) leaves the port out. Default: the configuration's,
    /// which is none.
    pub fn unix_socket(mut self, path: impl Into<String>) -> Self {
        self.config.unix_socket = Some(path.into());
        self
    }

    /// Listens on a Unix socket at this absolute path and on no port; the registration names the socket.
    pub fn unix_socket_only(mut self, path: impl Into<String>) -> Self {
        self.config.tcp = false;
        self.unix_socket(path)
    }

    /// Tells others this host instead of the address listened on.
    pub fn advertise(mut self, host: impl Into<String>) -> Self {
        self.advertise = Some(host.into());
        self
    }

    /// Tells this process apart from others of its name. Default: `TEKTON_INSTANCE`, else made from host and port.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Replaces every setting of the host.
    pub fn with_config(mut self, config: HostConfig) -> Self {
        self.config = config;
        self
    }

    /// Lets each of its operations spend at most this with the calls that it makes, also where its caller sets no limit or a higher
    /// one. Default: what the caller allows.
    pub fn spend_at_most(mut self, limit: impl Into<Allowance>) -> Self {
        self.spend_at_most = limit.into();
        self
    }

    /// Lets this say who calls. Default: nobody is identified, whatever a caller says of itself.
    pub fn identify(mut self, identify: impl Identify) -> Self {
        self.identify = Some(Arc::new(identify));
        self
    }

    /// Serves the topics of these events too: to be subscribed to and published on over `/ws`, and heard at `/events`. Whoever may
    /// connect may hear and publish everything, unless [`guard_topics`](Self::guard_topics) says otherwise. Default: no topics.
    ///
    /// An operation cannot be called `subscribe`, `unsubscribe`, `publish`, `ack`, `nack` or `progress` then.
    pub fn events(mut self, events: &Events) -> Self {
        self.events = Some(events.clone());
        self
    }

    /// Lets the component's [`Listeners`] hear these events. Default: those of [`events`](Self::events), else the handle's,
    /// [`Tekton::events`].
    pub fn listen_to(mut self, events: &Events) -> Self {
        self.listen_to = Some(events.clone());
        self
    }

    /// Lets this decide which topics somebody may hear and publish on. Default: all of them.
    pub fn guard_topics(mut self, guard: impl TopicGuard) -> Self {
        self.guard = Some(Arc::new(guard));
        self
    }

    /// Serves within the process, as `memory://<id>`, without a socket.
    pub fn in_memory(mut self, transport: &MemoryTransport) -> Self {
        self.memory = Some(transport.clone());
        self
    }

    /// Starts: listens, subscribes what listens to events, takes calls, registers, and keeps the registration. A directory or a
    /// broker that is down is no failure: the component serves, and registers and hears when it can.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) with everything that is wrong about the component, its operations, its listeners
    /// and the host's settings, or naming the port that is taken.
    pub async fn start(mut self) -> Result<Served> {
        self.check()?;
        if self.memory.is_none() {
            self.config.advertise_host = self.advertised()?;
        }
        let clock = self.tekton.clock().clone();
        let listening = self.listening();
        let (metrics, name) = (self.tekton.metrics().clone(), &*self.descriptor.name);
        self.operations.measure(|operation| metrics.served(name, operation));
        let inside = if self.config.introspect { Some(Inside::of(&self.tekton, &self.config)?) } else { None };
        let identify = self.identify.take();
        let clients = Clients::new(&self.config, clock.now()).map(Arc::new);
        let random = self.tekton.random().clone();
        let tickets = Arc::new(Tickets::new(&self.config, clock.clone(), random, clients.clone()));
        let topics = self.events.as_ref().map(|events| {
            let entry = Entry {
                identify: identify.clone(),
                clients: clients.clone(),
                clock: clock.clone(),
                limit: self.config.request_timeout,
            };
            Arc::new(Topics::new(Arc::clone(events.broker()), self.guard.take(), entry, &self.config))
        });
        let router = Arc::new(Router {
            origins: Origins::of(&self.config),
            topics,
            unknown: metrics.served(name, names::OTHER),
            component: name.into(),
            streams: Arc::new(Streams::new(&self.config, clock.clone(), self.tekton.random().clone())),
            random: self.tekton.random().clone(),
            observers: self.tekton.observers().clone(),
            control: Control::new(self.tekton.clone(), self.descriptor.clone(), &self.operations, listening, inside),
            versions: self.descriptor.api_versions.clone(),
            purse: Purse { most: self.spend_at_most, price: self.descriptor.cost },
            places: Arc::new(Places::new(&self.config, clock.clone())),
            clients,
            tickets,
            identify,
            operations: std::mem::take(&mut self.operations),
            config: self.config.clone(),
            clock: clock.clone(),
        });
        let handler: Arc<dyn Handler> = Arc::clone(&router) as _;
        let (road, endpoint, instance) = match &self.memory {
            Some(memory) => {
                let instance = self.instance.clone().unwrap_or_else(|| "1".to_owned());
                let binding = memory.bind(&format!("{}-{instance}", self.descriptor.name), handler)?;
                let endpoint = binding.endpoint().to_string();
                (Road::Memory { _binding: binding }, endpoint, Instance::new(instance)?)
            }
            None => {
                let sockets = self.listen(handler, &router).await?;
                let (endpoint, instance) = match (&sockets.tcp, &sockets.unix) {
                    (None, Some(socket)) => {
                        let endpoint = socket.endpoint().to_string();
                        let instance = Instance::from_path(self.config.unix_socket.as_deref().unwrap_or_default());
                        (endpoint, instance)
                    }
                    (tcp, _) => {
                        let bound = tcp.as_ref().map_or(SocketAddr::new(self.config.bind, 0), Server::local_addr);
                        let (host, port) = (self.advertised_host(bound), bound.port());
                        router.control.set_port(port);
                        let instance = Instance::from_address(&host, port);
                        let shown = if host.contains(':') { format!("[{host}]") } else { host };
                        (format!("http://{shown}:{port}"), instance)
                    }
                };
                let instance = self.instance.as_ref().map(Instance::new).transpose()?.unwrap_or(instance);
                (Road::Sockets(sockets), endpoint, instance)
            }
        };
        router.control.listening().begin().await?;
        router.control.set_ready(true);
        let registration = self.registration(&router, &endpoint, &instance)?;
        let id = registration.id.clone();
        let registered = self.register(registration).await;
        if let Some(registered) = &registered {
            router.control.set_registered(registered.presence() == Presence::Registered);
        }
        let follow = registered.as_ref().map(|registered| {
            let (mut presence, router, component) = (registered.subscribe(), Arc::clone(&router), id.clone());
            let mut before = *presence.borrow_and_update();
            tell_presence(&router.observers, &component, before);
            tokio::spawn(async move {
                while presence.changed().await.is_ok() {
                    let now = *presence.borrow_and_update();
                    router.control.set_registered(now == Presence::Registered);
                    if now != before {
                        tell_presence(&router.observers, &component, now);
                        before = now;
                    }
                }
            })
        });
        tracing::info!(id, endpoint, "serving");
        Ok(Served { id, endpoint, router, road, registered, follow, drain_timeout: self.config.drain_timeout })
    }

    async fn listen(&self, handler: Arc<dyn Handler>, router: &Router) -> Result<Sockets> {
        let limits = ServerLimits {
            header_timeout: self.config.header_timeout,
            write_timeout: self.config.write_timeout,
            max_header_bytes: self.config.max_header_bytes,
            max_connections: self.config.max_connections,
        };
        let serving = Serving::new(handler, limits, &self.config, router.clock.clone())
            .with_topics(router.topics.clone(), Arc::clone(&router.tickets));
        let unix = match &self.config.unix_socket {
            Some(path) => Some(UnixServer::serve(path, serving.clone()).await?),
            None => None,
        };
        let tcp = match self.config.tcp {
            true => {
                let address = SocketAddr::new(self.config.bind, self.port_to_bind()?);
                Some(Server::serve(address, serving).await?)
            }
            false => None,
        };
        Ok(Sockets { tcp, unix })
    }

    fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        for result in [self.descriptor.validate(), self.operations.validate()] {
            if let Err(error) = result {
                wrong.extend_from_slice(error.fields());
            }
        }
        if let Some(Err(error)) = self.instance.as_ref().map(Instance::new) {
            wrong.push(FieldError::new("instance", error.to_string()));
        }
        if self.events.is_some() {
            let taken = self.operations.table().filter(|operation| TOPIC_METHODS.contains(&operation.name));
            wrong.extend(taken.map(|operation| {
                FieldError::new(
                    operation.name,
                    "is the name of a method of topics, which this component serves; name it otherwise",
                )
            }));
        }
        if !self.listeners.is_empty() {
            let can = self.heard().broker().capabilities();
            wrong.extend(self.listeners.problems(&self.descriptor.name, can));
        }
        wrong.extend(self.config.validate());
        if self.memory.is_none() && !self.config.tcp && self.config.unix_socket.is_none() {
            wrong.push(FieldError::new("host.tcp", "is off, and nothing else is listened on; name a host.unix_socket"));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::config(format!("the component {:?} cannot be served", self.descriptor.name)).with_fields(wrong))
    }

    /// What the listeners hear.
    fn heard(&self) -> Events {
        self.listen_to.clone().or_else(|| self.events.clone()).unwrap_or_else(|| self.tekton.events())
    }

    fn listening(&mut self) -> Listening {
        let listeners = std::mem::take(&mut self.listeners);
        let (clock, random) = (self.tekton.clock(), self.tekton.random());
        Listening::new(&self.descriptor.name, listeners, || self.heard(), clock, random)
    }

    /// The builder's port, else `<NAME>_PORT`, else the configuration's, else the component's.
    fn port_to_bind(&self) -> Result<u16> {
        if let Some(port) = self.port {
            return Ok(port);
        }
        let named = match self.tekton.setting::<Env>() {
            Some(env) => env.port_for(&self.descriptor.name)?,
            None => None,
        };
        let configured = if self.config.port == 0 { self.own_port } else { self.config.port };
        Ok(named.unwrap_or(configured))
    }

    /// The builder's host, else `<NAME>_HOST`, else the configuration's.
    fn advertised(&self) -> Result<Option<String>> {
        let named = match self.tekton.setting::<Env>() {
            Some(env) => env.host_for(&self.descriptor.name)?,
            None => None,
        };
        Ok(self.advertise.clone().or(named).or_else(|| self.config.advertise_host.clone()))
    }

    /// The host that others are told: the one named, else the address listened on.
    fn advertised_host(&self, bound: SocketAddr) -> String {
        self.config.advertise_host.clone().unwrap_or_else(|| match bound.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            ip => ip.to_string(),
        })
    }

    fn registration(&self, router: &Router, endpoint: &str, instance: &Instance) -> Result<Registration> {
        let Descriptor { name, version, kind, .. } = &self.descriptor;
        let id = ComponentId::of(&ComponentName::new(name)?, instance);
        let mut registration = Registration::new(id.as_str(), name, version, endpoint);
        registration.kind.clone_from(kind);
        registration.capabilities = self.descriptor.capabilities.iter().map(|(name, _)| name.clone()).collect();
        registration.metadata = self.metadata(router, endpoint, instance);
        registration.tools = tools::published(&router.operations, &self.descriptor, &registration);
        Ok(registration)
    }

    fn metadata(&self, router: &Router, endpoint: &str, instance: &Instance) -> Metadata {
        let descriptor = &self.descriptor;
        let parsed = Endpoint::parse(endpoint).ok();
        let endpoints = descriptor.api_versions.iter().flat_map(|version| {
            router.operations.table().map(move |operation| {
                EndpointInfo::new(format!("/api/v{version}/{}", operation.name), ["POST"])
                    .with_description(operation.description)
            })
        });
        Metadata {
            description: (!descriptor.description.is_empty()).then(|| descriptor.description.clone()),
            host: parsed.as_ref().filter(|at| at.socket().is_none()).map(|endpoint| endpoint.host().to_owned()),
            port: parsed.as_ref().and_then(Endpoint::port),
            health_check: Some("/health".to_owned()),
            dependencies: descriptor.dependencies.clone(),
            endpoints: endpoints.collect(),
            instance: Some(instance.to_string()),
            api_versions: descriptor.api_versions.iter().map(ToString::to_string).collect(),
            scores: descriptor.scores(),
            context_window: descriptor.context_window,
            cost: descriptor.cost,
            sdk: Some(crate::SDK.to_owned()),
            ..Metadata::default()
        }
    }

    async fn register(&self, registration: Registration) -> Option<Registered> {
        let directory = self.tekton.directory();
        if !directory.capabilities().registration {
            tracing::info!("the directory takes no registrations; the component is served all the same");
            return None;
        }
        let config = self.tekton.setting::<HubConfig>().unwrap_or_default();
        let (clock, random) = (self.tekton.clock().clone(), self.tekton.random().clone());
        Some(Registered::keep(Arc::new(directory.clone()), registration, &config, clock, random).await)
    }
}

fn tell_presence(observers: &Observers, component: &str, presence: Presence) {
    let presence = match presence {
        Presence::Absent => "absent",
        Presence::Registered => "registered",
        Presence::Replaced => "replaced",
    };
    observers.tell(&Event::PresenceChanged { component, presence });
}
