//! What a stream holds, how much of it may run ahead, and what stops it.

use tekton_sdk::testing::EventLog;

use super::*;

/// Statuses and times of the streams that have ended.
fn ended(log: &EventLog) -> Vec<(String, String)> {
    let of = |event: &tekton_sdk::testing::RecordedEvent, name| event.field(name).unwrap().to_owned();
    let all = log.named("served").into_iter().filter(|event| event.field("operation") != Some("ping"));
    all.map(|event| (of(&event, "status"), of(&event, "took"))).collect()
}

#[tokio::test]
async fn a_stream_keeps_its_place_and_is_counted_when_it_ends() {
    for operation in ["feed", "tape"] {
        for (how, status) in [("ended", "200"), ("failed", "404"), ("dropped", "499")] {
            let (bed, source, log) = (TestBed::new().unwrap(), Arc::<Source>::default(), EventLog::default());
            let tekton = bed.tekton_with(|builder| builder.observer(log.clone())).unwrap();
            let config = HostConfig::default().with_max_concurrency(1).with_queue_timeout(Duration::ZERO);
            let serve = Radio(Arc::clone(&source)).serve(&tekton).with_config(config);
            let _served = serve.instance("1").in_memory(bed.transport()).start().await.unwrap();
            let ping = async || Ask::post("ping", &json!({})).memory(bed.transport()).await.status.as_u16();

            let feed = source.feed();
            let mut answer = Ask::post(operation, &json!({})).accepting(EVENTS).memory(bed.transport()).await;
            feed.send(Ok(json!(1))).unwrap();
            assert!(piece(&mut answer).await.unwrap().unwrap().ends_with("data: 1\n\n"));
            bed.clock().advance(2 * SECOND);
            assert_eq!((ping().await, ended(&log)), (429, vec![]), "{operation} {how}");
            match (how, answer.headers.get("x-tekton-stream")) {
                ("ended", _) => drop(feed),
                ("failed", _) => feed.send(Err(Error::not_found("no more"))).unwrap(),
                (_, Some(id)) => drop(Ask::cancel(id.to_str().unwrap()).memory(bed.transport()).await),
                (_, None) => drop(std::mem::take(&mut answer.body)),
            }
            while piece(&mut answer).await.is_some() {}
            assert_eq!(ended(&log), [(status.to_owned(), "2".to_owned())], "{operation} {how}");
            assert_eq!((ping().await, source.running.load(Ordering::SeqCst)), (200, 0), "{operation} {how}");
        }
    }
}

