//! The attempts of one call that run at the same time, in one future.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{Hedge, targets::Known};
use crate::{
    error::{ErrorKind, RemoteError, Result, Verdict},
    policy::{HedgeConfig, Next, asked_wait, budget::went_out, judge},
    telemetry::Event,
    time::BoxFuture,
    transport::{Response, Safety, Spare},
};

/// How many answers are known before one is called slow by them.
const MIN_SAMPLES: u32 = 20;
/// How long a target is left alone that answered 429 or 503 and did not say how long.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// The first attempt, and those that are sent beside it.
pub(super) struct Race<'a> {
    hedge: &'a Hedge,
    config: HedgeConfig,
    known: Arc<Known>,
    spare: Box<Spare>,
    began: Instant,
    next: Next<'a>,
    first: Option<BoxFuture<'a, Result<Response>>>,
    beside: Vec<Beside<'a>>,
    /// Until the next one is sent.
    timer: Option<BoxFuture<'static, ()>>,
    /// Whether no further one is sent.
    closed: bool,
    /// What is returned if nothing good comes, and how much it is worth.
    failed: Option<(Worth, Result<Response>)>,
}

/// An attempt that was sent beside.
struct Beside<'a> {
    work: Option<BoxFuture<'a, Result<Response>>>,
    attempt: u32,
    after: Duration,
}

/// How much an outcome is worth where none is good.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It says nothing about the callee.
    Nothing,
    /// The callee says that another attempt is under way.
    UnderWay,
    /// The callee failed.
    Failure,
}

impl<'a> Race<'a> {
    pub(super) fn new(
        hedge: &'a Hedge,
        config: HedgeConfig,
        known: Arc<Known>,
        spare: Box<Spare>,
        began: Instant,
        first: BoxFuture<'a, Result<Response>>,
        next: Next<'a>,
    ) -> Self {
        let (beside, closed) = (Vec::new(), config.max_hedges == 0);
        Self { hedge, config, known, spare, began, next, first: Some(first), beside, timer: None, closed, failed: None }
    }

