//! Laws of bodies.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};

use super::{
    TransportSubject,
    handlers::{Answers, Count},
    request, send, serve,
};
use crate::{
    error::{Error, ErrorKind},
    transport::{Body, Inbound, Response},
};

const MIB: usize = 1 << 20;

/// A body that gives `abc` and breaks, for a reason of the component's own.
pub(super) fn breaking() -> Body {
    let broken = Error::new(ErrorKind::Internal, "the source of the body failed");
    Body::stream(stream::iter([Ok(Bytes::from_static(b"abc")), Err(broken)]))
}

/// A mebibyte in which every place can be told from its neighbours.
fn mebibyte() -> Bytes {
    (0..MIB / 4).flat_map(|n| u32::try_from(n).unwrap_or_default().to_be_bytes()).collect()
}

/// In pieces of uneven length, some of them empty.
fn in_pieces(whole: &Bytes) -> Body {
    let mut left = whole.clone();
    let mut pieces = vec![Ok(Bytes::new())];
    for length in (1..).map(|n| n * 97) {
        if left.is_empty() {
            break;
        }
        pieces.push(Ok(left.split_to(length.min(left.len()))));
        pieces.push(Ok(Bytes::new()));
    }
    Body::stream(stream::iter(pieces))
}

/// Answers with the body of the request.
async fn echo(request: Inbound) -> Response {
    match request.body.collect(2 * MIB).await {
        Ok(body) => Response::new(StatusCode::OK, Body::full(body)),
        Err(error) => Response::new(StatusCode::BAD_REQUEST, Body::full(error.report())),
    }
}

/// In both directions, and with a status that has none.
pub async fn an_empty_body_is_empty<S: TransportSubject + ?Sized>(subject: &S) {
    let handler = Answers::with(|request: Inbound| async move {
        let status = if request.path.ends_with("/none") { StatusCode::NO_CONTENT } else { StatusCode::OK };
        let body = request.body.collect(MIB).await.expect("the body arrives whole");
        assert!(body.is_empty(), "{} bytes arrived with a request that has no body", body.len());
        Response::new(status, Body::empty())
    });
    let listening = serve(subject, handler).await;
    for (method, path) in [(Method::GET, "/"), (Method::POST, "/"), (Method::POST, "/none")] {
        let answer = send(subject, &listening, request(method, path)).await.expect("it is answered");
        assert!(answer.status.is_success());
        assert_eq!(answer.into_body().collect(0).await.expect("there is no body"), "");
    }
}

/// One mebibyte there and back.
pub async fn a_large_body_is_whole_in_both_directions<S: TransportSubject + ?Sized>(subject: &S) {
    let listening = serve(subject, Answers::with(echo)).await;
    let sent = mebibyte();
    let outgoing = request(Method::POST, "/").with_body(Body::full(sent.clone()));
    let answer = send(subject, &listening, outgoing).await.expect("it is answered");
    let came = answer.into_body().collect(2 * MIB).await.expect("the body comes whole");
    assert!(came == sent, "{} of {MIB} bytes came back, or others", came.len());
}

/// A mebibyte in uneven pieces. Where streamed requests are not declared, one is refused with a sentence and not sent.
pub async fn a_streamed_request_arrives_whole_where_that_is_declared<S: TransportSubject + ?Sized>(subject: &S) {
    let came = Count::default();
    let count = came.clone();
    let handler = Answers::with(move |request| {
        count.add();
        echo(request)
    });
    let listening = serve(subject, handler).await;
    let sent = mebibyte();
    let outcome = send(subject, &listening, request(Method::POST, "/").with_body(in_pieces(&sent))).await;
    if subject.transport().capabilities().streamed_requests {
        let answer = outcome.expect("it is answered");
        let back = answer.into_body().collect(2 * MIB).await.expect("the body comes whole");
        assert!(back == sent, "{} of {MIB} bytes arrived, or others", back.len());
    } else {
        let error = outcome.expect_err("a streamed request that is not declared is refused");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{}", error.report());
        assert!(error.to_string().contains(' '), "{error:?} is no sentence");
        assert_eq!(came.get(), 0);
    }
}

