use proptest::prelude::*;

use super::*;
use crate::time::{Clock, ManualClock};

const OPEN: Head = Head { status: 200, is_events: true, leads: None, retry_after: None };

const fn status(status: u16) -> Input<'static> {
    Input::Head(Head { status, is_events: false, leads: None, retry_after: None })
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A machine without jitter, with the clock that it goes by.
struct Life {
    machine: Machine,
    clock: ManualClock,
    random: Random,
}

impl Life {
    fn new(change: impl FnOnce(&mut Rules)) -> Self {
        let reconnect = ReconnectConfig::default().with_jitter(0.0).with_max_attempts(3);
        let mut rules = Rules { reconnect, idle: Duration::from_secs(45), again: true, tokens: true };
        change(&mut rules);
        let clock = ManualClock::new();
        Self { machine: Machine::new(rules, String::new(), clock.now()), clock, random: Random::seeded(1) }
    }

    fn on(&mut self, input: Input<'_>) -> Effect {
        self.machine.on(self.clock.now(), input, &self.random)
    }

    /// Connects, and gets this.
    fn connect(&mut self, then: Input<'_>) -> Effect {
        assert_eq!(self.on(Input::Due { allowed: true }), Effect::Connect);
        self.on(then)
    }

    fn open(&mut self) {
        assert_eq!(self.connect(Input::Head(OPEN)), Effect::Read);
    }
}

#[test]
fn what_brings_nothing_is_tried_so_often_and_no_more() {
    let mut life = Life::new(|_| {});
    life.open();
    assert_eq!(life.on(Input::Ended { id: "" }), Effect::Wait(millis(1000)));
    life.open();
    assert_eq!(life.on(Input::Broken { id: "" }), Effect::Wait(millis(2000)));
    life.open();
    assert_eq!(life.on(Input::Ended { id: "" }), Effect::Fail(Failure::Last));
    assert_eq!((life.on(Input::Due { allowed: true }), life.machine.attempts()), (Effect::Nothing, 3));
}

#[test]
fn only_progress_begins_the_attempts_anew() {
    let mut life = Life::new(|_| {});
    for _ in 0..20 {
        life.open();
        life.on(Input::Event { id: "" });
        assert!(!life.machine.is_paid());
        assert_eq!(life.on(Input::Ended { id: "" }), Effect::Wait(millis(1000)), "without ids every event is progress");
    }
    for id in ["a", "b", "c", "b"] {
        life.open();
        life.on(Input::Event { id });
        assert_eq!(life.on(Input::Ended { id }), Effect::Wait(millis(1000)), "a new id is progress");
    }
    for wait in [1000, 2000] {
        life.open();
        life.on(Input::Event { id: "b" });
        assert_eq!(life.on(Input::Ended { id: "b" }), Effect::Wait(millis(wait)), "an event under an old id is none");
        assert_eq!((life.machine.last_event_id(), life.machine.is_paid()), ("b", true));
    }
    life.open();
    life.on(Input::Event { id: "b" });
    assert_eq!(life.on(Input::Ended { id: "b" }), Effect::Fail(Failure::Last));
}

#[test]
fn the_id_outlives_connections_that_bring_none_and_an_empty_one_clears_it() {
    let mut life = Life::new(|_| {});
    life.open();
    life.on(Input::Broken { id: "9" });
    assert_eq!(life.machine.last_event_id(), "9", "a block without data has an id too");
    life.connect(status(503));
    life.connect(Input::Failed { hint: RetryHint::Always, unsent: true });
    assert_eq!(life.machine.last_event_id(), "9");
    let mut life = Life::new(|_| {});
    life.open();
    life.on(Input::Event { id: "9" });
    life.on(Input::Event { id: "" });
    assert_eq!(life.machine.last_event_id(), "");
}

