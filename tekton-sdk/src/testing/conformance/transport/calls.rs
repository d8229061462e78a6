//! Laws of requests and answers.
#![expect(clippy::missing_panics_doc, reason = "every law panics where it is broken")]

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::{self, Either};
use http::{HeaderValue, Method, StatusCode, header};
use tokio::sync::Barrier;

use super::{
    TransportSubject,
    handlers::{Answers, Count},
    request, send, serve,
};
use crate::{
    error::ErrorKind,
    transport::{Body, Endpoint, Inbound, Response},
};

const CAP: usize = 1 << 20;

/// Bytes that are no text, a path and a query that are percent-encoded, a header that comes twice.
pub async fn method_path_query_headers_and_body_arrive_unaltered<S: TransportSubject + ?Sized>(subject: &S) {
    let seen: Arc<Mutex<Vec<(Inbound, bytes::Bytes)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let handler = Answers::with(move |mut request| {
        let log = Arc::clone(&log);
        async move {
            let body = std::mem::take(&mut request.body).collect(CAP).await.expect("the body arrives whole");
            log.lock().unwrap_or_else(PoisonError::into_inner).push((request, body));
            Response::new(StatusCode::OK, Body::empty())
        }
    });
    let listening = serve(subject, handler).await;
    let all = [Method::GET, Method::HEAD, Method::DELETE, Method::POST, Method::PUT, Method::PATCH, Method::OPTIONS];
    for method in all {
        let with_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
        let mut outgoing = request(method.clone(), "/api/v1/a%20b%2Fc");
        outgoing.query = Some("q=%26%3D+x&q=%C3%B6&empty=".to_owned());
        outgoing.headers.append("x-law", HeaderValue::from_static("one"));
        outgoing.headers.append("x-law", HeaderValue::from_static("two, three"));
        outgoing.headers.insert("x-empty", HeaderValue::from_static(""));
        let body: &[u8] = if with_body { b"\0\xff{\"a\": 1}\r\n" } else { b"" };
        outgoing.body = Body::full(bytes::Bytes::from_static(body));
        send(subject, &listening, outgoing).await.unwrap_or_else(|e| panic!("{method} is sent: {}", e.report()));
        let (inbound, arrived) =
            seen.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("the request arrived");
        assert_eq!(inbound.method, method);
        let path = format!("{}/api/v1/a%20b%2Fc", listening.endpoint().base_path());
        assert_eq!((inbound.path, inbound.query.as_deref()), (path, Some("q=%26%3D+x&q=%C3%B6&empty=")), "{method}");
        let law: Vec<_> = inbound.headers.get_all("x-law").iter().collect();
        assert_eq!(law, ["one", "two, three"], "{method}");
        assert_eq!(inbound.headers.get("x-empty").map(HeaderValue::as_bytes), Some(&b""[..]), "{method}");
        assert_eq!(arrived, body, "{method}");
    }
}

/// A header that comes twice too.
pub async fn status_headers_and_body_come_back<S: TransportSubject + ?Sized>(subject: &S) {
    let handler = Answers::with(|_| async {
        let mut answer = Response::new(StatusCode::CREATED, Body::full(&b"\0\xffbody"[..]));
        answer.headers.append("x-law", HeaderValue::from_static("one"));
        answer.headers.append("x-law", HeaderValue::from_static("two, three"));
        answer.with_header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-law"))
    });
    let listening = serve(subject, handler).await;
    let answer = send(subject, &listening, request(Method::GET, "/")).await.expect("it is answered");
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.headers.get_all("x-law").iter().collect::<Vec<_>>(), ["one", "two, three"]);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/x-law");
    assert_eq!(answer.into_body().collect(CAP).await.expect("the body comes whole"), &b"\0\xffbody"[..]);
}

/// What they mean is judged above.
pub async fn failing_statuses_are_answers<S: TransportSubject + ?Sized>(subject: &S) {
    let handler = Answers::with(|request: Inbound| async move {
        let status = request.path.rsplit('/').next().and_then(|status| status.parse().ok());
        let status = StatusCode::from_u16(status.unwrap_or(200)).unwrap_or_default();
        Response::new(status, Body::full("why"))
    });
    let listening = serve(subject, handler).await;
    for path in ["/400", "/401", "/404", "/409", "/422", "/429", "/500", "/502", "/503", "/599"] {
        let answer = send(subject, &listening, request(Method::POST, path)).await;
        let answer = answer.unwrap_or_else(|e| panic!("{path} is an answer, not {}", e.report()));
        assert_eq!(answer.status.as_str(), &path[1..]);
        assert_eq!(answer.into_body().collect(CAP).await.expect("the body comes whole"), "why", "{path}");
    }
}

/// Whoever wants to follow one, and to whom it may lead, is decided above.
pub async fn redirects_are_handed_out<S: TransportSubject + ?Sized>(subject: &S) {
    let came = Count::default();
    let count = came.clone();
    let handler = Answers::with(move |_| {
        count.add();
        async {
            Response::new(StatusCode::FOUND, Body::empty())
                .with_header(header::LOCATION, HeaderValue::from_static("/elsewhere"))
        }
    });
    let listening = serve(subject, handler).await;
    let answer = send(subject, &listening, request(Method::GET, "/")).await.expect("a redirect is an answer");
    assert_eq!(answer.status, StatusCode::FOUND);
    assert_eq!(answer.headers[header::LOCATION], "/elsewhere");
    assert_eq!(came.get(), 1);
}

