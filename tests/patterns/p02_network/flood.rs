//! What strangers do on purpose: more filters, more events and other names than are meant.

use super::*;

#[tokio::test]
async fn markup_in_a_topic_is_refused_on_every_road_and_heard_on_none() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let mut all = Raw::open(served.endpoint()).await;
    subscribe(&mut all, r#"{"topics":[">"]}"#).await;
    let (mut rpc, mut plain) = (Raw::open(served.endpoint()).await, Raw::open(served.endpoint()).await);
    for markup in ["<img src=x onerror=alert(1)>", "a.<b>", "a.\\u0000", "a.\\\"", "a b", "a.\\ud83d\\ude00"] {
        let topics = [
            rpc.call(1, "publish", &format!(r#"{{"topic":"{markup}","data":1}}"#)).await,
            rpc.call(2, "subscribe", &format!(r#"{{"topics":["{markup}"]}}"#)).await,
        ];
        for answer in topics {
            assert_eq!(answer["error"]["data"]["status"], 422, "{markup}: {answer}");
        }
        for said in [
            format!(r#"{{"type":"publish","event":"{markup}","data":1}}"#),
            format!(r#"{{"type":"subscribe","events":["{markup}"]}}"#),
        ] {
            let answer = plain.ask(said).await;
            assert_eq!((&answer["type"], &answer["data"]["status"]), (&json!("error"), &json!(422)), "{answer}");
        }
    }
    publish(&events, "after", &"<b>data is data</b>").await;
    let heard = told(&mut all).await;
    assert_eq!((&heard["topic"], &heard["data"]), (&json!("after"), &json!("<b>data is data</b>")));
}

#[tokio::test]
async fn wildcard_bombs_are_refused_and_those_of_a_connection_that_ends_make_room() {
    let config = MemoryBrokerConfig::default().with_max_stars(200);
    let broker = MemoryBroker::new(config, SharedClock::default(), &Random::seeded(1)).unwrap();
    let events = events(&broker);
    let served = serve(&events).await;
    let mut bomber = Raw::open(served.endpoint()).await;
    // Each filter has stars that no other has.
    let bomb = |n: u64| {
        let filter = |m: u64| json!(format!("b{n}.b{m}.{}", ["*"; 12].join(".")));
        json!({ "topics": (0..16).map(filter).collect::<Vec<_>>() }).to_string()
    };
    assert!(bomber.call(0, "subscribe", &bomb(0)).await.get("result").is_some());
    for n in 1..10 {
        let refused = bomber.call(n, "subscribe", &bomb(n)).await;
        let problem = &refused["error"]["data"];
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("200 stars")), "{refused}");
    }
    // Whoever names its topics is heard all the while, and an event costs no more than the cap allows.
    let mut plain = Raw::open(served.endpoint()).await;
    subscribe(&mut plain, r#"{"topics":["a.b"]}"#).await;
    publish(&events, "a.b", &1).await;
    assert_eq!(told(&mut plain).await["data"], 1);
    drop(bomber);
    let mut next = Raw::open(served.endpoint()).await;
    while next.call(1, "subscribe", r#"{"topics":["*.*.*.*.*.*.*.*.*.*"]}"#).await.get("result").is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn of_a_publisher_faster_than_its_readers_nothing_is_lost_in_silence() {
    let events = events(&broker(1, None));
    let served = serve(&events).await;
    let mut readers = Vec::new();
    for policy in ["drop_oldest", "drop_newest", "fail"] {
        let mut raw = Raw::open(served.endpoint()).await;
        subscribe(&mut raw, &format!(r#"{{"topics":["a"],"capacity":8,"when_full":"{policy}"}}"#)).await;
        readers.push((policy, raw));
    }
    // More than all the buffers of a connection hold; no reader reads meanwhile.
    let most = 300;
    let filler = "x".repeat(100_000);
    let mut publisher = Raw::open(served.endpoint()).await;
    for n in 0..most {
        let published = publisher.call(n, "publish", &format!(r#"{{"topic":"a","data":[{n},"{filler}"]}}"#)).await;
        assert!(published["result"]["cursor"].is_string(), "no reader holds it back: {published}");
    }
    for (policy, mut raw) in readers {
        let (mut heard, mut lost) = (0, 0);
        while heard + lost < most {
            let told = told(&mut raw).await;
            match (told.get("gap"), told.get("end")) {
                (Some(gap), _) => lost += gap["lost"].as_u64().unwrap(),
                (None, Some(_)) => {
                    let detail = told["error"]["detail"].as_str().unwrap();
                    assert!(detail.contains("fell behind more than 8 events"), "{detail}");
                    break;
                }
                (None, None) => {
                    assert_eq!(told["data"][0], heard + lost, "{policy}: in order, and what is missing was told");
                    heard += 1;
                }
            }
        }
        assert_eq!(heard + lost == most, policy != "fail", "{policy}: {heard} heard, {lost} lost");
    }
}
