//! What is not on the way of every call: when to open, how long to wait, whom to let probe, when to close.
//!
//! ```text
//!            a rule holds                  the wait is over, somebody asks
//!  closed ───────────────────► open ──────────────────────────────► half-open
//!    ▲                          ▲                                       │ │
//!    │                          └──── the probes fail, or take too long ┘ │
//!    └──────────────────────────────────────── enough probes go well ─────┘
//! ```

use std::time::{Duration, Instant};

use super::{
    atomic::{Counts, Mode, Rules, Tripped},
    config::BreakerConfig,
    transition::Reason,
};

/// What the machine is told. Results carry the epoch of the permit that they end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input {
    /// A call asks to be let through.
    Ask,
    /// The window of this epoch makes a rule hold; `told` is how long the callee asked to be left alone.
    Trip { epoch: u32, rule: Tripped, told: Option<Duration> },
    /// A probe ended.
    Probed { epoch: u32, failed: bool, slow: bool, told: Option<Duration> },
    /// A probe was given up, or its outcome says nothing: its permit comes back.
    Returned { epoch: u32 },
    /// By hand.
    Command(Mode),
}

/// What comes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Effect {
    /// Whether the call that asked is let through.
    pub(super) granted: bool,
    /// The state that was entered.
    pub(super) entered: Option<Entered>,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entered {
    pub(super) from: Mode,
    pub(super) to: Mode,
    pub(super) why: Reason,
    /// Whether the machine is in another epoch now; a breaker that only measures says when it would have opened, and stays.
    pub(super) moved: bool,
    /// Until when an open breaker refuses; a call is let through after that moment, not at it.
    pub(super) until: Option<Instant>,
}

/// The state of one breaker.
#[derive(Debug)]
pub(super) struct Machine {
    mode: Mode,
    epoch: u32,
    since: Instant,
    until: Instant,
    /// How often it opened since it was closed last.
    opened: u32,
    /// Whether a breaker that only measures has said that it would have opened.
    said: bool,
    probes: Probes,
}

/// One half-open cycle.
#[derive(Clone, Copy, Debug, Default)]
struct Probes {
    left: u32,
    counts: Counts,
}

/// What decides how the machine behaves, and is passed in with each input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) config: &'a BreakerConfig,
    /// Drawn evenly from 0 to 1 for this input.
    pub(super) chance: f64,
}

impl Machine {
    pub(super) fn new(now: Instant) -> Self {
        Self { mode: Mode::Closed, epoch: 1, since: now, until: now, opened: 0, said: false, probes: Probes::default() }
    }

    /// The state and its epoch.
    pub(super) fn state(&self) -> (Mode, u32) {
        (self.mode, self.epoch)
    }

    /// What the probes of this half-open cycle showed.
    pub(super) fn probed(&self) -> Counts {
        self.probes.counts
    }

    /// Takes one input. What belongs to another epoch changes nothing.
    pub(super) fn on(&mut self, now: Instant, terms: Terms<'_>, input: Input) -> Effect {
        match input {
            Input::Ask => self.ask(now, terms),
            Input::Trip { epoch, rule, told } if self.is(Mode::Closed, epoch) => {
                self.open(now, terms, rule.into(), told)
            }
            Input::Trip { epoch, rule, .. } if self.is(Mode::MetricsOnly, epoch) && !self.said => {
                self.said = true;
                let stays = Mode::MetricsOnly;
                let entered = Entered { from: stays, to: stays, why: rule.into(), until: None, moved: false };
                Effect { granted: false, entered: Some(entered) }
            }
            Input::Probed { epoch, failed, slow, told } if self.is(Mode::HalfOpen, epoch) => {
                self.probes.counts.calls += 1;
                self.probes.counts.failed += u64::from(failed);
                self.probes.counts.slow += u64::from(slow);
                self.judge(now, terms, told)
            }
            Input::Returned { epoch } if self.is(Mode::HalfOpen, epoch) => {
                self.probes.left += 1;
                Effect::default()
            }
            Input::Command(Mode::Open) => self.open(now, terms, Reason::ByHand, None),
            Input::Command(mode) => self.enter(now, terms, mode, Reason::ByHand),
            Input::Trip { .. } | Input::Probed { .. } | Input::Returned { .. } => Effect::default(),
        }
    }

    fn is(&self, mode: Mode, epoch: u32) -> bool {
        self.mode == mode && self.epoch == epoch
    }

