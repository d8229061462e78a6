use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn one(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// What a message holds, if it is about a subscription.
fn heard(message: &Bytes) -> Option<(u64, u32, What)> {
    let mut found = None;
    read(message, &RpcLimits::default(), |told| {
        if let Told::Event(heard) = told {
            let (far, delivery) = (heard.subscription, heard.delivery);
            found = heard.read(message, &mut Known::default()).map(|what| (far, delivery, what));
        }
    });
    found
}

/// What a message says of the call with the id 3.
fn refusal(error: &str) -> Error {
    let message = one(&format!(r#"{{"jsonrpc":"2.0","id":3,"error":{error}}}"#));
    let mut found = None;
    read(&message, &RpcLimits::default(), |told| match told {
        Told::Refused { id: 3, refused } => found = Some(refused.error),
        other => panic!("{other:?}"),
    });
    found.unwrap()
}

#[test]
fn a_refusal_is_the_error_that_the_host_had() {
    let problem = r#"{"status":429,"detail":"the broker is full","code":"rejected","retry_after":2}"#;
    let error = refusal(&format!(r#"{{"code":-32029,"message":"full","data":{problem}}}"#));
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Rejected, Some(Duration::from_secs(2))));
    assert_eq!(error.remote().map(|remote| (remote.status(), remote.code())), Some((429, Some("rejected"))));
    // A server that knows no problems says it by its code.
    for (code, kind) in [
        (-32_601, ErrorKind::NotFound),
        (-32_602, ErrorKind::Invalid),
        (-32_001, ErrorKind::Unauthorized),
        (-32_009, ErrorKind::Conflict),
        (-32_053, ErrorKind::Closed),
        (-32_603, ErrorKind::Remote),
        (7, ErrorKind::Invalid),
    ] {
        let error = refusal(&format!(r#"{{"code":{code},"message":"no","data":{{"status":"x"}}}}"#));
        assert_eq!(error.kind(), kind, "{code}: {error:?}");
    }
}

#[test]
fn an_event_is_read_in_whatever_order_its_members_come() {
    let tidy = r#"{"jsonrpc":"2.0","method":"event","params":{"subscription":7,"cursor":"0000000000000001-2","time":"1970-01-01T00:00:00Z","delivery":3,"topic":"a.b","id":"i\"","attributes":{"x":"y"},"data":{"n": 1.0}}}"#;
    let loose = r#" {"params":{"data":{"n": 1.0},"attributes":{"x":"y"},"more":[],"id":"\u0069\"","topic":"a.b","delivery":3,"time":"1970-01-01T00:00:00Z","cursor":"0000000000000001-2","subscription":7},"method":"event","jsonrpc":"2.0"} "#;
    let is_quick = |text: &str| quick::event(text.as_bytes()).is_some();
    let plain = tidy.replace("\\\"", "").replace(r#""attributes":{"x":"y"},"#, "");
    assert_eq!((is_quick(&plain), is_quick(loose)), (true, false), "{plain}");
    for text in [tidy, loose] {
        let Some((7, 3, What::Event(event))) = heard(&one(text)) else { panic!("{text}") };
        assert_eq!((event.cursor, event.time), (Cursor::new(1, 2), SystemTime::UNIX_EPOCH));
        let message = &event.message;
        assert_eq!((message.topic().as_str(), message.data(), message.id()), ("a.b", r#"{"n": 1.0}"#, Some("i\"")));
        assert_eq!(message.attribute("x"), Some("y"));
    }
    let batch = one(&format!("[{tidy},{tidy}]"));
    let mut count = 0;
    read(&batch, &RpcLimits::default(), |told| count += usize::from(matches!(told, Told::Event(_))));
    assert_eq!(count, 2);
}

#[test]
fn what_ends_a_subscription_is_its_error() {
    let told = |params: &str| one(&format!(r#"{{"jsonrpc":"2.0","method":"event","params":{params}}}"#));
    assert!(matches!(heard(&told(r#"{"subscription":7,"end":true}"#)), Some((7, 0, What::End(None)))));
    let failed = told(r#"{"subscription":7,"end":true,"error":{"status":429,"detail":"it fell behind"}}"#);
    let Some((7, 0, What::End(Some(error)))) = heard(&failed) else { panic!("it ended") };
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let unknown =
        told(r#"{"subscription":7,"gap":{"from":"0000000000000001-2","to":"0000000000000001-9","reason":"?"}}"#);
    let Some((7, 0, What::Gap(gap))) = heard(&unknown) else { panic!("it is a gap") };
    assert_eq!((gap.to, gap.lost, gap.reason), (Cursor::new(1, 9), None, GapReason::Skipped));
}

/// A member of an event, right or wrong.
fn member() -> impl Strategy<Value = String> {
    use proptest::sample::select;

    let numbers = ["0", "7", "07", "00", "-1", "4294967296", "18446744073709551616", "null", " 1 "];
    let texts =
        [r#""""#, r#""a.b""#, r#""a\n""#, "\"\u{1}\"", r#""ä""#, r#""0000000000000001-2""#, "null", "7", r#""a"#];
    prop_oneof![
        3 => (select(vec!["subscription", "delivery", "replaced"]), select(numbers.to_vec())),
        3 => (select(vec!["cursor", "time", "topic", "id", "key", "source"]), select(texts.to_vec())),
        1 => (select(vec!["data", "end", "gap", "more", ""]), select(vec!["1", "true", r#"{"n":[1]}"#, "[1"])),
    ]
    .prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_read_quickly_is_what_is_read_the_long_way(
        subscription in proptest::option::weighted(0.8, Just("\"subscription\":5".to_owned())),
        members in proptest::collection::vec(member(), 0..3),
        data in proptest::sample::select(vec!["1", "{\"a\": \"\\u00e4\"}", "[1", "1,\"end\":true", " 2 ", "\"\u{2}\""]),
    ) {
        let members: Vec<_> = subscription.into_iter().chain(members).chain([format!("\"data\":{data}")]).collect();
        let members = members.join(",");
        let message = format!("{}{members}}}}}", quick::EVENT);
        if let Some(quickly) = quick::event(message.as_bytes()) {
            let params = format!("{{{members}}}");
            let long: Result<Heard<'_>, _> = serde_json::from_str(&params);
            prop_assert!(long.is_ok(), "{message}: {long:?}");
            prop_assert_eq!(format!("{quickly:?}"), format!("{:?}", long.unwrap()));
        }
    }
}

#[cfg(feature = "host")]
proptest! {
    #[test]
    fn what_a_host_writes_is_read_as_it_was(
        id in proptest::option::of("\\PC{0,8}"), key in proptest::option::of("\\PC{0,8}"), value in "\\PC{0,8}",
        data in "\\PC{0,20}", traced: bool, delivery: u32, replaced: u64, lost: Option<u64>, nanos in 0_u64..1 << 60,
    ) {
        use crate::patterns::events::wire;

        let mut message = Message::json(Topic::parse("a.b").unwrap(), &data).unwrap().with_attribute("a", value);
        if let Some(id) = id {
            message = message.with_id(id);
        }
        if let Some(key) = key {
            message = message.with_key(key);
        }
        if traced {
            message = message.with_trace(TraceContext::new_root([1; 16], [2; 8], true));
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
        let published = Published::new(Cursor::new(1, 1), time, message);
        let text = wire::event(5, &published, delivery, replaced);
        let told = heard(&Bytes::from(text));
        prop_assert!(matches!(&told, Some((5, came, What::Event(event))) if *came == delivery && **event == published), "{:?}", told);
        let mut gap = Gap::new(Cursor::new(1, 1), Cursor::new(2, 3), GapReason::Restarted);
        gap.lost = lost;
        let told = heard(&Bytes::from(wire::gap(6, &gap)));
        prop_assert!(matches!(told, Some((6, 0, What::Gap(came))) if came == gap), "{:?}", told);
    }

    #[test]
    fn whatever_comes_is_read_or_left(text in "\\PC{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for message in [Bytes::from(text.clone()), Bytes::from(bytes), one(&format!("{}{text}}}}}", quick::EVENT))] {
            read(&message, &RpcLimits::default(), |told| {
                if let Told::Event(heard) = told {
                    let _ = heard.read(&message, &mut Known::default());
                }
            });
        }
    }
}
