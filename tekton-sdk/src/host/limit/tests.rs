use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt, future::join_all};

use super::*;
use crate::time::ManualClock;

const SECOND: Duration = Duration::from_secs(1);

fn places(change: impl FnOnce(&mut HostConfig)) -> (Arc<Places>, ManualClock) {
    let mut config = HostConfig::default().with_max_concurrency(1).with_queue_timeout(SECOND);
    change(&mut config);
    let clock = ManualClock::new();
    (Arc::new(Places::new(&config, SharedClock::new(clock.clone()))), clock)
}

fn why(refused: Result<Place, (HostLimit, Box<Refusal>)>) -> HostLimit {
    refused.unwrap_err().0
}

#[tokio::test]
async fn a_place_goes_on_to_who_waits() {
    let (places, _) = places(|_| {});
    let first = places.free().unwrap();
    assert!(places.free().is_none());
    let mut waiting = Box::pin(places.wait(Priority::Normal, None));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(places.taken(), (1, 1));
    drop(first);
    assert!(places.free().is_none(), "it belongs to who waits");
    let second = waiting.now_or_never().unwrap().unwrap();
    assert_eq!(places.taken(), (1, 0));
    drop(second);
    assert!(places.free().is_some());
}

#[tokio::test]
async fn who_goes_away_gives_up_line_and_place() {
    let (places, _) = places(|_| {});
    let first = places.free().unwrap();
    let mut one = Box::pin(places.wait(Priority::Normal, None));
    let mut other = Box::pin(places.wait(Priority::Normal, None));
    assert!(one.as_mut().now_or_never().is_none() && other.as_mut().now_or_never().is_none());
    assert_eq!(places.taken(), (1, 2));
    drop(one);
    assert_eq!(places.taken(), (1, 1));
    // The place is on its way to the other when that goes too.
    drop(first);
    assert_eq!(places.taken(), (1, 0));
    drop(other);
    assert_eq!(places.taken(), (0, 0));
}

#[tokio::test]
async fn who_waits_too_long_is_refused() {
    let (places, clock) = places(|_| {});
    let _first = places.free().unwrap();
    let mut waiting = Box::pin(places.wait(Priority::High, None));
    assert!(waiting.as_mut().now_or_never().is_none());
    clock.advance(SECOND);
    let (limit, refusal) = waiting.now_or_never().unwrap().unwrap_err();
    assert_eq!(limit, HostLimit::Concurrency);
    let answer = refusal.answer();
    assert_eq!((answer.status.as_u16(), answer.headers.get("retry-after").unwrap().as_bytes()), (429, &b"1"[..]));
    assert_eq!(places.taken(), (1, 0));
}

#[tokio::test]
async fn nobody_waits_where_that_is_off_or_full() {
    let (off, _) = places(|config| config.queue_timeout = Duration::ZERO);
    let _first = off.free().unwrap();
    assert_eq!(why(off.wait(Priority::High, None).now_or_never().unwrap()), HostLimit::Concurrency);

    let (small, _) = places(|config| config.max_waiting = 1);
    let _second = small.free().unwrap();
    let mut low = Box::pin(small.wait(Priority::Low, None));
    assert!(low.as_mut().now_or_never().is_none());
    assert_eq!(why(small.wait(Priority::Low, None).now_or_never().unwrap()), HostLimit::Concurrency);
    let mut high = Box::pin(small.wait(Priority::High, None));
    assert!(high.as_mut().now_or_never().is_none());
    assert_eq!(why(low.now_or_never().unwrap()), HostLimit::Shed);
    assert_eq!(small.taken(), (1, 1));
}

#[tokio::test]
async fn a_standing_line_is_cut_back_and_the_late_are_told_at_their_turn() {
    let (places, clock) = places(|_| {});
    let first = places.free().unwrap();
    let late = clock_now(&clock) + SECOND / 2;
    let mut one = Box::pin(places.wait(Priority::Normal, Some(late)));
    assert!(one.as_mut().now_or_never().is_none());
    clock.advance(SECOND / 2 + Duration::from_nanos(1));
    let mut other = Box::pin(places.wait(Priority::Normal, None));
    assert!(other.as_mut().now_or_never().is_none());
    drop(first);
    let (limit, refusal) = one.now_or_never().unwrap().unwrap_err();
    assert_eq!((limit, refusal.answer().status.as_u16()), (HostLimit::Shed, 503));
    let second = other.now_or_never().unwrap().unwrap();
    // A tenth of the longest wait is what a standing line is allowed.
    let mut lines: Vec<_> = (0..3).map(|_| Box::pin(places.wait(Priority::Normal, None))).collect();
    assert!(lines[0].as_mut().now_or_never().is_none());
    clock.advance(SECOND - SECOND / 20);
    assert!(lines[1].as_mut().now_or_never().is_none() && lines[2].as_mut().now_or_never().is_none());
    clock.advance(SECOND / 20);
    // The first of them is past its longest wait as well, and has not been asked yet.
    drop(second);
    let mut lines = lines.into_iter();
    assert_eq!(why(lines.next().unwrap().now_or_never().unwrap()), HostLimit::Shed);
    assert!(lines.next().unwrap().now_or_never().unwrap().is_ok());
}

fn clock_now(clock: &ManualClock) -> Instant {
    use crate::time::Clock;
    clock.now()
}

/// Places are asked for, kept, given back and given up on several threads; at no moment are there too many, and none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_place_is_lost_or_given_twice() {
    let (places, _) = places(|config| (config.max_concurrency, config.max_waiting) = (3, 50));
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let task = |n: usize| {
        let (places, running, most) = (Arc::clone(&places), Arc::clone(&running), Arc::clone(&most));
        tokio::spawn(async move {
            for round in 0..200 {
                let priority = Priority::ALL[(n + round) % 3];
                let waiting = async {
                    match places.free() {
                        Some(place) => Ok(place),
                        None => places.wait(priority, None).await,
                    }
                };
                // Every third gives up after a few polls.
                let patience = async {
                    for _ in 0..(if (n + round).is_multiple_of(3) { 2 } else { 100_000 }) {
                        tokio::task::yield_now().await;
                    }
                };
                let place = tokio::select! { place = waiting => place.ok(), () = patience => None };
                if let Some(place) = place {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    drop(place);
                }
            }
        })
    };
    join_all((0..20).map(task)).await.into_iter().for_each(|done| done.unwrap());
    assert_eq!(places.taken(), (0, 0));
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
}
