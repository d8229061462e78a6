//! Decorators that break what they decorate, as planned.

mod broker;
mod directory;
mod transport;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use broker::{BrokerFaults, DeliveryFault, FaultyBroker, PublishFault};
pub use directory::FaultyDirectory;
pub use transport::FaultyTransport;

use crate::error::{Error, ErrorKind, Sent};

/// One planned fault.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// It goes through after this time, by the clock of the decorator.
    Delay(Duration),
    /// It fails and is not sent.
    FailBefore(ErrorKind),
    /// It is sent and carried out, then fails.
    FailAfter(ErrorKind),
    /// The answer's body breaks after so many bytes. A directory has no bodies: its answer is lost, as by
    /// `FailAfter(Interrupted)`.
    BreakBody(usize),
    /// It is not sent and never ends.
    Hang,
}

/// The plan of a [`FaultyTransport`] or a [`FaultyDirectory`]; without one everything goes through. Clones share it.
///
/// A call meets one fault at most: of those for the next calls first, then the rule that was added first.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: Vec<(usize, CallFault)>,
    every: Vec<(usize, CallFault)>,
    calls: usize,
    met: usize,
}

impl FaultPlan {
    /// Breaks the next `count` calls, after those planned before.
    pub fn next(&self, count: usize, fault: CallFault) -> &Self {
        self.lock().next.push((count, fault));
        self
    }

    /// Breaks every `nth` call, counted from the beginning: 1 is every one, 0 none.
    pub fn every(&self, nth: usize, fault: CallFault) -> &Self {
        self.lock().every.push((nth, fault));
        self
    }

    /// Lets everything through from now on.
    pub fn clear(&self) {
        let mut plan = self.lock();
        plan.next.clear();
        plan.every.clear();
    }

    /// How many calls came so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    /// How many calls met a fault so far.
    #[must_use]
    pub fn met(&self) -> usize {
        self.lock().met
    }

    /// Counts one call and gives what it meets.
    fn take(&self) -> Option<CallFault> {
        let mut plan = self.lock();
        plan.calls += 1;
        plan.next.retain(|(count, _)| *count > 0);
        let fault = match plan.next.first_mut() {
            Some((count, fault)) => {
                *count -= 1;
                Some(*fault)
            }
            None => {
                let rule = plan.every.iter().find(|(nth, _)| *nth > 0 && plan.calls.is_multiple_of(*nth));
                rule.map(|(_, fault)| *fault)
            }
        };
        plan.met += usize::from(fault.is_some());
        fault
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn before(kind: ErrorKind) -> Error {
    Error::new(kind, "a fault that the test planned, before sending").with_sent(Sent::No)
}

fn after(kind: ErrorKind) -> Error {
    // Whoever lost the answer cannot know whether the request was carried out.
    Error::new(kind, "a fault that the test planned, after sending").with_sent(Sent::Maybe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        directory::{Directory, MemoryDirectory, Query},
        time::{ManualClock, SharedClock},
    };

    #[tokio::test]
    async fn each_fault_does_what_it_says() {
        let clock = ManualClock::new();
        let shared = SharedClock::new(clock.clone());
        let memory = MemoryDirectory::new(shared.clone());
        let (directory, faults) = FaultyDirectory::new(memory.clone(), shared);
        let registration = crate::contract::Registration::new("a-1", "a", "1.0.0", "http://127.0.0.1:1");

        faults.next(1, CallFault::FailBefore(ErrorKind::Connect)).next(1, CallFault::FailAfter(ErrorKind::Timeout));
        assert_eq!(directory.register(&registration).await.unwrap_err().sent(), Sent::No);
        assert!(memory.find(&Query::everybody()).await.unwrap().is_empty());
        let lost = directory.register(&registration).await.unwrap_err();
        assert_eq!((lost.kind(), lost.sent()), (ErrorKind::Timeout, Sent::Maybe));
        assert_eq!(memory.find(&Query::everybody()).await.unwrap().len(), 1);

        faults
            .next(1, CallFault::Delay(Duration::from_secs(5)))
            .next(1, CallFault::Hang)
            .next(1, CallFault::BreakBody(3));
        let everybody = Query::everybody();
        let mut delayed = directory.find(&everybody);
        assert!(futures_util::poll!(&mut delayed).is_pending());
        clock.advance(Duration::from_secs(5));
        assert_eq!(delayed.await.unwrap().len(), 1);
        let mut hanging = directory.find(&everybody);
        assert!(futures_util::poll!(&mut hanging).is_pending());
        assert_eq!(directory.find(&everybody).await.unwrap_err().kind(), ErrorKind::Interrupted);

        faults.every(1, CallFault::Hang).clear();
        assert!(directory.find(&everybody).await.is_ok());
        assert_eq!((faults.calls(), faults.met()), (6, 5));
    }
}