    /// The first good outcome, if one has come.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response>> {
        if let Some(Poll::Ready(outcome)) = self.first.as_mut().map(|work| work.as_mut().poll(cx)) {
            self.first = None;
            if let Some(good) = self.ended(outcome) {
                return Poll::Ready(self.end(good, true, None));
            }
        }
        for place in 0..self.beside.len() {
            let Some(work) = self.beside.get_mut(place).and_then(|beside| beside.work.as_mut()) else { continue };
            let Poll::Ready(outcome) = work.as_mut().poll(cx) else { continue };
            if let Some(beside) = self.beside.get_mut(place) {
                beside.work = None;
            }
            if let Some(good) = self.ended(outcome) {
                return Poll::Ready(self.end(good, true, Some(place)));
            }
        }
        let runs = self.first.is_some() || self.beside.iter().any(|beside| beside.work.is_some());
        match self.failed.take_if(|_| !runs) {
            Some((_, failed)) => Poll::Ready(self.end(failed, false, None)),
            None => Poll::Pending,
        }
    }

    /// The outcome of one attempt, if it is good; else it is kept.
    fn ended(&mut self, mut outcome: Result<Response>) -> Option<Result<Response>> {
        let verdict = judge(&*self.hedge.classify, &mut outcome);
        let status = status(&outcome);
        let worth = match verdict {
            Verdict::Success if status == Some(409) && self.spare.call.safety != Safety::Read => Worth::UnderWay,
            Verdict::Success => return Some(outcome),
            Verdict::Failure => Worth::Failure,
            Verdict::Ignored => Worth::Nothing,
        };
        let refused = outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Rejected);
        if matches!(status, Some(429 | 503)) || refused {
            let wait = asked_wait(&outcome, &*self.hedge.clock).unwrap_or(LEFT_ALONE);
            self.known.target.spare(self.hedge.clock.now(), wait);
        }
        if self.failed.as_ref().is_none_or(|(known, _)| worth > *known) {
            self.failed = Some((worth, outcome));
        }
        None
    }

    /// Sends one more, unless something forbids it.
    fn send(&mut self) {
        let now = self.hedge.clock.now();
        let (call, target) = (&mut self.spare.call, &self.known.target);
        let well = self.hedge.well.as_ref().is_none_or(|well| well(call));
        if !well || target.is_spared(now) || !target.budget.withdraw(now) {
            self.closed = true;
            return;
        }
        call.attempt += 1;
        let (attempt, after) = (call.attempt, now.saturating_duration_since(self.began));
        let work = Some(self.next.run(self.spare.request()));
        self.beside.push(Beside { work, attempt, after });
        self.closed = self.beside.len() >= self.config.max_hedges as usize;
    }

    fn delay(&self) -> Duration {
        let HedgeConfig { percentile, min_delay, max_delay, .. } = self.config;
        let known = self.known.latencies.percentile(percentile, MIN_SAMPLES);
        known.map_or(max_delay, |usual| usual.max(min_delay).min(max_delay))
    }

    /// Settles the accounts of a call that has its outcome; `won` is the place of the one beside that gave it.
    fn end(&mut self, mut outcome: Result<Response>, is_good: bool, won: Option<usize>) -> Result<Response> {
        let ended = outcome.as_ref().ok().and_then(|response| response.ended);
        let now = ended.unwrap_or_else(|| self.hedge.clock.now());
        if is_good {
            self.known.latencies.record(now.saturating_duration_since(self.began));
        }
        let hedges = u32::try_from(self.beside.len()).unwrap_or(u32::MAX);
        // A retry's attempt is no call.
        if self.spare.call.attempt.saturating_sub(hedges) == 1 && went_out(&outcome) {
            self.known.target.budget.deposit_percent(now, self.config.budget_percent);
        }
        if hedges > 0 {
            match &mut outcome {
                Ok(response) => response.attempt = self.spare.call.attempt,
                Err(error) => error.keep_hedges(hedges),
            }
            for (place, beside) in std::mem::take(&mut self.beside).into_iter().enumerate() {
                let how = match &beside.work {
                    Some(_) => "lost",
                    None if won == Some(place) => "won",
                    None => "failed",
                };
                self.tell(&beside, how);
            }
        }
        self.timer = None;
        self.first = None;
        outcome
    }

    fn tell(&self, beside: &Beside<'_>, outcome: &'static str) {
        let call = &self.spare.call;
        if let Some(metrics) = &call.metrics {
            metrics.hedged(outcome);
        }
        if self.hedge.observers.any() {
            let (target, operation, attempt, after) = (&*call.target, &*call.operation, beside.attempt, beside.after);
            self.hedge.observers.tell(&Event::Hedged { target, operation, attempt, after, outcome });
        }
    }
}

impl Future for Race<'_> {
    type Output = Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let race = &mut *self;
        loop {
            if let Poll::Ready(outcome) = race.poll_attempts(cx) {
                return Poll::Ready(outcome);
            }
            if race.closed {
                return Poll::Pending;
            }
            // The timer is made only once the first attempt has to wait: what is answered at once costs none.
            if race.timer.is_none() {
                race.timer = Some(race.hedge.clock.sleep(race.delay()));
            }
            if race.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_pending()) {
                return Poll::Pending;
            }
            race.timer = None;
            race.send();
        }
    }
}

impl Drop for Race<'_> {
    fn drop(&mut self) {
        if self.beside.is_empty() {
            return;
        }
        // Nobody waits any more. It took at least as long as this, which is longer than most.
        let now = self.hedge.clock.now();
        self.known.latencies.record(now.saturating_duration_since(self.began));
        for beside in std::mem::take(&mut self.beside) {
            self.tell(&beside, if beside.work.is_some() { "abandoned" } else { "failed" });
        }
    }
}

fn status(outcome: &Result<Response>) -> Option<u16> {
    match outcome {
        Ok(response) => Some(response.status.as_u16()),
        Err(error) => error.remote().map(RemoteError::status),
    }
}