#[tokio::test]
async fn a_client_s_share_is_taken_until_the_end_too() {
    let (bed, source) = bed(|config| config.with_client_max_concurrency(Some(1))).await;
    let _feed = source.feed();
    let answer = Ask::post("feed", &json!({})).accepting(EVENTS).memory(bed.transport()).await;
    let refused = Ask::post("ping", &json!({})).memory(bed.transport()).await;
    assert_eq!((refused.status.as_u16(), &*code(&all(refused).await)), (429, "client_concurrency"));
    drop(answer);
    assert_eq!(Ask::post("ping", &json!({})).memory(bed.transport()).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_plain_stream_is_worked_on_only_as_far_as_it_is_read() {
    let (bed, source) = bed(|config| config).await;
    let mut answer = Ask::get("flood", "").accepting(EVENTS).memory(bed.transport()).await;
    assert_eq!(source.sent(), 0, "nobody has read");
    let mut read = 0;
    for _ in 0..10 {
        read += piece(&mut answer).await.unwrap().unwrap().matches("data: ").count() as u64;
        assert_eq!(source.sent(), read);
        tokio::task::yield_now().await;
    }
}

/// Time is paused: the minute passes as soon as nothing else can happen.
#[tokio::test(start_paused = true)]
async fn a_producer_that_is_faster_than_its_client_for_a_minute_stays_within_its_bounds() {
    let (clock, source) = (tekton_sdk::time::SharedClock::default(), Arc::<Source>::default());
    let (tekton, memory) = (Tekton::builder().build().unwrap(), MemoryTransport::new());
    let config = HostConfig::default().with_stream_ring_items(100);
    let serve = Radio(Arc::clone(&source)).serve(&tekton).with_config(config).instance("1");
    let _served = serve.in_memory(&memory).start().await.unwrap();
    for (operation, ahead) in [("flood", 0), ("deluge", 101)] {
        source.sent.store(0, Ordering::SeqCst);
        let mut answer = Ask::get(operation, "").accepting(EVENTS).memory(&memory).await;
        let (began, mut read) = (clock.now(), 0);
        while clock.now().duration_since(began) < 60 * SECOND {
            read += piece(&mut answer).await.unwrap().unwrap().matches("data: ").count() as u64;
            assert!(source.sent() <= read + ahead, "{operation}: {} sent, {read} read", source.sent());
            clock.sleep(Duration::from_millis(100)).await;
        }
        assert!(read > 600, "{operation}: {read} read");
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_stops_the_work_and_its_time_runs_out_all_the_same() {
    let (bed, source) = bed(|config| config).await;
    let feed = source.feed();
    let mut answer = Ask::post("brief", &json!({})).accepting(EVENTS).memory(bed.transport()).await;
    feed.send(Ok(json!(1))).unwrap();
    assert_eq!(piece(&mut answer).await.unwrap().unwrap(), "data: 1\n\n");
    for n in 0..100 {
        feed.send(Ok(json!(n))).unwrap();
    }
    assert_eq!(source.sent(), 1);
    // From here on nobody reads.
    bed.clock().advance(5 * SECOND);
    source.until_running(0).await;
    assert_eq!(limit(&bed, "running").await, 0);
    let late = piece(&mut answer).await.unwrap().unwrap();
    assert!(late.starts_with("event: error\ndata: {") && late.contains("brief did not end within 5s"), "{late}");
    assert!(piece(&mut answer).await.is_none());
}

#[tokio::test]
async fn a_socket_that_nobody_reads_from_holds_the_work_back() {
    let (served, source, _) = socket(|config| config).await;
    let answer = open(&served, &Ask::get("flood", "").accepting(EVENTS)).await;
    // The buffers of two sockets fill up; then nothing is asked for any more.
    source.until_held_back().await;
    assert_eq!(source.running.load(Ordering::SeqCst), 1);
    drop(answer);
    source.until_running(0).await;
}

#[tokio::test]
async fn a_connection_that_takes_nothing_for_too_long_is_given_up() {
    for (operation, left) in [("flood", 0), ("deluge", 1)] {
        let config = |config: HostConfig| config.with_write_timeout(60 * SECOND).with_stream_grace(600 * SECOND);
        let (served, source, clock) = socket(config).await;
        let mut answer = open(&served, &Ask::get(operation, "").accepting(EVENTS)).await;
        source.until_held_back().await;
        clock.advance(59 * SECOND);
        let sent = source.sent();
        while source.sent() == sent {
            answer.chunk().await.unwrap().unwrap();
        }
        source.until_held_back().await;
        clock.advance(59 * SECOND);
        settle().await;
        assert_eq!(source.running.load(Ordering::SeqCst), 1, "{operation}: something was taken meanwhile");
        clock.advance(SECOND);
        if left == 0 {
            source.until_running(0).await;
        }
        // The connection is closed: what was on its way is read, and no end.
        while let Ok(Some(_)) = answer.chunk().await {}
        assert!(answer.chunk().await.is_err(), "{operation}");
        assert_eq!(source.running.load(Ordering::SeqCst), left, "{operation}: the caller may come back to its work");
    }
}

#[tokio::test]
async fn a_closed_connection_stops_the_work_unless_somebody_may_come_back() {
    let (served, source, _) = socket(|config| config).await;
    let feeds = [source.feed(), source.feed()];
    let plain = open(&served, &Ask::post("feed", &json!({})).accepting(EVENTS)).await;
    let resumable = open(&served, &Ask::post("tape", &json!({})).accepting(EVENTS)).await;
    source.until_running(2).await;
    drop((plain, resumable));
    source.until_running(1).await;
    assert!(feeds[0].is_closed() && !feeds[1].is_closed());
}

#[tokio::test]
async fn the_deadline_bounds_the_time_until_the_head_and_the_operation_s_own_the_whole() {
    let (bed, source) = bed(|config| config.with_request_timeout(3 * SECOND)).await;
    let feeds = [source.feed(), source.feed()];
    let brief = Ask::post("brief", &json!({})).accepting(EVENTS).with("x-tekton-deadline-ms", "1000");
    let mut answer = brief.memory(bed.transport()).await;
    bed.clock().advance(4 * SECOND);
    feeds[0].send(Ok(json!(1))).unwrap();
    assert_eq!(piece(&mut answer).await.unwrap().unwrap(), "data: 1\n\n");
    bed.clock().advance(SECOND);
    assert!(all(answer).await.starts_with("event: error\n"));

    let late = Ask::post("never", &json!({})).accepting(EVENTS).with("x-tekton-deadline-ms", "1000");
    let moved = async {
        bed.clock().until_sleeping(1).await;
        bed.clock().advance(SECOND);
    };
    let (answer, ()) = tokio::join!(late.memory(bed.transport()), moved);
    assert_eq!((answer.status.as_u16(), &*code(&all(answer).await)), (504, "timeout"));
}

#[tokio::test]
async fn more_resumable_streams_than_may_be_are_refused_and_ended_ones_make_way() {
    let (bed, source) = bed(|config| config.with_max_streams(2)).await;
    let tape = async || Ask::post("tape", &json!({})).accepting(EVENTS).memory(bed.transport()).await;
    let mut feeds = vec![source.feed(), source.feed()];
    let (mut first, second) = (tape().await, tape().await);
    let refused = tape().await;
    assert_eq!((refused.status.as_u16(), &refused.headers["retry-after"]), (429, &HeaderValue::from_static("1")));
    assert_eq!(code(&all(refused).await), "streams");
    // An ended one is kept for those who have not read its end, unless its place is needed.
    drop(feeds.remove(0));
    while piece(&mut first).await.is_some() {}
    assert_eq!((limit(&bed, "streams").await, limit(&bed, "running").await), (json!(2), json!(1)));
    drop(first);
    feeds.push(source.feed());
    let third = tape().await;
    assert_eq!((third.status.as_u16(), limit(&bed, "streams").await), (200, json!(2)));
    assert_eq!(tape().await.status.as_u16(), 429);
    drop((second, third));
}

#[tokio::test]
async fn whoever_set_something_aside_is_not_told_a_cost_that_nobody_knows_yet() {
    let (bed, source) = bed(|config| config).await;
    drop((source.feed(), source.feed()));
    let ask = Ask::post("feed", &json!({})).with("x-tekton-budget", "tokens=10");
    let stream = ask.clone().accepting(EVENTS).memory(bed.transport()).await;
    assert_eq!(stream.headers.get("x-tekton-spent"), None);
    drop(stream);
    let array = ask.memory(bed.transport()).await;
    assert!(array.headers.get("x-tekton-spent").is_some());
}
