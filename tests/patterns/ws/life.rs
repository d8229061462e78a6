//! When connections are made, and when one counts as dead: in virtual time, over real sockets.

use tekton_sdk::{ErrorKind, RetryHint, Sent};

use super::*;

/// Lets a connection serve, and then be lost: after it, the clock stands at six seconds.
async fn lost_after_service(transport: &WebSocketTransport, clock: &ManualClock, server: &ScriptedWebSocket) {
    server.script([WsStep::Await(1), fine(), WsStep::Await(2), WsStep::Close(1001)]);
    assert_eq!(call(transport, server, "[1]").await.unwrap(), "\"fine\"");
    clock.advance(6 * SECOND);
    let error = call(transport, server, "[2]").await.unwrap_err();
    assert_eq!(why(&error), Some(Closed::GoingAway), "{}", error.report());
}

#[tokio::test]
async fn a_silent_peer_is_dead_within_two_intervals_whatever_tcp_believes() {
    let server = Arc::new(server().await);
    server.script([WsStep::Await(1), fine(), WsStep::Await(2), WsStep::Stall]);
    let (transport, clock) = manual(WebSocketTransportConfig::default());
    assert_eq!(call(&transport, &server, "[1]").await.unwrap(), "\"fine\"");
    let waiting = calling(&transport, &server, "[2]");
    server.until(|server| server.messages().len() == 2).await;
    for _ in 0..2 {
        assert!(!waiting.is_finished());
        clock.until_sleeping(1).await;
        clock.advance(15 * SECOND);
    }
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), why(&error)), (ErrorKind::Interrupted, Some(Closed::Silent)), "{}", error.report());
}

/// A second call, after which the script of the server goes on.
async fn call_in_passing(transport: &WebSocketTransport, server: &ScriptedWebSocket) {
    let mut passing = Box::pin(call(transport, server, "[2]"));
    assert!(futures_util::poll!(&mut passing).is_pending());
    drop(passing);
}

#[tokio::test]
async fn a_peer_that_answers_pings_and_nothing_else_lives() {
    let server = Arc::new(server().await);
    server.script([WsStep::Await(2), WsStep::Say(FINE.to_owned())]);
    let (transport, clock) = manual(WebSocketTransportConfig::default());
    let waiting = calling(&transport, &server, "[1]");
    server.until(|server| server.messages().len() == 1).await;
    for n in 1..=10 {
        clock.until_sleeping(1).await;
        clock.advance(15 * SECOND);
        server.until(|server| server.pings() == n).await;
        // The pong goes out before the server does anything else.
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
    }
    call_in_passing(&transport, &server).await;
    assert_eq!(waiting.await.unwrap().unwrap(), "\"fine\"");
}

#[tokio::test]
async fn calls_wait_for_the_first_reconnection_and_those_of_many_clients_are_spread_over_five_seconds() {
    let server = Arc::new(server().await);
    let clock = ManualClock::new();
    let mut waiting = Vec::new();
    let mut transports = Vec::new();
    for seed in 0..12 {
        let shared = SharedClock::new(clock.clone());
        let config = WebSocketTransportConfig::default();
        transports.push(WebSocketTransport::new(&config, shared, Random::seeded(seed)).unwrap());
    }
    for transport in &transports {
        server.script([WsStep::Await(1), fine(), WsStep::Await(2), WsStep::Close(1001)]);
        assert_eq!(call(transport, &server, "[1]").await.unwrap(), "\"fine\"");
    }
    clock.advance(6 * SECOND);
    for transport in &transports {
        assert_eq!(why(&call(transport, &server, "[2]").await.unwrap_err()), Some(Closed::GoingAway));
    }
    for transport in &transports {
        waiting.push(calling(transport, &server, "[3]"));
    }
    clock.until_sleeping(transports.len()).await;
    let mut at = Vec::new();
    for _ in 0..10 {
        clock.advance(SECOND / 2);
        // Those that are due are done when everybody else sleeps or has a connection.
        for _ in 0..2000 {
            tokio::task::yield_now().await;
        }
        at.push(server.connections() - transports.len());
    }
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap(), "[3]");
    }
    assert_eq!(server.connections(), 2 * transports.len());
    at.dedup();
    assert!(at.len() >= 5, "they came in {} steps: {at:?}", at.len());
}

#[tokio::test]
async fn where_an_attempt_has_failed_calls_fail_at_once_until_the_next_is_due() {
    let (transport, clock) = manual(WebSocketTransportConfig::default());
    let server = server().await;
    lost_after_service(&transport, &clock, &server).await;
    let endpoint = server.endpoint().clone();
    drop(server);
    let mut longest = Duration::ZERO;
    for _ in 0..6 {
        // It waits for its turn, or is refused at once.
        let mut sending = Box::pin(send(&transport, &endpoint, "x", "{}"));
        let error = match futures_util::poll!(&mut sending) {
            std::task::Poll::Ready(outcome) => outcome.unwrap_err(),
            std::task::Poll::Pending => {
                clock.advance(5 * SECOND);
                sending.await.unwrap_err()
            }
        };
        assert_eq!((error.kind(), error.sent(), error.retry_hint()), (ErrorKind::Connect, Sent::No, RetryHint::Always));
        let refused = send(&transport, &endpoint, "x", "{}").await.unwrap_err();
        let wait = refused.retry_after().expect("it says when the next attempt is due");
        assert!(wait <= 30 * SECOND);
        longest = longest.max(wait);
        clock.advance(wait);
    }
    assert!(longest > SECOND, "the pauses grow: {longest:?}");
}

#[tokio::test]
async fn a_connection_without_calls_is_closed_in_time_and_the_next_call_makes_another_at_once() {
    let server = server().await;
    let (transport, clock) = manual(WebSocketTransportConfig::default().with_idle_timeout(30 * SECOND));
    assert_eq!(call(&transport, &server, "[1]").await.unwrap(), "[1]");
    for _ in 0..10 {
        if !server.closes().is_empty() {
            break;
        }
        clock.until_sleeping(1).await;
        clock.advance(15 * SECOND);
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.closes(), [Some(1000)]);
    assert_eq!(call(&transport, &server, "[2]").await.unwrap(), "[2]");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn of_many_endpoints_the_one_called_longest_ago_is_forgotten() {
    let servers = [server().await, server().await, server().await];
    let transport = with(WebSocketTransportConfig::default().with_max_endpoints(2), SharedClock::default());
    for server in &servers {
        assert_eq!(call(&transport, server, "[1]").await.unwrap(), "[1]");
    }
    let shown = transport.introspect();
    let known = shown["endpoints"].as_object().unwrap();
    assert_eq!(known.len(), 2);
    assert!(!known.contains_key(&servers[0].endpoint().to_string()), "{shown}");
}

#[tokio::test]
async fn an_upgrade_that_is_never_answered_has_the_limit_of_connecting() {
    let (transport, clock) = manual(WebSocketTransportConfig::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("ws://{}", listener.local_addr().unwrap())).unwrap();
    let sending = tokio::spawn(async move { send(&transport, &endpoint, "x", "{}").await.map(drop) });
    let (_held, _) = listener.accept().await.unwrap();
    clock.until_sleeping(1).await;
    clock.advance(2 * SECOND);
    let error = sending.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.report().ends_with("connecting took longer than 2s"), "{}", error.report());
}
