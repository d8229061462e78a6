//! What is kept, for how long, and what has to go.

use std::collections::HashMap;

use http::{HeaderValue, Method, header};
use proptest::prelude::*;

use super::*;
use crate::{
    time::{Clock, ManualClock},
    transport::{Body, CallInfo, Safety},
};

const SECOND: Duration = Duration::from_secs(1);

fn request(path: String) -> Request {
    let mut call = CallInfo::new("engram", "list", Safety::Read);
    call.collect = Some(1 << 20);
    Request::new(Method::GET, path, call)
}

fn response(body: impl Into<Bytes>) -> Response {
    Response::new(StatusCode::OK, Body::full(body))
}

/// A cache, and what tests do with it.
struct Shop {
    cache: ReplyCache,
    clock: ManualClock,
    target: Arc<str>,
}

impl Shop {
    fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { cache: ReplyCache::new(max_entries, max_bytes), clock: ManualClock::new(), target: "engram".into() }
    }

    fn keep(&self, path: &str, response: &Response) {
        let key = self.cache.key(&request(path.to_owned())).unwrap().shared();
        let moment = self.cache.moment(&self.target);
        self.cache.keep(&key, moment, &self.target, response, self.clock.now(), self.clock.wall());
    }

    fn find(&self, path: &str) -> Option<Bytes> {
        let key = self.cache.key(&request(path.to_owned())).unwrap();
        let found = self.cache.fresh(&key, self.clock.now(), 60 * SECOND)?;
        Some(found.into_body().into_bytes().unwrap())
    }
}

#[test]
fn a_hundred_thousand_answers_take_no_more_room_than_allowed() {
    let shop = Shop::new(1_000, 8 << 20);
    for n in 0..100_000 {
        shop.keep(&format!("/{n}"), &response(vec![b'x'; n % 2_000]));
    }
    assert_eq!(shop.cache.len(), 1_000);
    let shop = Shop::new(100_000, 1 << 20);
    for n in 0..10_000 {
        shop.keep(&format!("/{n}"), &response(vec![b'x'; 3_000]));
    }
    assert!(shop.cache.bytes() <= 1 << 20 && shop.cache.len() > 250, "{}", shop.cache.len());
    shop.keep("/large", &response(vec![b'x'; (1 << 20) / 16]));
    assert!(shop.find("/large").is_none(), "one answer does not drive all others out");
    shop.cache.clear();
    assert_eq!((shop.cache.len(), shop.cache.bytes()), (0, 0));
}

#[test]
fn what_is_asked_for_stays_longer() {
    let shop = Shop::new(100, 1 << 20);
    shop.keep("/popular", &response("1"));
    for n in 0..1_000 {
        assert!(shop.find("/popular").is_some(), "{n}");
        shop.keep(&format!("/{n}"), &response("1"));
    }
    assert!(shop.find("/0").is_none());
}

#[test]
fn a_kept_body_holds_no_buffer_but_its_own() {
    let shop = Shop::new(10, 1 << 20);
    let buffer = Bytes::from(vec![b'x'; 1 << 20]);
    let slice = buffer.slice(..10);
    shop.keep("/", &response(slice.clone()));
    assert_ne!(shop.find("/").unwrap().as_ptr(), slice.as_ptr());
}

#[test]
fn only_a_whole_200_is_kept() {
    let shop = Shop::new(10, 1 << 20);
    for status in [201, 203, 204, 206, 301, 404, 500] {
        let mut other = response("1");
        other.status = StatusCode::from_u16(status).unwrap();
        shop.keep("/", &other);
    }
    let mut stream = response("1");
    stream.body = Body::stream(futures_util::stream::empty());
    shop.keep("/", &stream);
    assert!(shop.cache.is_empty());
    shop.keep("/", &response(""));
    assert_eq!(shop.find("/").unwrap(), "", "an empty one is one");
}

#[test]
fn an_answer_that_is_not_kept_takes_the_place_of_an_older_one() {
    let shop = Shop::new(10, 1 << 20);
    let secret = response("3").with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for newer in [response(vec![b'x'; 1 << 19]), secret] {
        shop.keep("/", &response("1"));
        shop.keep("/", &newer);
        assert!(shop.cache.is_empty());
    }
}

