//! The chain of policies and the transport behind it.

use std::{fmt, sync::Arc};

use super::{Alternate, Policy};
use crate::{
    error::{Error, ErrorKind, Result},
    time::{BoxFuture, SharedClock},
    transport::{Request, Response, Transport},
    wire::{headers, problem, spend},
};

/// Every call goes through these stages, in this order:
///
/// 1. metrics and the span of the call (in `Peer::send`, before the first stage);
/// 2. `fallback`: what is given instead of a failure, a time-out of the whole call included, if anything is;
/// 3. `deadline`: the whole call, every attempt and wait included, ends by its deadline;
/// 4. `reuse`: equal reads that are under way or were answered lately share an answer, if they may;
/// 5. `retry`: attempts, for what may be carried out again, within the target's budget;
/// 6. `hedge`: a second attempt beside a slow one, within another budget of the target, if it may be made;
/// 7. `attempt`: the span, the trace's parent id, the metrics and the verdict of one attempt;
/// 8. `rate`: how often the callee is called, and less often while it answers 429 or 503; off unless a rule says otherwise;
/// 9. `breaker`: refuses while the callee is not well, and is told how the attempt went;
/// 10. `bulkhead`: how many attempts run at once, and how many wait for a place; off unless a rule says otherwise;
/// 11. `attempt-timeout`: one attempt, if a limit is set;
/// 12. the policies that the builder adds, in the order in which they were added;
/// 13. `resolve`: finds the instance, of two the one with less to do, and keeps out those that do worse than the others;
/// 14. `budget`: sets aside what the attempt may cost, and counts what it did, if the call has a budget;
/// 15. the transport: writes the time that is left and the attempt's number, sends, reads a collected answer under its cap
///     and turns a failing status into an error.
#[derive(Clone)]
pub struct Pipeline {
    policies: Arc<[Arc<dyn Policy>]>,
    end: Arc<End>,
}

struct End {
    transport: Arc<dyn Transport>,
    clock: SharedClock,
}

impl Pipeline {
    /// A chain of policies, first to last, in front of a transport.
    pub fn new(policies: Vec<Arc<dyn Policy>>, transport: Arc<dyn Transport>, clock: SharedClock) -> Self {
        Self { policies: policies.into(), end: Arc::new(End { transport, clock }) }
    }

    /// Sends a request through every stage.
    ///
    /// # Errors
    /// Those of the policies and the transport.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the call.
    pub async fn send(&self, request: Request) -> Result<Response> {
        self.run(None, [None; 2], request).await
    }

    /// Sends a request through every stage, and through those of its own before the transport. `alternate` answers in place of a
    /// callee that fails.
    pub(crate) fn run<'a>(
        &'a self,
        alternate: Option<&'a dyn Alternate>,
        last: Last<'a>,
        request: Request,
    ) -> BoxFuture<'a, Result<Response>> {
        Next { rest: &self.policies, alternate, last, end: &self.end }.run(request)
    }

    /// The names of the stages, first to last.
    pub fn stages(&self) -> impl Iterator<Item = &'static str> {
        self.policies.iter().map(|policy| policy.name())
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stages()).entry(&self.end.transport).finish()
    }
}

/// The stages that a call has for itself, in their order: those that stand nearest to the transport.
pub(crate) type Last<'a> = [Option<&'a dyn Policy>; 2];

/// The rest of the pipeline. It is `Copy`, so that a retry may run it again.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    rest: &'a [Arc<dyn Policy>],
    alternate: Option<&'a dyn Alternate>,
    last: Last<'a>,
    end: &'a End,
}

impl<'a> Next<'a> {
    /// Runs the rest.
    pub fn run(self, request: Request) -> BoxFuture<'a, Result<Response>> {
        match (self.rest, self.last) {
            ([first, rest @ ..], _) => first.handle(request, Next { rest, ..self }),
            ([], [Some(first), then]) => first.handle(request, Next { last: [None, then], ..self }),
            ([], [None, Some(last)]) => last.handle(request, Next { last: [None; 2], ..self }),
            ([], [None, None]) => self.end.send(request),
        }
    }

    /// Who answers in place of a callee that fails, if there is somebody.
    pub(super) const fn alternate(&self) -> Option<&'a dyn Alternate> {
        self.alternate
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rest.iter().map(|policy| policy.name())).finish()
    }
}

impl End {
    fn send(&self, mut request: Request) -> BoxFuture<'_, Result<Response>> {
        if let Some(deadline) = request.call.deadline {
            headers::set_deadline(&mut request.headers, deadline.remaining(self.clock.now()));
        }
        let (attempt, collect) = (request.call.attempt, request.call.collect);
        headers::set_attempt(&mut request.headers, attempt);
        record_address(&request);
        let told_cost = request.call.told_cost.take();
        let endpoint = if collect.is_none() { request.endpoint.clone() } else { None };
        let answer = self.transport.send(request);
        Box::pin(async move {
            let mut response = answer.await?;
            response.attempt = attempt;
            response.endpoint = endpoint;
            if let Some((told, cost)) = told_cost.as_deref().zip(spend::spent(&response.headers)) {
                // Told once: each attempt has a place of its own.
                let _ = told.set(cost);
            }
            match collect {
                Some(cap_bytes) => read(response, cap_bytes, &self.clock).await,
                None => Ok(response),
            }
        })
    }
}

/// Says on the attempt's span where it goes. The query stays out: it may hold what is nobody's business.
fn record_address(request: &Request) {
    let Some((span, endpoint)) = request.call.span.as_ref().zip(request.endpoint.as_ref()) else { return };
    match endpoint.socket() {
        Some(path) => span.record("server.address", tracing::field::display(path.display())),
        None => span.record("server.address", endpoint.host()),
    };
    if let Some(port) = endpoint.port() {
        span.record("server.port", port);
    }
    span.record("url.full", tracing::field::display(format_args!("{endpoint}{}", request.path)));
}

/// Reads the whole answer, and makes an error of a failing status.
async fn read(mut response: Response, cap_bytes: usize, clock: &SharedClock) -> Result<Response> {
    let body = std::mem::take(&mut response.body).collect(cap_bytes).await;
    if response.status.is_success() {
        response.body = body.map_err(answered)?.into();
        return Ok(response);
    }
    // The status is the failure; a body that is too large or breaks does not hide it.
    Err(problem::read_failure(response.status, &response.headers, &body.unwrap_or_default(), clock.wall()))
}

/// An answer over the cap was sent for and carried out; only the reading was refused.
fn answered(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Rejected => error.with_sent(crate::error::Sent::Yes),
        _ => error,
    }
}
