//! One attempt ends by its own limit.

use std::time::Duration;

use super::{Next, Policy};
use crate::{
    error::{Error, ErrorKind, Result},
    time::{BoxFuture, Deadline, SharedClock},
    transport::{Request, Response},
};

/// The limit of one attempt, set on a call's extensions to replace the pipeline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptLimit(pub(crate) Duration);

/// Ends an attempt that takes too long, so that the next one still has time. Without a limit it does nothing.
///
/// The limit is the call's own, else that of its [rules](super::Rules), else, without rules, the one that was given.
#[derive(Clone, Debug)]
pub struct AttemptTimeout {
    clock: SharedClock,
    limit: Option<Duration>,
}

impl AttemptTimeout {
    /// Limits every attempt; `None` leaves it to the calls that set a limit of their own.
    #[must_use]
    pub const fn new(clock: SharedClock, limit: Option<Duration>) -> Self {
        Self { clock, limit }
    }
}

impl Policy for AttemptTimeout {
    fn name(&self) -> &'static str {
        "attempt-timeout"
    }

    fn handle<'a>(&'a self, mut request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let own = request.call.extensions.get::<AttemptLimit>().map(|own| own.0);
        let usual = || request.call.rules.as_ref().map_or(self.limit, |rules| rules.attempt_timeout);
        let Some(limit) = own.or_else(usual) else { return next.run(request) };
        let began = request.call.began.unwrap_or_else(|| self.clock.now());
        request.call.gives_up = Some(Deadline::after(began, limit));
        let work = next.run(request);
        Box::pin(async move {
            match self.clock.timeout(limit, work).await {
                Some(done) => done,
                None => Err(Error::new(ErrorKind::Timeout, format!("no answer within the attempt's {limit:?}"))),
            }
        })
    }
}
