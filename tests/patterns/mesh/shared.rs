//! HTTP/2: connections that calls share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future;
use http::StatusCode;
use tekton_sdk::{
    ErrorKind,
    time::{ManualClock, SharedClock},
    transport::{Body, Handler, Inbound, MeshTransport, MeshTransportConfig, Response},
};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{call, carrier::Far, numbers};

/// Answers once it is allowed to, and remembers how many waited at once at most.
#[derive(Debug)]
struct Waits {
    allowed: Semaphore,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Waits {
    fn allowing(count: usize) -> Arc<Self> {
        Arc::new(Self { allowed: Semaphore::new(count), now: AtomicUsize::new(0), most: AtomicUsize::new(0) })
    }

    async fn until_waiting(&self, count: usize) {
        while self.now.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Handler for Waits {
    async fn handle(&self, _request: Inbound) -> Response {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.allowed.acquire().await.unwrap().forget();
        self.now.fetch_sub(1, Ordering::SeqCst);
        Response::new(StatusCode::OK, Body::full("fine"))
    }
}

fn transport(config: MeshTransportConfig) -> (MeshTransport, ManualClock) {
    let clock = ManualClock::new();
    (MeshTransport::new(&config.with_http2(), SharedClock::new(clock.clone())).unwrap(), clock)
}

async fn calls(count: usize, transport: &MeshTransport, far: &Far) {
    let endpoint = far.endpoint();
    for outcome in future::join_all((0..count).map(|_| call(transport, &endpoint))).await {
        assert_eq!(outcome.unwrap(), "fine");
    }
}

#[tokio::test]
async fn calls_share_one_connection() {
    let waits = Waits::allowing(0);
    let far = Far::serving(Arc::clone(&waits) as _, 200).await;
    let (transport, _) = transport(MeshTransportConfig::default());
    future::join(calls(50, &transport, &far), async {
        waits.until_waiting(50).await;
        waits.allowed.add_permits(50);
    })
    .await;
    assert_eq!((far.connections(), numbers(&transport, &far.endpoint())), (1, (1, 1)));
}

#[tokio::test]
async fn more_calls_than_fit_open_another_connection() {
    let waits = Waits::allowing(0);
    let far = Far::serving(Arc::clone(&waits) as _, 200).await;
    let (transport, _) = transport(MeshTransportConfig::default().with_max_streams_per_connection(20));
    future::join(calls(50, &transport, &far), async {
        waits.until_waiting(50).await;
        waits.allowed.add_permits(50);
    })
    .await;
    assert_eq!(far.connections(), 3);
}

#[tokio::test]
async fn a_callee_that_allows_fewer_at_once_is_given_no_more() {
    let waits = Waits::allowing(0);
    let far = Far::serving(Arc::clone(&waits) as _, 2).await;
    let (transport, _) = transport(MeshTransportConfig::default());
    let endpoint = far.endpoint();
    waits.allowed.add_permits(1);
    assert_eq!(call(&transport, &endpoint).await.unwrap(), "fine");
    future::join(calls(6, &transport, &far), async {
        waits.until_waiting(2).await;
        waits.allowed.add_permits(6);
    })
    .await;
    let most = waits.most.load(Ordering::SeqCst);
    assert!(most <= 2 * far.connections(), "{most} at once on {} connections", far.connections());
}

#[tokio::test]
async fn a_connection_that_is_old_or_idled_too_long_is_replaced() {
    let far = Far::serving(Waits::allowing(1000), 200).await;
    let (transport, clock) = transport(MeshTransportConfig::default());
    calls(2, &transport, &far).await;
    clock.advance(Duration::from_secs(3));
    calls(2, &transport, &far).await;
    assert_eq!(far.connections(), 1);
    clock.advance(Duration::from_secs(4));
    calls(2, &transport, &far).await;
    assert_eq!(far.connections(), 2, "it idled");
    for _ in 0..100 {
        clock.advance(Duration::from_secs(3));
        if far.connections() == 2 {
            calls(1, &transport, &far).await;
        }
    }
    assert_eq!(far.connections(), 3, "it was too old");
}

#[tokio::test]
async fn a_shutdown_ends_the_connections_and_calls_go_on() {
    let far = Far::serving(Waits::allowing(1000), 200).await;
    let (transport, _) = transport(MeshTransportConfig::default());
    calls(2, &transport, &far).await;
    transport.shutdown().await;
    assert_eq!(numbers(&transport, &far.endpoint()), (0, 0));
    calls(2, &transport, &far).await;
    assert_eq!(far.connections(), 2);
}

#[tokio::test]
async fn a_callee_that_hung_up_is_called_on_a_fresh_connection() {
    let far = Far::serving(Waits::allowing(1000), 200).await;
    let (transport, _) = transport(MeshTransportConfig::default());
    calls(1, &transport, &far).await;
    let endpoint = far.endpoint();
    drop(far);
    // A call on the way when the connection breaks may have been sent. After it, nothing can be connected to.
    loop {
        match call(&transport, &endpoint).await.unwrap_err().kind() {
            ErrorKind::Connect => break,
            kind => assert_eq!(kind, ErrorKind::Interrupted),
        }
    }
    let again = Far::listening(TcpListener::bind(endpoint.authority()).await.unwrap(), Waits::allowing(1000), 200);
    calls(2, &transport, &again).await;
    assert_eq!((again.connections(), numbers(&transport, &endpoint).1), (1, 1));
}