#[test]
fn a_status_leads_on_or_ends_it() {
    for (code, effect) in [
        (204, Effect::End(Ended::NoContent)),
        (200, Effect::Fail(Failure::ContentType)),
        (401, Effect::Refresh),
        (408, Effect::Wait(millis(1000))),
        (429, Effect::Wait(millis(1000))),
        (500, Effect::Wait(millis(1000))),
        (503, Effect::Wait(millis(1000))),
        (599, Effect::Wait(millis(1000))),
    ] {
        assert_eq!(Life::new(|_| {}).connect(status(code)), effect, "{code}");
    }
    for code in [201, 206, 210, 299, 300, 304, 400, 402, 403, 404, 409, 410, 425, 451, 499] {
        assert_eq!(Life::new(|_| {}).connect(status(code)), Effect::Fail(Failure::Last), "{code}");
    }
    for code in [408, 429, 500, 503] {
        let mut once = Life::new(|rules| rules.again = false);
        assert_eq!(once.connect(status(code)), Effect::Fail(Failure::Last), "it may have been carried out: {code}");
    }
    for (asked, waited) in [(7000, 7000), (1, 1000)] {
        let head = Head { status: 503, retry_after: Some(millis(asked)), ..OPEN };
        assert_eq!(Life::new(|_| {}).connect(Input::Head(head)), Effect::Wait(millis(waited)));
    }
    for (leads, effect) in
        [(Ok(()), Effect::Follow), (Err("leads astray"), Effect::Fail(Failure::Redirect("leads astray")))]
    {
        let head = Head { status: 302, is_events: false, leads: Some(leads), retry_after: None };
        assert_eq!(Life::new(|_| {}).connect(Input::Head(head)), effect);
    }
}

#[test]
fn a_token_is_refreshed_once_for_each_time_that_it_was_good() {
    let mut life = Life::new(|_| {});
    assert_eq!(life.connect(status(401)), Effect::Refresh);
    assert_eq!(life.on(Input::Head(OPEN)), Effect::Read);
    life.on(Input::Ended { id: "" });
    assert_eq!(life.connect(status(401)), Effect::Refresh);
    assert_eq!(life.on(status(401)), Effect::Fail(Failure::Last));
    assert_eq!(Life::new(|rules| rules.tokens = false).connect(status(401)), Effect::Fail(Failure::Last));
}

#[test]
fn what_must_not_be_sent_again_is_so_only_where_it_was_not_sent() {
    let once = || Life::new(|rules| rules.again = false);
    let failed = |hint, unsent| once().connect(Input::Failed { hint, unsent });
    assert_eq!(failed(RetryHint::Always, true), Effect::Wait(millis(1000)));
    assert_eq!(failed(RetryHint::IfIdempotent, false), Effect::Fail(Failure::Last));
    assert_eq!(failed(RetryHint::Never, true), Effect::Fail(Failure::Last));
    assert_eq!(failed(RetryHint::After(millis(4000)), true), Effect::Wait(millis(4000)));
    let lost = |again: Option<bool>, input| {
        let mut life = once();
        life.open();
        again.into_iter().for_each(|again| life.machine.allow_again(again));
        life.on(input)
    };
    assert_eq!(lost(None, Input::Ended { id: "" }), Effect::End(Ended::Body));
    assert_eq!(lost(None, Input::Broken { id: "" }), Effect::Fail(Failure::Last));
    assert_eq!(lost(Some(true), Input::Broken { id: "" }), Effect::Wait(millis(1000)));
}

#[test]
fn the_server_sets_the_wait_within_bounds_until_it_sets_another() {
    let mut life = Life::new(|_| {});
    for (asked, wait) in [(250, 250), (0, 100), (99, 100), (3_600_000, 300_000), (u64::MAX, 300_000), (40_000, 40_000)]
    {
        life.open();
        life.on(Input::Retry(millis(asked)));
        life.on(Input::Event { id: "" });
        assert_eq!(life.on(Input::Ended { id: "" }), Effect::Wait(millis(wait)), "{asked}");
        life.open();
        assert_eq!(life.on(Input::Ended { id: "" }), Effect::Wait(millis(wait)), "the next connection says nothing");
        life.on(Input::Restart);
    }
}

#[test]
fn waits_double_up_to_the_longest_and_jitter_is_added_only() {
    let mut life = Life::new(|rules| rules.reconnect = ReconnectConfig::default().with_max_attempts(100));
    let mut longest = Duration::ZERO;
    for bound in [1, 2, 4, 8, 16].into_iter().chain([30; 50]).map(Duration::from_secs) {
        let Effect::Wait(wait) = life.connect(status(503)) else { panic!("it gave up") };
        assert!(bound <= wait && wait <= bound.mul_f64(1.5), "{wait:?} for {bound:?}");
        longest = longest.max(wait);
    }
    assert!(longest > Duration::from_secs(40), "the jitter is spread over its range");
}

#[test]
fn a_connection_that_the_budget_refuses_is_an_attempt() {
    let mut life = Life::new(|_| {});
    life.open();
    life.on(Input::Ended { id: "" });
    assert!(life.machine.is_paid());
    assert_eq!(life.on(Input::Due { allowed: false }), Effect::Wait(millis(2000)));
    assert_eq!(life.on(Input::Due { allowed: false }), Effect::Fail(Failure::Last));
}

