//! The bytes.

use tekton_sdk::ErrorKind;

use super::*;

const COUNTED: &str = "data: 1\n\ndata: 2\n\nevent: end\ndata: {\"items\":2}\n\n";

/// The answers to one request over a port, a Unix socket and memory: status, these headers, body.
async fn everywhere(ask: &Ask, headers: &[&str]) -> (u16, Vec<Option<String>>, String) {
    let (served, ..) = socket(|config| config).await;
    let mut answer = open(&served, ask).await;
    let body = answer.rest().await;
    let tcp = (answer.status, headers.iter().map(|name| answer.header(name).map(str::to_owned)).collect(), body);
    #[cfg(unix)]
    {
        let path = std::env::temp_dir().join(format!("tekton-stream-{}-{}.sock", std::process::id(), served.id()));
        let config = HostConfig::default().with_tcp(false).with_unix_socket(path.to_str().unwrap());
        let radio = Radio(Arc::<Source>::default());
        let _on_socket = radio.serve(&Tekton::builder().build().unwrap()).with_config(config).start().await.unwrap();
        let mut answer = Answer::of(tokio::net::UnixStream::connect(&path).await.unwrap(), ask).await;
        let body = answer.rest().await;
        let unix = (answer.status, headers.iter().map(|name| answer.header(name).map(str::to_owned)).collect(), body);
        assert_eq!(tcp, unix);
    }
    let (bed, _) = bed(|config| config).await;
    let answer = ask.memory(bed.transport()).await;
    let of = |name: &&str| answer.headers.get(*name).map(|value| value.to_str().unwrap().to_owned());
    let (status, headers) = (answer.status.as_u16(), headers.iter().map(of).collect());
    assert_eq!(tcp, (status, headers, all(answer).await));
    tcp
}

#[tokio::test]
async fn a_stream_has_the_same_bytes_by_every_road_and_method() {
    let to = json!({"to": 2});
    let headers = ["content-type", "cache-control", "x-accel-buffering", "x-tekton-stream"];
    let some = |values: &[&str]| -> Vec<_> {
        let values = values.iter().map(|value| Some((*value).to_owned()));
        values.chain(std::iter::repeat(None)).take(headers.len()).collect()
    };
    for ask in [Ask::post("count", &to), Ask::get("count", "to=2")] {
        let events = everywhere(&ask.clone().accepting(EVENTS), &headers).await;
        assert_eq!(events, (200, some(&[EVENTS, "no-cache", "no"]), COUNTED.to_owned()));
        let lines = everywhere(&ask.clone().accepting(LINES), &headers).await;
        let body = "{\"item\":1}\n{\"item\":2}\n{\"end\":{\"items\":2}}\n";
        assert_eq!(lines, (200, some(&[LINES, "no-cache", "no"]), body.to_owned()));
        let array = everywhere(&ask, &headers).await;
        assert_eq!(array, (200, some(&["application/json"]), "[1,2]".to_owned()));
    }
    let nothing = everywhere(&Ask::get("count", "to=0").accepting(EVENTS), &[]).await;
    assert_eq!(nothing.2, "event: end\ndata: {\"items\":0}\n\n");
    assert_eq!(everywhere(&Ask::get("count", "to=0"), &[]).await.2, "[]");
}

#[tokio::test]
async fn the_head_comes_before_the_first_item_and_each_item_at_once() {
    let (served, source, _) = socket(|config| config).await;
    let feed = source.feed();
    let mut answer = open(&served, &Ask::post("feed", &json!({})).accepting(EVENTS)).await;
    assert_eq!(answer.status, 200);
    for n in 0..3 {
        feed.send(Ok(json!({ "n": n }))).unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), format!("data: {{\"n\":{n}}}\n\n"));
    }
    drop(feed);
    assert_eq!(answer.rest().await, "event: end\ndata: {\"items\":3}\n\n");
}

#[tokio::test]
async fn errors_that_end_a_stream_and_those_that_do_not_are_told_apart() {
    let spoil = |feed: &Feed| {
        feed.send(Ok(json!(1))).unwrap();
        feed.send(Err(Error::invalid("the second page is torn").recoverable())).unwrap();
        feed.send(Ok(json!(3))).unwrap();
        feed.send(Err(Error::not_found("the fourth page").with_source(std::io::Error::other("a secret cause"))))
            .unwrap();
        feed.send(Ok(json!(5))).unwrap();
    };
    let torn = r#"{"type":"urn:tekton:problem:invalid","title":"Unprocessable Entity","status":422,"detail":"the second page is torn","code":"invalid"}"#;
    let lost = r#"{"type":"urn:tekton:problem:not_found","title":"Not Found","status":404,"detail":"the fourth page","code":"not_found"}"#;
    let (bed, source) = bed(|config| config).await;
    spoil(&source.feed());
    let body = all(Ask::post("feed", &json!({})).accepting(EVENTS).memory(bed.transport()).await).await;
    assert_eq!(
        body,
        format!("data: 1\n\nevent: item-error\ndata: {torn}\n\ndata: 3\n\nevent: error\ndata: {lost}\n\n")
    );
    spoil(&source.feed());
    let body = all(Ask::post("feed", &json!({})).accepting(LINES).memory(bed.transport()).await).await;
    assert_eq!(body, format!("{{\"item\":1}}\n{{\"item_error\":{torn}}}\n{{\"item\":3}}\n{{\"error\":{lost}}}\n"));
    // An array has no place for an error among its items.
    spoil(&source.feed());
    let answer = Ask::post("feed", &json!({})).memory(bed.transport()).await;
    assert_eq!((answer.status.as_u16(), &*all(answer).await), (422, torn));
    source.until_running(0).await;
}

