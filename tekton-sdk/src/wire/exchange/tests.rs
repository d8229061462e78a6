use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::wire::jsonrpc::{Id, Incoming, Message, Request, Response, RpcLimits, parse};

fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn message(text: &str) -> Message<'_> {
    match parse(text.as_bytes(), &RpcLimits::default().with_max_message_bytes(usize::MAX)) {
        Ok(Incoming::One(message)) => message,
        other => panic!("{text}: {other:?}"),
    }
}

fn request(text: &str) -> Request<'_> {
    let Message::Request(request) = message(text) else { panic!("{text}") };
    request
}

fn response(text: &str) -> Response<'_> {
    let Message::Response(response) = message(text) else { panic!("{text}") };
    response
}

fn body(content: Content<'_>) -> Option<Bytes> {
    match content {
        Content::Empty => Some(Bytes::new()),
        Content::Json(json) => Some(Bytes::copy_from_slice(json.as_bytes())),
        Content::Bytes(bytes) => Some(bytes),
        Content::Stream => None,
    }
}

fn answered(text: &str) -> (u16, HeaderMap, Option<Bytes>) {
    let Response { outcome, http, .. } = response(text);
    let answered = Answered::read(outcome, http).unwrap();
    (answered.status.as_u16(), answered.headers, body(answered.content))
}

