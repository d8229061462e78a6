use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn with(more: &str) -> Result<CloudEvent> {
    CloudEvent::parse(format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{more}}}"#).as_bytes())
}

#[test]
fn what_is_wrong_is_named() {
    for (more, says) in [
        (r#","time":"yesterday""#, "`time` is no time of RFC 3339"),
        (r#","subject":7"#, "`subject` is no text"),
        (r#","subject":"""#, "`subject` is empty"),
        (r#","subject":"a\u0007""#, "`subject` has a control character"),
        (r#","subject":"\ufdd0""#, "`subject` has a control character or a noncharacter"),
        (r#","datacontenttype":"text""#, "`datacontenttype` is no media type"),
        (r#","dataschema":"/relative""#, "`dataschema` is no URI"),
        (r#","data":1,"data_base64":"AQ==""#, "`data` is there beside"),
        (r#","data_base64":"AQ""#, "`data_base64` is no base64"),
        (r#","Big":"x""#, "`Big` is no name"),
        (r#","ext":1.0"#, "`ext` is neither a text"),
        (r#","ext":{}"#, "`ext` is neither a text"),
        (r#","id":"2""#, "`id` is there twice"),
        (r#","<script>\n":"x""#, "`<script>\\n` is no name"),
    ] {
        let error = with(more).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(error.to_string().contains(says), "{more}: {error}");
    }
    assert!(with(r#","ext":-2147483648,"other":null,"data":null,"time":null"#).is_ok());
    let many: String = (0..65).map(|n| format!(r#","e{n}":"x""#)).collect();
    assert!(with(&many).unwrap_err().to_string().contains("more than 64"));
}

#[test]
fn sources_are_uri_references() {
    for source in ["/a", "a", "urn:uuid:1", "mailto:a@b.c", "1-555", "?q=1", "#f", "http://[::1]/%C3%A4", "a/b:c"] {
        assert!(CloudEvent::new("1", source, "t").is_ok(), "{source}");
    }
    for source in ["", "a b", "ä", "a%2", "a%zz", "1:2", ":a", "a#b#c", "<x>", "a\"b"] {
        assert!(CloudEvent::new("1", source, "t").is_err(), "{source}");
    }
}

#[test]
fn a_trace_goes_with_it() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = TraceContext::parse(parent, ["vendor=state"].into_iter()).unwrap();
    let event = CloudEvent::new("1", "/s", "t").unwrap().with_trace(&trace);
    assert_eq!(event.extension("traceparent"), Some(&parent.into()));
    assert_eq!(CloudEvent::parse(event.to_json().as_bytes()).unwrap().trace(), Some(trace));
    assert_eq!(with(r#","traceparent":"junk""#).unwrap().trace(), None);
}

#[test]
fn names_of_the_specification_are_no_extensions() {
    let event = CloudEvent::new("1", "/s", "t").unwrap();
    for name in ["id", "data", "data_base64", "", "a-b", "A"] {
        assert!(event.clone().with_extension(name, "x").is_err(), "{name}");
    }
    assert!(event.clone().with_extension("a", "\u{7}").is_err());
    assert!(event.with_binary("text", &b""[..]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "\\PC{0,60}") {
        let _ = (CloudEvent::parse(&bytes), CloudEvent::parse(text.as_bytes()));
    }

    #[test]
    fn an_event_survives_its_text(
        id in "[^\\pC]{1,20}",
        subject in prop::option::of("[^\\pC]{1,20}"),
        seconds in 0_u64..200_000_000_000,
        extensions in prop::collection::btree_map("[a-z0-9]{1,8}x", prop_oneof![
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "[^\\pC]{0,12}".prop_map(Value::from),
        ], 0..5),
        data in prop::option::of(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Data::Binary(bytes.into())),
            "[a-z\"\\\\é]{0,9}".prop_map(|text| Data::Json(serde_json::Value::from(text).to_string().into())),
        ]),
    ) {
        let mut event = CloudEvent::new(id, "/s", "t").unwrap();
        event = event.with_time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        (event.subject, event.extensions, event.data) = (subject, extensions, data);
        prop_assert_eq!(CloudEvent::parse(event.to_json().as_bytes()).unwrap(), event);
    }
}
