//! How a connection ends, and what its calls are told.

use std::collections::BTreeMap;

use tekton_sdk::{ErrorKind, Sent};

use super::*;

#[tokio::test]
async fn a_close_ends_every_call_at_once_and_says_why() {
    for (code, wanted) in BTreeMap::from([
        (1000, Closed::Normal),
        (1001, Closed::GoingAway),
        (1002, Closed::Protocol),
        (1008, Closed::Policy),
        (1011, Closed::Internal),
        (1012, Closed::Restarting),
        (1013, Closed::Overloaded),
        (4001, Closed::Other(4001)),
    ]) {
        let server = Arc::new(server().await);
        server.script([WsStep::Await(2), WsStep::Close(code)]);
        let transport = transport();
        let calls = [calling(&transport, &server, "[1]"), calling(&transport, &server, "[2]")];
        for called in calls {
            let error = called.await.unwrap().unwrap_err();
            assert_eq!((error.kind(), why(&error)), (ErrorKind::Interrupted, Some(wanted)), "{}", error.report());
        }
        server.until(|server| !server.closes().is_empty()).await;
        assert_eq!(server.closes(), [Some(code)], "the close is answered");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_without_a_word_interrupts_its_calls() {
    for step in [WsStep::Drop, WsStep::Reset] {
        let server = server().await;
        server.script([WsStep::Await(1), step]);
        let error = call(&transport(), &server, "{}").await.unwrap_err();
        assert_eq!(
            (error.kind(), why(&error), error.sent()),
            (ErrorKind::Interrupted, Some(Closed::Broken), Sent::Maybe)
        );
    }
}

#[tokio::test]
async fn what_breaks_the_protocol_is_told_so_and_ends_the_connection() {
    let large = || WsStep::Raw([&[0x81, 127, 0, 0, 0, 0, 0, 0x20, 0, 0][..], &vec![b' '; 1 << 21]].concat().into());
    for (step, closed, code) in [
        (WsStep::Raw(b"\x83\x00"[..].into()), Closed::Protocol, 1002),
        (WsStep::Raw(b"\x91\x00"[..].into()), Closed::Protocol, 1002),
        (WsStep::Raw(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"[..].into()), Closed::Protocol, 1002),
        (WsStep::Raw(b"\x80\x00"[..].into()), Closed::Protocol, 1002),
        (WsStep::Raw([&b"\x89\x7e\x00\x80"[..], &[b' '; 128]].concat().into()), Closed::Protocol, 1002),
        (WsStep::Raw(b"\x81\x02\xff\xfe"[..].into()), Closed::BadData, 1007),
        (WsStep::Raw(b"\x81\x02\xc3\x28"[..].into()), Closed::BadData, 1007),
        (large(), Closed::TooLarge, 1009),
    ] {
        let server = server().await;
        server.script([WsStep::Await(1), step.clone()]);
        let shown = format!("{:.40?}", step);
        let error = call(&transport(), &server, "{}").await.unwrap_err();
        assert_eq!((error.kind(), why(&error)), (ErrorKind::Interrupted, Some(closed)), "{shown}");
        server.until(|server| !server.closes().is_empty()).await;
        assert_eq!(server.closes(), [Some(code)], "{shown}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_frames_at_all_end_the_connection_whatever_they_are() {
    for seed in 0..50_u64 {
        // A port may be given out again, and one transport would wait before it connects there anew.
        let transport = transport();
        let random = Random::seeded(seed);
        let garbage: Vec<u8> = (0..32).flat_map(|_| random.next_u64().to_be_bytes()).collect();
        let server = server().await;
        server.script([WsStep::Await(1), WsStep::Raw(garbage.into()), WsStep::Drop]);
        let error = call(&transport, &server, "{}").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{seed}: {}", error.report());
    }
}

#[tokio::test]
async fn a_shutdown_closes_in_order_and_refuses_what_comes_after() {
    let server = Arc::new(server().await);
    server.script([WsStep::Await(1)]);
    let transport = transport();
    let called = calling(&transport, &server, "[1]");
    server.until(|server| server.messages().len() == 1).await;
    transport.shutdown().await;
    assert_eq!(called.await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
    server.until(|server| !server.closes().is_empty()).await;
    assert_eq!(server.closes(), [Some(1000)]);
    assert_eq!(call(&transport, &server, "[2]").await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_transport_that_is_dropped_closes_its_connections() {
    let server = server().await;
    let transport = transport();
    assert_eq!(call(&transport, &server, "[1]").await.unwrap(), "[1]");
    drop(transport);
    server.until(|server| !server.closes().is_empty()).await;
    assert_eq!(server.closes(), [Some(1000)]);
}
