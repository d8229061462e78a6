//! The macros within the SDK itself.

use crate::{
    CallOptions, Component, Result, data, landmark,
    landmarks::Landmarks,
    service,
    testing::{TestBed, block_on},
};

/// What was counted.
#[data]
#[derive(Debug, PartialEq)]
struct Count {
    words: usize,
}

/// Counts words.
#[derive(Component)]
#[component(services(Counter, Echo))]
struct Counter;

#[service]
impl Counter {
    /// Counts the words of a text.
    #[op(read)]
    #[landmark(kind = "note", title = "Words are counted here")]
    async fn count(&self, text: &str, #[arg(default = 1)] times: usize) -> Result<Count> {
        Ok(Count { words: text.split_whitespace().count() * times })
    }
}

/// Says things again.
#[service]
trait Echo {
    /// Says it again.
    #[op(write, idempotent)]
    fn echo(&self, text: String) -> Result<String>;
}

impl Echo for Counter {
    fn echo(&self, text: String) -> Result<String> {
        Ok(text)
    }
}

#[test]
fn the_macros_work_within_the_sdk() {
    block_on(async {
        let bed = TestBed::new().unwrap();
        bed.serve(Counter).await.unwrap();
        let counter: CounterClient = bed.tekton().find().await.unwrap();
        let fake = FakeCounter::new();
        fake.on_count().answers(Count { words: 4 });
        for counter in [&counter as &dyn CounterApi, &fake] {
            let hurried = counter.with(CallOptions::new());
            assert_eq!(hurried.count("a b", Some(2)).await.unwrap(), Count { words: 4 });
        }
        let echo = <EchoClient as crate::Client>::from_peer(bed.tekton().peer("counter"));
        assert_eq!(echo.echo("x".to_owned()).await.unwrap(), "x");
        bed.shutdown().await.unwrap();
    });
    assert_eq!(Landmarks::gather().containing("Words are counted here").len(), 1);
}
