//! Streams beside each other on one connection.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use tekton_sdk::{
    ErrorKind, async_trait,
    host::{Server, ServerLimits},
    transport::{Handler, Inbound},
};
use tokio::sync::{Notify, Semaphore};

use super::*;

const WINDOW: usize = 256 << 10;
const PIECE: usize = 10_000;

/// Answers `/endless` with a stream that never ends, `/drip` with one that the test lets go on, `/slow` by reading the body as the
/// test lets it, `/keep` by neither reading nor answering, and anything else with the body.
#[derive(Debug, Default)]
struct Far {
    /// How much of the endless stream was made.
    made: Arc<AtomicUsize>,
    let_go: Arc<Gate>,
    dropped: Arc<Notify>,
}

#[derive(Debug)]
struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[async_trait]
impl Handler for Far {
    async fn handle(&self, request: Inbound) -> Response {
        let dropped = OnDrop(Arc::clone(&self.dropped));
        match &*request.path {
            "/api/v1/endless" => {
                let made = Arc::clone(&self.made);
                let endless = stream::unfold((made, dropped), |(made, dropped)| async move {
                    made.fetch_add(PIECE, Ordering::SeqCst);
                    Some((Ok(Bytes::from(vec![7; PIECE])), (made, dropped)))
                });
                Response::new(StatusCode::OK, Body::stream(endless))
            }
            "/api/v1/drip" => {
                let let_go = Arc::clone(&self.let_go);
                let drip = stream::unfold(let_go, |let_go| async move {
                    let_go.0.acquire().await.unwrap().forget();
                    Some((Ok(Bytes::from_static(b"drop")), let_go))
                });
                Response::new(StatusCode::OK, Body::stream(drip))
            }
            "/api/v1/keep" => {
                std::future::pending::<()>().await;
                drop((dropped, request));
                Response::new(StatusCode::OK, Body::empty())
            }
            "/api/v1/slow" => {
                let mut body = request.body;
                let mut read = 0;
                loop {
                    self.let_go.0.acquire().await.unwrap().forget();
                    match body.next().await {
                        Some(Ok(piece)) => read += piece.len(),
                        Some(Err(error)) => return Response::new(StatusCode::BAD_REQUEST, Body::full(error.report())),
                        None => return Response::new(StatusCode::OK, Body::full(read.to_string())),
                    }
                }
            }
            _ => Response::new(StatusCode::OK, request.body.collect(1 << 30).await.unwrap()),
        }
    }
}

async fn far() -> (Arc<Far>, Server, Endpoint) {
    let (far, any) = (Arc::new(Far::default()), SocketAddr::from(([127, 0, 0, 1], 0)));
    let server =
        Server::bind(any, Arc::clone(&far) as _, ServerLimits::default(), SharedClock::default()).await.unwrap();
    let endpoint = Endpoint::parse(&format!("ws://{}", server.local_addr())).unwrap();
    (far, server, endpoint)
}

#[tokio::test]
async fn a_stream_that_is_not_read_stops_at_its_window_and_keeps_no_other_call_waiting() {
    let (far, _server, endpoint) = far().await;
    let transport = transport();
    let mut unread = send(&transport, &endpoint, "endless", "").await.unwrap();
    let mut before = usize::MAX;
    loop {
        // As long as it grows it is being sent; each of these calls goes there and back meanwhile.
        assert_eq!(text(send(&transport, &endpoint, "echo", "[1]").await.unwrap()).await.unwrap(), "[1]");
        let made = far.made.load(Ordering::SeqCst);
        if made == before {
            break;
        }
        before = made;
    }
    assert!((WINDOW..=WINDOW + 2 * PIECE).contains(&before), "{before} bytes were made for nobody");
    // Read on, it goes on.
    let mut read = 0;
    while read < 3 * WINDOW {
        let piece = unread.body.next().await.unwrap().unwrap();
        assert!(piece.iter().all(|byte| *byte == 7));
        read += piece.len();
    }
    drop(unread);
    far.dropped.notified().await;
}

#[tokio::test]
async fn many_streams_side_by_side_are_bounded_each_by_its_own_window() {
    let (far, _server, endpoint) = far().await;
    let transport = transport();
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(send(&transport, &endpoint, "endless", "").await.unwrap());
    }
    for _ in 0..3 {
        for stream in &mut streams {
            let mut read = 0;
            while read < WINDOW {
                read += stream.body.next().await.unwrap().unwrap().len();
            }
        }
    }
    assert!(far.made.load(Ordering::SeqCst) <= 20 * (5 * WINDOW));
    assert_eq!(shown(&transport, &endpoint)["in_flight"], 20);
    drop(streams);
    assert_eq!(text(send(&transport, &endpoint, "echo", "[1]").await.unwrap()).await.unwrap(), "[1]");
    assert_eq!(shown(&transport, &endpoint)["in_flight"], 0);
}

