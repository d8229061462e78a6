//! How often a component is called: by the settings, and by what it answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, future::join_all, poll};
use tekton_sdk::{
    Error, ErrorKind, Result, Sent, Verdict,
    policy::{Pipeline, Policy, RateConfig, RateLimit},
    telemetry::{Introspect, Observers},
    testing::EventLog,
    time::SharedClock,
    transport::Response,
};

use super::{Callee, MILLI, SECOND, alone, call, numbered, rules, under, within};

fn config(per_second: u32, burst: u32) -> RateConfig {
    RateConfig::default().with_per_second(per_second).with_burst(burst)
}

fn limit(config: RateConfig) -> RateLimit {
    RateLimit::new(Some(config), SharedClock::default())
}

/// A pipeline of this one stage, and the stage, to look at.
fn seen(config: RateConfig, callee: &Callee) -> (Pipeline, Arc<RateLimit>) {
    let rate = Arc::new(limit(config));
    let stage = Arc::clone(&rate) as Arc<dyn Policy>;
    (Pipeline::new(vec![stage], Arc::new(callee.clone()), SharedClock::default()), rate)
}

fn refused(outcome: Result<Response>) -> Error {
    let error = outcome.expect_err("it is refused");
    assert_eq!((error.sent(), error.verdict()), (Sent::No, Some(Verdict::Ignored)), "{error}");
    assert!(error.to_string().starts_with("rate: "), "{error}");
    error
}

fn allowed(rate: &impl Introspect) -> f64 {
    rate.introspect()["shown"][0]["allowed"].as_f64().unwrap()
}

async fn sleep(span: Duration) {
    SharedClock::default().sleep(span).await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_goes_and_the_next_one_is_told_when_it_may() {
    let (callee, log) = (Callee::taking(Duration::ZERO), EventLog::default());
    let observers = Observers::new(vec![Arc::new(log.clone())]);
    let pipeline = alone(limit(config(50, 10)).with_observers(observers), &callee);
    assert!(join_all((0..10).map(|_| pipeline.send(call("engram", "op")))).await.iter().all(Result::is_ok));
    let error = refused(pipeline.send(call("engram", "op")).await);
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Rejected, Some(20 * MILLI)));
    assert_eq!(error.to_string(), "rate: engram is called 50 times a second at most; the next call may go in 20ms");
    let told = log.named("policy_refused");
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].field("policy"), told[0].field("reason")), (Some("rate"), Some("rate")));
    pipeline.send(call("other", "op")).await.unwrap();
    sleep(20 * MILLI).await;
    pipeline.send(call("engram", "op")).await.unwrap();
    refused(pipeline.send(call("engram", "op")).await);
    sleep(SECOND).await;
    for _ in 0..10 {
        pipeline.send(call("engram", "op")).await.unwrap();
    }
    refused(pipeline.send(call("engram", "op")).await);
}

