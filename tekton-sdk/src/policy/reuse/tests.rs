//! Which requests are equal, and who leads.

use std::hash::RandomState;

use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::*;
use crate::transport::{Body, CallInfo};

fn request(method: Method, path: &str, headers: &[(String, String)], body: &str) -> Request {
    let mut call = CallInfo::new("engram", "list", Safety::Read);
    call.collect = Some(1024);
    let mut request = Request::new(method, path.to_owned(), call).with_body(Body::full(body.to_owned()));
    for (name, value) in headers {
        let (name, value) = (HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
        request.headers.append(name, value);
    }
    request
}

/// The headers by name, each with its values in their order.
fn sorted(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut headers = headers.to_vec();
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    headers
}

#[test]
fn a_key_of_which_no_byte_is_known_outside_is_shown_by_its_size_alone() {
    let headers = [("authorization".to_owned(), "Bearer s3cret".to_owned())];
    let key = Key::of(&request(Method::GET, "/s3cret", &headers, "s3cret"), &RandomState::new()).unwrap();
    assert!(!format!("{key:?}").contains("s3cret"), "{key:?}");
}

#[test]
fn parts_that_touch_do_not_make_two_requests_equal() {
    let hasher = RandomState::new();
    let key = |request: &Request| Key::of(request, &hasher).unwrap();
    let plain = request(Method::GET, "/ab", &[], "");
    let mut query = request(Method::GET, "/a", &[], "");
    query.query = Some("b".to_owned());
    let mut empty = request(Method::GET, "/ab", &[], "");
    empty.query = Some(String::new());
    let body = request(Method::GET, "/a", &[], "b");
    let named = |name: &str, value: &str| request(Method::GET, "/a", &[(name.to_owned(), value.to_owned())], "");
    let all = [plain, query, empty, body, named("xa", "b"), named("x", "ab"), named("xab", "")];
    for (at, one) in all.iter().enumerate() {
        for (other_at, other) in all.iter().enumerate() {
            assert_eq!(key(one) == key(other), at == other_at, "{one:?} {other:?}");
        }
    }
    let mut target = request(Method::GET, "/a", &[], "");
    target.call.target = "other".into();
    assert!(key(&target) != key(&request(Method::GET, "/a", &[], "")));
    let at = |base: &str| {
        request(Method::GET, "/a", &[], "").with_endpoint(crate::transport::Endpoint::parse(base).unwrap())
    };
    assert!(key(&at("http://h:1/one")) != key(&at("http://h:1/two")), "one authority, two components");
}

#[test]
fn a_key_ends_at_its_cap() {
    let hasher = RandomState::new();
    let with = |bytes: usize| Key::of(&request(Method::GET, "/a", &[], &"x".repeat(bytes)), &hasher);
    assert!(with(60_000).is_some() && with(70_000).is_none() && with(1 << 20).is_none());
}

proptest! {
    #[test]
    fn two_requests_are_equal_only_if_all_of_them_is(
        one in (0..2_u8, "/[ab]{0,2}", proptest::collection::vec(("x-[ab]", "[ab]{0,2}"), 0..4), "[ab]{0,2}"),
        other in (0..2_u8, "/[ab]{0,2}", proptest::collection::vec(("x-[ab]", "[ab]{0,2}"), 0..4), "[ab]{0,2}"),
    ) {
        let hasher = RandomState::new();
        let key = |(method, path, headers, body): &(u8, String, Vec<(String, String)>, String)| {
            let method = if *method == 0 { Method::GET } else { Method::POST };
            Key::of(&request(method, path, headers, body), &hasher).unwrap()
        };
        let equal = (one.0, &one.1, sorted(&one.2), &one.3) == (other.0, &other.1, sorted(&other.2), &other.3);
        prop_assert_eq!(key(&one) == key(&other), equal);
        prop_assert!(key(&one) == key(&one));
    }
}
