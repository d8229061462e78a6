//! Several instances of one component: who is called on good days and on bad ones.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;
use tekton_sdk::{
    Error, ErrorKind, Peer, Result, Tekton, Verdict,
    config::TektonBuilder,
    contract::{Entry, Registration},
    directory::MemoryDirectory,
    patterns::{breaker::BreakerState, request::Reply},
    policy::{HedgeConfig, Weights},
    random::Random,
    testing::EventLog,
    time::SharedClock,
    transport::{Response, Safety},
};

use crate::timed::{Seen, Timed, ms, status};

/// How each instance does, by its host; who is not named answers within 10 ms.
type Ways = Arc<Mutex<BTreeMap<String, Way>>>;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Slow,
    Dead,
    Hangs,
    Fails,
}

impl Way {
    fn answer(self) -> (Duration, Result<Response>) {
        match self {
            Self::Slow => (ms(2_000), status(200, "1")),
            Self::Dead => (ms(0), Err(Error::new(ErrorKind::Connect, "connection refused"))),
            Self::Hangs => (Duration::from_secs(3600), status(200, "1")),
            Self::Fails => (ms(1), status(503, "")),
        }
    }
}

fn entry(host: &str, version: &str) -> Entry {
    let mut entry = Entry::new(format!("engram-{host}"), "engram", format!("http://{host}:1"));
    entry.version = version.to_owned();
    entry
}

/// A handle to the instances `a`, `b` and so on of `engram`.
struct Lab {
    tekton: Tekton,
    engram: Peer,
    seen: Seen,
    log: EventLog,
    ways: Ways,
}

impl Lab {
    fn of(hosts: &[&str], change: impl FnOnce(TektonBuilder) -> TektonBuilder) -> Self {
        Self::with(MemoryDirectory::fixed(hosts.iter().map(|host| entry(host, "1.2.0"))), change)
    }

    fn with(directory: MemoryDirectory, change: impl FnOnce(TektonBuilder) -> TektonBuilder) -> Self {
        let (ways, log) = (Ways::default(), EventLog::default());
        let played = Arc::clone(&ways);
        let (timed, seen) = Timed::new(move |_, request| {
            let host = request.endpoint.as_ref().unwrap().host();
            played.lock().unwrap().get(host).map_or_else(|| (ms(10), status(200, "1")), |way| way.answer())
        });
        let builder = Tekton::builder().named("tester").transport(timed).directory(directory).observer(log.clone());
        let builder = builder.random(Random::seeded(3)).configure(|config| {
            config.retry.base_delay = Duration::ZERO;
            config.retry.budget_reserve = 1000;
        });
        let tekton = change(builder).build().unwrap();
        Self { engram: tekton.peer("engram"), tekton, seen, log, ways }
    }

    fn play(&self, host: &str, way: impl Into<Option<Way>>) {
        let mut ways = self.ways.lock().unwrap();
        match way.into() {
            Some(way) => ways.insert(host.to_owned(), way),
            None => ways.remove(host),
        };
    }

    async fn read(&self) -> Result<Reply<Value>> {
        self.engram.request("recall").safety(Safety::Read).await
    }

    async fn write(&self) -> Result<Reply<Value>> {
        self.engram.request("store").await
    }

    /// How many requests each host got since the request of this number.
    fn since(&self, from: usize) -> BTreeMap<String, usize> {
        let mut hosts = BTreeMap::new();
        for sent in &self.seen.all()[from..] {
            *hosts.entry(sent.host.clone()).or_default() += 1;
        }
        hosts
    }

    fn in_flight(&self) -> u64 {
        let shown = self.tekton.introspect();
        let endpoints = shown["instances"]["endpoints"].as_object().unwrap().clone();
        endpoints.values().map(|shown| shown["in_flight"].as_u64().unwrap()).sum()
    }

    /// Calls until this is told once more.
    async fn until_another(&self, event: &str) {
        let before = self.log.named(event).len();
        for _ in 0..1_000 {
            // The other one is busy: it is called as much as possible.
            drop(join_all((0..10).map(|_| self.write())).await);
            if self.log.named(event).len() > before {
                return;
            }
            // Not more often, because the log keeps 10,000 events.
            pass(Duration::from_secs(3)).await;
        }
        panic!("it is never {event}");
    }

    fn breaker(&self) -> BreakerState {
        self.tekton.breakers().unwrap().of("engram").state()
    }
}

