//! What it costs to publish an event and to hear it, in process, on one thread. An operation is one event published, and heard by
//! every subscriber.
//!
//! Budgets: 5 million deliveries a second, and half the speed of `tokio::sync::broadcast` at a fan-out of 100. The channel has no
//! topics, no history, no places, no acknowledgements and no gaps but a count.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tekton_sdk::{
    patterns::events::{Broker, Events, Heard, MemoryBroker, MemoryBrokerConfig, Message, Subscription, Topic},
    random::Random,
    time::SharedClock,
};
use tekton_sdk_benches::{Selection, Table, keep};
use tokio::sync::broadcast;

pub(crate) fn run(selection: &Selection) {
    for (fan_out, burst) in [(1, 1), (1, 64), (100, 1), (100, 64)] {
        fan(selection, fan_out, burst);
    }
    topics(selection);
    acknowledged(selection);
}

/// Everything here is ready when it is polled.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it has to wait"),
    }
}

fn message(topic: &str) -> Message {
    let topic = Topic::parse(topic).expect("it is a topic");
    Message::json(topic, &"x".repeat(198)).expect("it is JSON")
}

fn events(config: MemoryBrokerConfig) -> Events {
    let clock = SharedClock::default();
    let broker = MemoryBroker::new(config, clock.clone(), &Random::new()).expect("within bounds");
    Events::new(broker, clock)
}

/// A broker, its subscriptions to everything below `bench`, and bursts of events that all of them hear.
struct Heap {
    broker: Arc<dyn Broker>,
    all: Vec<Subscription<String>>,
    message: Message,
}

impl Heap {
    fn new(config: MemoryBrokerConfig, fan_out: usize) -> Self {
        let events = events(config);
        let all = (0..fan_out).map(|_| ready(events.subscribe("bench.*").into_future()).expect("it begins")).collect();
        Self { broker: Arc::clone(events.broker()), all, message: message("bench.topic") }
    }

    fn bursts(&mut self, operations: u64, burst: u64) {
        for _ in 0..operations / burst {
            for _ in 0..burst {
                keep(ready(self.broker.publish(self.message.clone())).expect("it is published"));
            }
            for subscription in &mut self.all {
                for _ in 0..burst {
                    keep(hear(subscription).cursor());
                }
            }
        }
    }
}

fn hear(subscription: &mut Subscription<String>) -> tekton_sdk::patterns::events::Delivery<String> {
    loop {
        let mut cx = Context::from_waker(Waker::noop());
        match futures_core::Stream::poll_next(Pin::new(&mut *subscription), &mut cx) {
            Poll::Ready(Some(Ok(Heard::Event(event)))) => return event,
            // It lets others have their turn at times.
            Poll::Pending => {}
            Poll::Ready(other) => panic!("{other:?}"),
        }
    }
}

fn fan(selection: &Selection, fan_out: usize, burst: u64) {
    let title = format!("events: {fan_out} subscribers, {burst} published at once");
    if !selection.takes(&title) {
        return;
    }
    let (sender, _) = broadcast::channel(1024);
    let mut receivers: Vec<_> = (0..fan_out).map(|_| sender.subscribe()).collect();
    let shared = message("bench.topic");
    let mut kept = Heap::new(MemoryBrokerConfig::default(), fan_out);
    let mut bare = Heap::new(MemoryBrokerConfig::default().with_history_events(0), fan_out);
    Table::new(title)
        .case("tokio::sync::broadcast of an Arc", move |operations| {
            for _ in 0..operations / burst {
                for _ in 0..burst {
                    keep(sender.send(Arc::new(shared.clone())).is_ok());
                }
                for receiver in &mut receivers {
                    for _ in 0..burst {
                        keep(ready(receiver.recv()).expect("it does not lag"));
                    }
                }
            }
        })
        .case("tekton, MemoryBroker", move |operations| kept.bursts(operations, burst))
        .case("tekton, MemoryBroker without a history", move |operations| bare.bursts(operations, burst))
        .run(selection);
}

/// One subscriber of each topic among many, and events for one of them at a time.
fn topics(selection: &Selection) {
    let title = "events: each for one of 10,000 subscribers, by topic";
    if !selection.takes(title) {
        return;
    }
    let case = |count: usize| {
        let events = events(MemoryBrokerConfig::default());
        let mut all: Vec<_> = (0..count)
            .map(|n| ready(events.subscribe::<String>(format!("bench.{n}.>")).into_future()).expect("it begins"))
            .collect();
        let messages: Vec<_> = (0..count).map(|n| message(&format!("bench.{n}.done"))).collect();
        move |operations| {
            for n in 0..operations as usize {
                // Far from the one before, as 7919 is prime.
                let at = n * 7919 % count;
                keep(ready(events.broker().publish(messages[at].clone())).expect("it is published"));
                keep(hear(&mut all[at]).cursor());
            }
        }
    };
    Table::new(title)
        .case("one subscriber", case(1))
        .case("1,000", case(1000))
        .case("10,000", case(10_000))
        .run(selection);
}

fn acknowledged(selection: &Selection) {
    let title = "events: heard and acknowledged";
    if !selection.takes(title) {
        return;
    }
    let mut plain = Heap::new(MemoryBrokerConfig::default(), 1);
    let events = events(MemoryBrokerConfig::default());
    let mut acked = ready(events.subscribe("bench.*").acked().into_future()).expect("it begins");
    let shared = message("bench.topic");
    Table::new(title)
        .case("not acknowledged", move |operations| plain.bursts(operations, 1))
        .case("acknowledged", move |operations| {
            for _ in 0..operations {
                keep(ready(events.broker().publish(shared.clone())).expect("it is published"));
                ready(hear(&mut acked).ack()).expect("it is acknowledged");
            }
        })
        .run(selection);
}
