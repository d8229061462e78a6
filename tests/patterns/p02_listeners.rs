//! Room 2: what a served component listens to.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use futures_util::poll;
use serde_json::{Value, json};
use tekton_sdk::{
    Component, Context, Error, ErrorKind, Result, async_trait,
    config::HostConfig,
    contract::Descriptor,
    directory::{Directory, MemoryDirectory, Query},
    host::{Listener, Listeners, Operations, Serve},
    http::Method,
    patterns::events::{
        Backpressure, Broker, BrokerCapabilities, Connection, Events, Feed, FeedCounts, Heard, Incoming, Interest,
        MemoryBroker, MemoryBrokerConfig, Message, Receipt, Settle, Start,
    },
    random::Random,
    testing::TestBed,
    time::SharedClock,
    transport::MemoryTransport,
};

type Doing = dyn Fn(u64, u32) -> Result<()> + Send + Sync;

/// Listens to numbers, and does with each what the test says.
struct Ear {
    listener: Listener,
    heard: Mutex<Vec<String>>,
    doing: Box<Doing>,
    /// Numbers that never end.
    hangs_on: u64,
}

impl Ear {
    fn new(listener: Listener) -> Self {
        Self { listener, heard: Mutex::default(), doing: Box::new(|_, _| Ok(())), hangs_on: u64::MAX }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    async fn hear(&self, context: Context, heard: Heard<u64>) -> Result<()> {
        assert!(context.deadline().is_some());
        let (said, number) = match &heard {
            Heard::Event(event) => (event.data()?, event.number()),
            Heard::Gap(gap) => {
                self.heard.lock().unwrap().push(gap.reason.name().to_owned());
                return Ok(());
            }
            other => panic!("{other:?}"),
        };
        self.heard.lock().unwrap().push(format!("{said}/{number}"));
        if said == self.hangs_on {
            std::future::pending::<()>().await;
        }
        // Others have their turn.
        tokio::task::yield_now().await;
        (self.doing)(said, number)
    }
}

/// An ear that the test keeps.
struct Kept(Arc<Ear>);

impl Component for Kept {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("kept", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
    }

    fn listeners(self: Arc<Self>) -> Listeners {
        Listeners::new().on(
            &self.0,
            self.0.listener,
            |ear, context, heard| async move { ear.hear(context, heard).await },
        )
    }
}

/// A broker in memory that refuses so many subscriptions first, breaks off those that there are, and notes who was registered when
/// it was subscribed to.
#[derive(Clone, Debug)]
struct Troubled {
    inner: MemoryBroker,
    refusals: Arc<Mutex<Vec<ErrorKind>>>,
    broken: Arc<AtomicBool>,
    subscribed: Arc<AtomicUsize>,
    directory: MemoryDirectory,
    known: Arc<AtomicUsize>,
    can: BrokerCapabilities,
}

impl Troubled {
    fn new(bed: &TestBed, refusals: &[ErrorKind]) -> Self {
        let clock = SharedClock::new(bed.clock().clone());
        Self {
            inner: MemoryBroker::new(MemoryBrokerConfig::default(), clock, &Random::seeded(1)).unwrap(),
            refusals: Arc::new(Mutex::new(refusals.to_vec())),
            broken: Arc::default(),
            subscribed: Arc::default(),
            directory: bed.directory().clone(),
            known: Arc::default(),
            can: BrokerCapabilities::all(),
        }
    }

    fn events(&self, bed: &TestBed) -> Events {
        Events::new(self.clone(), SharedClock::new(bed.clock().clone()))
    }

    fn refused(&self) -> Option<ErrorKind> {
        let mut refusals = self.refusals.lock().unwrap();
        (!refusals.is_empty()).then(|| refusals.remove(0))
    }
}

#[async_trait]
impl Broker for Troubled {
    async fn publish(&self, message: Message) -> Result<Receipt> {
        self.inner.publish(message).await
    }

    async fn subscribe(&self, interest: Interest) -> Result<Box<dyn Feed>> {
        self.subscribed.fetch_add(1, Ordering::SeqCst);
        let known = self.directory.find(&Query::everybody()).await.unwrap();
        self.known.store(known.len(), Ordering::SeqCst);
        if let Some(kind) = self.refused() {
            return Err(Error::new(kind, "the broker is in trouble"));
        }
        Ok(Box::new(Breaking(self.inner.subscribe(interest).await?, Arc::clone(&self.broken))))
    }

    async fn drain(&self, within: Duration) -> Result<()> {
        self.inner.drain(within).await
    }

    fn connection(&self) -> Connection {
        self.inner.connection()
    }

