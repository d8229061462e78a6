//! Room 2: `#[derive(Event)]` and `#[on_event]`.
#![deny(missing_docs, warnings)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tekton_sdk::{
    Component, Context, Error, ErrorKind, Result, Tekton, data,
    host::{Group, Listener, openapi},
    patterns::events::{Backpressure, Delivery, Event, Events, Heard, Message, Start, Topic, TypedEvent},
    testing::TestBed,
};

use super::p02_events::{Bed, event};

/// Told on `orders.<dish>.taken`.
#[data]
#[derive(Clone, Debug, PartialEq, Event)]
#[event(topic = "orders.{dish}.taken", key = "table")]
struct Taken {
    dish: String,
    table: u32,
}

/// Its parts have places.
#[data]
#[derive(Debug, PartialEq, Event)]
#[event(topic = "rooms.{0}.lit")]
struct Lit(u8, bool);

/// It says nothing but that it is.
#[data]
#[derive(Debug, PartialEq, Event)]
#[event(topic = "ticks")]
struct Tick;

/// Whatever it is of.
#[data]
#[derive(Debug, PartialEq, Event)]
#[event(topic = "boxes.{type}")]
struct Boxed<T> {
    r#type: String,
    holds: T,
}

/// One topic for all of it.
#[data]
#[derive(Debug, PartialEq, Event)]
#[event(topic = "lights")]
enum Light {
    On,
    Off { after_seconds: u32 },
}

/// A topic for each.
#[derive(Clone, Debug, PartialEq, Event)]
enum Order {
    #[event(topic = "orders.{dish}.taken", key = "table")]
    Taken(Taken),
    #[event(topic = "orders.{0}.gone", key = "0")]
    Gone(String),
    #[event(topic = "orders.closed")]
    Closed,
}

fn soup() -> Taken {
    Taken { dish: "pea soup".to_owned(), table: 7 }
}

fn again<E: TypedEvent>(event: &E) -> (String, String, E) {
    let message = event.to_message().unwrap();
    (message.topic().to_string(), message.data().to_owned(), E::from_message(&message).unwrap())
}