#[test]
fn an_operation_is_a_plain_call_and_anything_else_says_what_it_is() {
    let (store, none) = ("/api/v1/store", HeaderMap::new());
    let call = |method, path, query, headers: &HeaderMap, body: &'static str| {
        encode_call(1, &method, path, query, headers, Payload::Whole(&Bytes::from_static(body.as_bytes())))
    };
    for (text, wanted) in [
        (call(Method::POST, store, None, &none, "{}"), r#""method":"store","params":{},"http":{},"id":1}"#),
        (call(Method::POST, store, None, &none, ""), r#""method":"store","http":{},"id":1}"#),
        (call(Method::POST, store, None, &none, " {}"), r#""method":"store","http":{"base64":"IHt9"},"id":1}"#),
        (call(Method::POST, store, None, &none, "5"), r#""method":"store","http":{"base64":"NQ=="},"id":1}"#),
        (
            call(Method::GET, "/health", Some("a=\"b\""), &none, ""),
            r#""method":"/health","http":{"method":"GET","query":"a=\"b\""},"id":1}"#,
        ),
        (
            call(Method::PUT, "/api/v1/a%20b", None, &headers(&[("content-type", b"application/json")]), "[1]"),
            r#""method":"/api/v1/a%20b","params":[1],"http":{"method":"PUT"},"id":1}"#,
        ),
        (
            call(
                Method::POST,
                "/api/v2/store",
                None,
                &headers(&[("x-a", b"1"), ("x-a", b"2"), ("x-b", b"\xff\"")]),
                "{}",
            ),
            r#""method":"/api/v2/store","params":{},"http":{"headers":{"x-a":["1","2"],"x-b":"ÿ\""}},"id":1}"#,
        ),
    ] {
        assert_eq!(text, [r#"{"jsonrpc":"2.0","#, wanted].concat());
    }
    let stream = encode_call(2, &Method::POST, store, None, &none, Payload::Stream);
    assert_eq!(Asked::read(&request(&stream)).unwrap().content, Content::Stream);
}

#[test]
fn what_is_no_json_cannot_break_out_of_its_message() {
    for bytes in [r#"{}},"id":9,"x":{"#, "{", "{}x", "[1,]", "{\"a\":1}\n", "\u{feff}{}", "[\"\u{1}\"]", "[1] "] {
        let bytes = Bytes::copy_from_slice(bytes.as_bytes());
        let text = encode_call(1, &Method::POST, "/api/v1/x", None, &HeaderMap::new(), Payload::Whole(&bytes));
        let request = request(&text);
        assert!(text.contains("base64") && request.id == Some(Id::from(1)), "{text}");
        assert_eq!(body(Asked::read(&request).unwrap().content), Some(bytes.clone()));
        let text = encode_answer(&Id::from(1), StatusCode::OK, &HeaderMap::new(), Payload::Whole(&bytes));
        assert_eq!(answered(&text).2, Some(bytes));
    }
    let deep = Bytes::from("[".repeat(65) + &"]".repeat(65));
    let text = encode_answer(&Id::from(1), StatusCode::OK, &HeaderMap::new(), Payload::Whole(&deep));
    assert_eq!((text.contains("base64"), answered(&text).2), (true, Some(deep)));
}

#[test]
fn a_failure_is_an_error_with_its_problem_and_a_code_of_its_own() {
    let problem = Bytes::from_static(br#"{"detail":"no \"b\"","code":"unknown_operation"}"#);
    let typed = headers(&[("content-type", b"application/problem+json")]);
    let text = encode_answer(&Id::from("a"), StatusCode::NOT_FOUND, &typed, Payload::Whole(&problem));
    let wanted = r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"no \"b\"","data":{"detail":"no \"b\"","code":"unknown_operation"}},"http":{"status":404,"headers":{"content-type":"application/problem+json"}},"id":"a"}"#;
    assert_eq!(text, wanted);
    assert_eq!(answered(&text), (404, typed, Some(problem.clone())));
    let plain = encode_plain_answer(&Id::from("a"), StatusCode::NOT_FOUND, &problem);
    assert_eq!(
        plain,
        wanted.replace(r#","http":{"status":404,"headers":{"content-type":"application/problem+json"}}"#, "")
    );
    let why = Bytes::from_static(b"why");
    for (status, code) in [
        (400, -32_602),
        (401, -32_001),
        (404, -32_004),
        (422, -32_602),
        (429, -32_029),
        (500, -32_603),
        (503, -32_053),
        (504, -32_054),
        (599, -32_000),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let text = encode_answer(&Id::NULL, status, &HeaderMap::new(), Payload::Whole(&why));
        let error = response(&text).outcome.unwrap_err();
        assert_eq!((error.code, error.data.is_none()), (code, true), "{text}");
        let (back, _, body) = answered(&text);
        assert_eq!((back, body), (status.as_u16(), Some(why.clone())));
    }
}

#[test]
fn a_server_that_knows_nothing_of_http_is_understood_all_the_same() {
    let (status, headers, body) = answered(r#"{"jsonrpc":"2.0","result": 5 ,"id":1}"#);
    assert_eq!(
        (status, &headers["content-type"], body),
        (200, &HeaderValue::from_static("application/json"), Some("5".into()))
    );
    for (code, status) in
        [(-32_601, 404), (-32_602, 422), (-32_603, 500), (-32_029, 429), (-32_053, 503), (7, 400), (i64::MIN, 400)]
    {
        let text = format!(r#"{{"jsonrpc":"2.0","error":{{"code":{code},"message":"m","data":[1]}},"id":1}}"#);
        let (came, headers, body) = answered(&text);
        assert_eq!((came, &headers["content-type"]), (status, &HeaderValue::from_static("application/problem+json")));
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(
            (&body["detail"], &body["rpc"]["code"], &body["rpc"]["data"][0]),
            (&"m".into(), &code.into(), &1.into())
        );
    }
}

#[test]
fn a_plain_answer_is_json_whatever_it_is_made_of() {
    for (body, result) in [("{}", "{}"), ("", "null"), ("a\"b", r#""a\"b""#), ("5 ", "\"5 \"")] {
        let text = encode_plain_answer(&Id::from(1), StatusCode::OK, &Bytes::from_static(body.as_bytes()));
        assert_eq!(text, format!(r#"{{"jsonrpc":"2.0","result":{result},"id":1}}"#));
    }
    let text = encode_plain_answer(&Id::from(1), StatusCode::OK, &Bytes::from_static(b"\xff"));
    assert_eq!(text, r#"{"jsonrpc":"2.0","result":"/w==","id":1}"#);
}

#[test]
fn what_is_wrong_with_a_call_is_said_in_a_clause() {
    for (members, what) in [
        (r#""method":"a b""#, "neither the name"),
        (r#""method":"""#, "neither the name"),
        (r#""method":"/a b""#, "no path and query"),
        (r#""method":"/a?b""#, "ends before the query"),
        (r#""method":"/a","http":{"query":"a b"}"#, "no path and query"),
        (r##""method":"a","http":{"query":"a#b"}"##, "no path and query"),
        (r#""method":"a","http":[]"#, "`http` must be an object"),
        (r#""method":"a","http":{"headers":{"a b":"c"}}"#, "`http` must be an object"),
        (r#""method":"a","http":{"headers":{"a":"\n"}}"#, "`http` must be an object"),
        (r#""method":"a","http":{"headers":{"a":"\u0100"}}"#, "`http` must be an object"),
        (r#""method":"a","http":{"headers":{"a":[["b"]]}}"#, ""),
        (r#""method":"a","http":{"method":"A B"}"#, "no method"),
        (r#""method":"a","http":{"base64":"?"}"#, "no base64"),
        (r#""method":"a","params":[],"http":{"base64":""}"#, "exclude each other"),
        (r#""method":"a","params":[],"http":{"stream":true}"#, "exclude each other"),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0",{members},"id":1}}"#);
        match Asked::read(&request(&text)) {
            Err(said) => assert!(said.contains(what), "{members}: {said}"),
            Ok(_) => assert!(what.is_empty(), "{members}"),
        }
    }
    let many: Vec<_> = (0..101).map(|n| format!("\"h{n}\":\"\"")).collect();
    for headers in [many.join(","), format!("\"a\":[{}]", vec!["\"\""; 101].join(","))] {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"a","http":{{"headers":{{{headers}}}}},"id":1}}"#);
        assert!(Asked::read(&request(&text)).is_err());
    }
}

#[test]
fn notes_are_read_as_they_were_written() {
    let id = Id::from("a\"");
    for (text, wanted) in [
        (Note::encode_piece(&id, b"\0\xff"), Note::Piece(Bytes::from_static(b"\0\xff"))),
        (Note::encode_end(&id, None), Note::End),
        (Note::encode_end(&id, Some("it \"broke\"")), Note::Broken("it \"broke\"".into())),
        (Note::encode_credit(&id, u64::MAX), Note::Credit(u64::MAX)),
        (Note::encode_cancel(&id), Note::Cancel),
    ] {
        let request = request(&text);
        assert!(Note::is_note(&request.method) && request.id.is_none());
        assert_eq!(Note::read(&request).unwrap(), (id.clone(), wanted), "{text}");
    }
    for (method, params) in [
        ("piece", r#"{"id":1}"#),
        ("credit", r#"{"id":1}"#),
        ("end", r#"{"id":[]}"#),
        ("end", "[1]"),
        ("x", r#"{"id":1}"#),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"tekton.{method}","params":{params}}}"#);
        assert!(Note::read(&request(&text)).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_http_can_say_comes_out_as_it_went_in(
        path in "/[ -~]{0,10}", query in prop::option::of("[ -~]{0,10}"), method in "[A-Z]{1,5}",
        lines in prop::collection::vec(("x-[a-z]{1,2}", prop::collection::vec(0x20_u8..=0xff, 0..6)), 0..6),
        body_bytes in prop_oneof![
            crate::wire::arbitrary::value(&["id", "\"}"]).prop_map(|value| value.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..20),
        ],
        status in 100_u16..1000, id: u64,
    ) {
        let (path, query) = crate::transport::encoded(path.into(), query);
        let mut sent = HeaderMap::new();
        for (name, value) in &lines {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                sent.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
            }
        }
        let (bytes, method) = (Bytes::from(body_bytes), Method::from_bytes(method.as_bytes()).unwrap());
        let text = encode_call(id, &method, &path, query.as_deref(), &sent, Payload::Whole(&bytes));
        let call = request(&text);
        prop_assert_eq!(call.id.as_ref().unwrap(), &Id::from(id));
        let mut asked = Asked::read(&call).unwrap();
        if matches!(asked.content, Content::Json(_)) {
            asked.headers.remove("content-type");
        }
        prop_assert_eq!((&asked.method, &asked.path, &asked.query, &asked.headers), (&method, &path, &query, &sent));
        prop_assert_eq!(body(asked.content), Some(bytes.clone()));

        let status = StatusCode::from_u16(status).unwrap();
        let text = encode_answer(&Id::from(id), status, &sent, Payload::Whole(&bytes));
        let (came, mut headers, back) = answered(&text);
        headers.remove("content-type");
        prop_assert_eq!((came, headers, back), (status.as_u16(), sent, Some(bytes)));
    }

    #[test]
    fn whatever_stands_in_a_message_is_read_or_refused(
        http in crate::wire::arbitrary::value(&["method", "query", "status", "headers", "base64", "stream"]),
        params in crate::wire::arbitrary::value(&["id", "base64", "bytes", "error"]),
    ) {
        for method in ["a", "/a", "tekton.piece", "tekton.end", "tekton.credit"] {
            let text = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":[{params}],"http":{http}}}"#);
            let _ = Asked::read(&request(&text));
            let text = text.replace(&format!("[{params}]"), &format!("{{\"a\":{params}}}"));
            let _ = Note::read(&request(&text));
        }
        let text = format!(r#"{{"jsonrpc":"2.0","result":{params},"http":{http},"id":1}}"#);
        let Response { outcome, http, .. } = response(&text);
        let _ = Answered::read(outcome, http);
    }
}
