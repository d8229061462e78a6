//! When to register, when to say "alive", when to stop: the keeper's decisions, without time or network of their own.

use std::time::{Duration, Instant};

use super::Standing;

/// What the keeper does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Register now.
    Register,
    /// Say "alive" now.
    Heartbeat,
    /// Nothing until this much time has passed.
    Wait(Duration),
    /// Nothing any more: a newer process has taken over.
    Rest,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Registered,
    RegisterFailed { retry_in: Duration },
    Beat(Standing),
    BeatFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent { due: Instant },
    Present { beat: Instant, renew: Instant },
    Replaced,
}

/// The keeper's state.
#[derive(Debug)]
pub(super) struct Machine {
    heartbeat: Duration,
    renewal: Duration,
    state: State,
}

impl Machine {
    /// Registers at once, says "alive" and registers anew in these intervals.
    pub(super) const fn new(now: Instant, heartbeat: Duration, renewal: Duration) -> Self {
        Self { heartbeat, renewal, state: State::Absent { due: now } }
    }

    /// What to do at this time.
    pub(super) fn step(&self, now: Instant) -> Step {
        let until = |due: Instant| Step::Wait(due.saturating_duration_since(now));
        match self.state {
            State::Absent { due } if now >= due => Step::Register,
            State::Absent { due } => until(due),
            State::Present { renew, .. } if now >= renew => Step::Register,
            State::Present { beat, .. } if now >= beat => Step::Heartbeat,
            State::Present { beat, renew } => until(beat.min(renew)),
            State::Replaced => Step::Rest,
        }
    }

    /// Takes in what came of the last step.
    pub(super) fn on(&mut self, now: Instant, outcome: Outcome) {
        let after = |wait: Duration| now.checked_add(wait).unwrap_or(now);
        self.state = match (self.state, outcome) {
            (State::Replaced, _) | (_, Outcome::Beat(Standing::Replaced)) => State::Replaced,
            (_, Outcome::Registered) => State::Present { beat: after(self.heartbeat), renew: after(self.renewal) },
            // A renewal that fails leaves the old lease in force; it is tried again like a first registration.
            (_, Outcome::RegisterFailed { retry_in }) => State::Absent { due: after(retry_in) },
            (_, Outcome::Beat(Standing::Forgotten)) => State::Absent { due: now },
            (State::Present { renew, .. }, Outcome::Beat(Standing::Listed) | Outcome::BeatFailed) => {
                State::Present { beat: after(self.heartbeat), renew }
            }
            (absent @ State::Absent { .. }, Outcome::Beat(Standing::Listed) | Outcome::BeatFailed) => absent,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{Clock, ManualClock};

    const BEAT: Duration = Duration::from_secs(30);
    const RENEW: Duration = Duration::from_secs(2700);

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(Outcome::Registered),
            (0_u64..60).prop_map(|s| Outcome::RegisterFailed { retry_in: Duration::from_secs(s) }),
            Just(Outcome::Beat(Standing::Listed)),
            Just(Outcome::Beat(Standing::Forgotten)),
            Just(Outcome::Beat(Standing::Replaced)),
            Just(Outcome::BeatFailed),
        ]
    }

    proptest! {
        /// Whatever comes: a replaced component rests for ever, a registered one is never longer than the renewal
        /// interval without registering, and no wait is longer than what the state allows.
        #[test]
        fn the_keeper_never_fights_and_never_sleeps_too_long(outcomes in prop::collection::vec(outcome(), 1..200)) {
            let clock = ManualClock::new();
            let mut machine = Machine::new(clock.now(), BEAT, RENEW);
            let mut replaced = false;
            let mut registered_at = None;
            for outcome in outcomes {
                match machine.step(clock.now()) {
                    Step::Rest => prop_assert!(replaced),
                    Step::Wait(wait) => {
                        prop_assert!(!replaced && wait > Duration::ZERO && wait <= Duration::from_secs(60).max(BEAT));
                        clock.advance(wait);
                        prop_assert!(!matches!(machine.step(clock.now()), Step::Wait(_)));
                    }
                    Step::Heartbeat => {
                        let at = registered_at.expect("only the registered say alive");
                        prop_assert!(clock.now() - at < RENEW);
                    }
                    Step::Register => prop_assert!(!replaced),
                }
                let was_register = machine.step(clock.now()) == Step::Register;
                let fits = matches!(outcome, Outcome::Registered | Outcome::RegisterFailed { .. }) == was_register;
                if replaced || !fits {
                    continue;
                }
                replaced |= outcome == Outcome::Beat(Standing::Replaced);
                if outcome == Outcome::Registered {
                    registered_at = Some(clock.now());
                }
                machine.on(clock.now(), outcome);
            }
        }
    }

    #[test]
    fn it_renews_well_before_the_token_ends() {
        let clock = ManualClock::new();
        let mut machine = Machine::new(clock.now(), BEAT, RENEW);
        assert_eq!(machine.step(clock.now()), Step::Register);
        machine.on(clock.now(), Outcome::Registered);
        let mut beats = 0;
        loop {
            match machine.step(clock.now()) {
                Step::Wait(wait) => clock.advance(wait),
                Step::Heartbeat => {
                    beats += 1;
                    machine.on(clock.now(), Outcome::Beat(Standing::Listed));
                }
                Step::Register => break,
                Step::Rest => unreachable!("nobody replaced it"),
            }
        }
        assert_eq!(beats, 2700 / 30 - 1);
    }
}
