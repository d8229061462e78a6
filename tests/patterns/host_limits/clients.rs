//! What one client may take.

use std::{future::IntoFuture, pin::pin};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tekton_sdk::{
    Tekton,
    patterns::request::Reply,
    testing::EventLog,
    time::{Clock, ManualClock},
};

use super::*;

fn from(address: &str) -> [(&'static str, &str); 1] {
    [("x-forwarded-for", address)]
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_it_is_let_in_again() {
    let (bed, _) = desk(|host| host.with_client_rate_per_second(Some(2)).with_client_burst(Some(3))).await;
    for _ in 0..3 {
        assert_eq!(ask(bed.transport(), "ping", &[]).await.status, 200);
    }
    let refused = ask(bed.transport(), "ping", &[]).await;
    assert_eq!(
        (refused.told(), refused.retry_after.as_deref()),
        ((429, "rate"), Some("1")),
        "half a second, rounded up"
    );
    assert_eq!(refused.body["retry_after"], 1);
    assert!(refused.body["detail"].as_str().unwrap().starts_with("rate: this client is served 2 requests"));
    bed.clock().advance(SECOND / 2);
    assert_eq!(ask(bed.transport(), "ping", &[]).await.status, 200);
    assert_eq!(ask(bed.transport(), "ping", &[]).await.told(), (429, "rate"));
    // Control routes have no limit.
    for _ in 0..20 {
        assert_eq!(get(bed.transport(), Method::GET, "/health", &[]).await.status, 200);
    }
}

#[tokio::test]
async fn a_caller_that_waits_as_long_as_it_was_told_is_let_in() {
    let (bed, _) = desk(|host| host.with_client_rate_per_second(Some(1))).await;
    let peer = bed.tekton().peer("desk");
    let first: Reply<Value> = peer.request("ping").await.unwrap();
    assert_eq!(*first, "pong");
    let before = bed.clock().now();
    let mut call = pin!(peer.request::<Value>("ping").safety(Safety::Read).into_future());
    let second = loop {
        match call.as_mut().now_or_never() {
            Some(second) => break second,
            None => bed.clock().advance(SECOND / 10),
        }
    };
    assert_eq!(second.unwrap().attempts(), 2, "it did not come too early");
    let waited = bed.clock().now() - before;
    assert!((SECOND..2 * SECOND).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn who_says_that_it_is_somebody_else_is_not_believed() {
    let (bed, _) = desk(|host| host.with_client_rate_per_second(Some(1))).await;
    let said = |n: u8| [("x-forwarded-for", format!("192.0.2.{n}")), ("x-tekton-caller", format!("caller-{n}"))];
    let mut let_in = 0;
    for n in 0..20 {
        let said = said(n);
        let headers: Vec<_> = said.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let_in += usize::from(ask(bed.transport(), "ping", &headers).await.status == 200);
    }
    assert_eq!(let_in, 1, "neither header makes another client");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_is_a_client() {
    let trusted =
        |host: HostConfig| host.with_client_rate_per_second(Some(1)).with_trusted_proxies(["unix", "10.0.0.0/8"]);
    let (bed, _) = desk(trusted).await;
    let status = async |address: &str| ask(bed.transport(), "ping", &from(address)).await.status;
    assert_eq!([status("192.0.2.1").await, status("192.0.2.2").await], [200, 200]);
    assert_eq!(status("192.0.2.1").await, 429);
    // The rightmost that is no trusted proxy counts, whatever the client wrote to the left of it.
    assert_eq!(status("6.6.6.6, 192.0.2.1").await, 429);
    assert_eq!(status("7.7.7.7, 192.0.2.1, 10.1.2.3, 10.3.2.1").await, 429);
    assert_eq!(status("192.0.2.3, 10.1.2.3").await, 200);
    // All of a network of IPv6 is one client.
    assert_eq!(
        [status("2001:db8::1").await, status("2001:db8::2").await, status("2001:db8:0:1::1").await],
        [200, 429, 200]
    );
    // What is no address ends the list: the nearest trusted hop counts, for all who write such a thing.
    assert_eq!([status("192.0.2.9, unknown").await, status("192.0.2.10, junk").await], [200, 429]);
}

#[tokio::test]
async fn who_is_proven_is_the_client_whatever_the_address() {
    let trusted = |host: HostConfig| host.with_client_rate_per_second(Some(1)).with_trusted_proxies(["unix"]);
    let (bed, _) = desk(trusted).await;
    let status = async |token: &str, address: &str| {
        ask(bed.transport(), "ping", &[("authorization", token), ("x-forwarded-for", address)]).await.status
    };
    assert_eq!(status("token a", "192.0.2.1").await, 200);
    assert_eq!(status("token a", "192.0.2.2").await, 429, "one client at two addresses");
    assert_eq!(status("token b", "192.0.2.1").await, 200, "two clients at one address");
    assert_eq!(ask(bed.transport(), "ping", &from("192.0.2.1")).await.status, 200, "and one without a proof");
    // A proof that is not accepted counts against its address, and is not tried for ever.
    assert_eq!([status("bad", "192.0.2.3").await, status("bad", "192.0.2.3").await], [401, 429]);
    assert_eq!([status("bad", "192.0.2.1").await, status("token c", "192.0.2.3").await], [429, 200]);
}

#[tokio::test]
async fn an_operation_knows_who_calls_if_that_is_proven() {
    let (bed, _) = desk(|host| host).await;
    let who = async |headers: &[(&'static str, &str)]| ask(bed.transport(), "who", headers).await;
    assert_eq!(who(&[("authorization", "token ada")]).await.body, json!(["ada", true]));
    assert_eq!(who(&[("x-tekton-caller", "ada")]).await.body, Value::Null);
    let refused = who(&[("authorization", "bad")]).await;
    assert_eq!((refused.told(), &refused.retry_after), ((401, "unauthorized"), &None));
}

#[tokio::test]
async fn a_hundred_thousand_addresses_are_told_apart_in_bounded_memory() {
    let (clock, transport) = (ManualClock::new(), MemoryTransport::new());
    let tekton = Tekton::builder().clock(clock.clone()).build().unwrap();
    let config = HostConfig::default().with_introspect(true).with_client_rate_per_second(Some(1));
    let serve = Desk(Gate::new()).serve(&tekton).with_config(config.with_trusted_proxies(["unix"]));
    let served = serve.in_memory(&transport).start().await.unwrap();
    let ping = async |n: u32| {
        let address = std::net::Ipv4Addr::from_bits(n).to_string();
        ask(&transport, "ping", &from(&address)).await.status
    };
    for n in 0..100_000 {
        assert_eq!(ping(n).await, 200, "{n}");
    }
    assert_eq!(limits(&transport).await["clients"], 100_000);
    assert_eq!(ping(7).await, 429);
    // More than are remembered, all at once: the one who is throttled stays so, and nothing grows.
    let mut let_in = 0;
    for n in 100_000..150_000 {
        let_in += usize::from(ping(n).await == 200);
    }
    assert_eq!(ping(7).await, 429);
    let known = limits(&transport).await["clients"].as_u64().unwrap();
    assert!(known <= 1 << 17, "{known}");
    assert!((10_000..40_000).contains(&let_in), "{let_in}");
    clock.advance(SECOND);
    assert_eq!(ping(250_000).await, 200, "who owes nothing makes room");
    served.shutdown().await;
}

#[tokio::test]
async fn a_client_has_so_many_requests_at_once() {
    let (bed, gate) = desk(|host| host.with_client_max_concurrency(Some(2))).await;
    let work = |token: &'static str| {
        let transport = bed.transport().clone();
        tokio::spawn(async move { ask(&transport, "work", &[("authorization", token)]).await.status })
    };
    let running = [work("token a"), work("token a")];
    gate.until_began(2).await;
    let refused = ask(bed.transport(), "ping", &[("authorization", "token a")]).await;
    assert_eq!((refused.told(), refused.retry_after.as_deref()), ((429, "client_concurrency"), Some("1")));
    assert!(refused.body["detail"].as_str().unwrap().starts_with("client_concurrency: 2 requests of this client"));
    assert_eq!(ask(bed.transport(), "ping", &[("authorization", "token b")]).await.status, 200);
    assert_eq!(limits(bed.transport()).await["clients"], 1);
    // One goes away, one ends: each gives its share back.
    running[0].abort();
    while gate.running.load(Ordering::SeqCst) > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(bed.transport(), "ping", &[("authorization", "token a")]).await.status, 200);
    gate.open.add_permits(1);
    let [_, ended] = running;
    assert_eq!(ended.await.unwrap(), 200);
    assert_eq!(limits(bed.transport()).await["clients"], 0);
}

#[tokio::test]
async fn a_refusal_is_counted_and_told_by_its_limit() {
    let log = EventLog::default();
    let tekton = Tekton::builder().observer(log.clone()).build().unwrap();
    let transport = MemoryTransport::new();
    let config = HostConfig::default().with_client_rate_per_second(Some(1));
    let serve = Desk(Gate::new()).serve(&tekton).with_config(config).in_memory(&transport);
    let served = serve.start().await.unwrap();
    assert_eq!(ask(&transport, "ping", &[]).await.status, 200);
    assert_eq!(ask(&transport, "ping", &[]).await.status, 429);
    assert_eq!(log.named("serve_refused")[0].field("reason"), Some("rate"));
    let text = prometheus::TextEncoder::new().encode_to_string(&tekton.registry().gather()).unwrap();
    let line = r#"integration_served_refused_total{component="desk",operation="ping",reason="rate"} 1"#;
    assert!(text.contains(line), "{text}");
    served.shutdown().await;
}
