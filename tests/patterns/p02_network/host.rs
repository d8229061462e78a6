//! Topics as methods of JSON-RPC.

use futures_util::StreamExt;
use tekton_sdk::{
    Error, ErrorKind, Result, async_trait,
    context::Identity,
    host::{Identify, RequestHead, TopicGuard},
    patterns::events::Topic,
    time::ManualClock,
};

use super::*;

#[tokio::test]
async fn what_is_published_is_heard_by_those_who_subscribed_and_nobody_else() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let (mut one, mut two) = (Raw::open(served.endpoint()).await, Raw::open(served.endpoint()).await);
    let begun = subscribe(&mut one, r#"{"topics":["orders.*"]}"#).await;
    assert_eq!(begun["subscription"], 1);
    let published = two.call(1, "publish", r#"{"topic":"orders.new","data":{"n": 1},"id":"a","key":"k"}"#).await;
    let cursor = published["result"]["cursor"].as_str().unwrap().to_owned();
    let heard = told(&mut one).await;
    assert_eq!(
        (&heard["subscription"], &heard["topic"], &heard["data"], &heard["id"], &heard["key"]),
        (&json!(1), &json!("orders.new"), &json!({"n": 1}), &json!("a"), &json!("k"))
    );
    assert_eq!((heard["cursor"].as_str(), heard.get("delivery")), (Some(&*cursor), None));
    publish(&events, "other", &1).await;
    publish(&events, "orders.paid", &2).await;
    assert_eq!(told(&mut one).await["data"], 2, "what it did not subscribe to is not sent");
    assert_eq!(one.call(2, "unsubscribe", r#"{"subscription":1}"#).await["result"], json!(null));
    publish(&events, "orders.new", &3).await;
    let gone = one.call(3, "unsubscribe", r#"{"subscription":1}"#).await;
    assert_eq!(gone["error"]["data"]["code"], "unknown_subscription", "and nothing came in between");
}

#[tokio::test]
async fn whoever_publishes_hears_its_own_event_before_it_is_told_so() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let mut raw = Raw::open(served.endpoint()).await;
    subscribe(&mut raw, r#"{"topics":["a"]}"#).await;
    for n in 0..50 {
        raw.say(format!(r#"{{"jsonrpc":"2.0","method":"publish","params":{{"topic":"a","data":{n}}},"id":{n}}}"#))
            .await;
        assert_eq!(told(&mut raw).await["data"], n);
        assert_eq!(raw.hear().await["id"], n);
    }
}

#[tokio::test]
async fn an_event_comes_again_until_it_is_acknowledged() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let mut raw = Raw::open(served.endpoint()).await;
    subscribe(&mut raw, r#"{"topics":["a"],"acks":{"wait_ms":60000}}"#).await;
    publish(&events, "a", &1).await;
    let first = told(&mut raw).await;
    assert_eq!(first["delivery"], 1);
    let settle = |delivery: u64| format!(r#"{{"subscription":1,"cursor":{},"delivery":{delivery}}}"#, first["cursor"]);
    raw.say(format!(r#"{{"jsonrpc":"2.0","method":"nack","params":{}}}"#, settle(1))).await;
    let again = told(&mut raw).await;
    assert_eq!((&again["delivery"], &again["data"]), (&json!(2), &json!(1)));
    assert_eq!(raw.call(1, "progress", &settle(2)).await["result"], json!(null));
    assert_eq!(raw.call(2, "ack", &settle(2)).await["result"], json!(null));
    // What was not acknowledged before the connection broke goes to the next one.
    publish(&events, "a", &2).await;
    let open = told(&mut raw).await;
    let after = first["cursor"].as_str().unwrap();
    drop(raw);
    let mut raw = Raw::open(served.endpoint()).await;
    subscribe(&mut raw, &format!(r#"{{"topics":["a"],"acks":{{}},"after":"{after}"}}"#)).await;
    assert_eq!(told(&mut raw).await["cursor"], open["cursor"]);
}

#[tokio::test]
async fn a_subscriber_goes_on_where_it_was_and_is_told_what_it_missed() {
    let first = broker(1, None);
    let served = serve(&events(&first)).await;
    let mut raw = Raw::open(served.endpoint()).await;
    let begun = subscribe(&mut raw, r#"{"topics":["a"]}"#).await;
    publish(&events(&first), "a", &1).await;
    let heard = told(&mut raw).await["cursor"].as_str().unwrap().to_owned();
    publish(&events(&first), "a", &2).await;
    let shutdown = tokio::spawn(served.shutdown());
    assert_eq!(told(&mut raw).await["data"], 2, "what waits is given before the end");
    assert_eq!(told(&mut raw).await["end"], true);
    assert_eq!(raw.closed().await, Some(1001));
    assert!(shutdown.await.unwrap());

    let resumed = broker(2, Some(first.history()));
    publish(&events(&resumed), "a", &3).await;
    let served = serve(&events(&resumed)).await;
    for (after, wanted) in [(heard.as_str(), vec![2, 3]), (begun["after"].as_str().unwrap(), vec![1, 2, 3])] {
        let mut raw = Raw::open(served.endpoint()).await;
        subscribe(&mut raw, &format!(r#"{{"topics":["a"],"after":"{after}"}}"#)).await;
        for wanted in wanted {
            assert_eq!(told(&mut raw).await["data"], wanted);
        }
    }

    let fresh = broker(3, None);
    publish(&events(&fresh), "a", &4).await;
    let served = serve(&events(&fresh)).await;
    let mut raw = Raw::open(served.endpoint()).await;
    subscribe(&mut raw, &format!(r#"{{"topics":["a"],"after":"{heard}"}}"#)).await;
    let gap = told(&mut raw).await["gap"].clone();
    assert_eq!((gap["from"].as_str(), &gap["reason"]), (Some(&*heard), &json!("restarted")));
    assert_eq!(told(&mut raw).await["data"], 4);
}

#[tokio::test]
async fn a_subscriber_that_does_not_keep_up_is_treated_by_its_policy() {
    let events = events(&broker(1, None));
    let served = serve_with(&events, &tekton(), |host| host.introspect = true, |serve| serve).await;
    let mut raw = Raw::open(served.endpoint()).await;
    subscribe(&mut raw, r#"{"topics":["a"],"capacity":10,"when_full":"drop_oldest"}"#).await;
    // More than all the buffers of a connection hold; nothing is read meanwhile.
    let filler = "x".repeat(100_000);
    let most = 300;
    for n in 0..most {
        publish(&events, "a", &json!([n, filler])).await;
        tokio::task::yield_now().await;
    }
    let (mut heard, mut lost) = (0, 0);
    loop {
        let told = told(&mut raw).await;
        match told.get("gap") {
            Some(gap) => {
                assert_eq!(gap["reason"], "overflow");
                lost += gap["lost"].as_u64().unwrap();
            }
            None => {
                heard += 1;
                if told["data"][0] == most - 1 {
                    break;
                }
            }
        }
    }
    assert!(lost > 0, "more than fits was published");
    assert_eq!(heard + lost, most, "what is missing is told to the last event");
    drop(raw);
    let mut other = Raw::open(served.endpoint()).await;
    loop {
        let shown = other.ask(r#"{"jsonrpc":"2.0","method":"/introspect","http":{"method":"GET"},"id":1}"#).await;
        let topics = &shown["result"]["host"]["limits"]["topics"];
        if topics["subscriptions"] == 0 {
            assert_eq!(topics["dropped"], lost);
            break;
        }
    }
}

#[tokio::test]
async fn each_cap_refuses_by_its_name() {
    let events = events(&broker(1, None));
    let caps = |host: &mut HostConfig| (host.topic_subscriptions, host.topic_filters) = (2, 2);
    let served = serve_with(&events, &tekton(), caps, |serve| serve).await;
    let mut raw = Raw::open(served.endpoint()).await;
    let code = |answer: Value| answer["error"]["data"]["code"].as_str().unwrap().to_owned();
    assert_eq!(code(raw.call(1, "subscribe", r#"{"topics":["a","b","c"]}"#).await), "too_many_topics");
    for _ in 0..2 {
        subscribe(&mut raw, r#"{"topics":["a"]}"#).await;
    }
    assert_eq!(code(raw.call(2, "subscribe", r#"{"topics":["a"]}"#).await), "topic_subscriptions");
    raw.call(3, "unsubscribe", r#"{"subscription":1}"#).await;
    subscribe(&mut raw, r#"{"topics":["a"]}"#).await;
    for (method, params) in [
        ("subscribe", r#"{"topics":[]}"#),
        ("subscribe", r#"[["a"]]"#),
        ("subscribe", r#"{"topics":["a"],"when_full":"block"}"#),
        ("subscribe", r#"{"topics":["<script>"]}"#),
        ("publish", r#"{"topic":"a.*","data":1}"#),
        ("publish", r#"{"topic":"a"}"#),
        ("ack", r#"{"subscription":2,"cursor":"0000000000000001-1","delivery":1}"#),
        ("ack", r#"{"subscription":99,"cursor":"0000000000000001-1","delivery":1}"#),
        ("nack", r#"{"subscription":2}"#),
    ] {
        let answer = raw.call(4, method, params).await;
        assert!(answer["error"]["data"]["status"].as_u64().is_some_and(|status| status < 500), "{method}: {answer}");
    }
}

/// The subject is the token; `wrong` is none.
#[derive(Debug)]
struct Tokens;

#[async_trait]
impl Identify for Tokens {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Option<Identity>> {
        match head.headers.get("authorization").map(|token| token.to_str().unwrap()) {
            None => Ok(None),
            Some("wrong") => Err(Error::new(ErrorKind::Unauthorized, "the token is not known")),
            Some(subject) => Ok(Some(Identity::new(subject))),
        }
    }
}

/// Everybody has the topics below its own name.
#[derive(Debug)]
pub(super) struct Own;

impl TopicGuard for Own {
    fn may_hear(&self, who: Option<&Identity>, topic: &Topic) -> bool {
        topic.tokens().next() == who.map(Identity::subject)
    }

    fn may_publish(&self, who: Option<&Identity>, topic: &Topic) -> bool {
        self.may_hear(who, topic)
    }
}

pub(super) fn guarded(serve: Serve) -> Serve {
    serve.identify(Tokens).guard_topics(Own)
}

#[tokio::test]
async fn a_wildcard_shows_only_what_its_caller_may_see() {
    let events = events(&broker(1, None));
    // No ping wakes what nothing else does.
    let served = serve_with(&events, &tekton(), |host| host.ws_ping_interval = 3600 * SECOND, guarded).await;
    let as_ann = [("authorization", "ann")];
    let mut ann = Raw::open_with(served.endpoint(), &as_ann).await.unwrap();
    subscribe(&mut ann, r#"{"topics":[">"]}"#).await;
    let mut acked = Raw::open_with(served.endpoint(), &as_ann).await.unwrap();
    subscribe(&mut acked, r#"{"topics":[">"],"acks":{"max_unsettled":1}}"#).await;
    let mut nobody = Raw::open(served.endpoint()).await;
    subscribe(&mut nobody, r#"{"topics":[">"]}"#).await;
    for n in 0..200 {
        publish(&events, "bob.secret", &n).await;
    }
    publish(&events, "ann.news", &"for ann").await;
    for raw in [&mut ann, &mut acked] {
        let heard = told(raw).await;
        assert_eq!((&heard["topic"], &heard["data"]), (&json!("ann.news"), &json!("for ann")));
    }
    let refused = ann.call(1, "subscribe", r#"{"topics":["ann.x","bob.secret"]}"#).await;
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["data"]["code"]),
        (&json!(-32003), &json!("topic_refused"))
    );
    let refused = ann.call(2, "publish", r#"{"topic":"bob.secret","data":1}"#).await;
    assert_eq!(refused["error"]["data"]["code"], "topic_refused");
    let refused = ann.call(3, "subscribe", r#"{"topics":["ann.*"],"acks":{},"group":"g"}"#).await;
    assert_eq!(refused["error"]["data"]["code"], "group_of_wildcards");
    let published = ann.call(4, "publish", r#"{"topic":"ann.x","data":1}"#).await;
    assert_eq!(published["method"], "event", "it hears itself first");
    let refused = nobody.call(1, "publish", r#"{"topic":"ann.news","data":1}"#).await;
    assert_eq!(refused["error"]["data"]["code"], "topic_refused", "and it heard nothing");

    let mut wrong = Raw::open_with(served.endpoint(), &[("authorization", "wrong")]).await.unwrap();
    for (method, params) in [("subscribe", r#"{"topics":["x"]}"#), ("publish", r#"{"topic":"x","data":1}"#)] {
        assert_eq!(wrong.call(1, method, params).await["error"]["data"]["status"], 401);
    }
    let foreign = Raw::open_with(served.endpoint(), &[("origin", "https://evil.example")]).await;
    assert_eq!(foreign.err(), Some(403));
}

#[tokio::test]
async fn without_events_there_are_no_such_methods_and_with_them_no_such_operations() {
    let (served, _) = crate::lab::serve(&tekton()).await;
    let mut raw = Raw::open(served.endpoint()).await;
    assert_eq!(raw.call(1, "subscribe", r#"{"topics":["a"]}"#).await["error"]["code"], -32601);

    struct Press;
    impl Component for Press {
        fn descriptor(&self) -> Descriptor {
            Descriptor::new("press", "1.0.0")
        }

        fn operations(self: Arc<Self>) -> Operations {
            let operation = tekton_sdk::contract::Operation::write("publish", "Prints a book.");
            Operations::new().on(&self, operation, |_, _, _| async { Ok(()) })
        }
    }
    let error = Press.serve(&tekton()).events(&events(&broker(1, None))).start().await.unwrap_err();
    assert!(error.fields()[0].to_string().starts_with("publish: is the name"), "{}", error.report());
}

#[tokio::test]
async fn who_says_nothing_for_too_long_is_closed_and_who_spoke_is_not() {
    let clock = ManualClock::new();
    let tekton = Tekton::builder().named("tester").clock(clock.clone()).build().unwrap();
    let served = serve_with(
        &events(&broker(1, None)),
        &tekton,
        |host| (host.ws_first_message, host.ws_ping_interval) = (2 * SECOND, 60 * SECOND),
        |serve| serve,
    )
    .await;
    let (mut spoke, silent) = (Raw::open(served.endpoint()).await, Raw::open(served.endpoint()).await);
    subscribe(&mut spoke, r#"{"topics":["a"]}"#).await;
    let closed = tokio::spawn(silent.closed());
    // Its timer may not be set yet.
    while !closed.is_finished() {
        clock.advance(3 * SECOND);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let asked = spoke.call(1, "publish", r#"{"topic":"b","data":1}"#).await;
        assert!(asked["result"]["cursor"].is_string());
    }
    assert_eq!(closed.await.unwrap(), Some(1008));
}

#[tokio::test]
async fn topics_and_operations_share_a_connection_and_batches() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let mut raw = Raw::open(served.endpoint()).await;
    raw.say(
        r#"[{"jsonrpc":"2.0","method":"subscribe","params":{"topics":["a"]},"id":1},{"jsonrpc":"2.0","method":"publish","params":{"topic":"b","data":1},"id":2},{"jsonrpc":"2.0","method":"/live","http":{"method":"GET"},"id":3}]"#,
    )
    .await;
    let answer = raw.hear().await;
    let mut ids: Vec<_> = answer.as_array().unwrap().iter().map(|entry| entry["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
    publish(&events, "a", &1).await;
    assert_eq!(told(&mut raw).await["data"], 1);
    // A connection that is gone holds nothing.
    raw.socket.close(None).await.unwrap();
    while raw.socket.next().await.is_some() {}
}

#[tokio::test]
async fn a_group_from_afar_takes_nothing_from_one_within() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let mut within = events.subscribe::<u64>("a").group("g").acked().await.unwrap();
    let mut raw = Raw::open(served.endpoint()).await;
    subscribe(&mut raw, r#"{"topics":["a"],"group":"g","acks":{}}"#).await;
    for n in 1..=4 {
        publish(&events, "a", &n).await;
    }
    for n in 1..=4 {
        let heard = within.next().await.unwrap().unwrap().event().unwrap();
        assert_eq!(heard.data().unwrap(), n);
        heard.ack().await.unwrap();
        assert_eq!(told(&mut raw).await["data"], n);
    }
}
