//! Places of one bulkhead: who gets them, who waits, who is refused, and that none is lost.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::join_all, poll};
use tekton_sdk::{
    Error, ErrorKind, Result, Sent, Verdict,
    policy::{Bulkhead, BulkheadConfig, Pipeline},
    telemetry::{Introspect, Observers},
    testing::EventLog,
    time::SharedClock,
    transport::Response,
};

use super::{Callee, MILLI, SECOND, alone, call, numbered, rules, under, within};

fn config(places: u32, waiting: u32) -> BulkheadConfig {
    BulkheadConfig::default().with_max_concurrency(places).with_max_waiting(waiting)
}

fn bulkhead(config: BulkheadConfig) -> Bulkhead {
    Bulkhead::new(Some(config), SharedClock::default())
}

fn refused(outcome: Result<Response>) -> Error {
    let error = outcome.expect_err("it is refused");
    assert_eq!((error.sent(), error.verdict()), (Sent::No, Some(Verdict::Ignored)), "{error}");
    assert!(error.to_string().starts_with("bulkhead: "), "{error}");
    error
}

/// How many hold a place and how many wait, as it is shown.
fn there(bulkhead: &impl Introspect) -> (u64, u64) {
    let shown = &bulkhead.introspect()["shown"][0];
    (shown["running"].as_u64().unwrap(), shown["waiting"].as_u64().unwrap())
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_callers_have_their_turn_sixty_four_at_a_time_and_in_order() {
    let callee = Callee::taking(10 * MILLI);
    let pipeline = alone(bulkhead(config(64, 10_000).with_shed(false)), &callee);
    let clock = SharedClock::default();
    let began = clock.now();
    let calls = numbered(10_000).map(|operation| pipeline.send(call("engram", &operation)));
    let answered = join_all(calls).await;
    assert!(answered.iter().all(Result::is_ok));
    assert_eq!((callee.most(), callee.running("engram")), (64, 0));
    assert_eq!(callee.began(), numbered(10_000).collect::<Vec<_>>());
    assert_eq!(clock.now() - began, 157 * 10 * MILLI, "all places were taken all the time");
}

#[tokio::test(start_paused = true)]
async fn a_stampede_is_refused_but_for_the_places_and_the_line() {
    let (callee, log) = (Callee::taking(10 * MILLI), EventLog::default());
    let observers = Observers::new(vec![Arc::new(log.clone())]);
    let pipeline = alone(bulkhead(config(64, 128)).with_observers(observers), &callee);
    let outcomes = join_all(numbered(10_000).map(|operation| pipeline.send(call("engram", &operation)))).await;
    let (answered, turned_away): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((answered.len(), turned_away.len(), callee.most()), (192, 9808, 64));
    let error = refused(turned_away.into_iter().next().unwrap());
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let said = "bulkhead: engram has 64 calls running and 128 waiting, \
                which max_concurrency = 64 and max_waiting = 128 allow";
    assert_eq!(error.to_string(), said);
    let told = log.named("policy_refused");
    assert_eq!(told.len(), 9808);
    let fields = ["policy", "target", "operation", "reason"].map(|name| told[0].field(name).unwrap());
    assert_eq!(fields, ["bulkhead", "engram", "op-00192", "full"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_bound_and_at_the_deadline() {
    let callee = Callee::taking(SECOND);
    let pipeline = alone(bulkhead(config(1, 10).with_max_wait(2 * SECOND)), &callee);
    let mut slow = Box::pin(pipeline.send(call("slow", "hangs")));
    assert!(poll!(&mut slow).is_pending());
    let clock = SharedClock::default();
    let began = clock.now();
    let error = refused(pipeline.send(within(call("slow", "op"), 10 * SECOND)).await);
    assert_eq!((error.kind(), clock.now() - began), (ErrorKind::Rejected, 2 * SECOND));
    let said = "bulkhead: slow had no place within the max_wait of 2s, with 1 calls running and 0 waiting";
    assert_eq!(error.to_string(), said);
    let error = refused(pipeline.send(within(call("slow", "op"), SECOND)).await);
    assert_eq!((error.kind(), clock.now() - began), (ErrorKind::Timeout, 3 * SECOND));
    let said = "bulkhead: slow had no place before the deadline, with 1 calls running and 0 waiting";
    assert_eq!(error.to_string(), said);
    assert_eq!(callee.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_would_come_too_late_is_refused_at_once() {
    let callee = Callee::taking(SECOND);
    let pipeline = alone(bulkhead(config(2, 100)), &callee);
    // Four of one second on two places teach how long it takes.
    assert!(join_all((0..4).map(|_| pipeline.send(call("engram", "op")))).await.iter().all(Result::is_ok));
    let mut six: Vec<_> = (0..6).map(|_| Box::pin(pipeline.send(call("engram", "op")))).collect();
    for one in &mut six {
        assert!(poll!(one).is_pending());
    }
    let late = pipeline.send(within(call("engram", "op"), 2 * SECOND)).now_or_never().expect("at once");
    let error = refused(late);
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Rejected, Some(2500 * MILLI)));
    let said = "bulkhead: engram has 2 calls running and 4 waiting; \
                the turn would come in 2.5s, after the deadline in 2.0s";
    assert_eq!(error.to_string(), said);
    let patient = pipeline.send(within(call("engram", "op"), 5 * SECOND));
    let (rest, patient) = tokio::join!(join_all(six), patient);
    assert!(rest.iter().all(Result::is_ok) && patient.is_ok());
    assert_eq!(callee.calls(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_bad_time_does_not_shed_for_ever() {
    let callee = Callee::taking(10 * MILLI);
    let pipeline = Arc::new(alone(bulkhead(config(1, 100)), &callee));
    // Somebody held the only place for a minute while another waited.
    let slow = within(call("slow", "hangs"), SECOND);
    let mut holding = Box::pin(pipeline.send(slow));
    assert!(poll!(&mut holding).is_pending());
    let mut waiting = Box::pin(pipeline.send(call("slow", "hangs")));
    assert!(poll!(&mut waiting).is_pending());
    SharedClock::default().sleep(60 * SECOND).await;
    drop(holding);
    assert!(poll!(&mut waiting).is_pending());
    // Pairs of calls, the second of which has half a second: refused at first, until enough of them were quick.
    drop(waiting);
    let mut lost = 0;
    loop {
        let mut quick = Box::pin(async {
            let one = pipeline.send(call("slow", "hangs"));
            tokio::select! { _ = one => {} () = SharedClock::default().sleep(MILLI) => {} }
        });
        assert!(poll!(&mut quick).is_pending());
        let mut second = Box::pin(pipeline.send(within(call("slow", "op"), SECOND / 2)));
        let at_once = poll!(&mut second).is_ready();
        quick.await;
        if !at_once {
            break;
        }
        lost += 1;
        assert!(lost < 100, "it sheds for ever");
    }
    assert!(lost > 5, "{lost}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_component_takes_no_place_of_another_and_a_policy_none_of_another() {
    let callee = Callee::taking(MILLI);
    let pipeline = alone(bulkhead(config(2, 0)), &callee);
    let mut hanging: Vec<_> = (0..2).map(|_| Box::pin(pipeline.send(call("slow", "hangs")))).collect();
    for one in &mut hanging {
        assert!(poll!(one).is_pending());
    }
    refused(pipeline.send(call("slow", "op")).await);
    pipeline.send(call("engram", "op")).await.unwrap();
    let other = rules("other", |rules| rules.bulkhead = Some(config(1, 0)));
    let mut own = Box::pin(pipeline.send(under(call("slow", "op"), &other)));
    assert!(poll!(&mut own).is_pending(), "it has places of its own");
    refused(pipeline.send(under(call("slow", "op"), &other)).await);
    let off = rules("off", |_| {});
    let mut free: Vec<_> = (0..100).map(|_| Box::pin(pipeline.send(under(call("slow", "op"), &off)))).collect();
    for one in &mut free {
        assert!(poll!(one).is_pending());
    }
    assert_eq!(callee.running("slow"), 103);
}

#[tokio::test(start_paused = true)]
async fn more_places_wake_waiters_and_fewer_let_those_that_run_go_on() {
    let callee = Callee::taking(SECOND);
    let bulkhead = Arc::new(Bulkhead::new(None, SharedClock::default()));
    let pipeline = Pipeline::new(vec![Arc::clone(&bulkhead) as _], Arc::new(callee.clone()), SharedClock::default());
    let of = |places| rules("engrams", |rules| rules.bulkhead = Some(config(places, 100).with_shed(false)));
    let (small, large) = (of(2), of(6));
    let mut calls = Vec::new();
    let come = |calls: &mut Vec<_>, operation: String, rules| {
        calls.push(Box::pin(pipeline.send(under(call("engram", &operation), rules))));
    };
    // Twice, so that those who are called by the last one have begun.
    let poll_all = async |calls: &mut Vec<_>| {
        for _ in 0..2 {
            for one in calls.iter_mut() {
                assert!(poll!(one).is_pending());
            }
        }
    };
    numbered(10).for_each(|operation| come(&mut calls, operation, &small));
    poll_all(&mut calls).await;
    assert_eq!((there(&*bulkhead), callee.running("engram")), ((2, 8), 2));
    // The first that comes under the new rules tells of them, and goes to the end of the line.
    come(&mut calls, "op-99998".to_owned(), &large);
    poll_all(&mut calls).await;
    assert_eq!((there(&*bulkhead), callee.running("engram")), ((6, 5), 6));
    let tiny = of(1);
    come(&mut calls, "op-99999".to_owned(), &tiny);
    poll_all(&mut calls).await;
    assert_eq!((there(&*bulkhead), callee.running("engram")), ((6, 6), 6), "nobody is thrown out");
    let clock = SharedClock::default();
    let began = clock.now();
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(clock.now() - began, 7 * SECOND, "six at once, then one by one");
    assert!(callee.began().is_sorted());
    assert_eq!(there(&*bulkhead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_its_place_until_it_ends_or_is_dropped() {
    let callee = Callee::taking(MILLI);
    let bulkhead = Arc::new(bulkhead(config(1, 0)));
    let pipeline = Pipeline::new(vec![Arc::clone(&bulkhead) as _], Arc::new(callee.clone()), SharedClock::default());
    let streamed = || {
        let mut request = call("engram", "stream");
        request.call.collect = None;
        pipeline.send(request)
    };
    let mut body = streamed().await.unwrap().into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "1");
    refused(pipeline.send(call("engram", "op")).await);
    while body.next().await.is_some() {}
    assert_eq!(there(&*bulkhead), (0, 0), "it is read to its end");
    drop(streamed().await.unwrap());
    assert_eq!(there(&*bulkhead), (0, 0));
    // A body that is whole holds nothing, however long it is kept.
    let mut request = call("engram", "op");
    request.call.collect = None;
    let whole = pipeline.send(request).await.unwrap();
    assert_eq!(there(&*bulkhead), (0, 0));
    drop(whole);
}

#[tokio::test(start_paused = true)]
async fn settings_of_zero_mean_one_place_and_no_line() {
    let callee = Callee::taking(MILLI);
    let pipeline = alone(bulkhead(config(0, 0)), &callee);
    let (first, second) = tokio::join!(pipeline.send(call("engram", "op")), pipeline.send(call("engram", "op")));
    assert!(first.is_ok());
    refused(second);
    assert_eq!(callee.most(), 1);
    let waits = bulkhead(config(1, 1).with_max_wait(Duration::ZERO));
    let pipeline = alone(waits, &callee);
    let (first, second) = tokio::join!(pipeline.send(call("engram", "op")), pipeline.send(call("engram", "op")));
    assert!(first.is_ok());
    assert_eq!(refused(second).kind(), ErrorKind::Rejected);
}
