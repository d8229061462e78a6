//! Equal reads share one answer: while it is under way, and for a time after it came.

mod cache;
mod flight;
mod fresh;
mod key;

use std::{future, sync::Arc, time::Duration};

use self::flight::{Flights, Lead, Part, Waited};
use super::{Next, Policy, ReuseConfig};
use crate::{
    error::{ErrorKind, Result},
    telemetry::CallMetrics,
    time::{BoxFuture, Deadline, SharedClock},
    transport::{Request, Response, Safety},
};

pub(super) use cache::Moment;
pub use cache::ReplyCache;
pub(super) use fresh::Wanted;
pub(super) use key::Key;

/// Sends equal reads that are under way at once only once, and gives a kept answer to equal reads that come later. Nothing leaks
/// between callers: see what is equal.
///
/// **What is reused:** a [`Read`](Safety::Read) whose answer is collected. Not one whose body is a stream, whose key takes more
/// than 64 KiB, or that carries values for policies of the application's own, which may make anything of them. A policy of the
/// application that makes of anything else, as a task's own variables, what the callee answers by, does not go together with it.
///
/// **What is equal:** target and endpoint, method, path, query and body, byte by byte; every header that is there at this stage,
/// `Authorization`, `X-Tekton-Caller`, `X-API-Version`, `Accept` and `baggage` among them, but for the trace's, the
/// deadline's and the
/// attempt's, which are each call's own; the cap of the answer; and the caller and the baggage of the operation that the call is made
/// in. Whole keys are compared, not their hashes.
///
/// **Single flight:** one call asks, the others wait for its answer, each until its own deadline. When it is given up, or ends by a
/// [`Timeout`](ErrorKind::Timeout), the one that has the most time left asks in its place, so that many calls with one deadline ask
/// twice at most. A failure is given to all who waited, and not kept. No task is spawned.
///
/// **Cache:** with [`ReuseConfig::ttl`]. Only a 200 is kept, and of RFC 9111 this is obeyed: of an answer `no-store`, `no-cache`,
/// `private`, `max-age`, `s-maxage`, `Expires`, `Age` and `Vary: *` (every other header that it may name is part of the key); of a
/// request `no-store`, `no-cache` and `max-age`. An answer with `Set-Cookie` is not kept. Nothing is validated: what is not fresh is
/// asked for again. A kept answer says its `Age`, and [`Origin`](crate::transport::Origin) says where it came from.
///
/// **Writes:** when a call that is no read has ended, however it did, the answers of its target that were asked for before are not
/// given out any more, kept ones and those under way. Writes of other processes are not seen; [`ReplyCache::forget`] is for those who
/// hear of them.
#[derive(Clone, Debug)]
pub struct Reuse {
    config: Option<ReuseConfig>,
    replies: ReplyCache,
    flights: Arc<Flights>,
    clock: SharedClock,
}

impl Reuse {
    /// Reuses as configured, or, with `None`, only calls whose [rules](super::Rules) say so.
    #[must_use]
    pub fn new(config: Option<ReuseConfig>, replies: ReplyCache, clock: SharedClock) -> Self {
        Self { config, replies, flights: Arc::new(Flights::new(clock.clone())), clock }
    }

    /// A write: what was read before does not hold after it.
    fn write<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let outdates = Outdates { replies: &self.replies, target: Arc::clone(&request.call.target) };
        let work = next.run(request);
        Box::pin(async move {
            let outcome = work.await;
            drop(outdates);
            outcome
        })
    }

    fn read<'a>(&'a self, config: ReuseConfig, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let wanted = Wanted::of(&request.headers);
        let Some(key) = self.replies.key(&request).filter(|_| wanted.any || wanted.keep) else {
            return next.run(request);
        };
        let now = request.call.began.unwrap_or_else(|| self.clock.now());
        if wanted.any
            && let Some(ttl) = config.ttl
        {
            let ttl = wanted.max_age.map_or(ttl, |max_age| max_age.min(ttl));
            if let Some(kept) = self.replies.fresh(&key, now, ttl) {
                count(request.call.metrics.as_ref(), &kept);
                return Box::pin(future::ready(Ok(kept)));
            }
        }
        let (key, moment) = (key.shared(), self.replies.moment(&request.call.target));
        let ask =
            Ask { reuse: self, key, target: Arc::clone(&request.call.target), ttl: config.ttl.filter(|_| wanted.keep) };
        if !config.single_flight || !wanted.any {
            let work = next.run(request);
            return Box::pin(async move {
                let outcome = work.await;
                ask.keep(moment, &outcome);
                outcome
            });
        }
        match self.flights.join(&ask.key, &moment, request.call.deadline) {
            Part::Lead(lead) => {
                let deadline = request.call.deadline;
                let work = next.run(request);
                Box::pin(async move {
                    let outcome = work.await;
                    ask.land(lead, moment, deadline, &outcome);
                    outcome
                })
            }
            Part::Wait(waiting) => Box::pin(async move {
                match waiting.await {
                    Waited::Landed(outcome) => {
                        if let Ok(response) = &outcome {
                            count(request.call.metrics.as_ref(), response);
                        }
                        outcome
                    }
                    Waited::Leads(lead) => {
                        let (moment, deadline) = (self.replies.moment(&ask.target), request.call.deadline);
                        let outcome = next.run(request).await;
                        ask.land(lead, moment, deadline, &outcome);
                        outcome
                    }
                }
            }),
        }
    }
}

/// A read that asks the callee.
struct Ask<'a> {
    reuse: &'a Reuse,
    key: Arc<Key>,
    target: Arc<str>,
    /// Whether, and for how long, its answer is kept.
    ttl: Option<Duration>,
}

impl Ask<'_> {
    fn keep(&self, moment: Moment, outcome: &Result<Response>) {
        if let (Some(_), Ok(response)) = (self.ttl, outcome) {
            let (clock, replies) = (&self.reuse.clock, &self.reuse.replies);
            let now = response.ended.unwrap_or_else(|| clock.now());
            replies.keep(&self.key, moment, &self.target, response, now, clock.wall());
        }
    }

    fn land(&self, lead: Lead<'_>, moment: Moment, deadline: Option<Deadline>, outcome: &Result<Response>) {
        self.keep(moment, outcome);
        // A time-out may be this call's own: its deadline went along with the request.
        let is_late = outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout);
        let lead = if is_late { lead.hand_over(deadline) } else { Err(lead) };
        if let Err(lead) = lead {
            lead.land(outcome);
        }
    }
}

/// Outdates what is known of a target when a write to it ends, also when nobody waits for it any more.
struct Outdates<'a> {
    replies: &'a ReplyCache,
    target: Arc<str>,
}

impl Drop for Outdates<'_> {
    fn drop(&mut self) {
        self.replies.outdate(&self.target);
    }
}

fn count(metrics: Option<&CallMetrics>, response: &Response) {
    if let Some(metrics) = metrics {
        metrics.stood_in(response.origin.name());
    }
}

impl Policy for Reuse {
    fn name(&self) -> &'static str {
        "reuse"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        if request.call.safety != Safety::Read {
            return if self.replies.is_used() { self.write(request, next) } else { next.run(request) };
        }
        let config = request.call.rules.as_ref().map_or(self.config, |rules| rules.reuse);
        match config {
            Some(config) => self.read(config, request, next),
            None => next.run(request),
        }
    }
}

#[cfg(test)]
mod tests;
