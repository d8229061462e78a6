//! The rate of one target: what is configured, what the callee bears, and who waits for a turn.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::sync::oneshot;

use super::{
    super::{RateConfig, line::Line, registry::Kept},
    machine::Pace,
    ticks::Ticks,
};
use crate::time::SharedClock;

/// How many wait for their turn at one target.
pub(super) const MAX_WAITING: usize = 10_000;
/// Set in the word while the line or the pace has to be asked.
const ASK: u64 = 1;

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, StateInformationMiddleware>;

/// The rate of one target as it is configured. Another configuration makes another one of it.
#[derive(Debug)]
pub(super) struct State {
    per_second: NonZeroU32,
    burst: NonZeroU32,
    limiter: Limiter,
    shared: Arc<Shared>,
}

/// What stays when the configuration changes.
#[derive(Debug)]
struct Shared {
    /// The number of cuts, and [`ASK`].
    word: AtomicU64,
    traffic: Mutex<Traffic>,
}

#[derive(Debug)]
struct Traffic {
    pace: Pace,
    /// Each is called once, when it is the longest waiter.
    line: Line<Option<oneshot::Sender<()>>>,
    /// When the longest waiter has its turn, as it was known last.
    turn: Option<Instant>,
}

/// What comes of an arrival.
pub(super) enum Entry {
    /// It goes, in this epoch.
    Goes(u64),
    /// It waits for its turn.
    Waits(Waiting),
    /// Its turn would come after this time.
    Late(Duration),
    /// [`MAX_WAITING`] wait.
    Full(Duration),
}

/// What holds the rate down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    /// The configuration.
    Configured,
    /// The callee refused: so many a second are sent.
    Cut(f64),
    /// The callee asked to be left alone.
    Paused,
}

impl State {
    pub(super) fn new(config: &RateConfig, clock: SharedClock) -> Self {
        let traffic = Mutex::new(Traffic { pace: Pace::default(), line: Line::new(), turn: None });
        Self::made(config, clock, Arc::new(Shared { word: AtomicU64::new(0), traffic }))
    }

    /// The same target under another configuration: what is left of the burst, the cut and the line stay.
    pub(super) fn changed(&self, config: &RateConfig, clock: SharedClock) -> Self {
        let next = Self::made(config, clock, Arc::clone(&self.shared));
        let left = self.limiter.check().map_or(0, |left| left.remaining_burst_capacity().saturating_add(1));
        if let Some(spent) = NonZeroU32::new(next.burst.get().saturating_sub(left)) {
            // No more than the burst, so that there are as many.
            let _ = next.limiter.check_n(spent);
        }
        next
    }

    fn made(config: &RateConfig, clock: SharedClock, shared: Arc<Shared>) -> Self {
        let (per_second, burst) = numbers(config);
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(quota, Ticks::new(clock)).with_middleware();
        Self { per_second, burst, limiter, shared }
    }

    /// Whether it is configured so.
    pub(super) fn fits(&self, config: &RateConfig) -> bool {
        (self.per_second, self.burst) == numbers(config)
    }

    /// A turn at this moment, if nothing but the configuration holds the rate down; the epoch in which it goes.
    pub(super) fn take(&self) -> Option<u64> {
        let word = self.shared.word.load(Ordering::Acquire);
        (word & ASK == 0 && self.limiter.check().is_ok()).then_some(word >> 1)
    }

    /// A turn at this moment, or a place in the line if the turn comes within `allowed`.
    pub(super) fn enter(self: &Arc<Self>, config: &RateConfig, allowed: Duration, now: Instant) -> Entry {
        self.locked(|traffic| {
            if !config.adaptive {
                traffic.pace.reset();
            }
            traffic.pace.settle(self.ceiling(), now);
            let (turn, waiting) = match traffic.line.len() {
                0 => match self.goes(traffic, now) {
                    Ok(epoch) => return Entry::Goes(epoch),
                    Err(turn) => (turn, 0),
                },
                waiting => (traffic.turn.unwrap_or(now), waiting),
            };
            let behind = u32::try_from(waiting).unwrap_or(u32::MAX);
            let spacing = traffic.pace.spacing(self.ceiling(), now);
            let wait = turn.saturating_duration_since(now).saturating_add(spacing.saturating_mul(behind));
            if wait > allowed {
                return Entry::Late(wait);
            }
            if waiting >= MAX_WAITING {
                return Entry::Full(wait);
            }
            let (call, called) = oneshot::channel();
            let number = traffic.line.join(Some(call));
            if waiting == 0 {
                traffic.turn = Some(turn);
            }
            let place = Leave { state: Arc::clone(self), number };
            Entry::Waits(Waiting { place, called: (waiting > 0).then_some(called) })
        })
    }

