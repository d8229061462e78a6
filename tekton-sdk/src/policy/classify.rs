//! Seam: what an outcome says about the callee.

use std::time::Duration;

use crate::{
    error::{Error, ErrorKind, RemoteError, Result, Sent, Verdict},
    time::Clock,
    transport::Response,
    wire::retry_after,
};

/// Judges outcomes, results as well as errors. One classification serves the breaker, the retry and the metrics of a
/// handle, so that they never disagree.
///
/// A function of the outcome is one:
///
/// ```
/// use tekton_sdk::{Verdict, policy::Classify};
///
/// let empty_is_bad = |outcome: &Result<Vec<u8>, std::io::Error>| match outcome {
///     Ok(bytes) if !bytes.is_empty() => Verdict::Success,
///     _ => Verdict::Failure,
/// };
/// assert_eq!(empty_is_bad.classify(&Ok(Vec::new())), Verdict::Failure);
/// ```
pub trait Classify<R: ?Sized = Result<Response>>: Send + Sync + 'static {
    /// Judges one outcome.
    ///
    /// **When:** once per attempt; what is asked again reads the first answer. **Given:** the outcome before anybody else
    /// reads it: a body that is a stream is not read yet. **Must not** block or panic.
    fn classify(&self, outcome: &R) -> Verdict;
}

impl<R: ?Sized, F: Fn(&R) -> Verdict + Send + Sync + 'static> Classify<R> for F {
    fn classify(&self, outcome: &R) -> Verdict {
        self(outcome)
    }
}

/// The classification of calls unless another is given.
///
/// | outcome | verdict |
/// |---|---|
/// | a status of 5xx, 408 or 429, as a result or as an error | failure |
/// | any other answer, 4xx included | success |
/// | no connection, a time-out, a broken connection, the callee's own fault | failure |
/// | refused on this side: a breaker, a limit, a budget, a setting, an argument, nobody registered | ignored |
/// | cancelled, closed | ignored |
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ByKind;

impl Classify for ByKind {
    fn classify(&self, outcome: &Result<Response>) -> Verdict {
        match outcome {
            Ok(response) => of_status(response.status.as_u16()),
            Err(error) => of_error(error),
        }
    }
}

const fn of_status(status: u16) -> Verdict {
    match status {
        408 | 429 | 500.. => Verdict::Failure,
        _ => Verdict::Success,
    }
}

/// What an error says by itself.
pub(crate) fn of_error(error: &Error) -> Verdict {
    if let Some(status) = error.remote().map(RemoteError::status) {
        return of_status(status);
    }
    match error.kind() {
        // Too late before it began: the callee has not been asked.
        ErrorKind::Timeout if error.sent() == Sent::No => Verdict::Ignored,
        ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Interrupted | ErrorKind::Internal | ErrorKind::Remote => {
            Verdict::Failure
        }
        // It answered; what it said could not be read, or was not what was hoped for.
        _ if error.sent() == Sent::Yes => Verdict::Success,
        _ => Verdict::Ignored,
    }
}

/// The verdict on an attempt: asked for once, and kept with the outcome for every later policy that asks.
pub fn judge(classify: &dyn Classify, outcome: &mut Result<Response>) -> Verdict {
    let known = match outcome {
        Ok(response) => response.verdict,
        Err(error) => error.verdict(),
    };
    known.unwrap_or_else(|| {
        let verdict = classify.classify(outcome);
        match outcome {
            Ok(response) => response.verdict = Some(verdict),
            Err(error) => error.keep_verdict(verdict),
        }
        verdict
    })
}

/// How long the callee asks to be left alone.
pub(crate) fn asked_wait(outcome: &Result<Response>, clock: &dyn Clock) -> Option<Duration> {
    match outcome {
        Ok(response) => retry_after::read(&response.headers, clock.wall()),
        Err(error) => error.retry_after(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    fn status(status: u16) -> Result<Response> {
        let status = http::StatusCode::from_u16(status).unwrap();
        Ok(Response::new(status, bytes::Bytes::new()))
    }

    fn remote(kind: ErrorKind, status: u16) -> Result<Response> {
        Err(Error::new(kind, "answered").with_sent(Sent::Yes).with_remote(RemoteError::new(status)))
    }

    #[test]
    fn a_status_means_the_same_as_a_result_and_as_an_error() {
        for (code, verdict) in [
            (200, Verdict::Success),
            (302, Verdict::Success),
            (400, Verdict::Success),
            (401, Verdict::Success),
            (404, Verdict::Success),
            (408, Verdict::Failure),
            (429, Verdict::Failure),
            (500, Verdict::Failure),
            (503, Verdict::Failure),
            (599, Verdict::Failure),
        ] {
            assert_eq!(ByKind.classify(&status(code)), verdict, "{code}");
            assert_eq!(ByKind.classify(&remote(ErrorKind::Remote, code)), verdict, "{code}");
        }
        assert_eq!(ByKind.classify(&remote(ErrorKind::Timeout, 504)), Verdict::Failure);
        assert_eq!(ByKind.classify(&remote(ErrorKind::NotFound, 404)), Verdict::Success);
    }

    #[test]
    fn what_this_side_refused_says_nothing_about_the_callee() {
        for (kind, verdict) in [
            (ErrorKind::Config, Verdict::Ignored),
            (ErrorKind::Invalid, Verdict::Ignored),
            (ErrorKind::NotFound, Verdict::Ignored),
            (ErrorKind::Connect, Verdict::Failure),
            (ErrorKind::Rejected, Verdict::Ignored),
            (ErrorKind::Timeout, Verdict::Failure),
            (ErrorKind::Interrupted, Verdict::Failure),
            (ErrorKind::Closed, Verdict::Ignored),
            (ErrorKind::Cancelled, Verdict::Ignored),
            (ErrorKind::Internal, Verdict::Failure),
        ] {
            assert_eq!(of_error(&Error::new(kind, "it failed")), verdict, "{kind:?}");
        }
        let late = Error::new(ErrorKind::Timeout, "too late").with_sent(Sent::No);
        assert_eq!(of_error(&late), Verdict::Ignored);
        let unread = Error::new(ErrorKind::Rejected, "the answer is too large").with_sent(Sent::Yes);
        assert_eq!(of_error(&unread), Verdict::Success);
    }

    #[test]
    fn an_outcome_is_judged_once() {
        let asked = Arc::new(AtomicU32::new(0));
        let counted = {
            let asked = Arc::clone(&asked);
            move |_: &Result<Response>| {
                asked.fetch_add(1, Ordering::Relaxed);
                Verdict::Failure
            }
        };
        for mut outcome in [status(200), Err(Error::new(ErrorKind::Connect, "no connection"))] {
            asked.store(0, Ordering::Relaxed);
            let (first, second) = (judge(&counted, &mut outcome), judge(&counted, &mut outcome));
            assert_eq!((first, second, asked.load(Ordering::Relaxed)), (Verdict::Failure, Verdict::Failure, 1));
        }
    }
}