    fn ask(&mut self, now: Instant, terms: Terms<'_>) -> Effect {
        let mut effect = Effect::default();
        match self.mode {
            Mode::Closed | Mode::Disabled | Mode::MetricsOnly => return Effect { granted: true, entered: None },
            Mode::ForcedOpen => return effect,
            Mode::Open if now <= self.until => return effect,
            Mode::Open => effect = self.enter(now, terms, Mode::HalfOpen, Reason::WaitOver),
            // What the probes of long ago showed says nothing of today.
            Mode::HalfOpen if self.probes.left > 0 && self.is_half_open_too_long(now, terms) => {
                effect = self.enter(now, terms, Mode::HalfOpen, Reason::ProbesStale);
            }
            Mode::HalfOpen => {}
        }
        effect.granted = self.probes.left > 0;
        if effect.granted {
            self.probes.left -= 1;
        } else if self.is_half_open_too_long(now, terms) {
            // Probes that never end must not keep everybody out for ever.
            return self.open(now, terms, Reason::ProbesHung, None);
        }
        effect
    }

    fn is_half_open_too_long(&self, now: Instant, terms: Terms<'_>) -> bool {
        now.saturating_duration_since(self.since) > terms.config.max_half_open
    }

    /// Closes or opens once enough probes have ended.
    fn judge(&mut self, now: Instant, terms: Terms<'_>, told: Option<Duration>) -> Effect {
        let config = terms.config;
        let Counts { calls, failed, slow } = self.probes.counts;
        // Without a rate to compare with, one failure is enough.
        if config.failure_rate.is_none() && failed > 0 {
            return self.open(now, terms, Reason::ProbesFailed, told);
        }
        if calls < u64::from(config.probes_needed()) {
            return Effect::default();
        }
        let rules = Rules {
            min_calls: 0,
            failure_rate: config.failure_rate,
            slow_rate: config.slow_call.map(|_| config.slow_rate),
            in_a_row: None,
            all: false,
        };
        match rules.judge(Counts { calls, failed, slow }, 0) {
            Some(Tripped::SlowRate) => self.open(now, terms, Reason::ProbesSlow, told),
            Some(_) => self.open(now, terms, Reason::ProbesFailed, told),
            None => self.enter(now, terms, Mode::Closed, Reason::ProbesSucceeded),
        }
    }

    fn open(&mut self, now: Instant, terms: Terms<'_>, why: Reason, told: Option<Duration>) -> Effect {
        let wait = wait(terms, self.opened).max(told.unwrap_or_default().min(terms.config.max_retry_after));
        let opened = self.opened.saturating_add(1);
        let mut effect = self.enter(now, terms, Mode::Open, why);
        self.opened = opened;
        // What lies beyond the clock's reach is as good as for ever; an hour is asked again.
        self.until = now.checked_add(wait).or_else(|| now.checked_add(Duration::from_secs(3600))).unwrap_or(now);
        if let Some(entered) = &mut effect.entered {
            entered.until = Some(self.until);
        }
        effect
    }

    fn enter(&mut self, now: Instant, terms: Terms<'_>, to: Mode, why: Reason) -> Effect {
        let from = std::mem::replace(&mut self.mode, to);
        self.epoch = self.epoch.wrapping_add(1);
        self.since = now;
        self.said = false;
        if to == Mode::HalfOpen {
            self.probes = Probes { left: terms.config.half_open_calls, counts: Counts::default() };
        }
        if to != Mode::Open && to != Mode::HalfOpen {
            self.opened = 0;
        }
        Effect { granted: false, entered: Some(Entered { from, to, why, until: None, moved: true }) }
    }
}

/// How long an opening breaker waits: twice as long each time it opens again, up to the limit, then longer by the jitter.
fn wait(terms: Terms<'_>, opened: u32) -> Duration {
    let BreakerConfig { open_wait, max_open_wait, open_jitter, .. } = *terms.config;
    let doubled = 1_u32.checked_shl(opened).and_then(|times| open_wait.checked_mul(times)).unwrap_or(Duration::MAX);
    let wait = doubled.min(max_open_wait.max(open_wait));
    let more = Duration::try_from_secs_f64(wait.as_secs_f64() * open_jitter * terms.chance.clamp(0.0, 1.0));
    wait.saturating_add(more.unwrap_or_default())
}

#[cfg(test)]
mod tests;