#[tokio::test]
async fn a_request_that_is_not_read_stops_at_its_window_and_one_that_is_arrives_whole() {
    let (far, _server, endpoint) = far().await;
    let transport = transport();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let body = stream::unfold(0, move |n| {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(PIECE, Ordering::SeqCst);
            (n < 100).then(|| (Ok(Bytes::from(vec![7; PIECE])), n + 1))
        }
    });
    let sending = {
        let (transport, request) = (transport.clone(), request(&endpoint, "slow").with_body(Body::stream(body)));
        tokio::spawn(async move { transport.send(request).await })
    };
    let mut before = usize::MAX;
    loop {
        for _ in 0..20 {
            assert_eq!(text(send(&transport, &endpoint, "echo", "[1]").await.unwrap()).await.unwrap(), "[1]");
        }
        let made = made.load(Ordering::SeqCst);
        if made == before {
            break;
        }
        before = made;
    }
    assert!((WINDOW - PIECE..=WINDOW + 2 * PIECE).contains(&before), "{before} bytes were made for nobody");
    far.let_go.0.add_permits(10_000);
    assert_eq!(text(sending.await.unwrap().unwrap()).await.unwrap(), (100 * PIECE).to_string());
}

#[tokio::test]
async fn each_piece_comes_as_it_is_made() {
    let (far, _server, endpoint) = far().await;
    let transport = transport();
    let mut answer = send(&transport, &endpoint, "drip", "").await.unwrap();
    for _ in 0..100 {
        far.let_go.0.add_permits(1);
        assert_eq!(answer.body.next().await.unwrap().unwrap(), "drop");
    }
}

#[tokio::test]
async fn a_connection_that_ends_interrupts_the_streams_on_it_in_both_directions() {
    let (far, server, endpoint) = far().await;
    let transport = transport();
    let mut answer = send(&transport, &endpoint, "drip", "").await.unwrap();
    far.let_go.0.add_permits(1);
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "drop");
    let endless = Body::stream(stream::repeat_with(|| Ok(Bytes::from(vec![7; PIECE]))));
    let sending = {
        let (transport, request) = (transport.clone(), request(&endpoint, "keep").with_body(endless));
        tokio::spawn(async move { transport.send(request).await.map(drop) })
    };
    while shown(&transport, &endpoint)["in_flight"] != 2 {
        tokio::task::yield_now().await;
    }
    drop(server);
    let broken = answer.body.next().await.unwrap().unwrap_err();
    assert_eq!((broken.kind(), why(&broken)), (ErrorKind::Interrupted, Some(Closed::Broken)), "{}", broken.report());
    assert_eq!(sending.await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
}

#[tokio::test]
async fn whoever_sends_more_than_it_may_is_cut_off() {
    let server = server().await;
    let head = r#"{"jsonrpc":"2.0","result":null,"http":{"stream":true},"id":$ID}"#;
    let piece = format!(
        r#"{{"jsonrpc":"2.0","method":"tekton.piece","params":{{"id":$ID,"base64":"{}"}}}}"#,
        "AAAA".repeat(20_000)
    );
    let steps =
        [WsStep::Await(1), WsStep::Say(head.to_owned())].into_iter().chain((0..6).map(|_| WsStep::Say(piece.clone())));
    server.script(steps.chain([WsStep::Await(2), WsStep::Echo]));
    let transport = transport();
    let mut answer = send(&transport, server.endpoint(), "x", "[1]").await.unwrap();
    server.until(|server| server.messages().len() == 2).await;
    assert_eq!(server.messages()[1], r#"{"jsonrpc":"2.0","method":"tekton.cancel","params":{"id":1}}"#);
    let mut read = 0;
    let error = loop {
        match answer.body.next().await.unwrap() {
            Ok(piece) => read += piece.len(),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), read <= WINDOW), (ErrorKind::Interrupted, true), "{}", error.report());
    assert_eq!(call(&transport, &server, "[2]").await.unwrap(), "[2]", "the others go on");
}

#[tokio::test]
async fn an_end_that_says_why_it_came_too_early_is_no_end() {
    let server = server().await;
    let say = |text: &str| WsStep::Say(text.to_owned());
    server.script([
        WsStep::Await(1),
        say(r#"{"jsonrpc":"2.0","result":null,"http":{"stream":true,"status":201},"id":$ID}"#),
        say(r#"{"jsonrpc":"2.0","method":"tekton.piece","params":{"id":$ID,"base64":"YWJj"}}"#),
        say(r#"{"jsonrpc":"2.0","method":"tekton.end","params":{"id":$ID,"error":"a secret"}}"#),
    ]);
    let answer = send(&transport(), server.endpoint(), "x", "[1]").await.unwrap();
    assert_eq!(answer.status, 201);
    let error = text(answer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(!error.report().contains("secret"), "{}", error.report());
}