#[test]
fn a_type_says_its_topic_and_is_read_back() {
    assert_eq!((Taken::TOPICS, Lit::TOPICS), (&["orders.*.taken"][..], &["rooms.*.lit"][..]));
    let (topic, written, read) = again(&soup());
    assert_eq!((&*topic, &*written, read), ("orders.pea%20soup.taken", r#"{"dish":"pea soup","table":7}"#, soup()));
    assert_eq!(soup().to_message().unwrap().own_key(), Some("7"));
    assert_eq!(again(&Lit(3, true)), ("rooms.3.lit".to_owned(), "[3,true]".to_owned(), Lit(3, true)));
    assert_eq!(again(&Tick), ("ticks".to_owned(), "null".to_owned(), Tick));
    let boxed = || Boxed { r#type: "a".to_owned(), holds: vec![1] };
    assert_eq!(again(&boxed()), ("boxes.a".to_owned(), r#"{"type":"a","holds":[1]}"#.to_owned(), boxed()));
    let off = || Light::Off { after_seconds: 9 };
    assert_eq!(again(&off()), ("lights".to_owned(), r#"{"Off":{"after_seconds":9}}"#.to_owned(), off()));
    assert_eq!(again(&Light::On).0, "lights");
}

#[test]
fn an_enum_says_a_topic_for_each_variant_and_is_read_back() {
    assert_eq!(Order::TOPICS, ["orders.*.taken", "orders.*.gone", "orders.closed"]);
    let taken = Order::Taken(soup());
    assert_eq!(again(&taken), (again(&soup()).0, again(&soup()).1, taken.clone()));
    let gone = Order::Gone("*".to_owned());
    assert_eq!(again(&gone), ("orders.%2A.gone".to_owned(), "\"*\"".to_owned(), gone.clone()));
    assert_eq!(again(&Order::Closed), ("orders.closed".to_owned(), "null".to_owned(), Order::Closed));
    assert_eq!(gone.to_message().unwrap().own_key(), Some("*"));
}

#[test]
fn what_makes_no_topic_or_is_none_of_the_types_is_refused() {
    let empty = Order::Gone(String::new()).to_message().unwrap_err();
    assert_eq!(
        (empty.kind(), empty.to_string().as_str()),
        (ErrorKind::Invalid, "topic \"orders..gone\": token 2 is empty")
    );
    let of = |topic: &str, data: &str| Message::raw(Topic::parse(topic).unwrap(), data.to_owned()).unwrap();
    for (message, says) in [
        (of("orders.opened", "null"), "an event on topic orders.opened is no Order: it has other topics"),
        (of("orders.x.taken", "7"), "the data of an event on topic orders.x.taken is not what was expected"),
    ] {
        let error = Order::from_message(&message).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Codec, says));
    }
    let elsewhere = of("orders.x.y.taken", &json!({"dish": "x", "table": 1}).to_string());
    assert!(Taken::from_message(&elsewhere).unwrap_err().to_string().contains("is no Taken"));
    // What it says nothing with may be anything.
    assert_eq!(Order::from_message(&of("orders.closed", "[1]")).unwrap(), Order::Closed);
}

#[tokio::test]
async fn what_is_told_is_heard_as_its_type_and_of_one_key_the_latest() {
    let bed = Bed::new();
    let mut orders = bed.events.hear::<Order>().when_full(Backpressure::KeepLatest).await.unwrap();
    let mut taken = bed.events.hear::<Taken>().await.unwrap();
    for table in [1, 2, 1] {
        bed.events.tell(&Order::Taken(Taken { dish: format!("soup {table}"), table })).await.unwrap();
    }
    bed.events.tell(&Order::Closed).await.unwrap();
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(event(&mut orders).await.told().unwrap());
    }
    let taken_at = |table| Taken { dish: format!("soup {table}"), table };
    assert_eq!(heard, [Order::Taken(taken_at(2)), Order::Taken(taken_at(1)), Order::Closed]);
    let first = event(&mut taken).await;
    assert_eq!((first.told().unwrap(), first.data().unwrap()), (taken_at(1), taken_at(1)));
}

/// Others have their turn, often.
async fn slowly() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// What a kitchen heard, by listener.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Hears in every way.
#[derive(Debug, Component)]
#[component(version = "1.0.0", services(Kitchen, cellar::Cellar))]
struct Kitchen {
    log: Log,
    events: Events,
}

/// An error of its own.
#[derive(Debug)]
struct Burnt;

impl From<Burnt> for Error {
    fn from(_: Burnt) -> Self {
        Self::internal("it is burnt")
    }
}

/// Even an alias is a `Result`.
type Cooked = std::result::Result<(), Burnt>;

#[tekton_sdk::service]
impl Kitchen {
    /// Says how many were heard.
    #[op(read)]
    async fn heard(&self) -> Result<usize> {
        Ok(self.log.0.lock().unwrap().len())
    }

    /// The data of two topics.
    #[on_event("plain.*", "plain.a.b")]
    async fn on_plain(&self, said: String) -> Result<()> {
        slowly().await;
        self.log.note(format!("plain {said}"));
        Ok(())
    }

    #[on_event("borrowed")]
    async fn on_borrowed(&self, said: &str, ctx: &Context) -> Cooked {
        self.log.note(format!("borrowed {said} of {:?}", ctx.caller()));
        Ok(())
    }

    #[on_event]
    async fn on_order(&self, ctx: &Context, order: Order) -> Cooked {
        assert!(ctx.deadline().is_some() && ctx.trace().is_some());
        self.log.note(format!("{order:?}"));
        if order == Order::Closed { Err(Burnt) } else { Ok(()) }
    }

    #[on_event("whole.>", group = "cooks", dead_letters = "dead.whole", deliveries = 2, timeout = "1s")]
    async fn on_whole(&self, whole: Delivery<u32>) -> Result<()> {
        self.log.note(format!("{} {} {}", whole.topic(), whole.data()?, whole.number()));
        Ok(())
    }

    #[on_event("gaps", acked = false, every_instance, capacity = 1, when_full = "drop_newest", start = "oldest")]
    async fn on_gaps(&self, heard: Heard<Vec<u8>>) -> Result<()> {
        self.log.note(match heard {
            Heard::Event(event) => format!("event {:?}", event.data()?),
            Heard::Gap(gap) => format!("gap of {:?}", gap.lost),
            _ => String::new(),
        });
        Ok(())
    }

    /// There on no system.
    #[cfg(any())]
    #[on_event("nothing")]
    async fn on_nothing(&self, nothing: Nothing) -> Result<()> {}
}

/// Where another block stands: it has no operation.
mod cellar {
    use super::{Kitchen, Result, Taken};

    #[tekton_sdk::service(name = Cellar)]
    impl Kitchen {
        #[on_event(concurrency = 3)]
        async fn on_taken(&self, taken: tekton_sdk::patterns::events::Delivery<Taken>) -> Result<()> {
            super::slowly().await;
            self.log.note(format!("table {}", taken.told()?.table));
            self.events.publisher("plain.from-the-cellar")?.send("wine").await?;
            Ok(())
        }
    }
}

fn kitchen(tekton: &Tekton) -> (Kitchen, Log) {
    let log = Log::default();
    (Kitchen { log: log.clone(), events: tekton.events() }, log)
}

#[test]
fn a_listener_is_described_by_its_attribute_and_is_no_operation() {
    let tekton = Tekton::builder().build().unwrap();
    let kitchen = Arc::new(kitchen(&tekton).0);
    let listeners = Arc::clone(&kitchen).listeners();
    let table: Vec<_> = listeners.table().copied().collect();
    assert_eq!(
        table,
        [
            Listener::new("on_plain", &["plain.*", "plain.a.b"]),
            Listener::new("on_borrowed", &["borrowed"]),
            Listener::new("on_order", Order::TOPICS),
            Listener::new("on_whole", &["whole.>"])
                .group("cooks")
                .dead_letters("dead.whole", 2)
                .timeout(Duration::from_secs(1)),
            Listener::new("on_gaps", &["gaps"])
                .acked(false)
                .every_instance()
                .capacity(1)
                .when_full(Backpressure::DropNewest)
                .start(Start::Oldest),
            Listener::new("on_taken", &["orders.*.taken"]).concurrency(3),
        ]
    );
    assert_eq!((table[0].group, table[4].group), (Group::Instances, Group::Nobody));
    let descriptor = kitchen.descriptor();
    let operations = kitchen.operations();
    assert_eq!(operations.table().map(|operation| operation.name).collect::<Vec<_>>(), ["heard"]);
    assert!(!openapi(&descriptor, &operations).to_string().contains("on_plain"));
}

#[tokio::test]
async fn every_form_is_called_with_what_it_asks_for() {
    let bed = TestBed::new().unwrap();
    let (kitchen, log) = kitchen(bed.tekton());
    bed.serve(kitchen).await.unwrap();
    let events = bed.tekton().events();
    events.publisher("plain.a").unwrap().send("a").await.unwrap();
    events.publisher("plain.a.b").unwrap().send("b").await.unwrap();
    bed.until_quiet().await;
    assert_eq!(log.take(), ["plain a", "plain b"]);
    events.publisher("borrowed").unwrap().send("book").await.unwrap();
    events.publisher("whole.a.b").unwrap().send(&7).await.unwrap();
    bed.until_quiet().await;
    let mut heard = log.take();
    heard.sort();
    assert_eq!(heard, ["borrowed book of Some(\"test\")", "whole.a.b 7 1"]);
    for n in 0..3_u8 {
        events.publisher("gaps").unwrap().send(&[n]).await.unwrap();
    }
    bed.until_quiet().await;
    assert_eq!(log.take(), ["event [0]", "gap of Some(2)"]);
    bed.shutdown().await.unwrap();
}

#[tokio::test]
async fn until_quiet_waits_for_what_listeners_tell_each_other() {
    let bed = TestBed::new().unwrap();
    let (kitchen, log) = kitchen(bed.tekton());
    bed.serve(kitchen).await.unwrap();
    bed.tekton().events().tell(&soup()).await.unwrap();
    bed.until_quiet().await;
    let mut heard = log.take();
    heard.sort();
    assert_eq!(heard, [&*format!("{:?}", Order::Taken(soup())), "plain wine", "table 7"]);
    // What a listener fails on waits to come again, and is not waited for.
    bed.tekton().events().tell(&Order::Closed).await.unwrap();
    bed.until_quiet().await;
    assert_eq!(log.take(), ["Closed"]);
    bed.clock().advance(Duration::from_millis(100));
    bed.until_quiet().await;
    assert_eq!(log.take(), ["Closed"]);
    bed.shutdown().await.unwrap();
}
