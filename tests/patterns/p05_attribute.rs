//! Room 5 around one function: `#[circuit_breaker]`.

use std::{
    error::Error as StdError,
    future::{Future, pending, ready},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, poll};
use tekton_sdk::{
    Component, Error, ErrorKind, Result, Sent, circuit_breaker,
    patterns::breaker::{BreakerState, CircuitBreaker, Refused, function_breakers},
    testing::TestBed,
};

/// The breaker of a function of this file.
fn breaker(function: &str) -> CircuitBreaker {
    let name = format!("patterns::p05_attribute::{function}");
    function_breakers().into_iter().find(|breaker| breaker.name() == name).unwrap()
}

fn down() -> Error {
    Error::internal("it is down")
}

#[tokio::test(start_paused = true)]
async fn the_defaults_are_five_failures_in_a_row_and_a_minute() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    #[circuit_breaker]
    async fn defaults(well: bool) -> Result<()> {
        CALLS.fetch_add(1, Ordering::Relaxed);
        if well { Ok(()) } else { Err(down()) }
    }

    for _ in 0..4 {
        assert_eq!(defaults(false).await.unwrap_err().kind(), ErrorKind::Internal);
    }
    // A success begins the row anew.
    defaults(true).await.unwrap();
    for _ in 0..5 {
        assert_eq!(defaults(false).await.unwrap_err().kind(), ErrorKind::Internal);
    }
    tokio::time::advance(Duration::from_secs(59)).await;
    let refused = defaults(true).await.unwrap_err();
    assert_eq!((refused.kind(), refused.sent()), (ErrorKind::Rejected, Sent::No));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(CALLS.load(Ordering::Relaxed), 10);

    tokio::time::advance(Duration::from_millis(1001)).await;
    defaults(true).await.unwrap();
    assert_eq!(breaker("defaults").state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn both_arguments_are_obeyed_and_a_failed_probe_opens_for_as_long_again() {
    #[circuit_breaker(failure_threshold = 2, timeout = "250ms")]
    async fn obeyed() -> Result<()> {
        Err(down())
    }

    for round in 0..3 {
        if round == 0 {
            assert_eq!(obeyed().await.unwrap_err().kind(), ErrorKind::Internal);
        }
        assert_eq!(obeyed().await.unwrap_err().kind(), ErrorKind::Internal, "round {round}");
        assert_eq!(obeyed().await.unwrap_err().retry_after(), Some(Duration::from_millis(250)), "round {round}");
        tokio::time::advance(Duration::from_millis(251)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_synchronous_function_has_one_too() {
    #[circuit_breaker(failure_threshold = 1, timeout = "1s", name = "p05.synchronous")]
    fn synchronous(text: &str) -> std::result::Result<u8, Box<dyn StdError + Send + Sync>> {
        Ok(text.parse::<u8>()?)
    }

    assert_eq!(synchronous("7").unwrap(), 7);
    assert!(synchronous("x").unwrap_err().downcast_ref::<std::num::ParseIntError>().is_some());
    let refused = synchronous("7").unwrap_err();
    let refused = refused.downcast_ref::<Refused>().unwrap();
    assert_eq!((&*refused.breaker, refused.state), ("p05.synchronous", BreakerState::Open));
    tokio::time::advance(Duration::from_millis(1001)).await;
    assert_eq!(synchronous("7").unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_function_has_one_breaker_whoever_calls_it_and_with_whatever() {
    struct Till(&'static str);
    impl Till {
        #[circuit_breaker(failure_threshold = 2)]
        async fn shared<T: ToString + Sync>(&self, what: &T) -> Result<String> {
            if what.to_string() == self.0 { Err(down()) } else { Ok(what.to_string()) }
        }

        #[circuit_breaker(failure_threshold = 2)]
        fn other(&self) -> Result<&'static str> {
            Ok(self.0)
        }
    }

    let (one, another) = (Till("1"), Till("one"));
    assert_eq!(another.shared(&1_u8).await.unwrap(), "1");
    assert!(one.shared(&1_u8).await.is_err() && another.shared(&"one").await.is_err());
    assert_eq!(one.shared(&2_u64).await.unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(one.other().unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_while_it_is_open() {
    #[circuit_breaker(failure_threshold = 1)]
    async fn begun(held: Arc<()>) -> Result<()> {
        drop(held);
        Err(down())
    }

    let held = Arc::new(());
    begun(Arc::clone(&held)).await.unwrap_err();
    let refused = begun(Arc::clone(&held)).now_or_never().unwrap();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(Arc::strong_count(&held), 1, "a refused call keeps nothing of its arguments");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_counts_nothing_and_gives_its_probe_back() {
    #[circuit_breaker(failure_threshold = 1, timeout = "1s")]
    async fn dropped(work: impl Future<Output = Result<()>>) -> Result<()> {
        work.await
    }

    for _ in 0..3 {
        assert!(poll!(pin!(dropped(pending()))).is_pending());
    }
    assert_eq!(breaker("dropped").state(), BreakerState::Closed);
    dropped(ready(Err(down()))).await.unwrap_err();
    tokio::time::advance(Duration::from_millis(1001)).await;
    {
        let mut probe = pin!(dropped(pending()));
        assert!(poll!(probe.as_mut()).is_pending());
        assert_eq!(dropped(ready(Ok(()))).await.unwrap_err().kind(), ErrorKind::Rejected);
    }
    dropped(ready(Ok(()))).await.unwrap();
    assert_eq!(breaker("dropped").state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    #[circuit_breaker(failure_threshold = 2)]
    async fn panicking() -> Result<()> {
        ready(()).await;
        panic!("planned")
    }
    #[circuit_breaker(failure_threshold = 1)]
    fn panicking_at_once() -> Result<()> {
        panic!("planned")
    }

    assert!(tokio::spawn(panicking()).await.unwrap_err().is_panic());
    assert!(AssertUnwindSafe(panicking()).catch_unwind().await.is_err());
    assert_eq!(panicking().await.unwrap_err().kind(), ErrorKind::Rejected);
    assert!(catch_unwind(panicking_at_once).is_err());
    assert_eq!(panicking_at_once().unwrap_err().kind(), ErrorKind::Rejected);
}

#[tokio::test(start_paused = true)]
async fn what_this_side_refused_does_not_feed_it() {
    #[circuit_breaker(failure_threshold = 1)]
    async fn outer() -> Result<()> {
        inner().await
    }
    #[circuit_breaker(failure_threshold = 1)]
    async fn boxed() -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(inner().await?)
    }
    #[circuit_breaker(failure_threshold = 1)]
    async fn boxed_refusal() -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        boxed_inner()
    }
    #[circuit_breaker(failure_threshold = 1)]
    async fn inner() -> Result<()> {
        Err(down())
    }
    #[circuit_breaker(failure_threshold = 1)]
    fn boxed_inner() -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        Err("it is down".into())
    }
    #[circuit_breaker(failure_threshold = 1)]
    async fn asks_wrong() -> Result<()> {
        Err(Error::invalid("an argument is wrong"))
    }

    inner().await.unwrap_err();
    boxed_inner().unwrap_err();
    for _ in 0..3 {
        assert_eq!(outer().await.unwrap_err().kind(), ErrorKind::Rejected);
        boxed().await.unwrap_err();
        boxed_refusal().await.unwrap_err();
        assert_eq!(asks_wrong().await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    for name in ["outer", "boxed", "boxed_refusal", "asks_wrong"] {
        assert_eq!(breaker(name).state(), BreakerState::Closed, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_ones_own_is_a_failure_and_can_be_a_refusal() {
    #[derive(Debug)]
    enum Failed {
        Refused(Refused),
        Io(io::Error),
    }
    impl From<Refused> for Failed {
        fn from(refused: Refused) -> Self {
            Self::Refused(refused)
        }
    }
    #[circuit_breaker(failure_threshold = 1)]
    async fn own() -> std::result::Result<(), Failed> {
        Err(Failed::Io(io::Error::other("it is down")))
    }

    assert!(matches!(own().await, Err(Failed::Io(error)) if error.kind() == io::ErrorKind::Other));
    assert!(matches!(own().await, Err(Failed::Refused(refused)) if refused.state == BreakerState::Open));
}

#[tokio::test(start_paused = true)]
async fn a_test_sees_it_and_resets_it() {
    #[circuit_breaker(failure_threshold = 1)]
    async fn seen() -> Result<()> {
        Err(down())
    }

    let is_there = || function_breakers().iter().any(|breaker| breaker.name().ends_with("::seen"));
    assert!(!is_there(), "it is made at the first call");
    seen().await.unwrap_err();
    assert!(is_there());
    assert_eq!(seen().await.unwrap_err().kind(), ErrorKind::Rejected);
    breaker("seen").reset();
    assert_eq!(seen().await.unwrap_err().kind(), ErrorKind::Internal);
    breaker("seen").force_open();
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(seen().await.unwrap_err().kind(), ErrorKind::Rejected);
}

/// Fails.
#[derive(Component)]
#[component(version = "1.0.0")]
struct Failing(AtomicU32);

#[tekton_sdk::service]
impl Failing {
    /// Fails.
    #[op(write)]
    #[circuit_breaker(failure_threshold = 1)]
    async fn fail(&self) -> Result<u32> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(down())
    }

    /// Counts.
    #[op(read)]
    async fn count(&self) -> Result<u32> {
        Ok(self.0.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn an_operation_can_have_one() {
    let bed = TestBed::new().unwrap();
    bed.serve(Failing(AtomicU32::new(0))).await.unwrap();
    let failing: FailingClient = bed.tekton().find().await.unwrap();
    for _ in 0..3 {
        failing.fail().await.unwrap_err();
    }
    assert_eq!(failing.count().await.unwrap(), 1);
    bed.shutdown().await.unwrap();
}
