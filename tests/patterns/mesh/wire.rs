//! What comes over the wire, and what becomes of the connection.

use std::{sync::Mutex, time::Duration};

use futures_util::{StreamExt, stream};
use http::{Method, StatusCode};
use tekton_sdk::{
    ErrorKind, Sent,
    time::{ManualClock, SharedClock},
    transport::{Body, CallInfo, MeshTransport, MeshTransportConfig, Request, Safety, Transport},
};
use tokio::{io::AsyncWriteExt, sync::oneshot};

use super::{FINE, Far, call, numbers, read_request, read_to_the_end, request, send, transport};

#[tokio::test]
async fn a_connection_serves_one_call_after_the_other() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n";
    let with_trailers = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\nx: y\r\n\r\n";
    for answer in [FINE, chunked, with_trailers] {
        let (far, transport) = (Far::answering(answer).await, transport());
        for _ in 0..5 {
            assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
            assert_eq!(numbers(&transport, &far.endpoint), (1, 1), "{answer}");
        }
        assert_eq!(far.connections(), 1, "{answer}");
    }
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_open() {
    for (method, answer) in [
        (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let (far, transport) = (Far::answering(answer).await, transport());
        for _ in 0..3 {
            let request = Request::new(method.clone(), "/x", CallInfo::new("far", "x", Safety::Read));
            let response = transport.send(request.with_endpoint(far.endpoint.clone())).await.unwrap();
            assert!(!response.body.is_stream(), "{answer}");
            assert_eq!(response.into_body().collect(0).await.unwrap(), "");
        }
        assert_eq!((far.connections(), numbers(&transport, &far.endpoint)), (1, (1, 1)), "{answer}");
    }
}

#[tokio::test]
async fn heads_before_the_head_are_passed_over() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let (far, transport) = (Far::answering(format!("{early}{FINE}")).await, transport());
    for _ in 0..2 {
        let answer = send(&transport, &far.endpoint).await.unwrap();
        assert_eq!((answer.status, answer.headers.len()), (StatusCode::OK, 1));
    }
    assert_eq!(far.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_not_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nfine",
        "HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nfine",
    ] {
        let (far, transport) = (Far::answering(answer).await, transport());
        for calls in 1..4 {
            assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
            assert_eq!((far.connections(), numbers(&transport, &far.endpoint)), (calls, (0, 0)), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    let far = Far::new(|_, mut stream| async move {
        read_request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfi").await.unwrap();
        stream.write_all(b"ne").await.unwrap();
    });
    let (far, transport) = (far.await, transport());
    assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
    assert_eq!(numbers(&transport, &far.endpoint), (0, 0));
}

#[tokio::test]
async fn bytes_behind_an_answer_poison_the_connection_and_not_the_next_call() {
    let far = Far::new(move |number, mut stream| async move {
        while read_request(&mut stream).await.is_some() {
            let evil = if number == 1 { "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil" } else { "" };
            stream.write_all(format!("{FINE}{evil}").as_bytes()).await.unwrap();
        }
    });
    let (far, transport) = (far.await, transport());
    assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
    assert_eq!(numbers(&transport, &far.endpoint), (0, 0), "it is closed at once");
    assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
    assert_eq!(far.connections(), 2);
}

#[tokio::test]
async fn bytes_between_two_calls_poison_the_connection_whether_or_not_the_runtime_has_seen_them() {
    let (go, wait) = oneshot::channel::<()>();
    let (wrote, written) = oneshot::channel::<()>();
    let late = Mutex::new(Some((wait, wrote)));
    let far = Far::new(move |_, mut stream| {
        let late = late.lock().unwrap().take();
        async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(FINE.as_bytes()).await.unwrap();
            if let Some((wait, wrote)) = late {
                wait.await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await.unwrap();
                wrote.send(()).unwrap();
                read_to_the_end(&mut stream).await;
            }
        }
    });
    let (far, clock) = (far.await, ManualClock::new());
    let transport = MeshTransport::new(&MeshTransportConfig::default(), SharedClock::new(clock.clone())).unwrap();
    assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
    assert_eq!(numbers(&transport, &far.endpoint), (1, 1));
    go.send(()).unwrap();
    // Nothing is waited for in between that would let the runtime look at its sockets.
    written.await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
    assert_eq!(far.connections(), 2);
}

#[tokio::test]
async fn what_is_no_answer_is_an_interruption_and_ends_the_connection() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(70 << 10));
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x: y\r\n".repeat(1000));
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20));
    for (answer, what) in [
        ("\u{0}\u{1}garbage\r\n\r\n", "garbage"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nfine", "two lengths"),
        ("HTTP/1.1 200 OK\r\ncontent-length: minus\r\n\r\nfine", "no length"),
        ("HTTP/1.1 99999 OK\r\n\r\n", "no status"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "another protocol"),
        (&long, "a head over the cap"),
        (&many, "too many headers"),
        (&endless, "a head without an end"),
    ] {
        let (far, transport) = (Far::answering(answer).await, transport());
        let error = call(&transport, &far.endpoint).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Interrupted, Sent::Maybe), "{what}: {error:?}");
        assert_eq!(numbers(&transport, &far.endpoint), (0, 0), "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_is_an_interruption() {
    for (answer, has_a_head) in [
        ("", false),
        ("HTTP/1.1 200 OK\r\ncontent-le", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzzz\r\n", true),
    ] {
        let far = Far::new(move |_, mut stream| async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let (far, transport) = (far.await, transport());
        let head = send(&transport, &far.endpoint).await;
        assert_eq!(head.is_ok(), has_a_head, "{answer:?}");
        let error = match head {
            Ok(head) => head.into_body().collect(1 << 20).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Interrupted, Sent::Maybe), "{answer:?}");
        assert_eq!(numbers(&transport, &far.endpoint), (0, 0), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_before_the_request_has_been_read_is_an_answer() {
    let far = Far::new(|number, mut stream| async move {
        if number == 1 {
            let too_large = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nmuch";
            stream.write_all(too_large.as_bytes()).await.unwrap();
            read_to_the_end(&mut stream).await;
        } else {
            while read_request(&mut stream).await.is_some() {
                stream.write_all(FINE.as_bytes()).await.unwrap();
            }
        }
    });
    let (far, transport) = (far.await, transport());
    // What has been sent already would be taken for the next request, were the connection used again.
    let body = stream::iter([Ok("GET /evil HTTP/1.1\r\nhost: x\r\n\r\n".into())]).chain(stream::pending());
    let answer = transport.send(request(&far.endpoint).with_body(Body::stream(body))).await.unwrap();
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.into_body().collect(4).await.unwrap(), "much");
    assert_eq!(numbers(&transport, &far.endpoint), (0, 0));
    assert_eq!(call(&transport, &far.endpoint).await.unwrap(), "fine");
    assert_eq!(far.connections(), 2);
}