#[tokio::test]
async fn what_fails_before_the_first_item_is_answered_like_any_other_operation() {
    let (bed, _) = bed(|config| config).await;
    for accept in [EVENTS, LINES, "*/*"] {
        let told = async |ask: Ask| {
            let answer = ask.accepting(accept).memory(bed.transport()).await;
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            (answer.status.as_u16(), code(&all(answer).await))
        };
        assert_eq!(told(Ask::post("refuse", &json!({}))).await, (404, "not_found".to_owned()));
        assert_eq!(told(Ask::post("burst", &json!({}))).await, (500, "internal".to_owned()));
        assert_eq!(told(Ask::post("count", &json!({}))).await, (422, "invalid".to_owned()));
        assert_eq!(told(Ask::new(Method::PUT, "/api/v1/count", "")).await, (405, "method_not_allowed".to_owned()));
    }
}

#[tokio::test]
async fn a_panic_ends_its_stream_alone_and_says_no_more_than_that() {
    let (served, ..) = socket(|config| config).await;
    let mut answer = open(&served, &Ask::post("panic", &json!({})).accepting(EVENTS)).await;
    let body = answer.rest().await;
    assert!(body.starts_with("data: 0\n\nevent: error\n") && body.contains("the operation panic panicked"), "{body}");
    assert!(!body.contains("secret"), "{body}");
    // The connection has survived it.
    let again = Answer::of(answer.stream.into_inner(), &Ask::get("count", "to=2").accepting(EVENTS)).await.rest().await;
    assert_eq!(again, COUNTED);
    let mut array = open(&served, &Ask::post("panic", &json!({}))).await;
    assert_eq!((array.status, code(&array.rest().await)), (500, "internal".to_owned()));
}

#[tokio::test]
async fn an_array_that_grows_too_large_is_refused_with_the_way_out() {
    let (bed, _) = bed(|config| config.with_max_stream_bytes(10)).await;
    let count = async |to: u32| {
        let answer = Ask::get("count", &format!("to={to}")).memory(bed.transport()).await;
        (answer.status.as_u16(), all(answer).await)
    };
    assert_eq!(count(4).await, (200, "[1,2,3,4]".to_owned()));
    let (status, problem) = count(5).await;
    assert_eq!((status, &*code(&problem)), (406, "stream_too_large"));
    assert!(problem.contains("10 bytes") && problem.contains(EVENTS) && problem.contains(LINES), "{problem}");
    // One that never ends is given up too.
    let flood = Ask::get("flood", "").memory(bed.transport()).await;
    assert_eq!(flood.status.as_u16(), 406);
}

#[tokio::test]
async fn raw_json_with_line_breaks_is_one_line() {
    let (bed, _) = bed(|config| config).await;
    for (accept, wanted) in [(EVENTS, "data: {   \"a\": 1 }\n\n"), (LINES, "{\"item\":{   \"a\": 1 }}\n")] {
        let body = all(Ask::get("raw", "").accepting(accept).memory(bed.transport()).await).await;
        assert!(body.starts_with(wanted), "{body:?}");
    }
}

#[tokio::test]
async fn silence_is_broken_by_signs_of_life() {
    for (accept, alive, item) in [(EVENTS, ": keep-alive\n\n", "data: 1\n\n"), (LINES, "\n", "{\"item\":1}\n")] {
        let (served, source, clock) = socket(|config| config.with_stream_keep_alive(15 * SECOND)).await;
        let feed = source.feed();
        let mut answer = open(&served, &Ask::post("feed", &json!({})).accepting(accept)).await;
        clock.until_sleeping(1).await;
        clock.advance(15 * SECOND);
        assert_eq!(answer.chunk().await.unwrap().unwrap(), alive);
        clock.until_sleeping(1).await;
        clock.advance(10 * SECOND);
        feed.send(Ok(json!(1))).unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), item);
        // Fifteen seconds after the item, not after the sign before it.
        clock.advance(5 * SECOND);
        clock.until_sleeping(1).await;
        clock.advance(9 * SECOND);
        feed.send(Ok(json!(1))).unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), item);
        drop(feed);
        answer.rest().await;
    }
}

#[tokio::test]
async fn a_head_alone_begins_nothing_that_goes_on() {
    let (served, source, _) = socket(|config| config).await;
    let _feeds = [source.feed(), source.feed()];
    for operation in ["feed", "tape"] {
        let ask = Ask::new(Method::HEAD, &format!("/api/v1/{operation}"), "").accepting(EVENTS);
        let answer = open(&served, &ask).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(EVENTS)));
        assert_eq!(answer.header("x-tekton-stream"), None);
        source.until_running(0).await;
    }
}

#[tokio::test]
async fn a_stream_that_is_not_served_as_one_is_refused_at_start() {
    struct Wrong;
    impl Component for Wrong {
        fn descriptor(&self) -> Descriptor {
            Descriptor::new("wrong", "1.0.0")
        }

        fn operations(self: Arc<Self>) -> Operations {
            Operations::new().on(&self, COUNT, |_, _, _| async { Ok(1) })
        }
    }
    let error = TestBed::new().unwrap().serve(Wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.fields()[0].to_string().starts_with("operations.count: is a stream"), "{error:?}");
}