    fn capabilities(&self) -> BrokerCapabilities {
        self.can
    }
}

#[derive(Debug)]
struct Breaking(Box<dyn Feed>, Arc<AtomicBool>);

impl Feed for Breaking {
    fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Incoming>>> {
        if self.1.load(Ordering::SeqCst) {
            return Poll::Ready(Some(Err(Error::new(ErrorKind::Interrupted, "the road broke"))));
        }
        self.0.poll_next(cx)
    }

    fn begins_after(&self) -> Option<tekton_sdk::patterns::events::Cursor> {
        self.0.begins_after()
    }

    fn settle(&self) -> Option<Arc<dyn Settle>> {
        self.0.settle()
    }

    fn drain(&mut self) {
        self.0.drain();
    }

    fn counts(&self) -> FeedCounts {
        self.0.counts()
    }
}

const EAR: Listener = Listener::new("ear", &["n.*"]);

fn watched(serve: Serve) -> Serve {
    serve.with_config(HostConfig::default().with_introspect(true))
}

async fn publish(events: &Events, topic: &str, number: u64) {
    events.publisher(topic).unwrap().send(&number).await.unwrap();
}

/// What a control route of the component answers.
async fn get(bed: &TestBed, id: &str, path: &str) -> Value {
    let peer = bed.tekton().peer_at(&format!("memory://{id}")).unwrap();
    peer.request::<Value>("").method(Method::GET).path(path.to_owned()).await.unwrap().into_inner()
}

async fn listener(bed: &TestBed) -> Value {
    get(bed, "kept-1", "/introspect").await["host"]["listeners"][0].clone()
}

/// Lets the tasks that can run do so.
async fn turn() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_fails_panics_or_hangs_comes_again_and_is_buried_in_the_end() {
    let bed = TestBed::new().unwrap();
    let listener_of = EAR.dead_letters("dead.n", 3).timeout(Duration::from_secs(1));
    let mut ear = Ear::new(listener_of);
    ear.hangs_on = 3;
    ear.doing = Box::new(|said, number| match (said, number) {
        (1, 1) => Err(Error::internal("it fails")),
        (2, 1) => panic!("it panics, as planned"),
        (4, _) => Err(Error::internal("it always fails")),
        _ => Ok(()),
    });
    let ear = Arc::new(ear);
    bed.serve_with(Kept(Arc::clone(&ear)), watched).await.unwrap();
    let events = bed.tekton().events();
    let mut letters = events.subscribe::<u64>("dead.n").await.unwrap();
    for number in [1, 2, 4] {
        publish(&events, "n.a", number).await;
    }
    for _ in 0..4 {
        bed.until_quiet().await;
        bed.clock().advance(Duration::from_millis(200));
    }
    assert_eq!(ear.take(), ["1/1", "2/1", "4/1", "1/2", "2/2", "4/2", "4/3"]);
    let letter = letters.next().await.unwrap().unwrap().event().unwrap();
    assert_eq!(letter.data().unwrap(), 4);
    publish(&events, "n.a", 3).await;
    turn().await;
    bed.clock().advance(Duration::from_secs(1));
    bed.until_quiet().await;
    assert_eq!(ear.take(), ["3/1"]);
    let shown = listener(&bed).await;
    assert_eq!((&shown["handled"], &shown["failed"]), (&json!(2), &json!(6)), "{shown}");
    let said = |name: &str| bed.events().iter().filter(|event| event.name == name).count();
    assert_eq!((said("a listener failed"), said("a listener did not come to its end")), (4, 2));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn instances_share_what_they_hear_unless_it_is_for_each() {
    for (listener, both) in [(EAR, false), (EAR.every_instance(), true)] {
        let bed = TestBed::new().unwrap();
        let ears = [Arc::new(Ear::new(listener)), Arc::new(Ear::new(listener))];
        for ear in &ears {
            bed.serve(Kept(Arc::clone(ear))).await.unwrap();
        }
        let events = bed.tekton().events();
        for number in 0..10 {
            publish(&events, "n.a", number).await;
        }
        bed.until_quiet().await;
        let heard: Vec<_> = ears.iter().map(|ear| ear.take().len()).collect();
        match both {
            true => assert_eq!(heard, [10, 10]),
            false => assert!(heard.iter().sum::<usize>() == 10 && heard.iter().all(|heard| *heard > 0), "{heard:?}"),
        }
        bed.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn it_listens_before_it_is_announced_and_says_so_of_itself() {
    let bed = TestBed::new().unwrap();
    let broker = Troubled::new(&bed, &[]);
    let events = broker.events(&bed);
    let ear = Arc::new(Ear::new(EAR));
    let served = bed.serve_with(Kept(Arc::clone(&ear)), |serve| watched(serve).listen_to(&events)).await.unwrap();
    assert_eq!((broker.subscribed.load(Ordering::SeqCst), broker.known.load(Ordering::SeqCst)), (1, 0));
    publish(&events, "n.a", 1).await;
    bed.until_quiet().await;
    assert_eq!(ear.take(), ["1/1"]);
    assert_eq!(get(&bed, &served, "/discovery").await["metadata"]["listensTo"], json!(["n.*"]));
    let shown = listener(&bed).await;
    let wanted = json!({
        "name": "ear", "topics": ["n.*"], "group": "kept:ear", "acked": true, "listens": true,
        "handled": 1, "failed": 0, "gaps": 0, "lost": 0, "again": 0,
    });
    assert_eq!(shown, wanted);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_hears_what_it_serves_unless_told_otherwise() {
    let bed = TestBed::new().unwrap();
    let brokers = [Troubled::new(&bed, &[]), Troubled::new(&bed, &[])];
    let [served, other] = [brokers[0].events(&bed), brokers[1].events(&bed)];
    for (change, heard) in [(None, [1, 0]), (Some(&other), [1, 1])] {
        let serve = |serve: Serve| change.into_iter().fold(serve.events(&served), Serve::listen_to);
        bed.serve_with(Kept(Arc::new(Ear::new(EAR))), serve).await.unwrap();
        assert_eq!([0, 1].map(|at: usize| brokers[at].subscribed.load(Ordering::SeqCst)), heard);
    }
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_subscription_that_ended_is_made_again_where_it_was_and_health_tells() {
    for listener_of in [EAR, EAR.every_instance().acked(false)] {
        let bed = TestBed::new().unwrap();
        let broker = Troubled::new(&bed, &[]);
        let events = broker.events(&bed);
        let ear = Arc::new(Ear::new(listener_of));
        bed.serve_with(Kept(Arc::clone(&ear)), |serve| watched(serve).listen_to(&events)).await.unwrap();
        publish(&events, "n.a", 1).await;
        bed.until_quiet().await;
        assert_eq!(get(&bed, "kept-1", "/health").await["status"], "healthy");

        broker.broken.store(true, Ordering::SeqCst);
        broker.refusals.lock().unwrap().extend([ErrorKind::Connect, ErrorKind::Conflict]);
        publish(&events, "n.a", 2).await;
        turn().await;
        broker.broken.store(false, Ordering::SeqCst);
        publish(&events, "n.a", 3).await;
        let health = get(&bed, "kept-1", "/health").await;
        assert_eq!(
            (&health["status"], &health["message"]),
            (&json!("degraded"), &json!("these listeners hear nothing: ear"))
        );
        let shown = listener(&bed).await;
        assert_eq!((&shown["listens"], &shown["reason"]), (&json!(false), &json!("the road broke")), "{shown}");
        bed.until_quiet().await;

        // Each wait is at most twice as long as the one before, the first at most 100 ms.
        for longest in [100, 200, 400] {
            bed.clock().advance(Duration::from_millis(longest));
            turn().await;
        }
        bed.until_quiet().await;
        assert_eq!(ear.take(), ["1/1", "2/1", "3/1"], "nothing is lost, and nothing comes twice");
        assert_eq!(get(&bed, "kept-1", "/health").await["status"], "healthy");
        assert_eq!((&listener(&bed).await["again"], broker.subscribed.load(Ordering::SeqCst)), (&json!(3), 4));
        bed.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_broker_that_is_down_keeps_no_component_from_starting() {
    let bed = TestBed::new().unwrap();
    let broker = Troubled::new(&bed, &[ErrorKind::Connect]);
    let events = broker.events(&bed);
    let ear = Arc::new(Ear::new(EAR));
    bed.serve_with(Kept(Arc::clone(&ear)), |serve| serve.listen_to(&events)).await.unwrap();
    assert_eq!(get(&bed, "kept-1", "/health").await["status"], "degraded");
    bed.clock().advance(Duration::from_millis(100));
    turn().await;
    publish(&events, "n.a", 1).await;
    bed.until_quiet().await;
    assert_eq!(ear.take(), ["1/1"]);

    // One that does not answer is waited for, and not for ever.
    #[derive(Debug)]
    struct Mute(Troubled);
    #[async_trait]
    impl Broker for Mute {
        async fn publish(&self, message: Message) -> Result<Receipt> {
            self.0.publish(message).await
        }
        async fn subscribe(&self, _: Interest) -> Result<Box<dyn Feed>> {
            std::future::pending().await
        }
        async fn drain(&self, within: Duration) -> Result<()> {
            self.0.drain(within).await
        }
        fn connection(&self) -> Connection {
            self.0.connection()
        }
        fn capabilities(&self) -> BrokerCapabilities {
            self.0.capabilities()
        }
    }
    let mute = Events::new(Mute(broker), SharedClock::new(bed.clock().clone()));
    let mut starting = Box::pin(bed.serve_with(Kept(ear), |serve| serve.listen_to(&mute)));
    for _ in 0..50 {
        assert!(poll!(&mut starting).is_pending());
        tokio::task::yield_now().await;
    }
    bed.clock().advance(Duration::from_secs(5));
    starting.await.unwrap();
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn everything_that_is_wrong_with_the_table_is_told_at_start() {
    struct Wrong;
    impl Component for Wrong {
        fn descriptor(&self) -> Descriptor {
            Descriptor::new("wrong", "1.0.0")
        }
        fn operations(self: Arc<Self>) -> Operations {
            Operations::new()
        }
        fn listeners(self: Arc<Self>) -> Listeners {
            let wrong = [
                Listener::new("none", &[]),
                Listener::new("odd", &["a..b", "a.>.b"]),
                Listener::new("twice", &["a"]),
                Listener::new("twice", &["a"]).every_instance(),
                Listener::new("one", &["a"]).group("g"),
                Listener::new("two", &["b"]).group("g"),
                Listener::new("itself", &["dead.>"]).dead_letters("dead.a", 1),
                Listener::new("never", &["a"]).dead_letters("dead.a", 0),
                Listener::new("unacked", &["a"]).acked(false).dead_letters("dead.a", 1),
                Listener::new("zero", &["a"]).concurrency(0).capacity(0).timeout(Duration::ZERO),
            ];
            wrong.into_iter().fold(Listeners::new(), |listeners, listener| {
                listeners.on(&self, listener, |_, _, _: Heard<u8>| async { Ok(()) })
            })
        }
    }
    let bed = TestBed::new().unwrap();
    let error = bed.serve(Wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let told: Vec<_> = error.fields().iter().map(|field| format!("{} {}", field.field, field.problem)).collect();
    assert_eq!(
        told,
        [
            "listeners.none listens to nothing; name a topic",
            "listeners.odd filter \"a..b\": token 2 is empty",
            "listeners.odd filter \"a.>.b\": token 2 is `>`, which stands at the end only",
            "listeners.twice is there twice; name one of them otherwise",
            "listeners.two another listener is in the group \"g\" too; give each its own",
            "listeners.itself hears its own dead letters on dead.a; write them elsewhere",
            "listeners.never dead letters are written after at least 1 delivery",
            "listeners.unacked dead letters need acknowledgements; leave one of them out",
            "listeners.zero its concurrency must be more than 0",
            "listeners.zero its timeout must be more than 0",
            "listeners.zero its capacity must be more than 0",
        ]
    );

    let mut broker = Troubled::new(&bed, &[]);
    broker.can = BrokerCapabilities::none();
    let events = broker.events(&bed);
    let ear = Ear::new(EAR.start(Start::Oldest).when_full(Backpressure::Block));
    let error = bed.serve_with(Kept(Arc::new(ear)), |serve| serve.listen_to(&events)).await.unwrap_err();
    let told: Vec<_> = error.fields().iter().map(|field| field.problem.to_string()).collect();
    assert_eq!(
        told,
        [
            "the broker has no acknowledgements; switch them off",
            "the broker has no groups; let every instance hear it",
            "the broker keeps no history; begin with new events",
            "the broker holds no publisher back; choose otherwise",
        ]
    );
    // What only the broker knows ends the start as well.
    let broker = Troubled::new(&bed, &[ErrorKind::Invalid]);
    let events = broker.events(&bed);
    let error = bed.serve_with(Kept(Arc::new(Ear::new(EAR))), |serve| serve.listen_to(&events)).await.unwrap_err();
    assert_eq!(error.to_string(), "the listener ear of \"kept\" cannot begin");
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_waits_is_handled_before_the_end_and_what_failed_is_left() {
    for listener_of in [EAR, EAR.acked(false)] {
        let bed = TestBed::new().unwrap();
        let mut ear = Ear::new(listener_of);
        ear.doing = Box::new(|said, _| if said == 2 { Err(Error::internal("it fails")) } else { Ok(()) });
        let ear = Arc::new(ear);
        bed.serve(Kept(Arc::clone(&ear))).await.unwrap();
        let events = bed.tekton().events();
        for number in 0..300 {
            publish(&events, "n.a", number).await;
        }
        bed.stop("kept").await.unwrap();
        let heard = ear.take();
        assert_eq!((heard.len(), heard.last().unwrap().as_str()), (300, "299/1"));
        publish(&events, "n.a", 300).await;
        bed.shutdown().await.unwrap();
        assert!(ear.take().is_empty());
    }
}

#[tokio::test]
async fn one_that_hangs_holds_the_end_up_for_half_the_drain_time_out() {
    let bed = TestBed::new().unwrap();
    let mut ear = Ear::new(EAR.timeout(Duration::from_secs(600)));
    ear.hangs_on = 1;
    let directory = MemoryDirectory::new(SharedClock::new(bed.clock().clone()));
    let tekton = bed.tekton_with(|builder| builder.directory(directory)).unwrap();
    let config = HostConfig::default().with_drain_timeout(Duration::from_secs(8));
    let serve = Kept(Arc::new(ear)).serve(&tekton).with_config(config).in_memory(&MemoryTransport::new());
    let served = serve.start().await.unwrap();
    publish(&tekton.events(), "n.a", 1).await;
    turn().await;
    let mut ending = Box::pin(served.shutdown());
    for seconds in [3, 1] {
        for _ in 0..50 {
            assert!(poll!(&mut ending).is_pending());
            tokio::task::yield_now().await;
        }
        bed.clock().advance(Duration::from_secs(seconds));
    }
    assert!(!ending.await, "it did not end by itself");
    tekton.shutdown().await;
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_killed_component_handles_nothing_more_and_its_events_go_to_another() {
    let bed = TestBed::new().unwrap();
    let mut first = Ear::new(EAR.timeout(Duration::from_secs(20)));
    first.hangs_on = 1;
    let (first, second) = (Arc::new(first), Arc::new(Ear::new(EAR.timeout(Duration::from_secs(20)))));
    bed.serve(Kept(Arc::clone(&first))).await.unwrap();
    let events = bed.tekton().events();
    publish(&events, "n.a", 1).await;
    turn().await;
    assert_eq!(first.take(), ["1/1"]);
    bed.serve(Kept(Arc::clone(&second))).await.unwrap();
    bed.kill("kept-1").unwrap();
    turn().await;
    bed.until_quiet().await;
    assert_eq!((first.take(), second.take()), (vec![], vec!["1/2".to_owned()]));
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_goes_on_with_the_trace_of_whoever_published() {
    let bed = TestBed::new().unwrap();
    let seen: Arc<Mutex<Vec<Context>>> = Arc::default();
    struct Seeing(Arc<Mutex<Vec<Context>>>);
    impl Component for Seeing {
        fn descriptor(&self) -> Descriptor {
            Descriptor::new("seeing", "1.0.0")
        }
        fn operations(self: Arc<Self>) -> Operations {
            Operations::new()
        }
        fn listeners(self: Arc<Self>) -> Listeners {
            Listeners::new().on(&self, EAR, |seeing, context, _: Heard<u64>| async move {
                let current = Context::current().unwrap();
                assert_eq!(current.trace(), context.trace());
                seeing.0.lock().unwrap().push(context);
                Ok(())
            })
        }
    }
    bed.serve(Seeing(Arc::clone(&seen))).await.unwrap();
    let events = bed.tekton().events();
    let random = Random::seeded(5);
    let trace = tekton_sdk::wire::trace::TraceContext::new_root(random.trace_id(), random.span_id(), true);
    let publisher = events.publisher("n.a").unwrap();
    events.publish(publisher.message(&1).unwrap().with_trace(trace.clone())).await.unwrap();
    publish(&events, "n.a", 2).await;
    bed.until_quiet().await;
    let seen = seen.lock().unwrap().clone();
    let traces: Vec<_> = seen.iter().map(|context| context.trace().unwrap().clone()).collect();
    assert_eq!(traces[0].trace_id(), trace.trace_id());
    assert_ne!(traces[0].parent_id(), trace.parent_id(), "it has a span of its own");
    assert_ne!(traces[1].trace_id(), trace.trace_id());
    assert_eq!(seen[0].caller(), Some("test"));
    let spans: Vec<_> = bed.spans().into_iter().filter(|span| span.name == "tekton.listen").collect();
    assert_eq!((spans.len(), spans[0].field("topic"), spans[0].field("listener")), (2, Some("n.a"), Some("ear")));
    let parent = format!("{:016x}", u64::from_be_bytes(trace.parent_id()));
    assert_eq!((spans[0].field("parent_span_id"), spans[1].field("parent_span_id")), (Some(&*parent), None));
    bed.shutdown().await.unwrap();
}