    /// The callee refused an attempt that went in this epoch, and asks to be left alone for so long.
    pub(super) fn refused(&self, epoch: u64, wait: Option<Duration>, now: Instant) {
        self.locked(|traffic| traffic.pace.refused(epoch, self.ceiling(), wait, now));
    }

    /// What holds the rate down.
    pub(super) fn bound(&self, now: Instant) -> Bound {
        let traffic = self.shared.traffic();
        if traffic.pace.is_paused(now) {
            Bound::Paused
        } else if traffic.pace.is_cut() {
            Bound::Cut(traffic.pace.rate(self.ceiling(), now))
        } else {
            Bound::Configured
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.shared.traffic().line.len()
    }

    pub(super) const fn per_second(&self) -> u32 {
        self.per_second.get()
    }

    pub(super) const fn burst(&self) -> u32 {
        self.burst.get()
    }

    fn ceiling(&self) -> f64 {
        f64::from(self.per_second.get())
    }

    /// Sends one, if it is time; otherwise says when it will be.
    fn goes(&self, traffic: &mut Traffic, now: Instant) -> Result<u64, Instant> {
        let turn = traffic.pace.turn(now);
        if turn > now {
            return Err(turn);
        }
        match self.limiter.check() {
            Ok(_) => {
                traffic.pace.goes(self.ceiling(), now);
                Ok(traffic.pace.epoch())
            }
            Err(until) => {
                let wait = until.wait_time_from(self.limiter.clock().at(now));
                Err(now.checked_add(wait).unwrap_or(now))
            }
        }
    }

    fn locked<R>(&self, work: impl FnOnce(&mut Traffic) -> R) -> R {
        let mut traffic = self.shared.traffic();
        let result = work(&mut traffic);
        let ask = traffic.pace.is_cut() || !traffic.line.is_empty();
        self.shared.word.store(traffic.pace.epoch() << 1 | if ask { ASK } else { 0 }, Ordering::Release);
        result
    }
}

impl Shared {
    fn traffic(&self) -> std::sync::MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept for State {
    fn is_idle(&self, _now: Instant) -> bool {
        // All of the burst can be had only if none of it is spent; otherwise nothing is taken.
        self.shared.word.load(Ordering::Acquire) & ASK == 0 && matches!(self.limiter.check_n(self.burst), Ok(Ok(_)))
    }
}

/// Both at least 1.
fn numbers(config: &RateConfig) -> (NonZeroU32, NonZeroU32) {
    [config.per_second, config.burst].map(|number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)).into()
}

/// A place in the line. Dropping it leaves the line.
pub(super) struct Waiting {
    place: Leave,
    /// Called when it is the longest waiter, unless it is that from the start.
    called: Option<oneshot::Receiver<()>>,
}

impl Waiting {
    /// Waits for its turn, at most until then; the epoch in which it goes, or how long it would still have to wait.
    pub(super) async fn turn(self, clock: &SharedClock, until: Instant) -> Result<u64, Duration> {
        let Self { place, called } = self;
        if let Some(called) = called {
            let left = until.saturating_duration_since(clock.now());
            if clock.timeout(left, called).await.is_none() {
                return Err(place
                    .state
                    .shared
                    .traffic()
                    .turn
                    .map_or(Duration::ZERO, |turn| turn.saturating_duration_since(until)));
            }
        }
        loop {
            let now = clock.now();
            match place.goes(now) {
                Ok(epoch) => return Ok(epoch),
                Err(turn) if turn > until => return Err(turn.saturating_duration_since(now)),
                Err(turn) => clock.sleep(turn.saturating_duration_since(now)).await,
            }
        }
    }
}

struct Leave {
    state: Arc<State>,
    number: u64,
}

impl Leave {
    /// Goes, if it is time, and says that it was the longest waiter.
    fn goes(&self, now: Instant) -> Result<u64, Instant> {
        self.state.locked(|traffic| {
            traffic.pace.settle(self.state.ceiling(), now);
            let gone = self.state.goes(traffic, now);
            traffic.turn = match gone {
                Ok(_) => now.checked_add(traffic.pace.spacing(self.state.ceiling(), now)),
                Err(turn) => Some(turn),
            };
            gone
        })
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        // Whoever is behind the longest waiter has been called by nobody else.
        let next = self.state.locked(|traffic| {
            let was_first = traffic.line.is_first(self.number);
            traffic.line.leave(self.number);
            if was_first { traffic.line.first().and_then(Option::take) } else { None }
        });
        if let Some(next) = next {
            // It may have gone away just now; then it calls the next one, because it is the first.
            let _ = next.send(());
        }
    }
}
