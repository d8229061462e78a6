//! A broker behind a WebSocket keeps the laws of a broker, as does what decorates it.

use async_trait::async_trait;
use tekton_sdk::{
    Result,
    patterns::events::Broker,
    testing::{FaultyBroker, conformance::broker::BrokerSubject},
};
use tokio::sync::Mutex;

use super::*;

type Decorate = fn(Arc<dyn Broker>, SharedClock) -> Arc<dyn Broker>;

/// A broker in memory that is served, and the subject, which is behind its port.
struct Behind {
    world: World,
    config: MemoryBrokerConfig,
    memory: MemoryBroker,
    subject: Arc<dyn Broker>,
    decorate: Decorate,
    hosts: Mutex<Vec<Served>>,
}

impl Behind {
    async fn new(config: MemoryBrokerConfig, decorate: Decorate) -> Self {
        let world = World::new();
        let memory = world.memory_with(config.clone(), 1, None);
        let (served, subject) = Self::subject(&world, &memory, decorate).await;
        Self { world, config, memory, subject, decorate, hosts: Mutex::new(vec![served]) }
    }

    async fn subject(world: &World, memory: &MemoryBroker, decorate: Decorate) -> (Served, Arc<dyn Broker>) {
        let served = world.serve(memory, 0).await;
        let broker = world.to(served.endpoint()).capabilities(memory.capabilities()).connect().await.unwrap();
        (served, decorate(Arc::new(broker), world.clock()))
    }
}

#[async_trait]
impl BrokerSubject for Behind {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.subject)
    }

    fn clock(&self) -> SharedClock {
        self.world.clock()
    }

    async fn pass(&self, time: Duration) {
        self.world.pass(time).await;
    }

    async fn restarted(&self, with_history: bool) -> Result<Option<Arc<dyn Broker>>> {
        let history = with_history.then(|| self.memory.history());
        let memory = self.world.memory_with(self.config.clone(), 2, history);
        let (served, subject) = Self::subject(&self.world, &memory, self.decorate).await;
        self.hosts.lock().await.push(served);
        Ok(Some(subject))
    }
}

mod a_component_s_broker {
    use super::{Behind, MemoryBrokerConfig};

    tekton_sdk::broker_conformance!(Behind::new(MemoryBrokerConfig::default(), |broker, _| broker).await);
}

mod one_without_a_history {
    use super::{Behind, MemoryBrokerConfig};

    tekton_sdk::broker_conformance!(
        Behind::new(MemoryBrokerConfig::default().with_history_events(0), |broker, _| broker).await
    );
}

mod a_decorated_one {
    use super::{Arc, Behind, FaultyBroker, MemoryBrokerConfig};

    tekton_sdk::broker_conformance!(
        Behind::new(MemoryBrokerConfig::default(), |broker, clock| Arc::new(FaultyBroker::shared(broker, clock).0))
            .await
    );
}
