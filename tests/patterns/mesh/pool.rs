//! How long connections are kept, and how many.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future;
use tekton_sdk::{
    time::{ManualClock, SharedClock},
    transport::{MeshTransport, MeshTransportConfig},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    sync::{Barrier, mpsc},
};

use super::{FINE, Far, call, numbers, read_request, transport};

fn on(clock: &ManualClock, config: MeshTransportConfig) -> MeshTransport {
    MeshTransport::new(&config, SharedClock::new(clock.clone())).unwrap()
}

#[tokio::test]
async fn a_connection_that_idled_too_long_is_not_used() {
    let (far, clock) = (Far::answering(FINE).await, ManualClock::new());
    let transport = on(&clock, MeshTransportConfig::default().with_idle_timeout(Duration::from_secs(4)));
    call(&transport, &far.endpoint).await.unwrap();
    clock.advance(Duration::from_millis(3999));
    call(&transport, &far.endpoint).await.unwrap();
    assert_eq!(far.connections(), 1);
    clock.advance(Duration::from_secs(4));
    call(&transport, &far.endpoint).await.unwrap();
    assert_eq!((far.connections(), numbers(&transport, &far.endpoint)), (2, (1, 1)));
}

#[tokio::test]
async fn a_connection_that_is_too_old_is_not_used_however_busy_it_was() {
    let (far, clock) = (Far::answering(FINE).await, ManualClock::new());
    let transport = on(&clock, MeshTransportConfig::default().with_max_age(Duration::from_secs(10)));
    for second in 0..30 {
        call(&transport, &far.endpoint).await.unwrap();
        assert_eq!(far.connections(), 1 + second / 10, "after {second} s");
        clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn connections_that_nobody_calls_for_are_closed() {
    let (told, mut closed) = mpsc::unbounded_channel();
    let far = Far::new(move |number, mut stream| {
        let told = told.clone();
        async move {
            while read_request(&mut stream).await.is_some() {
                stream.write_all(FINE.as_bytes()).await.unwrap();
            }
            told.send(number).unwrap();
        }
    });
    let (far, clock) = (far.await, ManualClock::new());
    let transport = on(&clock, MeshTransportConfig::default().with_idle_timeout(Duration::from_secs(4)));
    for round in 1..3 {
        call(&transport, &far.endpoint).await.unwrap();
        // The sweeper looks once in four seconds.
        clock.until_sleeping(1).await;
        clock.advance(Duration::from_secs(4));
        assert_eq!(closed.recv().await, Some(round));
        assert_eq!(numbers(&transport, &far.endpoint), (0, 0));
    }
}

/// Answers only when so many requests have come.
async fn together(count: usize) -> Far {
    let all = Arc::new(Barrier::new(count));
    Far::new(move |_, mut stream| {
        let all = Arc::clone(&all);
        async move {
            while read_request(&mut stream).await.is_some() {
                all.wait().await;
                stream.write_all(FINE.as_bytes()).await.unwrap();
            }
        }
    })
    .await
}

async fn all_at_once(count: usize, transport: &MeshTransport, far: &Far) {
    for outcome in future::join_all((0..count).map(|_| call(transport, &far.endpoint))).await {
        assert_eq!(outcome.unwrap(), "fine");
    }
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_the_config_says() {
    let (far, clock) = (together(8).await, ManualClock::new());
    let transport = on(&clock, MeshTransportConfig::default().with_max_idle_per_endpoint(3));
    all_at_once(8, &transport, &far).await;
    assert_eq!((far.connections(), numbers(&transport, &far.endpoint)), (8, (3, 3)));
    all_at_once(8, &transport, &far).await;
    assert_eq!((far.connections(), numbers(&transport, &far.endpoint)), (8 + 5, (3, 3)));
}

#[tokio::test]
async fn beyond_the_most_endpoints_the_one_called_longest_ago_is_forgotten() {
    let clock = ManualClock::new();
    let transport = on(&clock, MeshTransportConfig::default().with_max_endpoints(2));
    let fars = [Far::answering(FINE).await, Far::answering(FINE).await, Far::answering(FINE).await];
    for far in &fars {
        call(&transport, &far.endpoint).await.unwrap();
        clock.advance(Duration::from_millis(10));
    }
    let idle = |far: &Far| numbers(&transport, &far.endpoint).1;
    assert_eq!(fars.each_ref().map(idle), [0, 1, 1]);
    call(&transport, &fars[0].endpoint).await.unwrap();
    assert_eq!(fars.each_ref().map(idle), [1, 0, 1]);
}

#[tokio::test]
async fn a_peer_that_closes_after_each_answer_is_called_as_often_as_one_likes() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let far = Far::new(move |_, mut stream| {
        let count = Arc::clone(&count);
        async move {
            if read_request(&mut stream).await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(FINE.as_bytes()).await.unwrap();
            }
        }
    });
    let (far, transport) = (far.await, transport());
    for _ in 0..50 {
        assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
    }
    assert_eq!((far.connections(), requests.load(Ordering::SeqCst)), (50, 50));
}

#[tokio::test]
async fn after_a_restart_no_call_fails_and_nothing_is_sent_twice() {
    const MANY: usize = 16;
    let before = together(MANY).await;
    let transport = transport();
    all_at_once(MANY, &transport, &before).await;
    let endpoint = before.endpoint.clone();
    assert_eq!(numbers(&transport, &endpoint), (16, 16));
    let address = endpoint.authority().to_owned();
    before.task.abort();
    while !before.task.is_finished() {
        tokio::task::yield_now().await;
    }
    let listener = TcpListener::bind(&address).await.unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let after = Far::listening(listener, move |_, mut stream| {
        let count = Arc::clone(&count);
        async move {
            while read_request(&mut stream).await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(FINE.as_bytes()).await.unwrap();
            }
        }
    });
    all_at_once(MANY, &transport, &after).await;
    assert_eq!(requests.load(Ordering::SeqCst), MANY);
    assert!(numbers(&transport, &endpoint).0 <= MANY as u64, "the dead ones are gone");
}

#[tokio::test]
async fn a_shutdown_closes_what_idles_and_calls_go_on() {
    let (far, transport) = (Far::answering(FINE).await, transport());
    call(&transport, &far.endpoint).await.unwrap();
    transport.shutdown().await;
    assert_eq!(numbers(&transport, &far.endpoint), (0, 0));
    assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
    assert_eq!(far.connections(), 2);
}
