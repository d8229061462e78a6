//! The whole call ends by its deadline.

use std::future;

use super::{Next, Policy};
use crate::{
    error::{Error, ErrorKind, Result, Sent},
    time::{BoxFuture, SharedClock},
    transport::{Request, Response},
};

/// Ends a call at its deadline, whatever the stages behind it are doing.
#[derive(Clone, Debug)]
pub struct DeadlinePolicy {
    clock: SharedClock,
}

impl DeadlinePolicy {
    /// Reads the time from this clock.
    #[must_use]
    pub const fn new(clock: SharedClock) -> Self {
        Self { clock }
    }
}

impl Policy for DeadlinePolicy {
    fn name(&self) -> &'static str {
        "deadline"
    }

    fn handle<'a>(&'a self, request: Request, next: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let Some(deadline) = request.call.deadline else { return next.run(request) };
        let now = request.call.began.unwrap_or_else(|| self.clock.now());
        let remaining = deadline.remaining(now);
        if remaining.is_zero() {
            let past = Error::new(ErrorKind::Timeout, "the deadline had passed before the call began");
            return Box::pin(future::ready(Err(past.with_sent(Sent::No))));
        }
        let work = next.run(request);
        Box::pin(async move {
            match self.clock.timeout(remaining, work).await {
                Some(done) => done,
                None => Err(Error::new(ErrorKind::Timeout, format!("no answer within the deadline of {remaining:?}"))),
            }
        })
    }
}