async fn pass(time: Duration) {
    SharedClock::default().sleep(time).await;
}

fn plain(builder: TektonBuilder) -> TektonBuilder {
    builder
}

#[tokio::test(start_paused = true)]
async fn a_dead_instance_costs_one_attempt_in_five_seconds_and_no_call() {
    let lab = Lab::of(&["a", "b", "c"], plain);
    lab.play("b", Way::Dead);
    for _ in 0..1_000 {
        // A write: what was certainly not sent is tried again all the same.
        lab.write().await.unwrap();
    }
    let sent = lab.since(0);
    assert!((1..=2).contains(&sent["b"]), "{sent:?}");
    assert!(sent["a"] > 300 && sent["c"] > 300, "{sent:?}");
    assert_eq!(lab.breaker(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_of_a_call_goes_to_another_instance() {
    for way in [Way::Fails, Way::Dead, Way::Hangs] {
        let lab =
            Lab::of(&["a", "b"], |builder| builder.configure(|config| config.request.attempt_timeout = Some(ms(500))));
        lab.play("a", way);
        for key in 0..20 {
            // Half of the keys keep to the bad one, so that it is called again and again.
            let call = lab.engram.request::<Value>("recall").safety(Safety::Read).sticky(key.to_string());
            let reply = call.await.unwrap();
            assert!(reply.attempts() <= 2);
        }
        let sent = lab.since(0);
        assert!((1..=6).contains(&sent["a"]), "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_to_another_instance() {
    let lab = Lab::of(&["a", "b"], |builder| builder.hedge(HedgeConfig::default()));
    for _ in 0..40 {
        lab.read().await.unwrap();
    }
    lab.play("a", Way::Hangs);
    let from = lab.seen.count();
    for _ in 0..2 {
        // The other one is busy, so that the one that hangs is called first.
        let key = ["1", "2", "3", "4", "5", "6", "7", "8"];
        let calls = key.map(|key| lab.engram.request::<Value>("recall").safety(Safety::Read).sticky(key).into_future());
        let hedged = join_all(calls).await;
        assert!(hedged.iter().any(Result::is_ok));
    }
    let sent = lab.seen.all();
    let hedges: Vec<_> = sent[from..].iter().filter(|sent| sent.header("x-tekton-attempt") == Some("2")).collect();
    assert!(!hedges.is_empty() && hedges.iter().all(|hedge| hedge.host == "b"), "{hedges:?}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_hangs_is_ejected_by_its_time_outs_and_the_breaker_stays_closed() {
    let lab =
        Lab::of(&["a", "b"], |builder| builder.configure(|config| config.request.attempt_timeout = Some(ms(500))));
    lab.play("a", Way::Hangs);
    // All at once, so that half of them are under way to it before anything is known.
    let done = join_all((0..100).map(|_| lab.write())).await;
    let failed = done.iter().filter(|done| done.is_err()).count();
    assert!(failed >= 40, "{failed}: a write that may have been sent is not repeated");
    let ejected = &lab.log.named("ejected")[0];
    let told = ["target", "endpoint", "reason", "out"].map(|field| ejected.field(field).unwrap());
    assert_eq!(told, ["engram", "http://a:1", "failures_in_a_row", "true"]);
    assert_eq!(lab.breaker(), BreakerState::Closed);
    let from = lab.seen.count();
    for _ in 0..100 {
        lab.write().await.unwrap();
    }
    assert_eq!(lab.since(from).get("a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_at_its_deadline_counts_against_the_instance_and_not_the_component() {
    let lab = Lab::of(&["a", "b"], plain);
    lab.play("a", Way::Hangs);
    let call = || async { lab.engram.request::<Value>("store").timeout(ms(500)).await };
    let done = join_all((0..60).map(|_| call())).await;
    assert!(done.iter().filter(|done| done.is_err()).count() >= 20);
    assert_eq!((lab.log.named("ejected").len(), lab.breaker()), (1, BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_when_there_is_no_instance_that_does_better() {
    let lab = Lab::of(&["a", "b"], plain);
    lab.play("a", Way::Fails);
    lab.play("b", Way::Fails);
    for _ in 0..40 {
        lab.write().await.unwrap_err();
    }
    assert_eq!(lab.breaker(), BreakerState::Open);
    let alone = Lab::of(&["a"], plain);
    alone.play("a", Way::Fails);
    for _ in 0..5 {
        assert_eq!(alone.write().await.unwrap_err().verdict(), Some(Verdict::Failure));
    }
    assert_eq!((alone.breaker(), alone.log.named("ejected").len()), (BreakerState::Open, 0));
}

#[tokio::test(start_paused = true)]
async fn when_all_are_ejected_at_once_the_calls_go_on_to_all_of_them() {
    let lab = Lab::of(&["a", "b", "c"], |builder| {
        builder.configure(|config| {
            config.breaker.enabled = false;
            config.balance.max_ejected_percent = 100;
        })
    });
    for host in ["a", "b", "c"] {
        lab.play(host, Way::Fails);
    }
    for _ in 0..200 {
        lab.write().await.unwrap_err();
    }
    let panic = &lab.log.named("panic")[0];
    assert_eq!((panic.field("began"), panic.field("of")), (Some("true"), Some("3")));
    let from = lab.seen.count();
    for _ in 0..60 {
        lab.write().await.unwrap_err();
    }
    assert!(lab.since(from).values().all(|sent| *sent > 5) && lab.since(from).len() == 3, "{:?}", lab.since(from));
    for host in ["a", "b", "c"] {
        lab.play(host, None);
    }
    for _ in 0..60 {
        lab.write().await.unwrap();
    }
    let last = lab.log.named("panic").pop().unwrap();
    assert_eq!(last.field("began"), Some("false"));
}

#[tokio::test(start_paused = true)]
async fn a_flapping_instance_is_left_out_longer_each_time() {
    let lab = Lab::of(&["a", "b"], plain);
    for _ in 0..4 {
        lab.play("a", Way::Fails);
        lab.until_another("ejected").await;
        lab.play("a", None);
        lab.until_another("returned").await;
        for _ in 0..5 {
            drop(join_all((0..10).map(|_| lab.write())).await);
        }
    }
    let waits: Vec<f64> =
        lab.log.named("ejected").iter().map(|told| told.field("wait").unwrap().parse().unwrap()).collect();
    assert!(waits.windows(2).all(|pair| pair[1] > pair[0] + 20.0), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_instance_gets_few_calls_and_is_found_again_when_it_is_quick() {
    let lab = Lab::of(&["a", "b", "c"], plain);
    lab.play("c", Way::Slow);
    let begun = SharedClock::default().now();
    while SharedClock::default().now() - begun < Duration::from_secs(180) {
        lab.read().await.unwrap();
    }
    let slow = lab.since(0)["c"];
    assert!((3..=8).contains(&slow), "{slow}");
    lab.play("c", None);
    pass(Duration::from_secs(60)).await;
    let from = lab.seen.count();
    for _ in 0..600 {
        lab.read().await.unwrap();
    }
    assert!(lab.since(from)["c"] > 150, "{:?}", lab.since(from));
}

#[tokio::test(start_paused = true)]
async fn instances_come_and_go_under_load_and_no_call_fails() {
    let directory = MemoryDirectory::new(SharedClock::default());
    let lab = Lab::with(directory, |builder| builder.configure(|config| config.directory.ttl = ms(100)));
    let directory = lab.tekton.directory().clone();
    let register = |host: &'static str| {
        let directory = &directory;
        async move {
            use tekton_sdk::directory::Directory;
            let registration =
                Registration::new(format!("engram-{host}"), "engram", "1.0.0", format!("http://{host}:1"));
            directory.register(&registration).await.unwrap()
        }
    };
    let first = register("a").await;
    let done = AtomicUsize::new(0);
    let load = join_all((0..20).map(|_| async {
        for _ in 0..100 {
            lab.write().await.unwrap();
            done.fetch_add(1, Ordering::SeqCst);
        }
    }));
    let change = async {
        use tekton_sdk::directory::Directory;
        for host in ["b", "c", "d"] {
            pass(ms(150)).await;
            register(host).await;
        }
        // It is gone before the directory knows: who is sent there goes elsewhere.
        lab.play("a", Way::Dead);
        pass(ms(150)).await;
        directory.unregister(&first).await.unwrap();
    };
    tokio::join!(load, change);
    let sent = lab.since(0);
    assert_eq!(done.load(Ordering::SeqCst), 2_000);
    assert!(["b", "c", "d"].iter().all(|host| sent[*host] > 200), "{sent:?}");
    assert_eq!(lab.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_given_up_are_under_way_no_more() {
    let lab = Lab::of(&["a", "b"], plain);
    lab.play("a", Way::Hangs);
    lab.play("b", Way::Hangs);
    {
        let mut calls: Vec<_> = (0..10).map(|_| Box::pin(lab.read())).collect();
        for call in &mut calls {
            assert!(futures_util::poll!(call.as_mut()).is_pending());
        }
        assert_eq!(lab.in_flight(), 10);
    }
    assert_eq!((lab.in_flight(), lab.seen.dropped()), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn a_sticky_key_keeps_to_one_instance_until_that_is_gone() {
    let lab = Lab::of(&["a", "b", "c", "d"], plain);
    let call = |key: &'static str| lab.engram.request::<Value>("recall").safety(Safety::Read).sticky(key);
    for _ in 0..20 {
        call("session-17").await.unwrap();
    }
    let own = lab.since(0);
    assert_eq!(own.len(), 1, "{own:?}");
    let (own, _) = own.first_key_value().unwrap();
    // Another process knows the same instances, in another order.
    let other = Lab::of(&["d", "c", "b", "a"], |builder| builder.random(Random::seeded(99)));
    other.engram.request::<Value>("recall").sticky("session-17").await.unwrap();
    assert_eq!(other.since(0).first_key_value().unwrap().0, own);
    lab.play(own, Way::Dead);
    let from = lab.seen.count();
    for _ in 0..20 {
        call("session-17").await.unwrap();
    }
    let sent = lab.since(from);
    assert_eq!((sent[own], sent.len()), (1, 2), "one finds out, all go to the same other one: {sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_canary_gets_its_share_and_more_as_soon_as_it_is_said() {
    let entries = || [entry("old", "1.2.7"), entry("old2", "1.2.7"), entry("new", "1.3.0")];
    let weights = |old, new| Weights::of([("1.2", old), ("1.3", new)]).unwrap();
    let lab = Lab::with(MemoryDirectory::fixed(entries()), |builder| builder.weights("engram", weights(95, 5)));
    let share = async || {
        let from = lab.seen.count();
        for _ in 0..1_000 {
            lab.read().await.unwrap();
        }
        lab.since(from).get("new").copied().unwrap_or_default()
    };
    let few = share().await;
    assert!((25..80).contains(&few), "{few}");
    lab.tekton.set_weights("engram", weights(50, 50));
    let half = share().await;
    assert!((430..570).contains(&half), "{half}");
    lab.tekton.set_weights("engram", weights(100, 0));
    assert_eq!(share().await, 0);
    lab.tekton.set_weights("engram", Weights::default());
    let third = share().await;
    assert!((260..410).contains(&third), "{third}");
}

#[tokio::test(start_paused = true)]
async fn who_is_known_to_be_ill_is_called_when_nobody_else_is_left() {
    let mut ill = entry("a", "1.0.0");
    ill.healthy = Some(false);
    let lab = Lab::with(MemoryDirectory::fixed([ill, entry("b", "1.0.0")]), plain);
    for _ in 0..50 {
        lab.read().await.unwrap();
    }
    assert_eq!(lab.since(0).get("a"), None);
    lab.play("b", Way::Dead);
    let from = lab.seen.count();
    for _ in 0..50 {
        lab.read().await.unwrap();
    }
    assert_eq!(lab.since(from), BTreeMap::from([("a".to_owned(), 50), ("b".to_owned(), 1)]));
}

#[tokio::test(start_paused = true)]
async fn without_balancing_the_newest_that_can_be_reached_is_called() {
    let lab = Lab::of(&["a", "b"], |builder| builder.configure(|config| config.balance.enabled = false));
    for _ in 0..20 {
        lab.read().await.unwrap();
    }
    assert_eq!(lab.since(0).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_measured_is_of_the_instance_and_not_of_the_wait_before_it() {
    let lab = Lab::of(&["a"], |builder| {
        builder.bulkhead(tekton_sdk::policy::BulkheadConfig::default().with_max_concurrency(1))
    });
    join_all((0..20).map(|_| lab.read())).await.into_iter().for_each(|done| drop(done.unwrap()));
    let measured = lab.tekton.balancer().measured("http://a:1").unwrap();
    assert_eq!((measured.latency, measured.success_rate, measured.calls), (ms(10), 1.0, 20));
}
