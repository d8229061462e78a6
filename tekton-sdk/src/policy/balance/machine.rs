//! How one instance does, and whether it is kept out: what happened goes in, what follows comes out.

use std::time::Duration;

/// A point in time: nanoseconds since the balancer began, never 0, so that 0 can say "never".
pub(super) type Moment = u64;

const SECOND: u64 = 1_000_000_000;
/// How long an instance comes last that could not be reached.
const DOUBTED_FOR: u64 = 5 * SECOND;
/// In which time the memory of a latency fades to half.
const HALF_LIFE: u64 = 10 * SECOND;
/// Latencies below this are alike.
const FLOOR: f64 = 100_000.0;
/// How long an instance that is well again is called less than the others.
const RISE: u64 = 10 * SECOND;
/// The share of its calls with which it begins.
const LEAST_RISE: f64 = 0.1;
/// How long an instance is left without a call whatever its load, while others get some.
pub(super) const STARVED: u64 = 60 * SECOND;
/// The load of one call at an instance whose speed is not known.
const UNKNOWN: f64 = 1e18;
/// How long a failure counts as having taken at least, and so does what is given up at an instance nobody knows.
pub(super) const PENALTY: u64 = SECOND;
/// The part of a new latency in the mean.
const LATENCY_PART: f64 = 1.0 / 8.0;
/// The part of a new outcome in the success rate.
const RATE_PART: f64 = 1.0 / 32.0;

/// What a choice goes by besides the calls in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// Like any other.
    Steady,
    /// Its ejection is over: it is called once at a time, until a call goes well.
    Probing,
    /// It is well again since then, and is called more and more.
    Rising(Moment),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    In(Phase),
    Ejected { since: Moment, until: Moment },
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Well,
    Failed,
    /// It could not be reached.
    Unreached,
}

/// What follows from an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Ejected {
        reason: &'static str,
        wait: Duration,
    },
    Returned,
    /// It is doubted, or not any more.
    Doubted,
}

/// What holds for an instance among its like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// How many failures in a row eject it; `None` where there is no other to be called instead.
    pub(super) failures: Option<u32>,
    pub(super) ejection_time: Duration,
    pub(super) max_ejection_time: Duration,
    /// How long a failure counts as having taken at least.
    pub(super) penalty: u64,
    /// From 0 to 1: which part of a tenth an ejection is shorter.
    pub(super) jitter: f64,
}

impl Terms {
    /// How long it must be well for an ejection to be forgotten.
    fn spell(&self) -> u64 {
        nanos(self.ejection_time).max(1)
    }
}

/// What is remembered of one instance.
#[derive(Debug)]
pub(super) struct Machine {
    /// The latency that the load goes by: a slow answer counts at once, and fades. Negative while none is known.
    peak: f64,
    peak_at: Moment,
    mean: f64,
    /// Whether the mean is that of calls that went well.
    mean_is_good: bool,
    rate: f64,
    /// How many outcomes the rate is made of, since the instance returned last.
    outcomes: u32,
    calls: u64,
    failures_in_a_row: u32,
    successes_in_a_row: u32,
    doubted_until: Moment,
    standing: Standing,
    ejections: u32,
    /// When it returned, failed or was forgiven an ejection last.
    well_since: Moment,
}

impl Machine {
    pub(super) const fn new() -> Self {
        Self {
            peak: -1.0,
            peak_at: 0,
            mean: 0.0,
            mean_is_good: false,
            rate: 1.0,
            outcomes: 0,
            calls: 0,
            failures_in_a_row: 0,
            successes_in_a_row: 0,
            doubted_until: 0,
            standing: Standing::In(Phase::Steady),
            ejections: 0,
            well_since: 0,
        }
    }

    /// Takes the outcome of an attempt.
    pub(super) fn on(&mut self, now: Moment, outcome: Outcome, took: u64, terms: &Terms) -> Option<Effect> {
        self.calls += 1;
        self.turn(now);
        self.measure(now, outcome, took, terms.penalty);
        if outcome == Outcome::Well {
            return self.went_well(now, terms);
        }
        (self.failures_in_a_row, self.successes_in_a_row) = (self.failures_in_a_row.saturating_add(1), 0);
        self.well_since = now;
        let doubted = outcome == Outcome::Unreached;
        if doubted {
            self.doubted_until = now.saturating_add(DOUBTED_FOR);
        }
        let most = terms.failures.unwrap_or(u32::MAX);
        let reason = match self.standing {
            Standing::In(Phase::Probing) if terms.failures.is_some() => Some("probe"),
            Standing::In(_) if self.failures_in_a_row >= most => Some("failures_in_a_row"),
            _ => None,
        };
        reason.map(|reason| self.eject(now, reason, terms)).or_else(|| doubted.then_some(Effect::Doubted))
    }

    /// An attempt was given up after so long: it would have taken longer still.
    pub(super) fn given_up(&mut self, now: Moment, took: u64) {
        if (took as f64) < FLOOR {
            return;
        }
        let least = if self.peak < 0.0 { took.max(PENALTY) } else { took } as f64;
        if least > self.fading(now) {
            (self.peak, self.peak_at) = (least, now);
        }
    }

    /// Ejects it now.
    pub(super) fn eject(&mut self, now: Moment, reason: &'static str, terms: &Terms) -> Effect {
        let spell = terms.spell();
        self.ejections = self.ejections.saturating_add(1);
        let longest = nanos(terms.max_ejection_time).max(spell);
        let wait = spell.saturating_mul(self.ejections.into()).min(longest);
        let wait = wait - (wait as f64 * 0.1 * terms.jitter.clamp(0.0, 1.0)) as u64;
        self.standing = Standing::Ejected { since: now, until: now.saturating_add(wait) };
        (self.failures_in_a_row, self.successes_in_a_row) = (0, 0);
        Effect::Ejected { reason, wait: Duration::from_nanos(wait) }
    }

