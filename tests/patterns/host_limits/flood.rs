//! A host that is full still says how it is, and still ends in order.

use std::{io::ErrorKind, net::SocketAddr};

use tekton_sdk::{Tekton, host::Served, time::ManualClock};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

async fn serve(change: impl FnOnce(HostConfig) -> HostConfig) -> (Served, SocketAddr, Arc<Gate>) {
    serve_of(Tekton::builder().build().unwrap(), change).await
}

async fn serve_of(tekton: Tekton, change: impl FnOnce(HostConfig) -> HostConfig) -> (Served, SocketAddr, Arc<Gate>) {
    let gate = Gate::new();
    let served =
        Desk(Arc::clone(&gate)).serve(&tekton).with_config(change(HostConfig::default())).start().await.unwrap();
    let address = served.endpoint().strip_prefix("http://").unwrap().parse().unwrap();
    (served, address, gate)
}

fn text(path: &str, headers: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n{headers}\r\n")
}

/// Sends a request and reads until the other side closes.
async fn whole(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";

/// A connection that is served, with a request that is answered on it.
async fn taken(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(HEALTH.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn health_answers_while_every_connection_is_taken() {
    let (served, address, _) = serve(|host| host.with_max_connections(2)).await;
    let idle = [taken(address).await, taken(address).await];
    for _ in 0..100 {
        // It ends because the host closes it.
        let health = whole(address, HEALTH).await;
        assert!(health.starts_with("HTTP/1.1 200") && health.contains("connection: close"), "{health}");
    }
    let refused = whole(address, &text("/api/v1/ping", "")).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 1\r\n") && refused.contains(r#""code":"connections""#), "{refused}");
    drop(idle);
    // Their places come free as soon as the host has seen them go.
    while !whole(address, &text("/api/v1/ping", "connection: close\r\n")).await.starts_with("HTTP/1.1 200") {
        tokio::task::yield_now().await;
    }
    served.shutdown().await;
}

#[tokio::test]
async fn silent_connections_beyond_the_limit_give_way_to_those_that_ask() {
    let tekton = Tekton::builder().clock(ManualClock::new()).build().unwrap();
    let (served, address, _) = serve_of(tekton, |host| host.with_max_connections(1)).await;
    let _idle = taken(address).await;
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(whole(address, HEALTH).await.starts_with("HTTP/1.1 200"));
    // The oldest of them is closed for it, and the others are not: the clock stands still.
    let closed =
        |stream: &TcpStream| !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    for _ in 0..100_000 {
        if closed(&silent[0]) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(closed(&silent[0]) && !closed(&silent[63]));
    served.shutdown().await;
}

#[tokio::test]
async fn the_address_of_a_connection_is_the_client_unless_a_proxy_is_trusted() {
    let (served, address, _) = serve(|host| host.with_client_rate_per_second(Some(1))).await;
    let ping = async |address, from: &str| {
        let headers = format!("connection: close\r\nx-forwarded-for: {from}\r\n");
        whole(address, &text("/api/v1/ping", &headers)).await
    };
    assert!(ping(address, "192.0.2.1").await.starts_with("HTTP/1.1 200"));
    let refused = ping(address, "192.0.2.2").await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 1\r\n"), "{refused}");
    served.shutdown().await;

    let trusting = |host: HostConfig| host.with_client_rate_per_second(Some(1)).with_trusted_proxies(["127.0.0.0/8"]);
    let (served, address, _) = serve(trusting).await;
    assert!(ping(address, "192.0.2.1").await.starts_with("HTTP/1.1 200"));
    assert!(ping(address, "192.0.2.2").await.starts_with("HTTP/1.1 200"));
    assert!(ping(address, "192.0.2.1").await.starts_with("HTTP/1.1 429"));
    served.shutdown().await;
}

/// Callers that ask again as soon as they are answered, on connections that stay open and on others.
#[tokio::test]
async fn a_flooded_host_ends_in_order() {
    let narrow = |host: HostConfig| host.with_max_concurrency(2).with_max_connections(8).with_queue_timeout(SECOND);
    let (served, address, gate) = serve(narrow).await;
    gate.open.add_permits(Semaphore::MAX_PERMITS / 2);
    let answered = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..20)
        .map(|n| {
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                // It ends when nobody listens any more.
                while let Ok(mut stream) = TcpStream::connect(address).await {
                    let mut answer = [0; 512];
                    while stream.write_all(text("/api/v1/work", "").as_bytes()).await.is_ok()
                        && stream.read(&mut answer).await.is_ok_and(|read| read > 0)
                    {
                        answered.fetch_add(1, Ordering::SeqCst);
                        if n % 2 == 0 {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    while answered.load(Ordering::SeqCst) < 500 {
        tokio::task::yield_now().await;
    }
    assert!(served.shutdown().await, "what ran has ended");
    assert_eq!(gate.running.load(Ordering::SeqCst), 0);
    for caller in flood {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn a_host_that_is_full_of_waiting_requests_ends_within_its_time() {
    let narrow = |host: HostConfig| {
        host.with_max_concurrency(1).with_queue_timeout(60 * SECOND).with_drain_timeout(Duration::from_millis(20))
    };
    let (served, address, gate) = serve(narrow).await;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text("/api/v1/work", "").as_bytes()).await.unwrap();
        waiting.push(stream);
        gate.until_began(1).await;
    }
    assert!(!served.shutdown().await, "what ran was cut off");
    // Those who waited were told, or came too late to be heard; none of them was begun when the place came free.
    let mut told = 0;
    for mut stream in waiting {
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503"), "{answer}");
        told += usize::from(answer.contains(r#""code":"shed""#));
    }
    assert!(told > 0);
    assert_eq!((gate.began().len(), gate.running.load(Ordering::SeqCst)), (1, 0));
}
