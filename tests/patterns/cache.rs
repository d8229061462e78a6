//! What the cache of the directory promises, with time standing still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tekton_sdk::{
    Error, ErrorKind, Result,
    contract::{Entry, PublishedTool, Registration},
    directory::{
        CachedDirectory, Change, Directory, DirectoryCapabilities, DirectoryConfig, Lease, MemoryDirectory, Query,
        Standing,
    },
    time::{ManualClock, SharedClock},
};
use tokio::sync::Notify;

/// A directory that counts its questions, can be down, and can be held.
#[derive(Debug)]
struct Counting {
    inside: MemoryDirectory,
    asked: AtomicUsize,
    down: AtomicBool,
    hold: AtomicBool,
    go_on: Notify,
}

#[tekton_sdk::async_trait]
impl Directory for Counting {
    async fn register(&self, registration: &Registration) -> Result<Lease> {
        self.inside.register(registration).await
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<Standing> {
        self.inside.heartbeat(lease).await
    }

    async fn unregister(&self, lease: &Lease) -> Result<bool> {
        self.inside.unregister(lease).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<Entry>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.hold.load(Ordering::SeqCst) {
            self.go_on.notified().await;
        }
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Connect, "the hub is down"));
        }
        self.inside.find(query).await
    }

    async fn publish_tools(&self, lease: &Lease, tools: &[PublishedTool]) -> Result<()> {
        self.inside.publish_tools(lease, tools).await
    }

    async fn withdraw_tools(&self, lease: &Lease, ids: &[String]) -> Result<usize> {
        self.inside.withdraw_tools(lease, ids).await
    }

    fn capabilities(&self) -> DirectoryCapabilities {
        self.inside.capabilities()
    }
}

struct Bench {
    clock: ManualClock,
    behind: Arc<Counting>,
    cache: CachedDirectory,
}

impl Bench {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let shared = SharedClock::new(clock.clone());
        let behind = Arc::new(Counting {
            inside: MemoryDirectory::new(shared.clone()),
            asked: AtomicUsize::new(0),
            down: AtomicBool::new(false),
            hold: AtomicBool::new(false),
            go_on: Notify::new(),
        });
        behind.inside.register(&Registration::new("a-1", "a", "1.0.0", "http://127.0.0.1:1")).await.unwrap();
        let config = DirectoryConfig::default();
        let cache = CachedDirectory::new(Arc::clone(&behind) as Arc<dyn Directory>, config, shared);
        Self { clock, behind, cache }
    }

    async fn found(&self) -> Result<usize> {
        Ok(self.cache.lookup(&Query::name("a")).await?.len())
    }

    fn asked(&self) -> usize {
        self.behind.asked.load(Ordering::SeqCst)
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

#[tokio::test]
async fn a_fresh_answer_is_not_asked_for_again() {
    let bench = Bench::new().await;
    for _ in 0..10 {
        assert_eq!(bench.found().await.unwrap(), 1);
    }
    bench.pass(5);
    assert_eq!((bench.found().await.unwrap(), bench.asked()), (1, 1));
    assert_eq!(bench.cache.stats().hits, 10);
}

#[tokio::test]
async fn a_stale_answer_is_served_while_one_refresh_runs_beside() {
    let bench = Bench::new().await;
    bench.found().await.unwrap();
    bench.behind.inside.register(&Registration::new("a-2", "a", "1.0.0", "http://127.0.0.1:2")).await.unwrap();
    bench.behind.hold.store(true, Ordering::SeqCst);
    bench.pass(10);
    for _ in 0..5 {
        assert_eq!(bench.found().await.unwrap(), 1, "nobody waits");
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.asked(), 2, "one refresh");
    bench.behind.go_on.notify_one();
    while bench.found().await.unwrap() == 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn many_callers_ask_once() {
    let bench = Arc::new(Bench::new().await);
    bench.behind.hold.store(true, Ordering::SeqCst);
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.found().await })
        })
        .collect();
    while bench.asked() == 0 {
        tokio::task::yield_now().await;
    }
    bench.behind.hold.store(false, Ordering::SeqCst);
    bench.behind.go_on.notify_one();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), 1);
    }
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_asking_to_the_next() {
    let bench = Arc::new(Bench::new().await);
    bench.behind.hold.store(true, Ordering::SeqCst);
    let first = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.found().await }
    });
    while bench.asked() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    bench.behind.hold.store(false, Ordering::SeqCst);
    assert_eq!((bench.found().await.unwrap(), bench.asked()), (1, 2));
}