#[tokio::test(start_paused = true)]
async fn those_that_may_wait_go_one_by_one_in_order() {
    let callee = Callee::taking(Duration::ZERO);
    let pipeline = alone(limit(config(10, 1).with_max_wait(3 * SECOND)), &callee);
    let clock = SharedClock::default();
    let began = clock.now();
    let went = Mutex::new(Vec::new());
    let calls = numbered(50).map(|operation| {
        let (pipeline, clock, went) = (&pipeline, &clock, &went);
        async move {
            pipeline.send(call("engram", &operation)).await?;
            went.lock().unwrap().push((clock.now() - began).as_millis());
            Ok::<_, Error>(())
        }
    });
    let outcomes = join_all(calls).await;
    let turned_away: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert_eq!((callee.calls(), turned_away.len()), (31, 19));
    assert_eq!(turned_away[0].retry_after(), Some(3100 * MILLI));
    assert_eq!(callee.began(), numbered(31).collect::<Vec<_>>());
    for (n, at) in went.lock().unwrap().iter().enumerate() {
        let due = n as u128 * 100;
        // The runtime's timer counts in whole milliseconds.
        assert!((due..due + 5).contains(at), "the call {n} went at {at} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_after_the_deadline_is_refused_at_once_and_uses_none_up() {
    let callee = Callee::taking(Duration::ZERO);
    let pipeline = alone(limit(config(1, 1).with_max_wait(60 * SECOND)), &callee);
    pipeline.send(call("engram", "op")).await.unwrap();
    for _ in 0..100 {
        let late = pipeline.send(within(call("engram", "op"), SECOND / 2)).now_or_never().expect("at once");
        assert_eq!(refused(late).kind(), ErrorKind::Rejected);
    }
    let clock = SharedClock::default();
    let began = clock.now();
    pipeline.send(within(call("engram", "op"), 2 * SECOND)).await.unwrap();
    assert!(clock.now() - began < 1010 * MILLI);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_ten_thousand_wait() {
    let callee = Callee::taking(Duration::ZERO);
    let pipeline = alone(limit(config(1000, 1).with_max_wait(3600 * SECOND)), &callee);
    let mut calls: Vec<_> = (0..10_001).map(|_| Box::pin(pipeline.send(call("engram", "op")))).collect();
    assert!(poll!(&mut calls[0]).is_ready());
    for one in &mut calls[1..] {
        assert!(poll!(one).is_pending());
    }
    let error = refused(pipeline.send(call("engram", "op")).await);
    assert_eq!(error.to_string(), "rate: engram has 10000 calls waiting for their turn, which is the most");
}

#[tokio::test(start_paused = true)]
async fn a_component_that_answers_429_or_503_is_called_less_often_and_then_as_often_as_before() {
    for status in [429, 503] {
        let callee = Callee::saying(MILLI, move |nth| (if nth <= 100 { status } else { 200 }, None));
        let (pipeline, rate) = seen(config(100, 100), &callee);
        // A hundred at once, all turned away: they were under way at once, and count as one.
        let answers = join_all((0..100).map(|_| pipeline.send(call("engram", "op")))).await;
        assert!(answers.iter().all(Result::is_err));
        assert!((allowed(&*rate) - 70.0).abs() < 0.1, "{}", allowed(&*rate));
        let error = refused(pipeline.send(call("engram", "op")).await);
        let said =
            "rate: engram refused calls and is called 70.0 times a second for a while; the next call may go in 14ms";
        assert_eq!(error.to_string(), said);
        let mut before = 70.0;
        for _ in 0..10 {
            sleep(SECOND).await;
            pipeline.send(call("engram", "op")).await.unwrap();
            assert!(allowed(&*rate) >= before, "it comes back");
            before = allowed(&*rate);
        }
        assert_eq!(before, 100.0);
        sleep(SECOND).await;
        assert!(join_all((0..100).map(|_| pipeline.send(call("engram", "op")))).await.iter().all(Result::is_ok));
    }
}

#[tokio::test(start_paused = true)]
async fn a_component_that_asks_for_rest_gets_it() {
    let callee = Callee::saying(Duration::ZERO, |nth| if nth == 1 { (503, Some(5)) } else { (200, None) });
    let (pipeline, rate) = seen(config(100, 100), &callee);
    pipeline.send(call("engram", "op")).await.unwrap_err();
    assert_eq!(allowed(&*rate), 0.0);
    for _ in 0..4 {
        sleep(SECOND).await;
        let error = refused(pipeline.send(call("engram", "op")).await);
        assert!(
            error.to_string().starts_with("rate: engram asked to be left alone; the next call may go in "),
            "{error}"
        );
    }
    assert_eq!(callee.calls(), 1);
    sleep(SECOND).await;
    pipeline.send(call("engram", "op")).await.unwrap();
    refused(pipeline.send(call("engram", "op")).await);
    assert!(allowed(&*rate) < 75.0, "it does not come back while nothing is sent: {}", allowed(&*rate));
}

#[tokio::test(start_paused = true)]
async fn those_that_may_wait_wait_for_the_rest_too() {
    let callee = Callee::saying(Duration::ZERO, |nth| if nth == 1 { (503, Some(5)) } else { (200, None) });
    let pipeline = alone(limit(config(10, 10).with_max_wait(6 * SECOND)), &callee);
    pipeline.send(call("engram", "op")).await.unwrap_err();
    let clock = SharedClock::default();
    let began = clock.now();
    let outcomes = join_all((0..20).map(|_| pipeline.send(call("engram", "op")))).await;
    let went = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!((7..=9).contains(&went), "one second at seven and a little more a second: {went}");
    assert!(clock.now() - began <= 6010 * MILLI);
}

/// A component that answers so many calls in each second, as a quota does, and 429 to the others.
fn with_quota(per_second: u32) -> Callee {
    let clock = SharedClock::default();
    let began = clock.now();
    let seconds = Mutex::new((0, 0));
    Callee::saying(20 * MILLI, move |_| {
        let second = (clock.now() - began).as_secs();
        let mut seconds = seconds.lock().unwrap();
        if seconds.0 != second {
            *seconds = (second, 0);
        }
        seconds.1 += 1;
        (if seconds.1 <= per_second { 200 } else { 429 }, None)
    })
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_nobody_told_us_is_found_and_mostly_kept() {
    let tally = async |adaptive| {
        let callee = with_quota(20);
        let (pipeline, _) = seen(config(200, 1).with_adaptive(adaptive), &callee);
        let pipeline = Arc::new(pipeline);
        let mut tasks = Vec::new();
        // 200 a second for a minute.
        for _ in 0..12_000 {
            let pipeline = Arc::clone(&pipeline);
            tasks.push(tokio::spawn(async move { pipeline.send(call("engram", "op")).await.is_ok() }));
            sleep(5 * MILLI).await;
        }
        let answered = join_all(tasks).await.into_iter().filter(|answered| *answered.as_ref().unwrap()).count();
        (answered, callee.calls() - answered)
    };
    let (answered, turned_away) = tally(false).await;
    assert!((1100..=1240).contains(&answered) && turned_away > 10_000, "{answered} and {turned_away}");
    let (answered, turned_away) = tally(true).await;
    assert!(answered > 600, "most of the quota is used: {answered} of 1200, {turned_away} turned away");
    assert!(turned_away < answered / 3, "{answered} and {turned_away}");
}

#[tokio::test(start_paused = true)]
async fn a_component_that_refuses_everything_is_still_asked_once_in_a_while() {
    let callee = Callee::saying(MILLI, |_| (503, None));
    let (pipeline, rate) = seen(config(1000, 10), &callee);
    let mut seconds = Vec::new();
    for _ in 0..60 {
        let before = callee.calls();
        for _ in 0..1000 {
            let _ = pipeline.send(call("engram", "op")).await;
            sleep(MILLI).await;
        }
        seconds.push(callee.calls() - before);
    }
    assert!(seconds[0] > 100, "{seconds:?}");
    let last: usize = seconds[30..].iter().sum();
    assert!((10..60).contains(&last), "about one in two seconds: {seconds:?}");
    assert!((0.5..2.0).contains(&allowed(&*rate)), "{}", allowed(&*rate));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_failure_or_not_to_be_adapted_to_changes_nothing() {
    let callee = Callee::saying(Duration::ZERO, |_| (429, Some(60)));
    let (pipeline, rate) = seen(config(100, 100).with_adaptive(false), &callee);
    for _ in 0..50 {
        pipeline.send(call("engram", "op")).await.unwrap_err();
    }
    assert_eq!(allowed(&*rate), 100.0);
    // A stage behind it that judges a 429 as a success.
    let rate = Arc::new(limit(config(100, 100)));
    let judges = Judges(Verdict::Success);
    let stages: Vec<Arc<dyn Policy>> = vec![Arc::clone(&rate) as _, Arc::new(judges)];
    let pipeline = Pipeline::new(stages, Arc::new(callee.clone()), SharedClock::default());
    pipeline.send(call("engram", "op")).await.unwrap_err();
    assert_eq!(allowed(&*rate), 100.0);
    for status in [200, 400, 404, 500, 502] {
        let callee = Callee::saying(Duration::ZERO, move |_| (status, Some(60)));
        let (pipeline, rate) = seen(config(100, 100), &callee);
        let _ = pipeline.send(call("engram", "op")).await;
        assert_eq!(allowed(&*rate), 100.0, "{status}");
    }
}

/// Judges every outcome alike.
#[derive(Debug)]
struct Judges(Verdict);

impl Policy for Judges {
    fn name(&self) -> &'static str {
        "judges"
    }

    fn handle<'a>(
        &'a self,
        request: tekton_sdk::transport::Request,
        next: tekton_sdk::policy::Next<'a>,
    ) -> tekton_sdk::time::BoxFuture<'a, Result<Response>> {
        let work = next.run(request);
        Box::pin(async move { work.await.map_err(|error| error.with_verdict(self.0)) })
    }
}

#[tokio::test(start_paused = true)]
async fn other_settings_keep_what_is_spent_and_what_is_cut() {
    let callee = Callee::saying(Duration::ZERO, |nth| if nth == 31 { (429, None) } else { (200, None) });
    let rate = Arc::new(RateLimit::new(None, SharedClock::default()));
    let pipeline = Pipeline::new(vec![Arc::clone(&rate) as _], Arc::new(callee), SharedClock::default());
    let of = |per_second, burst| rules("engrams", |rules| rules.rate = Some(config(per_second, burst)));
    let send = async |count: usize, rules: &_| {
        let outcomes = join_all((0..count).map(|_| pipeline.send(under(call("engram", "op"), rules)))).await;
        outcomes.into_iter().filter(Result::is_ok).count()
    };
    assert_eq!(send(20, &of(10, 30)).await, 20);
    assert_eq!(send(100, &of(1000, 40)).await, 10, "ten were left, under whatever settings");
    assert_eq!(send(100, &of(2, 5)).await, 0);
    sleep(10 * SECOND).await;
    assert_eq!(send(1, &of(2, 5)).await, 0, "that is the one that is turned away");
    assert!((allowed(&*rate) - 1.4).abs() < 0.01, "{}", allowed(&*rate));
    sleep(SECOND).await;
    assert_eq!(send(100, &of(100, 100)).await, 1, "the cut stays");
    assert!(allowed(&*rate) < 10.0, "{}", allowed(&*rate));
}

#[tokio::test(start_paused = true)]
async fn calls_without_rules_and_rules_without_a_rate_are_not_limited() {
    let callee = Callee::taking(Duration::ZERO);
    let pipeline = alone(limit(config(1, 1)), &callee);
    let off = rules("off", |_| {});
    for _ in 0..100 {
        pipeline.send(under(call("engram", "op"), &off)).await.unwrap();
    }
    pipeline.send(call("engram", "op")).await.unwrap();
    refused(pipeline.send(call("engram", "op")).await);
    let pipeline = alone(RateLimit::new(None, SharedClock::default()), &callee);
    for _ in 0..100 {
        pipeline.send(call("engram", "op")).await.unwrap();
    }
}