    /// Ends an ejection whose time has come; says whether one has.
    pub(super) fn turn(&mut self, now: Moment) -> bool {
        let over = matches!(self.standing, Standing::Ejected { until, .. } if until <= now);
        if over {
            self.come_back(now, Phase::Probing);
            // What its failures made of its latency would keep calls away for long.
            self.peak = -1.0;
        }
        over
    }

    fn went_well(&mut self, now: Moment, terms: &Terms) -> Option<Effect> {
        self.failures_in_a_row = 0;
        // A good call at the end of such a time shows that it was well; that it was not called shows nothing.
        let spells = now.saturating_sub(self.well_since) / terms.spell();
        if spells > 0 && self.ejections > 0 {
            self.ejections = self.ejections.saturating_sub(u32::try_from(spells).unwrap_or(u32::MAX));
            self.well_since = now;
        }
        let doubted = std::mem::take(&mut self.doubted_until) > now;
        match self.standing {
            Standing::In(Phase::Probing) => self.standing = Standing::In(Phase::Rising(now)),
            Standing::In(Phase::Rising(since)) if now.saturating_sub(since) >= RISE => {
                self.standing = Standing::In(Phase::Steady);
            }
            Standing::In(_) => {}
            // It is called because nobody else is left: as many calls as eject it bring it back.
            Standing::Ejected { .. } => {
                self.successes_in_a_row += 1;
                if self.successes_in_a_row >= terms.failures.unwrap_or(1) {
                    self.come_back(now, Phase::Rising(now));
                    return Some(Effect::Returned);
                }
            }
        }
        doubted.then_some(Effect::Doubted)
    }

    fn come_back(&mut self, now: Moment, phase: Phase) {
        self.standing = Standing::In(phase);
        self.well_since = now;
        // It is judged by what it does from now on.
        (self.outcomes, self.failures_in_a_row, self.successes_in_a_row) = (0, 0, 0);
    }

    fn measure(&mut self, now: Moment, outcome: Outcome, took: u64, penalty: u64) {
        let good = outcome == Outcome::Well;
        let heavy = if good { took } else { took.max(penalty) } as f64;
        let fading = self.fading(now);
        // A slower one counts at once, a quicker one as the memory of the others fades.
        let kept = faded(1.0, now.saturating_sub(self.peak_at));
        self.peak = if heavy >= fading { heavy } else { heavy + (self.peak - heavy).max(0.0) * kept };
        self.peak_at = now;
        if good && !self.mean_is_good {
            (self.mean, self.mean_is_good) = (took as f64, true);
        } else if good || !self.mean_is_good {
            let part = if self.calls == 1 { 1.0 } else { LATENCY_PART };
            self.mean += (took as f64 - self.mean) * part;
        }
        self.outcomes = self.outcomes.saturating_add(1);
        let part = RATE_PART.max(1.0 / f64::from(self.outcomes));
        self.rate += (f64::from(u8::from(good)) - self.rate) * part;
    }

    fn fading(&self, now: Moment) -> f64 {
        faded(self.peak, now.saturating_sub(self.peak_at))
    }

    /// The latency that the load goes by, and when it was that.
    pub(super) const fn peak(&self) -> (f64, Moment) {
        (self.peak, self.peak_at)
    }

    pub(super) const fn phase(&self) -> Phase {
        match self.standing {
            Standing::In(phase) => phase,
            Standing::Ejected { .. } => Phase::Steady,
        }
    }

    /// Since when and until when it is ejected; zeros while it is not.
    pub(super) const fn ejected(&self) -> (Moment, Moment) {
        match self.standing {
            Standing::In(_) => (0, 0),
            Standing::Ejected { since, until } => (since, until),
        }
    }

    pub(super) const fn doubted_until(&self) -> Moment {
        self.doubted_until
    }

    /// The mean latency, the success rate and the number of calls.
    pub(super) const fn measured(&self) -> (f64, f64, u64) {
        (self.mean, self.rate, self.calls)
    }

    /// The success rate, if it is made of at least so many outcomes; none while it is ejected.
    pub(super) fn rate_of(&self, outcomes: u32) -> Option<f64> {
        (self.outcomes >= outcomes && matches!(self.standing, Standing::In(_))).then_some(self.rate)
    }

    pub(super) const fn ejections(&self) -> u32 {
        self.ejections
    }
}

/// What is left of a value after so long. Between two half-lives it falls in a straight line, which costs no exponential.
fn faded(value: f64, age: u64) -> f64 {
    let halves = age / HALF_LIFE;
    if halves >= 60 {
        return 0.0;
    }
    let part = (age % HALF_LIFE) as f64 / HALF_LIFE as f64;
    value * (1.0 - part / 2.0) / (1_u64 << halves) as f64
}

/// How much there is to do before one more call to it would be answered; the less, the better.
#[inline]
pub(super) fn load(peak: f64, age: u64, in_flight: u32, phase: Phase, idle: u64, now: Moment) -> f64 {
    if in_flight == 0 && (peak < 0.0 || phase == Phase::Probing || idle >= STARVED) {
        return 0.0;
    }
    if peak < 0.0 || phase == Phase::Probing {
        return UNKNOWN * f64::from(in_flight);
    }
    let load = faded(peak, age).max(FLOOR) * (f64::from(in_flight) + 1.0);
    match phase {
        Phase::Rising(since) => load / (now.saturating_sub(since) as f64 / RISE as f64).clamp(LEAST_RISE, 1.0),
        Phase::Steady | Phase::Probing => load,
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