#[tokio::test]
async fn nobody_is_an_answer_too_for_a_second() {
    let bench = Bench::new().await;
    let nobody = Query::name("nobody");
    for _ in 0..5 {
        assert!(bench.cache.lookup(&nobody).await.unwrap().is_empty());
    }
    assert_eq!(bench.asked(), 1);
    bench.pass(2);
    bench.behind.inside.register(&Registration::new("n-1", "nobody", "1.0.0", "http://127.0.0.1:3")).await.unwrap();
    assert_eq!(bench.cache.lookup(&nobody).await.unwrap().len(), 1, "an old nobody is not served");
}

#[tokio::test]
async fn a_hub_that_is_down_stops_nothing_that_is_known() {
    let bench = Bench::new().await;
    bench.found().await.unwrap();
    bench.behind.down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        bench.pass(1_000_000);
        assert_eq!(bench.found().await.unwrap(), 1);
    }
    let asked = bench.asked();
    for _ in 0..20 {
        assert_eq!(bench.found().await.unwrap(), 1);
    }
    assert_eq!(bench.asked(), asked, "a hub that is down is left alone for a while");
    let error = bench.cache.lookup(&Query::name("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    // What is registered elsewhere does not make us forget what we know.
    bench.cache.doubt_all();
    bench.pass(2);
    assert_eq!(bench.found().await.unwrap(), 1);
    bench.behind.down.store(false, Ordering::SeqCst);
    bench.pass(2);
    bench.found().await.unwrap();
    assert!(bench.cache.peek(&Query::name("a")).is_some());
}

#[tokio::test]
async fn doubt_asks_again_but_not_in_a_storm() {
    let bench = Bench::new().await;
    bench.found().await.unwrap();
    for _ in 0..10 {
        bench.cache.doubt(&Query::name("a"));
        bench.found().await.unwrap();
    }
    assert_eq!(bench.asked(), 2);
    bench.pass(2);
    bench.cache.doubt(&Query::name("a"));
    bench.found().await.unwrap();
    assert_eq!(bench.asked(), 3);
}

#[tokio::test]
async fn answers_are_bounded() {
    let bench = Bench::new().await;
    let config = DirectoryConfig::default().with_max_entries(3);
    let behind = Arc::clone(&bench.behind) as Arc<dyn Directory>;
    let cache = CachedDirectory::new(behind, config, SharedClock::new(bench.clock.clone()));
    for n in 0..100 {
        cache.lookup(&Query::name(format!("n{n}"))).await.unwrap();
        bench.clock.advance(Duration::from_millis(1));
    }
    let kept = (0..100).filter(|n| cache.peek(&Query::name(format!("n{n}"))).is_some()).count();
    assert_eq!(kept, 3);
}

#[tokio::test]
async fn a_watch_tells_what_changes() {
    let bench = Arc::new(Bench::new().await);
    let mut watch = bench.cache.watch(Query::name("a"));
    assert!(matches!(watch.next().await, Change::Added(entry) if entry.id == "a-1"));
    assert!(matches!(watch.next().await, Change::Synced));
    let mut moved = Registration::new("a-1", "a", "1.0.0", "http://127.0.0.1:9");
    moved.metadata.cost = Some(2.0);
    bench.behind.inside.register(&moved).await.unwrap();
    let later = tokio::spawn({
        let clock = bench.clock.clone();
        async move {
            for _ in 0..4 {
                clock.until_sleeping(1).await;
                clock.advance(Duration::from_secs(5));
                tokio::task::yield_now().await;
            }
        }
    });
    assert!(matches!(watch.next().await, Change::Updated(entry) if entry.endpoint.ends_with(":9")));
    bench.behind.down.store(true, Ordering::SeqCst);
    assert!(matches!(watch.next().await, Change::Unavailable(error) if error.kind() == ErrorKind::Connect));
    bench.behind.down.store(false, Ordering::SeqCst);
    bench.behind.inside.unregister(&Lease::new("a-1", "http://127.0.0.1:9")).await.unwrap();
    assert!(matches!(watch.next().await, Change::Removed(id) if id == "a-1"));
    assert!(matches!(watch.next().await, Change::Synced));
    later.abort();
}