#[test]
fn silence_ends_a_connection_and_any_byte_is_life() {
    let mut life = Life::new(|_| {});
    life.open();
    for _ in 0..10 {
        life.clock.advance(Duration::from_secs(44));
        assert_eq!(life.on(Input::Tick), Effect::Nothing);
        assert_eq!(life.machine.idle_left(life.clock.now()), Duration::from_secs(1));
        life.on(Input::Bytes);
    }
    life.clock.advance(Duration::from_secs(45));
    assert_eq!(life.on(Input::Tick), Effect::Wait(millis(1000)));
}

#[test]
fn its_owner_closes_or_restarts_it_whatever_it_does() {
    type Step = fn(&mut Life);
    let steps: [Step; 3] =
        [|_| {}, |life| assert_eq!(life.on(Input::Due { allowed: true }), Effect::Connect), Life::open];
    for step in steps {
        let mut life = Life::new(|_| {});
        step(&mut life);
        assert_eq!(life.on(Input::Restart), Effect::Wait(Duration::ZERO));
        life.open();
        assert_eq!(life.on(Input::Close), Effect::End(Ended::Closed));
        for input in [Input::Restart, Input::Due { allowed: true }, Input::Event { id: "x" }, Input::Close] {
            assert_eq!(life.on(input), Effect::Nothing);
        }
    }
}

proptest! {
    #[test]
    fn it_stops_whatever_a_server_does(
        steps in proptest::collection::vec((0..16_u8, 0..4_usize, 0..100_000_u64), 1..300),
        max_attempts in 1..6_u32,
        again in any::<bool>(),
        delay in 0..5_000_u64,
    ) {
        let (ids, codes) = (["", "a", "b", "c"], [204, 301, 401, 503]);
        let mut life = Life::new(|rules| {
            rules.reconnect = ReconnectConfig::default().with_max_attempts(max_attempts).with_delay(millis(delay));
            rules.again = again;
        });
        // What is seen of it from outside: how often it may connect, what it resumes after, whether it is over.
        let (mut connections, mut allowed, mut seen, mut open, mut over) = (0, max_attempts, "", false, false);
        for (step, which, time) in steps {
            let id = ids[which];
            let input = match step {
                0 => Input::Due { allowed: false },
                1..=4 => Input::Due { allowed: true },
                5 => Input::Failed { hint: RetryHint::IfIdempotent, unsent: which == 0 },
                6 => Input::Head(Head { status: codes[which], is_events: true, leads: Some(Ok(())), retry_after: None }),
                7..=9 => Input::Head(OPEN),
                10 => Input::Event { id },
                11 => Input::Retry(millis(time)),
                12 => Input::Tick,
                13 => Input::Ended { id },
                14 => Input::Broken { id },
                _ if which == 0 => Input::Restart,
                _ => Input::Bytes,
            };
            life.clock.advance(millis(time));
            let effect = life.on(input);
            prop_assert!(!over || effect == Effect::Nothing, "after its end: {effect:?}");
            match input {
                Input::Restart => allowed += max_attempts,
                Input::Event { id } | Input::Ended { id } | Input::Broken { id } if open => {
                    if id != seen || (id.is_empty() && matches!(input, Input::Event { .. })) {
                        allowed += max_attempts;
                    }
                    seen = id;
                }
                _ => {}
            }
            match effect {
                Effect::Connect => connections += 1,
                Effect::Read => open = true,
                Effect::Wait(wait) => {
                    open = false;
                    prop_assert!(wait <= Duration::from_secs(450), "{wait:?}");
                }
                Effect::Fail(_) | Effect::End(_) => (open, over) = (false, true),
                Effect::Nothing | Effect::Refresh | Effect::Follow => {}
            }
            prop_assert!(connections <= allowed, "{connections} connections, and {allowed} are allowed");
            prop_assert_eq!(life.machine.last_event_id(), seen);
        }
    }

    #[test]
    fn one_that_never_gets_anything_ends_after_exactly_its_attempts(max_attempts in 1..50_u32, kinds in any::<u64>()) {
        let mut life = Life::new(|rules| rules.reconnect.max_attempts = max_attempts);
        for attempt in 1..=max_attempts {
            let effect = match kinds >> (attempt % 32 * 2) & 3 {
                0 => life.connect(status(503)),
                1 => life.connect(Input::Failed { hint: RetryHint::IfIdempotent, unsent: false }),
                kind => {
                    life.open();
                    life.on(if kind == 2 { Input::Ended { id: "" } } else { Input::Broken { id: "" } })
                }
            };
            let last = attempt == max_attempts;
            prop_assert_eq!(matches!(effect, Effect::Fail(Failure::Last)), last);
            prop_assert_eq!(matches!(effect, Effect::Wait(_)), !last);
        }
    }
}
