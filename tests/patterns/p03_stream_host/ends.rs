//! The end of a component, while streams run.

use tekton_sdk::{ErrorKind, time::Clock};

use super::*;

const CLOSED: &str =
    r#""status":503,"detail":"the component is shutting down; ask another one, or later","code":"closed""#;

#[tokio::test]
async fn streams_get_the_drain_time_and_are_told_at_its_end() {
    let (served, source, clock) = socket(|config| config.with_drain_timeout(20 * SECOND)).await;
    let feeds = [source.feed(), source.feed(), source.feed()];
    let mut plain = open(&served, &Ask::post("feed", &json!({})).accepting(EVENTS)).await;
    let mut lines = open(&served, &Ask::post("feed", &json!({})).accepting(LINES)).await;
    let mut tape = open(&served, &Ask::post("tape", &json!({})).accepting(EVENTS)).await;
    source.until_running(3).await;
    let began = clock.now();
    let mut ending = std::pin::pin!(served.shutdown());
    assert!(futures_util::poll!(&mut ending).is_pending());
    feeds[0].send(Ok(json!("still there"))).unwrap();
    assert_eq!(plain.until("\n\n").await, "data: \"still there\"\n\n");
    let moving = async {
        loop {
            clock.advance(SECOND);
            settle().await;
        }
    };
    let ended = async {
        let told = (plain.rest().await, lines.rest().await, tape.rest().await);
        (told, clock.now().duration_since(began))
    };
    let moved = std::pin::pin!(moving);
    let done = std::pin::pin!(async { tokio::join!(ended, ending) });
    let futures_util::future::Either::Left((done, _)) = futures_util::future::select(done, moved).await;
    let (((told, lines, tape), after), finished) = done;
    assert!(after >= 20 * SECOND, "{after:?}");
    assert!(told.contains("event: error\ndata: {") && told.contains(CLOSED), "{told}");
    assert!(lines.contains("{\"error\":{") && lines.contains(CLOSED), "{lines}");
    assert!(tape.contains("-1\ndata: {") && tape.contains(CLOSED), "{tape}");
    assert!(!finished, "not all had ended by themselves");
    source.until_running(0).await;
}

#[tokio::test]
async fn a_stream_that_ends_in_time_ends_well() {
    let (served, source, _) = socket(|config| config).await;
    let feed = source.feed();
    let mut tape = open(&served, &Ask::post("tape", &json!({})).accepting(EVENTS)).await;
    source.until_running(1).await;
    let ending = tokio::spawn(served.shutdown());
    feed.send(Ok(json!(1))).unwrap();
    tape.until("data: 1\n\n").await;
    drop(feed);
    assert!(tape.rest().await.starts_with("event: end\n"));
    assert!(ending.await.unwrap());
}

#[tokio::test]
async fn nobody_can_come_back_to_a_component_that_shuts_down() {
    let (served, source, _) = socket(|config| config).await;
    let feeds = [source.feed(), source.feed()];
    let mut plain = open(&served, &Ask::post("feed", &json!({})).accepting(EVENTS)).await;
    let tape = open(&served, &Ask::post("tape", &json!({})).accepting(EVENTS)).await;
    source.until_running(2).await;
    drop(tape);
    settle().await;
    assert_eq!(source.running.load(Ordering::SeqCst), 2, "it waits for its reader");
    let ending = tokio::spawn(served.shutdown());
    // The clock stands still: neither the grace nor the drain time is over.
    source.until_running(1).await;
    assert!(feeds[1].is_closed() && !ending.is_finished());
    let [plain_feed, _] = feeds;
    drop(plain_feed);
    assert!(plain.rest().await.starts_with("event: end\n"));
    assert!(ending.await.unwrap());
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_up_the_end() {
    let (served, source, clock) = socket(|config| config.with_drain_timeout(20 * SECOND)).await;
    let answer = open(&served, &Ask::get("flood", "").accepting(EVENTS)).await;
    source.until_held_back().await;
    let ending = tokio::spawn(served.shutdown());
    while !ending.is_finished() {
        clock.advance(SECOND);
        settle().await;
    }
    assert!(!ending.await.unwrap());
    assert_eq!(source.running.load(Ordering::SeqCst), 0);
    drop(answer);
}

#[tokio::test]
async fn in_memory_streams_are_told_at_once() {
    let (bed, source) = bed(|config| config).await;
    let _feeds = [source.feed(), source.feed()];
    let mut answers = Vec::new();
    for operation in ["feed", "tape"] {
        answers.push(Ask::post(operation, &json!({})).accepting(EVENTS).memory(bed.transport()).await);
    }
    source.until_running(2).await;
    bed.shutdown().await.unwrap();
    for answer in answers {
        let told = all(answer).await;
        assert!(told.contains("event: error\n") && told.contains(CLOSED), "{told}");
    }
    source.until_running(0).await;
}

#[tokio::test]
async fn a_crash_breaks_streams_off_without_a_word() {
    let (bed, source) = bed(|config| config).await;
    let _feeds = [source.feed(), source.feed()];
    let mut answers = Vec::new();
    for operation in ["feed", "tape"] {
        answers.push(Ask::post(operation, &json!({})).accepting(EVENTS).memory(bed.transport()).await);
    }
    bed.kill("radio").unwrap();
    for mut answer in answers {
        assert_eq!(piece(&mut answer).await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        assert!(piece(&mut answer).await.is_none());
    }
    source.until_running(0).await;
    bed.shutdown().await.unwrap();
}
