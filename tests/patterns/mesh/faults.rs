//! Calls that end before their answer does, for whatever reason: the far end hears of it, and the connection is gone.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::Method;
use tekton_sdk::{
    ErrorKind, Peer, Tekton,
    time::ManualClock,
    transport::{Body, CallInfo, MeshTransport, Request, Safety, Transport},
};
use tokio::{io::AsyncWriteExt, sync::mpsc};

use super::{FINE, Far, call, numbers, read_request, read_to_the_end, request, transport};

/// A far end that writes this and then waits for the end, telling of both.
async fn stalls_after(answer: &'static str) -> (Far, mpsc::UnboundedReceiver<&'static str>) {
    let (told, hears) = mpsc::unbounded_channel();
    let far = Far::new(move |_, mut stream| {
        let told = told.clone();
        async move {
            if answer.is_empty() {
                // The request may never be whole; its head is enough.
                stream.readable().await.unwrap();
            } else {
                read_request(&mut stream).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            told.send("written").unwrap();
            read_to_the_end(&mut stream).await;
            told.send("ended").unwrap();
        }
    });
    (far.await, hears)
}

fn peer(far: &Far, clock: &ManualClock) -> Peer {
    let builder = Tekton::builder().clock(clock.clone()).configure(|config| config.retry.max_attempts = 1);
    builder.build().unwrap().peer_at(&far.endpoint.to_string()).unwrap()
}

fn open(peer: &Peer, far: &Far) -> u64 {
    let shown = peer.tekton().introspect();
    shown["connections"]["endpoints"][far.endpoint.to_string()]["open"].as_u64().unwrap()
}

#[tokio::test]
async fn a_head_or_a_body_that_is_never_finished_ends_at_the_deadline() {
    for answer in ["HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let (far, mut hears) = stalls_after(answer).await;
        let clock = ManualClock::new();
        let peer = peer(&far, &clock);
        let calling = {
            let peer = peer.clone();
            tokio::spawn(async move { peer.request::<()>("x").timeout(Duration::from_secs(5)).await })
        };
        assert_eq!(hears.recv().await, Some("written"));
        // The sweeper, and the call's deadline.
        clock.until_sleeping(2).await;
        clock.advance(Duration::from_secs(5));
        let error = calling.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{answer:?}");
        assert_eq!(hears.recv().await, Some("ended"), "{answer:?}");
        assert_eq!(open(&peer, &far), 0, "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_whose_body_is_never_finished_ends_at_the_deadline() {
    let (far, mut hears) = stalls_after("").await;
    let clock = ManualClock::new();
    let peer = peer(&far, &clock);
    let calling = {
        let peer = peer.clone();
        tokio::spawn(async move {
            let body = stream::iter([Ok(Bytes::from("half"))]).chain(stream::pending());
            let call = CallInfo::new("far", "x", Safety::Write);
            peer.send(Request::new(Method::POST, "/x", call).with_body(Body::stream(body))).await
        })
    };
    assert_eq!(hears.recv().await, Some("written"));
    clock.until_sleeping(2).await;
    clock.advance(Duration::from_secs(30));
    assert_eq!(calling.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(hears.recv().await, Some("ended"));
    assert_eq!(open(&peer, &far), 0);
}

#[tokio::test]
async fn dropping_a_call_at_any_await_closes_its_connection() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    for (answer, what) in [("HTTP/1.1 200 OK\r\nx: ", "in the head"), (half, "in the body")] {
        let (far, mut hears) = stalls_after(answer).await;
        let transport = transport();
        let mut calling = Box::pin(call(&transport, &far.endpoint));
        tokio::select! {
            outcome = &mut calling => panic!("{outcome:?}"),
            told = hears.recv() => assert_eq!(told, Some("written")),
        }
        // Once more, so that what has come is read.
        tokio::task::yield_now().await;
        assert!((&mut calling).now_or_never().is_none());
        assert_eq!(numbers(&transport, &far.endpoint), (1, 0), "{what}");
        drop(calling);
        assert_eq!(numbers(&transport, &far.endpoint), (0, 0), "{what}");
        assert_eq!(hears.recv().await, Some("ended"), "{what}");
    }
}

#[tokio::test]
async fn an_answer_dropped_half_read_closes_its_connection_and_one_read_to_its_end_does_not() {
    let far =
        Far::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n").await;
    let transport = transport();
    let mut answer = transport.send(request(&far.endpoint)).await.unwrap();
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "fi");
    drop(answer);
    assert_eq!(numbers(&transport, &far.endpoint), (0, 0));
    let mut answer = transport.send(request(&far.endpoint)).await.unwrap();
    while let Some(piece) = answer.body.next().await {
        piece.unwrap();
    }
    assert_eq!(numbers(&transport, &far.endpoint), (1, 1), "before it is dropped");
}

#[tokio::test]
async fn dropping_every_call_at_every_poll_leaves_no_connection_behind() {
    let far = Far::answering(FINE).await;
    let transport: MeshTransport = transport();
    for polls in 0..12 {
        let mut calling = Box::pin(call(&transport, &far.endpoint));
        let mut done = false;
        for _ in 0..polls {
            if let Some(outcome) = (&mut calling).now_or_never() {
                assert_eq!(outcome.unwrap(), "fine");
                done = true;
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(calling);
        let (open, idle) = numbers(&transport, &far.endpoint);
        assert_eq!(open, idle, "after {polls} polls");
        assert!(idle <= 1 && (!done || idle == 1), "after {polls} polls");
    }
}
