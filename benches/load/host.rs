//! The served component.

use std::{sync::Arc, time::Duration};

use tekton_sdk::{
    Component, Tekton,
    config::HostConfig,
    contract::Descriptor,
    host::Operations,
    patterns::events::{Events, Message, Topic},
};

use super::{
    process::{answer, number},
    wire,
};

struct Crier;

impl Component for Crier {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new("crier", "1.0.0")
    }

    fn operations(self: Arc<Self>) -> Operations {
        Operations::new()
    }
}

pub(crate) fn run() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().expect("a machine that runs benchmarks gives a runtime");
    let tekton = Tekton::builder().named("crier").build().expect("the defaults are within bounds");
    let events = tekton.events();
    let config = HostConfig::default().with_max_connections(20_000);
    let serve = Crier.serve(&tekton).with_config(config).events(&events);
    let served = runtime.block_on(serve.start()).expect("loopback has a free port");
    println!("{}", served.endpoint().trim_start_matches("http://"));
    answer(|words| match words[0] {
        "publish" => {
            let (rate, seconds, topics) = (number(words, 1), number(words, 2), number(words, 3));
            let events = events.clone();
            // On a worker, where the parts of a component run.
            let work = runtime.spawn(async move { publish(&events, rate, seconds, topics).await });
            runtime.block_on(work).expect("it publishes").to_string()
        }
        "broadcast" => {
            let (events, round) = (events.clone(), number(words, 1));
            let work = runtime.spawn(async move { say(&events, "load.all".to_owned(), round).await });
            runtime.block_on(work).expect("it publishes");
            String::new()
        }
        _ => super::bare::settle(),
    });
    runtime.block_on(served.shutdown());
}

/// Publishes so many events in a second, for one topic after the other.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures ambient time")]
async fn publish(events: &Events, rate: usize, seconds: usize, topics: usize) -> usize {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX));
    for n in 0..rate * seconds {
        beat.tick().await;
        say(events, format!("load.t{}", n % topics), 0).await;
    }
    rate * seconds
}

async fn say(events: &Events, topic: String, round: usize) {
    let topic = Topic::parse(&topic).expect("it is a topic");
    let message = Message::json(topic, &wire::data(round)).expect("it is JSON");
    events.publish(message).await.expect("the broker takes it");
}