#[test]
fn an_age_from_before_counts() {
    let shop = Shop::new(10, 1 << 20);
    shop.keep("/", &response("1").with_header(AGE, HeaderValue::from(50)));
    let key = shop.cache.key(&request("/".to_owned())).unwrap().shared();
    let age = |ttl| Some(shop.cache.fresh(&key, shop.clock.now(), ttl)?.headers[AGE].clone());
    assert_eq!(age(60 * SECOND), Some(HeaderValue::from(50)));
    assert_eq!(age(50 * SECOND), None);
    shop.clock.advance(10 * SECOND);
    assert_eq!(age(60 * SECOND), None);
    let stale = shop.cache.stale(&key, shop.clock.now(), 60 * SECOND).unwrap();
    assert_eq!(stale.origin, Origin::Stale(60 * SECOND));
}

#[test]
fn what_began_before_it_was_outdated_is_not_kept() {
    let shop = Shop::new(10, 1 << 20);
    let key = shop.cache.key(&request("/".to_owned())).unwrap().shared();
    for outdate in [ReplyCache::outdate, ReplyCache::forget, |cache: &ReplyCache, _: &str| cache.clear()] {
        let moment = shop.cache.moment(&shop.target);
        outdate(&shop.cache, "engram");
        shop.cache.keep(&key, moment, &shop.target, &response("1"), shop.clock.now(), shop.clock.wall());
        assert!(shop.find("/").is_none());
    }
    // It is given out no more as fresh, but where only the age matters.
    shop.keep("/", &response("1"));
    shop.cache.outdate("engram");
    assert!(shop.find("/").is_none());
    assert!(shop.cache.stale(&key, shop.clock.now(), SECOND).is_some());
    shop.cache.forget("engram");
    assert!(shop.cache.stale(&key, shop.clock.now(), SECOND).is_none());
}

#[test]
fn ten_thousand_targets_are_outdated_in_bounded_room() {
    let cache = ReplyCache::default();
    let moments: Vec<_> = (0..10_000)
        .map(|n| {
            let target: Arc<str> = format!("target-{n}").into();
            (cache.moment(&target), target)
        })
        .collect();
    assert_eq!(cache.0.targets.read().unwrap().len(), MAX_TARGETS);
    cache.outdate("target-3");
    let outdated: Vec<_> = moments.iter().filter(|(moment, _)| !moment.is_now()).map(|(_, name)| &**name).collect();
    assert_eq!(outdated, ["target-3"]);
    cache.outdate("target-9999");
    assert!(moments[MAX_TARGETS..].iter().all(|(moment, _)| !moment.is_now()), "those without a place are one");
    assert!(moments[0].0.is_now());
}

proptest! {
    #[test]
    fn whatever_is_done_the_books_are_right(
        steps in proptest::collection::vec((0..6_u8, 0..30_usize, 0..900_usize), 1..300),
    ) {
        let shop = Shop::new(8, 16 * 1024);
        let mut newest: HashMap<usize, Vec<u8>> = HashMap::new();
        for (what, path, size) in steps {
            match what {
                0 => shop.clock.advance(SECOND),
                1 if size < 20 => {
                    shop.cache.forget("engram");
                    newest.clear();
                }
                1 | 2 => {
                    if let Some(found) = shop.find(&format!("/{path}")) {
                        prop_assert_eq!(Some(&found.to_vec()), newest.get(&path));
                    }
                }
                _ => {
                    let body = vec![path as u8; size];
                    shop.keep(&format!("/{path}"), &response(body.clone()));
                    newest.insert(path, body);
                }
            }
            let shelf = shop.cache.shelf();
            prop_assert!(shelf.entries.len() <= 8 && shelf.bytes <= 16 * 1024);
            prop_assert_eq!(shelf.entries.iter().map(|entry| entry.bytes).sum::<usize>(), shelf.bytes);
            prop_assert_eq!(shelf.places.len(), shelf.entries.len());
            for (place, entry) in shelf.entries.iter().enumerate() {
                prop_assert_eq!(shelf.places.get(&entry.key), Some(&place));
            }
        }
    }
}