/// A failure that invites another try arrives once; so does an answer that breaks.
pub async fn it_does_not_retry<S: TransportSubject + ?Sized>(subject: &S) {
    let came = Count::default();
    let count = came.clone();
    let handler = Answers::with(move |request: Inbound| {
        count.add();
        async move {
            match request.path.ends_with("/breaks") {
                true => Response::new(StatusCode::OK, super::bodies::breaking()),
                false => Response::new(StatusCode::SERVICE_UNAVAILABLE, Body::empty())
                    .with_header(header::RETRY_AFTER, HeaderValue::from_static("0")),
            }
        }
    });
    let listening = serve(subject, handler).await;
    send(subject, &listening, request(Method::GET, "/")).await.expect("a failing status is an answer");
    assert_eq!(came.get(), 1);
    let broken = match send(subject, &listening, request(Method::GET, "/breaks")).await {
        Ok(answer) => answer.into_body().collect(CAP).await.err(),
        Err(error) => Some(error),
    };
    assert!(broken.is_some(), "an answer that breaks is no whole answer");
    assert_eq!(came.get(), 2);
}

/// The call was not resolved: that is a mistake of the caller.
pub async fn a_request_without_an_endpoint_is_invalid_and_not_sent<S: TransportSubject + ?Sized>(subject: &S) {
    let error = subject.transport().send(request(Method::GET, "/")).await.expect_err("it cannot be sent");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{}", error.report());
    assert!(error.to_string().contains(' '), "{error:?} is no sentence");
}

/// An endpoint of a scheme that is not among the declared ones, at the same address.
pub async fn a_foreign_scheme_is_invalid_and_not_sent<S: TransportSubject + ?Sized>(subject: &S) {
    let came = Count::default();
    let count = came.clone();
    let handler = Answers::with(move |_| {
        count.add();
        async { Response::new(StatusCode::OK, Body::empty()) }
    });
    let listening = serve(subject, handler).await;
    let schemes = subject.transport().capabilities().schemes;
    assert!(schemes.contains(&listening.endpoint().scheme()), "the far end's scheme is declared");
    for scheme in
        ["http", "https", "ws", "wss", "memory", "unix"].into_iter().filter(|scheme| !schemes.contains(scheme))
    {
        let foreign = match scheme {
            "unix" => Endpoint::parse("unix:/run/law.sock"),
            _ => Endpoint::parse(&format!("{scheme}://{}", listening.endpoint().authority())),
        };
        let outgoing = request(Method::GET, "/").with_endpoint(foreign.expect("it is an endpoint"));
        let error = subject.transport().send(outgoing).await.expect_err("it cannot be sent");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{}", error.report());
        assert!(error.to_string().contains(scheme), "{error:?} does not name {scheme}");
    }
    assert_eq!(came.get(), 0);
}

/// [`ErrorKind::Connect`]: certainly not sent, so that any call may be tried elsewhere.
pub async fn where_nobody_listens_the_connection_fails<S: TransportSubject + ?Sized>(subject: &S) {
    let nobody = subject.nobody().await.expect("the subject knows where nobody listens");
    let outgoing = request(Method::POST, "/").with_endpoint(nobody).with_body(Body::full("{}"));
    let error = subject.transport().send(outgoing).await.expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::Connect, "{}", error.report());
}

/// Work that nobody waits for ends.
pub async fn dropping_the_future_drops_the_handlers_future<S: TransportSubject + ?Sized>(subject: &S) {
    let (began, dropped) = (Count::default(), Count::default());
    let (begin, drops) = (began.clone(), dropped.clone());
    let handler = Answers::with(move |_| {
        let (begin, dropping) = (begin.clone(), drops.on_drop());
        async move {
            let _dropping = dropping;
            begin.add();
            future::pending().await
        }
    });
    let listening = serve(subject, handler).await;
    {
        let sending = pin!(send(subject, &listening, request(Method::POST, "/")));
        match future::select(sending, pin!(began.until(1))).await {
            Either::Left(_) => panic!("the handler never answers"),
            Either::Right(_) => assert_eq!(dropped.get(), 0, "the handler works while its caller waits"),
        }
    }
    dropped.until(1).await;
}

/// All of them are under way before the first is answered.
pub async fn concurrent_requests_do_not_mix<S: TransportSubject + ?Sized>(subject: &S) {
    const MANY: usize = 32;
    let all = Arc::new(Barrier::new(MANY));
    let handler = Answers::with(move |request: Inbound| {
        let all = Arc::clone(&all);
        async move {
            let body = request.body.collect(CAP).await.expect("the body arrives whole");
            all.wait().await;
            let query = request.query.unwrap_or_default();
            Response::new(StatusCode::OK, Body::full([query.as_bytes(), b":", &*body].concat()))
        }
    });
    let listening = serve(subject, handler).await;
    let calls = (0..MANY).map(|n| {
        let mut outgoing = request(Method::POST, "/").with_body(Body::full(n.to_string()));
        outgoing.query = Some(format!("n={n}"));
        let listening = &listening;
        async move {
            let answer = send(subject, listening, outgoing).await.expect("it is answered");
            assert_eq!(answer.into_body().collect(CAP).await.expect("the body comes whole"), format!("n={n}:{n}"));
        }
    });
    future::join_all(calls).await;
}
