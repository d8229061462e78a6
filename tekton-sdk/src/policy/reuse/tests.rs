//! Which requests are equal, and who leads.

use std::{
    hash::RandomState,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Wake},
};

use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::{
    flight::{Waited, Waiting},
    *,
};
use crate::{
    error::Error,
    time::{Clock, ManualClock},
    transport::{Body, CallInfo},
};

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

/// Tells whether somebody was woken.
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One who takes part in flights.
enum Guest<'a> {
    Leads(Lead<'a>, Option<Deadline>),
    Waits(Pin<Box<Waiting<'a>>>, Arc<Bell>, Option<Deadline>),
}

/// Polls those who were woken, as a runtime does, until nobody is. Gives back how many got an outcome.
fn settle(guests: &mut Vec<Guest<'_>>) -> usize {
    let mut landed = 0;
    loop {
        let woken = guests.iter_mut().position(|guest| match guest {
            Guest::Waits(_, bell, _) => bell.0.swap(false, Ordering::SeqCst),
            Guest::Leads(..) => false,
        });
        let Some(Guest::Waits(mut waiting, bell, deadline)) = woken.map(|place| guests.swap_remove(place)) else {
            return landed;
        };
        let waker = Arc::clone(&bell).into();
        match waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Waited::Landed(_)) => landed += 1,
            Poll::Ready(Waited::Leads(lead)) => guests.push(Guest::Leads(lead, deadline)),
            Poll::Pending => guests.push(Guest::Waits(waiting, bell, deadline)),
        }
    }
}

proptest! {
    /// Whoever comes, gives up or lands, in whatever order: exactly one leads while anybody waits, and nothing is left over.
    #[test]
    fn somebody_leads_as_long_as_anybody_waits(
        steps in proptest::collection::vec((0..7_u8, 0..8_usize, 0..4_u64), 1..80),
    ) {
        let clock = ManualClock::new();
        let flights = Flights::new(SharedClock::new(clock.clone()));
        let replies = ReplyCache::default();
        let key = replies.key(&request(Method::GET, "/", &[], "")).unwrap().shared();
        let mut guests: Vec<Guest<'_>> = Vec::new();
        for (what, which, time) in steps {
            let leader = guests.iter().position(|guest| matches!(guest, Guest::Leads(..)));
            match (what, leader) {
                (0..=2, _) => {
                    let deadline = (time > 0).then(|| Deadline::after(clock.now(), Duration::from_secs(time)));
                    guests.push(match flights.join(&key, &replies.moment(&"engram".into()), deadline) {
                        Part::Lead(lead) => Guest::Leads(lead, deadline),
                        Part::Wait(waiting) => Guest::Waits(Box::pin(waiting), Arc::new(Bell(true.into())), deadline),
                    });
                }
                (3, Some(leader)) => drop(guests.swap_remove(leader)),
                (4, Some(leader)) => {
                    if let Guest::Leads(lead, _) = guests.swap_remove(leader) {
                        lead.land(&Ok(Response::new(http::StatusCode::OK, Body::full("1"))));
                    }
                    let waited = guests.len();
                    prop_assert_eq!(settle(&mut guests), waited, "all who waited are told");
                }
                (5, Some(leader)) => {
                    if let Guest::Leads(lead, deadline) = guests.swap_remove(leader)
                        && let Err(lead) = lead.hand_over(deadline)
                    {
                        lead.land(&Err(Error::new(ErrorKind::Timeout, "late")));
                    }
                }
                (6, _) if time == 3 => clock.advance(Duration::from_secs(1)),
                _ if which < guests.len() => drop(guests.swap_remove(which)),
                _ => {}
            }
            // Some are given up before they are polled again.
            if time == 2 && what != 4 {
                continue;
            }
            settle(&mut guests);
            let leaders = guests.iter().filter(|guest| matches!(guest, Guest::Leads(..))).count();
            prop_assert_eq!(leaders, usize::from(!guests.is_empty()));
            prop_assert_eq!(flights.len(), leaders);
        }
        guests.clear();
        prop_assert_eq!(flights.len(), 0);
    }
}