/// Whether or not streamed answers are declared: without, it comes at once when it is whole.
pub async fn a_streamed_answer_comes_whole<S: TransportSubject + ?Sized>(subject: &S) {
    let handler = Answers::with(|_| async { Response::new(StatusCode::OK, in_pieces(&mebibyte())) });
    let listening = serve(subject, handler).await;
    let answer = send(subject, &listening, request(Method::GET, "/")).await.expect("it is answered");
    let came = answer.into_body().collect(2 * MIB).await.expect("the body comes whole");
    assert!(came == mebibyte(), "{} of {MIB} bytes came, or others", came.len());
}

/// The far end writes the last piece only once the first has been seen.
pub async fn the_first_piece_is_seen_before_the_last_is_written_where_that_is_declared<S>(subject: &S)
where
    S: TransportSubject + ?Sized,
{
    if !subject.transport().capabilities().streamed_responses {
        return;
    }
    let seen = Count::default();
    let first_seen = seen.clone();
    let handler = Answers::with(move |_| {
        let seen = first_seen.clone();
        let pieces = stream::unfold(0, move |at| {
            let seen = seen.clone();
            async move {
                match at {
                    0 => Some((Ok(Bytes::from_static(b"first")), 1)),
                    1 => {
                        seen.until(1).await;
                        Some((Ok(Bytes::from_static(b"last")), 2))
                    }
                    _ => None,
                }
            }
        });
        async move { Response::new(StatusCode::OK, Body::stream(pieces)) }
    });
    let listening = serve(subject, handler).await;
    let mut answer = send(subject, &listening, request(Method::GET, "/")).await.expect("it is answered");
    assert_eq!(answer.body.next().await.expect("there is a first piece").expect("it comes"), "first");
    seen.add();
    assert_eq!(answer.into_body().collect(MIB).await.expect("the rest comes"), "last");
}

/// [`ErrorKind::Interrupted`], whatever the far end's reason: half an answer must not look like a whole one.
pub async fn an_answer_that_breaks_is_interrupted_and_does_not_end<S: TransportSubject + ?Sized>(subject: &S) {
    let handler = Answers::with(|_| async { Response::new(StatusCode::OK, breaking()) });
    let listening = serve(subject, handler).await;
    // A transport that does not stream learns of it before it hands anything out.
    let broken = match send(subject, &listening, request(Method::GET, "/")).await {
        Ok(answer) => answer.into_body().collect(MIB).await.expect_err("half an answer is no answer"),
        Err(error) => error,
    };
    assert_eq!(broken.kind(), ErrorKind::Interrupted, "{}", broken.report());
}

/// The far end sees a break, not an end: half a command must not be carried out.
pub async fn a_request_body_that_breaks_is_no_whole_body<S: TransportSubject + ?Sized>(subject: &S) {
    if !subject.transport().capabilities().streamed_requests {
        return;
    }
    let whole: Arc<Mutex<Option<Bytes>>> = Arc::default();
    let arrived = Arc::clone(&whole);
    let handler = Answers::with(move |request: Inbound| {
        let arrived = Arc::clone(&arrived);
        async move {
            let body = request.body.collect(MIB).await;
            let status = if body.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            *arrived.lock().unwrap_or_else(PoisonError::into_inner) = body.ok();
            Response::new(status, Body::empty())
        }
    });
    let listening = serve(subject, handler).await;
    let outcome = send(subject, &listening, request(Method::POST, "/").with_body(breaking())).await;
    assert!(!outcome.is_ok_and(|answer| answer.status.is_success()), "half a request was carried out");
    let arrived = whole.lock().unwrap_or_else(PoisonError::into_inner).take();
    assert_eq!(arrived, None, "half a body was taken for a whole one");
}
